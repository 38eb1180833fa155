"""What the cursor is in: a comment, a string, a block.

Where the text is complete the tree answers. While a comment or a string is being typed it often is
not: then the parser takes what follows the opening quote for code, and the text is asked instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.syntax.repair import repaired
from coai_agents.syntax.tree import SyntaxTree, ancestors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tree_sitter import Node

    from coai_agents.source import Span

TAB_WIDTH: Final = 8
"""Columns of a tab when indentations are compared (Python's tokenizer: tabs to multiples of 8)."""

_LONGEST_LINE: Final = 4_000
"""Code points before the cursor in which a broken line's quotes are looked for."""


def in_comment(tree: SyntaxTree, offset: int) -> bool:
    """Say whether what is typed at an offset becomes part of a comment."""
    comment = _within(tree, offset, tree.grammar.comments)
    if comment is not None:
        return True
    # A line comment goes on at its end, as a block comment does not.
    for node in ancestors(tree.leaf_before(offset)):
        if node.type in tree.grammar.comments and tree.end(node) == offset:
            return not _is_block_comment(tree, node)
    return tree.has_error and _unclosed_comment(tree, offset) is not None


def in_string(tree: SyntaxTree, offset: int) -> bool:
    """Say whether an offset is between the quotes of a string, and not in code within it."""
    grammar = tree.grammar
    node = _within(tree, offset, grammar.strings | grammar.interpolations)
    if node is not None:
        return node.type in grammar.strings and _between_quotes(tree, node, offset)
    return tree.has_error and _unclosed_string(tree, offset) is not None


def unclosed_text(tree: SyntaxTree, offset: int) -> int | None:
    """Return where a string or a comment begins that is not closed before an offset.

    None if there is none, as far as the tree has errors that let the text be asked.
    """
    if not tree.has_error:
        return None
    comment = _unclosed_comment(tree, offset)
    return _unclosed_string(tree, offset) if comment is None else comment


def column_of(text: str) -> int:
    """Return the column after a text that starts a line, with tabs expanded."""
    return len(text.expandtabs(TAB_WIDTH))


def blank_before(tree: SyntaxTree, offset: int) -> int | None:
    """Return the column of an offset if only white space stands before it on its line."""
    source = tree.source
    before = source.text[source.line_start(source.line_at(offset)) : offset]
    return None if before.strip() else column_of(before)


def column_at(tree: SyntaxTree, offset: int) -> int:
    """Return the indentation of an offset's line."""
    line = tree.source.line_text(tree.source.line_at(offset))
    return column_of(line[: len(line) - len(line.lstrip())])


def anchor(tree: SyntaxTree, offset: int) -> int:
    """Return the offset after the last character before `offset` that is not white space."""
    return len(tree.source.text[:offset].rstrip())


def enclosing_nodes(tree: SyntaxTree, offset: int, kinds: Iterable[str]) -> list[Node]:
    """Return the nodes of these kinds that the cursor is in, from the inside out.

    In a language whose blocks are told by indentation, a cursor on a blank line after a block's
    last statement is in all blocks whose indentation it reaches.
    """
    wanted = frozenset(kinds)
    byte = tree.source.byte_offset(offset)
    column = blank_before(tree, offset) if tree.grammar.spec.lexical.indented else None
    leaf = tree.leaf_before(offset)
    if column is not None:
        leaf = tree.leaf_before(anchor(tree, offset))
    found: list[Node] = []
    for node in ancestors(leaf):
        if node.type not in wanted:
            continue
        if node.end_byte > byte:
            inside = node.start_byte < byte
        else:
            inside = column is not None and _reaches(tree, node, column)
        if inside:
            found.append(node)
    return found


def enclosing_block(tree: SyntaxTree, offset: int) -> Span | None:
    """Return the innermost block around an offset, with its brackets, or None if it is in none.

    A block that the document does not close ends at the offset.
    """
    whole = repaired(tree, offset)
    blocks = enclosing_nodes(whole.tree, offset, tree.grammar.blocks)
    return whole.original(whole.tree.span(blocks[0])) if blocks else None


def _reaches(tree: SyntaxTree, node: Node, column: int) -> bool:
    """Say whether a blank line's column is that of the inside of a node that ended above."""
    indentation = column_at(tree, tree.start(node))
    if node.type in tree.grammar.blocks:
        return column >= indentation > 0
    return column > indentation


def _within(tree: SyntaxTree, offset: int, kinds: frozenset[str]) -> Node | None:
    """Return the innermost node of these kinds that an offset is inside of, not at an edge."""
    for node in ancestors(tree.leaf_before(offset)):
        if node.type in kinds and tree.start(node) < offset < tree.end(node):
            return node
    return None


def _is_block_comment(tree: SyntaxTree, node: Node) -> bool:
    text = tree.text(node)
    return any(text.startswith(opening) for opening, _ in tree.grammar.spec.lexical.block_comments)


def _between_quotes(tree: SyntaxTree, node: Node, offset: int) -> bool:
    """Say whether an offset is not within the opening or the closing quote themselves."""
    if node.child_count < 2:  # noqa: PLR2004 - an opening and a closing quote
        return True
    first, last = node.children[0], node.children[-1]
    if not first.is_named or first.type.endswith("start"):
        return tree.end(first) <= offset <= tree.start(last)
    return True


def _unclosed_comment(tree: SyntaxTree, offset: int) -> int | None:
    text = tree.source.text
    for opening, closing in tree.grammar.spec.lexical.block_comments:
        at = text.rfind(opening, 0, offset)
        if at >= 0 and text.find(closing, at + len(opening), offset) < 0:
            around = _text_at(tree, at)
            # Some grammars take it for a comment whose end is missing.
            return at if around is None or tree.start(around) == at else None
    return None


def _text_at(tree: SyntaxTree, offset: int) -> Node | None:
    """Return the string or comment that the character after an offset is in."""
    kinds = tree.grammar.strings | tree.grammar.comments
    nodes = ancestors(tree.leaf_after(offset))
    return next((node for node in nodes if node.type in kinds), None)


def _unclosed_string(tree: SyntaxTree, offset: int) -> int | None:
    source = tree.source
    lexical = tree.grammar.spec.lexical
    for quote in lexical.long_quotes:
        at = source.text.rfind(quote, 0, offset)
        if at >= 0 and _opens_nothing(tree, at):
            return at
    start = source.line_start(source.line_at(offset))
    if offset - start > _LONGEST_LINE or not lexical.quotes or not _broken(tree, start, offset):
        return None
    quote = _open_quote(source.text[start:offset], lexical.quotes, lexical.line_comments)
    return None if quote is None else start + quote


def _opens_nothing(tree: SyntaxTree, offset: int) -> bool:
    """Say whether a quote that stands at an offset is in no string and no comment of the tree."""
    leaf = tree.leaf_after(offset)
    return _text_at(tree, offset) is None and any(node.is_error for node in ancestors(leaf))


def _broken(tree: SyntaxTree, start: int, end: int) -> bool:
    """Say whether there is an error between two offsets."""
    first, last = tree.source.byte_offset(start), tree.source.byte_offset(end)
    return error_within(tree.root, first, last)


def error_within(node: Node, first: int, last: int) -> bool:
    """Say whether an error or something missing touches the bytes `[first, last]`."""
    if not node.has_error or node.start_byte > last or node.end_byte < first:
        return False
    if node.is_missing:
        return True
    if node.is_error and node.start_byte < last and node.end_byte > first:
        return True
    return any(error_within(child, first, last) for child in node.children)


def _open_quote(line: str, quotes: tuple[str, ...], comments: tuple[str, ...]) -> int | None:
    """Return where a line's last string begins if it does not end; a backslash escapes."""
    quote, begun = "", 0
    at = 0
    while at < len(line):
        if quote and line[at] == "\\":
            at += 1
        elif quote:
            if line.startswith(quote, at):
                quote = ""
        elif line.startswith(comments, at):
            return None
        else:
            quote = next((each for each in quotes if line.startswith(each, at)), "")
            begun = at
        at += 1
    return begun if quote else None
