"""A model whose every token a test hands out, for orders of events that no real one repeats."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coai_agents.source import Edit, Source, Span
from coai_routing.errors import ProviderError
from coai_routing.pool.backends import Absence, Backend
from coai_routing.pool.speed import Speed
from coai_routing.registry.catalog import load_catalog
from coai_routing.request import Delta, ModelReply, ModelRequest, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from coai_agents.completion.cursor import Cursor
    from coai_agents.completion.outcome import Reason, Trigger
    from coai_agents.context.selection import ContextFile

FIM = load_catalog().families[0].fim
MIDDLE = FIM.middle


@dataclass(eq=False)
class Call:
    """One request to the model, as the test sees it."""

    request: ModelRequest
    pieces: asyncio.Queue[str | ProviderError | None] = field(
        default_factory=asyncio.Queue[str | ProviderError | None]
    )
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the connection is closed, from either side."""

    @property
    def open(self) -> bool:
        """Whether the connection is still open."""
        return not self.closed.is_set()

    @property
    def tail(self) -> str:
        """What stands after the middle token: what was typed since the prompt was frozen."""
        return (self.request.prompt or "").rpartition(MIDDLE)[2]

    def say(self, *pieces: str) -> None:
        """Hand out text."""
        for piece in pieces:
            self.pieces.put_nowait(piece)

    async def heard(self) -> None:
        """Wait until all that was handed out has been taken in."""
        async with asyncio.timeout(5):
            await self.pieces.join()

    def end(self) -> None:
        """End the answer."""
        self.pieces.put_nowait(None)

    def fail(self, error: ProviderError) -> None:
        """Break the connection."""
        self.pieces.put_nowait(error)


class ScriptedBackends:
    """Stands in for `Backends`. `answer` says what the model writes at once; None to wait."""

    def __init__(self, answer: Callable[[ModelRequest], str | None] | None = None) -> None:
        self.calls: list[Call] = []
        self._called = asyncio.Condition()
        self.answer = answer
        self.names: Sequence[str] = ("scripted",)
        self.local = True
        self.holds_reading = False
        """Whether what is only to be read waits for the test, too."""
        self.why_none = Absence("no_backend", "")

    def candidates(self) -> tuple[Backend, ...]:
        """Return a backend for each name."""
        return tuple(
            Backend(
                name=name,
                model="m",
                base_url="http://127.0.0.1",
                fim=FIM,
                context_tokens=4096,
                speed=Speed(1000, 100),
                latency_ms=50,
                has_slots=True,
                reads_ahead=True,
                local=self.local,
            )
            for name in self.names
        )

    def absence(self) -> Absence:
        """Say why there is none."""
        return self.why_none

    async def count_tokens(self, backend: Backend, text: str) -> int | None:
        """Say that it has no tokenizer."""
        return None

    async def stream(self, backend: Backend, request: ModelRequest) -> AsyncGenerator[Delta]:
        """Yield what the test hands out."""
        call = Call(request)
        async with self._called:
            self.calls.append(call)
            self._called.notify_all()
        if request.max_tokens == 0:
            answer = None if self.holds_reading else ""
        else:
            answer = self.answer and self.answer(request)
        if answer is not None:
            call.say(answer)
            call.end()
        text = ""
        try:
            while (piece := await call.pieces.get()) is not None:
                if isinstance(piece, Exception):
                    raise piece
                text += piece
                yield Delta(text=piece)
                call.pieces.task_done()
            usage = Usage(prompt_tokens=100, cached_tokens=99, output_tokens=5)
            reply = ModelReply(
                text=text, finish="stop", model="m", provider=backend.name, usage=usage, slot=0
            )
            yield Delta(reply=reply)
        finally:
            call.closed.set()

    async def called(self, count: int) -> Call:
        """Wait until the model was asked so many times; return the last call."""
        async with asyncio.timeout(5), self._called:
            await self._called.wait_for(lambda: len(self.calls) >= count)
        return self.calls[count - 1]


class OpenEgressGate:
    """Lets everything through, so that what else decides is seen."""

    async def check(self, source: Source, above: str, *, backend: str) -> None:
        """Refuse nothing."""

    async def permitted(
        self, source: Source, files: Sequence[ContextFile], *, backend: str
    ) -> tuple[ContextFile, ...]:
        """Return all."""
        return tuple(files)


class OpenGate:
    """Lets everything pass unless told otherwise."""

    def __init__(self) -> None:
        self.refused: tuple[Reason, str] | None = None

    async def refusal(
        self, source: Source, cursor: Cursor, trigger: Trigger
    ) -> tuple[Reason, str] | None:
        """Return what the test set."""
        return self.refused


class NoContext:
    """Shows the model nothing but the document."""

    def files(self, source: Source, cursor: Cursor, budget: int) -> Sequence[ContextFile]:
        """Return nothing."""
        return ()


class Editor:
    """One document and a cursor, typed in by a test."""

    def __init__(self, text: str, uri: str = "file:///work/a.py") -> None:
        before, _, after = text.partition("|")
        self.source = Source(uri, before + after, language="python", version=1)
        self.offset = len(before)
        self.on_change: Callable[[Source], None] = lambda _: None

    def document(self, uri: str) -> Source | None:
        """Return the document as it is now."""
        return self.source if uri == self.source.uri else None

    def type(self, text: str) -> None:
        """Insert at the cursor."""
        self._edit(Span(self.offset, self.offset), text)
        self.offset += len(text)

    def delete(self, count: int = 1) -> None:
        """Take back characters before the cursor."""
        start = max(0, self.offset - count)
        self._edit(Span(start, self.offset), "")
        self.offset = start

    def _edit(self, span: Span, text: str) -> None:
        self.source = self.source.apply(Edit(span, text), version=self.source.version + 1)
        self.on_change(self.source)
