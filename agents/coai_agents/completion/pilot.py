"""Asks backends: one after the other until one answers, and ahead of time while nobody asks."""

from __future__ import annotations

import logging
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from coai_agents.completion.budget import DEFAULT_PROMPT_SPEED
from coai_agents.completion.cache import Entry
from coai_agents.completion.cleaning import clean
from coai_agents.completion.indentation import likely_indentation, required_indentation
from coai_agents.completion.outcome import Reason, Trigger
from coai_agents.completion.prompting import Prompting
from coai_routing.errors import (
    EgressRefusedError,
    OverBudgetError,
    ProviderBusyError,
    ProviderError,
    ProviderTimeoutError,
)
from coai_routing.filling import CHAT
from coai_routing.request import ModelRequest
from coai_routing.secrets import find_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_agents.completion.border import Border
    from coai_agents.completion.cursor import Cursor
    from coai_agents.completion.desk import Desk
    from coai_agents.completion.fitting import Ground
    from coai_agents.completion.flight import Flight, WholeBlock
    from coai_agents.completion.prompting import Context
    from coai_agents.completion.session import PromptSession
    from coai_agents.source import Source
    from coai_routing.backends import Backend, Backends
    from coai_routing.settings import CompletionSettings

logger = logging.getLogger(__name__)

LINE_TOKENS: Final = 48
"""A single line is rarely longer; a model that goes on is lost."""

BLOCK_SECONDS: Final = 2.0
"""A block that was not asked for is given so long to be written."""

FEWEST_BLOCK_TOKENS: Final = 24

PIECE_SECONDS: Final = 0.2
"""A piece that is read ahead takes about so long; who types meanwhile waits for its end."""

FEWEST_PIECE: Final = 32
"""Tokens. Smaller pieces take longer together."""

PATIENCE_INVOKED: Final = 3.0
"""Who asks explicitly waits so many times longer than who only types."""


class Syntax(Protocol):
    """What the syntax tree says about a suggestion that is still being written."""

    def whole_block(self, source: Source, cursor: Cursor) -> WholeBlock | None:
        """Return a function that says after how many characters the block is whole."""
        ...

    def ground(self, source: Source, cursor: Cursor) -> Ground:
        """Return what is known of the place that a suggestion is for."""
        ...


