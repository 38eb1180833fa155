"""The arguments of calls as values by their paths, in the grammars of Python and ECMAScript."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.constructs.names import camel
from coai_agents.analysis.texts.entries import Entry, Path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tree_sitter import Node

    from coai_agents.source import Span
    from coai_agents.syntax.tree import SyntaxTree

CALLS: Final = frozenset({"call", "call_expression", "new_expression"})

OPEN: Final = "..."
"""The step of what is handed on as a whole, so that nothing is known of what is missing."""

UNKNOWN: Final = "${}"
"""The text of a value that is decided elsewhere, as Terraform's are."""

DEEPEST: Final = 12

_WRAPPERS: Final = frozenset(
    {"parenthesized_expression", "as_expression", "satisfies_expression", "non_null_expression"}
    | {"await_expression", "await", "type_assertion"}
)
_MAPPINGS: Final = frozenset({"dictionary", "object"})
_LISTS: Final = frozenset({"list", "array", "tuple"})
_SPREADS: Final = frozenset({"dictionary_splat", "list_splat", "spread_element"})
_AS_TEXT: Final = frozenset({"toString", "toJson", "toJSON", "str"})
"""What is called of a value, or with it, to hand it on in another form."""
_NAMES: Final = frozenset(
    {"identifier", "shorthand_property_identifier", "attribute", "member_expression"}
)
_ASSIGNMENTS: Final = {
    "assignment": ("left", "right"),
    "assignment_expression": ("left", "right"),
    "variable_declarator": ("name", "value"),
    "public_field_definition": ("name", "value"),
}
_MOST_TEXT: Final = 200


def text_of(node: Node | None) -> str:
    """Return a node's text; nothing if there is no node."""
    return "" if node is None or node.text is None else node.text.decode("utf-8", "replace")


def callee(call: Node) -> Node | None:
    """Return what is called, or whose constructor it is."""
    return call.child_by_field_name("function") or call.child_by_field_name("constructor")


def names_of(node: Node | None) -> tuple[str, ...]:
    """Return a path of names, `a.b.c`; nothing for anything else."""
    names: list[str] = []
    while node is not None and node.type in ("attribute", "member_expression"):
        names.append(text_of(_member(node)))
        node = node.child_by_field_name("object")
    if node is None or node.type not in ("identifier", "this"):
        return ()
    return (text_of(node), *reversed(names))


def _member(node: Node) -> Node | None:
    return node.child_by_field_name("attribute") or node.child_by_field_name("property")


def method_of(call: Node) -> tuple[str, Node | None]:
    """Return the name of the method that a call is of, as ECMAScript has it, and its object."""
    function = callee(call)
    if function is None or function.type not in ("attribute", "member_expression"):
        return "", None
    return camel(text_of(_member(function))), function.child_by_field_name("object")


def arguments_of(call: Node) -> Iterator[Node]:
    """Yield the arguments of a call."""
    listed = call.child_by_field_name("arguments")
    for each in () if listed is None else listed.named_children:
        if each.type != "comment":
            yield each


