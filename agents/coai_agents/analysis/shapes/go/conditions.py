"""What the conditions around a place prove of a variable's range."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.shapes.go.function import DEPTH
from coai_agents.analysis.shapes.go.tree import BLOCKS, around, identifiers, statements, text, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tree_sitter import Node

    from coai_agents.analysis.shapes.go.function import GoFunction

_NEGATED: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_CASES: Final = frozenset({"expression_case", "default_case"})
_ENDS: Final = frozenset(
    {"return_statement", "break_statement", "continue_statement", "goto_statement"}
)
_ENDING_CALLS: Final = ("panic", "os.Exit", "log.Fatal", "log.Panic", "t.Fatal", "runtime.Goexit")


@dataclass(frozen=True, slots=True)
class Range:
    """What is known of a number: None where nothing is, `unknown` where it is tested somehow."""

    low: int | None = None
    high: int | None = None
    low_tested: bool = False
    """Whether it is compared with something that nobody can tell here, which may be low enough."""
    high_tested: bool = False


def known_range(function: GoFunction, name: str, place: Node) -> Range:
    """Return what the conditions that lead to a place prove of a variable, or an expression."""
    known = Range()
    for condition, holds in _conditions(place, name):
        known = _with(known, function, name, condition, holds=holds)
    return known


def _conditions(place: Node, name: str) -> Iterator[tuple[Node, bool]]:
    """Yield conditions, and whether they hold at a place."""
    inner = place
    for outer in around(place):
        condition = outer.child_by_field_name("condition")
        if outer.type == "if_statement" and condition is not None:
            if inner == outer.child_by_field_name("consequence"):
                yield condition, True
            elif inner == outer.child_by_field_name("alternative"):
                yield condition, False
        elif outer.type == "for_statement":
            clause = next((e for e in outer.named_children if e.type == "for_clause"), None)
            condition = None if clause is None else clause.child_by_field_name("condition")
            if condition is not None and inner == outer.child_by_field_name("body"):
                yield condition, True
        elif outer.type in BLOCKS:
            yield from _passed(outer, inner, name)
            if outer.type in _CASES:
                yield from _chosen(outer)
        elif outer.type == "binary_expression":
            yield from _first_half(outer, inner)
        inner = outer


def _chosen(case: Node) -> Iterator[tuple[Node, bool]]:
    """Yield what holds in a case of a switch that has conditions for its cases."""
    switch = case.parent
    if switch is None or switch.child_by_field_name("value") is not None:
        return
    for each in switch.named_children:
        value = each.child_by_field_name("value")
        alone = None if value is None or len(value.named_children) != 1 else value.named_children[0]
        if alone is not None and each.start_byte <= case.start_byte:
            yield alone, each == case
        if each == case:
            return


def _first_half(test: Node, second: Node) -> Iterator[tuple[Node, bool]]:
    """Yield what holds where the second half of a test is looked at."""
    first, operator = test.child_by_field_name("left"), text(test.child_by_field_name("operator"))
    if first is not None and second == test.child_by_field_name("right"):
        if operator == "&&":
            yield first, True
        elif operator == "||":
            yield first, False


def _passed(block: Node, until: Node, name: str) -> Iterator[tuple[Node, bool]]:
    """Yield conditions that ended the function, or put the variable right, where they held."""
    for statement in block.named_children:
        if statement.start_byte >= until.start_byte:
            return
        if statement.type != "if_statement":
            continue
        condition = statement.child_by_field_name("condition")
        consequence = statement.child_by_field_name("consequence")
        if (
            condition is not None
            and consequence is not None
            and (_ends(consequence) or _puts_right(consequence, name))
        ):
            yield condition, False


def _ends(block: Node) -> bool:
    last = statements(block)[-1:]
    return bool(last) and (last[0].type in _ENDS or text(last[0]).startswith(_ENDING_CALLS))


def _puts_right(block: Node, name: str) -> bool:
    return any(
        each.type == "assignment_statement" and text(each.child_by_field_name("left")) == name
        for each in walk(block)
    )


def _with(
    known: Range, function: GoFunction, name: str, test: Node, *, holds: bool, depth: int = 0
) -> Range:
    """Return a range with what a condition proves; one that is too long proves what it likes."""
    if depth > DEPTH:
        return _tested(known)
    depth += 1
    while (inner := _within(test)) is not None:
        holds = holds != (test.type == "unary_expression")
        test = inner
    operator = text(test.child_by_field_name("operator"))
    left, right = test.child_by_field_name("left"), test.child_by_field_name("right")
    if left is None or right is None:
        # A function of one's own that tests it.
        return _tested(known) if name in identifiers(test) else known
    if operator in ("&&", "||"):
        if (operator == "&&") != holds:
            return _either(known, function, name, (left, right), holds=holds, depth=depth)
        known = _with(known, function, name, left, holds=holds, depth=depth)
        return _with(known, function, name, right, holds=holds, depth=depth)
    if text(left) != name and text(right) == name:
        left, right, operator = right, left, _MIRRORED.get(operator, "")
    if text(left) != name:
        # Something is computed of it and compared: nobody can tell here what that proves.
        return _tested(known) if name in identifiers(left) | identifiers(right) else known
    if operator not in _NEGATED:
        return known
    return _compared(known, function.number(right), operator if holds else _NEGATED[operator])


def _within(test: Node) -> Node | None:
    """Return what is in brackets, or negated; None for another test."""
    if test.type == "parenthesized_expression":
        return test.named_children[0]
    negated = test.type == "unary_expression" and text(test).startswith("!")
    return test.child_by_field_name("operand") if negated else None


def _tested(known: Range) -> Range:
    return replace(known, low_tested=True, high_tested=True)


def _either(
    known: Range,
    function: GoFunction,
    name: str,
    halves: tuple[Node, Node],
    *,
    holds: bool,
    depth: int,
) -> Range:
    """Return a range after one of two conditions: what both prove."""
    one, other = (_with(Range(), function, name, half, holds=holds, depth=depth) for half in halves)
    lows, highs = (one.low, other.low), (one.high, other.high)
    return Range(
        known.low if None in lows else min(low for low in lows if low is not None),
        known.high if None in highs else max(high for high in highs if high is not None),
        known.low_tested or (one.low_tested and other.low_tested),
        known.high_tested or (one.high_tested and other.high_tested),
    )


def _compared(known: Range, bound: int | None, operator: str) -> Range:
    """Return a range after a comparison; a bound that is not known may be a good one."""
    lower, upper = operator in (">", ">=", "=="), operator in ("<", "<=", "==")
    if bound is None:
        return replace(
            known,
            low_tested=known.low_tested or lower,
            high_tested=known.high_tested or upper,
        )
    low, high = bound + (operator == ">"), bound - (operator == "<")
    return replace(
        known,
        low=_tighter(max, known.low, low) if lower else known.low,
        high=_tighter(min, known.high, high) if upper else known.high,
    )


def _tighter(choose: Callable[[int, int], int], known: int | None, bound: int) -> int:
    return bound if known is None else choose(known, bound)
