"""What the settings say of a document, and which files are excluded: asked at every keystroke."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from coai_agents.exclusions.decisions import ExclusionRules, Exclusions
from coai_routing.privacy.file_names import written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from coai_routing.settings.loading import LoadedSettings
    from coai_routing.settings.schema import CompletionSettings, Settings


class DocumentSettings:
    """The settings of documents, by all names that these have. May be asked from any thread."""

    def __init__(self, loaded: Callable[[], LoadedSettings], roots: Iterable[Path]) -> None:
        """Take all settings as they are now, and the workspace's folders."""
        self._loaded = loaded
        self._known: dict[str, Settings] = {}
        self.exclusions = Exclusions(self._exclusion_rules, roots=roots)

    def _exclusion_rules(self, folder: Path | None) -> ExclusionRules:
        return ExclusionRules.of(self._loaded().for_path(folder))

    def of(self, uri: str) -> Settings:
        """Return what holds for a document, as the projects that it belongs to narrow it.

        It belongs to each that it is in by any of its names, as far as these are known: reads only
        memory.
        """
        known = self._known.get(uri)
        if known is None:
            names = self.exclusions.known_names(uri)
            names_now = names or written(uri, self.exclusions.known_roots)
            known = self.of_names((*names_now.paths, *names_now.roots))
            if names is not None:
                # Taking a URI apart costs more than anything else that a keystroke decides.
                self._known[uri] = known
        return known

    def of_names(self, paths: Sequence[str]) -> Settings:
        """Return what holds for a file that goes by these paths."""
        return self._loaded().for_names(paths)

    def completion(self, uri: str) -> CompletionSettings:
        """Return what holds for completions in a document; reads only memory."""
        return self.of(uri).completion

    def forget(self, uri: str) -> None:
        """Take note that a document was opened or closed: links may lead elsewhere now."""
        self._known.pop(uri, None)

    def forget_all(self) -> None:
        """Take note that the settings are others."""
        self._known.clear()

    async def refresh(self, roots: Iterable[Path]) -> None:
        """Take the workspace's folders as they are now, and read what they exclude."""
        await asyncio.to_thread(self.exclusions.set_roots, tuple(roots))
        await self.exclusions.refresh()
        # What was asked meanwhile was answered by the names in the folders of before.
        self.forget_all()
