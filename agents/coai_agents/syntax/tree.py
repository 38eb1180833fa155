"""Parsing a snapshot, wholly or by what changed since an earlier one.

tree-sitter counts bytes of UTF-8; `SyntaxTree` turns them into the snapshot's offsets. Where a text
has errors, the tree of an incremental parse may recover from them in another way than that of a
fresh one (the order of the edits matters to tree-sitter); where it has none, both are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Final

from coai_agents.source import Span, merge
from coai_agents.syntax.grammars import grammar_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node, Point, Tree

    from coai_agents.source import Source
    from coai_agents.syntax.grammars import Grammar

MAX_BYTES: Final = 1_000_000
"""Longer texts are not parsed: 1 MB takes some 0.2 s, and nobody writes such a file by hand."""

BUDGET: Final = 0.1
"""Seconds after which a parse is given up: ten times what 2,000 lines take."""

_BLOCK: Final = 16_384
"""Bytes handed to the parser at a time."""

_AS_LETTERS: Final = bytes(range(128)) + b"x" * 128
"""A table for `bytes.translate`: every byte that is not ASCII reads as a letter."""


@dataclass(frozen=True, slots=True, eq=False)
class SyntaxTree:
    """The parse of one snapshot. It does not change, and may be read from any thread."""

    source: Source
    grammar: Grammar
    tree: Tree

    @property
    def root(self) -> Node:
        """The node of the whole text."""
        return self.tree.root_node

    @property
    def has_error(self) -> bool:
        """Whether any of the text could not be parsed."""
        return self.tree.root_node.has_error

    def start(self, node: Node) -> int:
        """Return the offset at which a node starts."""
        return self.source.offset_of_byte(node.start_byte)

    def end(self, node: Node) -> int:
        r"""Return the offset at which a node's text ends.

        Some grammars count the line end into a comment or a directive; it is left out.
        """
        end = self.source.offset_of_byte(node.end_byte)
        text = self.source.text
        if end and text[end - 1] in "\r\n":
            start = self.start(node)
            end = start + len(text[start:end].rstrip("\r\n"))
        return end

    def span(self, node: Node) -> Span:
        """Return a node's span, without a line end that it ends with."""
        return Span(self.start(node), self.end(node))

    def text(self, node: Node) -> str:
        """Return a node's text."""
        return self.source.text[self.start(node) : self.end(node)]

    def leaf_before(self, offset: int) -> Node:
        """Return the smallest node that holds the character before an offset."""
        byte = self.source.byte_offset(offset)
        return self.root.descendant_for_byte_range(max(0, byte - 1), byte) or self.root

    def leaf_after(self, offset: int) -> Node:
        """Return the smallest node that holds the character after an offset."""
        byte = self.source.byte_offset(offset)
        return self.root.descendant_for_byte_range(byte, byte + 1) or self.root

    def sexp(self) -> str:
        """Return the tree as an S-expression, for tests and for finding faults."""
        return str(self.root)


def ancestors(node: Node) -> Iterator[Node]:
    """Yield a node and all that it is in, from the inside out."""
    above: Node | None = node
    while above is not None:
        yield above
        above = above.parent


def broken_places(tree: SyntaxTree) -> int:
    """Return how many places of a tree could not be parsed."""
    if not tree.has_error:
        return 0
    count = 0
    waiting = [tree.root]
    while waiting:
        node = waiting.pop()
        count += node.is_error or node.is_missing
        waiting.extend(child for child in node.children if child.has_error)
    return count


def parse(
    source: Source, previous: SyntaxTree | None = None, *, budget: float = BUDGET
) -> SyntaxTree | None:
    """Parse a snapshot; what is unchanged since `previous` is taken from there.

    None if its language has no grammar, it is longer than MAX_BYTES, or parsing would take longer
    than `budget` seconds.
    """
    if previous is not None and previous.source is source:
        return previous
    grammar = grammar_for(source.language)
    if grammar is None or len(source.text) > MAX_BYTES:
        return None
    encoded = source.text.encode()
    if len(encoded) > MAX_BYTES:
        return None
    if grammar.spec.grammar.ascii_only:
        encoded = encoded.translate(_AS_LETTERS)
    old = None if previous is None else _edited(previous, source, encoded)
    tree, _ = _parse(grammar, encoded, old, budget)
    return None if tree is None else SyntaxTree(source, grammar, tree)


def parse_beginning(
    source: Source, *, most: int, budget: float, patience: float
) -> tuple[SyntaxTree, int] | None:
    """Parse as much of a snapshot's beginning as there is time for; return that and its bytes.

    No more than `most` bytes are parsed. After `budget` seconds the text ends for the parser, which
    then has `patience` seconds to find its way out. None if its language has no grammar, or that is
    not enough: it may be in the middle of a bracket that never closes.
    """
    grammar = grammar_for(source.language)
    if grammar is None:
        return None
    encoded = source.text[:most].encode()[:most]
    if grammar.spec.grammar.ascii_only:
        encoded = encoded.translate(_AS_LETTERS)
    tree, end = _parse(grammar, encoded, None, budget + patience, give=budget)
    return None if tree is None else (SyntaxTree(source, grammar, tree), end)


def _parse(
    grammar: Grammar, encoded: bytes, old: Tree | None, budget: float, *, give: float = inf
) -> tuple[Tree | None, int]:
    """Return the tree, and how many bytes of the text were given to the parser."""
    from tree_sitter import Parser  # noqa: PLC0415 - native code, loaded on first use

    started = perf_counter()
    deadline, last_look = started + budget, started + give
    late = False
    end, given = len(encoded), 0

    def read(byte: int, _point: Point) -> bytes:
        nonlocal end, given
        if byte >= given and perf_counter() > last_look:
            end = min(end, given)
        given = min(end, max(given, byte + _BLOCK))
        return encoded[byte : min(end, byte + _BLOCK)]

    def stop(_byte: int, _has_error: bool) -> bool:  # noqa: FBT001 - the parser's signature
        nonlocal late
        late = perf_counter() > deadline
        return late

    # A parser keeps what it did when it is stopped; a new one costs a microsecond.
    parser = Parser(grammar.language)
    try:
        if old is None:
            return parser.parse(read, progress_callback=stop), end
        return parser.parse(read, old, progress_callback=stop), end
    except ValueError:
        if late:
            return None, 0
        raise


def _edited(previous: SyntaxTree, source: Source, encoded: bytes) -> Tree | None:
    """Return the previous tree moved to where its text is now, or None if that is not known."""
    if previous.source.language != source.language:
        return None
    edits = source.edits_since(previous.source)
    if edits is None:
        return None
    tree = previous.tree.copy()
    edit = merge(edits)
    before = previous.source.text.encode()
    start = source.byte_offset(edit.start)
    old_end = previous.source.byte_offset(edit.old_end)
    new_end = source.byte_offset(edit.new_end)
    tree.edit(
        start,
        old_end,
        new_end,
        _point(encoded, start),
        _point(before, old_end),
        _point(encoded, new_end),
    )
    return tree


def _point(encoded: bytes, byte: int) -> tuple[int, int]:
    r"""Return a byte's row and column as tree-sitter counts: only `\n` ends a row."""
    row = encoded.count(b"\n", 0, byte)
    return row, byte - (encoded.rfind(b"\n", 0, byte) + 1)
