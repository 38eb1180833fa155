"""What the workflow engine costs: CPU a step, steps a second, bytes stored, beside LangGraph.

    python -m benchmarks.workflows                                   # ours alone
    python -m benchmarks.workflows --langgraph PATH/TO/bin/python    # beside it, in the same run
    python -m benchmarks.workflows --concurrent                      # 1,000 runs of 5 steps

LangGraph is not a dependency: give the Python of an environment that has `langgraph` and
`langgraph-checkpoint-sqlite`. Both carry out chains of 20 steps whose results have 2 kB; LangGraph
with its SQLite saver and `durability="sync"`, ours with an fsync for each commit. Rounds of the two
alternate, and medians are given, because machines are noisy.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from coai_agents.workflows.definition.known import Known
from coai_agents.workflows.definition.loading import load_value
from coai_agents.workflows.engine.engine import Engine
from coai_agents.workflows.engine.work import Done
from coai_agents.workflows.journal.journal import Journal

if TYPE_CHECKING:
    from coai_agents.workflows.definition.schema import Node, Plan
    from coai_agents.workflows.engine.work import Task

STEPS = 20
RUNS = 50
BYTES = 2000

THEIRS = Path(__file__).parent / "support" / "langgraph_chain.py"


class Instant:
    """Does every step at once, or after so many seconds."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds

    async def do(self, task: Task) -> Done:
        """Answer with text that does not shrink to nothing."""
        if self._seconds:
            await asyncio.sleep(self._seconds)
        return Done(answer(task.step))

    def has_effects(self, node: Node) -> bool:
        """Say no."""
        del node
        return False


_WORDS = " ".join(str(n * n) for n in range(600))
"""Made once: what the stand-in for a model computes is none of the engine's time."""


def answer(step: str) -> str:
    """Return a step's answer."""
    return f"{step} says: {_WORDS}"[:BYTES]


def chain(steps: int) -> Plan:
    """Return a plan of steps one after the other, each of which sees the one before."""
    nodes: list[dict[str, Any]] = []
    for number in range(steps):
        node: dict[str, Any] = {"kind": "agent", "name": f"n{number}", "prompt": "Go on."}
        if number:
            node["given"] = {"before": f"n{number - 1}"}
        nodes.append(node)
    return load_value({"name": "chain", "nodes": nodes}, Known())


async def _ours(folder: Path, runs: int, steps: int) -> dict[str, float]:
    journal = Journal(folder / "runs.sqlite3")
    engine = Engine(journal, Instant())
    plan = chain(steps)
    await engine.start(plan, "warm up")
    began, cpu = time.perf_counter(), time.process_time()
    outcomes = await asyncio.gather(*(engine.start(plan, "go") for _ in range(runs)))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    assert all(each.state == "done" for each in outcomes)
    await engine.aclose()
    await journal.aclose()
    return _figures(runs * steps, seconds, cpu, _stored(folder) / (runs + 1))


def _stored(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.iterdir())


def _figures(steps: int, seconds: float, cpu: float, stored: float) -> dict[str, float]:
    return {"cpu_ms": cpu / steps * 1000, "per_second": steps / seconds, "kb_a_run": stored / 1000}


def ours(runs: int, steps: int) -> dict[str, float]:
    """Measure ours in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_ours(Path(folder), runs, steps))


def theirs(python: Path, runs: int, steps: int) -> dict[str, float]:
    """Measure LangGraph in its own environment."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(python), str(THEIRS), folder, str(runs), str(steps), str(BYTES)]
        done = subprocess.run(command, capture_output=True, check=True)
    said = json.loads(done.stdout)
    return _figures(runs * steps, said["seconds"], said["cpu"], said["stored"] / runs)


def beside(python: Path | None, rounds: int) -> None:
    """Print a table of both."""
    measured: dict[str, list[dict[str, float]]] = {"COAI": []}
    if python is not None:
        measured["LangGraph"] = []
    for _ in range(rounds):
        measured["COAI"].append(ours(RUNS, STEPS))
        if python is not None:
            measured["LangGraph"].append(theirs(python, RUNS, STEPS))
    keys = ("cpu_ms", "per_second", "kb_a_run")
    print(f"{RUNS} runs of {STEPS} steps, {BYTES} bytes a step, median of {rounds} rounds")
    print(f"{'':<11}{'CPU ms a step':>15}{'steps/s':>10}{'kB a run':>10}")
    table: dict[str, list[float]] = {}
    for name, figures in measured.items():
        table[name] = [median(each[key] for each in figures) for key in keys]
        cpu, speed, stored = table[name]
        print(f"{name:<11}{cpu:>15.3f}{speed:>10.0f}{stored:>10.1f}")
    if python is not None:
        (cpu, speed, stored), (cpu_2, speed_2, stored_2) = table["COAI"], table["LangGraph"]
        ratios = (cpu_2 / cpu, speed / speed_2, stored_2 / stored)
        print(f"{'better by':<11}{ratios[0]:>14.1f}x{ratios[1]:>9.1f}x{ratios[2]:>9.1f}x")


async def concurrent(
    runs: int = 1000, steps: int = 5, seconds: float = 0.05, limit: int = 64
) -> None:
    """Print how near many runs at a time come to what a model of that speed allows."""
    plan = chain(steps)
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder, "runs.sqlite3"))
        engine = Engine(journal, Instant(seconds), at_once=limit)
        began, cpu = time.perf_counter(), time.process_time()
        outcomes = await asyncio.gather(*(engine.start(plan, "go") for _ in range(runs)))
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        await engine.aclose()
        await journal.aclose()
    wrong = sum(each.state != "done" for each in outcomes)
    least, bare = runs * steps * seconds / limit, await _bare(runs, steps, seconds, limit)
    print(f"{runs} runs of {steps} steps, a model of {seconds * 1000:.0f} ms, {limit} at a time")
    print(f"  not done: {wrong}; {took:.2f} s; the limit allows {least:.2f} s: {least / took:.2f}")
    print(f"  the same waits without any engine, now: {bare:.2f} s: {bare / took:.2f}")
    print(f"  CPU {cpu / runs / steps * 1000:.3f} ms a step, peak RSS {_peak():.0f} MB")


async def _bare(runs: int, steps: int, seconds: float, limit: int) -> float:
    """Return the seconds that asyncio alone needs for as many waits on this machine just now."""
    turns = asyncio.Semaphore(limit)

    async def one() -> None:
        for _ in range(steps):
            async with turns:
                await asyncio.sleep(seconds)

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(runs)))
    return time.perf_counter() - began


def _rss() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def many(runs: int) -> None:
    """Print whether memory grows over many runs, one hundred at a time."""
    plan = chain(5)
    sizes: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder, "runs.sqlite3"))
        engine = Engine(journal, Instant())
        for _ in range(runs // 100):
            await asyncio.gather(*(engine.start(plan, "go") for _ in range(100)))
            sizes.append(_rss())
        await engine.aclose()
        await journal.aclose()
    early, late = sizes[len(sizes) // 10], sizes[-1]
    print(f"{runs} runs: RSS {early:.1f} MB after a tenth, {late:.1f} MB at the end")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--langgraph", type=Path, help="the Python of an environment that has it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrent", action="store_true", help="1,000 runs of 5 steps at a time")
    parser.add_argument("--many", type=int, default=0, help="so many runs, for the memory")
    options = parser.parse_args()
    if options.concurrent:
        asyncio.run(concurrent())
    if options.many:
        asyncio.run(many(options.many))
    if not options.concurrent and not options.many:
        beside(options.langgraph, options.rounds)


if __name__ == "__main__":
    sys.exit(main())
