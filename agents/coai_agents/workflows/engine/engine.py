"""The engine: begins runs, goes on with them, pauses and cancels them; many at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from coai_agents.workflows.engine.hooks import Hooked, told
from coai_agents.workflows.engine.planning import Seen
from coai_agents.workflows.engine.purse import Purse
from coai_agents.workflows.engine.replay import MOST_INTERRUPTED, Replay, replayed
from coai_agents.workflows.engine.running import Running
from coai_agents.workflows.engine.shapes import ready_plan
from coai_agents.workflows.engine.turns import Turns
from coai_agents.workflows.engine.walking import Around, Waiting, Walk, result_of
from coai_agents.workflows.engine.work import StepFailedError
from coai_agents.workflows.errors import WorkflowError
from coai_agents.workflows.journal.records import Event
from coai_routing.background import Background

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from coai_agents.workflows.definition.schema import Plan
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.hooks import Hook
    from coai_agents.workflows.engine.running import Tell
    from coai_agents.workflows.engine.work import Workers
    from coai_agents.workflows.journal.interface import RunJournal
    from coai_agents.workflows.journal.records import EventKind, Lease, RunState, Story

logger = logging.getLogger(__name__)

MOST_STEPS: Final = 64
"""Steps at a time in all runs of a process; the router has limits of its own for models."""

Wish: TypeAlias = Literal["pause", "cancel"]

WISH_SECONDS: Final = 0.5
"""How soon this process hears that another one wants a run paused or cancelled."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far a run has come."""

    run: str
    state: RunState
    result: Json = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Beginning:
    """What a run goes on from."""

    lease: Lease
    plan: str
    input: Json
    replay: Replay
    facts: Mapping[str, Json]


_RELEASES: Final[dict[RunState, EventKind]] = {
    "done": "finished",
    "failed": "finished",
    "waiting": "waiting",
    "paused": "paused",
    "cancelled": "cancelled",
}
"""The events that say why a run was given back."""


def _nobody(_: object) -> None:
    pass


