"""Routes of Rails: the blocks of `routes.draw`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coai_agents.specialists.documents.handlers import Handler
from coai_agents.specialists.documents.paths import joined
from coai_agents.specialists.documents.routes import ANY
from coai_agents.specialists.documents.syntax import walk
from coai_agents.specialists.documents.tables.reader import MOST_DEPTH, RESTS, framework_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tree_sitter import Node

    from coai_agents.specialists.documents.routes import Route
    from coai_agents.specialists.documents.tables.reader import Reader


@dataclass(frozen=True, slots=True)
class _Around:
    """Below which paths the lines of a block stand."""

    prefix: str = ""
    collection: str = ""
    """The path of the resource around them."""
    member: str = ""
    """The path of one of it."""
    depth: int = 0

    def at(self, prefix: str) -> _Around:
        return _Around(prefix, prefix, prefix, self.depth + 1)


@dataclass(frozen=True, slots=True)
class _Line:
    """A call of the language that routes are written in."""

    node: Node
    name: str
    given: tuple[str, ...]
    """Its texts and symbols."""
    options: dict[str, str]
    block: tuple[Node, ...]


def rails_routes(reader: Reader) -> Iterator[Route]:
    """Yield the routes that a file draws."""
    if ".routes.draw" not in reader.tree.source.text:
        return
    for node in walk(reader.tree.root):
        method = node.child_by_field_name("method") if node.type == "call" else None
        if method is not None and reader.tree.text(method) == "draw":
            yield from _block(reader, _body(node), _Around())


def _block(reader: Reader, body: Iterable[Node], around: _Around) -> Iterator[Route]:
    rails = framework_named("rails")
    for node in body if around.depth <= MOST_DEPTH else ():
        line = _line(reader, node)
        if line is None:
            continue
        if line.name in rails.verbs or line.name in {"match", "root"}:
            yield from _route(reader, line, around)
        elif line.name in {"resources", "resource"}:
            for each in line.given:
                yield from _resource(reader, line, each, around)
        elif (inner := _inner(line, around)) is not None:
            yield from _block(reader, line.block, inner)


def _inner(line: _Line, around: _Around) -> _Around | None:
    """Return what is around the lines of a block; None where it is no block of routes."""
    if line.name in {"namespace", "scope"}:
        own = line.options.get("path") or next(iter(line.given), "")
        return around.at(joined(around.prefix, own))
    if line.name in {"member", "collection"}:
        return around.at(around.member if line.name == "member" else around.collection)
    if line.name in {"constraints", "authenticate", "defaults", "shallow"}:
        return _Around(around.prefix, around.collection, around.member, around.depth + 1)
    return None


def _route(reader: Reader, line: _Line, around: _Around) -> Iterator[Route]:
    to = line.options.get("to", "").rpartition("#")[2]
    if line.name == "root":
        handler = Handler(to or next(iter(line.given), "").rpartition("#")[2])
        path = joined(around.prefix, "/")
        yield from reader.routes("rails", ("get",), path, line.node, handler)
        return
    on = line.options.get("on", "")
    prefix = {"member": around.member, "collection": around.collection}.get(on, around.prefix)
    via = [each for each in re.findall(r"\w+", line.options.get("via", "")) if each != "all"]
    methods = tuple(via) or (ANY if line.name == "match" else (line.name,))
    for each in line.given or (None,):
        path = None if each is None else joined(prefix, each)
        handler = Handler(to or (each or "").rpartition("/")[2])
        yield from reader.routes("rails", methods, path, line.node, handler)


def _resource(reader: Reader, line: _Line, name: str, around: _Around) -> Iterator[Route]:
    single = line.name == "resource"
    path = joined(around.prefix, line.options.get("path") or name)
    only = set(re.findall(r"\w+", line.options.get("only", ""))) or set(RESTS)
    only -= set(re.findall(r"\w+", line.options.get("except", "")))
    key = line.options.get("param", "id")
    for action, (verb, tail) in RESTS.items():
        if action not in only or (single and action == "index"):
            continue
        end = tail.replace("/:id", "" if single else f"/:{key}")
        verbs = ("patch", "put") if action == "update" else (verb,)
        yield from reader.routes("rails", verbs, f"{path}{end}", line.node, Handler(action))
    nested = path if single else f"{path}/:{re.sub(r'(?<=.)s$', '', name)}_{key}"
    member = path if single else f"{path}/:{key}"
    yield from _block(reader, line.block, _Around(nested, path, member, around.depth + 1))


def _line(reader: Reader, node: Node) -> _Line | None:
    method = node.child_by_field_name("method") if node.type == "call" else None
    if method is None:
        return None
    listed = node.child_by_field_name("arguments")
    given: list[str] = []
    options: dict[str, str] = {}
    for each in () if listed is None else listed.named_children:
        key, value = each.child_by_field_name("key"), each.child_by_field_name("value")
        if key is not None and value is not None:
            written = reader.text(value) or reader.tree.text(value)
            if key.type == "string" and not given:
                given.append(reader.text(key) or "")  # `get '/x' => 'a#b'`
                options["to"] = written
            options[reader.tree.text(key).strip(":\"'")] = written.strip(":")
        elif each.type == "simple_symbol":
            given.append(reader.tree.text(each)[1:])
        elif (text := reader.text(each)) is not None:
            given.append(text)
    return _Line(node, reader.tree.text(method), tuple(given), options, tuple(_body(node)))


def _body(node: Node) -> list[Node]:
    block = node.child_by_field_name("block")
    body = None if block is None else block.child_by_field_name("body")
    return [] if body is None else body.named_children
