"""Feeds: what happens in runs, read from the journal once for all who watch.

A watcher has a place in the list of events and no queue. So a slow one keeps nobody waiting and
costs nothing, whoever comes late or comes again begins where it says, and there is no gap: every
event comes from the journal, in its order, whichever process carries the run out.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from coai_routing.background import Background

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from coai_agents.workflows.journal.journal import Journal
    from coai_agents.workflows.journal.records import Event, StepEnd

LOOK_SECONDS: Final = 0.2
"""How soon is seen what another process does in a run; our own runs say it at once."""
HEARTBEAT_SECONDS: Final = 15.0
"""Of silence, after which a sign of life is given: proxies cut connections that are quiet."""


@dataclass(frozen=True, slots=True)
class Happening:
    """An event of a run, and what is known of the step that ended with it."""

    event: Event
    end: StepEnd | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as it is sent."""
        event = self.event
        said: dict[str, Any] = {
            "seq": event.seq,
            "at": event.at,
            "kind": event.kind,
            "step": event.step,
            "body": event.body,
        }
        if self.end is not None:
            facts = self.end.facts
            said |= {
                "state": self.end.state,
                "ms": facts.ms,
                "model": facts.model,
                "local": facts.local,
                "tokens": facts.usage.tokens,
                "usd": facts.usage.usd,
                "error": facts.error,
            }
        return said


class Feed:
    """The events of one run, as long as somebody watches it."""

    def __init__(self, journal: Journal, run: str, is_busy: Callable[[str], bool]) -> None:
        self._journal = journal
        self._is_busy = is_busy
        self.run = run
        self.happened: list[Happening] = []
        self.over = False
        """Whether nothing more comes by itself: it has ended, or waits for somebody."""
        self.watchers = 0
        self.ended = False
        """Whether nobody is told anything more."""
        self._looking = asyncio.Lock()
        self._looked = False
        self._changed = asyncio.Event()
        self._poked = asyncio.Event()

    async def look(self) -> None:
        """Read what is new."""
        async with self._looking:
            last = self.happened[-1].event.seq if self.happened else -1
            # A run that is about to go on here still waits by the journal. Asked before that is
            # read, and both of it in one read, so a run that is over has no event left.
            busy = self._is_busy(self.run)
            row, found = await self._journal.happened(self.run, last)
            self.happened.extend(Happening(event, end) for event, end in found)
            self._looked = True
        over = row.state != "running" and not busy
        if found or over != self.over:
            self.over = over
            self.tell()

    async def ready(self) -> None:
        """Have what happened until now; raises `RunNotFoundError`."""
        if not self._looked:
            await self.look()

    def end(self) -> None:
        """Tell nobody anything more."""
        self.ended = True
        self.tell()

    def tell(self) -> None:
        """Wake everybody who watches."""
        self._changed.set()
        self._changed = asyncio.Event()

    def poke(self) -> None:
        """Have it looked at now."""
        self._poked.set()

    async def keep_looking(self) -> None:
        """Look whenever something may be new, for ever."""
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._poked.wait()
            except TimeoutError:
                pass
            self._poked.clear()
            await self.look()

    async def after(self, seq: int) -> AsyncGenerator[Happening | None]:
        """Yield every event of a higher number, and None as a sign of life, until it is over."""
        at = bisect_right(self.happened, seq, key=lambda each: each.event.seq)
        while True:
            changed = self._changed
            while at < len(self.happened) and not self.ended:
                yield self.happened[at]
                at += 1
            if self.ended:
                return
            if changed.is_set():
                continue
            if self.over:
                return
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await changed.wait()
            except TimeoutError:
                yield None


class Feeds:
    """The feeds of a journal's runs."""

    def __init__(self, is_busy: Callable[[str], bool]) -> None:
        """`is_busy` says of a run whether it is being carried out in this process."""
        self._is_busy = is_busy
        self._feeds: dict[str, tuple[Feed, asyncio.Task[None]]] = {}
        self._background = Background()

    async def watch(self, journal: Journal, run: str, seq: int) -> AsyncGenerator[Happening | None]:
        """Yield what happens in a run after an event; leave it by `contextlib.aclosing`.

        `run` is its whole name. Raises `RunNotFoundError`.
        """
        known = self._feeds.get(run)
        if known is None:
            feed = Feed(journal, run, self._is_busy)
            task = self._background.spawn(
                feed.keep_looking(), name=f"watch {run}", on_failure=lambda _: feed.end()
            )
            self._feeds[run] = feed, task
        else:
            feed, task = known
        feed.watchers += 1
        try:
            await feed.ready()
            async with aclosing(feed.after(seq)) as happened:
                async for each in happened:
                    yield each
        finally:
            feed.watchers -= 1
            if not feed.watchers and self._feeds.get(run, (None,))[0] is feed:
                del self._feeds[run]
                task.cancel()

    def poke(self, run: str) -> None:
        """Take note that something happened in a run of this process."""
        if (known := self._feeds.get(run)) is not None:
            known[0].poke()

    def end(self) -> None:
        """End all streams: the server ends."""
        for feed, _ in self._feeds.values():
            feed.end()

    async def aclose(self) -> None:
        """Stop looking."""
        self.end()
        await self._background.aclose()
