"""Which nodes can start, and whether they are to be done: pure functions of what has settled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.workflows.definition.evaluating import evaluate
from coai_agents.workflows.definition.schema import expression_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from coai_agents.workflows.definition.schema import Node
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.shapes import Shape
    from coai_agents.workflows.journal.records import StepState


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a node: nothing changes it any more, but a gate that has it revised."""

    state: StepState
    output: Json = None


SKIPPED: Final = Settled("skipped")


@dataclass(frozen=True, slots=True)
class Seen:
    """What expressions see at a place."""

    values: Mapping[str, Json]
    states: Mapping[str, str]

    def of(self, formula: str) -> Json:
        """Return what an expression gives here."""
        return evaluate(expression_of(formula), self.values, self.states)

    def also(self, **values: Json) -> Seen:
        """Return the same with more values."""
        return Seen({**self.values, **values}, self.states)


def can_start(
    shape: Shape, settled: Mapping[str, Settled], begun: Collection[str]
) -> Iterator[str]:
    """Yield the nodes that wait for nothing any more and have not begun."""
    for name, waits in shape.waits.items():
        if name in settled or name in begun or name in shape.undoing:
            continue
        if all(each in settled for each in waits):
            yield name


def seen_by(shape: Shape, name: str, settled: Mapping[str, Settled], outer: Seen) -> Seen:
    """Return what a node sees: what is around its scope, and what it waited for."""
    waits = shape.waits[name]
    if not waits:
        return outer
    values, states = dict(outer.values), dict(outer.states)
    for each in waits:
        known = settled.get(each, SKIPPED)
        values[each], states[each] = known.output, known.state
    return Seen(values, states)


def is_wanted(shape: Shape, node: Node, settled: Mapping[str, Settled], seen: Seen) -> bool:
    """Say whether a node is to be done; if not, it is skipped.

    It is not where a dispatch has not chosen it, its condition does not hold, or all that it
    waited for was skipped and it has no condition of its own.
    """
    choices = [settled[each] for each in shape.chosen_by.get(node.name, ())]
    if choices and not any(node.name in (each.output or ()) for each in choices):
        return False
    if node.when is not None:
        return bool(seen.of(node.when))
    waits = shape.waits[node.name]
    return not waits or any(settled[each].state != "skipped" for each in waits)


def given_to(node: Node, shape: Shape, seen: Seen) -> dict[str, Json]:
    """Return what a node is given by name: what it asks for, or the input and what was before."""
    wanted: Mapping[str, str] = getattr(node, "given", {})
    if wanted:
        given = {name: seen.of(formula) for name, formula in wanted.items()}
    else:
        around = ("item",) if node.fan_out is not None else ("input",)
        more = [
            each
            for each in ("last",)
            if seen.values.get(each) is not None and each not in shape.nodes
        ]
        dispatches = shape.chosen_by.get(node.name, ())
        waits = [each for each in shape.waits[node.name] if each not in dispatches]
        given = {
            name: seen.values.get(name)
            for name in (*around, *waits, *more)
            if seen.states.get(name) not in ("skipped", "failed")
        }
    if (feedback := seen.values.get("feedback")) is not None:
        given["feedback"] = feedback
    return given
