"""The router of a user's daemon, for commands: its models are there, and a command's are not.

A command is carried out where it was started: its arguments, files, standard input, terminal and
exit code are its own. Only its questions to models go to the daemon, each by a connection of its
own; whoever stops waiting closes it, which cancels the question there. Where the daemon is gone
the same questions are asked by models of the command's own.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from coai_routing.errors import ReplyCutOffError
from coai_server.shared.client import Absent, connect
from coai_server.shared.questions import (
    ANSWER,
    MODELS,
    MOST_BYTES,
    PIECES,
    question_as_json,
    read_delta,
    read_error,
    read_routed,
)
from coai_server.shared.talk import TalkError, decoded, encoded

if TYPE_CHECKING:
    import socket
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from coai_routing.policy.question import Question
    from coai_routing.request import Delta
    from coai_routing.router.interface import Answers
    from coai_routing.router.router import Routed

DOOR: Final = "answer"

SILENCE_SECONDS: Final = 15.0
"""How long the daemon may say nothing; it says every few seconds that it is working."""

_GONE: Final = (TalkError, OSError, ValueError)
"""What a daemon that ended, froze or makes no sense shows as."""


class SharedRouter:
    """Answers by the daemon, or by `own` from the moment that there is none."""

    def __init__(
        self, root: Path, own: Callable[[], Awaitable[Answers]], say: Callable[[str], None]
    ) -> None:
        """Ask with the settings of the folder `root`; `say` is told why the daemon is not used."""
        self._root = str(root)
        self._open_own = own
        self._say = say
        self._own: Answers | None = None
        self._opening = asyncio.Lock()
        self._ready: socket.socket | None = None
        """A connection that nothing has been asked by."""

    async def open(self) -> None:
        """Find the daemon, or have models of one's own."""
        found = await asyncio.to_thread(connect, DOOR, [self._root])
        if isinstance(found, Absent):
            await self._leave(found.why)
        else:
            self._ready = found

    def close(self) -> None:
        """Let go of the daemon."""
        if self._ready is not None:
            self._ready.close()

    async def answer(self, question: Question) -> Routed:
        """Return a whole answer; see `Router.answer`."""
        if self._own is None:
            try:
                async with aclosing(self._lines(question, ANSWER)) as lines:
                    async for line in lines:
                        return read_routed(line["answer"])
            except _GONE as error:
                await self._leave(f"It broke off: {_why(error)}")
        return await self._owned().answer(question)

    async def models(self, question: Question) -> tuple[str, ...]:
        """Return the names of the models that could answer; see `Router.models`."""
        if self._own is None:
            try:
                async with aclosing(self._lines(question, MODELS)) as lines:
                    async for line in lines:
                        return tuple(map(str, line["models"]))
            except _GONE as error:
                await self._leave(f"It broke off: {_why(error)}")
        return await self._owned().models(question)

    async def stream(self, question: Question) -> AsyncGenerator[Delta]:
        """Yield an answer as it comes; see `Router.stream`."""
        said: list[str] = []
        if self._own is None:
            try:
                async with aclosing(self._lines(question, PIECES)) as lines:
                    async for line in lines:
                        delta = read_delta(line["piece"])
                        said.append(delta.text)
                        yield delta
                        if delta.reply is not None:
                            return
            except _GONE as error:
                if text := "".join(said):
                    raise ReplyCutOffError(
                        f"COAI's daemon broke off in the middle of an answer: {_why(error)}",
                        provider="daemon",
                        remedy="Ask again: without a daemon `coai` works by itself.",
                        partial=text,
                    ) from error
                await self._leave(f"It broke off: {_why(error)}")
        async with aclosing(self._owned().stream(question)) as deltas:
            async for delta in deltas:
                yield delta

    async def _lines(self, question: Question, wants: str) -> AsyncGenerator[dict[str, Any]]:
        """Ask, and yield what answers; raises the error that is told, or one of `_GONE`."""
        reader, writer = await self._connected()
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                told = {"question": question_as_json(question), "wants": wants}
                writer.write(encoded(told))
                await writer.drain()
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    read = await reader.readline()
                if not read:
                    raise TalkError("It ended.")
                line = decoded(read)
                if "error" in line:
                    raise read_error(line["error"])
                if "working" not in line:
                    yield line
        finally:
            writer.close()

    async def _connected(self) -> tuple[StreamReader, StreamWriter]:
        found, self._ready = self._ready, None
        if found is None:
            connected = await asyncio.to_thread(connect, DOOR, [self._root])
            if isinstance(connected, Absent):
                raise TalkError(connected.why or "It has ended.")
            found = connected
        return await asyncio.open_connection(sock=found, limit=MOST_BYTES)

    async def _leave(self, why: str) -> None:
        """Ask the daemon nothing more; several questions may find out at once."""
        async with self._opening:
            if self._own is None:
                if why:
                    self._say(f"Works without the daemon: {why}")
                self._own = await self._open_own()

    def _owned(self) -> Answers:
        assert self._own is not None, "whoever comes here has left the daemon"
        return self._own


def _why(error: Exception) -> str:
    return f"{str(error).rstrip('.')}." if str(error) else "It does not answer."
