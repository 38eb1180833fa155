"""Runs of ensembles: begun, listed, watched, answered, stopped, forked; and many at once."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from coai_agents.workflows.definition.types import Json
from coai_agents.workflows.reports.report import report_of
from coai_routing.errors import CoaiError
from coai_server.http.access import Caller, Runner, Viewer, only_known
from coai_server.http.problems import DOCUMENTED, RefusedError, problem_of
from coai_server.http.routes.forms import WHOLE, Asked, Given
from coai_server.http.streams import DOCUMENTED_STREAM, HEARTBEAT, EventStream, event

router = APIRouter(
    prefix="/v1", tags=["Runs"], responses=DOCUMENTED, dependencies=[Depends(only_known)]
)

MOST_INPUTS: Final = 200
"""Of a batch."""
MOST_AT_ONCE: Final = 16
_LAST: Final = 2**31
_NUMBER: Final = re.compile("[0-9]{1,9}")


class RunAsked(Asked):
    """An ensemble and its input."""

    ensemble: str = Field(description="Its name; GET /v1/ensembles lists them.")
    input: Given = Field(default="", description="Of the type that the ensemble takes.")
    folder: str = Field(default=".", description="The folder that it is about.")
    model: bool = Field(default=True, description="Whether models may be asked.")


class RunName(BaseModel):
    """A run."""

    run: str


class RunRow(BaseModel):
    """A run in a list."""

    run: str
    name: str
    state: str
    created: str
    changed: str
    parent: str | None


class RunReport(BaseModel):
    """What a run came to."""

    model_config = ConfigDict(extra="allow")

    run: str
    name: str
    state: str
    result: Any = None
    error: str
    questions: list[dict[str, Any]]
    steps: list[dict[str, Any]]


class RunState(BaseModel):
    """How far a run is."""

    run: str
    state: str


@router.post("/runs", status_code=201)
async def start(asked: RunAsked, response: Response, caller: Runner) -> RunName:
    """Begin a run; it goes on by itself, and its events can be watched."""
    run = await _begun(caller, asked.ensemble, asked.input, asked.folder, model=asked.model)
    response.headers["location"] = f"/v1/runs/{run}"
    return RunName(run=run)


async def _begun(caller: Caller, name: str, given: Json, folder: str, *, model: bool) -> str:
    place = caller.roots.place(folder)
    root = place.path if place.path.is_dir() else place.path.parent
    return await caller.tenant.runs.start(name, given, root, model=model, of=caller.principal.name)


@router.get("/runs")
async def listed(caller: Viewer, limit: Annotated[int, Query(ge=1, le=1_000)] = 50) -> list[RunRow]:
    """List runs of the caller's folders, the newest first."""
    rows = await caller.tenant.runs.rows(caller.roots.folders, limit)
    return [
        RunRow(
            run=row.id,
            name=row.name,
            state=row.state,
            created=row.created,
            changed=row.changed,
            parent=row.parent,
        )
        for row in rows
    ]


@router.get("/runs/{run}")
async def shown(run: str, caller: Viewer) -> RunReport:
    """Show what a run came to: its steps, questions, cost, and what left the machine."""
    story = await caller.tenant.runs.story(run, caller.roots.folders)
    return RunReport.model_validate(report_of(story).as_json())


@router.get("/runs/{run}/events", response_class=Response, responses=DOCUMENTED_STREAM)
async def events(
    run: str,
    caller: Viewer,
    after: Annotated[int, Query(ge=-1, le=_LAST, description="Begin after this event.")] = -1,
    last_event_id: Annotated[
        str, Header(description="Sent by clients that come again; what is no number is none.")
    ] = "",
) -> Response:
    """Stream what happens in a run, from its first event or after one that was seen.

    It ends when nothing more comes by itself: the run has ended, was paused, or waits for an
    answer. Whoever comes again then, having seen all of a run that has ended, gets 204.
    """
    seen = int(last_event_id) if _NUMBER.fullmatch(last_event_id) else after
    row, last = await caller.tenant.runs.row(run, caller.roots.folders)
    if row.state in ("done", "failed", "cancelled") and seen >= last:
        return Response(status_code=204)
    return EventStream(told(caller, row.id, seen))


async def told(caller: Caller, run: str, seen: int) -> AsyncGenerator[str]:
    """Yield a run's events as they are sent."""
    async with aclosing(caller.tenant.runs.watch(run, seen)) as happened:
        async for each in happened:
            if each is None:
                yield HEARTBEAT
            else:
                yield event(each.as_json(), name=each.event.kind, number=each.event.seq)


class Answer(Asked):
    """What a person says to a question of a run."""

    step: str
    answer: Given


@router.post("/runs/{run}/answers")
async def answer(run: str, asked: Answer, caller: Runner) -> RunState:
    """Answer a question that a run waits for; it goes on."""
    row, _ = await caller.tenant.runs.row(run, caller.roots.folders)
    await caller.tenant.runs.answer(row.id, asked.step, asked.answer)
    return RunState(run=row.id, state="running")


