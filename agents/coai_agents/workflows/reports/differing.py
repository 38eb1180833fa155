"""What is different between two runs: inputs, steps, and what they came to."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

from coai_agents.workflows.engine.replay import replayed

if TYPE_CHECKING:
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.journal.records import Story


def difference(one: Story, other: Story) -> dict[str, Any]:
    """Return what differs, step by step, with a diff of what they gave."""
    first, second = replayed(one), replayed(other)
    steps: list[dict[str, Any]] = []
    for step in dict.fromkeys((*first.ends, *second.ends)):
        ends = first.ends.get(step), second.ends.get(step)
        told = [None if end is None else (end.state, end.output) for end in ends]
        if told[0] != told[1]:
            steps.append(
                {
                    "step": step,
                    "states": [None if end is None else end.state for end in ends],
                    "diff": _diff(*(None if end is None else end.output for end in ends)),
                }
            )
    return {
        "runs": [one.row.id, other.row.id],
        "states": [one.row.state, other.row.state],
        "input": None if one.input == other.input else _diff(one.input, other.input),
        "same_plan": one.plan == other.plan,
        "steps": steps,
        "usd": [round(each.usage.usd, 6) for each in (first, second)],
        "tokens": [each.usage.tokens for each in (first, second)],
    }


def _diff(one: Json, other: Json) -> str:
    texts = [
        each if isinstance(each, str) else json.dumps(each, ensure_ascii=False, indent=1)
        for each in (one, other)
    ]
    before, after = (each.splitlines() for each in texts)
    lines = difflib.unified_diff(before, after, lineterm="", n=1)
    return "\n".join(list(lines)[2:])
