"""Go: slices and arrays that are read or written beyond their end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.shapes.go.function import DEPTH
from coai_agents.analysis.shapes.go.latest import latest, number_at, value_of
from coai_agents.analysis.shapes.go.tree import (
    FUNCTIONS,
    arguments,
    callee,
    identifiers,
    text,
    walk,
)

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.findings.report import Reporter
    from coai_agents.analysis.shapes.go.function import GoFile, GoFunction

RULE: Final = "out-of-bounds"

_LOOPS: Final = frozenset({"for_statement", *FUNCTIONS})
_TESTS: Final = frozenset({"if_statement", "expression_switch_statement"})
_LEAVES: Final = frozenset({"break_statement", "return_statement"})

Sizes = tuple[int, int]
"""A length and a capacity."""


class Bounds:
    """What is known of how long lists are in one file."""

    def __init__(self, file: GoFile, functions: list[GoFunction]) -> None:
        self._passed: dict[tuple[str, str], Sizes] = {}
        """By function and parameter: the shortest list of a known length that it is passed."""
        self._tested = {id(each): _tested(each) for each in functions}
        by_name = {each.name: each for each in functions}
        for caller in functions:
            for node in caller.nodes:
                if node.type == "call_expression" and text(callee(node)) in file.functions:
                    self._learn(caller, node, by_name.get(text(callee(node))))

    def _learn(self, caller: GoFunction, call: Node, called: GoFunction | None) -> None:
        for name, passed in zip(
            () if called is None else called.parameters, arguments(call), strict=False
        ):
            sizes = self._sizes(caller, passed)
            if sizes is not None:
                key = (text(callee(call)), name)
                self._passed[key] = min(sizes, self._passed.get(key, sizes))

    def check(self, function: GoFunction, node: Node, report: Reporter) -> None:
        """Report an access that is beyond the end of what is accessed."""
        operand = node.child_by_field_name("operand")
        if operand is None or operand.type != "identifier":
            return
        if self._past_last(function, node, operand):
            report.add_of(
                RULE,
                node,
                f"In the last round of the loop this is beyond the end of {text(operand)}.",
            )
            return
        if text(operand) in self._tested[id(function)]:
            return
        sizes = self._sizes(function, operand)
        if sizes is not None and self._is_beyond(function, node, sizes):
            report.add_of(
                RULE, node, f"{text(operand)} has {sizes[0]} elements: this is beyond its end."
            )

    def _is_beyond(self, function: GoFunction, node: Node, sizes: Sizes) -> bool:
        length, capacity = sizes
        if node.type == "index_expression":
            index = node.child_by_field_name("index")
            at = None if index is None else _highest(function, index)
            return at is not None and at >= length
        start, end = node.child_by_field_name("start"), node.child_by_field_name("end")
        low = 0 if start is None else number_at(function, start, node)
        high = length if end is None else number_at(function, end, node)
        beyond = any(each is not None and each > capacity for each in (low, high))
        return beyond or (low is not None and high is not None and low > high)

    def _sizes(
        self, function: GoFunction, node: Node, place: Node | None = None, depth: int = 0
    ) -> Sizes | None:
        """Return the length and the capacity of a list that is made in sight."""
        declared = re.fullmatch(r"\[(\d+)\].+", function.types.get(text(node), ""))
        if declared is not None:
            return int(declared[1]), int(declared[1])
        value, place = _made_of(function, node, place or node)
        if value.type == "identifier" and function.given.get(text(value), 0) == 0:
            return self._passed.get((function.name, text(value)))
        if value.type == "call_expression" and text(callee(value)) == "make":
            sizes = [number_at(function, each, place) for each in arguments(value)[1:]]
            if sizes and sizes[0] is not None and sizes[-1] is not None:
                return sizes[0], sizes[-1]
        if value.type == "slice_expression" and depth < DEPTH:
            return self._sliced(function, value, place, depth + 1)
        if value.type == "composite_literal":
            return _written(function, value)
        return None

    def _sliced(self, function: GoFunction, node: Node, place: Node, depth: int) -> Sizes | None:
        operand = node.child_by_field_name("operand")
        whole = None if operand is None else self._sizes(function, operand, place, depth)
        if whole is None:
            return None
        start, end = node.child_by_field_name("start"), node.child_by_field_name("end")
        low = 0 if start is None else number_at(function, start, place)
        high = whole[0] if end is None else number_at(function, end, place)
        if low is None or high is None or not 0 <= low <= high <= whole[1]:
            return None
        return high - low, whole[1] - low

    def _past_last(self, function: GoFunction, node: Node, operand: Node) -> bool:
        """Say whether `list[i + 1]` is read in a loop that goes on until the last of the list."""
        index = node.child_by_field_name("index")
        if index is None or index.type != "binary_expression":
            return False
        counter, step = index.child_by_field_name("left"), index.child_by_field_name("right")
        if counter is None or step is None or text(index.child_by_field_name("operator")) != "+":
            return False
        distance = function.number(step)
        if counter.type != "identifier" or distance is None or distance < 1:
            return False
        loop = _loop_of(node)
        if loop is None or any(each.type in _LEAVES for each in walk(loop)):
            return False
        if function.given.get(text(operand), 0) > 1:
            return False
        return _goes_to_last(loop, text(counter), text(operand)) and not _is_tested(
            loop, text(counter), node
        )


def _made_of(function: GoFunction, node: Node, place: Node) -> tuple[Node, Node]:
    """Return what a variable is made of at a place, and where it was given that."""
    value = function.value(node)
    if value.type != "identifier" or function.given.get(text(value), 0) <= 1:
        return value, place
    given = latest(function, text(value), place)
    made = None if given is None else value_of(given, text(value))
    return (value, place) if given is None or made is None else (made, given)


def _is_tested(loop: Node, counter: str, place: Node) -> bool:
    """Say whether the loop's body asks how far it is, on whatever way."""
    body = loop.child_by_field_name("body")
    return body is None or any(
        each.type in ("binary_expression", "expression_switch_statement")
        and text(each.child_by_field_name("operator")) not in ("+", "-", "*", "/")
        and counter in identifiers(each)
        and not (
            each.start_byte <= place.start_byte
            and each.end_byte >= place.end_byte
            and text(each.child_by_field_name("operator")) not in ("&&", "||")
        )
        for each in walk(body)
    )


