"""Spans of runs: a workflow, its agents and tools, and within them the calls of models.

They hold names of the plan, models, tokens, cost and times; no prompt, no answer, no path.
"""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import TYPE_CHECKING

from coai_agents.workflows.definition.schema import AgentNode, ScriptNode, ToolNode
from coai_agents.workflows.engine.hooks import Hook
from coai_agents.workflows.engine.work import Done
from coai_routing.records import span_names as names
from coai_routing.records.telemetry import SpanPlace, Telemetry, TelemetryError, within

if TYPE_CHECKING:
    from coai_agents.workflows.definition.schema import Plan
    from coai_agents.workflows.engine.work import StepFailedError, Task
    from coai_routing.settings.router_sections import TelemetrySettings

logger = logging.getLogger(__name__)

_ROOT = "run"


class RunSpans(Hook):
    """Sends spans of runs to a collector."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def close(self) -> None:
        """Send what is queued, within some seconds; it blocks, so use a thread."""
        self._telemetry.close()

    def node_began(self, task: Task) -> None:
        """Have calls of models from here on be within the step's span."""
        within.set(place_of(task))

    def node_ended(self, task: Task, end: Done | StepFailedError | None, seconds: float) -> None:
        """Send the step's span."""
        within.set(None)
        operation, key, name = _what(task)
        told: dict[str, str | int | float | bool] = {
            names.OPERATION: operation,
            key: name,
            names.CONVERSATION: task.run,
            names.STEP: task.step,
            names.ATTEMPT: task.attempt,
        }
        if operation == names.EXECUTE_TOOL:
            told[names.TOOL_TYPE] = "function"
            told[names.TOOL_CALL] = task.key
        if end is not None and end.usage.calls:
            told[names.INPUT_TOKENS] = end.usage.prompt_tokens
            told[names.OUTPUT_TOKENS] = end.usage.output_tokens
            told[names.COST] = end.usage.usd
        if isinstance(end, Done):
            told[names.LOCAL] = end.local
            if end.model:
                told[names.RESPONSE_MODEL] = end.model
        else:
            told[names.ERROR] = "cancelled" if end is None else type(end).__name__
        parent = SpanPlace(task.run, _ROOT)
        self._telemetry.span(
            f"{operation} {name}", place_of(task), told, seconds=seconds, parent=parent
        )

    def run_ended(self, run: str, plan: Plan, state: str, seconds: float) -> None:
        """Send the run's span, or that of the part of it that this process carried out."""
        told: dict[str, str | int | float | bool] = {
            names.OPERATION: names.INVOKE_WORKFLOW,
            names.WORKFLOW: plan.name,
            names.CONVERSATION: run,
            names.STATE: state,
        }
        if state in ("failed", "stopped"):
            told[names.ERROR] = state
        self._telemetry.span(
            f"{names.INVOKE_WORKFLOW} {plan.name}", SpanPlace(run, _ROOT), told, seconds=seconds
        )


def place_of(task: Task) -> SpanPlace:
    """Return where the span of an attempt at a step is."""
    return SpanPlace(task.run, f"{task.step}/{task.attempt}")


def _what(task: Task) -> tuple[str, str, str]:
    """Return a step's operation, and the attribute and the name of who does it."""
    match task.node:
        case ToolNode(tool=tool):
            return names.EXECUTE_TOOL, names.TOOL, tool
        case ScriptNode(script=script):
            return names.EXECUTE_TOOL, names.TOOL, script
        case AgentNode(specialist=str(name)):
            return names.INVOKE_AGENT, names.AGENT, name
        case AgentNode(role=str(name)):
            return names.INVOKE_AGENT, names.AGENT, name
        case node:
            return names.INVOKE_AGENT, names.AGENT, node.name


def spans_of(settings: TelemetrySettings) -> RunSpans | None:
    """Return what sends spans of runs, if they are wanted and can be sent; importing takes time."""
    if not settings.enabled:
        return None
    try:
        return RunSpans(Telemetry(settings.url, version=version("coai")))
    except TelemetryError as error:
        logger.warning("%s", error)
        return None
