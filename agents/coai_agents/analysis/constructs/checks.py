"""What the resources that a program describes leave open.

Each construct becomes a unit, as in a template, and so does each call of a method, so that rules
for templates and for programs are the same kind of data (`texts/cdk.toml`, `texts/cloud.toml`). A
program says only what differs from the library's defaults; what a construct leaves at them is named
as in a template (`worth_saying`), but the gravest alone, and nothing of one that is made in
passing, as another one's argument.
"""

from __future__ import annotations

import re
from time import perf_counter
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.constructs.names import Names
from coai_agents.analysis.constructs.values import CALLS, OPEN, Values, callee, method_of, names_of
from coai_agents.analysis.findings.findings import Finding
from coai_agents.analysis.rules.rules import catalogue
from coai_agents.analysis.texts.clauses import clauses_of, severity_of
from coai_agents.analysis.texts.entries import Entry, Unit
from coai_agents.analysis.texts.matching import found_in_unit, worth_saying

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from coai_agents.analysis.texts.clauses import TextClause
    from coai_agents.analysis.texts.matching import Found
    from coai_agents.source import Span
    from coai_agents.syntax.tree import SyntaxTree

LANGUAGES: Final = frozenset({"python", "javascript", "typescript", "javascriptreact"})

METHOD: Final = "call."
"""How the type of a unit begins that is the call of a method."""

_PROPERTIES: Final = "Properties"
_MOST_CALLS: Final = 2_000
_MOST_TYPES: Final = 100
_LONGEST_CHAIN: Final = 12
_PASSING: Final = frozenset(
    {"arguments", "argument_list", "keyword_argument", "pair", "array", "list"}
)


def construct_findings(tree: SyntaxTree, budget: float) -> list[Finding]:
    """Return what the constructs of a file leave open; nothing in a language that has none.

    `budget` is in seconds, which begin when the rules are there.
    """
    source = tree.source
    if source.language not in LANGUAGES:
        return []
    clauses = [
        each
        for format_ in ("cdk", "cloudformation")
        for each in clauses_of(format_)[0]
        if each.at and (format_ == "cdk" or each.at.startswith(_PROPERTIES))
    ]
    found: dict[tuple[str, int, int], Finding] = {}
    for clause, span in found_in_constructs(tree, clauses, perf_counter() + budget):
        concept = catalogue()[clause.rule]
        severity = clause.severity or concept.severity
        finding = Finding(
            rule=clause.rule,
            span=span,
            message=clause.message or concept.message,
            severity=severity,
            uri=source.uri,
            version=source.version,
            cwe=concept.cwe,
        )
        found.setdefault((clause.rule, span.start, span.end), finding)
    return list(found.values())


def found_in_constructs(
    tree: SyntaxTree, clauses: Sequence[TextClause], deadline: float
) -> Iterator[Found]:
    """Yield what clauses find in the constructs of a file, and in calls of their methods."""
    for unit in _units(tree):
        if perf_counter() > deadline:
            return
        meant = [each for each in clauses if re.fullmatch(each.type, unit.type, re.IGNORECASE)]
        yield from _gravest_missing(meant, unit)


def _gravest_missing(clauses: Sequence[TextClause], unit: Unit) -> Iterator[Found]:
    """Yield what clauses find in a construct, of what is missing only the gravest."""
    missing: list[Found] = []
    # Of whom a method is called is known; what else was set of it is not.
    look = found_in_unit if unit.type.startswith(METHOD) else worth_saying
    for clause, span in look(clauses, unit):
        if span == unit.span:
            missing.append((clause, span))
        else:
            yield clause, span
    if missing:
        yield min(missing, key=lambda found: severity_of(found[0]).rank)


def _units(tree: SyntaxTree) -> Iterator[Unit]:
    """Yield the constructs of a file, and the calls of methods."""
    nodes = list(_walk(tree.root))
    file = _File(tree, nodes, [each for each in nodes if each.type in CALLS][:_MOST_CALLS])
    for call in file.calls:
        unit = file.construct(call) if file.types[call.id] else file.method(call)
        if unit is not None:
            yield unit


class _File:
    """The calls of a file, and which of them make constructs."""

    def __init__(self, tree: SyntaxTree, nodes: list[Node], calls: list[Node]) -> None:
        self._tree = tree
        self._values = Values(tree, nodes)
        self.calls = calls
        names = Names(tree.source.text)
        self.types = {each.id: names.type_of(names_of(callee(each))) for each in calls}
        """By the identity of a call: the type of the construct that it makes, or nothing."""
        self._everywhere = sorted({each for each in self.types.values() if each})[:_MOST_TYPES]
        self._uses: dict[int, set[str]] = {}
        for each in calls:
            method, of = method_of(each)
            made = self._made_by(of)
            if made is not None:
                self._uses.setdefault(made.id, set()).add(method)

    def construct(self, call: Node) -> Unit:
        """Return the unit of a construct: its properties, what is done with it, its neighbours."""
        type_ = self.types[call.id]
        low = type_.startswith("AWS::")
        span = self._span(call)
        entries = [
            # An argument that is handed on as a whole stands beside the properties.
            Entry((OPEN,), each.text, each.span) if each.path[1:] == (OPEN,) else each
            for each in self._values.arguments(call, (_PROPERTIES,) if low else ())
        ]
        if _is_argument(call):
            entries.append(Entry((OPEN,), "", span))
        entries += [
            Entry(("@calls", each), "", span) for each in sorted(self._uses.get(call.id, ()))
        ]
        entries += [Entry(("@file", each), "", span) for each in self._everywhere]
        opened = any(OPEN in each.path[:2] for each in entries)
        return Unit(type_, span, entries, any_case=True, decided=opened)

    def method(self, call: Node) -> Unit | None:
        """Return the unit of a method's call, with the construct that it is called of as `@on`."""
        method, of = method_of(call)
        if not method:
            return None
        span = self._span(call)
        entries = self._values.arguments(call)
        made = self._made_by(of)
        if made is not None:
            entries.append(Entry(("@on",), self.types[made.id], span))
            entries += self._values.arguments(made, ("@on",))
        return Unit(f"{METHOD}{method}", span, entries, any_case=True)

    def _span(self, call: Node) -> Span:
        function = callee(call)
        return self._tree.span(call if function is None else function)

    def _made_by(self, node: Node | None) -> Node | None:
        """Return the construct that an expression is, or a member of."""
        for _ in range(_LONGEST_CHAIN):
            if node is None:
                return None
            if node.type in CALLS:
                if self.types.get(node.id):
                    return node
                node = method_of(node)[1]
            elif (known := self._values.of_name(node)) is not None and known.id != node.id:
                node = known
            else:
                node = node.child_by_field_name("object")
        return None


def _is_argument(call: Node) -> bool:
    """Say whether a construct is made in the midst of another expression."""
    around = call.parent
    return around is not None and around.type in _PASSING


def _walk(root: Node) -> Iterator[Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.named_children))
