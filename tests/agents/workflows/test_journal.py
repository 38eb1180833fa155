"""The journal: whatever is done to it in whatever order, nothing is lost, nobody writes twice."""

from __future__ import annotations

import asyncio
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from coai_agents.workflows.errors import RunNotFoundError, RunTakenError
from coai_agents.workflows.journal.journal import Journal
from coai_agents.workflows.journal.pruning import prune
from coai_agents.workflows.journal.records import ARTIFACT_BYTES, Event, StepEnd
from tests.agents.workflows.support import plan_of

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.journal.records import Lease

PLAN = plan_of("- {kind: agent, name: a, prompt: p}").as_json()
values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5) | st.just("x" * 70_000),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


class Journals(RuleBasedStateMachine):
    """Two daemons on one file, a model of what they wrote, and kills."""

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name, "runs.sqlite3")
        self.journals = [self.opened(), self.opened()]
        self.leases: list[dict[str, Lease]] = [{}, {}]
        self.owners: dict[str, int | None] = {}
        self.events: dict[str, list[Event]] = {}
        self.steps: dict[str, list[tuple[str, Json]]] = {}
        self.ended: set[str] = set()

    def opened(self) -> Journal:
        async def make() -> Journal:
            return Journal(self.path)

        return self.run(make())

    def run(self, work: Coroutine[Json, Json, Json]) -> Json:
        return self.loop.run_until_complete(work)

    def some(self, number: int) -> str | None:
        names = sorted(self.owners)
        return names[number % len(names)] if names else None

    @rule(who=st.integers(0, 1), given=values)
    def create(self, who: int, given: Json) -> None:
        lease = self.run(self.journals[who].create("r", PLAN, given))
        self.leases[who][lease.run] = lease
        self.owners[lease.run] = who
        self.events[lease.run] = [Event(0, "created")]
        self.steps[lease.run] = []

    @rule(who=st.integers(0, 1), number=st.integers(0, 5), output=values)
    def append(self, who: int, number: int, output: Json) -> None:
        name = self.some(number)
        lease = None if name is None else self.leases[who].get(name)
        if name is None or lease is None:
            return
        seq = len(self.events[name])
        event = Event(seq, "ended", f"s{seq}")
        work = self.journals[who].append(
            lease, [event], [StepEnd(f"s{seq}", "done", output, seq=seq)]
        )
        if self.owners[name] == who:
            self.run(work)
            self.events[name].append(event)
            self.steps[name].append((f"s{seq}", output))
        else:
            with pytest.raises(RunTakenError):
                self.run(work)

    @rule(who=st.integers(0, 1), number=st.integers(0, 5))
    def take(self, who: int, number: int) -> None:
        name = self.some(number)
        if name is None:
            return
        if self.owners[name] is None:
            self.leases[who][name] = self.run(self.journals[who].take(name, ended=True))
            self.owners[name] = who
            self.ended.discard(name)
        else:
            with pytest.raises(RunTakenError):
                self.run(self.journals[who].take(name, ended=True))

    @rule(
        who=st.integers(0, 1), number=st.integers(0, 5), state=st.sampled_from(["done", "paused"])
    )
    def release(self, who: int, number: int, state: Json) -> None:
        name = self.some(number)
        if name is None or self.owners[name] != who:
            return
        event = Event(len(self.events[name]), "paused", "", {"why": state})
        self.run(self.journals[who].release(self.leases[who][name], state, event))
        self.events[name].append(event)
        self.owners[name] = None
        if state == "done":
            self.ended.add(name)

    @rule(who=st.integers(0, 1))
    def kill(self, who: int) -> None:
        """A daemon dies, with whatever was not committed; another one takes its place."""
        old = self.journals[who]
        gone = old.owner.split("|")
        self.run(old.aclose())
        self.journals[who] = self.opened()

        def orphan(database: Json) -> None:
            dead = "|".join((gone[0], "another boot", *gone[2:]))
            database.execute("UPDATE runs SET owner = ? WHERE owner = ?", (dead, old.owner))

        self.run(self.journals[who].writer.do(orphan))
        for name, owner in self.owners.items():
            if owner == who:
                self.owners[name] = None
        self.leases[who] = {}

    @rule(who=st.integers(0, 1))
    def forget(self, who: int) -> None:
        done = self.run(prune(self.journals[who], days=-1))
        assert done.runs == len(self.ended)
        for name in self.ended:
            del self.owners[name], self.events[name], self.steps[name]
        self.ended = set()

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "loop"):
            return
        for name, events in self.events.items():
            story = self.run(self.journals[0].story(name))
            told = [(e.seq, e.kind, e.step, e.body) for e in story.events]
            assert told == [(e.seq, e.kind, e.step, e.body) for e in events]
            assert [(end.step, end.output) for end in story.steps] == self.steps[name]
            assert story.plan == PLAN

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            for journal in self.journals:
                self.run(journal.aclose())
            self.loop.close()
            self.folder.cleanup()


TestJournals = Journals.TestCase
TestJournals.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


async def test_a_large_value_is_kept_once_and_room_is_given_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "runs.sqlite3")
    large = "".join(chr(40 + (n * n) % 80) for n in range(ARTIFACT_BYTES * 4))
    for _ in range(5):
        lease = await journal.create("r", PLAN, large)
        ends = [StepEnd(f"s{n}", "done", large, seq=n) for n in (1, 2)]
        await journal.append(lease, [Event(n, "ended", f"s{n}") for n in (1, 2)], ends)
        await journal.release(lease, "done", Event(3, "finished"))
    kept = await journal.writer.do(lambda d: d.execute("SELECT count(*) FROM artifacts").fetchone())
    assert kept == (2,), "the plan and the value"
    pruned = await prune(journal, days=-1)
    assert pruned.runs == 5
    assert pruned.bytes > 0
    kept = await journal.writer.do(lambda d: d.execute("SELECT count(*) FROM artifacts").fetchone())
    assert kept == (0,)
    await journal.aclose()


async def test_many_writers_share_their_commits(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "runs.sqlite3")
    await asyncio.gather(*(journal.create("r", PLAN, n) for n in range(200)))
    assert journal.writer.commits <= 20
    assert len(await journal.runs(500)) == 200
    await journal.aclose()


async def test_the_file_is_the_users_alone_and_a_broken_one_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "coai" / "runs.sqlite3"
    journal = Journal(path)
    lease = await journal.create("r", PLAN, "x")
    await journal.aclose()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"no database at all, " * 1000)
    journal = Journal(path)
    assert journal.set_aside is not None
    assert journal.set_aside.exists()
    with pytest.raises(RunNotFoundError):
        await journal.story(lease.run)
    await journal.aclose()


async def test_what_cannot_be_stored_concerns_nobody_else(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "runs.sqlite3")
    good, bad = await asyncio.gather(journal.create("r", PLAN, "x"), journal.create("r", PLAN, "y"))
    again = [Event(0, "started")]
    told = await asyncio.gather(
        journal.append(good, [Event(1, "started")]),
        journal.append(bad, again),
        return_exceptions=True,
    )
    assert told[0] is None
    assert isinstance(told[1], Exception)
    assert len((await journal.story(good.run)).events) == 2
    assert len((await journal.story(bad.run)).events) == 1
    await journal.aclose()
