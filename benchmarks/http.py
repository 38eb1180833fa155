# ruff: noqa: A005 - it is run as a module of its package, as its neighbours are
"""What the HTTP door adds: to the local model's own time, to a settings read, to who watches a run.

    python -m benchmarks.http

A real llama.cpp server with a tiny model, and a real `coai http`; the provider alone and the door
are asked in turn, so that both have the same machine.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
import psutil
from tests.server.http.support import running
from tests.support.llama import start_llama_server
from tests.support.tiny_gguf import write_tiny_gguf

from benchmarks.support.figures import Spread
from benchmarks.support.report import SPREAD, Bar, Report, options_parser, run, spread_row
from coai_routing.providers.llama_server import LlamaServerProvider
from coai_routing.request import ModelRequest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from tests.server.http.support import Door
    from tests.support.llama import LlamaServer

OVERHEAD_MS: Final = 5.0
WARM_UP: Final = 20
WATCHERS: Final = 200
STEPS: Final = 60
PROMPT: Final = "def total(prices):\n    "
SUFFIX: Final = "\n    return sum\n"


async def _overhead(
    door: Door, server: LlamaServer, count: int
) -> tuple[list[float], list[float], float]:
    """Return milliseconds of each completion alone and through the door, and its CPU for one."""
    provider = LlamaServerProvider(
        name="llama_server", base_url=server.base_url, api_key=server.api_key
    )
    request = ModelRequest(prompt=PROMPT, suffix=SUFFIX, max_tokens=4)
    asked = {"prompt": PROMPT, "suffix": SUFFIX, "max_tokens": 4}
    assert door.process is not None
    process = psutil.Process(door.process.pid)
    before = process.cpu_times()
    alone: list[float] = []
    through: list[float] = []
    with door.client() as client:
        for number in range(WARM_UP + count):
            if number == WARM_UP:
                before = process.cpu_times()
            begun = time.perf_counter()
            await provider.complete(request)
            between = time.perf_counter()
            client.post("/v1/completions", json=asked).raise_for_status()
            ended = time.perf_counter()
            if number >= WARM_UP:
                alone.append((between - begun) * 1000.0)
                through.append((ended - between) * 1000.0)
        after = process.cpu_times()
    await provider.aclose()
    spent = after.user + after.system - before.user - before.system
    return alone, through, spent * 1000.0 / count


async def _watched(door: Door) -> tuple[float, int]:
    """Return the seconds until all who watch a run have seen its end, and the events they got."""
    headers = {"authorization": f"Bearer {door.token()}"}
    limits = httpx.Limits(max_connections=WATCHERS + 1)
    async with httpx.AsyncClient(
        base_url=door.url, headers=headers, timeout=120, limits=limits, trust_env=False
    ) as client:
        asked = {"ensemble": "many", "input": ["shop.py"] * STEPS, "model": False}
        begun = time.perf_counter()
        name = (await client.post("/v1/runs", json=asked)).json()["run"]

        async def watch() -> int:
            async with client.stream("GET", f"/v1/runs/{name}/events") as stream:
                return len([line async for line in stream.aiter_lines() if line[:3] == "id:"])

        seen = await asyncio.gather(*(watch() for _ in range(WATCHERS)))
        return time.perf_counter() - begun, sum(seen)


async def _measure(options: argparse.Namespace) -> int:
    report = Report("The HTTP door")
    with tempfile.TemporaryDirectory() as folder:
        server = start_llama_server(write_tiny_gguf(Path(folder) / "tiny-random-coder.gguf"))
        try:
            with running(Path(folder), server, "--rate", "1000000") as door:
                alone, through, cpu = await _overhead(door, server, options.requests)
                seconds, events = await _watched(door)
                assert door.process is not None
                memory = psutil.Process(door.process.pid).memory_info().rss / 1e6
        finally:
            server.kill()
    added = [one - other for one, other in zip(through, alone, strict=True)]
    spreads = {"the provider alone": alone, "through the door": through, "added, in pairs": added}
    rows = [spread_row(name, Spread.of(values)) for name, values in spreads.items()]
    report.table("A completion of 4 tokens, ms", SPREAD, rows)
    report.say(f"CPU of the door for one: {cpu:.2f} ms")
    report.keep("cpu_ms", cpu)
    report.table(
        f"{WATCHERS} watch a run of {STEPS} steps",
        ("", ""),
        [
            ("seconds until all have seen its end", f"{seconds:.2f}"),
            ("events sent in all", f"{events:,}"),
            ("memory of the process, MB", f"{memory:.0f}"),
        ],
    )
    report.keep("added_ms", added)
    report.keep("watching", {"seconds": seconds, "events": events, "memory_mb": memory})
    spread = Spread.of(added)
    report.hold(Bar("added, p50", None if spread is None else spread.p50, OVERHEAD_MS, "ms"))
    return report.finish(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = options_parser("http", "Measure what the HTTP door adds.")
    parser.add_argument("--requests", type=int, default=200, help="completions (200)")
    return run(_measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
