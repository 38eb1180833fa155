"""Has backends read ahead while the user rests, in the order in which it will be needed.

A cold prompt takes seconds to be read, most of the time to the first suggestion. So where the
cursor rests, a short prompt is read at once, then a longer one beside it; where nobody knows the
cursor, only a document that fits whole. Any keystroke or request ends it, and what was read until
then is not lost.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from coai_routing.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_agents.completion.cursor import Cursor
    from coai_agents.completion.document_state import DocumentState
    from coai_agents.completion.prompt.reading import Reader
    from coai_agents.source import Source
    from coai_routing.settings.schema import CompletionSettings

logger = logging.getLogger(__name__)

REST: Final = 0.6
"""Seconds without a request after which the user rests and the backend may work ahead."""

PAUSE: Final = 0.05
"""Seconds after opening a document or moving in it before the short prompt is read; editors tell
of several moves at once."""


class Foresight:
    """Reads ahead for one document at a time."""

    def __init__(self, reader: Reader, settings: Callable[[str], CompletionSettings]) -> None:
        self._reader = reader
        self._settings = settings

    async def after_answer(self, state: DocumentState, source: Source, cursor: Cursor) -> None:
        """Read a longer prompt while a suggestion is shown."""
        await asyncio.sleep(REST)
        await self._read(state, source, cursor)

    async def at_cursor(self, state: DocumentState, source: Source, cursor: Cursor) -> None:
        """Read what is needed first where the cursor has come to rest, then more."""
        await asyncio.sleep(PAUSE)
        await self._read(state, source, cursor, first=True)
        await asyncio.sleep(REST)
        await self._read(state, source, cursor)

    async def anywhere(self, state: DocumentState, source: Source, end: Cursor) -> None:
        """Read a document in which nobody knows the cursor yet."""
        await asyncio.sleep(PAUSE)
        await self._read(state, source, end, whole=True)

    async def _read(
        self,
        state: DocumentState,
        source: Source,
        cursor: Cursor,
        *,
        whole: bool = False,
        first: bool = False,
    ) -> None:
        settings = self._settings(cursor.uri)
        try:
            if first:
                await self._reader.read_first(state, source, cursor, settings)
            else:
                await self._reader.read_ahead(state, source, cursor, settings, whole=whole)
        except ProviderError as error:
            logger.info("The prompt could not be read in advance: %s", error)
