"""What the specialists' commands have in common: reading, diffs, writing, exit codes."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import typer

from coai_server.cli.agents.looking import shown_path
from coai_server.cli.console import notices, write_json
from coai_server.terminal import printable

if TYPE_CHECKING:
    from pathlib import Path

    from coai_agents.specialists import edits


MOST_BYTES: Final = 20_000_000
"""Of a source file; what is larger nobody has written."""

BOM: Final = b"\xef\xbb\xbf"


class Change(NamedTuple):
    """A change of a file."""

    path: Path
    change: edits.Change


@dataclass
class Outcome:
    """What a command found and would change."""

    items: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    changes: list[Change] = field(default_factory=list[Change])
    notes: list[str] = field(default_factory=list[str])
    failed: bool = False
    done: bool = False
    """Whether nothing is left to do, although something was found."""

    @property
    def exit_code(self) -> int:
        """0 where nothing is left to do, 1 where something was found, 2 where it failed."""
        if self.failed:
            return 2
        return 0 if self.done or not (self.changes or self.items) else 1


def finish(outcome: Outcome, *, write: bool, as_json: bool) -> None:
    """Show or write what would change, say what could not be done, and end the command."""
    if write:
        _write(outcome)
    if as_json:
        write_json(
            {
                "ok": not outcome.failed,
                "items": outcome.items,
                "changes": [
                    {"path": str(each.path), "diff": each.change.diff(_named(each.path))}
                    for each in outcome.changes
                ],
                "written": write,
                "notes": outcome.notes,
            }
        )
    else:
        for each in outcome.changes if not write else ():
            diff = each.change.diff(_named(each.path))
            sys.stdout.write(printable(diff) if sys.stdout.isatty() else diff)
        for each in outcome.changes if write else ():
            sys.stdout.write(f"{each.path}: written\n")
        for note in dict.fromkeys(outcome.notes):
            notices().print(f"Note: {printable(note)}")
    raise typer.Exit(outcome.exit_code)


def _named(path: Path) -> str:
    """Return a path as a diff names it: from here on, or from the root, without its slash."""
    return shown_path(path).lstrip("/")


def _write(outcome: Outcome) -> None:
    """Write every change, each file whole or not at all; what was changed meanwhile is left."""
    from coai_routing.workspace_files import (  # noqa: PLC0415 (only with `--write`)
        UnsafeFileError,
        read_file,
        replace_file,
    )

    for each in list(outcome.changes):
        before, after = (one.text for one in (each.change.source, each.change.after))
        try:
            content = read_file(each.path, MOST_BYTES)
            mark = BOM if content.startswith(BOM) else b""
            replace_file(each.path, mark + before.encode(), mark + after.encode())
        except (UnsafeFileError, OSError) as error:
            outcome.changes.remove(each)
            outcome.notes.append(f"{each.path} was not written: {error}")
            outcome.failed = True
