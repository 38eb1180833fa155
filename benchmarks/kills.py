"""What `kill -9` does to runs: nothing is lost, and no finished step is asked again.

    python -m benchmarks.kills --times 300      # this machine: every write point, then at random
    python -m benchmarks.kills --cluster 50     # workers on a PostgreSQL of their own

Each kill ends a real process. At a write point is before or after whatever is written and
committed; there, every one of a run is hit once. A random instant is one of those points too, in a
run that others have been killed in before. Whatever does not hold stops the program.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.agents.workflows.cluster.killing import killed
from tests.agents.workflows.test_kills import Victims, check, seen, stories
from tests.support.databases import own_postgres

from coai_agents.workflows.journal.journal import Journal


def _hit(victims: Victims, folder: Path, point: int) -> tuple[bool, int]:
    """Kill one at a write point; return whether it survived and the steps that were asked again."""
    before = asyncio.run(stories(folder)) if (folder / "runs.sqlite3").exists() else []
    finished = {(story.row.id, end.step) for story in before for end in story.steps}
    count = len(seen(folder))
    survived = victims.run(folder, point)
    asked = {(run, step) for run, step, *_ in seen(folder)[count:]}
    assert not asked & finished, f"a finished step was asked again: {asked & finished}"
    return survived, len(asked)


def every_point(victims: Victims) -> int:
    """Kill at every write point of a run once; returns how many there are."""
    point, survived = 0, False
    while not survived:
        point += 1
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            survived, _ = _hit(victims, folder, point)
            while not _hit(victims, folder, 0)[0]:
                pass
            check(folder, asyncio.run(stories(folder)))
    return point - 1


def at_random(victims: Victims, times: int, points: int) -> tuple[int, int, int]:
    """Kill so often, several times in one run; returns kills, runs and steps that were asked."""
    chance, kills, runs, asked = random.Random(5), 0, 0, 0
    while kills < times:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            # More than a step survives being interrupted would be given up, as it should.
            for _ in range(chance.randint(1, 4)):
                survived, count = _hit(victims, folder, chance.randint(1, points))
                asked += count
                kills += not survived
                if survived:
                    break
            asked += _hit(victims, folder, 0)[1]
            told = asyncio.run(stories(folder))
            check(folder, told)
            runs += len(told)
    return kills, runs, asked


async def race(runs: int) -> int:
    """Return how often runs that two journals race for are taken by both: never."""
    both = 0
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "runs.sqlite3")
        first = Journal(path)
        names = [(await first.create("r", "{}", None)).run for _ in range(runs)]
        await first.writer.do(lambda database: database.execute("UPDATE runs SET owner = 'gone'"))
        second = Journal(path)
        for each in names:
            took = await asyncio.gather(first.take(each), second.take(each), return_exceptions=True)
            both += sum(not isinstance(one, BaseException) for one in took) != 1
        await first.aclose()
        await second.aclose()
    return both


async def cluster(times: int) -> None:
    """Kill workers so often, and print what came of it."""
    began = time.monotonic()
    with own_postgres() as server, tempfile.TemporaryDirectory() as folder:
        url = server.database()
        figures = await killed(url, Path(folder), kills=times, runs=times, workers=3)
    print(f"{figures.kills} kills of workers, {figures.runs} runs, all ended right")
    print(f"  steps asked {figures.asked}, of which again because of a kill {figures.lost}")
    print(f"  finished steps asked again: {figures.twice}; {time.monotonic() - began:.0f} s")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--times", type=int, default=0, help="kills at random on this machine")
    parser.add_argument("--cluster", type=int, default=0, help="kills of workers on PostgreSQL")
    options = parser.parse_args()
    if options.cluster:
        asyncio.run(cluster(options.cluster))
    if options.times:
        began, victims = time.monotonic(), Victims()
        points = every_point(victims)
        kills, runs, asked = at_random(victims, options.times, points)
        victims.close()
        print(f"{points} write points, each hit once; {kills} kills at random in {runs} runs")
        print(f"  all ended right; {asked} steps asked; finished steps asked again: 0")
        print(f"  1,000 runs that two raced for, taken by both: {asyncio.run(race(1000))}")
        print(f"  {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
