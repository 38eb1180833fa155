"""C and C++: locks that are taken twice, kept on the way out, or taken in different orders."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.shapes.native_tree import arguments_of, name_of, text_of, walk

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.findings.report import Reporter

_TAKES: Final = re.compile(
    r"^(?:pthread_mutex_lock|pthread_spin_lock|mtx_lock|EnterCriticalSection)$"
)
_GIVES: Final = re.compile(
    r"^(?:pthread_mutex_unlock|pthread_spin_unlock|mtx_unlock|LeaveCriticalSection|pthread_cond_wait)$"
)

Order = dict[tuple[str, str], "Node"]


def check_locks(root: Node, report: Reporter) -> None:
    """Report what a file's functions do with locks."""
    orders: Order = {}
    for node in walk(root):
        if node.type == "function_definition":
            _check(node, report, orders)


def _lock(call: Node) -> tuple[str, str]:
    """Return a lock and whether a call takes or gives it; nothing if it is no such call."""
    name, given = name_of(call), arguments_of(call)
    function = text_of(call.child_by_field_name("function"))
    if given and _TAKES.match(name):
        return text_of(given[0]), "take"
    if given and _GIVES.match(name):
        return text_of(given[-1]), "give"
    if not given and (
        method := re.match(r"(\w*(?i:mutex|mtx|lock)\w*)(?:\.|->)(lock|unlock)$", function)
    ):
        return method[1], "take" if method[2] == "lock" else "give"
    return "", ""


def _check(function: Node, report: Reporter, orders: Order) -> None:
    held: list[str] = []
    for node in walk(function):
        if node.type != "call_expression":
            continue
        lock, how = _lock(node)
        if how == "give" and lock in held and not _leaves(node):
            held.remove(lock)
        elif how == "take":
            if lock in held:
                report.add_of(
                    "deadlock", node, f"{lock} is held here already: this waits for itself."
                )
            for before in held:
                if before == lock:
                    continue
                if (lock, before) in orders:
                    report.add_of(
                        "deadlock",
                        node,
                        f"{before} and {lock} are taken in the other order elsewhere in this file.",
                    )
                orders.setdefault((before, lock), node)
            held.append(lock)


def _leaves(node: Node) -> bool:
    """Say whether the block that a call is in goes away, so that behind it the lock is held."""
    around = node.parent
    while around is not None and around.type not in ("compound_statement", "function_definition"):
        around = around.parent
    block = around if around is not None and around.type == "compound_statement" else None
    outer = None if block is None else block.parent
    if (
        block is None
        or outer is None
        or outer.type == "function_definition"
        or not block.named_children
    ):
        return False
    return block.named_children[-1].type in (
        "return_statement",
        "goto_statement",
        "break_statement",
        "continue_statement",
    )
