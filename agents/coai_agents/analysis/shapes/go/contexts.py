"""Go: contexts that are never cancelled, and work that does not end when nobody wants it any more.

The kinds are those that the documentation of Go's `context` package warns of: a cancel function
that is not called on every way, work in the background that leaves its request's context, and a
loop without an end that never asks whether its context has one.

One file, because each kind asks the same questions of the same functions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Confidence, Severity
from coai_agents.analysis.shapes.go.function import DEPTH
from coai_agents.analysis.shapes.go.tree import (
    BLOCKS,
    FUNCTIONS,
    arguments,
    around,
    callee,
    identifiers,
    statements,
    text,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.analysis.findings.report import Reporter
    from coai_agents.analysis.shapes.go.function import GoFunction

RULE: Final = "context-leak"

_CANCELLED: Final = re.compile(
    r"context\.With(?:Cancel|Timeout|Deadline)(?:Cause)?$|signal\.NotifyContext$"
)

_DETACHED: Final = re.compile(r"context\.(?:Background|TODO)\(\)")

_REQUESTED: Final = re.compile(
    r"\bcontext\.Context\b|\bhttp\.Request\b|\bgin\.Context\b|\becho\.Context\b|\bfiber\.Ctx\b"
)
"""Types of parameters by which a function knows when its work is no longer wanted."""

_HANDED: Final = frozenset(
    {
        *("argument_list", "return_statement", "defer_statement", "func_literal", "keyed_element"),
        *("literal_element", "send_statement", "channel_type", "var_spec"),
    }
)
"""Where a cancel function is given to somebody who may call it."""

_LOOPS: Final = frozenset({"for_statement"})
_EXITS: Final = frozenset({"return_statement", "goto_statement"})
_EXIT_CALLS: Final = ("panic", "os.Exit", "log.Fatal", "log.Panic", "runtime.Goexit", "t.Fatal")
_BREAKS_OUT: Final = frozenset(
    {"for_statement", "select_statement", "expression_switch_statement", "type_switch_statement"}
)
_SURE: Final = (Severity.WARNING, Confidence.HIGH)
_LIKELY: Final = (Severity.INFORMATION, Confidence.MEDIUM)
_MAYBE: Final = (Severity.INFORMATION, Confidence.LOW)


def check_cancel(function: GoFunction, node: Node, report: Reporter, called: set[str]) -> None:
    """Report a cancel function that is not called, or not on every way.

    `called` are the fields and methods that the file calls, hands on or defers.
    """
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if left is None or right is None or len(left.named_children) != 2:  # noqa: PLR2004 - context, cancel
        return
    call = right.named_children[0]
    if call.type != "call_expression" or not _CANCELLED.search(text(callee(call))):
        return
    cancel = left.named_children[1]
    if cancel.type == "selector_expression":
        kept, sure = text(cancel.child_by_field_name("field")) in called, _MAYBE
    else:
        kept, sure = _is_called(function, node, cancel, called)
    if not kept:
        words = (
            "The context is never cancelled: its timer and its children stay."
            if sure == _SURE
            else "The context is not cancelled on every way: its timer and its children stay."
        )
        report.add_seen(RULE, call, words, sure)


def _is_called(
    function: GoFunction, made: Node, cancel: Node, called: set[str]
) -> tuple[bool, tuple[Severity, Confidence]]:
    """Say whether a cancel function is called or handed on, and how sure a no would be."""
    name = text(cancel)
    uses = [
        each
        for each in function.nodes
        if each.type == "identifier" and text(each) == name and each != cancel
    ]
    kept = [use for use in uses if not _is_thrown_away(use)]
    if name in function.file.variables and made.type == "assignment_statement":
        return name in called, _MAYBE
    if not kept:
        return False, _SURE
    fields = [field for use in kept if (field := _field_of(function, use)) is not None]
    if len(fields) == len(kept):
        return any(field in called for field in fields), _MAYBE
    calls = [use for use in kept if _is_call(use)]
    deferred = [use for use in calls if any(e.type == "defer_statement" for e in _within(use))]
    if deferred:
        return not all(_piles_up(use, made) for use in deferred), _LIKELY
    if len(calls) < len(kept) or any(_in_other(use, made) for use in calls):
        return True, _SURE
    return _on_every_way(made, name), _LIKELY


def _within(node: Node) -> Iterator[Node]:
    """Yield what a node is in, up to the function that it runs in."""
    for each in around(node):
        yield each
        if each.type == "func_literal":
            parent = each.parent
            deferred = (
                parent is not None
                and parent.parent is not None
                and (parent.parent.type == "defer_statement")
            )
            if not deferred:
                return


def _in_other(use: Node, made: Node) -> bool:
    """Say whether a use is in another function than the one that the context is made in."""
    own = next((e for e in around(made) if e.type in ("func_literal", *FUNCTIONS)), None)
    other = next((e for e in around(use) if e.type in ("func_literal", *FUNCTIONS)), None)
    return own != other


def _is_thrown_away(use: Node) -> bool:
    """Say whether a use is nothing but another value for the variable, or `_ = cancel`."""
    listed = use.parent
    assigned = listed.parent if listed is not None and listed.type == "expression_list" else None
    if assigned is None or assigned.type not in ("assignment_statement", "short_var_declaration"):
        return False
    targets = assigned.child_by_field_name("left")
    return targets is not None and (use in targets.named_children or text(targets) == "_")


def _field_of(function: GoFunction, use: Node) -> str | None:
    """Return the field, or the file's variable, that a cancel function is kept in, if it is."""
    parent = use.parent
    listed = parent.parent if parent is not None and parent.type == "expression_list" else None
    if listed is not None and listed.type == "assignment_statement":
        target = listed.child_by_field_name("left")
        kept = None if target is None else target.named_children[0]
        if kept is not None and kept.type == "selector_expression":
            return text(kept.child_by_field_name("field"))
        known = function.file.variables
        return text(kept) if kept is not None and text(kept) in known else None
    element = parent if parent is None or parent.type != "literal_element" else parent.parent
    if element is not None and element.type == "keyed_element":
        return text(element.named_children[0])
    return None


