"""The graph of a scope's nodes: what waits for what, in which order, and what hangs together.

A scope is the nodes of a plan, or of a loop. A node waits for those that it names in `depends_on`
or in an expression, and for the dispatch that may choose it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from coai_agents.workflows.definition.expressions import paths_in
from coai_agents.workflows.definition.schema import (
    Compensate,
    ConversationNode,
    DispatchNode,
    EnsembleNode,
    GateNode,
    LoopNode,
    expression_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coai_agents.workflows.definition.schema import Node

Edges: TypeAlias = Mapping[str, tuple[str, ...]]
"""For each node, in the plan's order, those of its scope that it waits for."""


def formulas(node: Node) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield a node's own expressions with where they stand, without those of a loop's nodes."""
    for key in ("when", "fan_out"):
        if (formula := getattr(node, key)) is not None:
            yield (key,), formula
    match node:
        case EnsembleNode():
            yield ("input",), node.input
        case LoopNode():
            pass
        case GateNode():
            yield ("check",), node.check
            if node.feedback is not None:
                yield ("feedback",), node.feedback
        case _:
            for name, formula in node.given.items():
                yield ("given", name), formula
    if isinstance(node, ConversationNode):
        yield ("topic",), node.topic
    if isinstance(node, DispatchNode) and node.choose is not None:
        yield ("choose",), node.choose


def named_in(node: Node) -> frozenset[str]:
    """Return every name that a node's expressions begin with, a loop's nodes included."""
    own = [formula for _, formula in formulas(node)]
    inner: set[str] = set()
    if isinstance(node, LoopNode):
        own += [each for each in (node.until, node.score) if each is not None]
        for each in node.nodes:
            inner |= named_in(each)
    if isinstance(node, ConversationNode):
        own.append(node.until)
    paths = {path.name for formula in own for path in paths_in(expression_of(formula))}
    inside = {each.name for each in node.nodes} if isinstance(node, LoopNode) else set[str]()
    return frozenset((paths | inner) - inside)


def edges(nodes: Sequence[Node]) -> Edges:
    """Return what each node of a scope waits for."""
    names = {node.name for node in nodes}
    chosen_by: dict[str, list[str]] = {}
    for node in nodes:
        if isinstance(node, DispatchNode):
            for each in node.among:
                chosen_by.setdefault(each, []).append(node.name)
    return {
        node.name: tuple(
            dict.fromkeys(
                (
                    *node.depends_on,
                    *sorted(named_in(node) & names),
                    *chosen_by.get(node.name, ()),
                )
            )
        )
        for node in nodes
    }


def compensations(nodes: Sequence[Node]) -> frozenset[str]:
    """Return the nodes that are only done to undo something."""
    return frozenset(
        name
        for node in nodes
        if isinstance(node.on_failure, Compensate)
        for name in node.on_failure.compensate
    )


def cycle(graph: Edges) -> list[str]:
    """Return the nodes of a cycle in their order, the first one again at the end; else nothing."""
    done: set[str] = set()
    for start in graph:
        way: list[str] = []
        waiting: list[Iterator[str]] = [iter(graph[start])]
        if start in done:
            continue
        way.append(start)
        while waiting:
            following = next(waiting[-1], None)
            if following is None:
                waiting.pop()
                done.add(way.pop())
            elif following in way:
                return [*way[way.index(following) :], following]
            elif following not in done and following in graph:
                way.append(following)
                waiting.append(iter(graph[following]))
    return []


def ordered(graph: Edges) -> list[str]:
    """Return the nodes of a graph without cycles, each after those that it waits for."""
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in order:
            return
        for each in graph[name]:
            if each in graph:
                visit(each)
        order[name] = None

    for name in graph:
        visit(name)
    return list(order)


def before(graph: Edges, name: str) -> frozenset[str]:
    """Return all that a node waits for, however far."""
    return _reached(graph, name)


def after(graph: Edges, name: str) -> frozenset[str]:
    """Return all that waits for a node, however far."""
    backwards: dict[str, tuple[str, ...]] = dict.fromkeys(graph, ())
    for waiting, names in graph.items():
        for each in names:
            backwards[each] = (*backwards.get(each, ()), waiting)
    return _reached(backwards, name)


def revised(graph: Edges, gate: str, target: str) -> frozenset[str]:
    """Return the nodes that are done again when a gate has a node revised, itself included."""
    return (after(graph, target) | {target}) & (before(graph, gate) | {gate})


def _reached(graph: Edges, name: str) -> frozenset[str]:
    found: set[str] = set()
    waiting = list(graph.get(name, ()))
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting.extend(graph.get(each, ()))
    return frozenset(found)
