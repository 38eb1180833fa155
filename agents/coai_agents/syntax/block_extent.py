"""How far a suggestion reaches: where the statement and the block that it begins are whole.

A suggestion is streamed token by token. After each, the document is parsed with what has come so
far at the cursor; the parser, not the look of the lines, then says whether the statement is whole
and where the text leaves the block that it stands in. What the document does not close yet is
closed behind the suggestion, or the parser would see errors only.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from coai_agents.source import Edit, Span, without_surrogates
from coai_agents.syntax.brackets import OpenBracket, bracket_kind, missing_closers, open_brackets
from coai_agents.syntax.places import column_at, column_of, error_within, unclosed_text
from coai_agents.syntax.tree import BUDGET, SyntaxTree, ancestors, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node


@dataclass(frozen=True, slots=True)
class ExtentVerdict:
    """How much of an inserted text belongs to what it begins, in code points of it.

    A suggestion cut at `statement` is one statement, cut at `block` all that the block still
    wants. Neither is before the other's beginning: a block that is left has ended its statements.
    """

    statement: int | None
    """Where the statement that the text begins or goes on with ends; None while it may go on."""
    block: int | None
    """Where the text leaves the block around it; None while it is inside.

    A bracket that closes the block is counted in if the document does not close it already.
    """

    @property
    def whole(self) -> bool:
        """Whether the statement is whole, so that no more text is needed for it."""
        return self.statement is not None


def completion_extent(
    tree: SyntaxTree, offset: int, inserted: str, *, budget: float = BUDGET
) -> ExtentVerdict | None:
    """Say how far a text that is inserted at an offset of the document reaches.

    `tree` is that of the document without it. None if the text cannot be parsed within `budget`
    seconds.
    """
    kept = without_surrogates(inserted)
    deadline = perf_counter() + budget
    verdict, sound = _judge(tree, offset, kept, deadline)
    whole_lines = kept[: kept.rfind("\n") + 1]
    if verdict is None or verdict.whole or sound or not whole_lines.strip():
        return verdict
    # A line that is not complete yet can spoil the parse of those before it.
    return _judge(tree, offset, whole_lines, deadline)[0] or verdict


def _judge(
    tree: SyntaxTree, offset: int, inserted: str, deadline: float
) -> tuple[ExtentVerdict | None, bool]:
    """Return the verdict, and whether the inserted text was parsed without an error."""
    window = Span(offset, offset + len(inserted))
    around = open_brackets(tree, offset)
    after = _inserted(tree, offset, inserted, around, deadline)
    if after is None:
        return None, False
    block, left = _block_end(after, window, around)
    if block is None and len(left) < len(around):
        # The text closes itself what was put behind it to be closed.
        after = _inserted(tree, offset, inserted, left, deadline) or after
    statement = _statement_end(after, window)
    # What follows a quote that is not closed yet is taken for code; it decides nothing.
    unclosed = unclosed_text(after, window.end)
    limit = window.end if unclosed is None else unclosed
    ends = [at for at in (statement, block) if at is not None and at <= limit]
    verdict = ExtentVerdict(
        statement=min(ends) - offset if ends else None,
        block=None if block not in ends else block - offset,
    )
    bounds = after.source.byte_offset(window.start), after.source.byte_offset(window.end)
    return verdict, not error_within(after.root, *bounds)


def _inserted(
    tree: SyntaxTree, offset: int, inserted: str, around: Sequence[OpenBracket], deadline: float
) -> SyntaxTree | None:
    """Parse the document with a text at an offset, and what is missing to close it after that."""
    edit = Edit(Span(offset, offset), inserted + missing_closers(tree, around))
    return parse(tree.source.apply(edit), tree, budget=deadline - perf_counter())


# --------------------------------------------------------------------------- block


def _block_end(
    after: SyntaxTree, window: Span, around: Sequence[OpenBracket]
) -> tuple[int | None, list[OpenBracket]]:
    """Return where the inserted text leaves the block that it stands in, or None.

    Also return what is still open around it, as it may close a `(` of the document's and go on.
    """
    base = _base(after, window)
    left = list(around)
    stack: list[str] = []
    for leaf in _leaves(after, window):
        start = after.start(leaf)
        if base and not stack and _begins_line(after, leaf, start, window):
            line = after.source.line_start(after.source.line_at(start))
            if column_of(after.source.text[line:start]) < base:
                return _trim(after, window.start, line), left
        close = bracket_kind(after.grammar, leaf)
        if close is None or leaf.is_missing:
            continue
        if leaf.type != close:
            stack.append(close)
        elif close in stack:
            while stack.pop() != close:
                pass
        else:
            missing = [each for each in left if each.close == close and each.closed_at is None]
            if not missing:
                return _trim(after, window.start, start), left
            left.remove(missing[-1])
            if close in after.grammar.block_closing:
                return after.end(leaf), left
    return None, left


def _base(after: SyntaxTree, window: Span) -> int:
    """Return the indentation below which a line is outside of the block; 0 where none is."""
    first = _skip_space(after, window.start)
    indented = after.grammar.spec.lexical.indented
    return column_at(after, first) if indented and first < window.end else 0


def _begins_line(after: SyntaxTree, leaf: Node, start: int, window: Span) -> bool:
    """Say whether a leaf is the first on a line that the inserted text began."""
    source = after.source
    line = source.line_start(source.line_at(start))
    if line <= window.start or source.text[line:start].strip():
        return False
    # The end of a string that began on an earlier line stands wherever it likes.
    strings = after.grammar.strings
    return not any(node.type in strings and after.start(node) < line for node in ancestors(leaf))


def _leaves(after: SyntaxTree, window: Span) -> Iterator[Node]:
    """Yield the leaves that start within the window, in order."""
    source = after.source
    first, last = source.byte_offset(window.start), source.byte_offset(window.end)
    cursor = after.tree.walk()
    while cursor.goto_first_child_for_byte(first) is not None:
        pass
    while True:
        node = cursor.node
        if node is None or node.start_byte >= last:
            return
        if node.child_count:
            cursor.goto_first_child()
            continue
        if node.start_byte >= first:
            yield node
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


# ----------------------------------------------------------------------- statement


def _statement_end(after: SyntaxTree, window: Span) -> int | None:
    """Return where the first statement that the inserted text has a part in is over."""
    first = _first_token(after, window)
    if first is None:
        return None
    if first.type in after.grammar.comments:
        end = after.end(first)
        return end if end < window.end or _is_closed(after, first, window) else None
    statement = _statement(after, first)
    if statement is None:
        return None
    end = after.end(statement)
    source = after.source
    # What is missing at its end may be missed only after the line ends that follow.
    last = max(source.byte_offset(window.end), statement.end_byte)
    if end > window.end or error_within(statement, source.byte_offset(window.start), last):
        return None
    end = _with_tail(after, end, window)
    return end if _is_over(after, statement, end, window) else None


def _first_token(after: SyntaxTree, window: Span) -> Node | None:
    """Return the first leaf of the inserted text that is no comment and no decorator.

    Text that goes on with a comment that was there already is that comment.
    """
    before = after.leaf_before(window.start)
    if before.type in after.grammar.comments and after.end(before) > window.start:
        return before
    return _next_token(after, window.start, window, after.grammar.leading)


def _next_token(
    after: SyntaxTree, offset: int, window: Span, leading: frozenset[str] = frozenset()
) -> Node | None:
    """Return the first leaf of the inserted text after an offset that is no comment."""
    passed = after.grammar.comments | leading
    at = _skip_space(after, offset)
    while at < window.end:
        leaf = after.leaf_after(at)
        skipped = next((node for node in ancestors(leaf) if node.type in passed), None)
        if skipped is None:
            return leaf
        at = _skip_space(after, max(after.end(skipped), at + 1))
    return None


def _statement(after: SyntaxTree, leaf: Node) -> Node | None:
    """Return the innermost statement around a leaf, or None where the text is in pieces."""
    for node in ancestors(leaf):
        parent = node.parent
        if node.is_error or parent is None:
            return None
        if parent.type in after.grammar.containers and node.is_named:
            return node
    return None


def _with_tail(after: SyntaxTree, end: int, window: Span) -> int:
    """Return the end of a statement with the `;` and the comment that follow it on its line."""
    text = after.source.text
    line_end = after.source.line_end(after.source.line_at(end))
    limit = min(line_end, window.end)
    rest = text[end:limit]
    if rest.lstrip(" \t").startswith(";"):
        end += rest.index(";") + 1
    at = _skip_space(after, end)
    if at < limit:
        leaf = after.leaf_after(at)
        for node in ancestors(leaf):
            if node.type in after.grammar.comments:
                return min(after.end(node), window.end)
    return end


def _is_over(after: SyntaxTree, statement: Node, end: int, window: Span) -> bool:
    """Say whether a statement that ends within the inserted text cannot go on after it."""
    grammar = after.grammar
    text = after.source.text
    continued = any(node.type in grammar.continued for node in _last_nodes(statement))
    terminated = text[end - 1] == ";" and (not continued or after.end(statement) < end)
    following = _next_token(after, end, window)
    if terminated or (following is not None and _is_followed(after, end, following, window)):
        return True
    if continued:
        return False
    while statement.type in grammar.wrappers and statement.named_child_count:
        statement = statement.named_children[-1]
    last = statement.children[-1] if statement.child_count else statement
    if grammar.spec.lexical.line_ends_statement:
        rest = text[end : window.end if following is None else after.start(following)]
        return "\n" in rest and not (grammar.spec.lexical.indented and last.type in grammar.blocks)
    return last.type in grammar.block_closing or last.type in grammar.blocks


def _last_nodes(node: Node) -> Iterator[Node]:
    """Yield a statement and what it ends with, as `for (...) if (...) a();` ends with an `if`."""
    end = node.end_byte
    while node.end_byte == end:
        yield node
        if not node.named_child_count:
            return
        node = node.named_children[-1]


def _is_followed(after: SyntaxTree, end: int, following: Node, window: Span) -> bool:
    """Say whether what follows a statement is complete, and the parser did not count it in.

    A word at the very end of the text may become another one (`e` an `else`), and what follows
    as an error is what the parser can do nothing with yet (the `+` of `a +`).
    """
    if after.end(following) >= window.end and after.source.text[window.end - 1].isalnum():
        return False
    return not error_within(after.root, after.source.byte_offset(end), following.end_byte)


def _is_closed(after: SyntaxTree, comment: Node, window: Span) -> bool:
    """Say whether a comment has an end of its own, within the inserted text."""
    closings = tuple(closing for _, closing in after.grammar.spec.lexical.block_comments)
    return after.end(comment) <= window.end and after.text(comment).endswith(closings)


# ----------------------------------------------------------------------------- text


def _skip_space(after: SyntaxTree, offset: int) -> int:
    """Return the offset of the next character that is not white space."""
    text = after.source.text
    while offset < len(text) and text[offset].isspace():
        offset += 1
    return offset


def _trim(after: SyntaxTree, start: int, end: int) -> int:
    """Return the end of a text without the white space that it ends with."""
    return start + len(after.source.text[start:end].rstrip())
