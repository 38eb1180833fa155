"""What a specialist would change, and the checks that every such change passes.

A change is never applied here: it is shown as a diff, or handed to whoever writes files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coai_agents.fixes.verifier import applied
from coai_agents.source import Span
from coai_agents.specialists.unified import unified
from coai_agents.syntax.tree import BUDGET, broken_places, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from coai_agents.source import Edit, Source
    from coai_agents.syntax.tree import SyntaxTree


@dataclass(frozen=True, slots=True)
class Change:
    """Edits of one document; its text afterwards is computed once."""

    source: Source
    edits: tuple[Edit, ...]
    after: Source

    @property
    def is_empty(self) -> bool:
        """Whether nothing would change."""
        return self.after.text == self.source.text

    def diff(self, name: str) -> str:
        """Return the change as a unified diff of a file of this name."""
        return unified(self.source.text, self.after.text, self.edits, name)


def change(source: Source, edits: Sequence[Edit]) -> Change:
    """Return a change; raises ValueError where edits overlap or reach beyond the text."""
    return Change(source, tuple(edits), applied(source, edits))


def stays_within(edits: Sequence[Edit], allowed: Sequence[Span]) -> bool:
    """Say whether edits touch nothing outside of the spans that were asked about."""
    return all(
        edit.span is not None and any(span.covers(edit.span) for span in allowed) for edit in edits
    )


def parses_no_worse(before: Source, after: Source) -> bool:
    """Say whether a document parses at least as well as it did; True where no grammar knows it."""
    old, new = parse(before), parse(after)
    if old is None or new is None:
        return old is new
    return broken_places(new) <= broken_places(old)


def code_tokens(source: Source, *, budget: float = BUDGET) -> list[tuple[str, str]] | None:
    """Return the tokens of a document outside of comments and docstrings; None without a grammar.

    Two documents with equal tokens are the same program: what a change of comments has to keep.
    None, too, where parsing takes longer than `budget` seconds.
    """
    tree = parse(source, budget=budget)
    return None if tree is None else tokens_within(tree, Span(0, len(source.text)))


def tokens_within(tree: SyntaxTree, span: Span) -> list[tuple[str, str]]:
    """Return the tokens of a part of a document, without comments and docstrings."""
    start, end = tree.source.byte_offset(span.start), tree.source.byte_offset(span.end)
    root = tree.root.descendant_for_byte_range(start, end) or tree.root
    if _within_comment(tree, root):
        return []
    found: list[tuple[str, str]] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type in tree.grammar.comments or _is_docstring(tree, node):
            continue
        if node.child_count and node.type not in tree.grammar.strings:
            waiting.extend(reversed(node.children))
        elif start <= node.start_byte and node.end_byte <= end:
            found.append((node.type, tree.text(node)))
    return found


def comment_spans(tree: SyntaxTree, span: Span) -> list[Span]:
    """Return where a part of a document has comments and docstrings, in order."""
    start, end = tree.source.byte_offset(span.start), tree.source.byte_offset(span.end)
    root = tree.root.descendant_for_byte_range(start, end) or tree.root
    found: list[Span] = []
    for node in _nodes(root):
        inside = found and tree.start(node) < found[-1].end
        if not inside and (node.type in tree.grammar.comments or _is_docstring(tree, node)):
            found.append(tree.span(node))
    return found


def _within_comment(tree: SyntaxTree, node: Node) -> bool:
    at: Node | None = node
    while at is not None:
        if at.type in tree.grammar.comments or _is_docstring(tree, at):
            return True
        at = at.parent
    return False


def _is_docstring(tree: SyntaxTree, node: Node) -> bool:
    """Say whether a string is documentation: a statement of its own that begins a body."""
    if not tree.grammar.spec.lexical.docstrings or node.type not in tree.grammar.strings:
        return False
    statement = node.parent
    if statement is None or statement.type != "expression_statement":
        return False
    body = statement.parent
    first = (
        None
        if body is None
        else next(
            (each for each in body.named_children if each.type not in tree.grammar.comments), None
        )
    )
    return first is not None and first.id == statement.id


def _nodes(root: Node) -> Iterator[Node]:
    """Yield all nodes in the order of the text."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children))
