"""`kill -9` at any instant: runs end right, no finished step is asked again, nothing is lost."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coai_agents.workflows.engine.replay import replayed
from coai_agents.workflows.journal.journal import Journal
from coai_agents.workflows.journal.records import Event
from tests.agents.workflows.support import Scripted, engine_at, plan_of
from tests.agents.workflows.victim import PLAN, STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.workflows.journal.interface import RunJournal
    from coai_agents.workflows.journal.records import Story

ROOT = Path(__file__).parents[3]


def victim(folder: Path, runs: int = 1) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.agents.workflows.victim", str(folder), str(runs)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)


class Victims:
    """Starts a process that forks victims."""

    def __init__(self) -> None:
        self._mother = subprocess.Popen(
            [sys.executable, "-m", "tests.agents.workflows.victim"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def run(self, folder: Path, point: int = 0) -> bool:
        """Run one until its end, or until it dies at a write point; say whether it survived."""
        assert self._mother.stdin is not None
        assert self._mother.stdout is not None
        self._mother.stdin.write(f"{folder} {point}\n".encode())
        self._mother.stdin.flush()
        status = int(self._mother.stdout.readline())
        assert status in (0, signal.SIGKILL)
        return status == 0

    def close(self) -> None:
        """End the process; its input's end ends it."""
        self._mother.communicate(timeout=60)


@pytest.fixture
def victims() -> Iterator[Victims]:
    mother = Victims()
    yield mother
    mother.close()


def ended(process: subprocess.Popen[bytes]) -> int:
    _, said = process.communicate(timeout=120)
    assert process.returncode in (0, -signal.SIGKILL), said.decode()
    return process.returncode


async def stories(folder: Path) -> list[Story]:
    journal = Journal(folder / "runs.sqlite3")
    try:
        return [await journal.story(row.id) for row in await journal.runs()]
    finally:
        await journal.aclose()


def seen(folder: Path) -> list[list[str]]:
    if not (folder / "seen").exists():
        return []
    return [line.split() for line in (folder / "seen").read_text().splitlines()]


def check(folder: Path, told: list[Story]) -> None:
    """See that all runs ended right, and that the world saw no finished step twice."""
    for story in told:
        assert story.row.state == "done", story
        assert [event.seq for event in story.events] == list(range(len(story.events)))
        replay = replayed(story)
        assert replay.ends["end"].output == "end"
        assert replay.ends["each"].output == ["each[0]", "each[1]"]
        ends = Counter(end.step for end in story.steps)
        assert max(ends.values()) == 1, "no step ends twice"
        began = Counter(event.step for event in story.events if event.kind == "started")
        asked = Counter(step for run, step, *_ in seen(folder) if run == story.row.id)
        assert len(asked) == STEPS
        # What the world saw and the journal did not: a start that was not on the disk yet.
        assert asked["end"] <= began["end"], "what has effects is noted before it begins"
        numbers = [(run, step, number) for run, step, number, _ in seen(folder)]
        noted = [each for each in numbers if began[each[1]] == int(each[2])]
        assert len(noted) >= len(asked)


async def test_killed_at_every_write_point_once(tmp_path: Path, victims: Victims) -> None:
    point, survived = 0, False
    while not survived:
        point += 1
        folder = tmp_path / str(point)
        folder.mkdir()
        survived = await asyncio.to_thread(victims.run, folder, point)
        before = await stories(folder) if (folder / "runs.sqlite3").exists() else []
        finished = {end.step for story in before for end in story.steps}
        count = len(seen(folder))
        assert await asyncio.to_thread(victims.run, folder)
        again = {step for _, step, *_ in seen(folder)[count:]}
        assert not again & finished, "a finished step was asked again"
        check(folder, await stories(folder))
    # How many share a commit depends on how busy the machine is.
    assert point > 40, "these are the write points of a run"


async def test_killed_at_random_instants_again_and_again(tmp_path: Path) -> None:
    chance = random.Random(7)
    for _ in range(8):
        process = victim(tmp_path)
        await asyncio.to_thread(time.sleep, chance.uniform(0.2, 0.9))
        process.send_signal(signal.SIGKILL)
        ended(process)
    ended(victim(tmp_path))
    check(tmp_path, await stories(tmp_path))


async def test_two_processes_race_for_the_same_runs(tmp_path: Path) -> None:
    # Runs that were under way in a process that is gone.
    journal = Journal(tmp_path / "runs.sqlite3")
    journal.owner = journal.owner.replace("|", "|gone", 1)
    for _ in range(12):
        await journal.create("test", plan_of(PLAN).as_json(), "go")
    await journal.aclose()
    racing = [victim(tmp_path, 12) for _ in range(2)]
    assert [await asyncio.to_thread(ended, each) for each in racing] == [0, 0]
    told = await stories(tmp_path)
    check(tmp_path, told)
    assert {story.row.fence for story in told} == {2}, "each was taken over once"
    asked = Counter((run, step) for run, step, *_ in seen(tmp_path))
    assert set(asked.values()) == {1}


async def test_a_step_that_ends_the_process_is_given_up_some_time(tmp_path: Path) -> None:
    plan = plan_of("- {kind: agent, name: a, prompt: p}")
    journal = Journal(tmp_path / "runs.sqlite3")
    lease = await journal.create("test", plan.as_json(), "go")
    for seq in range(1, 6):
        await journal.append(lease, [Event(seq, "started", "a")])
    journal.owner = ""
    await journal.aclose()
    async with engine_at(tmp_path, workers := Scripted()) as engine:
        await _orphan(engine.journal, lease.run)
        outcome = await engine.resume(lease.run)
    assert (outcome.state, workers.asked) == ("failed", [])
    assert "The process ended 5 times during a" in outcome.error


async def _orphan(journal: RunJournal, run: str) -> None:
    """Have a run be that of a process that is gone."""
    assert isinstance(journal, Journal)
    await journal.writer.do(
        lambda database: database.execute("UPDATE runs SET owner = 'gone' WHERE id = ?", (run,))
    )


async def test_clocks_that_jump_change_nothing(tmp_path: Path) -> None:
    times = iter(range(10_000))
    journal = Journal(
        tmp_path / "runs.sqlite3",
        now=lambda: datetime(2030, 1, 1, tzinfo=UTC) - timedelta(days=next(times)),
    )
    lease = await journal.create("test", plan_of(PLAN).as_json(), "go")
    await _orphan(journal, lease.run)
    await journal.aclose()
    async with engine_at(tmp_path, Scripted(lambda task: _given(task.node.name))) as engine:
        assert [row.id for row in await engine.journal.orphans()] == [lease.run]
        assert (await engine.resume(lease.run)).state == "done"


def _given(name: str) -> object:
    if name == "list":
        return ["a"]
    return {"score": 9} if name in ("draft", "judge") else name
