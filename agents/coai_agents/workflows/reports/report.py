"""What a run came to: for scripts as JSON, for people as Markdown with a graph of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from coai_agents.markdown import code, fenced, text
from coai_agents.workflows.definition.types import is_list, is_object
from coai_agents.workflows.engine.planning import Settled
from coai_agents.workflows.engine.replay import Replay, node_of, replayed
from coai_agents.workflows.engine.shapes import Ready, ready_plan
from coai_agents.workflows.engine.walking import result_of
from coai_agents.workflows.journal.records import Usage
from coai_agents.workflows.workers.proposals import edits_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.journal.records import StepEnd, Story

SHOWN_CHARACTERS: Final = 4000
"""Of what one step gave, in the Markdown."""

_MARKS: Final = {
    "done": "done",
    "partial": "partly done",
    "skipped": "skipped",
    "failed": "failed",
    "revised": "sent back",
}


@dataclass(frozen=True)
class Report:
    """A run and what is known of it."""

    story: Story
    ready: Ready
    replay: Replay

    @property
    def result(self) -> Json:
        """What the run gives so far."""
        settled = {
            name: Settled(end.state, end.output)
            for name in self.ready.shape.nodes
            if (end := self._last(name)) is not None
        }
        return result_of(self.ready.plan, self.ready.shape, settled)

    @property
    def error(self) -> str:
        """Why it failed; empty where it did not."""
        for event in reversed(self.story.events):
            if event.kind == "finished":
                return str(event.body.get("error", ""))
        return ""

    @property
    def unasked(self) -> str:
        """Why steps that wanted a model had none; empty where a model answered, or none did."""
        facts = [end.facts for end in self.replay.ends.values()]
        if any(each.model for each in facts):
            return ""
        why = next((each.error for each in facts if each.unasked), "")
        return f"No model answered: {why}" if why else ""

    @property
    def edits(self) -> list[dict[str, Json]]:
        """The changes of files that it proposes."""
        return edits_in([end.output for end in self.replay.ends.values() if end.state != "failed"])

    @property
    def questions(self) -> list[tuple[str, Mapping[str, Json]]]:
        """What people were asked and have not answered, by step."""
        return [
            (event.step, event.body)
            for event in self.story.events
            if event.kind == "asked"
            and event.step not in self.replay.answers
            and event.step not in self.replay.ends
        ]

    def _last(self, name: str) -> StepEnd | None:
        """Return what a node ended in, the last time that it was done."""
        turns = [
            end
            for step, end in self.replay.ends.items()
            if step == name or step.startswith(f"{name}~")
        ]
        return max(turns, key=lambda end: end.seq, default=None)

    def by_model(self) -> dict[str, Usage]:
        """Return what each model came to."""
        used: dict[str, Usage] = {}
        for end in self.story.steps:
            if end.facts.usage.calls:
                used[end.facts.model] = used.get(end.facts.model, Usage()) + end.facts.usage
        return used

    def by_agent(self) -> dict[str, Usage]:
        """Return what each node of the plan came to, all of its turns, items and attempts."""
        used: dict[str, Usage] = {}
        for step, spent in self.replay.spent.items():
            if spent.calls:
                name = node_of(step)
                used[name] = used.get(name, Usage()) + spent
        return used

    @property
    def warnings(self) -> list[str]:
        """What was told of budgets while it ran."""
        return [str(event.body) for event in self.story.events if event.kind == "warned"]

    def left(self) -> list[str]:
        """Return the steps of which something left this machine."""
        return [end.step for end in self.replay.ends.values() if not end.facts.local]

    # ------------------------------------------------------------------------ forms

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        row, usage = self.story.row, self.replay.usage
        return {
            "run": row.id,
            "name": row.name,
            "state": row.state,
            "created": row.created,
            "changed": row.changed,
            "parent": row.parent,
            "input": self.story.input,
            "result": self.result,
            "error": self.error,
            "unasked": self.unasked,
            "questions": [{"step": step, **body} for step, body in self.questions],
            "edits": self.edits,
            "steps": [_step(end) for end in self.replay.ends.values()],
            "usage": _usage(usage),
            "models": {name: _usage(used) for name, used in self.by_model().items()},
            "agents": {name: _usage(used) for name, used in self.by_agent().items()},
            "warnings": self.warnings,
            "left_the_machine": self.left(),
            "events": [
                {"seq": e.seq, "at": e.at, "kind": e.kind, "step": e.step, "body": e.body}
                for e in self.story.events
            ],
        }

    def as_markdown(self) -> str:
        """Return it for people; what models and files said stands in it as text."""
        return "\n".join(self._lines()).rstrip() + "\n"

    def _lines(self) -> Iterator[str]:
        row, usage = self.story.row, self.replay.usage
        yield f"# {text(row.name)}: {row.state}"
        yield ""
        yield f"Run {code(row.id)}, begun {row.created}, {usage.calls} model calls,"
        yield f"{usage.tokens} tokens, {usage.usd:.4f} USD."
        left = self.left()
        yield (
            f"Something left this machine in {', '.join(map(code, left))}."
            if left
            else "Nothing left this machine."
        )
        yield from map(text, self.warnings)
        if self.error:
            yield ""
            yield f"It failed: {text(self.error)}"
        elif self.unasked:
            yield ""
            yield text(self.unasked)
        yield ""
        yield from self._graph()
        yield ""
        yield "| step | state | model | ms | tokens | USD |"
        yield "| --- | --- | --- | --: | --: | --: |"
        for end in self.replay.ends.values():
            facts = end.facts
            cells = (
                *(code(end.step), _MARKS[end.state], code(facts.model) if facts.model else ""),
                *(f"{facts.ms:.0f}", str(facts.usage.tokens), f"{facts.usage.usd:.4f}"),
            )
            yield f"| {' | '.join(cells)} |"
        for end in self.replay.ends.values():
            yield from _said(end)

    def _graph(self) -> Iterator[str]:
        """Yield the plan as a Mermaid flowchart with what became of each node."""
        shape = self.ready.shape
        numbers = {name: f"n{number}" for number, name in enumerate(shape.nodes)}
        yield "```mermaid"
        yield "flowchart LR"
        for name, number in numbers.items():
            end = self._last(name)
            state = "not done" if end is None else _MARKS[end.state]
            # Names are letters, digits, - and _ only, so none ends the label.
            yield f'  {number}["{name}: {state}"]'
        for name, waits in shape.waits.items():
            for each in waits:
                yield f"  {numbers[each]} --> {numbers[name]}"
        yield "```"


def plain(value: Json) -> str:
    """Return a result for people: a text, what an object says is its `text`, or JSON."""
    if isinstance(value, str):
        return value
    if is_object(value) and isinstance(value.get("text"), str):
        return value["text"]
    return json.dumps(value, ensure_ascii=False, indent=2) if value else ""


def report_of(story: Story) -> Report:
    """Return the report of a run."""
    return Report(story, ready_plan(story.plan), replayed(story))


def _said(end: StepEnd) -> Iterator[str]:
    if end.output is None and not end.facts.error and not end.facts.notes:
        return
    yield ""
    yield f"## {code(end.step)}"
    if end.facts.model:
        yield ""
        yield f"*{code(end.facts.model)} says, unchecked:*"
    yield ""
    if end.facts.error:
        yield text(end.facts.error)
    if end.output is not None:
        yield _shown(end.output)
    for note in end.facts.notes:
        yield ""
        yield f"*{text(note)}*"


def _shown(output: Json) -> str:
    if isinstance(output, str):
        return fenced(output[:SHOWN_CHARACTERS], "text")
    if is_object(output) and is_list(output.get("said")):
        return "\n\n".join(_talk(output))
    edits = edits_in([output])
    if edits:
        return "\n\n".join(fenced(str(each["diff"])[:SHOWN_CHARACTERS], "diff") for each in edits)
    return fenced(json.dumps(output, ensure_ascii=False, indent=1)[:SHOWN_CHARACTERS], "json")


def _talk(output: Mapping[str, Json]) -> Iterator[str]:
    """Yield a conversation as people read it; what was said is text."""
    yield f"*{text(str(output.get('ended', '')))}*"
    if conclusion := output.get("conclusion"):
        yield fenced(str(conclusion)[:SHOWN_CHARACTERS], "text")
    said = "\n\n".join(f"{each.get('by')}: {each.get('text')}" for each in output["said"])
    yield fenced(said[: 4 * SHOWN_CHARACTERS], "text")


def _step(end: StepEnd) -> dict[str, Any]:
    facts = end.facts
    return {
        "step": end.step,
        "state": end.state,
        "attempt": end.attempt,
        "output": end.output,
        "ms": round(facts.ms, 1),
        "model": facts.model,
        "local": facts.local,
        "cached": facts.cached,
        "error": facts.error,
        "notes": list(facts.notes),
        "usage": _usage(facts.usage),
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "calls": usage.calls,
        "prompt_tokens": usage.prompt_tokens,
        "output_tokens": usage.output_tokens,
        "usd": round(usage.usd, 6),
    }
