"""The process that analyses: it answers, is replaced when it fails, and ends with its owner."""

from __future__ import annotations

import asyncio
import io
import json
import sys

import pytest

from coai_agents.source import Source
from coai_agents.static.analyzer import analyse
from coai_agents.static.encoding import from_document, to_document
from coai_agents.static.worker import AnalysisError, AnalysisWorker, serve

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
    line = json.dumps(asked).encode() + b"\n"
    written = io.BytesIO()
    serve(io.BytesIO(line * 2), written)
    answers = [from_document(json.loads(each)) for each in written.getvalue().splitlines()]
    assert answers == [analyse(_SOURCE)] * 2


async def test_a_process_answers_and_ends() -> None:
    worker = AnalysisWorker(seconds=PATIENCE)
    await worker.aclose()
    first, second = await asyncio.gather(worker.analyse(_SOURCE), worker.analyse(_SOURCE))
    assert first == second == analyse(_SOURCE)
    await worker.aclose()


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
