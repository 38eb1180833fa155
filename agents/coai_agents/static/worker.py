"""Analysis in a process of its own, so that no keystroke ever waits for it.

Analysing holds the interpreter for tens of milliseconds, in a thread as well. The worker is one
process that stays: it is asked in lines of JSON on its standard input and answers in lines of JSON
on its standard output, and it ends when its input does, so it never outlives who started it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from coai_agents.source import Source
from coai_agents.static.encoding import from_document, to_document
from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Sequence

    from coai_agents.static.findings import Analysis

logger = logging.getLogger(__name__)

LIMIT: Final = 64 * 1024 * 1024
"""Bytes of an answer at most."""

ANSWER_SECONDS: Final = 20.0
"""How long an answer may take, the start of the process included; after that it is replaced."""

NICENESS: Final = 5
"""How far the process stands back."""

_CLOSE_SECONDS: Final = 1.0

COMMAND: Final = (sys.executable, "-m", "coai_agents.static.worker")


class AnalysisError(CoaiError):
    """The worker did not answer."""


class AnalysisWorker:
    """One process that analyses documents, one after the other; started when first asked."""

    def __init__(
        self, *, command: Sequence[str] = COMMAND, seconds: float = ANSWER_SECONDS
    ) -> None:
        self._command = command
        self._seconds = seconds
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def analyse(self, source: Source) -> Analysis:
        """Return what is wrong in a snapshot; raises `AnalysisError` if that cannot be found out.

        Who is cancelled while the worker is at it leaves it to be replaced: its answer would be
        taken for the next one's.
        """
        asked = {
            "uri": source.uri,
            "text": source.text,
            "language": source.language,
            "version": source.version,
        }
        line = json.dumps(asked).encode() + b"\n"
        async with self._turn:
            done = False
            try:
                async with asyncio.timeout(self._seconds):
                    answer = await self._ask(line)
                analysis = from_document(json.loads(answer))
                done = True
            except TimeoutError as error:
                raise AnalysisError(f"{source.uri} took too long to be analysed.") from error
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise AnalysisError(
                    "The process that analyses documents ended.", remedy="It is started again."
                ) from error
            finally:
                if not done:
                    await self._replace()
        return analysis

    async def _ask(self, line: bytes) -> bytes:
        process = self._process
        if process is None or process.returncode is not None:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=LIMIT,
            )
            self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line)
        await process.stdin.drain()
        return await process.stdout.readline()

    async def _replace(self) -> None:
        """Kill the process, so that the next question starts another one."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()

    async def aclose(self) -> None:
        """End the process."""
        process = self._process
        self._process = None
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await process.wait()
        except TimeoutError:
            logger.warning("The process that analyses documents had to be killed.")
            process.kill()
            await process.wait()


def serve(reading: BinaryIO, writing: BinaryIO) -> None:
    """Answer each line with an analysis, until there are no more."""
    from coai_agents.static.analyzer import analyse  # noqa: PLC0415 - the daemon needs none of it

    # An analysis makes many objects, and no cycles that matter while it lasts.
    gc.set_threshold(100_000, 50, 50)
    for line in iter(reading.readline, b""):
        asked: dict[str, Any] = json.loads(line)
        source = Source(asked["uri"], asked["text"], asked["language"], asked["version"])
        writing.write(json.dumps(to_document(analyse(source))).encode() + b"\n")
        writing.flush()


def _step_back() -> None:
    """Leave the processor to completions where both want it."""
    if sys.platform != "win32":
        os.nice(NICENESS)


if __name__ == "__main__":
    _step_back()
    serve(sys.stdin.buffer, sys.stdout.buffer)
