"""Runs the user's own test command on a changed file, and puts the file back whatever happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.application.testing import TestCommandError, run_command, words_of
from coai_routing.workspace_files import read_file, replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from coai_agents.source import Source
    from coai_agents.specialists.fixing.tally import Tried

__all__ = ["TestCommandError", "Trial"]

MOST_BYTES: Final = 20_000_000

_BOM: Final = b"\xef\xbb\xbf"


class Trial:
    """One file and the command that tests it."""

    def __init__(self, path: Path, command: str, *, seconds: float, directory: Path) -> None:
        """Raise `TestCommandError` where there is no such command."""
        self.path = path.absolute()
        self._before = read_file(self.path, MOST_BYTES)
        self._seconds = seconds
        self._directory = directory
        self._command = words_of(command, directory)
        self.runs = 0
        """How often the command was run."""

    async def __call__(self, source: Source) -> Tried:
        """Return how the test goes with the file as `source` has it; the file is as before."""
        mark = _BOM if self._before.startswith(_BOM) else b""
        content = mark + source.text.encode()
        self.runs += 1
        if content == self._before:
            return await self._run()
        replace_file(self.path, self._before, content)
        try:
            return await self._run()
        finally:
            replace_file(self.path, content, self._before)

    async def _run(self) -> Tried:
        return await run_command(self._command, seconds=self._seconds, directory=self._directory)
