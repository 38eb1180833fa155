"""What `coai audit` does: what is wrong in files, without a model, for people and for CI.

Nothing here needs typer: over files that have not changed, loading it would take most of the time.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from coai_routing.errors import CoaiError
from coai_routing.workspace_files import read_file, write_file
from coai_server.cli.audit.selection import Row, Selection
from coai_server.cli.audit.wishes import wishes_for
from coai_server.cli.console import console, notices, say, write_json
from coai_server.terminal import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from coai_agents.analysis.run.survey import Audited
    from coai_agents.source import Source
    from coai_server.cli.audit.fixing import Repair

MOST_BASELINE: Final = 64 * 1024 * 1024
"""Bytes of a baseline at most."""

INCOMPLETE: Final = 2
"""The exit code where nothing was found, but not everything could be looked at."""

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


class Sureness(StrEnum):
    """From which confidence on findings count; like `findings.Confidence`, which loads more."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class AuditError(CoaiError):
    """Something that an audit needs cannot be had."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line."""

    paths: tuple[Path, ...] = ()
    form: Format = Format.TEXT
    level: Level = Level.WARNING
    confidence: Sureness = Sureness.LOW
    baseline: Path | None = None
    write_baseline: Path | None = None
    diff: str = ""
    jobs: int = 0
    cached: bool = True
    fix: bool = False
    dry_run: bool = False


def run(options: Options) -> int:
    """Look at files, write what is found, and return the exit code.

    It is 1 if anything is found, otherwise `INCOMPLETE` if a file could not be looked at. Raises
    `AuditError` and `GitError`.
    """
    from coai_agents.analysis.run import remembered  # noqa: PLC0415 (as below)
    from coai_agents.analysis.run.survey import files_in, survey  # noqa: PLC0415

    wanted = list(options.paths) or [Path.cwd()]
    files = files_in(wanted)
    changed = _changed_lines(options.diff, wanted, files) if options.diff else None
    if changed is not None:
        files = [file for file in files if file in changed]
    wishes = wishes_for(wanted)
    own = wishes.have_rules()
    store = remembered.AnalysisCache(remembered.cache_path() if options.cached else None, own)
    found = survey(files, store, jobs=options.jobs, rules=wishes.rules, within=wanted)
    audited = sorted(_shown_progress(found, len(files)), key=lambda one: one.path)
    known = frozenset[str]() if options.baseline is None else read_baseline(options.baseline)
    selection = Selection(
        _rank(options.level), changed, known, wishes, list(Sureness).index(options.confidence) + 1
    )
    rows = [row for each in audited for row in selection.rows_of(each)]
    if options.write_baseline is not None:
        return _write_baseline(options.write_baseline, rows)
    fixed: list[Repair] = []
    if options.fix:
        from coai_server.cli.audit.fixing import repair  # noqa: PLC0415 (only where it is asked for)

        fixed = repair(audited, selection, write=not options.dry_run)
        if not options.dry_run:
            now = {each.path: each.after for each in fixed if each.after is not None}
            audited = [now.get(each.path, each) for each in audited]
            rows = [row for each in audited for row in selection.rows_of(each)]
    _write(options, rows, audited, fixed)
    if rows:
        return 1
    return INCOMPLETE if any(each.analysis.failed for each in audited) else 0


def _write_baseline(path: Path, rows: Sequence[Row]) -> int:
    known = sorted({row.fingerprint for row in rows})
    try:
        write_file(path, (json.dumps({"coai": known}, indent=1) + "\n").encode())
    except OSError as error:
        raise AuditError(f"{path} cannot be written: {error.strerror or error}.") from error
    say(f"{len(rows)} findings are in {path} now.\n", sys.stderr)
    return 0


def _rank(level: Level) -> int:
    return list(Level).index(level) + 1


def _shown_progress(audited: Iterable[Audited], total: int) -> Iterable[Audited]:
    if not sys.stderr.isatty():
        return audited
    from rich.progress import track  # noqa: PLC0415 (only for people)

    return track(audited, "Looking", total=total, console=notices(), transient=True)


