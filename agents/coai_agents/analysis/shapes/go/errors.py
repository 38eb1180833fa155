"""Go: errors that are returned, and that nobody looks at."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Confidence, Severity
from coai_agents.analysis.shapes.go.tree import arguments, callee, text

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.findings.report import Reporter
    from coai_agents.analysis.shapes.go.function import GoFunction

RULE: Final = "ignored-result"

_RETURNING: Final = re.compile(
    r"os\.(?:Remove|RemoveAll|Mkdir|MkdirAll|Chdir|Chmod|Chown|Chtimes|Rename|Setenv|WriteFile|"
    r"Truncate|Symlink|Link)$|ioutil\.WriteFile$|(?:json|xml|yaml|toml|proto)\.Unmarshal$|"
    r"io\.(?:Copy|CopyN|CopyBuffer|WriteString|ReadFull)$|http\.ListenAndServe(?:TLS)?$|"
    r"(?:\w+\.NewDecoder\(.*\)|\w*[dD]ec(?:oder)?)\.Decode$|flag\.Set$"
)
"""Functions of Go's own packages whose error says that nothing was done."""

_OPENING: Final = re.compile(
    r"os\.(?:Open|OpenFile|Create|ReadFile|ReadDir|Stat|Getwd)$|ioutil\.(?:ReadFile|ReadAll)$|"
    r"io\.ReadAll$|http\.(?:Get|Post|Head|PostForm|NewRequest)$|sql\.Open$|url\.Parse$"
)
"""Functions whose result is worth nothing where there is an error beside it."""

_WRITTEN: Final = re.compile(r"os\.Create$|os\.O_(?:WRONLY|RDWR|APPEND|CREATE)\b")

_UNSEEN: Final = (Severity.INFORMATION, Confidence.MEDIUM)
_CHOSEN: Final = (Severity.HINT, Confidence.LOW)


def check_ignored(function: GoFunction, node: Node, report: Reporter) -> None:
    """Report a statement that is nothing but a call whose error nobody looks at."""
    call = node.named_children[0] if node.named_children else None
    if call is None or call.type != "call_expression":
        return
    named = text(callee(call))
    if _RETURNING.match(named) or _returns_error(function, named):
        report.add_seen(RULE, call, f"{named} returns an error, and nobody looks at it.", _UNSEEN)


def check_dropped(function: GoFunction, node: Node, report: Reporter) -> None:
    """Report an error that is thrown away where the value beside it is used."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if left is None or right is None or len(right.named_children) != 1:
        return
    call, targets = right.named_children[0], left.named_children
    if call.type != "call_expression" or text(targets[-1]) != "_" or len(targets) < 2:  # noqa: PLR2004 - a value and its error
        return
    named = text(callee(call))
    if any(text(each) != "_" for each in targets) and (
        _OPENING.match(named) or _returns_error(function, named)
    ):
        report.add_seen(RULE, call, f"The error of {named} is thrown away.", _CHOSEN)


def check_closed(function: GoFunction, node: Node, report: Reporter) -> None:
    """Report a file that was written to and whose last error is lost when it is closed."""
    call = node.named_children[0] if node.named_children else None
    closed = re.fullmatch(r"(\w+)\.Close\(\)", text(call))
    if closed is None:
        return
    made = function.values.get(closed[1])
    if made is None or made.type != "call_expression":
        return
    opened = text(callee(made)) + " " + " ".join(text(each) for each in arguments(made))
    if re.match(r"os\.(?:Create|OpenFile) ", opened) is None or not _WRITTEN.search(
        opened.replace("os.Create ", "os.O_CREATE ")
    ):
        return
    if re.search(rf"\b{closed[1]}\.(?:Sync|Close)\(\)", _without(text(function.node), text(node))):
        return
    report.add_seen(
        RULE,
        node,
        "What is written last may be lost: Close returns the error, and nobody looks at it.",
        _CHOSEN,
    )


def _without(code: str, statement: str) -> str:
    return code.replace(statement, "")


def _returns_error(function: GoFunction, named: str) -> bool:
    """Say whether a function of the file's own returns an error last."""
    own = function.file.functions.get(named)
    if own is None:
        return False
    result = text(own.child_by_field_name("result")).strip("()")
    return re.search(r"(?:^|[\s,])error$", result) is not None
