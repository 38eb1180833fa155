"""What can be said of a function, class or lines without a model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.answers import Origin, Place, Section, Statement
from coai_agents.specialists.documentation.reading import read
from coai_agents.specialists.documentation.signature import signature_of
from coai_agents.symbols.hover import complexity
from coai_agents.syntax.definitions import CLASSES, FUNCTIONS, outline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.source import Source, Span
    from coai_agents.specialists.documentation.signature import Signature
    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree

_MOST_NAMES: Final = 8
_WORD: Final = re.compile(r"[^\W\d]\w*")


def facts_of(
    tree: SyntaxTree, definition: Definition, findings: Sequence[Finding], path: str
) -> Section:
    """Return what the tree and the static findings say of a definition."""
    source = tree.source
    where = place_of(source, definition.span, path)
    texts = list(_texts(tree, definition))
    statements = [Statement(text, Origin.FACT, "syntax tree", (where,)) for text in texts]
    statements += [
        Statement(
            f"{finding.severity.value.capitalize()}: {finding.message}",
            Origin.FACT,
            finding.rule,
            (place_of(source, finding.span, path),),
        )
        for finding in findings
        if definition.span.covers(finding.span)
    ]
    return Section(f"{definition.kind.value} {definition.qualified_name}", tuple(statements))


def place_of(source: Source, span: Span, path: str) -> Place:
    """Return the lines of a span."""
    last = source.line_at(max(span.start, span.end - 1))
    return Place(path, source.line_at(span.start) + 1, last + 1)


def _texts(tree: SyntaxTree, definition: Definition) -> Iterator[str]:
    known = outline(tree)
    if definition.documentation is not None:
        summary = read(tree.source.slice(definition.documentation)).summary
        if summary:
            yield f"Its documentation says: {summary}"
    if definition.kind in FUNCTIONS:
        signature = signature_of(tree, definition)
        if signature is not None:
            yield from _signature(signature)
        much = complexity(tree, definition)
        if much is not None:
            ways = "is one way" if much == 1 else f"are {much} ways"
            yield f"There {ways} through it (cyclomatic complexity)."
    elif definition.kind in CLASSES:
        inner = [
            each.name
            for each in known
            if each.span != definition.span and definition.span.covers(each.span) and each.name
        ]
        if inner:
            yield f"It defines {_listed(inner)}."
    body = _words(tree, definition.span) - {definition.name}
    called = [
        each
        for each in known
        if each.kind in FUNCTIONS | CLASSES and each.name in body and not _overlap(each, definition)
    ]
    if called:
        yield f"It uses {_listed([each.qualified_name for each in called])} of this file."
    users = [
        each.qualified_name
        for each in known
        if each.kind in FUNCTIONS
        and not _overlap(each, definition)
        and definition.name in _words(tree, each.span)
    ]
    if users:
        yield f"It is used by {_listed(users)} in this file."


def _signature(signature: Signature) -> Iterator[str]:
    if signature.names:
        yield f"It takes {_listed(signature.names)}."
    if signature.yields:
        yield "It yields values one by one."
    elif signature.returns is None:
        yield "It returns nothing."
    elif signature.returns:
        yield f"It returns `{signature.returns}`."
    if signature.raises:
        yield f"It raises {_listed(signature.raises)} itself."


def _listed(names: Sequence[str]) -> str:
    shown = [f"`{name}`" for name in dict.fromkeys(names)]
    more = len(shown) - _MOST_NAMES
    if more > 0:
        return f"{', '.join(shown[:_MOST_NAMES])} and {more} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _words(tree: SyntaxTree, span: Span) -> set[str]:
    return set(_WORD.findall(tree.source.slice(span)))


def _overlap(one: Definition, other: Definition) -> bool:
    return one.span.covers(other.span) or other.span.covers(one.span)