def read_baseline(path: Path) -> frozenset[str]:
    """Return the fingerprints of a baseline; raises `AuditError`."""
    try:
        return frozenset(str(each) for each in json.loads(read_file(path, MOST_BASELINE))["coai"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AuditError(
            f"{path} is no baseline: {error}.", remedy="Write one with --write-baseline."
        ) from error


def _changed_lines(
    revision: str, paths: Sequence[Path], files: Sequence[Path]
) -> dict[Path, list[range]]:
    """Return the lines of files that changed since a revision; raises `GitError`."""
    from coai_agents.analysis.run.survey import MOST_BYTES  # noqa: PLC0415 (as above)
    from coai_agents.git import changed_lines  # noqa: PLC0415 (only for `--diff`)

    def read(path: Path) -> bytes | None:
        try:
            return read_file(path, MOST_BYTES, paths)
        except OSError:
            # Its note is to be seen.
            return None

    folders = [path if path.is_dir() else path.parent for path in paths]
    return changed_lines(revision, folders, files, read)


def _write(
    options: Options, rows: Sequence[Row], audited: Sequence[Audited], fixed: Sequence[Repair]
) -> None:
    if options.form is Format.SARIF:
        from coai_server.cli.audit.sarif import document  # noqa: PLC0415 (only where it is asked for)

        write_json(document(rows, audited))
    elif options.form is Format.JSON:
        notes = {str(each.path): list(each.analysis.notes) for each in audited}
        answer: dict[str, Any] = {
            "findings": [_document(row) for row in rows],
            "notes": {path: some for path, some in notes.items() if some},
            "files": len(audited),
        }
        if options.fix:
            answer["fixes"] = [each.document() for each in fixed]
        write_json(answer)
    else:
        for each in fixed:
            say(each.text(shown=options.dry_run))
        _print(rows, audited)


def _document(row: Row) -> dict[str, Any]:
    finding, source = row.finding, row.source
    start = source.line_start(row.line - 1)
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "confidence": finding.confidence.value,
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
    """Print what was found: in style for people, as plain lines into pipes and files."""
    counted = Counter(row.finding.severity.value for row in rows)
    said = ", ".join(f"{counted[name]} {name}" for name in _STYLES if counted[name])
    summary = f"{len(audited)} files: {said or 'nothing found'}"
    lines = [line for row in rows for line in _frame(row)]
    if sys.stdout.isatty() or "FORCE_COLOR" in os.environ:
        from rich.text import Text  # noqa: PLC0415 (only for people)

        out = console()
        for line in lines:
            out.print(Text.assemble(*line), soft_wrap=True)
        out.print(summary)
    else:
        for line in lines:
            say("".join(text for text, _ in line) + "\n")
        say(summary + "\n")
    for each in audited:
        for note in each.analysis.notes:
            say(f"{one_line(str(each.path))}: {one_line(note)}\n", sys.stderr)


def _frame(row: Row) -> list[list[tuple[str, str]]]:
    """Return a finding's lines, each in its texts and their styles.

    They have the finding's place, its message, the lines its value came through, and its line.
    """
    finding, source = row.finding, row.source
    style = _STYLES[finding.severity.value]
    sure = "" if finding.confidence.rank == 1 else f", {finding.confidence.value} confidence"
    column = finding.span.start - source.line_start(row.line - 1)
    place = one_line(f"{source.path}:{row.line}:{column + 1}")
    lines = [
        [
            (place, "bold"),
            (" ", ""),
            (finding.severity.value, style),
            (f" {finding.rule}{sure}", ""),
        ],
        [(f"  {one_line(finding.message)}", "")],
    ]
    shown: set[int] = set()
    for step in finding.path[:-1]:
        line = source.line_at(step.span.start)
        if line + 1 != row.line and line not in shown:
            shown.add(line)
            lines.append(_code_line(source, line, one_line(step.words)))
    lines.append(_code_line(source, row.line - 1, ""))
    length = max(1, min(finding.span.end, source.line_end(row.line - 1)) - finding.span.start)
    lines.append([(" " * (9 + column), ""), ("^" * length, style)])
    lines.append([("", "")])
    return lines


def _code_line(source: Source, line: int, words: str) -> list[tuple[str, str]]:
    from coai_routing.privacy.secrets import masked  # noqa: PLC0415 (only where something was found)

    shown = masked(source.text, source.line_start(line), source.line_end(line))
    text = one_line(shown)
    said = f"   <- {words}" if words else ""
    return [(f"{line + 1:>6} | {text}{said}", "")]
