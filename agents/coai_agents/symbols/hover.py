"""What the symbol under the cursor is, without a model: signature, documentation, complexity.

Only what is asked about is looked at, never a whole file: finding a definition by its name goes
through the places where the text has that name.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field, TypeAdapter

from coai_agents.source import Span
from coai_agents.syntax.definitions import CLASSES, FUNCTIONS, definitions_around
from coai_agents.syntax.language import GRAMMARS, Kind
from coai_agents.syntax.tree import ancestors
from coai_routing.privacy.secrets import masked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Query

    from coai_agents.source import Source
    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.grammars import Grammar
    from coai_agents.syntax.tree import SyntaxTree

BRANCHES: Final = Path(__file__).with_name("complexity.toml")

MOST_PLACES: Final = 200
"""Places of a name that are looked at."""

_NAME_DEPTH: Final = 6
"""Between a name and what it is the name of there are at most so many nodes."""

SIGNATURE_LINES: Final = 12

DOCUMENTATION_LINES: Final = 6
"""Of the first paragraph."""

_Branches = TypeAdapter(dict[str, Annotated[list[str], Field(min_length=1)]])

_MARKS: Final = re.compile(r"^\s*(?:///?|//!|\*(?!/)|#+|--)?\s?")

_QUOTES: Final = re.compile(r"^[rRbBuU]*(\"\"\"|'''|\"|')|(\"\"\"|'''|\"|')$")


@dataclass(frozen=True, slots=True)
class Symbol:
    """What a file says of one of its names."""

    kind: Kind
    name: str
    """With what it is defined in."""
    where: Span
    """The name under the cursor."""
    whole: Span
    """All of the definition."""
    signature: str
    documentation: str
    """Its first paragraph, as it stands."""
    complexity: int | None
    """Cyclomatic; of a class, that of its most complex method. None for what has no code."""
    others: int
    """So many more definitions of this name there are."""


def symbol_at(tree: SyntaxTree, offset: int) -> Symbol | None:
    """Return the symbol under the cursor, if this file defines it."""
    leaf = tree.leaf_after(offset)
    identifiers = tree.grammar.spec.nodes.identifiers
    if leaf.type not in identifiers and offset > 0:
        before = tree.leaf_before(offset)
        leaf = before if before.type in identifiers else leaf
    where = tree.span(leaf)
    around = definitions_around(tree, where.start)
    if leaf.type not in identifiers:
        # On `def` or a bracket of the signature: the innermost definition is meant.
        named = [
            each
            for each in around
            if each.name and each.body is not None and each.signature.contains(offset)
        ]
        return _symbol(tree, named[-1], where, 0) if named else None
    name = tree.text(leaf)
    here = [each for each in around if each.name == name and each.signature.covers(where)]
    if here:
        return _symbol(tree, here[-1], where, 0)
    found = _defining(tree, name)
    return _symbol(tree, found[0], where, len(found) - 1) if found else None


def _defining(tree: SyntaxTree, name: str) -> list[Definition]:
    """Return the definitions of a name, in the order of the text."""
    found: dict[Span, Definition] = {}
    for place in islice(_places(tree.source.text, name), MOST_PLACES):
        if not _is_name(tree, place):
            continue
        span = Span(place, place + len(name))
        for each in definitions_around(tree, place):
            if each.name == name and each.signature.covers(span):
                found.setdefault(each.span, each)
    return list(found.values())


def _places(text: str, name: str) -> Iterator[int]:
    """Yield where a name stands as a word; an expression would take ten times as long."""
    place = text.find(name)
    while place >= 0:
        end = place + len(name)
        before, after = text[place - 1 : place], text[end : end + 1]
        if not (before.isalnum() or before == "_" or after.isalnum() or after == "_"):
            yield place
        place = text.find(name, end)


def _is_name(tree: SyntaxTree, offset: int) -> bool:
    """Say whether a word may be the name of what a node right above it defines; quick."""
    leaf = tree.leaf_after(offset)
    for _, node in zip(range(_NAME_DEPTH), ancestors(leaf), strict=False):
        rule = tree.grammar.definitions.get(node.type)
        if rule is None or not rule.name:
            continue
        field = rule.name[0].rstrip("?*")
        inside = node.named_child(0) if field == "0" else node.child_by_field_name(field)
        if inside is None:
            inside = node
        if inside.start_byte <= leaf.start_byte < inside.end_byte:
            return True
    return False


def _symbol(tree: SyntaxTree, found: Definition, where: Span, others: int) -> Symbol:
    return Symbol(
        kind=found.kind,
        name=found.qualified_name,
        where=where,
        whole=found.full_span,
        signature=_signature(_shown(tree.source, found.signature)),
        documentation=(
            "" if found.documentation is None else _first(_shown(tree.source, found.documentation))
        ),
        complexity=complexity(tree, found),
        others=others,
    )


def _shown(source: Source, span: Span) -> str:
    return masked(source.text, span.start, span.end)


def _signature(text: str) -> str:
    lines = [line.rstrip() for line in text.strip().split("\n")]
    margin = min((len(x) - len(x.lstrip()) for x in lines[1:] if x.strip()), default=0)
    lines = [lines[0], *(line[margin:] if line.strip() else "" for line in lines[1:])]
    if len(lines) > SIGNATURE_LINES:
        lines = [*lines[:SIGNATURE_LINES], "…"]
    return "\n".join(lines).rstrip(" {:")


def _first(text: str) -> str:
    """Return the first paragraph of documentation, without quotes and comments' marks."""
    bare = _QUOTES.sub("", text.strip()).strip()
    bare = re.sub(r"^/\*+!?|\*+/$", "", bare).strip()
    lines: list[str] = []
    for line in bare.split("\n"):
        plain = _MARKS.sub("", line).strip()
        if not plain and lines:
            break
        if plain:
            lines.append(plain)
    if len(lines) > DOCUMENTATION_LINES:
        lines = [*lines[:DOCUMENTATION_LINES], "…"]
    return "\n".join(lines)