def _goes_to_last(loop: Node, counter: str, listed: str) -> bool:
    for clause in loop.named_children:
        if clause.type == "range_clause":
            left = text(clause.child_by_field_name("left")).split(",")[0].strip()
            return left == counter and text(clause.child_by_field_name("right")) in (
                listed,
                f"len({listed})",
            )
        if clause.type == "for_clause":
            test = clause.child_by_field_name("condition")
            return test is not None and text(test).replace(" ", "") in (
                f"{counter}<len({listed})",
                f"len({listed})>{counter}",
            )
    return False


def _loop_of(node: Node) -> Node | None:
    parent = node.parent
    while parent is not None and parent.type not in (*_LOOPS, "func_literal"):
        parent = parent.parent
    return parent if parent is not None and parent.type == "for_statement" else None


def _tested(function: GoFunction) -> set[str]:
    """Return the variables that are compared with something, wherever."""
    found: set[str] = set()
    for node in function.nodes:
        if node.type == "binary_expression" and text(node.child_by_field_name("operator")) in (
            *("<", ">", "<=", ">=", "==", "!="),
        ):
            found |= identifiers(node)
    return found


def _written(function: GoFunction, value: Node) -> Sizes | None:
    body, kind = value.child_by_field_name("body"), value.child_by_field_name("type")
    listed = ("slice_type", "array_type", "implicit_length_array_type")
    if kind is None or body is None or kind.type not in listed:
        return None
    if any(each.type == "keyed_element" for each in body.named_children):
        return None
    count = sum(each.type != "comment" for each in body.named_children)
    length = kind.child_by_field_name("length")
    size = count if length is None else function.number(length)
    return None if size is None else (size, size)


def _highest(function: GoFunction, index: Node) -> int | None:
    """Return the highest index that is asked for: a constant, or what a loop counts up to."""
    known = number_at(function, index, index)
    if known is not None or index.type != "identifier":
        return known
    outer = index.parent
    while outer is not None and outer.type not in _LOOPS:
        if outer.type in _TESTS:
            return None
        outer = outer.parent
    if outer is None or outer.type != "for_statement":
        return None
    if any(each.type in _LEAVES for each in walk(outer)):
        return None
    for clause in outer.named_children:
        if clause.type == "for_clause":
            return _counted(function, clause, index)
        if clause.type == "range_clause" and text(clause.child_by_field_name("left")) == text(
            index
        ):
            right = clause.child_by_field_name("right")
            count = None if right is None else function.number(right)
            return None if count is None else count - 1
    return None


def _counted(function: GoFunction, clause: Node, index: Node) -> int | None:
    test = clause.child_by_field_name("condition")
    if test is None or text(test.child_by_field_name("left")) != text(index):
        return None
    last = test.child_by_field_name("right")
    bound = None if last is None else function.number(last)
    offset = {"<": -1, "<=": 0}.get(text(test.child_by_field_name("operator")))
    return None if bound is None or offset is None else bound + offset
