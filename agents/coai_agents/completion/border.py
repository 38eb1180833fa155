"""Whether code may be shown to a model elsewhere: asked only where one would be.

The gate says in which files code is completed at all. This looks at what would leave: the whole
file at hand, not only the part that a prompt shows of it, because who has a secret in a file does
not want to think about where the cursor is. The settings are those of the file, so that a project
that forbids it is heeded.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from coai_agents.exclusions import path_to_judge
from coai_routing.errors import EgressRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from coai_agents.source import Source
    from coai_routing.sensitivity import Sensitivity
    from coai_routing.settings import Settings

LARGE: Final = 32_768
"""Characters above which a file is searched in a thread."""


class Border(Protocol):
    """Decides what may be shown to a model that is not on this machine."""

    async def check(
        self, source: Source, files: Sequence[tuple[str, str]], *, backend: str
    ) -> None:
        """Raise EgressRefusedError if a document, or one of the files shown with it, must stay."""
        ...


class ClosedBorder:
    """Lets nothing through."""

    async def check(
        self, source: Source, files: Sequence[tuple[str, str]], *, backend: str
    ) -> None:
        """Raise EgressRefusedError."""
        del source, files
        raise EgressRefusedError("Nothing may leave this machine.", provider=backend)


class PrivacyBorder:
    """Decides by a file's settings, its name and what is in it."""

    def __init__(
        self, settings: Callable[[str], Settings], roots: Callable[[], Sequence[Path]]
    ) -> None:
        """Take what says a document's settings by its URI, and the workspace's folders."""
        self._settings = settings
        self._roots = roots

    async def check(
        self, source: Source, files: Sequence[tuple[str, str]], *, backend: str
    ) -> None:
        """Raise EgressRefusedError if a document, or one of the files shown with it, must stay."""
        settings = self._settings(source.uri)
        if settings.privacy.mode:
            raise _refused("Privacy mode is on here.", backend, "Switch `privacy.mode` off.")
        if not settings.completion.allow_cloud:
            raise _refused(
                "`completion.allow_cloud` is off here.", backend, "`coai config show` says why."
            )
        if backend == "cloud" and not settings.routing.allow_cloud:
            raise _refused(
                "`routing.allow_cloud` is off here.", backend, "`coai config show` says why."
            )
        if len(source.text) + sum(len(text) for _, text in files) > LARGE:
            found = await asyncio.to_thread(self._assess, settings, source, files)
        else:
            found = self._assess(settings, source, files)
        if found:
            raise _refused(
                f"This file must stay here: {found}.",
                backend,
                "Use a model on this machine: `coai models pull`.",
            )

    def _assess(
        self, settings: Settings, source: Source, files: Sequence[tuple[str, str]]
    ) -> Sensitivity:
        # Imported here, because it is needed only where completions may leave the machine.
        from coai_routing.configured_routing import sensitivity_rules  # noqa: PLC0415
        from coai_routing.request import Message, ModelRequest  # noqa: PLC0415
        from coai_routing.sensitivity import assess  # noqa: PLC0415

        texts = [source.text, *(text for _, text in files)]
        shown = ModelRequest(messages=tuple(Message(role="user", content=text) for text in texts))
        paths = (*self._names(source.uri), *(name for name, _ in files))
        return assess(shown, sensitivity_rules(settings), paths=paths)

    def _names(self, uri: str) -> tuple[str, ...]:
        """Return a document's path, relative to the folders that it lies in."""
        path = path_to_judge(uri)
        if path is None:
            return ()
        inside = [root for root in self._roots() if path.is_relative_to(root)]
        return tuple(path.relative_to(root).as_posix() for root in inside) or (path.as_posix(),)


def _refused(message: str, backend: str, remedy: str) -> EgressRefusedError:
    return EgressRefusedError(message, provider=backend, remedy=remedy)
