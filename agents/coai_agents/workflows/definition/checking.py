"""What has to hold in a plan before it may run, beyond its form: a pure function to problems.

A plan without a problem ends: its graph has no cycle, every name is there, what goes back (loops,
gates) is bounded, and nested plans are of bounded depth. `tests/agents/workflows/test_endings.py`
holds that against plans of random shapes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from coai_agents.workflows.definition.conversing import MESSAGE, TALK, wrong_in
from coai_agents.workflows.definition.evaluating import evaluate, type_of
from coai_agents.workflows.definition.expressions import ExpressionError, paths_in
from coai_agents.workflows.definition.graph import (
    after,
    before,
    compensations,
    cycle,
    edges,
    formulas,
    ordered,
    revised,
)
from coai_agents.workflows.definition.known import unknown
from coai_agents.workflows.definition.schema import (
    MOST_NODES,
    AgentNode,
    Compensate,
    ConversationNode,
    DispatchNode,
    EnsembleNode,
    Fallback,
    GateNode,
    HumanNode,
    LoopNode,
    Revise,
    ScriptNode,
    ToolNode,
    expression_of,
    output_type,
)
from coai_agents.workflows.definition.types import ANY, BOOLEAN, NUMBER, TEXT, Type, read_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from coai_agents.workflows.definition.known import Known, Signature
    from coai_agents.workflows.definition.schema import Node, Plan

MOST_DEPTH: Final = 5
"""Plans within plans."""

At: TypeAlias = tuple[str | int, ...]
Told: TypeAlias = tuple[At, str]
"""Where something does not hold, as keys and indices from the plan's root, and what."""

_CHOSEN: Final = Type("list", item=TEXT)


def problems_of(plan: Plan, known: Known) -> list[Told]:
    """Return all that does not hold in a plan; nested plans are taken to hold by themselves."""
    count = sum(1 for _ in every_node(plan.nodes))
    if count > MOST_NODES:
        return [(("nodes",), f"at most {MOST_NODES} nodes were expected, not {count}")]
    scope = _Scope(plan, known)
    outer = {"input": read_type(plan.input)}
    types = scope.check(plan.nodes, outer, ("nodes",))
    if plan.result is not None and plan.result not in types:
        scope.tell(("result",), f"the name of a node was expected, not {plan.result}")
    if plan.result is not None and plan.result in compensations(plan.nodes):
        scope.tell(("result",), f"{plan.result} is only done when something fails")
    return scope.problems


def every_node(nodes: Sequence[Node]) -> Iterator[Node]:
    """Yield nodes and, of loops, those in them."""
    for node in nodes:
        yield node
        if isinstance(node, LoopNode):
            yield from every_node(node.nodes)


def result_type(plan: Plan, known: Known) -> Type:
    """Return the type of what a plan gives."""
    scope = _Scope(plan, known)
    types = scope.check(plan.nodes, {"input": read_type(plan.input)}, ())
    if plan.result is not None:
        return types.get(plan.result, ANY)
    waited = {name for names in edges(plan.nodes).values() for name in names}
    ends = tuple((name, one) for name, one in types.items() if name not in waited)
    return ends[0][1] if len(ends) == 1 else ANY


def plan_names(nodes: Sequence[Node]) -> frozenset[str]:
    """Return the plans that nodes name."""
    return frozenset(one.ensemble for one in every_node(nodes) if isinstance(one, EnsembleNode))


