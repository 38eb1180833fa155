"""A worker: carries out runs that are in PostgreSQL, and steps of the runs of others.

Each run is a durable workflow; each step that asks a model is one of its own on that model's
queue, so the limits of a model hold for all machines together. A worker that dies is missed by the
others, who take over what it did: a step that had been done is taken from where it is recorded.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from coai_agents.workflows.cluster import census
from coai_agents.workflows.cluster.durable import RUN, RUNS_QUEUE, STEP, Durable, Limit
from coai_agents.workflows.cluster.wire import (
    done_as_text,
    failure_as_text,
    read_done,
    read_task,
    task_as_text,
)
from coai_agents.workflows.definition.schema import AgentNode, DispatchNode
from coai_agents.workflows.engine.engine import Engine
from coai_agents.workflows.engine.work import StepFailedError
from coai_agents.workflows.errors import JournalError, RunTakenError, WorkflowError
from coai_agents.workflows.reports.spans import place_of
from coai_routing.background import Background
from coai_routing.records.telemetry import within

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from coai_agents.workflows.cluster.journal import PostgresJournal
    from coai_agents.workflows.definition.schema import Node
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.hooks import Hook
    from coai_agents.workflows.engine.work import Done, Task, Workers
    from coai_agents.workflows.journal.records import RunRow

    Hands: TypeAlias = Callable[[Mapping[str, Json]], Awaitable[Workers]]

logger = logging.getLogger(__name__)

BEAT_SECONDS: Final = 0.5
LOOK_SECONDS: Final = 0.1
"""How often steps on queues are looked at."""
RUNS_AT_ONCE: Final = 16
MOST_INTERRUPTED: Final = 100
"""A run's worker may die this often during a step: the step itself is mostly done elsewhere."""
OTHER: Final = "other"
"""The queue of models that have no limit of their own."""
_AGAIN_SECONDS: Final = 5.0
"""How often it is looked whether a run that waits for its turn still does."""
_MOST_TRIES: Final = 8
_FORGET_SECONDS: Final = 3600.0
_KEPT: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker does, and how much of it at a time."""

    runs: int = RUNS_AT_ONCE
    limits: Mapping[str, Limit] = field(default_factory=dict[str, Limit])
    """By the model that a profile names (its alias), or by the profile's own name."""
    facts: Mapping[str, Json] = field(default_factory=dict[str, Any])
    """What `coai system` shows of it."""
    dead_after: float = census.DEAD_SECONDS
    hooks: tuple[Hook, ...] = ()


