"""One function of Go, and what is known of its variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.analysis.shapes.go.tree import FUNCTIONS, arguments, callee, text, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tree_sitter import Node

_FOLLOWED = 4
"""Names that are followed to what they stand for, at most."""

DEPTH = 12
"""So far into an expression is looked."""


_MORE: Final = frozenset({"unary_expression", "inc_statement", "dec_statement", "range_clause"})
"""What gives a variable more than one value, or may do so."""


class GoFile:
    """A file's own types, functions and constants."""

    def __init__(self, root: Node) -> None:
        self.constants = dict(_constants(root))
        self.variables = set(_variables(root))
        """The names of the file's own variables."""
        self.named: dict[str, str] = {}
        """What a type of the file's own is made of, unless it is a struct."""
        self.structs: dict[str, Node] = {}
        self.functions: dict[str, Node] = {}
        self.methods: set[tuple[str, str]] = set()
        """The file's types and their methods, by name."""
        for each in root.named_children:
            if each.type == "type_declaration":
                self._learn_types(each)
            elif each.type == "function_declaration":
                self.functions[text(each.child_by_field_name("name"))] = each
            elif each.type == "method_declaration":
                receiver = text(each.child_by_field_name("receiver")).strip("()")
                owner = receiver.split()[-1].lstrip("*") if receiver.split() else ""
                self.methods.add((owner, text(each.child_by_field_name("name"))))
        self.bodies = [
            each
            for each in walk(root)
            if each.type in FUNCTIONS and each.child_by_field_name("body") is not None
        ]

    def _learn_types(self, declaration: Node) -> None:
        for spec in declaration.named_children:
            name, made = spec.child_by_field_name("name"), spec.child_by_field_name("type")
            if name is None or made is None:
                continue
            if made.type == "struct_type":
                self.structs[text(name)] = made
            else:
                self.named[text(name)] = text(made)

    def calls_of(self, name: str) -> list[Node]:
        """Return the file's calls of a function of its own."""
        return [
            node
            for body in self.bodies
            for node in walk(body)
            if node.type == "call_expression" and text(callee(node)) == name
        ]

    def field_type(self, struct: str, field: str) -> str:
        """Return the type of a field of one of the file's structs; nothing if it is not known."""
        made = self.structs.get(struct.lstrip("*"))
        for each in () if made is None else walk(made):
            if each.type == "field_declaration" and field in (
                text(name) for name in each.children_by_field_name("name")
            ):
                return text(each.child_by_field_name("type"))
        return ""

    def basic(self, type_name: str) -> str:
        """Return what a type is in the end: a type of the file's own is what it is made of."""
        return self.named.get(type_name, type_name)


def _variables(root: Node) -> Iterator[str]:
    for declaration in root.named_children:
        if declaration.type == "var_declaration":
            for spec in walk(declaration):
                if spec.type == "var_spec":
                    yield from (text(name) for name in spec.children_by_field_name("name"))


def _constants(root: Node) -> Iterator[tuple[str, Node]]:
    for declaration in root.named_children:
        if declaration.type not in ("var_declaration", "const_declaration"):
            continue
        for spec in walk(declaration):
            value = spec.child_by_field_name("value")
            if spec.type in ("var_spec", "const_spec") and value is not None:
                names = spec.children_by_field_name("name")
                if len(names) == 1:
                    yield text(names[0]), value.named_children[0]


class GoFunction:
    """A function that is declared, with those within it."""

    def __init__(self, node: Node, file: GoFile) -> None:
        self.node = node
        self.file = file
        self.nodes = list(walk(node))
        self.types: dict[str, str] = {}
        self.values: dict[str, Node] = dict(file.constants)
        """What a variable is made of that is given a value once."""
        self.given: dict[str, int] = {}
        """How often a variable is given a value."""
        self.passed: set[str] = set()
        """The names of its parameters, and of those of functions within it."""
        self.giving: dict[str, list[Node]] = {}
        """The statements that give a variable a value, or take its address."""
        for each in self.nodes:
            self._learn(each)
            for name in _given(each):
                self.giving.setdefault(name, []).append(each)
        for name in self.giving:
            # What is passed has a value before, and by its address anything may give it another.
            if name in self.passed or any(e.type in _MORE for e in self.giving[name]):
                self.given[name] = max(self.given.get(name, 0), 2)

    @property
    def name(self) -> str:
        """The function's name."""
        return text(self.node.child_by_field_name("name"))

    @property
    def parameters(self) -> list[str]:
        """The names of the parameters, in their order."""
        listed = self.node.child_by_field_name("parameters")
        return [
            text(name)
            for each in (() if listed is None else listed.named_children)
            for name in each.children_by_field_name("name")
        ]

    def _learn(self, node: Node) -> None:
        kind = node.type
        if kind in ("parameter_declaration", "var_spec"):
            declared = text(node.child_by_field_name("type"))
            for name in node.children_by_field_name("name"):
                if kind == "parameter_declaration":
                    self.passed.add(text(name))
                if declared:
                    self.types[text(name)] = declared
                if kind == "var_spec" and (value := node.child_by_field_name("value")) is not None:
                    self._give(text(name), value.named_children[0])
        elif kind in ("short_var_declaration", "assignment_statement"):
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            if left is not None and right is not None:
                self._assign(left, right)
            if text(node.child_by_field_name("operator")) not in ("", "=", ":="):
                self.given.update({text(e): 2 for e in left.named_children} if left else {})
        elif kind in ("inc_statement", "dec_statement"):
            self.given |= {text(e): 2 for e in walk(node) if e.type == "identifier"}
        elif kind == "range_clause":
            left = node.child_by_field_name("left")
            names = () if left is None else walk(left)
            self.given |= {text(e): 2 for e in names if e.type == "identifier"}

    def _assign(self, left: Node, right: Node) -> None:
        names, values = left.named_children, right.named_children
        for at, name in enumerate(names):
            if name.type != "identifier":
                self.given.update({text(e): 2 for e in walk(name) if e.type == "identifier"})
            elif len(values) == len(names):
                self._give(text(name), values[at])
            else:
                self.given[text(name)] = self.given.get(text(name), 0) + 1
                if at == 0 and values:
                    self.values[text(name)] = values[0]

    def _give(self, name: str, value: Node) -> None:
        self.given[name] = self.given.get(name, 0) + 1
        self.values[name] = value

    def value(self, node: Node) -> Node:
        """Return what a variable is made of, if it is given a value once; else the node itself."""
        for _ in range(_FOLLOWED):
            name = text(node)
            if node.type != "identifier" or self.given.get(name, 1) > 1:
                break
            known = self.values.get(name)
            if known is None or known == node:
                break
            node = known
        return node

    def number(self, node: Node) -> int | None:
        """Return a constant's value; None for what is no constant, or none that is known here."""
        return constant(self.value(node), NUMBERS)

    def struct_of(self, node: Node) -> str:
        """Return which of the file's structs a value is, or a list of them; nothing if unknown."""
        value = self.value(node)
        if value.type == "unary_expression":
            value = self.value(value.child_by_field_name("operand") or value)
        declared = ""
        if value.type == "composite_literal":
            declared = text(value.child_by_field_name("type"))
        elif value.type == "identifier":
            declared = self.types.get(text(value), "")
        elif value.type == "call_expression" and text(callee(value)) in ("new", "make"):
            declared = text(arguments(value)[0]) if arguments(value) else ""
        name = declared.replace("[]", "").lstrip("*&")
        return name if name in self.file.structs else ""


