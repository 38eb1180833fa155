"""The steps of a run as a tree or a list shows them while it goes on: each with its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from coai_agents.workflows.engine.replay import node_of
from coai_agents.workflows.journal.records import ENDED, StepFacts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.workflows.reports.report import Report

Shown: TypeAlias = Literal[
    "done", "partial", "skipped", "failed", "revised", "running", "retrying", "waiting", "answered",
    "stopped", "pending",
]  # fmt: skip
"""How far a step is: what it ended in, or why it has not ended."""


_NOTHING: Final = StepFacts()


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step of a run."""

    step: str
    kind: str
    """The kind of its node in the plan; empty for a step within another one."""
    state: Shown
    facts: StepFacts = _NOTHING

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts and editors; times are milliseconds."""
        facts = self.facts
        return {
            "step": self.step,
            "kind": self.kind,
            "state": self.state,
            "model": facts.model,
            "local": facts.local,
            "tokens": facts.usage.tokens,
            "usd": round(facts.usage.usd, 6),
            "ms": round(facts.ms, 1),
            "error": facts.error,
        }


def steps_of(report: Report, *, alive: bool) -> list[StepRow]:
    """Return the steps of a run in the order in which they began, and what has yet to begin.

    `alive` says whether somebody carries the run out now.
    """
    rows = list(_begun(report, alive=alive))
    known = {node_of(row.step) for row in rows}
    if report.story.row.state not in ENDED:
        nodes = report.ready.shape.nodes
        rows += [StepRow(name, nodes[name].kind, "pending") for name in nodes if name not in known]
    return rows


def _begun(report: Report, *, alive: bool) -> Iterator[StepRow]:
    replay, nodes = report.replay, report.ready.shape.nodes
    named = dict.fromkeys(event.step for event in report.story.events if event.step)
    for step in named:
        kind = nodes[step].kind if step in nodes else ""
        if (end := replay.ends.get(step)) is not None:
            yield StepRow(step, kind, end.state, end.facts)
        elif step in replay.asked:
            waits: Shown = "stopped" if report.story.row.state in ENDED else "waiting"
            yield StepRow(step, kind, "answered" if step in replay.answers else waits)
        elif replay.interrupted(step) > 0:
            yield StepRow(step, kind, "running" if alive else "stopped")
        elif replay.failures[step]:
            yield StepRow(step, kind, "retrying" if alive else "stopped")
        else:
            # It was given up when the run was paused, or is to be done again.
            yield StepRow(step, kind, "pending")
