"""Asks backends: one after the other until one answers, and ahead of time while nobody asks.

One file, because the order in which backends are asked is one decision.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from coai_agents.completion.outcome import Reason, Trigger
from coai_agents.completion.prompt.pace import Pace
from coai_agents.completion.prompt.prompt_session import common_length
from coai_agents.completion.prompt.prompting import Prompting
from coai_agents.completion.prompt.reading import Reader
from coai_agents.completion.stop.cleaning import clean
from coai_agents.completion.stop.indentation import likely_indentation, required_indentation
from coai_agents.completion.suggestion_cache import Entry
from coai_routing.errors import (
    EgressRefusedError,
    OverBudgetError,
    PromptTooLongError,
    ProviderBusyError,
    ProviderError,
    ProviderTimeoutError,
)
from coai_routing.privacy.secrets import find_secrets
from coai_routing.request import ModelRequest
from coai_routing.router.chat_infilling import CHAT

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_agents.completion.cursor import Cursor
    from coai_agents.completion.document_state import DocumentState
    from coai_agents.completion.egress_gate import EgressGate
    from coai_agents.completion.in_flight import InFlightCompletion, WholeBlock
    from coai_agents.completion.prompt.prompt_session import PromptSession
    from coai_agents.completion.prompt.prompting import Context
    from coai_agents.completion.stop.fitting import Ground
    from coai_agents.source import Source
    from coai_routing.pool.backends import Backend, Backends
    from coai_routing.settings.schema import CompletionSettings

logger = logging.getLogger(__name__)

LINE_TOKENS: Final = 48
"""A single line is rarely longer; a model that goes on is lost."""

BLOCK_SECONDS: Final = 2.0
"""A block that was not asked for is given so long to be written."""

FEWEST_BLOCK_TOKENS: Final = 24

MOST_COUNTS: Final = 2
"""Times that a prompt is counted exactly and cut again before it is sent as it is."""

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


class CompletionEngine:
    """The completion engine: asks backends until one answers, and takes the answer in."""

    def __init__(
        self,
        *,
        backends: Backends,
        context: Context,
        syntax: Syntax,
        egress_gate: EgressGate,
        keep: Callable[[InFlightCompletion, Entry], None],
        identity: Callable[[], int],
        above: Callable[[Source], str] = lambda _: "",
        strained: Callable[[], bool],
    ) -> None:
        self._backends = backends
        self._syntax = syntax
        self._egress_gate = egress_gate
        self._keep = keep
        self._identity = identity
        self._strained = strained
        self._pace = Pace()
        self._prompting = Prompting(context, above, strained)
        self.reader = Reader(
            backends, self._prompting, self.next_backend, works_ahead=lambda: self.works_ahead
        )

    @property
    def works_ahead(self) -> bool:
        """Whether a backend may be asked what nobody has asked for.

        Not if it is elsewhere, nor while other programs wait for a processor.
        """
        backend = self.next_backend()
        return backend is None or (backend.local and not self._strained())

    def next_backend(self) -> Backend | None:
        """Return the backend that would be asked now, with the speed that it has now."""
        backend = next(iter(self._backends.candidates()), None)
        return None if backend is None else self._pace.adapted(backend)

    async def carry_out(
        self,
        state: DocumentState,
        source: Source,
        in_flight: InFlightCompletion,
        trigger: Trigger,
        settings: CompletionSettings,
    ) -> None:
        """Ask one backend after the other until one answers; `in_flight` tells how it went."""
        try:
            candidates = self._backends.candidates()
            if not candidates:
                in_flight.refusal = _absence(self._backends)
            for backend in candidates:
                try:
                    await self._ask(
                        state,
                        source,
                        in_flight,
                        trigger=trigger,
                        settings=settings,
                        backend=self._pace.adapted(backend),
                    )
                except ProviderError as error:
                    logger.warning("%s could not complete: %s", backend.name, error)
                    in_flight.refusal = self._reason(error), str(error)
                    in_flight.text = ""
                except Exception as error:
                    # A defect of ours or of a library's shall not pass for a model without ideas.
                    logger.exception("%s could not be asked", backend.name)
                    in_flight.refusal = Reason.INTERNAL_ERROR, type(error).__name__
                    in_flight.text = ""
                else:
                    return
        finally:
            if state.in_flight is in_flight:
                state.in_flight = None

    async def _ask(
        self,
        state: DocumentState,
        source: Source,
        in_flight: InFlightCompletion,
        *,
        trigger: Trigger,
        settings: CompletionSettings,
        backend: Backend,
    ) -> None:
        cursor = in_flight.cursor
        in_flight.backend, in_flight.model, in_flight.here = (
            backend.name,
            backend.model,
            backend.local,
        )
        waits = trigger is Trigger.INVOKED
        whole_block = None
        if not (in_flight.single_line or in_flight.patient):
            whole_block = self._syntax.whole_block(source, cursor)
        in_flight.look = partial(self._syntax.ground, source, cursor)
        for again in (False, True):
            session = await self._fitting(state, source, cursor, settings, backend, waits=waits)
            if not backend.local:
                session = await self._fit_to_leave(state, source, session, backend)
            try:
                await self._converse(
                    state,
                    in_flight,
                    session,
                    source.language,
                    trigger=trigger,
                    settings=settings,
                    backend=backend,
                    whole_block=whole_block,
                )
            except PromptTooLongError as error:
                prompt = session.prompt(backend.fim, session.tail(cursor) or "")
                self._prompting.shorten(state, backend, source.language, prompt, error)
                if again:
                    raise
            else:
                return

    async def _fitting(
        self,
        state: DocumentState,
        source: Source,
        cursor: Cursor,
        settings: CompletionSettings,
        backend: Backend,
        *,
        waits: bool,
    ) -> PromptSession:
        """Return a prompt that the window has room for; counted, where an estimate is too vague."""
        session = self._prompting.session(state, source, cursor, settings, backend, waits=waits)
        for _ in range(MOST_COUNTS):
            if not self._prompting.is_close(session, source.language, backend, settings):
                break
            prompt = session.prompt(backend.fim, session.tail(cursor) or "")
            counted = await self._backends.count_tokens(backend, prompt)
            if counted is None or counted <= self._prompting.room(backend, settings):
                break
            self._prompting.lengths.learn_count(backend, source.language, prompt, counted)
            state.session = None
            session = self._prompting.session(state, source, cursor, settings, backend, waits=waits)
        return session

    async def _converse(
        self,
        state: DocumentState,
        in_flight: InFlightCompletion,
        session: PromptSession,
        language: str,
        *,
        trigger: Trigger,
        settings: CompletionSettings,
        backend: Backend,
        whole_block: WholeBlock | None,
    ) -> None:
        """Have the backend write, a second time if who asked waits and got nothing of use."""
        cursor = in_flight.cursor
        primed = required_indentation(cursor)
        while True:
            await self._fill_in(
                state,
                in_flight,
                session,
                primed,
                language,
                trigger=trigger,
                settings=settings,
                backend=backend,
                whole_block=whole_block,
            )
            self._finish(in_flight, backend)
            if in_flight.refusal is None or not in_flight.patient or primed:
                return
            # Who asks explicitly gets a second chance, begun where the line above says.
            primed = likely_indentation(cursor)
            if not primed or in_flight.text.startswith(primed):
                return

    async def _fit_to_leave(
        self, state: DocumentState, source: Source, session: PromptSession, backend: Backend
    ) -> PromptSession:
        """Return the prompt without what must stay here; raises EgressRefusedError if all must."""
        await self._egress_gate.check(source, session.above, backend=backend.name)
        shown = session.files if backend.fim.files is not None else ()
        files = await self._egress_gate.permitted(source, shown, backend=backend.name)
        if files == session.files:
            return session
        fit = replace(session, files=files)
        if state.session is session:
            state.session = fit
        return fit

    async def _fill_in(
        self,
        state: DocumentState,
        in_flight: InFlightCompletion,
        session: PromptSession,
        primed: str,
        language: str,
        *,
        trigger: Trigger,
        settings: CompletionSettings,
        backend: Backend,
        whole_block: WholeBlock | None,
    ) -> None:
        tail = (session.tail(in_flight.cursor) or "") + primed
        # Elsewhere, a second call for the sake of a blank would be paid for.
        last = tail[-1:] if backend.local and tail[-1:] in _BLANKS else ""
        patience = PATIENCE_INVOKED if trigger is Trigger.INVOKED else 1.0
        for healed in (last, "") if last else ("",):
            begun = tail.removesuffix(healed)
            prompt = session.prompt(backend.fim, begun)
            request = ModelRequest(
                prompt=prompt,
                max_tokens=self._prompting.most_output(
                    backend, _most_tokens(in_flight, trigger, settings, backend)
                ),
                # The backend's own end of a line brings its account of tokens and slot with it.
                stop=_stops(in_flight, backend),
                slot=state.slot if backend.has_slots else None,
                timeout=settings.timeout_ms / 1000 * patience,
                sensitive=not backend.local and bool(find_secrets(prompt)),
            )
            fresh = self._fresh(state, backend, language, prompt)
            if backend.speed is not None:
                reading = fresh / backend.speed.prompt_tokens_per_second
                in_flight.expected = reading + backend.speed.typical_ms / 1000
            try:
                begins_well = await self._receive(
                    in_flight, backend, request, whole_block, primed=primed, healed=healed
                )
            except (TimeoutError, ProviderTimeoutError):
                if not in_flight.settle():
                    raise
                begins_well = True
            finally:
                if in_flight.flow is not None:
                    now = asyncio.get_running_loop().time()
                    self._pace.take(backend, in_flight.flow, fresh, in_flight.reply, now)
            self._prompting.learn(
                state, backend, language, in_flight.reply, session=session, tail=begun
            )
            if begins_well:
                return

    async def _receive(
        self,
        in_flight: InFlightCompletion,
        backend: Backend,
        request: ModelRequest,
        whole_block: WholeBlock | None,
        *,
        primed: str,
        healed: str,
    ) -> bool:
        """Take an answer in. Raises TimeoutError when patience is over and a line is whole."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as limit:

            def hurry() -> None:
                in_flight.hurried = True
                if in_flight.has_whole_line:
                    limit.reschedule(loop.time())

            timer = loop.call_at(in_flight.patient_until, hurry)
            try:
                async with aclosing(self._backends.stream(backend, request)) as deltas:
                    return await in_flight.receive(
                        deltas, whole_block, primed=primed, healed=healed
                    )
            finally:
                timer.cancel()

    def _fresh(self, state: DocumentState, backend: Backend, language: str, prompt: str) -> float:
        """Return about how many tokens of a prompt the backend has not read yet."""
        same = common_length(state.sent, prompt)
        state.sent = prompt
        return self._prompting.lengths.tokens(backend, language, prompt[same:])

    def _reason(self, error: ProviderError) -> Reason:
        if isinstance(error, ProviderTimeoutError) and self._strained():
            return Reason.MACHINE_BUSY
        return _reason(error)

    def _finish(self, in_flight: InFlightCompletion, backend: Backend) -> None:
        assert in_flight.extent is not None
        cleaned = clean(
            in_flight.text,
            in_flight.extent,
            in_flight.cursor,
            in_flight.ground,
            backend.fim.control_tokens,
        )
        if isinstance(cleaned, Reason):
            in_flight.refusal = (cleaned, "")
            return
        in_flight.refusal = None
        self._keep(
            in_flight,
            Entry(
                text=cleaned,
                backend=backend.name,
                model=backend.model,
                identity=self._identity(),
                prepared=in_flight.prepared,
            ),
        )


_BLANKS: Final = frozenset(" \t")


def _most_tokens(
    in_flight: InFlightCompletion, trigger: Trigger, settings: CompletionSettings, backend: Backend
) -> int:
    if in_flight.single_line:
        return min(LINE_TOKENS, settings.max_tokens)
    if trigger is Trigger.INVOKED or backend.speed is None:
        return settings.max_tokens
    affordable = int(backend.speed.output_tokens_per_second * BLOCK_SECONDS)
    return min(settings.max_tokens, max(FEWEST_BLOCK_TOKENS, affordable))


def _stops(in_flight: InFlightCompletion, backend: Backend) -> tuple[str, ...]:
    """Return what ends an answer; a chat model's first line may be a fence, and no code yet."""
    stops = backend.fim.stop
    return (*stops, "\n") if in_flight.single_line and backend.fim != CHAT else stops


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
