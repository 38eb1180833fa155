"""Analysis in a process of its own, so that no keystroke ever waits for it.

Analysing holds the interpreter for tens of milliseconds, in a thread as well. The worker is one
process that stays: it is asked in lines of JSON on its standard input and answers in lines of JSON
on its standard output, and it ends when its input does, so it never outlives who started it. Each
question has a number that its answer repeats: who is cancelled gives up the answer, and the process
and what it knows stay. What it says on its standard error is logged.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import logging
import os
import select
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar

from coai_agents.analysis.findings.encoding import from_document, to_document
from coai_agents.fixes.fix import Fix
from coai_agents.source import Edit, Source, Span
from coai_routing.errors import CoaiError
from coai_routing.processes import python_command, start_async

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from coai_agents.analysis.findings.findings import Analysis
    from coai_agents.analysis.run.workspace import Workspace

_Answer = TypeVar("_Answer")

logger = logging.getLogger(__name__)

LIMIT: Final = 64 * 1024 * 1024
"""Bytes of an answer at most."""

PIECE: Final = 1 << 18
"""Code points of a text that are turned into JSON at a time."""

ANSWER_SECONDS: Final = 20.0
"""How long an answer may take, the start of the process included; after that it is replaced."""

NICENESS: Final = 5
"""How far the process stands back."""

MOST_LOGGED: Final = 1000
"""Bytes of one line of the process's standard error that are logged."""

_CLOSE_SECONDS: Final = 1.0

