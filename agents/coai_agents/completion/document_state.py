"""What is going on in one document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coai_agents.completion.cursor import CLOSERS, MOST_CLOSERS, Cursor, unify_line_ends
from coai_agents.completion.debounce import Rhythm
from coai_agents.completion.signal import Signal

if TYPE_CHECKING:
    import asyncio

    from coai_agents.completion.in_flight import InFlightCompletion
    from coai_agents.completion.prompt.prompt_session import PromptSession
    from coai_agents.completion.suggestion_cache import Entry
    from coai_agents.source import Source


@dataclass(slots=True)
class ReadAhead:
    """A prompt that the backend reads while the user rests, piece by piece."""

    session: PromptSession
    slot: int | None = None
    """The backend's cache slot for it; None to have the backend choose one."""
    read: str = ""
    """What has been read of the prompt."""


@dataclass(slots=True)
class DocumentState:
    """One document's typing, its prompt, what is on screen, and who waits for what."""

    uri: str
    session: PromptSession | None = None
    slot: int | None = None
    """The backend's cache slot that holds the session's prompt, once the backend named it."""
    sent: str = ""
    """The prompt that was sent last: what a new one shares with it need not be read again."""
    ahead: ReadAhead | None = None
    """What is to take the session's place when it has been read."""
    rhythm: Rhythm = field(default_factory=Rhythm)
    shown: tuple[Cursor, Entry] | None = None
    """The suggestion on screen and where it begins."""
    in_flight: InFlightCompletion | None = None
    superseded: Signal = field(default_factory=Signal)
    """Set when a newer request comes; each request brings one of its own."""
    resting: asyncio.Task[None] | None = None
    """What is done while the user rests; any request or keystroke ends it."""
    rests_at: Cursor | None = None
    """Where the cursor was told to rest, while something is done about it."""

    def newest_request(self) -> Signal:
        """Begin a request: end the one before, and return what will tell of the next."""
        self.superseded.set()
        self.superseded = Signal()
        self.stir()
        return self.superseded

    def rests(self, task: asyncio.Task[None], cursor: Cursor | None = None) -> None:
        """Begin what is done while the user rests, at a cursor if that is known."""
        self.stir()
        self.resting, self.rests_at = task, cursor

    def stir(self) -> None:
        """End what is done while the user rests."""
        if self.resting is not None:
            self.resting.cancel()
        self.resting = self.rests_at = None

    def drop_in_flight(self) -> None:
        """Close the connection to the backend, if there is one."""
        if self.in_flight is not None:
            self.in_flight.cancel()
            self.in_flight = None

    def changed(self, source: Source, now_ms: float) -> None:
        """Take in an edit; a completion that it made worthless is cancelled at once."""
        self.rhythm = self.rhythm.keystroke(now_ms)
        self.stir()
        if self.in_flight is not None and not _still_of_use(self.in_flight, source):
            self.drop_in_flight()

    def put_away(self) -> None:
        """End everything."""
        self.superseded.set()
        self.stir()
        self.drop_in_flight()


def _still_of_use(in_flight: InFlightCompletion, source: Source) -> bool:
    text = unify_line_ends(source.text)
    suffix = in_flight.cursor.suffix
    if not text.endswith(suffix):
        return False
    head = text[: len(text) - len(suffix)]
    if len(head) < len(in_flight.cursor.prefix):
        # What is prepared stands at the end of a suggestion that is not accepted yet.
        return in_flight.prepared and in_flight.cursor.prefix.startswith(head)
    if not in_flight.text:
        return True
    # What the editor closed by itself stands after the cursor, not before it.
    return any(
        in_flight.agrees(Cursor(source.uri, head[: len(head) - count], suffix))
        for count in range(MOST_CLOSERS + 1)
        if not head[len(head) - count :].strip(CLOSERS)
    )
