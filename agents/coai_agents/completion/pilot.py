"""Asks backends: freezes and extends prompts, keeps cache slots, falls back, and warms caches."""

from __future__ import annotations

import logging
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from coai_agents.completion.budget import (
    FREEZE_FACTOR,
    IDLE_FACTOR,
    INVOKED_FACTOR,
    prompt_budget,
    share_out,
)
from coai_agents.completion.cache import Entry
from coai_agents.completion.cleaning import clean
from coai_agents.completion.indentation import likely_indentation, required_indentation
from coai_agents.completion.outcome import Reason, Trigger
from coai_agents.completion.session import PromptSession, freeze, move
from coai_routing.errors import (
    EgressRefusedError,
    ProviderBusyError,
    ProviderError,
    ProviderTimeoutError,
)
from coai_routing.request import ModelRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coai_agents.completion.cursor import Cursor
    from coai_agents.completion.desk import Desk
    from coai_agents.completion.flight import Flight, WholeBlock
    from coai_agents.source import Source
    from coai_routing.backends import Backend, Backends
    from coai_routing.request import ModelReply
    from coai_routing.settings import CompletionSettings

logger = logging.getLogger(__name__)

CHARACTERS_PER_TOKEN: Final = 3.2
"""Of source code, before a backend's own counts are known (measured with Qwen2.5's vocabulary)."""

SMOOTHING: Final = 0.2
"""The weight of the newest count in the running mean of characters per token."""

LINE_TOKENS: Final = 48
"""A single line is rarely longer; a model that goes on is lost."""

BLOCK_SECONDS: Final = 2.0
"""A block that was not asked for is given so long to be written."""

FEWEST_BLOCK_TOKENS: Final = 24

PATIENCE_INVOKED: Final = 3.0
"""Who asks explicitly waits so many times longer than who only types."""


class Context(Protocol):
    """Finds what else a prompt should show."""

    def files(self, source: Source, cursor: Cursor, budget: int) -> Sequence[tuple[str, str]]:
        """Return paths and texts of at most so many characters together, most stable first."""
        ...


class Syntax(Protocol):
    """What the syntax tree says about a suggestion that is still being written."""

    def whole_block(self, source: Source, cursor: Cursor) -> WholeBlock | None:
        """Return a function that says after how many characters the block is whole."""
        ...


