"""The process that analyses: it answers, is replaced when it fails, and ends with its owner."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from coai_agents.analysis.findings.encoding import from_document, to_document
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.analysis.run.worker import AnalysisError, AnalysisWorker, serve
from coai_agents.source import Source

if TYPE_CHECKING:
    from pathlib import Path

_TEXT = "import os\nfrom flask import request\nos.system(request.args['é'])\n"
_SOURCE = Source("untitled:x", _TEXT, "python", version=4)
PATIENCE = 120.0
"""Seconds for a process that starts on a busy machine."""


def test_an_analysis_is_the_same_after_its_way_through_json() -> None:
    analysis = analyse(_SOURCE)
    assert analysis.findings[0].path
    assert from_document(json.loads(json.dumps(to_document(analysis)))) == analysis


def test_each_line_is_answered() -> None:
    asked = {"uri": "untitled:x", "text": _TEXT, "language": "python", "version": 4}
    lines = [json.dumps({"id": number, **asked}).encode() + b"\n" for number in (7, 9)]
    written = io.BytesIO()
    serve(io.BytesIO(b"".join(lines)), written)
    answers = [json.loads(each) for each in written.getvalue().splitlines()]
    assert [each["id"] for each in answers] == [7, 9]
    assert [from_document(each["answer"]) for each in answers] == [analyse(_SOURCE)] * 2


async def test_a_process_answers_and_ends() -> None:
    worker = AnalysisWorker(seconds=PATIENCE)
    await worker.aclose()
    first, second = await asyncio.gather(worker.analyse(_SOURCE), worker.analyse(_SOURCE))
    assert first == second == analyse(_SOURCE)
    await worker.aclose()


async def test_a_process_follows_values_through_the_files_of_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "store.py").write_text("import os\ndef run(text):\n    os.system(text)\n", "utf-8")
    text = "from flask import request\nimport store\nstore.run(request.args['é'])\n"
    source = Source((tmp_path / "app.py").as_uri(), text, "python")
    worker = AnalysisWorker(seconds=PATIENCE)
    alone = await worker.analyse(source)
    worker.folders = (str(tmp_path),)
    linked = await worker.analyse(source)
    await worker.aclose()
    assert "command-injection" not in {each.rule for each in alone.findings}
    (found,) = [each for each in linked.findings if each.rule == "command-injection"]
    assert [step.elsewhere.name for step in found.path if step.elsewhere] == ["store.py:3"]


@pytest.mark.parametrize(
    "program",
    [
        "pass",
        "input(); print('no json')",
        "input(); print('[]')",
    ],
)
async def test_a_process_that_fails_is_an_error_and_is_replaced(program: str) -> None:
    worker = AnalysisWorker(command=(sys.executable, "-c", program))
    for _ in range(2):
        with pytest.raises(AnalysisError):
            await worker.analyse(_SOURCE)
    await worker.aclose()


async def test_a_process_that_hangs_is_given_up() -> None:
    program = "import time; time.sleep(60)"
    worker = AnalysisWorker(command=(sys.executable, "-c", program), seconds=0.2)
    with pytest.raises(AnalysisError, match="too long"):
        await worker.analyse(_SOURCE)
    await worker.aclose()


ECHO = """
import json, os, sys, time
for line in sys.stdin:
    asked = json.loads(line)
    number = asked["id"]
    print(f"number {number}", file=sys.stderr, flush=True)
    while asked["uri"] == "untitled:slow" and not os.path.exists(asked["text"]):
        time.sleep(0.01)
    answer = {"fixes": [], "pid": os.getpid(), "asked": asked["uri"]}
    print(json.dumps({"id": number, "answer": answer}), flush=True)
"""
"""Answers what it was asked and who it is; about a slow document, when a file is there."""


class Echoes(AnalysisWorker):
    """Asks a process that echoes."""

    def __init__(self) -> None:
        super().__init__(command=(sys.executable, "-u", "-c", ECHO), seconds=PATIENCE)

    async def echo(self, uri: str, text: str = "") -> dict[str, Any]:
        return await self._answer(Source(uri, text, "python"), {}, dict)


async def test_a_cancelled_question_leaves_the_process_and_the_next_gets_its_own_answer(
    tmp_path: Path,
) -> None:
    worker = Echoes()
    before = await worker.echo("untitled:a")
    there = tmp_path / "there"
    slow = asyncio.create_task(worker.echo("untitled:slow", str(there)))
    waits = asyncio.create_task(worker.echo("untitled:never"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    slow.cancel()
    waits.cancel()
    for task in (slow, waits):
        with pytest.raises(asyncio.CancelledError):
            await task
    after = asyncio.create_task(worker.echo("untitled:b"))
    there.touch()
    assert await after == {**before, "asked": "untitled:b"}
    await worker.aclose()


async def test_what_the_process_says_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    worker = Echoes()
    await worker.echo("untitled:a")
    await worker.aclose()
    assert "number 1" in caplog.text


async def test_a_worker_that_is_closed_while_it_asks_leaves_nobody_waiting(tmp_path: Path) -> None:
    worker = Echoes()
    slow = asyncio.create_task(worker.echo("untitled:slow", str(tmp_path / "never")))
    await asyncio.sleep(0.05)
    await worker.aclose()
    with pytest.raises(asyncio.CancelledError):
        await slow