class Pilot:
    """Carries flights out."""

    def __init__(
        self,
        *,
        backends: Backends,
        context: Context,
        syntax: Syntax,
        border: Border,
        keep: Callable[[Flight, Entry], None],
        identity: Callable[[], int],
        above: Callable[[Source], str] = lambda _: "",
    ) -> None:
        self._backends = backends
        self._syntax = syntax
        self._border = border
        self._keep = keep
        self._identity = identity
        self._prompting = Prompting(context, above)

    @property
    def works_ahead(self) -> bool:
        """Whether a backend may be asked what nobody has asked for: not if it is elsewhere."""
        backend = self.next_backend()
        return backend is None or backend.local

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
        waits = trigger is Trigger.INVOKED
        session = self._prompting.session(desk, source, cursor, settings, backend, waits=waits)
        if not backend.local:
            session = await self._fit_to_leave(desk, source, session, backend)
        whole_block = None
        if not (flight.single_line or flight.patient):
            whole_block = self._syntax.whole_block(source, cursor)
        flight.look = partial(self._syntax.ground, source, cursor)
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

    async def _fit_to_leave(
        self, desk: Desk, source: Source, session: PromptSession, backend: Backend
    ) -> PromptSession:
        """Return the prompt without what must stay here; raises EgressRefusedError if all must."""
        await self._border.check(source, session.above, backend=backend.name)
        shown = session.files if backend.fim.files is not None else ()
        files = await self._border.permitted(source, shown, backend=backend.name)
        if files == session.files:
            return session
        fit = replace(session, files=files)
        if desk.session is session:
            desk.session = fit
        return fit

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
        # Elsewhere, a second call for the sake of a blank would be paid for.
        last = tail[-1:] if backend.local and tail[-1:] in _BLANKS else ""
        patience = PATIENCE_INVOKED if trigger is Trigger.INVOKED else 1.0
        for healed in (last, "") if last else ("",):
            prompt = session.prompt(backend.fim, tail.removesuffix(healed))
            request = ModelRequest(
                prompt=prompt,
                max_tokens=_most_tokens(flight, trigger, settings, backend),
                # The backend's own end of a line brings its account of tokens and slot with it.
                stop=_stops(flight, backend),
                slot=desk.slot if backend.has_slots else None,
                timeout=settings.timeout_ms / 1000 * patience,
                sensitive=not backend.local and bool(find_secrets(prompt)),
            )
            deltas = self._backends.stream(backend, request)
            async with aclosing(deltas):
                try:
                    begins_well = await flight.receive(
                        deltas, whole_block, primed=primed, healed=healed
                    )
                except ProviderTimeoutError:
                    if not flight.settle():
                        raise
                    begins_well = True
            self._prompting.learn(desk, backend, request, flight.reply)
            if begins_well:
                return

    def _finish(self, flight: Flight, backend: Backend) -> None:
        assert flight.extent is not None
        cleaned = clean(
            flight.text, flight.extent, flight.cursor, flight.ground, backend.fim.control_tokens
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

    async def read_ahead(
        self,
        desk: Desk,
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
        backend = self.next_backend()
        if backend is None or not (backend.reads_ahead and backend.local):
            return
        if whole:
            ahead = self._prompting.whole(source, cursor, settings, backend)
        else:
            ahead = self._prompting.ahead(desk, source, cursor, settings, backend)
        if ahead is None:
            return
        desk.ahead = ahead
        prompt = ahead.session.prompt(backend.fim, ahead.session.tail(cursor) or "")
        if not prompt.startswith(ahead.read):
            ahead.read = ""
        speed = DEFAULT_PROMPT_SPEED if backend.speed is None else backend.speed.prompt
        piece = self._prompting.characters(backend, max(FEWEST_PIECE, speed * PIECE_SECONDS))
        while len(ahead.read) < len(prompt):
            read = prompt[: len(ahead.read) + piece]
            request = ModelRequest(
                prompt=read,
                max_tokens=0,
                slot=ahead.slot if backend.has_slots else None,
                timeout=settings.timeout_ms / 1000 * PATIENCE_INVOKED,
            )
            deltas = self._backends.stream(backend, request)
            async with aclosing(deltas):
                async for delta in deltas:
                    if delta.reply is not None:
                        ahead.slot = delta.reply.slot
            ahead.read = read
        desk.session, desk.slot, desk.ahead = ahead.session, ahead.slot, None


_BLANKS: Final = frozenset(" \t")


def _most_tokens(
    flight: Flight, trigger: Trigger, settings: CompletionSettings, backend: Backend
) -> int:
    if flight.single_line:
        return min(LINE_TOKENS, settings.max_tokens)
    if trigger is Trigger.INVOKED or backend.speed is None:
        return settings.max_tokens
    affordable = int(backend.speed.output * BLOCK_SECONDS)
    return min(settings.max_tokens, max(FEWEST_BLOCK_TOKENS, affordable))


def _stops(flight: Flight, backend: Backend) -> tuple[str, ...]:
    """Return what ends an answer; a chat model's first line may be a fence, and no code yet."""
    stops = backend.fim.stop
    return (*stops, "\n") if flight.single_line and backend.fim != CHAT else stops


def _absence(backends: Backends) -> tuple[Reason, str]:
    absence = backends.absence()
    return Reason(absence.code), absence.detail


def _reason(error: ProviderError) -> Reason:
    match error:
        case EgressRefusedError():
            return Reason.EGRESS_REFUSED
        case OverBudgetError():
            return Reason.OVER_BUDGET
        case ProviderTimeoutError():
            return Reason.TIMED_OUT
        case ProviderBusyError():
            return Reason.BACKEND_STARTING
        case _:
            return Reason.BACKEND_FAILED
