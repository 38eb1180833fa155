"""The open documents as services see them, whichever door holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from coai_agents.source import Source


class WorkspaceFolder(Protocol):
    """A folder of the workspace."""

    @property
    def path(self) -> Path | None:
        """Where it is on disk, or None if it is not there."""
        ...


class OpenDocuments(Protocol):
    """What an editor has open: the newest snapshot of each document, and who is told of changes."""

    on_open: list[Callable[[Source], None]]
    on_change: list[Callable[[Source, Source], None]]
    """Called with the snapshot before and the one after."""
    on_save: list[Callable[[Source], None]]
    on_close: list[Callable[[Source], None]]

    @property
    def folders(self) -> Sequence[WorkspaceFolder]:
        """The folders that are open."""
        ...

    def snapshot(self, uri: str) -> Source | None:
        """Return a document as it is now, or None if it is not open."""
        ...

    def open_sources(self) -> Sequence[Source]:
        """Return every open document as it is now."""
        ...
