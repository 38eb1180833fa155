"""The functions that answer requests: their names, their words, what they say a request has."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.documentation.comment import DocComment
from coai_agents.specialists.documentation.reading import read
from coai_agents.specialists.documentation.signature import signature_of
from coai_agents.specialists.documents.routes import Body, RouteParameter
from coai_agents.specialists.documents.schemas import is_plain, schema_of, unannotated
from coai_agents.syntax.definitions import FUNCTIONS, outline
from coai_agents.syntax.tree import ancestors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tree_sitter import Node

    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree

_ELSEWHERE: Final = re.compile(r"\b(?:Depends|Security|Header|Cookie|Form|File)\b\s*(?:\(|$)")
"""FastAPI's marks of what stands neither in the path nor in the query nor in a JSON body."""

MOST_CHAINED: Final = 32
"""Nodes between a call and its statement that are looked at; each costs more than the last."""

_CONTEXT: Final = frozenset(
    {"Request", "Response", "BackgroundTasks", "WebSocket", "HTTPConnection", "SecurityScopes"}
)


@dataclass(frozen=True, slots=True)
class Handler:
    """A function that answers a request."""

    name: str = ""
    comment: DocComment = field(default_factory=DocComment)
    definition: Definition | None = None


class Handlers:
    """The functions of a file."""

    def __init__(self, tree: SyntaxTree) -> None:
        self.tree = tree
        self._functions = [each for each in outline(tree) if each.kind in FUNCTIONS]
        self._starts = [each.span.start for each in self._functions]

    def around(self, node: Node) -> Handler:
        """Return the innermost function that a node, a decorator for example, belongs to."""
        span = self.tree.span(node)
        before = self._functions[: bisect_right(self._starts, span.start)]
        return self._read(next((x for x in reversed(before) if x.span.covers(span)), None))

    def given(self, call: Node, argument: Node) -> Handler:
        """Return a handler that is an argument: a name, or a function that stands there."""
        own = argument.child_by_field_name("name")  # of a function that stands there
        name = self.tree.text(own or argument).rpartition(".")[2]
        if not re.fullmatch(r"\w+", name):
            name = ""
        named = next((each for each in self._functions if name and each.name == name), None)
        handler = replace(self._read(named), name=name)
        above = self._above(call)
        return handler if above is None else replace(handler, comment=above)

    def _read(self, definition: Definition | None) -> Handler:
        if definition is None:
            return Handler()
        span = definition.documentation
        comment = DocComment() if span is None else read(self.tree.source.slice(span))
        return Handler(definition.name, comment, definition)

    def _above(self, call: Node) -> DocComment | None:
        """Return the documentation comment right above a statement."""
        around = islice(ancestors(call), MOST_CHAINED)
        statement = next((x for x in around if x.type == "expression_statement"), None)
        before = None if statement is None else statement.prev_named_sibling
        if before is None or statement is None or before.type not in self.tree.grammar.comments:
            return None
        text = self.tree.text(before)
        touches = statement.start_point[0] - before.end_point[0] <= 1
        return read(text) if touches and text.startswith("/**") else None


def declared(
    tree: SyntaxTree, handler: Handler, parameters: Iterable[RouteParameter]
) -> tuple[tuple[RouteParameter, ...], Body | None]:
    """Return what a handler's declared parameters say of a request, as FastAPI reads them.

    https://fastapi.tiangolo.com/tutorial/body/#request-body-path-query-parameters: of the path by
    its name, of the query if its type is plain, of the body if it is a model.
    """
    signature = None if handler.definition is None else signature_of(tree, handler.definition)
    found = {each.name: each for each in parameters}
    body: Body | None = None
    for each in () if signature is None else signature.parameters:
        kind, marks = unannotated(each.type)
        if each.rest or _ELSEWHERE.search(each.default) or _ELSEWHERE.search(marks):
            continue
        required = each.default in {"", "..."} or bool(re.match(r"[\w.]+\(\s*\.\.\.", each.default))
        if each.name in found:
            if kind:
                found[each.name] = replace(found[each.name], schema=schema_of(kind, "python"))
        elif is_plain(kind, "python") and not re.match(r"(?:\w+\.)?Body\b", each.default):
            schema = schema_of(kind, "python")
            found[each.name] = RouteParameter(each.name, schema, "query", required)
        elif kind and kind.rpartition(".")[2] not in _CONTEXT and body is None:
            body = Body(kind, "python", required)
    return tuple(found.values()), body