COMMAND: Final = python_command("coai_agents.analysis.run.worker")


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
        self._numbers = itertools.count(1)
        self._under_way: asyncio.Task[Any] | None = None
        """What is asked at the moment, whether or not somebody still waits for it."""
        self._listening: asyncio.Task[None] | None = None
        self.rules: tuple[str, ...] = ()
        """Folders and files with rules of the user's own, which count from the next question on."""
        self.folders: tuple[str, ...] = ()
        """The workspace's, through whose files values are followed from the next question on."""

    async def own_rules(self) -> Mapping[str, Any]:
        """Return what `user_rules.to_document` does there; raises `AnalysisError`."""
        return await self._answer(_NO_SOURCE, {"about": "rules"}, _mapping)

    async def write_pages(self, folder: Path, rules: Sequence[str]) -> None:
        """Have the pages of rules written into a folder; raises `AnalysisError`."""
        about = {"about": "pages", "folder": str(folder), "pages": list(rules)}
        await self._answer(_NO_SOURCE, about, _mapping)

    async def analyse(self, source: Source) -> Analysis:
        """Return what is wrong in a snapshot; raises `AnalysisError` if that cannot be found out.

        Who is cancelled gives up the answer; the process goes on.
        """
        return await self._answer(source, {}, from_document)

    async def fixes(self, source: Source, span: Span) -> tuple[Fix, ...]:
        """Return verified fixes of the findings that touch a span; raises `AnalysisError`."""
        return await self._answer(source, {"fix": [span.start, span.end]}, _fixes)

    async def harmless(self, source: Source, edits: Sequence[Edit]) -> bool:
        """Say whether edits together do no harm, see `verifier`; raises `AnalysisError`."""
        return await self._answer(source, {"try": _plain(edits)}, bool)

    async def solves(self, source: Source, edits: Sequence[Edit], rule: str) -> bool:
        """Say whether edits do no harm and leave less of a rule; raises `AnalysisError`."""
        return await self._answer(source, {"try": _plain(edits), "gone": rule}, bool)

    async def doubts(
        self, source: Source, analysis: Analysis, path: str
    ) -> list[tuple[str, str] | None]:
        """Return what speaks for less severity of each finding: its kind, and why.

        Raises `AnalysisError`.
        """
        about = {"doubt": to_document(analysis), "path": path}
        return await self._answer(source, about, _doubts)

    async def _answer(
        self, source: Source, more: Mapping[str, object], read: Callable[[Any], _Answer]
    ) -> _Answer:
        asked = {
            "uri": source.uri,
            "language": source.language,
            "version": source.version,
            "rules": self.rules,
            "folders": self.folders,
            **more,
        }
        async with self._turn:
            if self._under_way is not None:
                await asyncio.wait((self._under_way,))
            self._under_way = asyncio.create_task(self._answered(asked, source.text, read))
            return await asyncio.shield(self._under_way)

    async def _answered(
        self, asked: Mapping[str, object], text: str, read: Callable[[Any], _Answer]
    ) -> _Answer:
        try:
            async with asyncio.timeout(self._seconds):
                return read(await self._ask(asked, text))
        except TimeoutError as error:
            await self._replace()
            raise AnalysisError(f"{asked['uri']} took too long to be analysed.") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            await self._replace()
            raise AnalysisError(
                "The process that analyses documents ended.", remedy="It is started again."
            ) from error

    async def _ask(self, asked: Mapping[str, object], text: str) -> object:
        """Return the answer of the question's own number."""
        process = self._process
        if process is None or process.returncode is not None:
            process = await self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        number = next(self._numbers)
        for piece in line_of({"id": number, **asked}, text):
            process.stdin.write(piece)
            await process.stdin.drain()
        while True:
            reply = json.loads(await process.stdout.readline())
            if reply["id"] == number:
                return reply["answer"]

    async def _start(self) -> Process:
        process = self._process = await start_async(
            self._command, limit=LIMIT, stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        self._listening = asyncio.create_task(_log_lines(process.stderr))
        return process

    async def _replace(self) -> None:
        """Kill the process, so that the next question starts another one."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()
        await self._heard()

    async def _heard(self) -> None:
        """Wait until all that a process said before it ended is logged."""
        listening, self._listening = self._listening, None
        if listening is not None:
            await asyncio.wait((listening,), timeout=_CLOSE_SECONDS)
            listening.cancel()

    async def aclose(self) -> None:
        """End the process."""
        if self._under_way is not None:
            self._under_way.cancel()
            await asyncio.wait((self._under_way,))
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            assert process.stdin is not None
            process.stdin.close()
            try:
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await process.wait()
            except TimeoutError:
                logger.warning("The process that analyses documents had to be killed.")
                process.kill()
                await process.wait()
        await self._heard()


async def _log_lines(said: asyncio.StreamReader) -> None:
    """Log what a process says, line by line, until it ends."""
    line = b""
    while piece := await said.read(MOST_LOGGED):
        *whole, line = (line + piece).split(b"\n")
        for each in (*whole, *([line] if len(line) > MOST_LOGGED else ())):
            _log_line(each)
        if len(line) > MOST_LOGGED:
            line = b""
    _log_line(line)


def _log_line(line: bytes) -> None:
    if text := line[:MOST_LOGGED].decode("utf-8", "replace").rstrip():
        logger.warning("The process that analyses documents says: %s", text)


_NO_SOURCE: Final = Source("untitled:rules", "", "plaintext")


def _plain(edits: Sequence[Edit]) -> list[tuple[int, int, str]]:
    return [(each.span.start, each.span.end, each.text) for each in edits if each.span is not None]


def _edits(plain: Sequence[tuple[int, int, str]]) -> tuple[Edit, ...]:
    return tuple(Edit(Span(start, end), text) for start, end, text in plain)


def _doubts(document: Sequence[Sequence[str] | None]) -> list[tuple[str, str] | None]:
    return [None if each is None else (str(each[0]), str(each[1])) for each in document]


def _mapping(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return dict(document)


def _fixes(document: Sequence[Mapping[str, Any]]) -> tuple[Fix, ...]:
    return tuple(
        Fix(
            title=each["title"],
            rule=each["rule"],
            span=Span(*each["span"]),
            edits=_edits(each["edits"]),
            preferred=each["preferred"],
        )
        for each in document
    )


def serve(reading: BinaryIO, writing: BinaryIO) -> None:
    """Answer each line with an analysis or with fixes, until there are no more."""
    from coai_agents.analysis.rules import user_rules  # noqa: PLC0415 - the daemon needs none of it

    # An analysis makes many objects, and no cycles that matter while it lasts.
    gc.set_threshold(100_000, 50, 50)
    for line in _questions(reading):
        asked: dict[str, Any] = json.loads(line)
        del line  # An analysis needs the room.
        user_rules.use(asked.get("rules", ()))
        reply = {"id": asked["id"], "answer": _answer(asked)}
        writing.write(json.dumps(reply).encode() + b"\n")
        writing.flush()


_WORKSPACES: Final[dict[tuple[str, ...], Workspace]] = {}
"""The one workspace that documents are of, by its folders."""


def _questions(reading: BinaryIO) -> Iterator[bytes]:
    """Yield what is asked; while nothing is, read files that there was no time for."""
    while True:
        more = True
        while more and not _is_asked(reading):
            more = any(workspace.read_waiting() for workspace in _WORKSPACES.values())
        line = reading.readline()
        if not line:
            return
        yield line


def _is_asked(reading: BinaryIO) -> bool:
    """Say whether there is a question, or none can be seen coming."""
    try:
        ready, _, _ = select.select([reading], [], [], 0)
    except (OSError, ValueError):
        # What is no pipe of a system that can tell: nothing is done beside the questions.
        return True
    return bool(ready)


def _workspace(folders: Sequence[str]) -> Workspace | None:
    if not folders:
        return None
    from coai_agents.analysis.run.workspace import Workspace  # noqa: PLC0415 - the daemon needs none of it

    key = tuple(folders)
    if key not in _WORKSPACES:
        _WORKSPACES.clear()
        _WORKSPACES[key] = Workspace([Path(each) for each in key])
    return _WORKSPACES[key]


def line_of(asked: Mapping[str, object], text: str) -> Iterator[bytes]:
    """Yield a question and the text that it is about as one line of JSON, a piece at a time.

    A long text is then neither in memory three times nor turned into JSON in one go, which would
    keep the event loop from everything else.
    """
    yield json.dumps(asked).removesuffix("}").encode() + b', "text": "'
    for start in range(0, len(text), PIECE):
        yield json.dumps(text[start : start + PIECE])[1:-1].encode()
    yield b'"}\n'


def _answer(asked: Mapping[str, Any]) -> object:
    from coai_agents.analysis.run.analyzer import analyse  # noqa: PLC0415 - the daemon needs none of it
    from coai_agents.specialists.security.findings import with_dependencies  # noqa: PLC0415 - as above

    if "about" in asked:
        return _told(asked)
    source = Source(asked["uri"], asked["text"], asked["language"], asked["version"])
    if "try" in asked:
        from coai_agents.fixes.verifier import harmless, means_the_same  # noqa: PLC0415 - as above

        before, edits = analyse(source), _edits(asked["try"])
        after, rule = harmless(source, edits, before), asked.get("gone")
        if after is None or rule is None:
            return after is not None
        gone = _count(after, rule) < _count(before, rule)
        return gone and means_the_same(source, edits, rule)
    if "doubt" in asked:
        from coai_agents.specialists.security.triage.agent import doubts  # noqa: PLC0415 - as above

        findings = from_document(asked["doubt"]).findings
        found = doubts(source, findings, asked["path"])
        return [None if each is None else (each.kind, each.reason) for each in found]
    workspace = _workspace(asked.get("folders", ()))
    found = analyse(source) if workspace is None else workspace.analyse(source)
    analysis = with_dependencies(source, found)
    touched = asked.get("fix")
    return to_document(analysis) if touched is None else _fixed(source, analysis, touched)


def _count(analysis: Analysis, rule: str) -> int:
    return sum(each.rule == rule for each in analysis.findings)


def _told(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    from coai_agents.analysis.rules import user_rules  # noqa: PLC0415 - the daemon needs none of it

    if asked["about"] == "pages":
        from coai_agents.analysis.rules.rule_pages import write  # noqa: PLC0415

        write(Path(asked["folder"]), asked["pages"])
    return user_rules.to_document()


def _fixed(source: Source, analysis: Analysis, touched: Sequence[int]) -> list[dict[str, Any]]:
    from coai_agents.fixes.proposals import fixes_touching  # noqa: PLC0415 - not before one is asked for

    return [
        {
            "title": fix.title,
            "rule": fix.rule,
            "span": [fix.span.start, fix.span.end],
            "edits": _plain(fix.edits),
            "preferred": fix.preferred,
        }
        for fix in fixes_touching(source, Span(*touched), analysis)
    ]


def _step_back() -> None:
    """Leave the processor to completions where both want it."""
    if sys.platform != "win32":
        os.nice(NICENESS)


if __name__ == "__main__":
    _step_back()
    serve(sys.stdin.buffer, sys.stdout.buffer)
