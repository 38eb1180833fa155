"""The way of a completion: from a snapshot and a cursor to a suggestion or a reason.

    may we? -> what is shown -> the cache -> a request in flight that will answer this too
    -> the pause -> a prompt session -> the backend, stopped as soon as the suggestion is whole
    -> cleaning

Each step may answer, and only the last ones cost anything. A document has at most one request
waiting and one completion in flight: a newer request ends the older one with a reason, and what no
longer fits is cancelled at the backend.

One file, because it is the one way of a completion; each step has a file of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import OrderedDict, deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from coai_agents.completion.completion_engine import PATIENCE_INVOKED, CompletionEngine
from coai_agents.completion.cursor import Cursor, auto_closed
from coai_agents.completion.debounce import delay_ms
from coai_agents.completion.document_state import DocumentState
from coai_agents.completion.egress_gate import ClosedEgressGate
from coai_agents.completion.feedback.tuning import UNTUNED
from coai_agents.completion.in_flight import InFlightCompletion
from coai_agents.completion.outcome import (
    Event,
    NoSuggestion,
    Outcome,
    Reason,
    Suggestion,
    Trigger,
)
from coai_agents.completion.prompt.foresight import Foresight
from coai_agents.completion.signal import Signal, happens
from coai_agents.completion.suggestion_cache import Found, SuggestionCache
from coai_routing.background import Background

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_agents.completion.completion_engine import Syntax
    from coai_agents.completion.egress_gate import EgressGate
    from coai_agents.completion.feedback.tuning import Tuning
    from coai_agents.completion.outcome import Listener, Origin
    from coai_agents.completion.prompt.prompting import Context
    from coai_agents.completion.selected import Selected
    from coai_agents.source import Source
    from coai_routing.pool.backends import Backends
    from coai_routing.settings.schema import CompletionSettings

logger = logging.getLogger(__name__)

GRACE: Final = 0.03
"""Seconds that a cancelled request's completion is kept, because editors cancel the old request
before they send the one that it may answer; well below the 50 ms in which it must be gone."""

BREATH: Final = 0.02
"""Seconds after an answer before anything is prepared for the next one."""

WAITS: Final = 1.9
"""Times its patience that a request which nobody asked for waits for a model that is slow because
the machine is busy."""

WAITS_INVOKED: Final = 4.5
"""The same for one that was asked for."""

LAST_MOMENT: Final = 0.4
"""The same for a line that is almost whole then."""

DOCUMENTS: Final = 64
"""Documents whose typing and prompts are remembered; those used least recently give way."""

HISTORY: Final = 200
"""Outcomes kept for the user who asks why."""


class Gate(Protocol):
    """Decides whether code may be completed in a document at all, before any model is asked."""

    async def refusal(
        self, source: Source, cursor: Cursor, trigger: Trigger
    ) -> tuple[Reason, str] | None:
        """Return why not, with details; None if it may. Waits for nothing if the file is known."""
        ...


class Completer:
    """Completes code in every open document. All of it runs on one event loop."""

    def __init__(
        self,
        *,
        backends: Backends,
        settings: Callable[[str], CompletionSettings],
        document: Callable[[str], Source | None],
        gate: Gate,
        context: Context,
        syntax: Syntax,
        egress_gate: EgressGate | None = None,
        listener: Listener | None = None,
        tuning: Callable[[str], Tuning] = lambda _: UNTUNED,
        above: Callable[[Source], str] = lambda _: "",
        strained: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what completing needs.

        `egress_gate` says what may be shown to a model elsewhere, nothing without one. `tuning`
        says what holds for a language at the moment, `above` what stands above a document: the
        cells of its notebook. `strained` says whether other programs wait for a processor.
        """
        self._settings = settings
        self._listener = listener
        self._tuning = tuning
        self._document = document
        self._gate = gate
        self._clock = clock
        self._states: OrderedDict[str, DocumentState] = OrderedDict()
        self._cache = SuggestionCache(settings("").cache_entries)
        identities = itertools.count(1)
        self._engine = CompletionEngine(
            backends=backends,
            context=context,
            syntax=syntax,
            egress_gate=egress_gate or ClosedEgressGate(),
            keep=lambda in_flight, entry: self._cache.put(in_flight.cursor, entry),
            identity=lambda: next(identities),
            above=above,
            strained=strained,
        )
        self._foresight = Foresight(self._engine.reader, settings)
        self._strained = strained
        self._background = Background()
        self.history: deque[Event] = deque(maxlen=HISTORY)

    async def complete(
        self, source: Source, offset: int, trigger: Trigger, selected: Selected | None = None
    ) -> Outcome:
        """Return a suggestion for a snapshot's offset, or the reason why there is none.

        It begins with what is `selected` in the editor's list, which ends at the offset. A
        cancelled call closes its connection to the backend shortly after, unless the next request
        can use what is coming.
        """
        started = self._clock()
        try:
            seen, at = (source, offset) if selected is None else selected.taken(source)
            outcome = await self._complete(source, seen, Cursor.at(seen, at), trigger)
            if selected is not None:
                outcome = selected.begins(outcome, source)
        except asyncio.CancelledError:
            self._record(source, offset, trigger, NoSuggestion(Reason.CANCELLED), started)
            raise
        return self._record(source, offset, trigger, outcome, started)

    def _record(
        self, source: Source, offset: int, trigger: Trigger, outcome: Outcome, started: float
    ) -> Outcome:
        outcome = replace(outcome, elapsed_ms=(self._clock() - started) * 1000)
        line = source.line_at(offset)
        event = Event(started, source.uri, line, trigger, outcome, source.language)
        self._ended(event, source, offset)
        if isinstance(outcome, NoSuggestion):
            logger.info("No suggestion (%s): %s", outcome.reason, outcome.sentence)
        return outcome

    def unknown(self, uri: str, line: int) -> None:
        """Note a request for a document whose text is not known."""
        outcome = NoSuggestion(Reason.UNKNOWN_DOCUMENT)
        self._ended(Event(self._clock(), uri, line, Trigger.AUTOMATIC, outcome), None, 0)

    def _ended(self, event: Event, source: Source | None, offset: int) -> None:
        self.history.append(event)
        if self._listener is not None:
            self._listener.ended(event, source, offset)

    async def _complete(
        self, document: Source, source: Source, cursor: Cursor, trigger: Trigger
    ) -> Outcome:
        """Complete in `source`: the open document, or what it would be with an item taken."""
        if (refusal := await self._gate.refusal(source, cursor, trigger)) is not None:
            return NoSuggestion(*refusal)
        state = self._state(cursor.uri)
        superseded = state.newest_request()
        if (known := self._known(state, cursor)) is not None:
            return self._show(state, cursor, *known)
        settings = self._settings(cursor.uri)
        waits = WAITS_INVOKED if trigger is Trigger.INVOKED else WAITS
        patience = settings.patience_ms / 1000
        limit = asyncio.get_running_loop().time() + waits * patience
        if state.in_flight is not None and not state.in_flight.agrees(cursor):
            state.drop_in_flight()
        if state.in_flight is None and trigger is Trigger.AUTOMATIC:
            delay = self._delay(state, source, cursor, settings)
            until = asyncio.get_running_loop().time() + delay
            if delay > 0 and await happens(superseded, until=until):
                return NoSuggestion(Reason.SUPERSEDED)
        return await self._awaited(
            state,
            source,
            cursor,
            trigger,
            document=document,
            superseded=superseded,
            limit=limit,
            patience=patience,
        )

    async def _awaited(
        self,
        state: DocumentState,
        source: Source,
        cursor: Cursor,
        trigger: Trigger,
        *,
        document: Source,
        superseded: Signal,
        limit: float,
        patience: float,
    ) -> Outcome:
        """Return what a completion in flight brings, one that is under way or a new one."""
        in_flight = state.in_flight or self._begin(state, source, cursor, trigger)
        try:
            while not in_flight.ended.is_set():
                own = in_flight.cursor == cursor
                news = in_flight.ended if own else in_flight.changed
                if not await self._hears(
                    in_flight, superseded, news, limit=limit, patience=patience
                ):
                    # What is under way goes on: the next request may find it in the cache.
                    return NoSuggestion(Reason.MACHINE_BUSY)
                if superseded.is_set():
                    return NoSuggestion(Reason.SUPERSEDED)
                if not in_flight.agrees(cursor):
                    # What was typed is not what the model is writing: ask anew.
                    state.drop_in_flight()
                    in_flight = self._begin(state, source, cursor, trigger)
        except asyncio.CancelledError:
            asyncio.get_running_loop().call_later(
                GRACE, self._release, state, in_flight, superseded
            )
            raise
        if superseded.is_set() or self._document(cursor.uri) is not document:
            return NoSuggestion(Reason.SUPERSEDED)
        if (known := self._known(state, cursor)) is not None:
            origin: Origin = "model" if in_flight.cursor == cursor else "joined"
            return self._show(state, cursor, known[0], origin, in_flight)
        return NoSuggestion(*(in_flight.refusal or (Reason.MODEL_SAID_NOTHING, "")))

    async def _hears(
        self, in_flight: InFlightCompletion, *signals: Signal, limit: float, patience: float
    ) -> bool:
        """Wait for one of several things; False if the limit passes and that is no surprise.

        It is none where the machine is busy and the last answers were slow. One that is late for
        the first time is waited for, as is a line that is almost whole. A model elsewhere is as
        quick as it is, whatever this machine does.
        """
        if await happens(*signals, until=limit):
            return True
        slow = in_flight.expected is not None and in_flight.expected > patience
        if slow and in_flight.here and self._strained():
            last = LAST_MOMENT * patience
            return in_flight.ends_within(last) and await happens(*signals, until=limit + last)
        await Signal.first(*signals)
        return True

    def _delay(
        self, state: DocumentState, source: Source, cursor: Cursor, settings: CompletionSettings
    ) -> float:
        """Return the pause before the backend is asked, in seconds."""
        backend = self._engine.next_backend()
        return (
            delay_ms(
                state.rhythm,
                last_character=cursor.prefix[-1:],
                expected_latency_ms=None if backend is None else backend.latency_ms,
                acceptance=self._tuning(source.language).acceptance,
                fixed_ms=settings.debounce_ms,
            )
            / 1000
        )

    # ----------------------------------------------------------- in flight

    def _begin(
        self,
        state: DocumentState,
        source: Source,
        cursor: Cursor,
        trigger: Trigger,
        *,
        prepared: bool = False,
    ) -> InFlightCompletion:
        settings = self._settings(cursor.uri)
        in_flight = InFlightCompletion(
            cursor,
            single_line=_single_line(cursor, trigger, settings),
            patient=trigger is Trigger.INVOKED,
            prepared=prepared,
        )
        patience = settings.patience_ms / 1000 * (PATIENCE_INVOKED if in_flight.patient else 1.0)
        in_flight.patient_until = asyncio.get_running_loop().time() + patience
        if trigger is Trigger.AUTOMATIC and not in_flight.single_line:
            settings = self._as_long_as_taken(settings, source.language)
        in_flight.task = self._background.spawn(
            self._engine.carry_out(state, source, in_flight, trigger, settings),
            name="ask a model to complete",
            on_failure=in_flight.fail,
        )
        # Not in the task itself: one that is cancelled before its first step never runs.
        in_flight.task.add_done_callback(lambda _: in_flight.end())
        state.in_flight = in_flight
        return in_flight

    def _as_long_as_taken(self, settings: CompletionSettings, language: str) -> CompletionSettings:
        """Return the settings for a block that nobody asked for."""
        most = self._tuning(language).most_tokens(settings.max_tokens)
        if most == settings.max_tokens:
            return settings
        return settings.model_copy(update={"max_tokens": most})

    def _release(
        self, state: DocumentState, in_flight: InFlightCompletion, superseded: Signal
    ) -> None:
        """Cancel a completion whose request was cancelled, unless a newer request came for it."""
        if not superseded.is_set() and state.in_flight is in_flight:
            state.drop_in_flight()

    # ------------------------------------------------------- what is known

    def _known(self, state: DocumentState, cursor: Cursor) -> tuple[Found, Origin] | None:
        """Return what can be shown without asking; what is on screen goes first."""
        if state.shown is not None:
            anchor, entry = state.shown
            typed = cursor.typed_since(anchor.prefix)
            closers = auto_closed(anchor.suffix, cursor.suffix)
            if typed is not None and closers is not None and entry.text.startswith(typed):
                found = Found(entry, len(typed), closers)
                if found.fits:
                    return found, "shown"
        found = self._cache.find(cursor)
        if found is None:
            return None
        return found, "prefetched" if found.entry.prepared else "cache"

    def _show(
        self,
        state: DocumentState,
        cursor: Cursor,
        found: Found,
        origin: Origin,
        in_flight: InFlightCompletion | None = None,
    ) -> Suggestion:
        entry = found.entry
        typed = len(cursor.prefix) - found.typed
        state.shown = (
            Cursor(cursor.uri, cursor.prefix[:typed], cursor.suffix[len(found.closers) :]),
            entry,
        )
        state.rests(
            self._background.spawn(self._rest(state, cursor, found.rest), name="work ahead")
        )
        usage = (
            in_flight.reply.usage if in_flight is not None and in_flight.reply is not None else None
        )
        return Suggestion(
            text=found.rest,
            replaces=found.replaces,
            origin=origin,
            backend=entry.backend,
            model=entry.model,
            elapsed_ms=0.0,
            identity=entry.identity,
            evaluated_tokens=usage.evaluated_tokens if usage else 0,
            cached_tokens=usage.cached_tokens if usage else 0,
            output_tokens=usage.output_tokens if usage else 0,
        )

    # ---------------------------------------------------------- work ahead

    async def _rest(self, state: DocumentState, cursor: Cursor, text: str) -> None:
        """While a suggestion is shown: prepare what follows it, then a better prompt."""
        # The suggestion goes out first; nobody waits for what follows it.
        await asyncio.sleep(BREATH)
        settings = self._settings(cursor.uri)
        source = self._document(cursor.uri)
        if source is None:
            return
        accepted = replace(cursor, prefix=cursor.prefix + text)
        ahead = settings.prefetch and self._engine.works_ahead
        if ahead and state.in_flight is None and self._cache.find(accepted) is None:
            self._begin(state, source, accepted, Trigger.AUTOMATIC, prepared=True)
        while state.in_flight is not None:
            await Signal.first(state.in_flight.changed)
        await self._foresight.after_answer(state, source, cursor)

    def opened(self, source: Source) -> None:
        """Have the backend read a document before anybody asks or tells where the cursor is."""
        state = self._state(source.uri)
        state.rests(
            self._background.spawn(
                self._reads_anywhere(state, source), name="read a document ahead"
            )
        )

    async def _reads_anywhere(self, state: DocumentState, source: Source) -> None:
        end = Cursor.at(source, len(source.text))
        if await self._gate.refusal(source, end, Trigger.INVOKED) is None:
            await self._foresight.anywhere(state, source, end)

    def rested(self, source: Source, offset: int) -> None:
        """Have the backend read what will be asked where the cursor has come to rest."""
        state = self._state(source.uri)
        cursor = Cursor.at(source, offset)
        if state.in_flight is not None or state.shown is not None or state.rests_at == cursor:
            return  # there is something better to do, or it is being done
        state.rests(
            self._background.spawn(
                self._reads_at_cursor(state, source, cursor), name="read ahead at the cursor"
            ),
            cursor,
        )

    async def _reads_at_cursor(self, state: DocumentState, source: Source, cursor: Cursor) -> None:
        if await self._gate.refusal(source, cursor, Trigger.INVOKED) is None:
            await self._foresight.at_cursor(state, source, cursor)

    # ----------------------------------------------------------- documents

    def accepted(self, identity: int) -> None:
        """Note that the user took a suggestion whole."""
        logger.info("Suggestion %d was accepted.", identity)

    def changed(self, source: Source) -> None:
        """Note an edit; a completion that it made worthless is cancelled at once."""
        state = self._states.get(source.uri)
        if state is not None:
            state.changed(source, self._clock() * 1000)

    def closed(self, uri: str) -> None:
        """Forget a document."""
        state = self._states.pop(uri, None)
        if state is not None:
            state.put_away()
        self._cache.forget(uri)

    def forget_suggestions(self) -> None:
        """Drop what was suggested so far, because settings or models changed."""
        self._cache.clear()
        for state in self._states.values():
            state.shown = None
            state.session = state.ahead = None
            state.drop_in_flight()

    def _state(self, uri: str) -> DocumentState:
        state = self._states.get(uri)
        if state is None:
            state = self._states[uri] = DocumentState(uri)
            if len(self._states) > DOCUMENTS:
                self._states.popitem(last=False)[1].put_away()
        self._states.move_to_end(uri)
        return state

    async def aclose(self) -> None:
        """Cancel whatever runs, and wait until it has closed its connections."""
        for state in self._states.values():
            state.put_away()
        await self._background.aclose()


def _single_line(cursor: Cursor, trigger: Trigger, settings: CompletionSettings) -> bool:
    """Say whether to end with the line: not where a block begins, nor where the user asks."""
    if settings.multiline == "never":
        return True
    if settings.multiline == "always" or trigger is Trigger.INVOKED:
        return False
    return not (cursor.around.at_line_start and cursor.around.at_line_end)