def _is_call(use: Node) -> bool:
    parent = use.parent
    return parent is not None and parent.type == "call_expression" and callee(parent) == use


def _piles_up(use: Node, made: Node) -> bool:
    """Say whether a deferred call is in a loop, all of whose rounds end with the function."""
    for each in _within(use):
        if each.type == "func_literal":
            parent = each.parent
            if parent is None or parent.parent is None or parent.parent.type != "defer_statement":
                return False
        if each.type in _LOOPS:
            # A loop that is left after what is made in it runs once.
            return made.start_byte > each.start_byte and not any(
                e.type in ("return_statement", "break_statement")
                and e.parent is not None
                and e.parent.parent == each.child_by_field_name("body")
                for e in walk(each)
            )
    return False


def _on_every_way(made: Node, name: str) -> bool:
    """Say whether a function is called after a statement, whichever way is taken."""
    block = made.parent
    while block is not None and block.type not in BLOCKS:
        made, block = block, block.parent
    if block is None:
        return True
    after = [each for each in block.named_children if each.start_byte > made.start_byte]
    return _passes(after, name, ends=True)


def _passes(after: list[Node], name: str, *, ends: bool, depth: int = 0) -> bool:
    """Say whether each way through statements calls a function before it leaves them.

    With `ends` falling off their end counts as leaving.
    """
    for each in after:
        if _calls(each, name):
            return True
        if each.type == "return_statement":
            return False
        if not all(
            depth > DEPTH or _passes(inner, name, ends=False, depth=depth + 1)
            for inner in _branches(each)
        ):
            return False
    return not ends


def _calls(statement: Node, name: str, depth: int = 0) -> bool:
    """Say whether a statement calls a function for sure."""
    if statement.type in ("expression_statement", "go_statement"):
        return any(
            each.type == "call_expression" and text(callee(each)) == name
            for each in walk(statement)
        )
    if depth > DEPTH:
        return True
    if statement.type == "block":
        return any(_calls(each, name, depth + 1) for each in statements(statement))
    branches = _branches(statement)
    whole = statement.type == "select_statement" or (
        statement.type == "if_statement"
        and statement.child_by_field_name("alternative") is not None
    )
    whole = whole or any(each.type == "default_case" for each in statement.named_children)
    return (
        bool(branches)
        and whole
        and all(any(_calls(each, name, depth + 1) for each in branch) for branch in branches)
    )


def _branches(statement: Node) -> list[list[Node]]:
    """Return the statements of each block that a statement has."""
    if statement.type == "if_statement":
        inner = [
            statement.child_by_field_name("consequence"),
            statement.child_by_field_name("alternative"),
        ]
        return [
            statements(each) if each.type == "block" else [each]
            for each in inner
            if each is not None
        ]
    if statement.type == "for_statement":
        body = statement.child_by_field_name("body")
        return [] if body is None else [statements(body)]
    if statement.type == "block":
        return [statements(statement)]
    return [statements(e) for e in statement.named_children if e.type in BLOCKS]


# ----------------------------------------------------------------------- work in the background


