"""Doing one step: attempts with a deadline each, waits between them, and what they cost."""

from __future__ import annotations

import asyncio
import logging
import time
from hashlib import blake2b
from typing import TYPE_CHECKING

from coai_agents.workflows.definition.schema import (
    AgentNode,
    DispatchNode,
    Fallback,
    output_type,
)
from coai_agents.workflows.definition.types import TEXT, Type, misfit
from coai_agents.workflows.engine.planning import Settled
from coai_agents.workflows.engine.work import Done, StepFailedError, Task
from coai_agents.workflows.errors import WorkflowError
from coai_agents.workflows.journal.records import StepEnd, StepFacts, Usage, encoded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.workflows.definition.schema import Node
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.purse import Purse
    from coai_agents.workflows.engine.running import Running

logger = logging.getLogger(__name__)


async def do_leaf(
    running: Running,
    node: Node,
    step: str,
    given: Mapping[str, Json],
    *,
    sensitive: bool,
    purse: Purse,
) -> Settled:
    """Do a step that a worker does; raises `StepFailedError` when no attempt is left."""
    replay = running.replay
    interrupted = replay.interrupted(step)
    if interrupted >= running.most_interrupted:
        raise StepFailedError(
            f"The process ended {interrupted} times during {step}, so it is not tried again.",
            remedy="See what it does that ends it; `coai runs resume --from` tries it again.",
            again=False,
        )
    key = _content_key(node, given) if node.cache and not sensitive else None
    if key is not None and (kept := await running.journal.kept(key)) is not None:
        end = StepEnd(step, "done", kept[0], facts=StepFacts(cached=True))
        await running.ended(end)
        return Settled("done", kept[0])
    profiles = _profiles(node)
    failed, attempt = replay.failures[step], replay.started[step]
    error: StepFailedError | None = None
    for number in range(min(failed, len(profiles) - 1), len(profiles)):
        if error is not None:
            await asyncio.sleep(node.retries.wait(number))
        attempt += 1
        task = Task(
            *(running.lease.run, step, attempt, node, given, profiles[number]),
            sensitive=sensitive,
            most_usd=purse.left_usd(),
            paths=frozenset(running.paths),
            facts=running.facts,
            interrupted=interrupted,
        )
        interrupted = 0
        try:
            done, ms = await _attempted(running, task, purse)
        except StepFailedError as failure:
            error = failure
            use = failure.usage
            running.unasked = running.unasked or (str(failure) if failure.unasked else "")
            body: dict[str, Json] = {"error": failure.message}
            if use.calls:
                body["use"] = [use.calls, use.prompt_tokens, use.output_tokens, use.usd]
            running.soon("tried", step, body)
            if failure.again:
                continue
            break
        facts = StepFacts(
            *(ms, done.usage, done.model, done.local), notes=done.notes, paths=done.paths
        )
        running.paths.update(done.paths)
        running.answered = running.answered or bool(done.model)
        await running.ended(StepEnd(step, "done", done.output, attempt, facts))
        if key is not None:
            running.journal.keep(key, done.output)
        return Settled("done", done.output)
    assert error is not None
    raise error


async def _attempted(running: Running, task: Task, purse: Purse) -> tuple[Done, float]:
    """Make one attempt when it is its turn; returns what it gave and the milliseconds it took."""
    node, step = task.node, task.step
    usage = Usage()
    async with running.turns.of(node.priority), running.everyone.of(node.priority):
        purse.begin()
        try:
            if running.workers.has_effects(node):
                # It may have happened even if nobody hears of it: that has to be known.
                await running.now("started", step, {"attempt": task.attempt})
            else:
                running.soon("started", step)
            began = time.monotonic()
            async with asyncio.timeout(node.timeout):
                done = await running.workers.do(task)
            ms = (time.monotonic() - began) * 1000.0
            usage = done.usage
        except StepFailedError as error:
            usage = error.usage
            raise
        except TimeoutError as error:
            message = (
                f"It took longer than {node.timeout:g} s." if node.timeout else "It took too long."
            )
            raise StepFailedError(message) from error
        except WorkflowError:
            raise
        except asyncio.CancelledError:
            running.given_up.append(step)
            raise
        except Exception as error:
            logger.exception("The step %s failed in a way that nobody foresaw.", step)
            raise StepFailedError(f"{type(error).__name__}: {error}") from error
        finally:
            purse.end(usage)
    # Not in the step's turn: the next one need not wait for it.
    _check(node, done)
    return done, ms


def _check(node: Node, done: Done) -> None:
    """See that what a step gave is what it says it gives, and can be kept."""
    try:
        encoded(done.output)
    except (ValueError, TypeError) as error:
        raise StepFailedError(
            f"What it gave is nothing that can be kept: {error}.", usage=done.usage
        ) from error
    wanted = _wanted(node)
    if wanted is not None and (wrong := misfit(done.output, wanted)):
        raise StepFailedError(f"What it gave is not what was asked for: {wrong}.", usage=done.usage)


def _wanted(node: Node) -> Type | None:
    if isinstance(node, DispatchNode):
        return Type("list", item=Type("text", words=node.among))
    wanted = getattr(node, "output", None) and output_type(node)  # type: ignore[arg-type]
    if wanted is None and isinstance(node, AgentNode) and node.specialist is None:
        return TEXT
    return wanted or None


def _profiles(node: Node) -> list[str | None]:
    """Return the model profile of each attempt."""
    own = getattr(node, "profile", None)
    profiles: list[str | None] = [own] * node.retries.attempts
    if isinstance(node.on_failure, Fallback):
        profiles.append(node.on_failure.profile)
    return profiles


def _content_key(node: Node, given: Mapping[str, Json]) -> bytes:
    """Return what stands for all that decides what a step gives."""
    told = node.model_dump(
        exclude={
            *("name", "description", "depends_on", "when"),
            *("timeout", "retries", "on_failure", "priority"),
        }
    )
    content = encoded([told, dict(given)])
    return blake2b(content, digest_size=20).digest()
