"""What speaks for less severity without a model: where the code is, and what its values are.

Nothing that code claims of itself counts: no comment, no docstring, and no header that says that a
file is generated. Names of files and folders do, since a build goes by them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.specialists.security.triage.following import Followed
    from coai_agents.syntax.tree import SyntaxTree

_TESTS: Final = re.compile(
    r"(?:^|/)(?:tests?|__tests__|specs?|fixtures|testdata|src/test)/"
    r"|(?:^|/)(?:test_[^/]+|conftest)\.py$|_test\.(?:go|py|rb)$|_spec\.rb$"
    r"|\.(?:test|spec|stories)\.[cm]?[jt]sx?$|Tests?\.(?:java|cs|php|kt)$"
)
_GENERATED: Final = re.compile(
    r"(?:^|/)(?:generated|__generated__|gen-src)/|_pb2(?:_grpc)?\.py$|\.pb\.(?:go|cc|h)$"
    r"|\.(?:g|designer|generated)\.\w+$|[._]min\.js$|\.bundle\.js$",
    re.IGNORECASE,
)

LONG_LINE: Final = 5_000
"""Characters of a line that nobody writes by hand."""

_ENDING: Final = frozenset(
    {
        *("return_statement", "raise_statement", "throw_statement", "break_statement"),
        *("continue_statement", "return_expression"),
    }
)
_NEVER: Final = frozenset({"False", "false", "0", "(false)", "(0)", "None", "null"})
_CONDITIONAL: Final = frozenset({"if_statement", "while_statement", "if"})


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a finding may matter less."""

    kind: str
    """test, generated, dead or followed."""
    reason: str


def doubt_of(
    finding: Finding, tree: SyntaxTree | None, followed: Followed | None, path: str
) -> Doubt | None:
    """Return what speaks for less severity, the surest first; None where nothing does.

    `path` is that of the file within its project.
    """
    if tree is not None and followed is not None and followed.clears(finding, tree.source):
        reason = "every value that arrives there was followed, and none comes from outside"
        return Doubt("followed", reason)
    if tree is not None and _is_dead(tree, finding):
        return Doubt("dead", "the code is never reached")
    if _TESTS.search(path):
        return Doubt("test", "it is in code of tests")
    if _GENERATED.search(path) or _is_generated(tree, finding):
        return Doubt("generated", "it is in generated code, which is changed at its origin")
    return None


def _is_generated(tree: SyntaxTree | None, finding: Finding) -> bool:
    if tree is None:
        return False
    source = tree.source
    line = source.line_at(finding.span.start)
    return source.line_end(line) - source.line_start(line) > LONG_LINE


def _is_dead(tree: SyntaxTree, finding: Finding) -> bool:
    """Say whether a place is behind what always leaves its block, or in a branch never taken."""
    start = tree.source.byte_offset(finding.span.start)
    end = tree.source.byte_offset(finding.span.end)
    node = tree.root.descendant_for_byte_range(start, end)
    while node is not None and node.parent is not None:
        if _follows_an_end(tree, node) or _is_never_taken(tree, node):
            return True
        node = node.parent
    return False


def _follows_an_end(tree: SyntaxTree, node: Node) -> bool:
    before = node.prev_named_sibling
    while before is not None and before.type in tree.grammar.comments:
        before = before.prev_named_sibling
    # A label or a case begins anew.
    return before is not None and before.type in _ENDING and "case" not in node.type


def _is_never_taken(tree: SyntaxTree, node: Node) -> bool:
    around = node.parent
    if around is None or around.type not in _CONDITIONAL:
        return False
    condition = around.child_by_field_name("condition")
    body = around.child_by_field_name("consequence") or around.child_by_field_name("body")
    if condition is None or body is None or body.id != node.id:
        return False
    return tree.text(condition) in _NEVER