@dataclass
class _Scope:
    """Collects problems of one plan."""

    plan: Plan
    known: Known
    problems: list[Told] = field(default_factory=list[Told])

    def tell(self, at: At, message: str) -> None:
        self.problems.append((at, message))

    def check(self, nodes: Sequence[Node], outer: Mapping[str, Type], at: At) -> dict[str, Type]:
        """Check a scope; return the types of what its nodes give, as far as they are known."""
        counted = Counter(node.name for node in nodes)
        for number, node in enumerate(nodes):
            if counted[node.name] > 1 or node.name in outer:
                self.tell(
                    (*at, number, "name"),
                    f"a name of its own was expected; {node.name} is another's",
                )
        graph = edges(nodes)
        for number, node in enumerate(nodes):
            self._names(node, graph, (*at, number))
        if way := cycle(graph):
            number = next(n for n, node in enumerate(nodes) if node.name == way[0])
            self.tell((*at, number, "depends_on"), f"no cycle was expected: {' -> '.join(way)}")
            return {}
        self._reachable(nodes, graph, at)
        return self._types(nodes, graph, outer, at)

    def _names(self, node: Node, graph: Mapping[str, tuple[str, ...]], at: At) -> None:
        """Check that the nodes that one names are there."""
        named: list[tuple[At, str]] = [
            (("depends_on", number), name) for number, name in enumerate(node.depends_on)
        ]
        if isinstance(node, DispatchNode):
            named += [(("among", number), name) for number, name in enumerate(node.among)]
        if isinstance(node.on_failure, Compensate):
            named += [(("on_failure",), name) for name in node.on_failure.compensate]
        if isinstance(node, GateNode) and isinstance(node.otherwise, Revise):
            named.append((("otherwise",), node.otherwise.revise))
        for where, name in named:
            if name not in graph or name == node.name:
                self.tell((*at, *where), f"the name of another node was expected, not {name}")

    def _reachable(
        self, nodes: Sequence[Node], graph: Mapping[str, tuple[str, ...]], at: At
    ) -> None:
        """Check that every node can come to be done, and that what goes back hangs together."""
        undoing = compensations(nodes)
        revisions = [*_revisions(nodes, graph)]
        never: set[str] = set()
        by_name = {node.name: (number, node) for number, node in enumerate(nodes)}
        for name in ordered(graph):
            number, node = by_name[name]
            waits = [each for each in graph[name] if each in by_name]
            if on := next((each for each in waits if each in undoing), None):
                self.tell((*at, number), f"{on} is only done when something fails, not before this")
            if _is_constant(node.when) and not evaluate(expression_of(node.when or "true"), {}):
                self.tell((*at, number, "when"), f"{name} is never done: its condition is constant")
                never.add(name)
            elif waits and node.when is None and never.issuperset(waits):
                self.tell((*at, number), f"{name} is never done: {waits[0]} is never done either")
                never.add(name)
            if isinstance(node, GateNode) and isinstance(node.otherwise, Revise):
                where = (*at, number, "otherwise")
                self._revisable(node, node.otherwise.revise, graph, revisions, where)

    def _revisable(
        self,
        gate: GateNode,
        target: str,
        graph: Mapping[str, tuple[str, ...]],
        revisions: Sequence[tuple[str, frozenset[str]]],
        at: At,
    ) -> None:
        """Check that nothing else has seen what a gate has done again."""
        if target not in graph:
            return
        if target not in before(graph, gate.name):
            self.tell(at, f"{gate.name} has to wait for {target} to have it revised")
            return
        again = revised(graph, gate.name, target)
        stray = after(graph, target) - again - after(graph, gate.name)
        if stray:
            name = min(stray)
            self.tell(at, f"{name} sees {target} and has to wait for {gate.name}, too")
        for other, also in revisions:
            if other != gate.name and also & again and not _in_order(graph, gate.name, other):
                self.tell(at, f"{other} has the same nodes revised: one has to wait for the other")

    def _types(
        self,
        nodes: Sequence[Node],
        graph: Mapping[str, tuple[str, ...]],
        outer: Mapping[str, Type],
        at: At,
    ) -> dict[str, Type]:
        numbers = {node.name: number for number, node in enumerate(nodes)}
        revisable = {name for _, names in _revisions(nodes, graph) for name in names}
        types: dict[str, Type] = {}
        for name in ordered(graph):
            number = numbers[name]
            node = nodes[number]
            seen = {**outer, **{each: types[each] for each in graph[name] if each in types}}
            if name in revisable and not isinstance(node, GateNode):
                seen["feedback"] = ANY
            types[name] = self._node(node, seen, (*at, number))
        return types

    def _node(self, node: Node, seen: Mapping[str, Type], at: At) -> Type:
        """Check a node against what it sees; return the type of what it gives."""
        if node.fan_out is not None:
            listed = self._formula(node.fan_out, seen, (*at, "fan_out"))
            if listed.kind not in ("any", "list"):
                self.tell((*at, "fan_out"), f"a list was expected, not {listed}")
            seen = {**seen, "item": listed.item or ANY, "index": NUMBER}
        given: dict[str, Type] = {}
        for where, formula in formulas(node):
            if where == ("fan_out",):
                continue
            found = self._formula(formula, seen, (*at, *where))
            if where[0] == "given":
                given[where[1]] = found
        self._leaves_only(node, at)
        gives = self._kind(node, seen, given, at)
        return gives if node.fan_out is None else Type("list", item=gives)

    def _leaves_only(self, node: Node, at: At) -> None:
        """Check what makes sense for some kinds of nodes alone."""
        if isinstance(node.on_failure, Fallback):
            self._known(
                self.known.profiles, node.on_failure.profile, "profile", (*at, "on_failure")
            )
        single = isinstance(node, GateNode | HumanNode | DispatchNode)
        if single and node.fan_out is not None:
            self.tell((*at, "fan_out"), f"a {node.kind} is done once; put it in an ensemble")
        fallback = isinstance(node.on_failure, Fallback)
        tried = node.retries.attempts > 1 or fallback
        never = isinstance(node, GateNode | HumanNode | EnsembleNode | LoopNode)
        if (tried and never) or (fallback and isinstance(node, ConversationNode)):
            self.tell((*at, "retries"), f"a {node.kind} is not tried again; what is in it may be")

    def _kind(
        self, node: Node, seen: Mapping[str, Type], given: Mapping[str, Type], at: At
    ) -> Type:
        match node:
            case AgentNode():
                return self._agent(node, given, at)
            case ToolNode():
                signature = self._signature(self.known.tools, node.tool, given, (*at, "tool"))
                if node.cache and (signature is None or signature.effect != "none"):
                    self.tell((*at, "cache"), f"{node.tool} looks at more than it is given")
                return output_type(node) or (signature.gives if signature else ANY)
            case ScriptNode():
                self._known(self.known.scripts, node.script, "script", (*at, "script"))
                if node.cache:
                    self.tell((*at, "cache"), "what a script gives is never kept: it has effects")
                return output_type(node) or ANY
            case EnsembleNode() | LoopNode() | ConversationNode():
                return self._several(node, seen, at)
            case DispatchNode():
                self._known(self.known.profiles, node.profile, "profile", (*at, "profile"))
                return _CHOSEN
            case GateNode():
                return Type("object", fields=(("passed", BOOLEAN), ("feedback", ANY)))
            case HumanNode():
                return Type("text", words=node.choices)

    def _several(
        self, node: EnsembleNode | LoopNode | ConversationNode, seen: Mapping[str, Type], at: At
    ) -> Type:
        match node:
            case EnsembleNode():
                return self._ensemble(node, seen, at)
            case LoopNode():
                return self._loop(node, seen, at)
            case ConversationNode():
                return self._conversation(node, seen, at)

    def _agent(self, node: AgentNode, given: Mapping[str, Type], at: At) -> Type:
        self._known(self.known.profiles, node.profile, "profile", (*at, "profile"))
        self._known(self.known.roles, node.role, "role", (*at, "role"))
        if node.specialist is None:
            return output_type(node) or TEXT
        signature = self._signature(
            self.known.specialists, node.specialist, given, (*at, "specialist")
        )
        if node.cache:
            self.tell((*at, "cache"), f"{node.specialist} looks at files, which may change")
        return output_type(node) or (signature.gives if signature else ANY)

    def _ensemble(self, node: EnsembleNode, seen: Mapping[str, Type], at: At) -> Type:
        nested = self.known.plan(node.ensemble)
        if nested is None:
            self.tell((*at, "ensemble"), f"a known plan was expected, not {node.ensemble}")
            return ANY
        found, wanted = self._quiet(node.input, seen), read_type(nested.input)
        if "any" not in (found.kind, wanted.kind) and found.kind != wanted.kind:
            self.tell((*at, "input"), f"{nested.name} takes {wanted}, not {found}")
        return result_type(nested, self.known)

    def _loop(self, node: LoopNode, seen: Mapping[str, Type], at: At) -> Type:
        inside = {**seen, "iteration": NUMBER, "last": ANY, "best": ANY}
        types = self.check(node.nodes, inside, (*at, "nodes"))
        if node.result not in types:
            self.tell((*at, "result"), f"a node of the loop was expected, not {node.result}")
        if node.patience is not None and node.score is None:
            self.tell((*at, "patience"), "a score was expected with it")
        for key in ("until", "score"):
            if (formula := getattr(node, key)) is not None:
                self._formula(formula, {**inside, **types}, (*at, key))
        if compensations(node.nodes):
            self.tell((*at, "nodes"), "within a loop nothing is undone; on_failure is fail or skip")
        return types.get(node.result, ANY)

    def _conversation(self, node: ConversationNode, seen: Mapping[str, Type], at: At) -> Type:
        for where, message in wrong_in(node, self.known):
            self.tell((*at, *where), message)
        inside = {**seen, "iteration": NUMBER, "last": MESSAGE}
        self._formula(node.until, inside, (*at, "until"))
        return TALK

    def _signature(
        self, known: Mapping[str, Signature], name: str, given: Mapping[str, Type], at: At
    ) -> Signature | None:
        signature = known.get(name)
        if signature is None:
            names = ", ".join(sorted(known)) or "nothing"
            self.tell(at, f"one of {names} was expected, not {name}")
            return None
        for each, found in given.items():
            wanted = signature.takes.get(each)
            if wanted is None and signature.any_name:
                continue
            if wanted is None:
                names = ", ".join(signature.takes)
                self.tell((*at[:-1], "given", each), f"{name} takes {names}, not {each}")
            elif "any" not in (found.kind, wanted.kind) and found.kind != wanted.kind:
                self.tell((*at[:-1], "given", each), f"{wanted} was expected, not {found}")
        for each in signature.needed:
            if each not in given:
                self.tell(at, f"{name} has to be given {each}")
        return signature

    def _known(self, known: frozenset[str] | None, name: str | None, kind: str, at: At) -> None:
        if wrong := unknown(known, name, kind):
            self.tell(at, wrong)

    def _formula(self, formula: str, seen: Mapping[str, Type], at: At) -> Type:
        try:
            return type_of(expression_of(formula), seen)
        except ExpressionError as error:
            self.tell(at, str(error))
            return ANY

    def _quiet(self, formula: str, seen: Mapping[str, Type]) -> Type:
        """Return a formula's type; what is wrong with it has been told."""
        try:
            return type_of(expression_of(formula), seen)
        except ExpressionError:
            return ANY


def _revisions(
    nodes: Sequence[Node], graph: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield every gate that has something revised, with what that is."""
    for node in nodes:
        if isinstance(node, GateNode) and isinstance(node.otherwise, Revise):
            yield node.name, revised(graph, node.name, node.otherwise.revise)


def _in_order(graph: Mapping[str, tuple[str, ...]], one: str, other: str) -> bool:
    return one in before(graph, other) or other in before(graph, one)


def _is_constant(formula: str | None) -> bool:
    return formula is not None and not any(paths_in(expression_of(formula)))
