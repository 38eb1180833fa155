"""DBOS, as little of it as runs on several machines need; the one module that knows it.

A run is one durable workflow for each time that it goes on, and what asks a model is one of its
own, on the queue of that model: so it has a turn among those of all machines. Which steps there
are and which are done, the journal says; so what DBOS repeats after a crash is "go on", and it
never has to find the same calls in the same order.

Its rows are JSON. It could read pickled ones too, which whoever can write to the database could
use to run anything here, so that is taken out. Nothing of it speaks to its vendor: the variables
that would have it do so are not seen by it.
"""

from __future__ import annotations

import os
from contextvars import Context
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NoReturn

from coai_agents.workflows.cluster.errors import ClusterError
from coai_agents.workflows.errors import JournalError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Sequence

    from coai_routing.cluster.databases import Shared

VERSION: Final = "coai-runs-1"
"""What DBOS takes for the program's version. Plans lie in the journal, so an upgrade of COAI goes
on with the runs of the one before; raise it only where `wire` changes."""

RUN: Final = "coai.run"
STEP: Final = "coai.step"
RUNS_QUEUE: Final = "coai-runs"
STEPS_AT_ONCE: Final = 32
"""Of one queue, in one worker, whatever the model's own limit is."""
POLLING_SECONDS: Final = 0.2
MOST_RECOVERIES: Final = 1000
_MOST_FORGOTTEN: Final = 5000
_ENDED: Final = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


@dataclass(frozen=True, slots=True)
class Limit:
    """How many steps may ask one model at a time, and begin in a minute, in all of the cluster."""

    at_once: int | None = None
    per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class State:
    """How far a durable workflow is."""

    id: str
    status: str
    output: str | None = None
    queue: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self.status in _ENDED


class Durable:
    """DBOS in this process; there is one at a time."""

    def __init__(
        self,
        store: Shared,
        executor: str,
        *,
        run: Callable[[str], Awaitable[str]],
        step: Callable[[str], Awaitable[str]],
    ) -> None:
        """Prepare it; raises `ClusterError` where it is not installed."""
        dbos = _library()
        self._dbos: Any = dbos.DBOS
        self._dbos.destroy(destroy_registry=True)
        self._dbos(
            config={
                "name": "coai",
                "system_database_url": store.url,
                "application_version": VERSION,
                "executor_id": executor,
                "serializer": dbos.DBOSPortableJSONSerializer(),
                "log_level": "CRITICAL",
                "enable_otlp": False,
                "notification_listener_polling_interval_sec": 1.0,
            }
        )

        async def apart(work: Callable[[str], Awaitable[str]], given: str) -> str:
            # In a context of its own: what is called in there is none of the workflow's steps.
            import asyncio  # noqa: PLC0415 - beside the one call that needs it

            async def done() -> str:
                return await work(given)

            task: asyncio.Task[str] = asyncio.create_task(done(), context=Context())
            return await task

        async def go_on(given: str) -> str:
            return await apart(run, given)

        async def do(given: str) -> str:
            return await apart(step, given)

        made = self._dbos.workflow
        made(name=RUN, max_recovery_attempts=MOST_RECOVERIES)(go_on)
        made(name=STEP, max_recovery_attempts=MOST_RECOVERIES)(do)

    async def launch(self, runs: int) -> None:
        """Begin to take work, at most so many runs at a time; raises `JournalError`."""
        try:
            self._dbos.launch()
        except Exception as error:  # noqa: BLE001 - of whatever library it is; it may name an address
            raise JournalError(
                f"DBOS could not begin: {type(error).__name__}.",
                remedy="See that the database's user may make tables and schemas in it.",
            ) from None
        await self._register(RUNS_QUEUE, worker_concurrency=runs)

    async def queue(self, name: str, limit: Limit) -> None:
        """Have a queue with a limit."""
        rate = None if limit.per_minute is None else {"limit": limit.per_minute, "period": 60.0}
        await self._register(
            name,
            global_concurrency=limit.at_once,
            worker_concurrency=min(STEPS_AT_ONCE, limit.at_once or STEPS_AT_ONCE),
            limiter=rate,
        )

    async def _register(self, name: str, **limits: Any) -> None:  # noqa: ANN401 - DBOS has its own types
        await self._dbos.register_queue_async(
            name, polling_interval_sec=POLLING_SECONDS, on_conflict="always_update", **limits
        )

    async def enqueue(self, workflow: str, queue: str, name: str, given: str) -> None:
        """Have a workflow done by whoever has its turn; one of that name is done once."""
        options = {
            "workflow_name": workflow,
            "queue_name": queue,
            "workflow_id": name,
            "app_version": VERSION,
        }
        await self._dbos.enqueue_workflow_with_options_async(options, given)

    async def states(self, names: Sequence[str]) -> dict[str, State]:
        """Return how far workflows are; none for those that there are not."""
        found = await self._dbos.list_workflows_async(workflow_ids=list(names), load_input=False)
        return {each.workflow_id: _state(each) for each in found}

    async def pending(self, executor: str) -> list[State]:
        """Return what an executor was doing."""
        found = await self._dbos.list_workflows_async(
            executor_id=executor, status="PENDING", load_input=False, load_output=False
        )
        return [_state(each) for each in found]

    async def resume(self, state: State) -> None:
        """Have a workflow of an executor that is gone done by another one."""
        await self._dbos.resume_workflow_async(state.id, queue_name=state.queue)

    async def cancel(self, name: str) -> None:
        """Have a workflow given up."""
        await self._dbos.cancel_workflow_async(name)

    async def forget(self, before: str) -> None:
        """Forget some workflows that ended before a time, in ISO 8601."""
        found = await self._dbos.list_workflows_async(
            completed_before=before,
            status=list(_ENDED),
            limit=_MOST_FORGOTTEN,
            load_input=False,
            load_output=False,
        )
        if found:
            await self._dbos.delete_workflows_async([each.workflow_id for each in found])

    def close(self) -> None:
        """Take no more work; it blocks, so use a thread."""
        self._dbos.destroy(destroy_registry=True)


def _state(found: Any) -> State:  # noqa: ANN401 - a value of DBOS
    output = found.output if isinstance(found.output, str) else None
    return State(found.workflow_id, found.status, output, found.queue_name)


def _library() -> Any:  # noqa: ANN401 - a module
    for name in [each for each in os.environ if each.startswith("DBOS_")]:
        del os.environ[name]
    try:
        dbos: Any = import_module("dbos")
    except ImportError as error:
        raise ClusterError(
            "This machine cannot carry out shared runs: DBOS is not installed.",
            remedy="Install `coai[cluster]`.",
        ) from error
    pickled: Any = import_module("dbos._serialization").DefaultSerializer
    pickled.serialize = _refused
    pickled.deserialize = _refused
    return dbos


def _refused(*_: object) -> NoReturn:
    raise ValueError("nothing is pickled or unpickled here")
