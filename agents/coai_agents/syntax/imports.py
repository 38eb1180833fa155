"""What a file imports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coai_agents.syntax.grammars import import_query

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.source import Span
    from coai_agents.syntax.tree import SyntaxTree


@dataclass(frozen=True, slots=True)
class Import:
    """One name that a file imports, or one module."""

    module: str
    """The module, as the file writes it, without quotes."""
    name: str | None
    """What is imported from it: a name, `*` for everything, None for the module itself."""
    alias: str | None
    """What the file calls it, where that is something else."""
    span: Span
    """The whole statement."""
    lines: tuple[int, int]
    """The statement's first and last line."""

    @property
    def local_name(self) -> str:
        """What the file calls it."""
        return self.alias or self.name or self.module


def imports(tree: SyntaxTree) -> tuple[Import, ...]:
    """Return what a file imports, in the order of the text.

    Raises LanguageFileError if the language's query is wrong, which a test of COAI's rules out.
    """
    from tree_sitter import QueryCursor  # noqa: PLC0415 - native code, loaded on first use

    cursor = QueryCursor(import_query(tree.grammar))
    found: dict[tuple[int, ...], Import] = {}
    for _, captures in cursor.matches(tree.root):
        each = _import(tree, captures)
        if each is not None:
            parts = ("import", "module", "name", "alias")
            place = tuple(
                captures[part][-1].start_byte if part in captures else -1 for part in parts
            )
            found.setdefault(place, each)
    return tuple(found[place] for place in sorted(found))


def _import(tree: SyntaxTree, captures: dict[str, list[Node]]) -> Import | None:
    rules = tree.grammar.spec.imports
    call = captures.get("call")
    if call and tree.text(call[0]) not in rules.calls:
        return None
    modules = sorted(captures.get("module", []), key=lambda node: node.start_byte)
    name = _text(tree, captures, "name")
    if name == rules.itself:
        name = None
    elif "star" in captures:
        name = "*"
    span = tree.span(captures["import"][0])
    return Import(
        module=rules.separator.join(tree.text(node).strip("<>\"'") for node in modules),
        name=name,
        alias=_text(tree, captures, "alias"),
        span=span,
        lines=(tree.source.line_at(span.start), tree.source.line_at(span.end)),
    )


def _text(tree: SyntaxTree, captures: dict[str, list[Node]], name: str) -> str | None:
    nodes = captures.get(name)
    return tree.text(nodes[0]) if nodes else None