class ClusterWorker:
    """Carries runs out until it is closed; one in a process, and of one event loop."""

    def __init__(
        self,
        journal: PostgresJournal,
        hands: Hands,
        setup: Setup | None = None,
        *,
        model_of: Callable[[str | None], str] = lambda profile: profile or "default",
    ) -> None:
        """`hands` does the steps of runs with these facts; `model_of` names a profile's model."""
        self.journal = journal
        self.setup = setup or Setup()
        self._hands = hands
        self._model_of = model_of
        self._durable = Durable(journal.store, journal.owner, run=self._run, step=self._step)
        self._engines: dict[int, Engine] = {}
        self._doing: dict[str, asyncio.Task[Done]] = {}
        self._waiting: dict[str, asyncio.Future[Done]] = {}
        self._legs: dict[str, float] = {}
        self._watch = census.Watch(journal, self.setup.dead_after)
        self._background = Background()
        self._forgotten = 0.0
        self._closing = False

    @property
    def steps(self) -> int:
        """Steps of queues that are being done here."""
        return len(self._doing)

    async def open(self) -> None:
        """Begin; raises `JournalError`."""
        await census.register(self.journal, self.setup.facts)
        await self._durable.launch(self.setup.runs)
        for name, limit in {OTHER: Limit(), **self.setup.limits}.items():
            await self._durable.queue(_queue(name), limit)
        self._background.repeat(self._sweep, every=BEAT_SECONDS, name="runs of the cluster")
        self._background.repeat(self._look, every=LOOK_SECONDS, name="steps on queues")

    async def aclose(self) -> None:
        """Hand over what is under way, and be gone."""
        self._closing = self.journal.handing_over = True
        await self._background.aclose()
        for engine in list(self._engines.values()):
            await engine.aclose()
        for task in list(self._doing.values()):
            task.cancel()
        for state in await self._durable.pending(self.journal.owner):
            await self._durable.resume(state)
        await asyncio.to_thread(self._durable.close)
        await census.forget(self.journal, self.journal.owner)

    # ------------------------------------------------------------------------- runs

    async def _run(self, run: str) -> str:
        """Go on with a run, as a durable workflow; returns its state."""
        while not self._closing:
            try:
                story = await self.journal.story(run)
                engine = await self._engine(story.row.facts)
                return (await engine.resume(run)).state
            except RunTakenError:
                # Its worker may be dying; who has it in the end sees to it.
                await asyncio.sleep(BEAT_SECONDS)
                if run not in {row.id for row in await self.journal.orphans()}:
                    return "taken"
            except JournalError as error:
                logger.warning("The run %s stopped: %s", run, error.message)
                return "stopped"
            except WorkflowError:
                return "ended"
            except asyncio.CancelledError:
                return "handed over"
        return "handed over"

    async def _engine(self, facts: Mapping[str, Json]) -> Engine:
        hands = await self._hands(facts)
        if (engine := self._engines.get(id(hands))) is None:
            engine = self._engines[id(hands)] = Engine(
                self.journal,
                _Spread(self, hands),
                most_interrupted=MOST_INTERRUPTED,
                hooks=self.setup.hooks,
            )
        return engine

    # ------------------------------------------------------------------------ steps

    async def _step(self, text: str) -> str:
        """Do a step that asks a model, as a durable workflow; returns what it gave."""
        task = read_task(text)
        # Calls of models are within the span of their step, which the run's worker sends.
        within.set(place_of(task))
        try:
            hands = await self._hands(task.facts)
            doing = self._doing[_name(task)] = asyncio.ensure_future(hands.do(task))
            return done_as_text(await doing)
        except StepFailedError as error:
            return failure_as_text(error)
        except asyncio.CancelledError:
            if self._closing:
                raise
            return failure_as_text(StepFailedError("It was given up."))
        except Exception as error:
            logger.exception("The step %s failed in a way that nobody foresaw.", task.step)
            return failure_as_text(StepFailedError(f"{type(error).__name__}: {error}"))
        finally:
            self._doing.pop(_name(task), None)

    async def do_on_queue(self, task: Task) -> Done:
        """Have a step done by whoever has its turn at the model; raises `StepFailedError`."""
        name = await self._begun_before(task)
        if name is None:
            name = _name(task)
            model = self._model_of(task.profile)
            queue = _queue(model if model in self.setup.limits else OTHER)
            await self._durable.enqueue(STEP, queue, name, task_as_text(task))
        future = self._waiting[name] = asyncio.get_running_loop().create_future()
        try:
            return await future
        except asyncio.CancelledError:
            if not self._closing:
                await self._durable.cancel(name)
            raise
        finally:
            self._waiting.pop(name, None)

    async def _begun_before(self, task: Task) -> str | None:
        """Return the attempt that another process began and never heard the end of."""
        if not task.interrupted:
            return None
        earlier = range(task.attempt - 1, max(0, task.attempt - 1 - task.interrupted), -1)
        names = [_name(replace(task, attempt=number)) for number in earlier]
        states = await self._durable.states(names)
        return next(
            (n for n in names if n in states and states[n].status not in ("CANCELLED", "ERROR")),
            None,
        )

    async def _look(self) -> None:
        """Tell who waits for a step what it gave, and give up those that nobody wants."""
        if not self._waiting and not self._doing:
            return
        names = {*self._waiting, *self._doing}
        for name, state in (await self._durable.states(sorted(names))).items():
            if not state.ended:
                continue
            if (doing := self._doing.get(name)) is not None and state.status == "CANCELLED":
                doing.cancel()
            if (future := self._waiting.get(name)) is not None and not future.done():
                _tell(future, state.output, state.status)

    # -------------------------------------------------------------------- takeover

    async def _sweep(self) -> None:
        """Beat, take over from who is gone, and see that every run has somebody."""
        if not await census.beat(self.journal):
            # The others took it for dead, as after the machine slept.
            await census.register(self.journal, self.setup.facts)
        for owner in await self._watch.dead():
            await self._take_over(owner)
        await self._put_on_queue(await self._watch.free())
        if time.monotonic() - self._forgotten > _FORGET_SECONDS:
            self._forgotten = time.monotonic()
            await self._durable.forget((datetime.now(UTC) - _KEPT).isoformat())
            await self.journal.prune()

    async def _take_over(self, owner: str) -> None:
        """Have what a dead worker was doing done by others; two who do so do it once."""
        if not await census.claim(self.journal, owner):
            return
        try:
            logger.info("The worker %s is gone; its runs go on elsewhere.", owner)
            for state in await self._durable.pending(owner):
                await self._durable.resume(state)
            await census.forget(self.journal, owner)
        finally:
            await census.unclaim(self.journal, owner)

    async def _put_on_queue(self, free: list[RunRow]) -> None:
        """Have runs carried out: by one workflow for each time that one goes on."""
        now = time.monotonic()
        legs = {f"{row.id}.{row.fence}": row.id for row in free}
        self._legs = {name: at for name, at in self._legs.items() if name in legs}
        soonest = now - _AGAIN_SECONDS
        due = [name for name in legs if self._legs.get(name, soonest) <= soonest]
        if not due:
            return
        # One that ended before it took its run, as when the database was away, has another try.
        tries = {name: [f"{name}.{number}" for number in range(_MOST_TRIES)] for name in due}
        states = await self._durable.states([each for names in tries.values() for each in names])
        for name, names in tries.items():
            self._legs[name] = now
            best = next((n for n in names if n not in states or not states[n].ended), None)
            if best is not None and best not in states:
                await self._durable.enqueue(RUN, RUNS_QUEUE, best, legs[name])


@dataclass(frozen=True)
class _Spread:
    """Does the steps of a run: what asks a model on the model's queue, the rest here."""

    worker: ClusterWorker
    hands: Workers

    async def do(self, task: Task) -> Done:
        """Do a step; raises `StepFailedError`."""
        if isinstance(task.node, AgentNode | DispatchNode):
            return await self.worker.do_on_queue(task)
        return await self.hands.do(task)

    def has_effects(self, node: Node) -> bool:
        """Say whether doing a node changes something outside of the run."""
        return self.hands.has_effects(node)


def _name(task: Task) -> str:
    return f"step:{task.key}"


def _queue(model: str) -> str:
    return f"coai-model-{model}"


def _tell(future: asyncio.Future[Done], output: str | None, status: str) -> None:
    if output is None:
        future.set_exception(StepFailedError(f"Its worker gave it up: {status.lower()}."))
        return
    try:
        future.set_result(read_done(output))
    except StepFailedError as error:
        future.set_exception(error)
