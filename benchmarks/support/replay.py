"""Typing, replayed: through the daemon as VS Code does it, and against llama.cpp as plug-ins do.

Both see the same keystrokes. The daemon's run decides them, because what it suggests is accepted;
the plain client's run then follows the same edits. Where the user looks up and waits, each waits
for its own answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from coai_agents.source import Span
from coai_server.editor import Trigger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from benchmarks.support.typist import Passage, Stroke, Typist
    from coai_server.editor import Buffer, Editor

OPEN_SECONDS: Final = 1.5
"""Between opening a file and the first keystroke."""

LONGEST_WAIT: Final = 15.0
"""Nobody waits longer for a suggestion."""

DEBOUNCE_SECONDS: Final = 0.150
"""The plain client's, as in many editor plug-ins."""

ASKED_WHY: Final = 80
"""Keystrokes after which the daemon is asked what became of them; it remembers 200 requests."""


@dataclass(slots=True, eq=False)
class Moment:
    """One keystroke and what came of it. Times are of `time.perf_counter`."""

    stroke: Stroke
    at: float
    line: int
    as_suggested: bool = False
    """Whether the keystroke was the next character of what was on screen."""
    answered: float | None = None
    """When the answer came; None if the next keystroke came before it."""
    text: str = ""
    """What was suggested."""
    identity: int | None = None
    """By which the daemon knows the suggestion."""
    origin: str = ""
    """Where the daemon says that its suggestion came from."""
    evaluated: int = 0
    """Prompt tokens that the daemon says were evaluated for it."""

    @property
    def latency_ms(self) -> float | None:
        """From the keystroke to the answer."""
        return None if self.answered is None else (self.answered - self.at) * 1000


class _Replay:
    """One file being typed in: a request under way, and the moments so far."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self._pending: asyncio.Task[None] | None = None

    async def wait(self, since: float, seconds: float, *, looks_up: bool) -> None:
        """Let time pass until the next keystroke."""
        if looks_up and self._pending is not None:
            await asyncio.wait((self._pending,), timeout=LONGEST_WAIT)
        await asyncio.sleep(max(0.0, since + seconds - time.perf_counter()))

    async def finish(self) -> None:
        """Wait for the last answer."""
        if self._pending is not None:
            await asyncio.wait((self._pending,), timeout=LONGEST_WAIT)
            await self._drop()

    async def _drop(self) -> None:
        if self._pending is not None:
            self._pending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._pending
            self._pending = None


class DaemonReplay(_Replay):
    """Types a passage through the daemon."""

    def __init__(self, editor: Editor, passage: Passage, typist: Typist) -> None:
        super().__init__()
        self._editor = editor
        self._passage = passage
        self._typist = typist
        self._shown = ""
        self._command: Mapping[str, Any] | None = None
        self._answers: list[Moment] = []
        self._events: list[Mapping[str, Any]] = []

    async def run(self) -> list[Moment]:
        """Type all of it; return each keystroke."""
        passage = self._passage
        buffer = self._editor.open(passage.name, passage.before + passage.after, passage.language)
        buffer.cursor = len(passage.before)
        await asyncio.sleep(OPEN_SECONDS)
        last = time.perf_counter()
        while not self._typist.done:
            seconds, looks_up = self._typist.pause()
            await self.wait(last, seconds, looks_up=looks_up)
            stroke = self._typist.stroke(self._shown, seconds, pauses=looks_up)
            last = await self._press(buffer, stroke)
            if len(self.moments) % ASKED_WHY == 0:
                await self._ask_why()
        await self.finish()
        await self._ask_why()
        buffer.close()
        tell_origins(self._answers, self._events)
        return self.moments

    async def _press(self, buffer: Buffer, stroke: Stroke) -> float:
        shown = self._shown
        goes_on = not stroke.delete and not stroke.accepts and shown.startswith(stroke.text)
        as_suggested = goes_on and len(shown) > len(stroke.text)
        self._shown = shown[len(stroke.text) :] if as_suggested else ""
        at = time.perf_counter()
        buffer.replace(Span(buffer.cursor - stroke.delete, buffer.cursor), stroke.text)
        if stroke.accepts and self._command is not None:
            await self._editor.request("workspace/executeCommand", self._command)
        # VS Code tells of the change, cancels what is under way, and asks anew.
        await self._drop()
        line = buffer.source.line_at(buffer.cursor)
        moment = Moment(stroke, at, line, as_suggested=as_suggested)
        self.moments.append(moment)
        self._pending = asyncio.create_task(self._ask(buffer, moment))
        return at

    async def _ask(self, buffer: Buffer, moment: Moment) -> None:
        ghosts = await buffer.ask(Trigger.AUTOMATIC)
        moment.answered = time.perf_counter()
        self._answers.append(moment)
        self._shown = ""
        if ghosts and ghosts[0].span.start == ghosts[0].span.end:
            moment.text = self._shown = ghosts[0].text
            command = ghosts[0].command or {}
            self._command = {key: command[key] for key in ("command", "arguments")}
            moment.identity = int(command["arguments"][0])

    async def _ask_why(self) -> None:
        """Ask what became of the requests so far."""
        newest_first = await self._editor.request(
            "workspace/executeCommand", {"command": "coai.why"}
        )
        self._events = joined(self._events, list(reversed(newest_first)))


def joined(
    known: Sequence[Mapping[str, Any]], latest: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return a history and its newest part, which may overlap, as one; both oldest first."""
    if known and known[-1] in latest:
        place = len(latest) - 1 - list(reversed(latest)).index(known[-1])
        latest = latest[place + 1 :]
    return [*known, *latest]


