"""What conversations cost beside the models: a message, a whole talk, a review, an agent's memory.

    python -m benchmarks.conversations

The model answers at once, so all that is measured is ours. Times are medians of many rounds: wall
time with the journal on this machine's disk, which waits for it at each turn, wall time with it in
memory where the system has such a folder, and CPU.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
import tracemalloc
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from coai_agents.workflows.conversations.history import Message, Told
from coai_agents.workflows.definition.known import Known
from coai_agents.workflows.definition.loading import checked
from coai_agents.workflows.definition.schema import ConversationNode, History, Member, Plan
from coai_agents.workflows.engine.engine import Engine
from coai_agents.workflows.engine.work import Done
from coai_agents.workflows.journal.journal import Journal
from coai_agents.workflows.patterns.talks import change_review
from coai_agents.workflows.workers.roles import roles
from coai_agents.workflows.workers.tools import TOOLS

if TYPE_CHECKING:
    from coai_agents.workflows.definition.schema import Node
    from coai_agents.workflows.engine.work import Task

ROUNDS: Final = 100
ANSWER: Final = "This is what I think of it, in the two sentences that I was asked for. " * 3
KNOWN: Final = Known(tools=TOOLS, roles=frozenset(roles()))

MEMORY: Final = Path("/dev/shm")


class Instant:
    """Answers at once, and never the same."""

    def __init__(self) -> None:
        self._count = 0
        self.spent = 0.0
        """Seconds in it, which are not ours."""

    async def do(self, task: Task) -> Done:
        """Answer."""
        began = time.perf_counter()
        self._count += 1
        name = task.node.name
        output = "-a\n+b\n" if name == "change" else f"{self._count}. {ANSWER}"
        done = Done({"text": output} if name == "review" else output, model="instant")
        self.spent += time.perf_counter() - began
        return done

    def has_effects(self, node: Node) -> bool:
        """Say no."""
        del node
        return False


def members(count: int) -> tuple[Member, ...]:
    """Return so many agents."""
    return tuple(Member(name=f"agent{n}", role="analyst", prompt="Say it.") for n in range(count))


def talk(turns: int) -> Plan:
    """Return a conversation of three agents."""
    node = ConversationNode(kind="conversation", name="talk", members=members(3), max_turns=turns)
    return checked(Plan(name="talk", nodes=(node,)), KNOWN)


async def timed(plan: Plan, folder: Path | None) -> tuple[float, float]:
    """Return the milliseconds and the CPU milliseconds of a run."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        journal = Journal(Path(place) / "runs.sqlite3")
        engine = Engine(journal, Instant())
        await engine.start(plan, "warm up")
        walls: list[float] = []
        cpus: list[float] = []
        for _ in range(ROUNDS):
            wall, cpu = time.perf_counter(), time.process_time()
            outcome = await engine.start(plan, "Is it right?")
            walls.append((time.perf_counter() - wall) * 1000)
            cpus.append((time.process_time() - cpu) * 1000)
            assert outcome.state == "done", outcome.error
        await engine.aclose()
        await journal.aclose()
    return median(walls), median(cpus)


def registered(count: int) -> float:
    """Return the milliseconds in which agents are made and a plan of them is checked."""
    times: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        node = ConversationNode(
            kind="conversation", name="talk", members=members(count), max_turns=10
        )
        checked(Plan(name="talk", nodes=(node,)), KNOWN)
        times.append((time.perf_counter() - began) * 1000)
    return median(times)


def memory_of_an_agent() -> float:
    """Return the kB that an agent and all that it is told take, its history full."""
    count, bounds = 50, History()
    gc.collect()
    tracemalloc.start()
    agents: list[tuple[Member, Told]] = []
    for member in members(20) * (count // 20 + 1):
        told = Told(bounds, summary="x" * bounds.characters)
        told.said += [Message("someone", f"{n} " + "x" * 300) for n in range(bounds.messages)]
        agents.append((member.model_copy(), told))
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return size / len(agents) / 1000


async def main() -> None:
    """Print a table."""
    places = {"on disk": None, **({"in memory": MEMORY} if MEMORY.is_dir() else {})}
    print(f"an instant model, medians of {ROUNDS} rounds")
    review = checked(change_review("review", members(3)), KNOWN)
    for title, plan in (
        ("a conversation of 3 messages", talk(3)),
        ("a review of a change by 3", review),
    ):
        for place, folder in places.items():
            wall, cpu = await timed(plan, folder)
            print(f"  {title}, journal {place:<10}{wall:>8.2f} ms, {cpu:.2f} ms CPU")
    for place, folder in places.items():
        (short, short_cpu), (long, long_cpu) = [await timed(talk(n), folder) for n in (5, 55)]
        wall, cpu = (long - short) / 50, (long_cpu - short_cpu) / 50
        print(f"  a message to its reply, journal {place:<14}{wall:>8.2f} ms, {cpu:.2f} ms CPU")
    print(f"  10 agents registered{'':<26}{registered(10):>8.2f} ms")
    print(f"  memory of an agent{'':<28}{memory_of_an_agent():>8.1f} kB")


if __name__ == "__main__":
    asyncio.run(main())
