"""One request to a backend, and everybody who waits for it.

A completion in flight outlives the editor's request that began it: the next keystroke's request may
join it, if what was typed agrees with what has come. It ends by itself as soon as the suggestion is
whole, and when nobody wants it any more its task is cancelled, which closes the socket to the
backend.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from coai_agents.completion.cursor import auto_closed, unify_line_ends
from coai_agents.completion.outcome import Reason
from coai_agents.completion.prompt.pace import Flow
from coai_agents.completion.signal import Signal
from coai_agents.completion.stop.fitting import Ground
from coai_agents.completion.stop.indentation import indented_as_the_file
from coai_agents.completion.stop.line_extent import End, Extent, find_end
from coai_agents.completion.stop.wrapping import code_of
from coai_routing.pool.speed import TYPICAL_TOKENS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from coai_agents.completion.cursor import Cursor
    from coai_routing.request import Delta, ModelReply

    WholeBlock = Callable[[str], int | None]
    """Says after how many characters of a text the block that it began is whole, if it is."""

_BEGINNING: Final = 16
"""So many characters of a line tell whether it still belongs to the block above it."""


@dataclass(slots=True)
class InFlightCompletion:
    """What has come so far, and a way to wait for more."""

    cursor: Cursor
    single_line: bool
    patient: bool = False
    """Whether the text may leave its block on the way to what stands after the cursor."""
    prepared: bool = False
    look: Callable[[], Ground] = Ground
    """Finds out what is known of the place."""
    backend: str = ""
    model: str = ""
    here: bool = True
    """Whether the backend is on this machine, or on one that the user trusts."""
    text: str = ""
    """What has come of code, from the cursor on, with `\\n` line ends."""
    raw: str = ""
    """What has come, with whatever is around the code."""
    primed: str = ""
    """What the model was told that its text begins with."""
    extent: Extent | None = None
    """Where the suggestion ends; None while it may go on."""
    reply: ModelReply | None = None
    refusal: tuple[Reason, str] | None = None
    """Why nothing will come, with details; None unless it failed."""
    flow: Flow | None = None
    """When the pieces of the answer that is coming came."""
    expected: float | None = None
    """Seconds that a usual line takes, by the pace of the last answers; None if that is unknown."""
    patient_until: float = float("inf")
    """When patience is over, in the event loop's time."""
    hurried: bool = False
    """Whether patience is over: the whole lines that are there are shown, and the rest later."""
    task: asyncio.Task[None] | None = None
    _ground: Ground | None = None
    ended: Signal = field(default_factory=Signal)
    """Set when nothing more will come."""
    changed: Signal = field(default_factory=Signal)
    """Set when more has come or it has ended; each piece brings a new one."""

    @property
    def ground(self) -> Ground:
        """What is known of the place; found out when the first piece has come, not before."""
        if self._ground is None:
            self._ground = self.look()
        return self._ground

    def agrees(self, cursor: Cursor) -> bool:
        """Say whether this may still answer a request at `cursor`."""
        if cursor.uri != self.cursor.uri:
            return False
        if auto_closed(self.cursor.suffix, cursor.suffix) is None:
            return False
        typed = cursor.typed_since(self.cursor.prefix)
        if typed is None:
            return False
        if not typed:
            return True
        # Before the first piece has come nothing speaks for it; asking anew costs one token.
        return bool(self.text) and (self.text.startswith(typed) or typed.startswith(self.text))

    def ends_within(self, seconds: float) -> bool:
        """Say whether a line that is being written is likely to be whole so soon."""
        return self.flow is not None and self.flow.rest(TYPICAL_TOKENS) <= seconds

    def notify(self) -> None:
        """Wake everybody who waits."""
        before, self.changed = self.changed, Signal()
        before.set()

    def fail(self, error: BaseException) -> None:
        """Note that a flaw of our own ended it, which says nothing of the model."""
        self.text = ""
        self.refusal = (Reason.INTERNAL_ERROR, type(error).__name__)

    def end(self) -> None:
        """Note that nothing more will come."""
        self.ended.set()
        self.notify()

    def cancel(self) -> None:
        """Close the connection to the backend, unless it is over."""
        if self.task is not None and not self.task.done():
            self.refusal = (Reason.SUPERSEDED, "")
            self.task.cancel()

    async def receive(
        self,
        deltas: AsyncIterator[Delta],
        whole_block: WholeBlock | None,
        *,
        primed: str = "",
        healed: str = "",
    ) -> bool:
        """Take in a stream until the suggestion is whole; False if it does not begin with `healed`.

        `primed` is what the model was told that its text begins with. `healed` is white space at
        the end of that, or before the cursor, that was left out of the prompt, so that the model
        meets it as part of its next token; it has to write it again.
        """
        self.text = self.primed = primed
        self.raw, self.extent = "", None
        pending = healed
        carry = ""
        now = asyncio.get_running_loop().time
        self.flow = Flow(began=now())
        async for delta in deltas:
            if delta.text:
                self.flow.piece(now())
            piece = carry + delta.text
            carry = ""
            if delta.reply is not None:
                self.reply = delta.reply
            elif piece.endswith("\r"):
                piece, carry = piece[:-1], "\r"
            if pending and piece:
                if not piece.startswith(pending):
                    return False
                piece, pending = piece[len(pending) :], ""
            if piece:
                self._take(unify_line_ends(piece), whole_block)
                if self.extent is not None or (self.hurried and self.settle()):
                    return True
        if self.extent is None:
            self._end(whole=True)
        return not pending

    @property
    def has_whole_line(self) -> bool:
        """Whether something could be shown that does not end in the middle of a line."""
        return bool(self.text.rpartition("\n")[0].strip())

    def settle(self) -> bool:
        """Make do with the whole lines that have come; False if there are none."""
        if not self.has_whole_line:
            return False
        self.raw, self.primed = self.text.rpartition("\n")[0], ""
        self._end(whole=True)
        return True

    def _take(self, piece: str, whole_block: WholeBlock | None) -> None:
        self.raw += piece
        self._end(whole=False)
        # A block is whole when a line ends, or when the next one begins with what is outside of it.
        head, _, line = self.text.rpartition("\n")
        turning = "\n" in piece or (head and len(line.strip()) < _BEGINNING)
        if self.extent is None and whole_block is not None and turning:
            length = whole_block(self.text)
            if length is not None:
                self.extent = Extent(length, End.BLOCK)
        self.notify()

    def _end(self, *, whole: bool) -> None:
        code = code_of(self.raw, self.ground, whole=whole)
        around = self.cursor.around
        if not around.at_line_start and around.line_prefix[-1] in " \t":
            # Some models write the blank again that stands before the cursor.
            code = code.lstrip(" \t")
        code = indented_as_the_file(code, self.cursor, primed=self.primed)
        self.text = self.primed + code
        self.extent = find_end(
            self.text,
            around,
            whole=whole,
            single_line=self.single_line,
            patient=self.patient,
        )
