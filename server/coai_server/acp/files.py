"""The files of a session: those of its folder, as the editor has them, saved or not.

A path is checked with its links followed before anybody is asked for it, because an editor gives
any file of its user. What the editor does not give is read from the disk.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.run.survey import files_in
from coai_agents.source import Source
from coai_agents.workflows.workers.proposals import refusal
from coai_routing.errors import CoaiError
from coai_routing.workspace_files import read_file, replace_file, write_file
from coai_server.acp.client import EditorError
from coai_server.terminal import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_server.acp.client import ClientSession

MOST_BYTES: Final = 20_000_000
"""Of a source file; what is larger nobody has written."""

MOST_FILES: Final = 2_000
"""Files of the folder that are looked through for what a question names."""

_BOM: Final = b"\xef\xbb\xbf"


class FileError(CoaiError):
    """A file is outside of the session's folder, is not there, is no text, or was not written."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A change of one file that is to be asked about."""

    path: Path
    before: str | None
    after: str


class SessionFiles:
    """The files of one folder."""

    def __init__(self, folder: Path, editor: ClientSession) -> None:
        """Take an absolute folder as the editor spells it; raises `FileError` for what is none."""
        if not folder.is_absolute() or not folder.is_dir():
            raise FileError(f"{one_line(str(folder))} is no folder, or its path is not absolute.")
        self.folder = folder
        self._real = Path(os.path.realpath(folder))
        self._editor = editor

    def place(self, written: str) -> Path:
        """Return the file or folder that a path names, spelled as the editor spells the folder.

        Raises `FileError`, which tells nothing of what is outside.
        """
        shown = one_line(written)[:200]
        try:
            real = Path(os.path.realpath(self.folder / (written or ".")))
        except (OSError, ValueError) as error:
            raise FileError(f"{shown} is no path.") from error
        if not real.is_relative_to(self._real):
            raise FileError(
                f"{shown} is outside of this session's folder, and was not looked at.",
                remedy="Begin a session in the folder that it is in.",
            )
        return self.folder / real.relative_to(self._real)

    def name(self, path: Path) -> str:
        """Return a path relative to the folder, with slashes."""
        return path.relative_to(self.folder).as_posix()

    async def source(self, path: Path) -> Source:
        """Return a file's text, as the editor has it, or from the disk where it gives none.

        Raises `FileError` and `EditorError`.
        """
        # What an editor refuses to give its user has hidden from agents, so the disk does not help.
        text = await self._editor.read(path)
        if text is not None and len(text) > MOST_BYTES:
            raise FileError(f"{one_line(self.name(path))} is too large.")
        return (
            await asyncio.to_thread(self.on_disk, path)
            if text is None
            else Source(path.as_uri(), text)
        )

    def on_disk(self, path: Path) -> Source:
        """Return a file's text from the disk; raises `FileError`."""
        name = one_line(self.name(path))
        if path.is_dir():
            raise FileError(f"{name} is a folder.", remedy="Name a file.")
        try:
            content = read_file(path, MOST_BYTES, [self._real])
            return Source(path.as_uri(), content.removeprefix(_BOM).decode("utf-8"))
        except FileNotFoundError as error:
            raise FileError(f"{name} is not there.") from error
        except UnicodeDecodeError as error:
            raise FileError(f"{name} is not text in UTF-8.") from error
        except OSError as error:
            raise FileError(f"{name} cannot be read: {error.strerror or error}.") from error

    def every(self) -> Iterator[tuple[str, Source]]:
        """Yield the files of the folder that can be read from the disk, and their names."""
        for path in sorted(files_in([self.folder]))[:MOST_FILES]:
            try:
                yield self.name(path), self.on_disk(self.place(str(path)))
            except (FileError, ValueError):
                continue

    def refused(self, path: Path) -> str:
        """Say why a file is not written even where it is permitted; empty where it may be."""
        return refusal(self.name(path))

    async def write(self, change: Proposed) -> None:
        """Write a change that was permitted, if the file is still as it was; raises `FileError`."""
        name = one_line(self.name(change.path))
        self.place(str(change.path))
        if why := self.refused(change.path):
            raise FileError(f"{name} was not written: {why}.")
        now = await self._now(change.path)
        if now != change.before:
            raise FileError(
                f"{name} has changed meanwhile, and was not written.", remedy="Ask again."
            )
        if await self._editor.write(change.path, change.after):
            return
        try:
            await asyncio.to_thread(self._write, change)
        except OSError as error:
            raise FileError(f"{name} was not written: {error.strerror or error}.") from error

    async def _now(self, path: Path) -> str | None:
        try:
            return (await self.source(path)).text
        except (FileError, EditorError):
            if await asyncio.to_thread(path.exists):
                raise
            return None

    def _write(self, change: Proposed) -> None:
        if change.before is None:
            change.path.parent.mkdir(parents=True, exist_ok=True)
            write_file(change.path, change.after.encode())
            return
        now = read_file(change.path, MOST_BYTES, [self._real])
        mark = _BOM if now.startswith(_BOM) else b""
        before, after = mark + change.before.encode(), mark + change.after.encode()
        replace_file(change.path, before, after, [self._real])
