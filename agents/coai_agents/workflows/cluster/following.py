"""What a command sees of runs that workers carry out: it begins them, and follows what happens.

It has the methods of the engine of one machine, so a command need not know which it has. Whoever
stops following stops nothing: the run goes on.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from coai_agents.workflows.cluster import census
from coai_agents.workflows.engine.engine import Outcome, answered, stop_run
from coai_agents.workflows.engine.replay import replayed
from coai_agents.workflows.reports.report import report_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from coai_agents.workflows.cluster.journal import PostgresJournal
    from coai_agents.workflows.definition.schema import Plan
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.running import Tell
    from coai_agents.workflows.journal.records import Event, RunState, StepEnd

Wish: TypeAlias = Literal["pause", "cancel"]

LOOK_SECONDS: Final = 0.2


def _nobody(_: object) -> None:
    pass


class Following:
    """Begins runs for workers and follows them; it belongs to one event loop."""

    def __init__(
        self, journal: PostgresJournal, *, warn: Callable[[str], None] = lambda _: None
    ) -> None:
        """`warn` is told where a run waits because no worker is there."""
        self.journal = journal
        self._warn = warn

    async def aclose(self) -> None:
        """Do nothing: runs go on without anybody who follows them."""

    async def start(
        self,
        plan: Plan,
        given: Json,
        *,
        facts: Mapping[str, Json] | None = None,
        tell: Tell = _nobody,
        begun: Callable[[str], None] = _nobody,
    ) -> Outcome:
        """Begin a run of a plan that was checked, and follow it as far as it goes.

        `begun` is told its name as soon as it is in the journal.
        """
        run = await self.journal.submit(plan.name, plan.as_json(), given, facts=facts)
        begun(run)
        return await self._followed(run, 0, tell)

    async def resume(self, run: str, *, tell: Tell = _nobody) -> Outcome:
        """Have a run go on, and follow it. Raises `RunTakenError` while it does already."""
        story = await self.journal.story(run)
        await self.journal.go_on(story.row.id)
        return await self._followed(story.row.id, replayed(story).last + 1, tell)

    async def answer(self, run: str, step: str, answer: Json) -> None:
        """Note a person's answer; `resume` goes on with it. Raises `WorkflowError`."""
        await answered(self.journal, run, step, answer)

    async def stop(self, run: str, wish: Wish) -> RunState:
        """Pause or cancel a run; returns its state as far as known."""
        return await stop_run(self.journal, run, wish)

    async def _followed(self, run: str, seq: int, tell: Tell) -> Outcome:
        seen = False
        for look in range(1, 1_000_000_000):
            row, events, steps = await self.journal.since(run, seq)
            for told in _in_order(events, steps):
                seq, seen = told.seq + 1, True
                tell(told)
            if row.state != "running":
                return await self._outcome(run)
            if not seen and look == 1 and not await census.live(self.journal, asyncio.sleep):
                self._warn(
                    f"No worker is there to carry {run} out: start one with `coai cluster work`."
                )
            await asyncio.sleep(LOOK_SECONDS)
        raise AssertionError

    async def _outcome(self, run: str) -> Outcome:
        report = report_of(await self.journal.story(run))
        state = report.story.row.state
        result = report.result if state == "done" else None
        return Outcome(run, state, result, report.error)


def _in_order(events: tuple[Event, ...], steps: tuple[StepEnd, ...]) -> list[Event | StepEnd]:
    """Return what happened as an engine tells it: the end of a step by what it gave."""
    ends = {end.seq: end for end in steps}
    return [ends.get(event.seq, event) for event in events]
