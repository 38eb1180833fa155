"""What becomes of suggestions: followed from the screen to the document, and looked at again later.

It learns of everything by being told (shown, edited, accepted, closed), reports rows without any
text of theirs, and does no input or output of its own. One task sleeps until the next accepted
suggestion has to be looked at again; while none has to be, there is none.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, Protocol

from coai_agents.completion.feedback.following import OnScreen, after_edit, was_taken_back
from coai_agents.completion.feedback.survival import Taken, kept_share
from coai_routing.background import Background
from coai_routing.records.usage_rows import Fate, SuggestionRow

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from coai_agents.completion.outcome import Suggestion
    from coai_agents.source import Source

Later = Literal["kept_30s", "kept_5min"]

LOOKS: Final[tuple[tuple[Later, float], ...]] = (("kept_30s", 30.0), ("kept_5min", 300.0))
"""When an accepted text is looked for again, in seconds: two of the times after which GitHub
Copilot's telemetry measured what was kept (Ziegler et al., "Productivity Assessment of Neural Code
Completion", MAPS 2022)."""

REGRET: Final = 10.0
"""Who takes an accepted text back within so many seconds has rejected it: long enough to read it,
too short to have worked with it."""

REMEMBERED: Final = 256
"""Settled suggestions that are remembered; the oldest are not looked at again."""


class Reporter(Protocol):
    """Takes what is known of a suggestion."""

    def suggestion(self, row: SuggestionRow) -> None:
        """Take what is known now; a later row of the same identity says more."""
        ...


@dataclass(slots=True)
class _Followed:
    row: SuggestionRow
    shown: OnScreen
    source: Source
    """The snapshot that `shown` counts in."""
    confirmed: bool = False
    """Whether the client said that it was accepted whole."""


@dataclass(slots=True)
class _Settled:
    row: SuggestionRow
    text: str
    anchor: int
    taken: Taken | None = None
    """What was accepted, until it has been looked at for the last time."""


@dataclass(frozen=True, slots=True)
class _Recent:
    """What was accepted in a document just now, and may be taken back."""

    settled: _Settled
    piece: tuple[int, int]
    """The span that the last accepted piece has in `source`."""
    source: Source
    until: float
    """When it is too late."""