@cache
def _queries(grammar: Grammar) -> tuple[Query, Query] | None:
    """Return the queries of branches and of functions; None where nothing is known of branches."""
    from tree_sitter import Query  # noqa: PLC0415 - native code, loaded on first use

    name = grammar.spec.file.removesuffix(".toml")
    branches = branch_patterns().get(name)
    if branches is None:
        return None
    kinds = [kind for kind, rule in grammar.definitions.items() if rule.kind is Kind.FUNCTION]
    functions = "\n".join(f"({kind}) @function" for kind in kinds)
    branch = "\n".join(f"{pattern} @branch" for pattern in branches)
    return Query(grammar.language, branch), Query(grammar.language, functions)


@cache
def branch_patterns() -> dict[str, list[str]]:
    """Return the patterns of `complexity.toml`, by grammar."""
    return _Branches.validate_python(tomllib.loads(BRANCHES.read_text("utf-8")))


def complexity(tree: SyntaxTree, found: Definition) -> int | None:
    """Return a function's cyclomatic complexity without that of functions in it; see `Symbol`."""
    from tree_sitter import QueryCursor  # noqa: PLC0415 - native code, loaded on first use

    queries = _queries(tree.grammar) if tree.source.language in GRAMMARS else None
    if queries is None or found.kind not in FUNCTIONS | CLASSES or found.body is None:
        return None
    start, end = (tree.source.byte_offset(at) for at in (found.span.start, found.span.end))
    node = tree.root.descendant_for_byte_range(start, max(start, end - 1))
    if node is None:
        return None

    def spans(query: Query, capture: str) -> list[tuple[int, int]]:
        nodes = QueryCursor(query).captures(node).get(capture, [])
        return [(n.start_byte, n.end_byte) for n in nodes if start <= n.start_byte < end]

    inner = spans(queries[1], "function")
    if found.kind in FUNCTIONS:
        inner = [each for each in inner if each[0] > start and each[1] <= end]
    forks = [0] * (len(inner) + 1)
    for at, _ in spans(queries[0], "branch"):
        around = [i for i, each in enumerate(inner) if each[0] <= at < each[1]]
        # The innermost function is the one that a branch belongs to.
        owner = min(around, key=lambda i: inner[i][1] - inner[i][0]) if around else len(inner)
        forks[owner] += 1
    if found.kind in FUNCTIONS:
        return 1 + forks[-1]
    return 1 + max(forks[:-1]) if inner else None
