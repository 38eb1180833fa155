"""Whether code may be shown to a model elsewhere: asked only where one would be.

The gate says in which files code is completed at all. This looks at what would leave. Of the
document it is the whole text, not only the part that a prompt shows of it, because who has a secret
in a file does not want to think about where the cursor is. What a prompt shows of other files is
judged piece by piece, each by the settings of the projects that its own file belongs to; a piece
that may not leave is left out.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from coai_routing.errors import EgressRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coai_agents.context.selection import ContextFile
    from coai_agents.source import Source
    from coai_routing.privacy.file_names import Root
    from coai_routing.privacy.sensitivity import Sensitivity
    from coai_routing.privacy.shown_files import OwnRules
    from coai_routing.settings.schema import Settings

logger = logging.getLogger(__name__)


class EgressGate(Protocol):
    """Decides what may be shown to a model that is not on this machine."""

    async def check(self, source: Source, above: str, *, backend: str) -> None:
        """Raise EgressRefusedError if a document, or what stands above it, must stay.

        `above` are other cells of the same notebook.
        """
        ...

    async def permitted(
        self, source: Source, files: Sequence[ContextFile], *, backend: str
    ) -> tuple[ContextFile, ...]:
        """Return what may be shown beside a document, of the pieces of other files."""
        ...


class ClosedEgressGate:
    """Lets nothing through."""

    async def check(self, source: Source, above: str, *, backend: str) -> None:
        """Raise EgressRefusedError."""
        del source, above
        raise EgressRefusedError("Nothing may leave this machine.", provider=backend)

    async def permitted(
        self, source: Source, files: Sequence[ContextFile], *, backend: str
    ) -> tuple[ContextFile, ...]:
        """Return nothing."""
        del source, files, backend
        return ()


class PrivacyEgressGate:
    """Decides by files' settings, their names and what is in them."""

    def __init__(
        self,
        settings: Callable[[Sequence[str]], Settings],
        roots: Callable[[], Sequence[Root]],
    ) -> None:
        """Take what says a file's settings by its paths, and the workspace's folders."""
        self._settings = settings
        self._roots = roots

    async def check(self, source: Source, above: str, *, backend: str) -> None:
        """Raise EgressRefusedError if a document, or what stands above it, must stay."""
        text = above + source.text
        forbidden, found = await asyncio.to_thread(self._judge_document, source.uri, text, backend)
        if forbidden is not None:
            raise EgressRefusedError(forbidden[0], provider=backend, remedy=forbidden[1])
        if found:
            raise EgressRefusedError(
                f"This file must stay here: {found}.",
                provider=backend,
                remedy="Use a model on this machine: `coai models pull`.",
            )

    async def sensitivity(self, source: Source) -> Sensitivity:
        """Return what is sensitive about a document, by its settings."""
        _, found = await asyncio.to_thread(self._judge_document, source.uri, source.text, "")
        return found

    async def permitted(
        self, source: Source, files: Sequence[ContextFile], *, backend: str
    ) -> tuple[ContextFile, ...]:
        """Return what may be shown beside a document, of the pieces of other files."""
        if not files:
            return ()
        return await asyncio.to_thread(self._judge_pieces, source, files, backend)

    def _own(self, address: str) -> OwnRules:
        # Imported here, because it is needed only where completions may leave the machine.
        from coai_routing.privacy.shown_files import own_rules  # noqa: PLC0415

        return own_rules(address, self._roots(), self._settings)

    def _judge_document(
        self, uri: str, text: str, backend: str
    ) -> tuple[tuple[str, str] | None, Sensitivity]:
        own = self._own(uri)
        return _forbidden(own, backend), _assess(text, own, own)

    def _judge_pieces(
        self, source: Source, files: Sequence[ContextFile], backend: str
    ) -> tuple[ContextFile, ...]:
        document = self._own(source.uri)
        kept: list[ContextFile] = []
        for file in files:
            own = self._own(file.origin)
            forbidden, found = _forbidden(own, backend), _assess(file.text, own, document)
            if forbidden is None and not found:
                kept.append(file)
            else:
                why = found if forbidden is None else forbidden[0]
                logger.info("A piece of another file is not shown to %s: %s", backend, why)
        return tuple(kept)


def _forbidden(own: OwnRules, backend: str) -> tuple[str, str] | None:
    """Return why nothing of a file may leave, and what to do, if a setting forbids it."""
    for settings in own.settings:
        if settings.privacy.mode:
            return "Privacy mode is on here.", "Switch `privacy.mode` off."
        for name, allowed in (
            ("completion.allow_cloud", settings.completion.allow_cloud),
            ("routing.allow_cloud", backend != "cloud" or settings.routing.allow_cloud),
        ):
            if not allowed:
                return f"`{name}` is off here.", "`coai config show` says why."
    return None


def _assess(text: str, own: OwnRules, beside: OwnRules) -> Sensitivity:
    """Assess a text by the rules of its own file, and by those of the document that it is for."""
    from coai_routing.privacy.sensitivity import ShownFile, assess  # noqa: PLC0415 - as above
    from coai_routing.request import Message, ModelRequest  # noqa: PLC0415 - as above

    shown = ModelRequest(messages=(Message(role="user", content=text),))
    rules = [ShownFile((), file.rules) for file in beside.files]
    return assess(shown, own.files[0].rules, paths=(*own.files, *rules))