@router.post("/runs/{run}/cancel")
async def cancel(run: str, caller: Runner) -> RunState:
    """Cancel a run for good, also one that another process carries out."""
    return await _stopped(caller, run, "cancel")


@router.post("/runs/{run}/pause")
async def pause(run: str, caller: Runner) -> RunState:
    """Pause a run; `resume` goes on with it."""
    return await _stopped(caller, run, "pause")


async def _stopped(caller: Caller, run: str, wish: Literal["pause", "cancel"]) -> RunState:
    row, _ = await caller.tenant.runs.row(run, caller.roots.folders)
    return RunState(run=row.id, state=await caller.tenant.runs.stop(row.id, wish))


@router.post("/runs/{run}/resume")
async def resume(run: str, caller: Runner) -> RunState:
    """Go on with a run that was paused or whose process is gone; what is done is not done again."""
    row, _ = await caller.tenant.runs.row(run, caller.roots.folders)
    await caller.tenant.runs.resume(row.id)
    return RunState(run=row.id, state="running")


class ForkAsked(Asked):
    """Where another run of the same plan begins."""

    node: str | None = Field(default=None, description="What was before it counts.")
    input: Given = Field(default=None, description="Another input; the same one unless given.")


@router.post("/runs/{run}/fork", status_code=201)
async def fork(run: str, asked: ForkAsked, response: Response, caller: Runner) -> RunName:
    """Make a run of the same plan from a point on; `resume` begins it."""
    row, _ = await caller.tenant.runs.row(run, caller.roots.folders)
    made = await caller.tenant.runs.fork(row.id, asked.node, asked.input)
    response.headers["location"] = f"/v1/runs/{made}"
    return RunName(run=made)


class Artifact(BaseModel):
    """What a step gave."""

    step: str
    state: str
    bytes: int


@router.get("/runs/{run}/artifacts")
async def artifacts(run: str, caller: Viewer) -> list[Artifact]:
    """List what the steps of a run gave."""
    story = await caller.tenant.runs.story(run, caller.roots.folders)
    return [
        Artifact(step=end.step, state=end.state, bytes=len(json.dumps(end.output).encode()))
        for end in report_of(story).replay.ends.values()
    ]


@router.get("/runs/{run}/artifacts/{step}")
async def artifact(run: str, step: str, caller: Viewer) -> Any:  # noqa: ANN401 - whatever the step gave
    """Return what a step gave, as JSON."""
    story = await caller.tenant.runs.story(run, caller.roots.folders)
    end = report_of(story).replay.ends.get(step)
    if end is None:
        raise RefusedError(
            404,
            "no_such_step",
            "The run has no such step that ended.",
            remedy="GET /v1/runs/RUN/artifacts lists them.",
        )
    return Response(json.dumps(end.output), media_type="application/json")


class BatchAsked(Asked):
    """One ensemble over many inputs."""

    ensemble: str
    inputs: list[Given] = Field(min_length=1, max_length=MOST_INPUTS)
    folder: str = "."
    model: bool = True
    at_once: Annotated[int, Field(ge=1, le=MOST_AT_ONCE), WHOLE] = 4


@router.post("/batch", response_class=Response, responses=DOCUMENTED_STREAM)
async def batch(asked: BatchAsked, caller: Runner) -> Response:
    """Run an ensemble over many inputs; each result is sent as it comes.

    The events are `begun` (index, run), `result` (index, run, state, result, error), and `end`.
    Each run is kept: whoever loses the stream finds what was begun by its name.
    """
    await asyncio.to_thread(caller.roots.place, asked.folder)
    return EventStream(_batch(asked, caller))


async def _batch(asked: BatchAsked, caller: Caller) -> AsyncGenerator[str]:
    told: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
    turns = asyncio.Semaphore(asked.at_once)

    async def one(index: int, given: Json) -> None:
        async with turns:
            try:
                run = await _begun(caller, asked.ensemble, given, asked.folder, model=asked.model)
                told.put_nowait(("begun", {"index": index, "run": run}))
                said = await _ended(caller, run)
            except CoaiError as error:
                _, problem = problem_of(error)
                said = {"run": None, "state": "failed", "result": None, "error": problem.message}
            told.put_nowait(("result", {"index": index, **said}))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(index, each)) for index, each in enumerate(asked.inputs)]
        ended = 0
        try:
            while ended < len(tasks):
                name, said = await told.get()
                ended += name == "result"
                yield event(said, name=name)
        finally:
            # What was begun goes on by itself; nothing more is begun for nobody.
            for task in tasks:
                task.cancel()
    yield event({"inputs": len(tasks)}, name="end")


async def _ended(caller: Caller, run: str) -> dict[str, Any]:
    async with aclosing(caller.tenant.runs.watch(run, -1)) as happened:
        async for _ in happened:
            pass
    report = report_of(await caller.tenant.runs.story(run, caller.roots.folders))
    return {
        "run": run,
        "state": report.story.row.state,
        "result": report.result,
        "error": report.error,
    }
