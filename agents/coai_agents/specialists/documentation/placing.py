"""Where a documentation comment goes, in each language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.source import Edit, Span
from coai_agents.specialists.documentation.writing import written

if TYPE_CHECKING:
    from coai_agents.source import Source
    from coai_agents.specialists.documentation.comment import DocComment
    from coai_agents.specialists.documentation.convention import Convention
    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree


def placed(
    tree: SyntaxTree, definition: Definition, comment: DocComment, convention: Convention
) -> Edit | None:
    """Return the edit that puts a comment where its language has it; None where it cannot be."""
    source = tree.source
    if tree.grammar.spec.lexical.docstrings:
        return _as_docstring(source, definition, comment, convention)
    start = definition.span.start
    if definition.documentation is not None:
        span = definition.documentation
        indent = _indent(source, span.start)
        text = written(comment, convention, indent=indent, name=definition.name)
        return Edit(span, text[len(indent) :].replace("\n", _line_end(source)))
    line = source.line_at(start)
    if source.text[source.line_start(line) : start].strip():
        return None  # something else stands before it on its line
    while line and source.slice(_line(source, line - 1)).lstrip().startswith("#["):
        line -= 1  # Rust's attributes
    at = source.line_start(line)
    indent = _indent(source, at)
    text = written(comment, convention, indent=indent, name=definition.name)
    return Edit(Span(at, at), f"{text}\n".replace("\n", _line_end(source)))


def _as_docstring(
    source: Source, definition: Definition, comment: DocComment, convention: Convention
) -> Edit | None:
    if definition.body is None:
        return None
    end = _line_end(source)
    if definition.documentation is not None:
        span = definition.documentation
        indent = _indent(source, span.start)
        text = written(comment, convention, indent=indent)
        return Edit(span, text[len(indent) :].replace("\n", end))
    body = definition.body.start
    indent = _indent(source, body)
    head = source.text[source.line_start(source.line_at(body)) : body]
    if head.strip():  # the body stands on the signature's line
        unit = "\t" if indent.startswith("\t") else "    "
        indent = f"{_indent(source, definition.span.start)}{unit}"
        text = written(comment, convention, indent=indent)
        before = body - (len(head) - len(head.rstrip(" \t")))
        return Edit(Span(before, body), f"\n{text}\n{indent}".replace("\n", end))
    text = written(comment, convention, indent=indent)
    return Edit(Span(body, body), f"{text[len(indent) :]}\n{indent}".replace("\n", end))


def _line(source: Source, line: int) -> Span:
    return Span(source.line_start(line), source.line_end(line))


def _indent(source: Source, offset: int) -> str:
    line = source.slice(_line(source, source.line_at(offset)))
    return line[: len(line) - len(line.lstrip(" \t"))]


def _line_end(source: Source) -> str:
    first = source.line_end(0)
    return "\r\n" if source.text.startswith("\r\n", first) else "\n"
