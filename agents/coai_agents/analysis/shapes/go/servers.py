"""Go: what servers of `net/http` and SSH must not do, as their documentation says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Confidence, Severity
from coai_agents.analysis.shapes.go.tree import arguments, callee, identifiers, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.findings.report import Reporter
    from coai_agents.analysis.shapes.go.function import GoFunction

_FRAMING: Final = frozenset({"transfer-encoding", "content-length"})
_SET: Final = re.compile(r"(.+)\.(?:Set|Add)$")
_PARSES: Final = re.compile(r"\.(?:ParseForm|ParseMultipartForm|PostFormValue|MultipartReader)$")
_LIMITED: Final = re.compile(r"\bMaxBytes(?:Reader|Handler)\b|\bLimitReader\b|\bBodyLimit\b")
_STARTS: Final = re.compile(r"(\w+)\.(?:ListenAndServe|Serve)(?:TLS)?")
_KEY_CALLBACKS: Final = frozenset({"PublicKeyCallback"})
_LIKELY: Final = (Severity.INFORMATION, Confidence.MEDIUM)
_MAYBE: Final = (Severity.INFORMATION, Confidence.LOW)


def check_framing(function: GoFunction, node: Node, report: Reporter) -> None:
    """Report an answer that says twice where it ends, which two servers may read differently."""
    kept = _framing(node)
    if kept is None or kept[1] != "content-length":
        return
    for other in function.nodes:
        also = _framing(other) if other.type == "call_expression" else None
        if also is not None and also == (kept[0], "transfer-encoding"):
            report.add_seen(
                "request-smuggling",
                node,
                "Transfer-Encoding and Content-Length are both set: two servers may see two ends.",
                (Severity.WARNING, Confidence.HIGH),
            )
            return


def _framing(call: Node) -> tuple[str, str] | None:
    """Return whose header is set, and which of those that say where a message ends."""
    setter, passed = _SET.match(text(callee(call))), arguments(call)
    if setter is None or len(passed) != 2:  # noqa: PLR2004 - a name and a value
        return None
    name = text(passed[0]).strip('"`').lower()
    return (setter[1], name) if name in _FRAMING else None


def check_form(function: GoFunction, node: Node, report: Reporter) -> None:
    """Report a request that is read whole without a limit to how long it may be."""
    parses = _PARSES.search(text(callee(node)))
    if parses is None:
        return
    owner = text(callee(node))[: parses.start()]
    if function.types.get(owner, "") != "*http.Request":
        return
    if not _LIMITED.search(text(function.node)):
        report.add_seen(
            "missing-limit",
            node,
            "The request may be as long as its sender likes; http.MaxBytesReader limits it.",
            _MAYBE if parses[0].endswith("ParseForm") else _LIKELY,
        )


def check_waiting(function: GoFunction, node: Node, report: Reporter) -> None:
    """Report a server that is declared empty, and started without a limit to how long it waits."""
    started = _STARTS.fullmatch(text(callee(node)))
    if started is None:
        return
    server = started[1]
    value = function.values.get(server)
    empty = value is None or text(value) == "new(http.Server)"
    declared = function.types.get(server, "") == "http.Server" or value is not None
    limited = re.search(rf"\b{server}\.Read(?:Header)?Timeout\b", text(function.node))
    if declared and empty and server not in function.parameters and limited is None:
        report.add_of(
            "missing-timeout",
            node,
            "This server waits for ever for a client that does not finish; ReadHeaderTimeout ends"
            " that.",
        )


def check_key_callback(node: Node, report: Reporter) -> None:
    """Report a callback of SSH that keeps the key that it is asked about.

    The client may offer a key and sign in with another one: what the callback returns belongs to
    the key, what it keeps elsewhere belongs to whichever was asked about last (CVE-2024-45337).
    """
    callback = _callback(node)
    if callback is None:
        return
    own = {
        name
        for each in walk(callback)
        if each.type in ("parameter_declaration", "short_var_declaration", "var_spec")
        for name in identifiers(each.child_by_field_name("left") or each)
    }
    for each in walk(callback):
        if each.type != "assignment_statement":
            continue
        left = each.child_by_field_name("left")
        if left is not None and not identifiers(left) & own:
            report.add_seen(
                "missing-authentication",
                each,
                "The key that the client is asked about is kept: it may sign in with another one."
                " Return it in Permissions.Extensions.",
                (Severity.WARNING, Confidence.MEDIUM),
            )


def _callback(node: Node) -> Node | None:
    """Return the function that is set as such a callback by an assignment or a literal."""
    if node.type == "keyed_element":
        key, value = node.named_children[0], node.named_children[-1]
        name = text(key)
    else:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None or not right.named_children:
            return None
        name, value = text(left).rpartition(".")[2], right.named_children[0]
    if name not in _KEY_CALLBACKS:
        return None
    return next((each for each in walk(value) if each.type == "func_literal"), None)