def check_detached(function: GoFunction, node: Node, report: Reporter) -> None:
    """Report work in the background that goes on when nobody wants its outcome any more."""
    if not _DETACHED.fullmatch(text(node)):
        return
    if _is_unused(function, node):
        return
    started = next((each for each in around(node) if each.type == "go_statement"), None)
    if started is None:
        started = _started_with(function, node)
    if started is not None and is_requested(started):
        report.add_seen(
            RULE,
            node,
            "The work in the background does not end with the request that it is for: it has a"
            " context of its own.",
            _LIKELY,
        )


def _is_unused(function: GoFunction, node: Node) -> bool:
    """Say whether a context is given to nobody: it is only put into a variable."""
    listed = node.parent
    made = listed.parent if listed is not None and listed.type == "expression_list" else None
    if made is None or made.type != "short_var_declaration":
        return False
    names = identifiers(made.child_by_field_name("left") or made)
    return not any(
        each.type == "identifier"
        and text(each) in names
        and not (made.start_byte <= each.start_byte < made.end_byte)
        and not _is_thrown_away(each)
        for each in function.nodes
    )


def check_started(function: GoFunction, node: Node, report: Reporter) -> None:
    """Report a function of the file's own that is started without its request's context."""
    call = node.named_children[0] if node.named_children else None
    if call is None or call.type != "call_expression" or not is_requested(node):
        return
    started = function.file.functions.get(text(callee(call)))
    if started is None or started == function.node:
        return
    if _REQUESTED.search(text(started.child_by_field_name("parameters"))):
        return
    if any(_DETACHED.fullmatch(text(e)) for e in walk(started) if e.type == "call_expression"):
        report.add_seen(
            RULE,
            node,
            "The work in the background does not end with the request that it is for: it makes a"
            " context of its own.",
            _LIKELY,
        )


def _started_with(function: GoFunction, node: Node) -> Node | None:
    """Return the `go` statement that is given a variable made of a context."""
    made = next((e for e in around(node) if e.type in ("short_var_declaration", "var_spec")), None)
    if made is None:
        return None
    left = made.child_by_field_name("left") or made.child_by_field_name("name")
    if left is None:
        return None
    names = identifiers(left)
    for each in function.nodes:
        if each.type == "go_statement" and names & identifiers(each):
            return each
    return None


def is_requested(place: Node) -> bool:
    """Say whether a place is in a function that knows when its work is no longer wanted."""
    return any(
        each.type in ("func_literal", *FUNCTIONS)
        and _REQUESTED.search(text(each.child_by_field_name("parameters"))) is not None
        for each in around(place)
    )


# -------------------------------------------------------------------------- loops without an end


def check_loop(function: GoFunction, node: Node, report: Reporter) -> None:
    """Report a loop that waits or works for ever, whatever becomes of its context."""
    body = node.child_by_field_name("body")
    if body is None or not _is_endless(function, node) or not is_requested(node):
        return
    if _is_left(node, body) or not _waits(body):
        return
    report.add_seen(
        RULE,
        node.children[0],
        "The loop never ends: nothing in it asks whether its context is done.",
        _LIKELY,
    )


def _is_endless(function: GoFunction, loop: Node) -> bool:
    """Say whether a loop has no end of its own; a ticker's channel is never closed."""
    inner = [e for e in loop.named_children if e.type not in ("block", "comment")]
    if not inner:
        return True
    clause = inner[0]
    if clause.type == "range_clause":
        listed = clause.child_by_field_name("right")
        if listed is None or listed.type != "selector_expression":
            return text(listed).startswith("time.Tick(")
        ticker = listed.child_by_field_name("operand")
        made = "" if ticker is None else text(function.value(ticker))
        declared = function.types.get(text(ticker), "")
        return declared == "*time.Ticker" or made.startswith("time.NewTicker(")
    if clause.type == "for_clause":
        condition = clause.child_by_field_name("condition")
        return condition is None or text(condition) == "true"
    return text(clause) == "true"


def _is_left(loop: Node, body: Node) -> bool:
    """Say whether a loop can be left from within."""
    label = text(loop.parent.named_children[0]) if _is_labelled(loop) and loop.parent else ""
    for each in walk(body, closures=False):
        if each.type in _EXITS or text(each).startswith(_EXIT_CALLS):
            return True
        if each.type == "break_statement":
            if each.named_children:
                if text(each.named_children[0]) == label:
                    return True
                continue
            outer = next(e for e in around(each) if e.type in _BREAKS_OUT)
            if outer == loop:
                return True
    return False


def _is_labelled(loop: Node) -> bool:
    return loop.parent is not None and loop.parent.type == "labeled_statement"


def _waits(body: Node) -> bool:
    """Say whether something is waited for or done for others in each round."""
    return any(
        (each.type == "call_expression" and bool(arguments(each) or "." in text(callee(each))))
        or each.type in ("select_statement", "send_statement")
        or (each.type == "unary_expression" and text(each).startswith("<-"))
        for each in walk(body, closures=False)
    )
