"""`coai audit` without the other commands and without typer, which take longer than its work.

What is written here is only the plain form of each option. Anything else, help and mistakes
included, is left to typer.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from coai_agents.analysis.findings.findings import Confidence, Severity
from coai_routing.errors import CoaiError
from coai_server.cli.audit.auditing import INCOMPLETE, Format, Options, run
from coai_server.cli.console import report, tolerate_any_encoding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

VALUES: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "--format": ("form", Format),
    "--level": ("level", Severity),
    "--confidence": ("confidence", Confidence),
    "--baseline": ("baseline", Path),
    "--write-baseline": ("write_baseline", Path),
    "--diff": ("diff", str),
    "--jobs": ("jobs", int),
}
"""Options with a value: the field, and what reads the value."""

SWITCHES: Final = {
    "--fix": ("fix", True),
    "--dry-run": ("dry_run", True),
    "--cache": ("cached", True),
    "--no-cache": ("cached", False),
}


LEFT: Final = frozenset({"--triage", "--model", "--no-model"})
"""Options that ask a model, which takes longer than typer: they are left to it."""


def read(arguments: Sequence[str]) -> Options | None:
    """Return what is asked for, or None if that is typer's to say."""
    fields: dict[str, Any] = {}
    paths: list[Path] = []
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        name, equals, value = argument.partition("=")
        if argument in SWITCHES:
            field, switched = SWITCHES[argument]
            fields[field] = switched
        elif name in VALUES and (equals or waiting):
            field, reads = VALUES[name]
            try:
                fields[field] = reads(value if equals else waiting.pop(0))
            except ValueError:
                return None
        elif argument.startswith("-"):
            return None
        else:
            paths.append(Path(argument))
    options = Options(paths=tuple(paths), **fields)
    wrong = options.jobs < 0 or (options.dry_run and not options.fix)
    return None if wrong or not all(path.exists() for path in paths) else options


def audit(arguments: Sequence[str]) -> int:
    """Run the command; return the exit code, or raise `SystemExit` with it."""
    options = read(arguments)
    if options is None:
        from coai_server.cli import app  # noqa: PLC0415 - for help and for mistakes only

        return app.main(["audit", *arguments])
    tolerate_any_encoding()
    try:
        return run(options)
    except CoaiError as error:
        report(error)
        return INCOMPLETE
    except KeyboardInterrupt:
        return 130
