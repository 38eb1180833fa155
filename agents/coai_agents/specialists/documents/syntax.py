"""Calls, arguments, strings and imports of a file, alike in the languages of the frameworks."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tree_sitter import Node

    from coai_agents.syntax.tree import SyntaxTree

FUNCTIONS: Final = frozenset(
    {
        "function_definition", "lambda", "function_declaration", "arrow_function",
        "function_expression", "method_definition", "func_literal", "method_declaration",
    }
)  # fmt: skip
_CALLS: Final = frozenset({"call", "call_expression", "new_expression"})
_STRINGS: Final = frozenset(
    {
        "string", "template_string", "interpreted_string_literal", "raw_string_literal",
        "string_literal",
    }
)  # fmt: skip
_ASSIGNMENTS: Final = frozenset(
    {
        "assignment", "assignment_expression", "assignment_statement", "short_var_declaration",
        "variable_declarator", "var_spec", "const_spec", "public_field_definition",
        "field_definition",
    }
)  # fmt: skip
_MEMBERS: Final = ("attribute", "property", "field")
_OWNERS: Final = ("object", "operand")
_INSERTED: Final = frozenset({"interpolation", "template_substitution"})
_PARENTHESES: Final = frozenset({"parenthesized_expression"})

_REQUIRE: Final = re.compile(r"require\(([\"'`])(?P<module>[^\"'`]+)\1\)(?P<rest>[.\w]*)")

MOST_NAME: Final = 500
"""Characters of a name with all that it is a member of."""

MOST_DEPTH: Final = 40
"""Of expressions in expressions that are looked into."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call: what it is called on, the last part of the function's name, the arguments."""

    node: Node
    receiver: Node | None
    name: str
    arguments: tuple[Node, ...]
    keywords: Mapping[str, Node]

    def option(self, tree: SyntaxTree, name: str) -> Node | None:
        """Return an argument by its keyword, or what an object among the arguments has by it."""
        if name in self.keywords or not name:
            return self.keywords.get(name)
        for each in self.arguments:
            for pair in each.named_children if each.type == "object" else ():
                key = pair.child_by_field_name("key")
                if key is not None and tree.text(key).strip("'\"") == name:
                    return pair.child_by_field_name("value")
        return None

    def argument(self, place: int, keyword: str = "") -> Node | None:
        """Return an argument by its keyword, or else by its place."""
        if keyword and keyword in self.keywords:
            return self.keywords[keyword]
        return self.arguments[place] if place < len(self.arguments) else None


def walk(root: Node) -> Iterator[Node]:
    """Yield all named nodes in the order of the text."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.named_children))


def call_of(tree: SyntaxTree, node: Node) -> Call | None:
    """Read a node as a call; None if it is none, or calls what has no name."""
    if node.type not in _CALLS:
        return None
    function = node.child_by_field_name("function") or node.child_by_field_name("constructor")
    if function is None:
        return None
    member = _field(function, _MEMBERS)
    owner = _field(function, _OWNERS)
    if member is None and function.type not in {"identifier", *_CALLS}:
        return None
    listed = node.child_by_field_name("arguments")
    arguments: list[Node] = []
    keywords: dict[str, Node] = {}
    for each in () if listed is None else listed.named_children:
        name, value = each.child_by_field_name("name"), each.child_by_field_name("value")
        if each.type == "keyword_argument" and name is not None and value is not None:
            keywords[tree.text(name)] = value
        elif each.type not in tree.grammar.comments:
            arguments.append(each)
    return Call(
        node,
        owner,
        tree.text(member or function) if function.type not in _CALLS else "",
        tuple(arguments),
        keywords,
    )


def _field(node: Node, names: tuple[str, ...]) -> Node | None:
    found = (node.child_by_field_name(name) for name in names)
    return next((each for each in found if each is not None), None)


def assigned(node: Node) -> tuple[Node, Node] | None:
    """Return what is assigned to and the value, of a node that assigns one thing."""
    if node.type not in _ASSIGNMENTS:
        return None
    target, value = _field(node, ("left", "name", "property")), _field(node, ("right", "value"))
    return None if target is None or value is None else (_only(target), _only(value))


def _only(node: Node) -> Node:
    return node.named_children[0] if node.type == "expression_list" else node


# ---------------------------------------------------------------------- strings


def constants(tree: SyntaxTree) -> dict[str, str]:
    """Return the names that are given one string in a file, and no other value."""
    found: dict[str, str | None] = {}
    for node in walk(tree.root):
        pair = assigned(node)
        if pair is None or pair[0].type != "identifier":
            continue
        name, value = tree.text(pair[0]), string_of(tree, pair[1], {})
        found[name] = value if found.get(name, value) == value else None
    return {name: value for name, value in found.items() if value is not None}


def string_of(
    tree: SyntaxTree, node: Node | None, known: Mapping[str, str], depth: int = 0
) -> str | None:
    """Return the text that an expression always has; None where that cannot be told."""
    if node is None or depth > MOST_DEPTH:
        return None
    if node.type in _STRINGS:
        return _quoted(tree, node, known, depth)
    if node.type == "identifier":
        return known.get(tree.text(node))
    if node.type == "concatenated_string":
        parts = [string_of(tree, each, known, depth + 1) for each in node.named_children]
        return None if None in parts else "".join(filter(None, parts))
    if node.type in _PARENTHESES:
        return string_of(tree, node.named_children[0], known, depth + 1)
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    operator = node.child_by_field_name("operator")
    if operator is None or tree.text(operator) != "+":
        return None
    first = string_of(tree, left, known, depth + 1)
    second = string_of(tree, right, known, depth + 1)
    return None if first is None or second is None else first + second


def _quoted(tree: SyntaxTree, node: Node, known: Mapping[str, str], depth: int) -> str | None:
    """Return a literal's text; what stands between its parts belongs to it in some grammars."""
    text = tree.text(node)
    opening = re.match(r"[A-Za-z]*(\"\"\"|'''|[\"'`])", text)
    if opening is None or "b" in opening[0].lower():
        return None
    start, end = tree.start(node) + len(opening[0]), tree.end(node) - len(opening[1])
    parts: list[str] = []
    for each in node.named_children:
        if each.type not in _INSERTED:
            continue
        inner = (
            string_of(tree, each.named_children[0], known, depth + 1)
            if (each.named_child_count == 1)
            else None
        )
        if inner is None:
            return None
        parts += [tree.source.text[start : tree.start(each)], inner]
        start = tree.end(each)
    return "".join([*parts, tree.source.text[start:end]])


