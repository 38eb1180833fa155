"""Go: errors that are returned, and that nobody looks at.

One that is given to `_` is left out on purpose.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Confidence, Severity
from coai_agents.analysis.shapes.go.tree import callee, text

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.findings.report import Reporter
    from coai_agents.analysis.shapes.go.function import GoFunction

RULE: Final = "ignored-result"

_RETURNING: Final = re.compile(
    r"os\.(?:Remove|RemoveAll|Mkdir|MkdirAll|Chdir|Chmod|Chown|Chtimes|Rename|Setenv|WriteFile|"
    r"Truncate|Symlink|Link)$|ioutil\.WriteFile$|(?:json|xml|yaml|toml|proto)\.Unmarshal$|"
    r"io\.(?:Copy|CopyN|CopyBuffer|WriteString|ReadFull)$|"
    r"(?:\w+\.NewDecoder\(.*\)|\w*[dD]ec(?:oder)?)\.Decode$|flag\.Set$"
)
"""Functions of Go's own packages whose error says that nothing was done."""

_UNSEEN: Final = (Severity.INFORMATION, Confidence.MEDIUM)


def check_ignored(function: GoFunction, node: Node, report: Reporter) -> None:
    """Report a statement that is nothing but a call whose error nobody looks at."""
    call = node.named_children[0] if node.named_children else None
    if call is None or call.type != "call_expression":
        return
    named = text(callee(call))
    if _RETURNING.match(named) or _returns_error(function, named):
        report.add_seen(RULE, call, f"{named} returns an error, and nobody looks at it.", _UNSEEN)


def _returns_error(function: GoFunction, named: str) -> bool:
    """Say whether a function of the file's own returns an error last."""
    own = function.file.functions.get(named)
    if own is None:
        return False
    result = text(own.child_by_field_name("result")).strip("()")
    return re.search(r"(?:^|[\s,])error$", result) is not None
