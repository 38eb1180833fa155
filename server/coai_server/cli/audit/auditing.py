"""What `coai audit` does: it asks for an audit, and writes what was found for people and for CI.

Nothing here needs typer: over files that have not changed, loading it would take most of the time.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from coai_agents.application.audit.request import AuditRequest
from coai_server.cli.console import console, notices, say, write_json
from coai_server.terminal import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from coai_agents.analysis.run.survey import Audited
    from coai_agents.application.audit.auditing import AuditReport
    from coai_agents.application.audit.fixing import Repair
    from coai_agents.application.audit.selection import Row
    from coai_agents.source import Source

INCOMPLETE: Final = 2
"""The exit code where nothing was found, but not everything could be looked at."""

_STYLES: Final = {"error": "bold red", "warning": "yellow", "information": "cyan", "hint": "dim"}


class Format(StrEnum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


@dataclass(frozen=True, slots=True)
class Options(AuditRequest):
    """What was asked for on the command line."""

    form: Format = Format.TEXT
    write_baseline: Path | None = None


def run(options: Options) -> int:
    """Look at files, write what is found, and return the exit code.

    It is 1 if anything is found, otherwise `INCOMPLETE` if a file could not be looked at. Raises
    `AuditError` and `GitError`.
    """
    from coai_agents.application.audit.auditing import audit  # noqa: PLC0415 (not for `--help`)

    if options.write_baseline is not None:
        # What is to be known is what was found, whatever could be done about it.
        options = replace(options, fix=False)
    report = audit(options, watched=_shown_progress)
    for problem in report.problems:
        say(f"{problem}\n", sys.stderr)
    if options.write_baseline is not None:
        return _write_baseline(options.write_baseline, report.rows)
    _write(options, report)
    if report.rows:
        return 1
    return INCOMPLETE if report.failed else 0


def _write_baseline(path: Path, rows: Sequence[Row]) -> int:
    from coai_agents.application.audit.baseline import write_baseline  # noqa: PLC0415 (rarely asked for)

    write_baseline(path, rows)
    say(f"{len(rows)} findings are in {path} now.\n", sys.stderr)
    return 0


def _shown_progress(audited: Iterable[Audited], total: int) -> Iterable[Audited]:
    if not sys.stderr.isatty():
        return audited
    from rich.progress import track  # noqa: PLC0415 (only for people)

    return track(audited, "Looking", total=total, console=notices(), transient=True)


def _write(options: Options, report: AuditReport) -> None:
    if options.form is Format.SARIF:
        from coai_agents.application.audit.sarif import document  # noqa: PLC0415 (as above)

        write_json(document(report.rows, report.audited))
    elif options.form is Format.JSON:
        answer: dict[str, Any] = report.as_json()
        if options.fix:
            answer["fixes"] = [each.as_json(one_line(each.path.name)) for each in report.repairs]
        write_json(answer)
    else:
        for each in report.repairs:
            say(repaired(each, shown=options.dry_run))
        _print(report.rows, report.audited)


def repaired(repair: Repair, *, shown: bool) -> str:
    """Return for people what became of a file; `shown` if the change itself is to be seen."""
    if shown:
        return repair.diff(one_line(repair.path.name))
    path = one_line(str(repair.path))
    if repair.refusal:
        return f"{path}: not changed: {repair.refusal}\n"
    lines = [f"{path}:{each.line}: fixed {each.rule}: {each.title}" for each in repair.fixes]
    return "\n".join(lines) + "\n"


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
