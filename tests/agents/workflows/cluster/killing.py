"""Killing workers: what the test and the benchmark share."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coai_agents.workflows.cluster.journal import open_journal
from coai_agents.workflows.engine.replay import replayed
from coai_routing.cluster.databases import shared
from tests.agents.workflows.cluster.victim import PLAN, STEPS
from tests.agents.workflows.support import plan_of

if TYPE_CHECKING:
    from coai_agents.workflows.cluster.journal import PostgresJournal
    from coai_agents.workflows.journal.records import Story

ROOT = Path(__file__).parents[4]


def victim(url: str, seen: Path) -> subprocess.Popen[bytes]:
    """Start a worker."""
    command = [sys.executable, "-m", "tests.agents.workflows.cluster.victim", url, str(seen)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@dataclass(frozen=True)
class Figures:
    """What came of it."""

    kills: int
    runs: int
    asked: int
    """Steps that models were asked, those that died under it included."""
    lost: int
    """Of those, what was asked again because a worker died during it."""
    twice: int
    """Steps that were recorded as finished and asked again: none."""


async def killed(url: str, folder: Path, *, kills: int, runs: int, workers: int) -> Figures:
    """Kill workers at random instants while runs go on; see that every run ends right."""
    chance, seen = random.Random(11), folder / "seen"
    journal = await open_journal(shared(url, "PostgreSQL"))
    under_way = [victim(url, seen) for _ in range(workers)]
    plan = plan_of(PLAN).as_json()
    names: list[str] = []
    dead: set[str] = set()
    count = 0
    try:
        while count < kills or await _under_way(names, journal):
            # New ones all the time, so that every kill has something to hit.
            while len(names) < runs * (count + 1) / kills and len(names) < runs:
                names.append(await journal.submit("test", plan, "go"))
            if count >= kills:
                await asyncio.sleep(0.2)
                continue
            number = chance.randrange(workers)
            process = under_way[number]
            assert process.stdout is not None
            await asyncio.to_thread(process.stdout.readline)
            await asyncio.sleep(chance.uniform(0.0, 1.0))
            process.send_signal(signal.SIGKILL)
            _, said = await asyncio.to_thread(process.communicate)
            assert process.returncode == -signal.SIGKILL, said.decode()
            dead.add(str(process.pid))
            under_way[number] = victim(url, seen)
            count += 1
        told = [await journal.story(name) for name in names]
    finally:
        for process in under_way:
            process.kill()
            process.communicate()
        await journal.aclose()
    lines = [line.split() for line in seen.read_text().splitlines()]
    for story in told:
        check(story, lines)
    began = sum(line[0] == "begins" for line in lines)
    return Figures(count, len(told), began, began - STEPS * len(told), _twice(lines, dead))


def _twice(lines: list[list[str]], dead: set[str]) -> int:
    """Return how often a step was begun again though nobody who did it had been killed."""
    twice = 0
    by_step: dict[tuple[str, str], list[list[str]]] = {}
    for line in lines:
        if line[0] == "begins":
            by_step.setdefault((line[1], line[2]), []).append(line)
    for begun in by_step.values():
        # All but the last one were of workers that died, or what they gave would count.
        twice += sum(line[4] not in dead for line in begun[:-1])
    return twice


async def _under_way(names: list[str], journal: PostgresJournal) -> bool:
    rows = await journal.runs(10_000)
    return any(row.state == "running" for row in rows if row.id in set(names))


def check(story: Story, lines: list[list[str]]) -> None:
    """See that a run ended right, that nothing is lost, and that no finished step was asked twice.

    A step is finished when it is recorded. Between what the world saw of it and the record a worker
    may die; so that it was asked again says that its first worker was killed.
    """
    assert story.row.state == "done", story.events[-3:]
    assert [event.seq for event in story.events] == list(range(len(story.events)))
    replay = replayed(story)
    assert replay.ends["end"].output == "end"
    assert replay.ends["each"].output == ["each[0]", "each[1]"]
    assert max(Counter(end.step for end in story.steps).values()) == 1, "no step ends twice"
    mine = [line for line in lines if line[1] == story.row.id]
    assert len({line[2] for line in mine}) == STEPS