# ---------------------------------------------------------------------- what names stand for


def imports(tree: SyntaxTree) -> dict[str, str]:
    """Return what each imported name stands for: `flask.Flask`, `express`, a path of Go's."""
    found: dict[str, str] = {}
    for node in walk(tree.root):
        if node.type == "import_from_statement":
            found |= _from_import(tree, node)
        elif node.type == "import_statement":
            found |= _import(tree, node)
        elif node.type == "import_spec":
            found |= _go_import(tree, node)
        elif node.type == "variable_declarator":
            found |= _required(tree, node)
    return found


def _from_import(tree: SyntaxTree, node: Node) -> Iterator[tuple[str, str]]:
    module = node.child_by_field_name("module_name")
    for each in node.children_by_field_name("name"):
        name, local = _aliased(tree, each)
        yield local, f"{'' if module is None else tree.text(module)}.{name}"


def _import(tree: SyntaxTree, node: Node) -> Iterator[tuple[str, str]]:
    source = node.child_by_field_name("source")
    if source is None:
        for each in node.children_by_field_name("name"):
            name, local = _aliased(tree, each)
            # `import a.b` binds `a`.
            first = name.partition(".")[0]
            yield (local, name) if local != name else (first, first)
        return
    module = string_of(tree, source, {}) or ""
    for each in walk(node):
        if each.type == "import_specifier":
            name, local = _aliased(tree, each)
            yield local, module if name == "default" else f"{module}.{name}"
        elif each.type == "namespace_import":
            yield tree.text(each.named_children[-1]), module
        elif each.type == "import_clause" and each.named_children[0].type == "identifier":
            yield tree.text(each.named_children[0]), module


def _aliased(tree: SyntaxTree, node: Node) -> tuple[str, str]:
    name, alias = node.child_by_field_name("name"), node.child_by_field_name("alias")
    text = tree.text(name or node)
    return text, text if alias is None else tree.text(alias)


def _go_import(tree: SyntaxTree, node: Node) -> Iterator[tuple[str, str]]:
    path = string_of(tree, node.child_by_field_name("path"), {}) or ""
    name = node.child_by_field_name("name")
    yield (path.rpartition("/")[2] if name is None else tree.text(name)), path


def _required(tree: SyntaxTree, node: Node) -> Iterator[tuple[str, str]]:
    pair = assigned(node)
    call = None if pair is None else call_of(tree, pair[1])
    if pair is None or call is None or call.name != "require" or call.receiver is not None:
        return
    module = string_of(tree, call.argument(0), {}) or ""
    if pair[0].type == "identifier":
        yield tree.text(pair[0]), module
    for each in pair[0].named_children if pair[0].type == "object_pattern" else ():
        key, value = each.child_by_field_name("key"), each.child_by_field_name("value")
        name = tree.text(key or each)
        yield (name if value is None else tree.text(value)), f"{module}.{name}"


def qualified(tree: SyntaxTree, node: Node, known: Mapping[str, str]) -> str:
    """Return a name with what its first part was imported as; nothing if that was not imported."""
    text = re.sub(r"\s+|^[*&:\s]+", "", tree.text(node)[:MOST_NAME])
    if (required := _REQUIRE.fullmatch(text)) is not None:
        return f"{required['module']}{required['rest']}"
    first, dot, rest = text.partition(".")
    return f"{known[first]}{dot}{rest}" if first in known else ""


class Scopes:
    """The functions around each place of a file.

    Going up from a node costs the square of its depth, and minified code is deep.
    """

    def __init__(self, root: Node) -> None:
        self._functions = [each for each in walk(root) if each.type in FUNCTIONS]
        self._starts = [each.start_byte for each in self._functions]
        self._outer: list[int] = []
        for number, each in enumerate(self._functions):
            self._outer.append(self._covering(number - 1, each))

    def around(self, node: Node) -> Iterator[int]:
        """Yield the functions around a node by their ids, from the inside out, and 0: the file."""
        at = self._covering(bisect_right(self._starts, node.start_byte) - 1, node)
        while at >= 0:
            yield self._functions[at].id
            at = self._outer[at]
        yield 0

    def _covering(self, at: int, node: Node) -> int:
        while at >= 0 and self._functions[at].end_byte < node.end_byte:
            at = self._outer[at]
        return at