def tell_origins(answers: Sequence[Moment], events: Sequence[Mapping[str, Any]]) -> None:
    """Write into each moment what the daemon says of its answer.

    Both are in the order in which they came about, but the daemon may have answered what the
    editor cancelled in the same instant. Only suggestions have an identity to be known by.
    """
    suggestions = [event for event in events if event["kind"] == "suggestion"]
    place = 0
    for moment in answers:
        if not moment.text:
            continue
        for index in range(place, len(suggestions)):
            event = suggestions[index]
            if event["identity"] == moment.identity and event["line"] == moment.line:
                moment.origin = str(event["origin"])
                moment.evaluated = int(event["evaluatedTokens"])
                place = index + 1
                break


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the plain client sends, in characters, and how much it may get, in tokens."""

    prefix: int
    suffix: int
    tokens: int

    def prefix_of(self, text: str) -> str:
        """Return the end of what stands before the cursor, from the beginning of a line on."""
        start = len(text) - self.prefix
        if start <= 0:
            return text
        line_end = text.find("\n", start)
        return text[line_end + 1 :] if line_end >= 0 else text[start:]


class PlainReplay(_Replay):
    """Makes the same edits against a bare llama.cpp server, debounced, by `/infill`."""

    def __init__(
        self, client: httpx.AsyncClient, passage: Passage, strokes: Sequence[Stroke], limits: Limits
    ) -> None:
        super().__init__()
        self._client = client
        self._passage = passage
        self._strokes = strokes
        self._limits = limits

    async def run(self) -> list[Moment]:
        """Make every edit; return each keystroke."""
        before = self._passage.before
        await asyncio.sleep(OPEN_SECONDS)
        last = time.perf_counter()
        for stroke in self._strokes:
            await self.wait(last, stroke.after, looks_up=stroke.pauses)
            last = time.perf_counter()
            await self._drop()
            before = before[: len(before) - stroke.delete] + stroke.text
            moment = Moment(stroke, last, before.count("\n"))
            self.moments.append(moment)
            self._pending = asyncio.create_task(self._ask(before, moment))
        await self.finish()
        return self.moments

    async def _ask(self, before: str, moment: Moment) -> None:
        await asyncio.sleep(DEBOUNCE_SECONDS)
        body = {
            "input_prefix": self._limits.prefix_of(before),
            "input_suffix": self._passage.after[: self._limits.suffix],
            "n_predict": self._limits.tokens,
            "stop": ["\n"],
            "temperature": 0,
            "cache_prompt": True,
            "stream": True,
        }
        text = ""
        # Cancelled, this closes the connection.
        async with self._client.stream("POST", "/infill", json=body) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    text += str(json.loads(line.removeprefix("data: ")).get("content", ""))
        moment.answered = time.perf_counter()
        moment.text = text
