"""Fixing what an audit found: what was verified is written, and what was not is said."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.analysis.run.survey import MOST_BYTES, Audited
from coai_agents.fixes.proposals import verified_fixes
from coai_agents.fixes.verifier import applied
from coai_agents.source import Source
from coai_routing.privacy.secrets import redact
from coai_routing.workspace_files import read_file, replace_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from coai_agents.application.audit.selection import Selection

MOST: Final = 200
"""Fixes in one file at most; each is verified against the file as the others have left it."""

_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Applied:
    """One fix: the rule, what was done, and the line, from 1, that the finding was on."""

    rule: str
    title: str
    line: int


@dataclass(frozen=True, slots=True)
class Repair:
    """What became of one file."""

    path: Path
    fixes: tuple[Applied, ...]
    refusal: str = ""
    """Why nothing was written although there were fixes; empty if it was, or was not asked for."""
    after: Audited | None = None
    """The file as it is now, if it was written."""
    shown: tuple[str, str] = ("", "")
    """The text before and after the fixes, without secrets; equal where none were made."""

    def diff(self, name: str = "") -> str:
        """Return the change as a unified diff of a file of this name, its own without one."""
        before, after = (text.splitlines(keepends=True) for text in self.shown)
        name = name or self.path.name
        lines = difflib.unified_diff(before, after, f"a/{name}", f"b/{name}")
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)

    def as_json(self, name: str = "") -> dict[str, Any]:
        """Return it as JSON, with a diff of a file of this name."""
        return {
            "path": str(self.path),
            "written": self.after is not None,
            "refusal": self.refusal,
            "fixes": [
                {"rule": each.rule, "title": each.title, "line": each.line} for each in self.fixes
            ],
            "diff": self.diff(name),
        }


def repair(audited: Sequence[Audited], selection: Selection, *, write: bool) -> list[Repair]:
    """Fix what can be fixed for sure in the findings that count; return what became of each file.

    Only fixes that are preferred: where the user has to think, nothing is done for them.
    """
    repairs: list[Repair] = []
    for each in audited:
        if selection.rows_of(each):
            try:
                done = _repaired(each, selection, write=write)
            except Exception as error:  # noqa: BLE001 - the other files are still to be fixed
                why = f"fixing it failed ({type(error).__name__}); please report it."
                done = Repair(each.path, (), why)
            if done is not None:
                repairs.append(done)
    return repairs


def _repaired(audited: Audited, selection: Selection, *, write: bool) -> Repair | None:
    path = audited.path
    try:
        before = read_file(path, MOST_BYTES, audited.within)
        text = before.removeprefix(_BOM).decode()
    except UnicodeDecodeError:
        return Repair(path, (), "it is not text in UTF-8.")
    except OSError as error:
        return Repair(path, (), _why(error))
    if text != audited.text:
        return Repair(path, (), "it has changed since it was looked at.")
    source, done = _fixed(Source(path.as_uri(), text), path, selection)
    if not done:
        return None
    # What is written is what the fixer made; what is shown has no secret.
    shown = redact(text), redact(source.text)
    if not write:
        return Repair(path, tuple(done), shown=shown)
    mark = _BOM if before.startswith(_BOM) else b""
    try:
        replace_file(path, before, mark + source.text.encode(), audited.within)
    except OSError as error:
        return Repair(path, tuple(done), _why(error), shown=shown)
    after = Audited(path, analyse(source), source.text)
    return Repair(path, tuple(done), "", after, shown)


def _fixed(source: Source, path: Path, selection: Selection) -> tuple[Source, list[Applied]]:
    """Apply one fix after the other, each verified on what the ones before have left."""
    done: list[Applied] = []
    tried: set[str] = set()
    while len(done) < MOST:
        analysis = analyse(source)
        rows = selection.rows_of(Audited(path, analysis, source.text))
        for row in rows:
            if row.fingerprint in tried:
                continue
            tried.add(row.fingerprint)
            fixes = [
                fix for fix in verified_fixes(source, [row.finding], analysis) if fix.preferred
            ]
            if fixes:
                source = applied(source, fixes[0].edits)
                done.append(Applied(row.finding.rule, fixes[0].title, row.line))
                # What is alike further down has this one's number now.
                tried.discard(row.fingerprint)
                break
        else:
            break
    return source, done


def _why(error: OSError) -> str:
    return f"{error.strerror or error}."
