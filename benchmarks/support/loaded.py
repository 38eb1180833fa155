"""Completions while other programs keep the machine busy, beside a bare server in the same run.

Both get the same places in the same files, one after the other. The daemon runs its own engine,
because what makes the difference is how that is started; the bare server runs as llama.cpp does by
itself, with the same model, and is asked for as much.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx

from benchmarks.support.daemon import NO_SERVERS, editing
from benchmarks.support.figures import Spread
from benchmarks.support.llama import llama_server
from benchmarks.support.report import SPREAD, Bar, quantity, spread_row
from coai_agents.source import Span
from coai_server.editor import Trigger

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from benchmarks.support.llama import ServerOptions
    from benchmarks.support.report import Report
    from benchmarks.support.typist import Passage
    from coai_server.editor import Buffer, Editor

IN_TIME_MS: Final = {Trigger.AUTOMATIC: 2_000.0, Trigger.INVOKED: 5_000.0}
IN_TIME_SHARE: Final = 90.0
SUGGESTED_SHARE: Final = 70.0

PLACES: Final = 8
"""Requests in each file; each fourth is one that was asked for."""

STEP: Final = 7
"""Characters typed between two of them."""

LONGEST: Final = 60.0
BARE_PREFIX: Final = 700
"""Characters, about the 210 tokens of a usual prompt."""
BARE_TOKENS: Final = 16

_SPIN: Final = "while True: pass"


@dataclass(frozen=True, slots=True)
class Request:
    """One request and its end."""

    trigger: Trigger
    ms: float
    text: str
    reason: str


@asynccontextmanager
async def busy(programs: int) -> AsyncGenerator[None]:
    """Run so many programs that do nothing but work, at the usual priority."""
    running = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", _SPIN) for _ in range(programs)
    ]
    try:
        yield
    finally:
        for program in running:
            program.kill()
            await program.wait()


async def measure_loaded(
    report: Report, server: ServerOptions, texts: Sequence[Passage], programs: int
) -> None:
    """Ask both at the same places, and hold the bars of a busy machine."""
    asked: list[Request] = []
    bare: list[float] = []
    with tempfile.TemporaryDirectory(prefix="coai-state-") as state:
        # An engine of its own: one that is running may have been started by another version.
        os.environ["XDG_STATE_HOME"] = state
        async with (
            llama_server(server) as url,
            editing(NO_SERVERS) as editor,
            busy(programs),
            httpx.AsyncClient(base_url=url, timeout=None, trust_env=False) as client,
        ):
            for passage in texts:
                asked += await _at_places(editor, passage)
                bare.append(await _ask_bare(client, passage))
    _publish(report, asked, bare)


async def _at_places(editor: Editor, passage: Passage) -> list[Request]:
    buffer = editor.open(passage.name, passage.before + passage.after, passage.language)
    buffer.cursor = len(passage.before)
    await asyncio.sleep(1.0)
    requests: list[Request] = []
    for place in range(PLACES):
        piece = passage.text[place * STEP : (place + 1) * STEP]
        for character in piece:
            buffer.replace(Span(buffer.cursor, buffer.cursor), character)
            await asyncio.sleep(0.05)
        trigger = Trigger.INVOKED if place % 4 == 3 else Trigger.AUTOMATIC
        requests.append(await _ask(editor, buffer, trigger))
    buffer.close()
    return requests


async def _ask(editor: Editor, buffer: Buffer, trigger: Trigger) -> Request:
    started = time.perf_counter()
    ghosts = await buffer.ask(trigger, seconds=LONGEST)
    ms = (time.perf_counter() - started) * 1000
    events = await editor.request("workspace/executeCommand", {"command": "coai.why"})
    reason = "" if ghosts else str(events[0].get("reason", ""))
    return Request(trigger, ms, ghosts[0].text if ghosts else "", reason)


async def _ask_bare(client: httpx.AsyncClient, passage: Passage) -> float:
    body = {
        "input_prefix": passage.before[-BARE_PREFIX:],
        "input_suffix": passage.after[:100],
        "n_predict": BARE_TOKENS,
        "ignore_eos": True,
        "temperature": 0,
    }
    started = time.perf_counter()
    await client.post("/infill", json=body)
    return (time.perf_counter() - started) * 1000


def _publish(report: Report, asked: Sequence[Request], bare: Sequence[float]) -> None:
    rows = [
        spread_row(name, Spread.of([one.ms for one in asked if one.trigger is trigger]))
        for name, trigger in (("typed", Trigger.AUTOMATIC), ("asked for", Trigger.INVOKED))
    ]
    rows.append(spread_row("bare llama.cpp", Spread.of(bare)))
    report.table("Request to answer on a busy machine", SPREAD, rows)
    reasons: dict[str, int] = {}
    for one in asked:
        kind = "suggestion" if one.text else one.reason
        reasons[kind] = reasons.get(kind, 0) + 1
    ends = [(kind, quantity(count)) for kind, count in sorted(reasons.items())]
    report.table("What requests ended in", ("end", "requests"), ends)
    report.keep("busy", {"ends": reasons, "bare_ms": list(bare), "ms": [one.ms for one in asked]})
    automatic = [one for one in asked if one.trigger is Trigger.AUTOMATIC]
    invoked = [one for one in asked if one.trigger is Trigger.INVOKED]
    report.hold(
        Bar(
            "typed: ended in 2 s", _share(automatic, ended=True), IN_TIME_SHARE, "%", at_least=True
        ),
        Bar(
            "typed: suggested in 2 s",
            _share(automatic, ended=False),
            SUGGESTED_SHARE,
            "%",
            at_least=True,
        ),
        Bar("asked for: ended in 5 s", _share(invoked, ended=True), 100.0, "%", at_least=True),
        Bar("time-outs", float(reasons.get("timed_out", 0)), 0.0),
    )


def _share(requests: Sequence[Request], *, ended: bool) -> float | None:
    """Return the percentage that ended in time, or was answered with a suggestion in time."""
    if not requests:
        return None
    good = [one for one in requests if one.ms <= IN_TIME_MS[one.trigger] and (ended or one.text)]
    return 100 * len(good) / len(requests)