class Feedback:
    """Follows the suggestion on screen in each document. All of it runs on one event loop."""

    def __init__(
        self,
        reporter: Reporter,
        document: Callable[[str], Source | None],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Coroutine[None, None, None]] = asyncio.sleep,
    ) -> None:
        """Take whom to tell, and what returns an open document as it is now."""
        self._reporter = reporter
        self._document = document
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._followed: dict[str, _Followed] = {}
        self._settled: OrderedDict[int, _Settled] = OrderedDict()
        self._recent: dict[str, _Recent] = {}
        self._due: list[tuple[float, int, int, Later]] = []
        self._order = itertools.count()
        self._wakes_at = -math.inf
        """Until when the task sleeps; in the past while it works."""
        self._task: asyncio.Task[None] | None = None
        self._background = Background()

    # ------------------------------------------------------------------ told

    def shown(self, source: Source, offset: int, suggestion: Suggestion) -> None:
        """Follow a suggestion that is shown at an offset of the document as it is now."""
        before = self._followed.get(source.uri)
        if before is not None:
            if before.row.identity == suggestion.identity:
                return
            self._settle(before, before.shown.left)
        text = suggestion.text
        if "\n" in text and "\r\n" in source.text:
            text = text.replace("\n", "\r\n")
        row = SuggestionRow(
            shown_at=self._now(),
            identity=suggestion.identity,
            uri=source.uri,
            language=source.language,
            backend=suggestion.backend,
            model=suggestion.model,
            characters=len(text),
            lines=text.count("\n") + 1,
        )
        shown = OnScreen(text, offset, suggestion.replaces)
        self._followed[source.uri] = _Followed(row, shown, source)
        self._reporter.suggestion(row)

    def asked(self, source: Source, offset: int) -> None:
        """Note a request that yielded nothing: the user may have moved on."""
        followed = self._followed.get(source.uri)
        if followed is not None and followed.source is source and followed.shown.cursor != offset:
            self._settle(followed, followed.shown.left)

    def changed(self, source: Source) -> None:
        """Take in an edit."""
        recent = self._recent.get(source.uri)
        if recent is not None:
            self._regret(recent, source)
        followed = self._followed.get(source.uri)
        if followed is not None:
            followed.shown, fate = after_edit(followed.shown, followed.source, source)
            followed.source = source
            if fate is not None:
                self._settle(followed, fate)

    def accepted(self, identity: int) -> None:
        """Note that the client said that a suggestion was accepted whole.

        The edit may come before or after this.
        """
        for followed in self._followed.values():
            if followed.row.identity == identity:
                followed.confirmed = True
                return
        settled = self._settled.get(identity)
        if settled is None or settled.row.fate is Fate.ACCEPTED:
            return
        source = self._document(settled.row.uri)
        if source is not None and settled.taken is None:
            settled.taken = Taken.of(settled.text, source, settled.anchor)
            self._look_later(identity)
        self._tell(settled, replace(settled.row, fate=Fate.ACCEPTED, taken=len(settled.text)))

    def closed(self, uri: str) -> None:
        """Forget a document; what is not known of its suggestions stays so."""
        followed = self._followed.get(uri)
        if followed is not None and (followed.confirmed or followed.shown.taken):
            self._settle(followed, followed.shown.left)
        self._followed.pop(uri, None)
        self._recent.pop(uri, None)
        for identity in [key for key, settled in self._settled.items() if settled.row.uri == uri]:
            del self._settled[identity]

    async def aclose(self) -> None:
        """Forget every document, and end the task."""
        for uri in tuple(self._followed):
            self.closed(uri)
        self._due.clear()
        await self._background.aclose()

    # --------------------------------------------------------------- settled

    def _settle(self, followed: _Followed, fate: Fate) -> None:
        shown, source, row = followed.shown, followed.source, followed.row
        self._followed.pop(row.uri, None)
        if followed.confirmed:
            fate = Fate.ACCEPTED
        taken = len(shown.text) if fate is Fate.ACCEPTED else shown.taken
        row = replace(row, fate=fate, taken=taken)
        settled = _Settled(row, shown.text, shown.anchor)
        self._settled[row.identity] = settled
        self._settled.move_to_end(row.identity)
        if len(self._settled) > REMEMBERED:
            self._settled.popitem(last=False)
        self._reporter.suggestion(row)
        if taken:
            settled.taken = Taken.of(shown.text[:taken], source, shown.anchor)
            piece = (shown.anchor + shown.piece, shown.anchor + taken)
            until = self._clock() + REGRET
            self._recent[row.uri] = _Recent(settled, piece, source, until)
            self._look_later(row.identity)

    def _regret(self, recent: _Recent, source: Source) -> None:
        if self._clock() > recent.until:
            del self._recent[source.uri]
        elif was_taken_back(recent.piece, recent.source, source):
            del self._recent[source.uri]
            settled = recent.settled
            settled.taken = None
            self._tell(settled, replace(settled.row, fate=Fate.REJECTED, taken=0))

    def _tell(self, settled: _Settled, row: SuggestionRow) -> None:
        settled.row = row
        self._reporter.suggestion(row)

    # ----------------------------------------------------------------- later

    def _look_later(self, identity: int) -> None:
        now = self._clock()
        for name, seconds in LOOKS:
            heapq.heappush(self._due, (now + seconds, next(self._order), identity, name))
        asleep = self._task is not None and not self._task.done()
        if asleep and self._due[0][0] >= self._wakes_at:
            return
        if self._task is not None:
            self._task.cancel()
        self._wakes_at = -math.inf
        self._task = self._background.spawn(self._look_when_due(), name="look at suggestions again")

    async def _look_when_due(self) -> None:
        while self._due:
            due = self._due[0][0]
            if (delay := due - self._clock()) > 0:
                self._wakes_at = due
                await self._sleep(delay)
                self._wakes_at = -math.inf
                continue
            _, _, identity, name = heapq.heappop(self._due)
            await self._look(identity, name)

    async def _look(self, identity: int, name: Later) -> None:
        settled = self._settled.get(identity)
        if settled is None or settled.taken is None:
            return
        source = self._document(settled.row.uri)
        if source is None:
            return
        share = await asyncio.to_thread(kept_share, settled.taken, source.text)
        if name == "kept_30s":
            self._tell(settled, replace(settled.row, kept_30s=share))
        else:
            self._tell(settled, replace(settled.row, kept_5min=share))
            settled.taken = None
