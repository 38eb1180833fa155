"""The way of a completion: from a snapshot and a cursor to a suggestion or a reason.

    may we? -> what is shown -> the cache -> a flight that will answer this too -> the pause
    -> a prompt session -> the backend, stopped as soon as the suggestion is whole -> cleaning

Each step may answer, and only the last ones cost anything. A document has at most one request
waiting and one flight in the air: a newer request ends the older one with a reason, and a flight
that no longer fits is cancelled at the backend.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from coai_agents.completion.border import ClosedBorder
from coai_agents.completion.cache import Found, SuggestionCache
from coai_agents.completion.cursor import Cursor, auto_closed
from coai_agents.completion.debounce import delay_ms
from coai_agents.completion.desk import Desk
from coai_agents.completion.flight import Flight
from coai_agents.completion.outcome import NoSuggestion, Outcome, Reason, Suggestion, Trigger
from coai_agents.completion.pilot import Pilot
from coai_agents.completion.signal import Signal
from coai_agents.completion.tuning import UNTUNED
from coai_routing.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from coai_agents.completion.border import Border
    from coai_agents.completion.outcome import Origin
    from coai_agents.completion.pilot import Syntax
    from coai_agents.completion.prompting import Context
    from coai_agents.completion.selected import Selected
    from coai_agents.completion.tuning import Tuning
    from coai_agents.source import Source
    from coai_routing.backends import Backends
    from coai_routing.settings import CompletionSettings

logger = logging.getLogger(__name__)

GRACE: Final = 0.03
"""Seconds that a cancelled request's flight is kept, because editors cancel the old request before
they send the one that the flight may answer; well below the 50 ms in which it must be gone."""

REST: Final = 0.6
"""Seconds without a request after which the user rests and the backend may work ahead."""

BREATH: Final = 0.02
"""Seconds after an answer before anything is prepared for the next one."""

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


@dataclass(frozen=True, slots=True)
class Event:
    """One request and what it ended in."""

    at: float
    """Seconds of the monotonic clock."""
    uri: str
    line: int
    trigger: Trigger
    outcome: Outcome
    language: str = ""


class Listener(Protocol):
    """Is told of every request's end, before the answer goes out: it must be quick."""

    def ended(self, event: Event, source: Source | None, offset: int) -> None:
        """Take note; `source` is the snapshot that was asked about, None if there was none."""
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
        border: Border | None = None,
        listener: Listener | None = None,
        tuning: Callable[[str], Tuning] = lambda _: UNTUNED,
        above: Callable[[Source], str] = lambda _: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what completing needs.

        `border` says what may be shown to a model elsewhere, nothing without one. `tuning` says
        what holds for a language at the moment, `above` what stands above a document: the cells of
        its notebook.
        """
        self._settings = settings
        self._listener = listener
        self._tuning = tuning
        self._document = document
        self._gate = gate
        self._clock = clock
        self._desks: OrderedDict[str, Desk] = OrderedDict()
        self._cache = SuggestionCache(settings("").cache_entries)
        identities = itertools.count(1)
        self._pilot = Pilot(
            backends=backends,
            context=context,
            syntax=syntax,
            border=border or ClosedBorder(),
            keep=lambda flight, entry: self._cache.put(flight.cursor, entry),
            identity=lambda: next(identities),
            above=above,
        )
        self._tasks: set[asyncio.Task[None]] = set()
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
        desk = self._desk(cursor.uri)
        superseded = desk.newest_request()
        if (known := self._known(desk, cursor)) is not None:
            return self._show(desk, cursor, *known)
        settings = self._settings(cursor.uri)
        if desk.flight is not None and not desk.flight.agrees(cursor):
            desk.drop_flight()
        if desk.flight is None and trigger is Trigger.AUTOMATIC:
            delay = self._delay(desk, source, cursor, settings)
            if delay > 0 and await _happens_within(superseded, delay):
                return NoSuggestion(Reason.SUPERSEDED)
        flight = desk.flight or self._take_off(desk, source, cursor, trigger)
        try:
            while not flight.landed.is_set():
                own = flight.cursor == cursor
                await Signal.first(superseded, flight.landed if own else flight.changed)
                if superseded.is_set():
                    return NoSuggestion(Reason.SUPERSEDED)
                if not flight.agrees(cursor):
                    # What was typed is not what the model is writing: ask anew.
                    desk.drop_flight()
                    flight = self._take_off(desk, source, cursor, trigger)
        except asyncio.CancelledError:
            asyncio.get_running_loop().call_later(GRACE, self._release, desk, flight, superseded)
            raise
        if superseded.is_set() or self._document(cursor.uri) is not document:
            return NoSuggestion(Reason.SUPERSEDED)
        if (known := self._known(desk, cursor)) is not None:
            origin: Origin = "model" if flight.cursor == cursor else "joined"
            return self._show(desk, cursor, known[0], origin, flight)
        return NoSuggestion(*(flight.refusal or (Reason.MODEL_SAID_NOTHING, "")))

    def _delay(
        self, desk: Desk, source: Source, cursor: Cursor, settings: CompletionSettings
    ) -> float:
        """Return the pause before the backend is asked, in seconds."""
        backend = self._pilot.next_backend()
        return (
            delay_ms(
                desk.rhythm,
                last_character=cursor.prefix[-1:],
                expected_latency_ms=None if backend is None else backend.latency_ms,
                acceptance=self._tuning(source.language).acceptance,
                fixed_ms=settings.debounce_ms,
            )
            / 1000
        )

    # ------------------------------------------------------------- flights

    def _take_off(
        self,
        desk: Desk,
        source: Source,
        cursor: Cursor,
        trigger: Trigger,
        *,
        prepared: bool = False,
    ) -> Flight:
        settings = self._settings(cursor.uri)
        flight = Flight(
            cursor,
            single_line=_single_line(cursor, trigger, settings),
            patient=trigger is Trigger.INVOKED,
            prepared=prepared,
        )
        if trigger is Trigger.AUTOMATIC and not flight.single_line:
            settings = self._as_long_as_taken(settings, source.language)
        flight.task = self._spawn(self._pilot.fly(desk, source, flight, trigger, settings))
        # Not in the task itself: one that is cancelled before its first step never runs.
        flight.task.add_done_callback(lambda _: flight.land())
        desk.flight = flight
        return flight

    def _as_long_as_taken(self, settings: CompletionSettings, language: str) -> CompletionSettings:
        """Return the settings for a block that nobody asked for."""
        most = self._tuning(language).most_tokens(settings.max_tokens)
        if most == settings.max_tokens:
            return settings
        return settings.model_copy(update={"max_tokens": most})

    def _release(self, desk: Desk, flight: Flight, superseded: Signal) -> None:
        """Cancel a flight whose request was cancelled, unless a newer request came for it."""
        if not superseded.is_set() and desk.flight is flight:
            desk.drop_flight()

    def _spawn(self, coroutine: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # ------------------------------------------------------- what is known

    def _known(self, desk: Desk, cursor: Cursor) -> tuple[Found, Origin] | None:
        """Return what can be shown without asking; what is on screen goes first."""
        if desk.shown is not None:
            anchor, entry = desk.shown
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
        desk: Desk,
        cursor: Cursor,
        found: Found,
        origin: Origin,
        flight: Flight | None = None,
    ) -> Suggestion:
        entry = found.entry
        typed = len(cursor.prefix) - found.typed
        desk.shown = (
            Cursor(cursor.uri, cursor.prefix[:typed], cursor.suffix[len(found.closers) :]),
            entry,
        )
        desk.resting = self._spawn(self._rest(desk, cursor, found.rest))
        usage = flight.reply.usage if flight is not None and flight.reply is not None else None
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

    async def _rest(self, desk: Desk, cursor: Cursor, text: str) -> None:
        """While a suggestion is shown: prepare what follows it, then a better prompt."""
        # The suggestion goes out first; nobody waits for what follows it.
        await asyncio.sleep(BREATH)
        settings = self._settings(cursor.uri)
        source = self._document(cursor.uri)
        if source is None:
            return
        accepted = replace(cursor, prefix=cursor.prefix + text)
        ahead = settings.prefetch and self._pilot.works_ahead
        if ahead and desk.flight is None and self._cache.find(accepted) is None:
            self._take_off(desk, source, accepted, Trigger.AUTOMATIC, prepared=True)
        while desk.flight is not None:
            await Signal.first(desk.flight.changed)
        await asyncio.sleep(REST)
        await self._read_ahead(desk, source, cursor)

    def opened(self, source: Source) -> None:
        """Have the backend read a short document before anybody asks."""
        desk = self._desk(source.uri)
        desk.resting = self._spawn(self._begin(desk, source))

    async def _begin(self, desk: Desk, source: Source) -> None:
        end = Cursor.at(source, len(source.text))
        if await self._gate.refusal(source, end, Trigger.INVOKED) is not None:
            return
        await asyncio.sleep(REST)
        # Nobody knows yet where the cursor will be.
        await self._read_ahead(desk, source, end, whole=True)

    async def _read_ahead(
        self, desk: Desk, source: Source, cursor: Cursor, *, whole: bool = False
    ) -> None:
        settings = self._settings(cursor.uri)
        try:
            await self._pilot.read_ahead(desk, source, cursor, settings, whole=whole)
        except ProviderError as error:
            logger.info("The prompt could not be read in advance: %s", error)

    # ----------------------------------------------------------- documents

    def accepted(self, identity: int) -> None:
        """Note that the user took a suggestion whole."""
        logger.info("Suggestion %d was accepted.", identity)

    def changed(self, source: Source) -> None:
        """Note an edit; a flight that it made worthless is cancelled at once."""
        desk = self._desks.get(source.uri)
        if desk is not None:
            desk.changed(source, self._clock() * 1000)

    def closed(self, uri: str) -> None:
        """Forget a document."""
        desk = self._desks.pop(uri, None)
        if desk is not None:
            desk.put_away()
        self._cache.forget(uri)

    def forget_suggestions(self) -> None:
        """Drop what was suggested so far, because settings or models changed."""
        self._cache.clear()
        for desk in self._desks.values():
            desk.shown = None
            desk.session = desk.ahead = None
            desk.drop_flight()

    def _desk(self, uri: str) -> Desk:
        desk = self._desks.get(uri)
        if desk is None:
            desk = self._desks[uri] = Desk(uri)
            if len(self._desks) > DOCUMENTS:
                self._desks.popitem(last=False)[1].put_away()
        self._desks.move_to_end(uri)
        return desk

    async def aclose(self) -> None:
        """Cancel whatever runs, and wait until it has closed its connections."""
        for desk in self._desks.values():
            desk.put_away()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _single_line(cursor: Cursor, trigger: Trigger, settings: CompletionSettings) -> bool:
    """Say whether to end with the line: not where a block begins, nor where the user asks."""
    if settings.multiline == "never":
        return True
    if settings.multiline == "always" or trigger is Trigger.INVOKED:
        return False
    return not (cursor.around.at_line_start and cursor.around.at_line_end)


async def _happens_within(signal: Signal, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await Signal.first(signal)
    except TimeoutError:
        return False
    return True
