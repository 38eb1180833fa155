"""A step on its way to another machine, and what it gave on its way back: JSON in ASCII.

ASCII because PostgreSQL's text holds neither NUL nor lone surrogates, which JSON can say in it.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from coai_agents.workflows.definition.schema import Node
from coai_agents.workflows.engine.work import Done, StepFailedError, Task
from coai_agents.workflows.journal.records import Usage

if TYPE_CHECKING:
    from coai_agents.workflows.definition.schema import Node as AnyNode


@cache
def _nodes() -> TypeAdapter[AnyNode]:
    return TypeAdapter(Node)


def task_as_text(task: Task) -> str:
    """Return a step as it travels."""
    return json.dumps(
        {
            "run": task.run,
            "step": task.step,
            "attempt": task.attempt,
            "node": task.node.model_dump(mode="json", exclude_unset=True, by_alias=True),
            "given": dict(task.given),
            "profile": task.profile,
            "sensitive": task.sensitive,
            "most_usd": task.most_usd,
            "paths": sorted(task.paths),
            "facts": dict(task.facts),
        }
    )


def read_task(text: str) -> Task:
    """Read a step; raises ValueError for what is none."""
    said = json.loads(text)
    return Task(
        said["run"],
        said["step"],
        said["attempt"],
        _nodes().validate_json(json.dumps(said["node"])),
        said["given"],
        said["profile"],
        sensitive=said["sensitive"],
        most_usd=said["most_usd"],
        paths=frozenset(said["paths"]),
        facts=said["facts"],
    )


def done_as_text(done: Done) -> str:
    """Return what a step gave as it travels."""
    return json.dumps(
        {
            "output": done.output,
            "use": _use(done.usage),
            "model": done.model,
            "local": done.local,
            "notes": list(done.notes),
            "paths": list(done.paths),
        },
        allow_nan=False,
    )


def failure_as_text(error: StepFailedError) -> str:
    """Return a failure as it travels."""
    return json.dumps(
        {
            "failed": error.message,
            "remedy": error.remedy,
            "again": error.again,
            "use": _use(error.usage),
        }
    )


def read_done(text: str) -> Done:
    """Read what a step gave; raises the `StepFailedError` that it ended in."""
    said: dict[str, Any] = json.loads(text)
    usage = Usage(*said["use"])
    if "failed" in said:
        raise StepFailedError(
            said["failed"], remedy=said["remedy"], again=said["again"], usage=usage
        )
    return Done(
        said["output"],
        usage,
        said["model"],
        said["local"],
        tuple(said["notes"]),
        tuple(said["paths"]),
    )


def _use(usage: Usage) -> list[float]:
    return [usage.calls, usage.prompt_tokens, usage.output_tokens, usage.usd]
