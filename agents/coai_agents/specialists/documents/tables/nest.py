"""Routes of Nest: decorators of the methods of controllers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.specialists.documents.paths import joined
from coai_agents.specialists.documents.routes import ANY
from coai_agents.specialists.documents.syntax import call_of, imports, walk
from coai_agents.specialists.documents.tables.reader import framework_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tree_sitter import Node

    from coai_agents.specialists.documents.routes import Route
    from coai_agents.specialists.documents.syntax import Call
    from coai_agents.specialists.documents.tables.reader import Reader
    from coai_agents.syntax.tree import SyntaxTree


def nest_routes(reader: Reader) -> Iterator[Route]:
    """Yield the routes of the controllers of a file."""
    tree = reader.tree
    known = {
        local: name.rpartition(".")[2]
        for local, name in imports(tree).items()
        if name.startswith("@nestjs/common.")
    }
    for node in walk(tree.root) if "Controller" in known.values() else ():
        body = node.child_by_field_name("body") if node.type == "class_declaration" else None
        if body is None:
            continue
        above = [*_decorators(node), *(_decorators(node.parent) if node.parent else ())]
        for call in _named_calls(tree, above, known, {"Controller"}):
            prefix = _nest_path(reader, call)
            yield from _nest_methods(reader, body, known, prefix)


def _nest_methods(
    reader: Reader, body: Node, known: dict[str, str], prefix: str | None
) -> Iterator[Route]:
    nest = framework_named("nest")
    waiting: list[Node] = []
    for member in body.named_children:
        if member.type == "decorator":
            waiting.append(member)
            continue
        if member.type == "method_definition":
            for call in _named_calls(reader.tree, waiting, known, nest.verbs | nest.any):
                name = known[call.name]
                own = _nest_path(reader, call)
                path = None if own is None or prefix is None else joined(f"/{prefix}", own)
                methods = ANY if name in nest.any else (name.lower(),)
                handler = reader.handlers.around(member)
                yield from reader.routes("nest", methods, path, member, handler)
        if member.type not in reader.tree.grammar.comments:
            waiting = []


def _nest_path(reader: Reader, call: Call) -> str | None:
    """Return the path of a decorator: its text, its option `path`, or none."""
    if (given := call.option(reader.tree, "path")) is not None:
        return reader.text(given)
    first = call.argument(0)
    return "" if first is None or first.type == "object" else reader.text(first)


def _decorators(node: Node) -> list[Node]:
    return [each for each in node.named_children if each.type == "decorator"]


def _named_calls(
    tree: SyntaxTree, decorators: Iterable[Node], known: dict[str, str], wanted: Iterable[str]
) -> Iterator[Call]:
    names = frozenset(wanted)
    for each in decorators:
        call = call_of(tree, each.named_children[0]) if each.named_children else None
        if call is not None and call.receiver is None and known.get(call.name) in names:
            yield call
