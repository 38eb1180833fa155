"""`coai audit PATH...`: what is wrong in files, without a model, for people and for CI."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from coai_routing.errors import CoaiError
from coai_server.cli.console import console, notices, without_controls, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from coai_agents.source import Source
    from coai_agents.static.findings import Finding
    from coai_agents.static.survey import Audited

GIT_SECONDS: Final = 60.0

_HUNK: Final = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", re.MULTILINE)

_STYLES: Final = {"error": "bold red", "warning": "yellow", "information": "cyan", "hint": "dim"}


class Format(StrEnum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


class Level(StrEnum):
    """From which severity on findings count."""

    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"
    HINT = "hint"


class AuditError(CoaiError):
    """Something that an audit needs cannot be had."""


@dataclass(frozen=True, slots=True)
class Row:
    """A finding, its file, and what recognises it again when lines have moved."""

    source: Source
    finding: Finding
    fingerprint: str

    @property
    def line(self) -> int:
        """The line, from 1."""
        return self.source.line_at(self.finding.span.start) + 1


def audit(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH]...", help="Files and folders; here unless given."),
    ] = None,
    *,
    form: Annotated[Format, typer.Option("--format", help="How findings are written.")] = (
        Format.TEXT
    ),
    level: Annotated[
        Level, typer.Option("--level", help="The least severity that is shown and counts.")
    ] = Level.WARNING,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Leave out what this file, written before, knows."),
    ] = None,
    write_baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what is found to a baseline, and exit with 0."),
    ] = None,
    diff: Annotated[
        str,
        typer.Option(metavar="REV", help="Only what is on lines changed since this git revision."),
    ] = "",
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0 for all cores.")] = 0,
    cached: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Remember what unchanged files had.")
    ] = True,
) -> None:
    """Find what is wrong in files, without any model. Exit code 1 if anything is."""
    from coai_agents.static.survey import AnalysisCache, files_in, survey  # noqa: PLC0415

    wanted = paths or [Path.cwd()]
    for path in wanted:
        if not path.exists():
            raise typer.BadParameter(f"there is no {path}")
    files = files_in(wanted)
    changed = changed_lines(diff, wanted) if diff else None
    if changed is not None:
        files = [file for file in files if file.resolve() in changed]
    store = AnalysisCache(cache_path() if cached else None)
    audited = list(_shown_progress(survey(files, store, jobs=jobs), len(files)))
    rows = [row for each in sorted(audited, key=lambda one: one.path) for row in rows_of(each)]
    rows = [row for row in rows if row.finding.severity.rank <= _rank(level)]
    if changed is not None:
        rows = [row for row in rows if _touches(row, changed)]
    if write_baseline is not None:
        known = sorted({row.fingerprint for row in rows})
        write_baseline.write_text(json.dumps({"coai": known}, indent=1) + "\n", encoding="utf-8")
        notices().print(f"{len(rows)} findings are in {write_baseline} now.")
        return
    if baseline is not None:
        old = read_baseline(baseline)
        rows = [row for row in rows if row.fingerprint not in old]
    _write(form, rows, audited)
    if rows:
        raise typer.Exit(1)


def cache_path() -> Path:
    """Return where analyses are remembered."""
    import platformdirs  # noqa: PLC0415 (not for `--help`)

    return platformdirs.user_cache_path("coai", appauthor=False) / "audit.sqlite"


def _rank(level: Level) -> int:
    return list(Level).index(level) + 1


def _shown_progress(audited: Iterable[Audited], total: int) -> Iterable[Audited]:
    if not sys.stderr.isatty():
        return audited
    from rich.progress import track  # noqa: PLC0415 (only for people)

    return track(audited, "Looking", total=total, console=notices(), transient=True)


def rows_of(audited: Audited) -> list[Row]:
    """Return a file's findings with their fingerprints.

    A fingerprint is made of the rule, the file's name and the line's text, with a number where
    the same comes again, so that code above may change.
    """
    from coai_agents.source import Source  # noqa: PLC0415 (not for `--help`)

    source = Source(audited.path.as_uri(), audited.text)
    seen: Counter[str] = Counter()
    rows: list[Row] = []
    for finding in audited.analysis.findings:
        line = source.line_text(source.line_at(finding.span.start)).strip()
        base = f"{finding.rule}\0{audited.path.name}\0{line}"
        seen[base] += 1
        digest = hashlib.sha256(f"{base}\0{seen[base]}".encode("utf-8", "replace"))
        rows.append(Row(source, finding, digest.hexdigest()[:20]))
    return rows


def read_baseline(path: Path) -> frozenset[str]:
    """Return the fingerprints of a baseline; raises `AuditError`."""
    try:
        return frozenset(str(each) for each in json.loads(path.read_text("utf-8"))["coai"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AuditError(
            f"{path} is no baseline: {error}.", remedy="Write one with --write-baseline."
        ) from error


def changed_lines(revision: str, paths: Sequence[Path]) -> dict[Path, list[range]]:
    """Return the lines, from 1, that changed since a revision; raises `AuditError`."""
    git = shutil.which("git")
    if git is None:
        raise AuditError("git is not there.", remedy="Install it, or leave --diff out.")
    first = paths[0] if paths[0].is_dir() else paths[0].parent
    top = _git(git, first, "rev-parse", "--show-toplevel").strip()
    names = [str(path.resolve()) for path in paths]
    text = _git(
        git, first, "diff", "--unified=0", "--no-color", "--no-ext-diff", revision, "--", *names
    )
    changed: dict[Path, list[range]] = {}
    for part in re.split(r"^diff --git ", text, flags=re.MULTILINE)[1:]:
        name = re.search(r"^\+\+\+ b/(.+?)\t?$", part, re.MULTILINE)
        if name is None:
            continue
        lines = [(int(hunk[1]), int(hunk[2] or 1)) for hunk in _HUNK.finditer(part)]
        changed[Path(top, name[1]).resolve()] = [range(at, at + count) for at, count in lines]
    return changed


def _git(git: str, folder: Path, *arguments: str) -> str:
    if any(argument.startswith("-") for argument in arguments[4:5]):
        raise AuditError("A revision does not begin with a dash.")
    done = subprocess.run(  # noqa: S603 - git with a list of arguments, no shell
        (git, "-C", str(folder), *arguments),
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="replace",
        timeout=GIT_SECONDS,
    )
    if done.returncode:
        raise AuditError(f"git: {done.stderr.strip() or 'failed'}.", remedy="Check the revision.")
    return done.stdout


def _touches(row: Row, changed: dict[Path, list[range]]) -> bool:
    path = row.source.path
    assert path is not None
    last = row.source.line_at(row.finding.span.end) + 1
    return any(
        lines.start <= last and row.line < lines.stop for lines in changed.get(path.resolve(), [])
    )


def _write(form: Format, rows: Sequence[Row], audited: Sequence[Audited]) -> None:
    if form is Format.SARIF:
        from coai_server.cli.sarif import sarif  # noqa: PLC0415 (only where it is asked for)

        write_json(sarif((row.source, row.finding, row.fingerprint) for row in rows))
    elif form is Format.JSON:
        notes = {str(each.path): list(each.analysis.notes) for each in audited}
        write_json(
            {
                "findings": [_document(row) for row in rows],
                "notes": {path: some for path, some in notes.items() if some},
                "files": len(audited),
            }
        )
    else:
        _print(rows, audited)


def _document(row: Row) -> dict[str, Any]:
    finding, source = row.finding, row.source
    start = source.line_start(row.line - 1)
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "message": finding.message,
        "path": str(source.path),
        "line": row.line,
        "column": finding.span.start - start + 1,
        "cwe": list(finding.cwe),
        "fingerprint": row.fingerprint,
        "flow": [
            {"line": source.line_at(step.span.start) + 1, "words": step.words}
            for step in finding.path
        ],
    }


def _print(rows: Sequence[Row], audited: Sequence[Audited]) -> None:
    out = console()
    for row in rows:
        _frame(out, row)
    for each in audited:
        for note in each.analysis.notes:
            notices().print(f"{each.path}: {note}")
    counted = Counter(row.finding.severity.value for row in rows)
    said = ", ".join(f"{counted[name]} {name}" for name in _STYLES if counted[name])
    out.print(f"{len(audited)} files: {said or 'nothing found'}")


def _frame(out: Console, row: Row) -> None:
    """Print a finding with its line, and the lines that its value came through."""
    from rich.text import Text  # noqa: PLC0415 (only for people)

    finding, source = row.finding, row.source
    style = _STYLES[finding.severity.value]
    column = finding.span.start - source.line_start(row.line - 1)
    place = f"{source.path}:{row.line}:{column + 1}"
    out.print(
        Text.assemble((place, "bold"), " ", (finding.severity.value, style), f" {finding.rule}"),
        soft_wrap=True,
    )
    out.print(f"  {finding.message}", soft_wrap=True)
    shown: set[int] = set()
    for step in finding.path[:-1]:
        line = source.line_at(step.span.start)
        if line + 1 != row.line and line not in shown:
            shown.add(line)
            _code_line(out, source, line, step.words)
    _code_line(out, source, row.line - 1, "")
    length = max(1, min(finding.span.end, source.line_end(row.line - 1)) - finding.span.start)
    out.print(Text(f"{' ' * (9 + column)}{'^' * length}", style), soft_wrap=True)
    out.print("")


def _code_line(out: Console, source: Source, line: int, words: str) -> None:
    text = without_controls(source.line_text(line)).replace("\t", " ")
    said = f"   <- {words}" if words else ""
    out.print(f"{line + 1:>6} | {text}{said}", soft_wrap=True)
