"""Routes that are registered by a call or a decorator: Flask, FastAPI, Express, Koa, Gin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.specialists.documents.handlers import Handler, Handlers, declared
from coai_agents.specialists.documents.paths import joined, normalised, variants
from coai_agents.specialists.documents.receivers import Receivers
from coai_agents.specialists.documents.routes import ANY, METHODS, Route
from coai_agents.specialists.documents.syntax import call_of, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.specialists.documents.frameworks import Framework
    from coai_agents.specialists.documents.receivers import Receiver
    from coai_agents.specialists.documents.syntax import Call
    from coai_agents.syntax.tree import SyntaxTree


def routes_by_call(tree: SyntaxTree) -> tuple[list[Route], list[str]]:
    """Return a file's routes, and notes of what could not be told, with their lines."""
    receivers = Receivers(tree)
    if not any(each.form != "annotation" for each in receivers.known):
        return [], []
    handlers = Handlers(tree)
    routes: list[Route] = []
    for node in walk(tree.root):
        call = call_of(tree, node)
        receiver = None if call is None else receivers.of(call.receiver)
        if call is not None and receiver is not None:
            routes += _registered(receivers, receiver, call, handlers)
    return routes, receivers.notes


def _registered(
    receivers: Receivers, receiver: Receiver, call: Call, handlers: Handlers
) -> Iterator[Route]:
    framework = receiver.framework
    handler = _handler(receiver, call, handlers)
    if handler is None:
        return
    methods = _methods(receivers, framework, call)
    written = [""] if receiver.has_path else _paths(receivers, framework, call)
    if call.name in framework.objects:
        url = call.option(receivers.tree, "url") or call.option(receivers.tree, "path")
        written = None if (text := receivers.text(url)) is None else [text]
    if not methods or written is None:
        receivers.note(call.node, "a route whose path or method is not constant")
        return
    for prefix in receiver.prefixes():
        for path in written:
            for variant in variants(framework, joined(prefix, path)):
                yield _route(receivers.tree, framework, methods, variant, (handler, call.node))


def _route(
    tree: SyntaxTree,
    framework: Framework,
    methods: tuple[str, ...],
    path: str,
    handled: tuple[Handler, Node],
) -> Route:
    handler, node = handled
    whole, parameters = normalised(framework, path)
    body = None
    if framework.typed_handlers:
        parameters, body = declared(tree, handler, parameters)
    return Route(
        framework.name,
        methods,
        whole,
        parameters,
        handler.name,
        handler.comment.summary,
        handler.comment.description,
        body,
        line=node.start_point[0] + 1,
    )


def _handler(receiver: Receiver, call: Call, handlers: Handlers) -> Handler | None:
    """Return who answers; None where the call registers no route."""
    framework = receiver.framework
    if call.name in framework.objects:
        given = call.option(handlers.tree, "handler")
        return Handler() if given is None else handlers.given(call.node, given)
    if call.name in framework.adders:
        argument = call.argument(len(call.arguments) - 1, framework.adders[call.name])
        return None if argument is None else handlers.given(call.node, argument)
    if framework.form == "decorator":
        above = call.node.parent
        names = framework.verbs | framework.route
        if call.name not in names or above is None or above.type != "decorator":
            return None
        return handlers.around(above)
    return handlers.given(call.node, call.arguments[-1]) if receiver.registers(call) else None


def _methods(receivers: Receivers, framework: Framework, call: Call) -> tuple[str, ...]:
    """Return the HTTP methods; none where they are not constant."""
    if call.name in framework.verbs:
        return (call.name.lower(),)
    if call.name in framework.any:
        return ANY
    if call.name in framework.handle:
        nodes = [call.arguments[0]]
    elif call.name in framework.objects:
        method = call.option(receivers.tree, "method")
        several = method is not None and method.type == "array"
        nodes = [] if method is None else method.named_children if several else [method]
    elif (listed := call.keywords.get("methods")) is not None:
        nodes = listed.named_children
    else:
        return ("get",)
    texts = [receivers.text(each) for each in nodes]
    found = tuple(each.lower() for each in texts if each is not None)
    return tuple(each for each in METHODS if each in found) if len(found) == len(nodes) else ()


def _paths(receivers: Receivers, framework: Framework, call: Call) -> list[str] | None:
    """Return the paths of a call, for Express takes a list; None where one is not constant."""
    place = 1 if call.name in framework.handle else 0
    node = call.argument(place, "path" if "path" in call.keywords else "rule")
    nodes = node.named_children if node is not None and node.type == "array" else [node]
    texts = [receivers.text(each) for each in nodes]
    found = [each for each in texts if each is not None and (not each or each[0] in "/*")]
    return found if found and len(found) == len(nodes) else None