class Pilot:
    """Carries flights out."""

    def __init__(
        self,
        *,
        backends: Backends,
        context: Context,
        syntax: Syntax,
        keep: Callable[[Flight, Entry], None],
        identity: Callable[[], int],
    ) -> None:
        self._backends = backends
        self._context = context
        self._syntax = syntax
        self._keep = keep
        self._identity = identity
        self._characters_per_token: dict[str, float] = {}

    def next_backend(self) -> Backend | None:
        """Return the backend that would be asked now."""
        return next(iter(self._backends.candidates()), None)

    async def fly(
        self,
        desk: Desk,
        source: Source,
        flight: Flight,
        trigger: Trigger,
        settings: CompletionSettings,
    ) -> None:
        """Ask one backend after the other until one answers; the flight tells how it went."""
        try:
            candidates = self._backends.candidates()
            if not candidates:
                flight.refusal = _absence(self._backends)
            for backend in candidates:
                try:
                    await self._ask(
                        desk, source, flight, trigger=trigger, settings=settings, backend=backend
                    )
                except ProviderError as error:
                    logger.warning("%s could not complete: %s", backend.name, error)
                    flight.refusal = _reason(error), str(error)
                    flight.text = ""
                else:
                    return
        finally:
            if desk.flight is flight:
                desk.flight = None

    async def _ask(
        self,
        desk: Desk,
        source: Source,
        flight: Flight,
        *,
        trigger: Trigger,
        settings: CompletionSettings,
        backend: Backend,
    ) -> None:
        cursor = flight.cursor
        flight.backend, flight.model = backend.name, backend.model
        factor = INVOKED_FACTOR if trigger is Trigger.INVOKED else FREEZE_FACTOR
        session = self._session(desk, source, cursor, settings, backend, factor=factor)
        whole_block = None
        if not (flight.single_line or flight.patient):
            whole_block = self._syntax.whole_block(source, cursor)
        primed = required_indentation(cursor)
        while True:
            await self._fill_in(
                desk,
                flight,
                session,
                primed,
                trigger=trigger,
                settings=settings,
                backend=backend,
                whole_block=whole_block,
            )
            self._finish(flight, backend)
            if flight.refusal is None or not flight.patient or primed:
                return
            # Who asks explicitly gets a second chance, begun where the line above says.
            primed = likely_indentation(cursor)
            if not primed or flight.text.startswith(primed):
                return

    async def _fill_in(
        self,
        desk: Desk,
        flight: Flight,
        session: PromptSession,
        primed: str,
        *,
        trigger: Trigger,
        settings: CompletionSettings,
        backend: Backend,
        whole_block: WholeBlock | None,
    ) -> None:
        tail = (session.tail(flight.cursor) or "") + primed
        last = tail[-1:] if tail[-1:] in _BLANKS else ""
        patience = PATIENCE_INVOKED if trigger is Trigger.INVOKED else 1.0
        for healed in (last, "") if last else ("",):
            request = ModelRequest(
                prompt=session.prompt(backend.fim, tail.removesuffix(healed)),
                max_tokens=_most_tokens(flight, trigger, settings, backend),
                # The backend's own end of a line brings its account of tokens and slot with it.
                stop=(*backend.fim.stop, "\n") if flight.single_line else backend.fim.stop,
                slot=desk.slot if backend.has_slots else None,
                timeout=settings.timeout_ms / 1000 * patience,
            )
            deltas = self._backends.stream(backend, request)
            async with aclosing(deltas):
                begins_well = await flight.receive(
                    deltas, whole_block, primed=primed, healed=healed
                )
            self._learn(desk, backend, request, flight.reply)
            if begins_well:
                return

    def _finish(self, flight: Flight, backend: Backend) -> None:
        assert flight.extent is not None
        cleaned = clean(
            flight.text, flight.extent, flight.cursor.around, backend.fim.control_tokens
        )
        if isinstance(cleaned, Reason):
            flight.refusal = (cleaned, "")
            return
        flight.refusal = None
        self._keep(
            flight,
            Entry(
                text=cleaned,
                backend=backend.name,
                model=backend.model,
                identity=self._identity(),
                prepared=flight.prepared,
            ),
        )

    async def warm(
        self, desk: Desk, source: Source, cursor: Cursor, settings: CompletionSettings
    ) -> None:
        """Freeze the prompt anew with an idle moment's budget and have the backend read it."""
        backend = self.next_backend()
        if backend is None or not backend.reads_ahead:
            return
        session = self._freeze(desk, source, cursor, settings, backend, factor=IDLE_FACTOR)
        request = ModelRequest(
            prompt=session.prompt(backend.fim, session.tail(cursor) or ""),
            max_tokens=0,
            slot=desk.slot if backend.has_slots else None,
            timeout=settings.timeout_ms / 1000 * PATIENCE_INVOKED,
        )
        reply: ModelReply | None = None
        deltas = self._backends.stream(backend, request)
        async with aclosing(deltas):
            async for delta in deltas:
                reply = delta.reply or reply
        self._learn(desk, backend, request, reply)
        desk.session = session

    def _session(
        self,
        desk: Desk,
        source: Source,
        cursor: Cursor,
        settings: CompletionSettings,
        backend: Backend,
        *,
        factor: float,
    ) -> PromptSession:
        session = desk.session
        if session is None or session.backend != backend.key or session.tail(cursor) is None:
            session = self._freeze(desk, source, cursor, settings, backend, factor=factor)
            desk.session = session
        return session

    def _freeze(
        self,
        desk: Desk,
        source: Source,
        cursor: Cursor,
        settings: CompletionSettings,
        backend: Backend,
        *,
        factor: float,
    ) -> PromptSession:
        previous = desk.session
        if previous is not None and previous.backend != backend.key:
            previous, desk.slot = None, None
        afford = partial(
            prompt_budget,
            prompt_speed=None if backend.speed is None else backend.speed.prompt,
            target_ms=settings.target_latency_ms,
            context_tokens=backend.context_tokens,
            max_output_tokens=settings.max_tokens,
            characters_per_token=self._characters_per_token.get(backend.key, CHARACTERS_PER_TOKEN),
        )
        share = partial(
            share_out, afford(factor=factor), prefix=len(cursor.prefix), suffix=len(cursor.suffix)
        )
        idle = factor == IDLE_FACTOR
        if previous is not None and backend.reads_ahead and not idle:
            budget = share(with_context=False)
            moved = move(previous, cursor, budget=budget, most=afford(factor=IDLE_FACTOR))
            if moved is not None:
                return moved
        budget = share(with_context=settings.context)
        files = self._context.files(source, cursor, budget.context) if settings.context else ()
        if not files:
            # What nothing was found for is the document's own.
            budget = share(with_context=False)
        return freeze(cursor, backend=backend.key, budget=budget, files=files, idle=idle)

    def _learn(
        self, desk: Desk, backend: Backend, request: ModelRequest, reply: ModelReply | None
    ) -> None:
        """Take from a reply which slot holds the prompt and how long a token is."""
        if reply is None or request.prompt is None:
            return
        if backend.has_slots and reply.slot is not None:
            desk.slot = reply.slot
        if reply.usage.prompt_tokens > _FEW_TOKENS:
            length = len(request.prompt) / reply.usage.prompt_tokens
            mean = self._characters_per_token.get(backend.key, length)
            self._characters_per_token[backend.key] = mean + SMOOTHING * (length - mean)


_BLANKS: Final = frozenset(" \t")
_FEW_TOKENS: Final = 32


def _most_tokens(
    flight: Flight, trigger: Trigger, settings: CompletionSettings, backend: Backend
) -> int:
    if flight.single_line:
        return min(LINE_TOKENS, settings.max_tokens)
    if trigger is Trigger.INVOKED or backend.speed is None:
        return settings.max_tokens
    affordable = int(backend.speed.output * BLOCK_SECONDS)
    return min(settings.max_tokens, max(FEWEST_BLOCK_TOKENS, affordable))


def _absence(backends: Backends) -> tuple[Reason, str]:
    absence = backends.absence()
    return Reason(absence.code), absence.detail


def _reason(error: ProviderError) -> Reason:
    match error:
        case EgressRefusedError():
            return Reason.EGRESS_REFUSED
        case ProviderTimeoutError():
            return Reason.TIMED_OUT
        case ProviderBusyError():
            return Reason.BACKEND_STARTING
        case _:
            return Reason.BACKEND_FAILED
