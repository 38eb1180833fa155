"""Hooks: what a program wants to know of runs as they go on.

A hook sees and changes nothing. It is called in the event loop, so it has to be quick, and what it
raises is logged and concerns no run.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coai_agents.workflows.engine.work import Done, StepFailedError, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coai_agents.workflows.definition.schema import Node, Plan
    from coai_agents.workflows.engine.work import Workers

logger = logging.getLogger(__name__)


class Hook:
    """Does nothing; override what is wanted."""

    def run_began(self, run: str, plan: Plan) -> None:
        """Hear that a run begins, or goes on."""

    def node_began(self, task: Task) -> None:
        """Hear that a node is being done; `task.attempt` counts from 1."""

    def node_ended(self, task: Task, end: Done | StepFailedError | None, seconds: float) -> None:
        """Hear what an attempt came to; None for one that was given up."""

    def run_ended(self, run: str, plan: Plan, state: str, seconds: float) -> None:
        """Hear how far a run came: `done`, `failed`, `waiting`, `paused`, `cancelled`, `stopped`.

        It is `stopped` where its process has to end, or lost it to another one.
        """


def told(hooks: Sequence[Hook], tell: Callable[[Hook], None]) -> None:
    """Tell hooks of something; what one raises is logged."""
    for hook in hooks:
        try:
            tell(hook)
        except Exception:
            logger.exception("A hook, %s, failed.", type(hook).__name__)


@dataclass(frozen=True, slots=True)
class Hooked:
    """Does steps as others do them, and tells hooks."""

    workers: Workers
    hooks: Sequence[Hook]

    async def do(self, task: Task) -> Done:
        """Do a step; raises `StepFailedError`."""
        told(self.hooks, lambda hook: hook.node_began(task))
        began = time.monotonic()
        end: Done | StepFailedError | None = None
        try:
            end = await self.workers.do(task)
            return end
        except StepFailedError as error:
            end = error
            raise
        except Exception as error:
            end = StepFailedError(f"{type(error).__name__}: {error}")
            raise
        finally:
            seconds, found = time.monotonic() - began, end
            told(self.hooks, lambda hook: hook.node_ended(task, found, seconds))

    def has_effects(self, node: Node) -> bool:
        """Say whether doing a node changes something outside of the run."""
        return self.workers.has_effects(node)
