"""Go: all that a file's functions show by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.analysis.shapes.go import (
    contexts,
    conversions,
    errors,
    marshalling,
    nonces,
    servers,
)
from coai_agents.analysis.shapes.go.bounds import Bounds
from coai_agents.analysis.shapes.go.function import GoFile, GoFunction
from coai_agents.analysis.shapes.go.tree import text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.findings.report import Reporter


def check_go(root: Node, report: Reporter) -> None:
    """Report what the functions of a Go file show by themselves."""
    file = GoFile(root)
    functions = [GoFunction(body, file) for body in file.bodies]
    bounds = Bounds(file, functions)
    called = _members_used(root)
    for function in functions:
        for node in function.nodes:
            _check(function, node, report, bounds, called)


def _check(
    function: GoFunction, node: Node, report: Reporter, bounds: Bounds, called: set[str]
) -> None:
    match node.type:
        case "call_expression":
            conversions.check(function, node, report)
            nonces.check(function, node, report)
            marshalling.check(function, node, report)
            contexts.check_detached(function, node, report)
            servers.check_framing(function, node, report)
            servers.check_form(function, node, report)
            servers.check_waiting(function, node, report)
        case "short_var_declaration" | "assignment_statement":
            contexts.check_cancel(function, node, report, called)
            servers.check_key_callback(node, report)
        case "keyed_element":
            servers.check_key_callback(node, report)
        case "expression_statement":
            errors.check_ignored(function, node, report)
        case "go_statement":
            contexts.check_started(function, node, report)
        case "for_statement":
            contexts.check_loop(function, node, report)
        case "index_expression" | "slice_expression":
            bounds.check(function, node, report)
        case _:
            pass


def _members_used(root: Node) -> set[str]:
    """Return the members, and functions that are values, that a file calls, hands on or reads.

    Those that it only sets are none of them.
    """
    found: set[str] = set()
    for node in walk(root):
        parent = node.parent
        if node.type == "identifier" and parent is not None:
            if parent.type in ("argument_list", "call_expression", "return_statement"):
                found.add(text(node))
            continue
        if node.type != "selector_expression" or parent is None:
            continue
        assigned = parent.parent if parent.type == "expression_list" else None
        if (
            assigned is not None
            and assigned.type == "assignment_statement"
            and assigned.child_by_field_name("left") == parent
        ):
            continue
        found.add(text(node.child_by_field_name("field")))
    return found
