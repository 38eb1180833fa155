"""The places of one file that a pattern's change belongs in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.changes.binding import bindings, bound_in, words
from coai_agents.changes.code import Code, function_around, import_around, is_member
from coai_agents.changes.patterns import AddArgument, Bound, Kind, Name, Slot, match
from coai_agents.changes.rewriting import rewritten
from coai_agents.source import Edit, Span
from coai_agents.syntax.tree import ancestors, broken_places, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tree_sitter import Node

    from coai_agents.changes.patterns import Pattern
    from coai_agents.changes.rewriting import Replaced
    from coai_agents.source import Source
    from coai_agents.syntax.tree import SyntaxTree

HIGHEST: Final = 8
"""Nodes above a word that may be what a pattern is about."""

MOST: Final = 200
"""Places in one file; who has more is served better by a search and replace."""


ONE_BY_ONE: Final = 20
"""So many places are tried alone where they do not hold together."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a change belongs, and what is to stand there."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Origin:
    """The file that was edited, for whoever looks at another one."""

    stem: str = ""
    """Its name without a suffix, as imports write it; empty in the file itself."""


HERE: Final = Origin()


def places(
    pattern: Pattern, tree: SyntaxTree, origin: Origin = HERE, within: Span | None = None
) -> list[Place]:
    """Return the places of a file, or of a part, that a change belongs in, in the text's order.

    Each of them parses, and the file parses no worse with all of them changed.
    """
    source = tree.source
    if source.language != pattern.language or any(key not in source.text for key in pattern.keys):
        return []
    code = Code(tree)
    found: dict[Span, Place] = {}
    if not _is_unbound(pattern, code, origin):
        return []
    for start, end, text in _replaced(pattern, code, within):
        span = code.span(start, end)
        if pattern.kind is Kind.ARGUMENTS_CHANGED and _line(span, source) == pattern.done:
            continue
        found.setdefault(span, Place(span, text))
        if len(found) == MOST:
            break
    return holding(tree, sorted(found.values()))


def _line(span: Span, source: Source) -> str:
    return source.line_text(source.line_at(span.start)).strip()


def holding(tree: SyntaxTree, found: Sequence[Place]) -> list[Place]:
    """Return those of some places that can be changed without the file parsing worse."""
    apart = _apart(found)
    if not apart or _parses(tree, apart):
        return apart
    return [place for place in apart if _parses(tree, [place])] if len(apart) <= ONE_BY_ONE else []


def _apart(found: Iterable[Place]) -> list[Place]:
    """Return places in order without those that reach into the one before."""
    apart: list[Place] = []
    for place in found:
        if not apart or place.span.start >= apart[-1].span.end:
            apart.append(place)
    return apart


def changed(source: Source, found: Sequence[Place]) -> Source:
    """Return a document after changes in some places that do not touch each other."""
    for place in reversed(found):
        source = source.apply(Edit(place.span, place.text))
    return source


def _parses(tree: SyntaxTree, found: Sequence[Place]) -> bool:
    after = parse(changed(tree.source, found), tree)
    return after is not None and broken_places(after) <= broken_places(tree)


def _replaced(pattern: Pattern, code: Code, within: Span | None) -> Iterable[Replaced]:
    source = code.tree.source
    start = 0 if within is None else source.byte_offset(within.start)
    end = None if within is None else source.byte_offset(within.end)
    for leaf in words(code, pattern.keys[0], start, end):
        for number, node in enumerate(ancestors(leaf)):
            if number > HIGHEST:
                break
            bound = None if node.has_error else match(pattern.root, node, code, Bound())
            if bound is None:
                continue
            there = rewritten(pattern.rewrite, bound, code)
            if there is not None and _belongs(pattern, node, there, code):
                yield there
            break


def _belongs(pattern: Pattern, node: Node, there: Replaced, code: Code) -> bool:
    start, end, text = there
    if code.bytes[start:end] == text.encode() or _is_done(there, code):
        return False
    function = function_around(node, code)
    if pattern.scope and not _is_in(node, pattern.scope, code):
        return False
    if isinstance(pattern.root, Slot) and isinstance(pattern.root.old[0], Name):
        name = pattern.root.old[0]
        if name.member and not _of_itself(node):
            return False
    for name in pattern.needs:
        if name in pattern.local:
            if function is None or not bound_in(code, function, name):
                return False
        elif not bound_in(code, code.tree.root, name):
            return False
    return not (isinstance(pattern.rewrite, AddArgument) and _is_definition(node, code))


def _is_done(there: Replaced, code: Code) -> bool:
    """Say whether what would be written is around the place already."""
    start, end, text = there
    new = text.encode()
    old = code.bytes[start:end]
    at = new.find(old) if old else -1
    return at >= 0 and len(new) > len(old) and code.bytes[start - at : start - at + len(new)] == new


def _of_itself(node: Node) -> bool:
    """Say whether a member is one of the object itself."""
    dot = node.prev_sibling
    before = None if dot is None else dot.prev_sibling
    return before is not None and before.text in (b"self", b"this", b"cls")


def _is_in(node: Node, scope: str, code: Code) -> bool:
    for each in ancestors(node):
        name = each.child_by_field_name("name")
        named = name is not None and code.text(name) == scope
        if named and each.child_by_field_name("parameters") is not None:
            return True
    return False


def _is_definition(node: Node, code: Code) -> bool:
    return node.type in code.tree.grammar.definitions


def _is_unbound(pattern: Pattern, code: Code, origin: Origin) -> bool:
    """Say whether a name that was renamed has its meaning from the renamed place only."""
    if not pattern.unbound:
        return True
    scope = _scopes(pattern.scope, code)
    for within in scope:
        for node in bindings(code, within, pattern.unbound):
            around = import_around(node)
            if not origin.stem or around is None or origin.stem not in code.text(around):
                return False
    if not origin.stem:
        return True
    # Another file means the renamed thing only where it imports it.
    return not pattern.scope and any(
        not is_member(node) and import_around(node) is not None
        for node in words(code, pattern.unbound)
    )


def _scopes(scope: str, code: Code) -> list[Node]:
    if not scope:
        return [code.tree.root]
    found: list[Node] = []
    for node in words(code, scope):
        above = node.parent
        if above is not None and above.child_by_field_name("name") == node:
            found.append(above)
    return found
