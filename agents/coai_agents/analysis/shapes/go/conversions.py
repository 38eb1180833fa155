"""Go: numbers that are converted to a type that cannot hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Confidence, Severity
from coai_agents.analysis.shapes.go.function import SIZES
from coai_agents.analysis.shapes.go.latest import number_at
from coai_agents.analysis.shapes.go.numbers import type_of
from coai_agents.analysis.shapes.go.ranges import interval
from coai_agents.analysis.shapes.go.tree import arguments, callee, text

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.findings.report import Reporter
    from coai_agents.analysis.shapes.go.function import GoFunction

RULE: Final = "integer-overflow"

_LEAST: Final = {"int": 32, "uint": 32, "uintptr": 32}
"""The bits of the types that depend on the machine, at least."""


def check(function: GoFunction, node: Node, report: Reporter) -> None:
    """Report a conversion that cuts what it is given."""
    named = text(callee(node))
    target = function.file.basic(named)
    passed = arguments(node)
    # What goes to the system as a `uintptr` is bits.
    if target not in SIZES or target == "uintptr" or len(passed) != 1:
        return
    value = passed[0]
    source = type_of(function, value)
    if source not in SIZES or not _cuts(source, target):
        return
    known = number_at(function, value, node)
    low, high = interval(function, value, node) if known is None else (known, known)
    signed, bits = SIZES[target]
    # A number that is known is written for the machines that most programs run on.
    room = _LEAST.get(target, bits) if source not in _LEAST and known is None else bits
    least, most = (-(1 << (room - 1)), (1 << (room - 1)) - 1) if signed else (0, (1 << room) - 1)
    if low >= least and high <= most:
        return
    made = function.value(value)
    parsed = made.type == "call_expression" and text(callee(made)).startswith("strconv.")
    report.add_seen(
        RULE,
        node,
        f"A value of type {source} is cut where it does not fit into {named}.",
        (Severity.WARNING, Confidence.HIGH)
        if parsed or known is not None
        else (Severity.INFORMATION, Confidence.LOW),
    )


def _cuts(source: str, target: str) -> bool:
    """Say whether a type has values that another one cannot hold."""
    signed, bits = SIZES[source]
    other, room = SIZES[target][0], _LEAST.get(target, SIZES[target][1])
    if source == target or (source in _LEAST and target in _LEAST and signed == other):
        return False
    if source in _LEAST and room >= 64:  # noqa: PLR2004 - the widest
        room = 64
    if signed and not other:
        return True
    if not signed and other:
        return bits >= room
    return bits > room