class Values:
    """What the values of a file are, as far as it says it: names that are set once stand for it."""

    def __init__(self, tree: SyntaxTree, nodes: Iterable[Node]) -> None:
        self._tree = tree
        self._once: dict[str, Node] = {}
        times: Counter[str] = Counter()
        for node in nodes:
            fields = _ASSIGNMENTS.get(node.type)
            if fields is None:
                continue
            left, right = (node.child_by_field_name(each) for each in fields)
            name = text_of(left).removeprefix("this.").removeprefix("self.")
            times[name] += 1
            if right is not None:
                self._once[name] = right
        for name, count in times.items():
            if count > 1:
                self._once.pop(name, None)

    def of_name(self, node: Node) -> Node | None:
        """Return what a name that is set once is set to."""
        return self._once.get(text_of(node).removeprefix("this.").removeprefix("self."))

    def arguments(self, call: Node, path: Path = (), depth: int = 0) -> list[Entry]:
        """Return what is passed to a call: by name, by the keys of objects, and by position."""
        entries: list[Entry] = []
        position = 0
        for each in arguments_of(call):
            if each.type == "keyword_argument":
                name = camel(text_of(each.child_by_field_name("name")))
                entries += self._of(each.child_by_field_name("value"), (*path, name), depth + 1)
                continue
            known = self._known(each)
            if each.type in _SPREADS or (known.type == "identifier" and position > 0):
                entries.append(Entry((*path, OPEN), UNKNOWN, self._tree.span(each)))
            elif known.type in _MAPPINGS and each.parent is not None:
                entries += self._pairs(known, path, depth + 1)
            entries += self._of(each, (*path, str(position)), depth + 1)
            position += 1
        return entries

    def _known(self, node: Node) -> Node:
        """Return the value that a node is, or that the name that it is stands for."""
        for _ in range(DEEPEST):
            if node.type in _WRAPPERS and node.named_children:
                node = node.named_children[0]
            elif node.type in _NAMES:
                known = self.of_name(node)
                if known is None or known.id == node.id:
                    return node
                node = known
            else:
                return node
        return node

    def _pairs(self, node: Node, path: Path, depth: int) -> list[Entry]:
        entries: list[Entry] = []
        for each in node.named_children:
            key = each.child_by_field_name("key")
            if each.type in _SPREADS:
                entries.append(Entry((*path, OPEN), UNKNOWN, self._tree.span(each)))
            elif each.type == "shorthand_property_identifier":
                entries += self._of(each, (*path, text_of(each)), depth + 1)
            elif key is not None:
                step = (*path, text_of(key).strip("\"'"))
                entries += self._of(each.child_by_field_name("value"), step, depth + 1)
        return entries

    def _of(self, node: Node | None, path: Path, depth: int) -> list[Entry]:
        if node is None or depth > DEEPEST:
            return []
        span = self._tree.span(node)
        known = self._known(node)
        if known.type in _MAPPINGS:
            return [Entry(path, "", span), *self._pairs(known, path, depth + 1)]
        if known.type in _LISTS:
            inner = [
                entry
                for number, each in enumerate(known.named_children)
                for entry in self._of(each, (*path, str(number)), depth + 1)
            ]
            return [Entry(path, "", span), *inner]
        if known.type in CALLS:
            return self._of_call(known, path, span, depth)
        return [Entry(path, _scalar(known), span)]

    def _of_call(self, call: Node, path: Path, span: Span, depth: int) -> list[Entry]:
        method, inner = method_of(call)
        if method in _AS_TEXT and inner is not None:
            return self._of(inner, path, depth + 1)
        names = names_of(callee(call))
        if names[-1:] == ("str",):
            return self._of(next(arguments_of(call), None), path, depth + 1)
        listed = call.child_by_field_name("arguments")
        shown = ".".join([*names[-2:-1], *map(camel, names[-1:])])
        text = f"${{{shown}{text_of(listed)}"[:_MOST_TEXT] if names else UNKNOWN
        return [Entry(path, text, span), *self.arguments(call, path, depth + 1)]


def _scalar(node: Node) -> str:
    """Return the text of a value: a member of an enumeration by its last two names."""
    if node.type in ("true", "false", "integer", "float", "number"):
        return text_of(node).lower()
    if node.type in ("string", "template_string"):
        if any(
            each.type in ("interpolation", "template_substitution") for each in node.named_children
        ):
            return UNKNOWN
        return re.sub(r"^[a-zA-Z]{0,2}(\"\"\"|'''|[\"'`])|(\"\"\"|'''|[\"'`])$", "", text_of(node))
    names = names_of(node)
    if len(names) > 1 and names[0] not in ("this", "self", "props"):
        return ".".join(names[-2:])
    return UNKNOWN
