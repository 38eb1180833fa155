"""Plans made ready for the engine: parsed once, however many runs there are of one."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coai_agents.workflows.definition.graph import compensations, edges, revised
from coai_agents.workflows.definition.schema import DispatchNode, GateNode, LoopNode, Plan, Revise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coai_agents.workflows.definition.schema import Node


@dataclass(frozen=True)
class Shape:
    """The nodes of a scope and what there is between them."""

    nodes: Mapping[str, Node]
    waits: Mapping[str, tuple[str, ...]]
    undoing: frozenset[str]
    chosen_by: Mapping[str, tuple[str, ...]]
    """The dispatches that may choose a node."""
    again: Mapping[str, frozenset[str]]
    """What a gate has done again."""

    @functools.cached_property
    def ends(self) -> tuple[str, ...]:
        """The nodes that nothing waits for."""
        waited = {each for names in self.waits.values() for each in names}
        return tuple(name for name in self.nodes if name not in waited | self.undoing)


def shape_of(nodes: Sequence[Node]) -> Shape:
    """Return the shape of a scope."""
    graph = edges(nodes)
    chosen: dict[str, tuple[str, ...]] = {}
    again: dict[str, frozenset[str]] = {}
    for node in nodes:
        if isinstance(node, DispatchNode):
            for each in node.among:
                chosen[each] = (*chosen.get(each, ()), node.name)
        if isinstance(node, GateNode) and isinstance(node.otherwise, Revise):
            again[node.name] = revised(graph, node.name, node.otherwise.revise)
    return Shape({node.name: node for node in nodes}, graph, compensations(nodes), chosen, again)


@dataclass(frozen=True)
class Ready:
    """A plan with its shapes."""

    plan: Plan
    shape: Shape
    _loops: dict[int, Shape] = field(default_factory=dict[int, Shape])
    _nested: dict[str, Ready] = field(default_factory=dict[str, "Ready"])

    def loop(self, node: LoopNode) -> Shape:
        """Return the shape of a loop's nodes."""
        # The plan holds its nodes, so none of them makes room for another with its identity.
        if (shape := self._loops.get(id(node))) is None:
            shape = self._loops[id(node)] = shape_of(node.nodes)
        return shape

    def nested(self, name: str) -> Ready:
        """Return a plan that this one names."""
        if (ready := self._nested.get(name)) is None:
            plan = self.plan.ensembles[name]
            whole = plan.model_copy(update={"ensembles": self.plan.ensembles})
            ready = self._nested[name] = Ready(whole, shape_of(plan.nodes))
        return ready


@functools.lru_cache(128)
def ready_plan(text: str) -> Ready:
    """Return a plan from the text that is stored with its runs."""
    plan = Plan.model_validate_json(text)
    return Ready(plan, shape_of(plan.nodes))
