"""What code defines, and where a name is used: from the syntax trees, not from the text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.syntax.definitions import outline
from coai_agents.syntax.tree import parse
from coai_agents.tools.errors import ToolError
from coai_agents.tools.looking import LINE_CHARACTERS, named_files
from coai_agents.tools.tool import MOST_FOUND, PLACE, Tool, fields, text_of
from coai_agents.workflows.definition.known import Signature
from coai_agents.workflows.definition.types import TEXT, Json, Type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coai_agents.source import Span
    from coai_agents.syntax.tree import SyntaxTree
    from coai_agents.tools.tool import Bench, Given

SYMBOL: Final = fields(**PLACE, kind=TEXT, name=TEXT, signature=TEXT)
REFERENCE: Final = fields(**PLACE, kind=TEXT, text=TEXT)


def _symbols(given: Given, bench: Bench) -> list[Json]:
    """Return what a file or a folder defines, or only what has a name."""
    wanted = text_of(given, "name")
    found: list[Json] = []
    for name, tree in _trees(given, bench, wanted):
        here = [
            each
            for each in outline(tree)
            if not wanted or wanted in (each.name, each.qualified_name)
        ]
        if here:
            bench.folder.seen.add(name)
        found += [
            {
                "path": name,
                "line": tree.source.line_at(each.span.start) + 1,
                "kind": each.kind.value,
                "name": each.qualified_name,
                "signature": _line(tree, each.signature),
            }
            for each in here
        ]
        if len(found) >= MOST_FOUND:
            break
    return found[:MOST_FOUND]


def _references(given: Given, bench: Bench) -> list[Json]:
    """Return where a name stands in code; not where a comment or a string has it."""
    wanted = text_of(given, "name").rpartition(".")[2]
    if not wanted:
        raise ToolError("name has to be the name of something in the code.")
    found: list[Json] = []
    for name, tree in _trees(given, bench, wanted):
        defined = {
            tree.source.line_at(each.span.start) for each in outline(tree) if each.name == wanted
        }
        lines = dict.fromkeys(_lines_with(tree, wanted))
        if lines:
            bench.folder.seen.add(name)
        found += [
            {
                "path": name,
                "line": line + 1,
                "kind": "definition" if line in defined else "use",
                "text": tree.source.line_text(line).strip()[:LINE_CHARACTERS],
            }
            for line in lines
        ]
        if len(found) >= MOST_FOUND:
            break
    return found[:MOST_FOUND]


def _trees(given: Given, bench: Bench, wanted: str) -> Iterator[tuple[str, SyntaxTree]]:
    """Yield the files that a grammar knows and that hold a name, parsed."""
    last = wanted.rpartition(".")[2]
    names = named_files(bench.folder, text_of(given, "path"))
    for name in names:
        try:
            source = bench.folder.shown(name)
        except ToolError:
            if len(names) == 1:
                raise
            continue
        if last in source.text and (tree := parse(source)) is not None:
            yield name, tree


def _lines_with(tree: SyntaxTree, wanted: str) -> Iterator[int]:
    """Yield the lines, from 0, on which an identifier is this name."""
    from tree_sitter import QueryCursor  # noqa: PLC0415 - native code, loaded on first use

    captures = QueryCursor(tree.grammar.identifier_query).captures(tree.root)
    starts = sorted(
        tree.start(node)
        for node in captures.get("identifier", [])
        if _text(tree, tree.start(node), tree.end(node)) == wanted
    )
    yield from (tree.source.line_at(start) for start in starts)


def _line(tree: SyntaxTree, span: Span) -> str:
    return " ".join(_text(tree, span.start, span.end).split())[:LINE_CHARACTERS]


def _text(tree: SyntaxTree, start: int, end: int) -> str:
    return tree.source.text[start:end]


CODE: Final[Mapping[str, Tool]] = {
    "symbols": Tool(
        Signature(
            {"path": TEXT, "name": TEXT},
            Type("list", item=SYMBOL),
            (),
            "reads",
            "what a file or a folder defines",
        ),
        _symbols,
    ),
    "references": Tool(
        Signature(
            {"name": TEXT, "path": TEXT},
            Type("list", item=REFERENCE),
            ("name",),
            "reads",
            "where a name stands in code",
        ),
        _references,
    ),
}
