"""Has a backend read prompts that nobody has asked for yet, piece by piece.

A backend that reads cannot be interrupted, and what was read is not lost when the user types on.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from coai_agents.completion.prompt.budget import DEFAULT_PROMPT_SPEED
from coai_routing.request import ModelRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_agents.completion.cursor import Cursor
    from coai_agents.completion.document_state import DocumentState, ReadAhead
    from coai_agents.completion.prompt.prompting import Prompting
    from coai_agents.source import Source
    from coai_routing.pool.backends import Backend, Backends
    from coai_routing.settings.schema import CompletionSettings

PIECE_SECONDS: Final = 0.2
"""A piece that is read ahead takes about so long; who types meanwhile waits for its end."""

FEWEST_PIECE: Final = 32
"""Tokens. Smaller pieces take longer together."""

PATIENCE: Final = 3.0
"""Nobody waits, so a piece may take so many times longer than a request."""


class Reader:
    """Reads ahead on the backend that would be asked next."""

    def __init__(
        self,
        backends: Backends,
        prompting: Prompting,
        next_backend: Callable[[], Backend | None],
        *,
        works_ahead: Callable[[], bool],
    ) -> None:
        self._backends = backends
        self._prompting = prompting
        self._next_backend = next_backend
        self._works_ahead = works_ahead

    async def read_ahead(
        self,
        state: DocumentState,
        source: Source,
        cursor: Cursor,
        settings: CompletionSettings,
        *,
        whole: bool = False,
    ) -> None:
        """Have the backend read a longer prompt for what will be asked at the cursor next.

        It is read piece by piece, because a backend that reads cannot be interrupted, and what was
        read is not lost when the user types on. With `whole` it is read only if the document fits.
        """
        backend = self._next_backend()
        if backend is None or not (backend.reads_ahead and self._works_ahead()):
            return
        if whole:
            ahead = self._prompting.whole(source, cursor, settings, backend)
        else:
            ahead = self._prompting.ahead(state, source, cursor, settings, backend)
        if ahead is None:
            return
        state.ahead = ahead
        if await self._read(ahead, source, cursor, settings, backend):
            state.session, state.slot, state.ahead = ahead.session, ahead.slot, None

    async def read_first(
        self, state: DocumentState, source: Source, cursor: Cursor, settings: CompletionSettings
    ) -> None:
        """Have the backend read a short prompt for a first request at the cursor.

        It is the document's prompt at once: a request that comes meanwhile finds part of it read.
        """
        backend = self._next_backend()
        if backend is None or not (backend.reads_ahead and self._works_ahead()):
            return
        session = state.session
        if session is not None and session.tail(cursor) is not None:
            return
        ahead = self._prompting.first(source, cursor, settings, backend)
        state.session = ahead.session
        await self._read(ahead, source, cursor, settings, backend, state=state)

    async def _read(
        self,
        ahead: ReadAhead,
        source: Source,
        cursor: Cursor,
        settings: CompletionSettings,
        backend: Backend,
        *,
        state: DocumentState | None = None,
    ) -> bool:
        """Have a prompt read piece by piece; False if the machine got busy.

        `state` is told of the slot as soon as it is known.
        """
        prompt = ahead.session.prompt(backend.fim, ahead.session.tail(cursor) or "")
        if not prompt.startswith(ahead.read):
            ahead.read = ""
        known = backend.speed
        speed = DEFAULT_PROMPT_SPEED if known is None else known.prompt_tokens_per_second
        length = self._prompting.lengths.characters_per_token(backend, source.language, prompt)
        piece = int(max(FEWEST_PIECE, speed * PIECE_SECONDS) * length)
        while len(ahead.read) < len(prompt):
            if not self._works_ahead():
                return False
            read = prompt[: len(ahead.read) + piece]
            request = ModelRequest(
                prompt=read,
                max_tokens=0,
                slot=ahead.slot if backend.has_slots else None,
                timeout=settings.timeout_ms / 1000 * PATIENCE,
            )
            async with aclosing(self._backends.stream(backend, request)) as deltas:
                async for delta in deltas:
                    if delta.reply is not None:
                        ahead.slot = delta.reply.slot
            ahead.read = read
            if state is not None:
                state.slot, state.sent = ahead.slot, read
        return True
