"""Routes of Laravel: calls at the facade `Route`, in groups."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.documents.handlers import Handler
from coai_agents.specialists.documents.paths import joined
from coai_agents.specialists.documents.routes import ANY
from coai_agents.specialists.documents.tables.reader import MOST_DEPTH, RESTS, framework_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.specialists.documents.routes import Route
    from coai_agents.specialists.documents.tables.reader import Reader
    from coai_agents.syntax.tree import SyntaxTree


def laravel_routes(reader: Reader) -> Iterator[Route]:
    """Yield what is registered at the facade `Route`."""
    if "Route::" not in reader.tree.source.text:
        return
    yield from _below(reader, reader.tree.root, "")


def _below(reader: Reader, root: Node, prefix: str, depth: int = 0) -> Iterator[Route]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        chain = _php_chain(reader.tree, node)
        if chain is None or depth > MOST_DEPTH:
            waiting.extend(reversed(node.named_children))
            continue
        inner = prefix
        for name, arguments in chain:
            if name == "prefix":
                inner = joined(inner, reader.text(arguments[0]) or "") if arguments else inner
        routed = [each for each in chain if each[0] not in _BEFORE]
        if not routed:
            continue
        name, arguments = routed[0]
        if name == "group":
            if arguments and arguments[0].type == "array_creation_expression":
                inner = joined(inner, _php_option(reader, arguments[0], "prefix"))
            for each in arguments:
                yield from _below(reader, each, inner, depth + 1)
        else:
            yield from _route(reader, node, name, arguments, inner)


_BEFORE: Final = frozenset(
    {"prefix", "middleware", "name", "controller", "domain", "as", "namespace", "withoutMiddleware"}
)


def _route(
    reader: Reader, node: Node, name: str, arguments: list[Node], prefix: str
) -> Iterator[Route]:
    laravel = framework_named("laravel")
    if not arguments:
        return
    place, methods = 0, tuple[str, ...]()
    if name in laravel.verbs:
        methods = (name,)
    elif name in laravel.any:
        methods = ANY
    elif name == "match" and len(arguments) > 1:
        said = re.findall(r"[\"'](\w+)[\"']", reader.tree.text(arguments[0]))
        place, methods = 1, tuple(each.lower() for each in said)
    elif name in {"resource", "apiResource"}:
        written = reader.text(arguments[0])
        if written is not None:
            one = re.sub(r"(?<=\w)s$", "", written.rpartition("/")[2].replace("-", "_"))
            left = {"new", "edit"} if name == "apiResource" else set[str]()
            for action, (method, tail) in RESTS.items():
                end = tail.replace(":id", f"{{{one}}}").replace("/new", "/create")
                path = joined(prefix, f"{written}{end}")
                if action not in left:
                    yield from reader.routes("laravel", (method,), path, node, Handler(action))
        return
    if methods:
        written = reader.text(arguments[place])
        path = None if written is None else joined(prefix, written)
        handler = _php_handler(reader, arguments[-1])
        yield from reader.routes("laravel", methods, path, node, handler)


def _php_handler(reader: Reader, node: Node) -> Handler:
    """Return the last name that a handler is given by: `[A::class, 'show']`, `'A@show'`."""
    quoted = re.findall(r"[\"'](?:[\w\\\\]+@)?(\w+)[\"']", reader.tree.text(node)[:200])
    return Handler(quoted[-1] if quoted and node.type != "anonymous_function" else "")


def _php_chain(tree: SyntaxTree, node: Node) -> list[tuple[str, list[Node]]] | None:
    """Return the calls of a chain that begins with `Route::`, the first one first."""
    chain: list[tuple[str, list[Node]]] = []
    at: Node | None = node
    while at is not None and at.type in {"member_call_expression", "scoped_call_expression"}:
        name, listed = at.child_by_field_name("name"), at.child_by_field_name("arguments")
        given = (
            []
            if listed is None
            else [x.named_children[-1] for x in listed.named_children if x.named_children]
        )
        chain.append(("" if name is None else tree.text(name), given))
        if at.type == "scoped_call_expression":
            scope = at.child_by_field_name("scope")
            ours = scope is not None and tree.text(scope).rpartition("\\")[2] == "Route"
            return chain[::-1] if ours else None
        at = at.child_by_field_name("object")
    return None


def _php_option(reader: Reader, array: Node, key: str) -> str:
    for each in array.named_children:
        first, *others = each.named_children or [None]
        if others and reader.text(first) == key:
            return reader.text(others[0]) or ""
    return ""
