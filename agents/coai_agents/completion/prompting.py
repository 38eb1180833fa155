"""Which prompt is sent: the one that is paid for already, that moved on, or a new one.

What a prompt costs is what the backend has to read of it anew. So a prompt session is kept while
only its end changes, moved while little of it has to be read again, and only else frozen anew,
with what the backend can afford while somebody waits. With more than that in view a prompt is read
ahead of time, in a slot of its own, so that what is in use stays where it is until then.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from coai_agents.completion.budget import (
    FREEZE_FACTOR,
    PATIENT_FACTOR,
    prompt_budget,
    share_out,
)
from coai_agents.completion.desk import ReadAhead
from coai_agents.completion.session import REST_TAIL, freeze, move

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coai_agents.completion.budget import Budget
    from coai_agents.completion.cursor import Cursor
    from coai_agents.completion.desk import Desk
    from coai_agents.completion.session import PromptSession
    from coai_agents.context_selection import ContextFile
    from coai_agents.source import Source
    from coai_routing.backends import Backend
    from coai_routing.request import ModelReply, ModelRequest
    from coai_routing.settings import CompletionSettings

CHARACTERS_PER_TOKEN: Final = 3.2
"""Of source code, before a backend's own counts are known (measured with Qwen2.5's vocabulary)."""

SMOOTHING: Final = 0.2
"""The weight of the newest count in the running mean of characters per token."""

_FEW_TOKENS: Final = 32


class Context(Protocol):
    """Finds what else a prompt should show."""

    def files(self, source: Source, cursor: Cursor, budget: int) -> Sequence[ContextFile]:
        """Return pieces of other files, the most stable first.

        Their paths and texts have at most so many characters together.
        """
        ...


class Prompting:
    """Knows how long a backend's tokens are, and makes prompts."""

    def __init__(self, context: Context, above: Callable[[Source], str] = lambda _: "") -> None:
        """Take what finds other files' pieces, and what stands above a document."""
        self._context = context
        self._above = above
        self._lengths: dict[str, float] = {}

    def characters(self, backend: Backend, tokens: float) -> int:
        """Return about how many characters so many tokens are."""
        return int(tokens * self._lengths.get(backend.key, CHARACTERS_PER_TOKEN))

    def learn(
        self, desk: Desk, backend: Backend, request: ModelRequest, reply: ModelReply | None
    ) -> None:
        """Take from a reply which slot holds the prompt and how long a token is."""
        if reply is None or request.prompt is None:
            return
        if backend.has_slots and reply.slot is not None:
            desk.slot = reply.slot
        if reply.usage.prompt_tokens > _FEW_TOKENS:
            length = len(request.prompt) / reply.usage.prompt_tokens
            mean = self._lengths.get(backend.key, length)
            self._lengths[backend.key] = mean + SMOOTHING * (length - mean)

    def session(
        self,
        desk: Desk,
        source: Source,
        cursor: Cursor,
        settings: CompletionSettings,
        backend: Backend,
        *,
        waits: bool,
    ) -> PromptSession:
        """Return the prompt for a request now; `waits` if the user asked and is patient."""
        session = desk.session
        if session is not None and session.backend != backend.key:
            session = desk.session = desk.slot = desk.ahead = None
        if session is not None and session.tail(cursor) is not None:
            return session
        share = self._sharing(cursor, settings, backend, PATIENT_FACTOR if waits else FREEZE_FACTOR)
        moved = None
        if session is not None and backend.reads_ahead:
            most = self._afford(settings, backend, PATIENT_FACTOR)
            moved = move(session, cursor, budget=share(with_context=False), most=most)
        desk.session = moved or self._freeze(source, cursor, settings, backend, share, idle=waits)
        return desk.session

    def ahead(
        self,
        desk: Desk,
        source: Source,
        cursor: Cursor,
        settings: CompletionSettings,
        backend: Backend,
    ) -> ReadAhead | None:
        """Return what to read while the user rests; None if there is nothing to gain."""
        share = self._sharing(cursor, settings, backend, PATIENT_FACTOR)
        session = desk.session
        if session is not None and session.idle:
            tail = session.tail(cursor)
            if tail is not None and len(tail) <= REST_TAIL:
                return None
            most = self._afford(settings, backend, PATIENT_FACTOR)
            moved = move(session, cursor, budget=share(with_context=False), most=most)
            if moved is not None:
                return ReadAhead(moved, slot=desk.slot)
        begun = desk.ahead
        if begun is not None and begun.session.tail(cursor) is not None:
            return begun
        wanted = self._freeze(source, cursor, settings, backend, share, idle=True)
        if session is not None and _shows_as_much(session, wanted):
            desk.session = wanted
            return None
        return ReadAhead(wanted)

    def whole(
        self, source: Source, cursor: Cursor, settings: CompletionSettings, backend: Backend
    ) -> ReadAhead | None:
        """Return a document as the beginning of any prompt in it; None if it is too long."""
        share = self._sharing(cursor, settings, backend, PATIENT_FACTOR)
        budget = share(with_context=settings.context)
        if budget.prefix < len(cursor.prefix):
            return None
        return ReadAhead(self._freeze(source, cursor, settings, backend, share, idle=True))

    def _freeze(
        self,
        source: Source,
        cursor: Cursor,
        settings: CompletionSettings,
        backend: Backend,
        share: Callable[..., Budget],
        *,
        idle: bool,
    ) -> PromptSession:
        budget = share(with_context=settings.context)
        files = self._context.files(source, cursor, budget.context) if settings.context else ()
        if not files:
            # What nothing was found for is the document's own.
            budget = share(with_context=False)
        # Cells are looked at by no border: they stay here.
        above = self._above(source) if backend.local else ""
        if above:
            most = self._afford(settings, backend, PATIENT_FACTOR if idle else FREEZE_FACTOR)
            budget = replace(budget, context=most - budget.prefix - budget.suffix)
        return freeze(
            cursor, backend=backend.key, budget=budget, files=files, above=above, idle=idle
        )

    def _sharing(
        self, cursor: Cursor, settings: CompletionSettings, backend: Backend, factor: float
    ) -> Callable[..., Budget]:
        return partial(
            share_out,
            self._afford(settings, backend, factor),
            prefix=len(cursor.prefix),
            suffix=len(cursor.suffix),
        )

    def _afford(self, settings: CompletionSettings, backend: Backend, factor: float) -> int:
        return prompt_budget(
            prompt_speed=None if backend.speed is None else backend.speed.prompt,
            target_ms=settings.target_latency_ms,
            context_tokens=backend.context_tokens,
            max_output_tokens=settings.max_tokens,
            characters_per_token=self._lengths.get(backend.key, CHARACTERS_PER_TOKEN),
            factor=factor,
        )


def _shows_as_much(session: PromptSession, wanted: PromptSession) -> bool:
    return (
        session.prefix == wanted.prefix
        and session.window == wanted.window
        and session.suffix_window == wanted.suffix_window
        and session.files == wanted.files
    )