class Engine:
    """Carries runs out; it belongs to one event loop."""

    def __init__(
        self,
        journal: RunJournal,
        workers: Workers,
        *,
        at_once: int = MOST_STEPS,
        most_interrupted: int = MOST_INTERRUPTED,
        hooks: Sequence[Hook] = (),
    ) -> None:
        """Begin nothing yet; `at_once` are steps, in all of its runs together."""
        self.journal = journal
        self._workers = Hooked(workers, hooks) if hooks else workers
        self._hooks = tuple(hooks)
        self._everyone = Turns(at_once)
        self._most_interrupted = most_interrupted
        self._tasks: dict[str, asyncio.Task[Outcome]] = {}
        self._wishes: dict[str, str] = {}
        self._background = Background()
        self._watching = False

    async def aclose(self) -> None:
        """Pause what is under way; the journal stays open."""
        for task in [*self._tasks.values()]:
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._background.aclose()

    # --------------------------------------------------------------------- beginning

    async def start(
        self,
        plan: Plan,
        given: Json,
        *,
        facts: Mapping[str, Json] | None = None,
        tell: Tell = _nobody,
        begun: Callable[[str], None] = _nobody,
    ) -> Outcome:
        """Begin a run of a plan that was checked, and carry it out as far as it goes.

        `begun` is told its name as soon as it is in the journal.
        """
        text = plan.as_json()
        lease = await self.journal.create(plan.name, text, given, facts=facts)
        begun(lease.run)
        beginning = _Beginning(lease, text, given, Replay(), facts or {})
        return await self._carried(beginning, tell)

    async def resume(self, run: str, *, tell: Tell = _nobody) -> Outcome:
        """Go on with a run; finished steps are not done again. Raises `RunTakenError`."""
        lease = await self.journal.take(run)
        story = await self.journal.story(lease.run)
        beginning = _Beginning(lease, story.plan, story.input, replayed(story), story.row.facts)
        return await self._carried(beginning, tell)

    async def _carried(self, beginning: _Beginning, tell: Tell) -> Outcome:
        lease, replay = beginning.lease, beginning.replay
        ready = ready_plan(beginning.plan)
        purse = Purse(ready.plan.budget, f"The run {lease.run}", usage=replay.usage)
        running = Running(
            self.journal,
            lease,
            ready,
            self._workers,
            replay,
            purse,
            Turns(ready.plan.concurrency),
            self._everyone,
            tell,
            beginning.facts,
            most_interrupted=self._most_interrupted,
        )
        purse.warn = lambda message: running.soon("warned", "", message)
        if replay.last:
            running.soon("resumed")
        self._watch()
        around = Around(ready, Seen({"input": beginning.input}, {}), purse, ready.plan.sensitive)
        task = asyncio.create_task(self._walked(running, around), name=f"run {lease.run}")
        self._tasks[lease.run] = task
        began, state = time.monotonic(), "stopped"
        told(self._hooks, lambda hook: hook.run_began(lease.run, ready.plan))
        try:
            outcome = await task
            state = outcome.state
            return outcome
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
        finally:
            seconds = time.monotonic() - began
            told(self._hooks, lambda hook: hook.run_ended(lease.run, ready.plan, state, seconds))
            del self._tasks[lease.run]
            self._wishes.pop(lease.run, None)

    async def _walked(self, running: Running, around: Around) -> Outcome:
        """Walk a plan to its end, or as far as it goes, and give the run back."""
        run, ready = running.lease.run, around.ready
        try:
            async with asyncio.timeout(ready.plan.budget.seconds):
                settled = await Walk(running, ready.shape, "", around).walk()
        except StepFailedError as error:
            said = f"{error.step}: {error}" if error.step else str(error)
            return await self._released(running, Outcome(run, "failed", error=said))
        except TimeoutError:
            said = f"It took longer than its budget of {ready.plan.budget.seconds:g} s."
            return await self._released(running, Outcome(run, "failed", error=said))
        except asyncio.CancelledError:
            wish = self._wishes.get(run)
            state: RunState = "cancelled" if wish == "cancel" else "paused"
            # Whoever cancels this waits for it, and what was under way has to be known.
            outcome = Outcome(run, state)
            release = asyncio.ensure_future(self._released(running, outcome))
            await asyncio.shield(release)
            if wish is None:
                raise
            return outcome
        if isinstance(settled, Waiting):
            return await self._released(running, Outcome(run, "waiting"))
        result = result_of(ready.plan, ready.shape, settled)
        if running.unasked and not running.answered and not result:
            # Steps that may fail did, and there is nothing else: that is no success.
            said = f"No model answered, and without one there is nothing to say: {running.unasked}"
            return await self._released(running, Outcome(run, "failed", error=said))
        return await self._released(running, Outcome(run, "done", result))

    async def _released(self, running: Running, outcome: Outcome) -> Outcome:
        body: dict[str, Json] = {"state": outcome.state}
        if outcome.error:
            body["error"] = outcome.error
        if running.given_up:
            body["steps"] = running.given_up
        event = Event(running.next_seq(), _RELEASES[outcome.state], "", body)
        await self.journal.release(running.lease, outcome.state, event)
        running.tell(event)
        return outcome

    async def answer(self, run: str, step: str, answer: Json) -> None:
        """Note a person's answer; `resume` goes on with it. Raises `WorkflowError`."""
        await answered(self.journal, run, step, answer)

    # ------------------------------------------------------------------------ wishes

    async def stop(self, run: str, wish: Wish) -> RunState:
        """Pause or cancel a run, here or in another process; returns its state as far as known."""
        row = await self.journal.wish(run, wish)
        if (task := self._tasks.get(row.id)) is not None:
            self._wishes[row.id] = wish
            task.cancel()
            return (await task).state
        return await stop_run(self.journal, row.id, wish)

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            self._background.repeat(self._listen, every=WISH_SECONDS, name="wishes for runs")

    async def _listen(self) -> None:
        """Show that this process lives, and hear what others want of its runs."""
        if not self._tasks:
            return
        for run, wish in (await self.journal.beat()).items():
            if run in self._tasks and run not in self._wishes:
                self._wishes[run] = wish
                self._tasks[run].cancel()


async def answered(journal: RunJournal, run: str, step: str, answer: Json) -> None:
    """Note a person's answer, for whoever goes on with the run. Raises `WorkflowError`."""
    story = await journal.story(run)
    replay = replayed(story)
    asked = next((e for e in reversed(story.events) if e.kind == "asked" and e.step == step), None)
    if asked is None or step in replay.ends:
        raise WorkflowError(f"{step}: nothing was asked there, or it was answered.")
    choices: list[Json] = asked.body["choices"]
    if choices and answer not in choices:
        raise WorkflowError(f"One of {', '.join(map(str, choices))} was expected.")
    lease = await journal.take(run)
    await journal.release(lease, "waiting", Event(replay.last + 1, "answered", step, answer))


async def stop_run(journal: RunJournal, run: str, wish: Wish) -> RunState:
    """Have a run stopped by whoever carries it out, or stop it where nobody does.

    Returns its state: `running` where its owner has yet to hear of it.
    """
    row = await journal.wish(run, wish)
    orphans = {each.id for each in await journal.orphans()}
    if row.owner is not None and row.id not in orphans:
        return row.state
    lease = await journal.take(row.id)
    story = await journal.story(row.id)
    state: RunState = "cancelled" if wish == "cancel" else "paused"
    await journal.release(lease, state, _after(story, state, {"state": state}))
    return state


def _after(story: Story, kind: EventKind, body: Json) -> Event:
    last = max((event.seq for event in story.events), default=0)
    return Event(last + 1, kind, "", body)
