"""`coai audit --fix`: what was verified is written, and what was not is said."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.analysis.run.survey import MOST_BYTES, Audited
from coai_agents.fixes.fixers import applied, fixes_for
from coai_agents.fixes.user_fixes import user_fixes_for
from coai_agents.source import Source
from coai_agents.specialists.documentation.mending import documentation_fixes_for
from coai_routing.privacy.secrets import redact
from coai_routing.workspace_files import read_file, replace_file
from coai_server.terminal import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from coai_server.cli.audit.selection import Selection

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
    diff: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "path": str(self.path),
            "written": self.after is not None,
            "refusal": self.refusal,
            "fixes": [
                {"rule": each.rule, "title": each.title, "line": each.line} for each in self.fixes
            ],
            "diff": self.diff,
        }

    def text(self, *, shown: bool) -> str:
        """Return it for people; `shown` if the change itself is to be seen."""
        if shown:
            return self.diff
        if self.refusal:
            return f"{one_line(str(self.path))}: not changed: {self.refusal}\n"
        path = one_line(str(self.path))
        lines = [f"{path}:{each.line}: fixed {each.rule}: {each.title}" for each in self.fixes]
        return "\n".join(lines) + "\n"


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
    diff = _diff(path, redact(text), redact(source.text))
    if not write:
        return Repair(path, tuple(done), diff=diff)
    mark = _BOM if before.startswith(_BOM) else b""
    try:
        replace_file(path, before, mark + source.text.encode(), audited.within)
    except OSError as error:
        return Repair(path, tuple(done), _why(error), diff=diff)
    after = Audited(path, analyse(source), source.text)
    return Repair(path, tuple(done), "", after, diff)


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
                fix
                for fixes_of in (fixes_for, user_fixes_for, documentation_fixes_for)
                for fix in fixes_of(source, [row.finding], analysis)
                if fix.preferred
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


def _diff(path: Path, before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(keepends=True),
        after.splitlines(keepends=True),
        f"a/{one_line(path.name)}",
        f"b/{one_line(path.name)}",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _why(error: OSError) -> str:
    return f"{error.strerror or error}."
