"""Where an extracted function goes, and how it is called from where it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coai_agents.specialists.refactoring.site import (
    RefusalError,
    Site,
    walk,
)
from coai_agents.specialists.refactoring.transforms.control import Selected, own_nodes
from coai_agents.syntax.tree import ancestors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node


@dataclass(frozen=True, slots=True)
class Host:
    """Where the new function goes, and how it is called there."""

    call: str
    """What stands before its name in a call."""
    receiver: str = ""
    """The first parameter that a call does not name."""
    head: str = ""
    """What stands before `def`, `function` or the type."""
    above: str = ""
    """A line above it."""
    method: bool = False


def host_of(site: Site, chosen: Selected) -> Host:
    """Return where a function that is made of statements goes; raises `RefusalError`."""
    match site.family:
        case "python":
            return _python_host(site, chosen)
        case "javascript":
            return _javascript_host(site, chosen)
        case "java" | "csharp":
            return _typed_host(site, chosen)
        case "php":
            return _php_host(site, chosen)
        case "ruby":
            return _ruby_host(site, chosen)
        case _:
            return Host("")


def _python_host(site: Site, chosen: Selected) -> Host:
    function = chosen.outermost
    block = function.parent
    decorators: list[str] = []
    if block is not None and block.type == "decorated_definition":
        decorators = [
            site.text(e).lstrip("@ ") for e in block.named_children if e.type == "decorator"
        ]
        block = block.parent
    if block is None or block.parent is None or block.parent.type != "class_definition":
        return Host("")
    if "staticmethod" in decorators:
        return Host(
            f"{site.text(block.parent.child_by_field_name('name'))}.",
            above="@staticmethod",
            method=True,
        )
    parameters = function.child_by_field_name("parameters")
    first = next(iter(parameters.named_children), None) if parameters is not None else None
    if first is None or first.type != "identifier":
        raise RefusalError("The method has no parameter for its object.")
    receiver = site.text(first)
    above = "@classmethod" if "classmethod" in decorators else ""
    return Host(f"{receiver}.", receiver, above=above, method=True)


def _javascript_host(site: Site, chosen: Selected) -> Host:
    uses_this = any(each.type == "this" for each in _with_arrows(chosen.statements))
    if not uses_this:
        return Host("")
    for each in ancestors(chosen.container):
        if each.type in ("function_declaration", "function_expression", "generator_function",
                         "generator_function_declaration"):  # fmt: skip
            break
        if (
            each.type == "method_definition"
            and each.parent is not None
            and each.parent.type == "class_body"
        ):
            static = "static " if any(child.type == "static" for child in each.children) else ""
            private = "private " if site.source.language.startswith("typescript") else ""
            return Host("this.", head=f"{private}{static}", method=True)
    raise RefusalError("`this` would mean something else in a function of its own.")


def _with_arrows(roots: tuple[Node, ...]) -> Iterator[Node]:
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        yield node
        if node.type not in ("function_expression", "function_declaration", "class_body"):
            waiting.extend(node.children)


def _typed_host(site: Site, chosen: Selected) -> Host:
    method = chosen.outermost
    if method.type not in ("method_declaration", "constructor_declaration"):
        raise RefusalError("It stands in no method.")
    if any("type_parameter" in each.type for each in method.named_children):
        raise RefusalError("The method has type parameters.")
    static = "static " if "static" in _modifiers(site, method) else ""
    return Host("", head=f"private {static}", method=True)


def _modifiers(site: Site, method: Node) -> list[str]:
    found: list[str] = []
    for each in method.named_children:
        if each.type in ("modifiers", "modifier", "static_modifier", "visibility_modifier"):
            found += site.text(each).split()
    return found


def _php_host(site: Site, chosen: Selected) -> Host:
    method = chosen.outermost
    if method.type != "method_declaration":
        if any(site.text(each) == "$this" for each in walk(method) if each.type == "variable_name"):
            raise RefusalError("`$this` would mean nothing in a function of its own.")
        return Host("")
    if "static" in _modifiers(site, method):
        return Host("self::", head="private static ", method=True)
    return Host("$this->", head="private ", method=True)


def _ruby_host(site: Site, chosen: Selected) -> Host:
    if any(site.text(each) == "binding" for each in own_nodes(site, chosen.statements)):
        raise RefusalError("It reads variables by their names as text.")
    if chosen.outermost.type == "singleton_method":
        return Host("", head="self.", method=True)
    if chosen.outermost.type != "method":
        raise RefusalError("It stands in no method.")
    return Host("", method=True)