def _given(node: Node) -> Iterator[str]:
    """Yield the names of variables that a node gives a value, or takes the address of."""
    match node.type:
        case "short_var_declaration" | "assignment_statement" | "range_clause":
            left = node.child_by_field_name("left")
            for each in () if left is None else left.named_children:
                if each.type == "identifier":
                    yield text(each)
        case "inc_statement" | "dec_statement":
            yield text(node.named_children[0])
        case "unary_expression" if node.children[0].type == "&":
            yield text(node.child_by_field_name("operand"))
        case _:
            pass


SIZES: Mapping[str, tuple[bool, int]] = {
    "int8": (True, 8), "int16": (True, 16), "int32": (True, 32), "rune": (True, 32),
    "int64": (True, 64), "int": (True, 64), "uint8": (False, 8), "byte": (False, 8),
    "uint16": (False, 16), "uint32": (False, 32), "uint64": (False, 64), "uint": (False, 64),
    "uintptr": (False, 64),
}  # fmt: skip
"""Whether a type has a sign, and its bits; of those that depend on the machine, the most."""


def bounds_of(kind: str) -> tuple[int, int]:
    """Return the least and the most that a type of numbers holds."""
    signed, bits = SIZES[kind]
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)


NUMBERS: Mapping[str, int] = {
    f"math.Max{kind}{bits}": (1 << (bits - sign)) - 1
    for bits in (8, 16, 32, 64)
    for kind, sign in (("Int", 1), ("Uint", 0))
} | {f"math.MinInt{bits}": -(1 << (bits - 1)) for bits in (8, 16, 32, 64)} | {
    "math.MaxInt": (1 << 63) - 1, "math.MinInt": -(1 << 63), "math.MaxUint": (1 << 64) - 1,
}  # fmt: skip
"""Constants of Go's `math`; those that depend on the machine are as on most machines."""


def constant(node: Node, known: Mapping[str, int], depth: int = 0) -> int | None:
    """Return the value of an expression of constants; None if it is none."""
    match node.type:
        case _ if depth > DEPTH:
            return None
        case "int_literal":
            return _written(text(node))
        case "selector_expression" | "identifier":
            return known.get(text(node))
        case "parenthesized_expression":
            return constant(node.named_children[0], known, depth + 1)
        case "call_expression" if text(callee(node)) in SIZES and arguments(node):
            return constant(arguments(node)[0], known, depth + 1)
        case "unary_expression" if text(node).startswith("-"):
            operand = node.child_by_field_name("operand")
            value = None if operand is None else constant(operand, known, depth + 1)
            return None if value is None else -value
        case "binary_expression":
            return _constant_of_two(node, known, depth + 1)
        case _:
            return None


def _written(number: str) -> int | None:
    try:
        return int(number.replace("_", ""), 0)
    except ValueError:  # an octal number in the old way
        return int(number, 8) if number.isdigit() and not set(number) & set("89") else None


def _constant_of_two(node: Node, known: Mapping[str, int], depth: int) -> int | None:
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    one = None if left is None else constant(left, known, depth)
    other = None if right is None else constant(right, known, depth)
    return combined(text(node.child_by_field_name("operator")), one, other)


def combined(operator: str, one: int | None, other: int | None) -> int | None:
    """Return what an operator makes of two numbers; None where one of them is not known."""
    if one is None or other is None:
        return None
    match operator:
        case "+":
            return one + other
        case "-":
            return one - other
        case "*":
            return one * other
        case "<<" if 0 <= other <= 64:  # noqa: PLR2004 - bits of the widest type
            return one << other
        case _:
            return None
