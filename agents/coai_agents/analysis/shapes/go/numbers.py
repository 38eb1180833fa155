"""What type of number an expression of Go is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.shapes.go.function import DEPTH, SIZES
from coai_agents.analysis.shapes.go.tree import arguments, callee, text

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.shapes.go.function import GoFunction

_MADE: Final = {
    "strconv.Atoi": "int", "len": "int", "cap": "int", "copy": "int", "rand.Int": "int",
    "rand.Int63": "int64", "rand.Int31": "int32", "rand.Uint32": "uint32", "rand.Uint64": "uint64",
    "os.Getpid": "int", "os.Getuid": "int", "bits.Len": "int",
}  # fmt: skip
"""Of what type a function's result is."""

_METHODS: Final = {
    "Unix": "int64", "UnixNano": "int64", "UnixMilli": "int64", "UnixMicro": "int64",
    "Nanoseconds": "int64", "Milliseconds": "int64", "Microseconds": "int64",
    "Int64": "int64", "Uint64": "uint64", "Uint32": "uint32", "Uint16": "uint16", "Size": "int64",
}  # fmt: skip
"""The same of methods of Go's own packages, which are called so nowhere else."""

_PARSED: Final = re.compile(r"strconv\.Parse(Int|Uint)$")


def type_of(function: GoFunction, node: Node, depth: int = 0) -> str:
    """Return what type of number an expression is; nothing where that is not known here."""
    if depth > DEPTH:
        return ""
    match node.type:
        case "parenthesized_expression":
            return type_of(function, node.named_children[0], depth + 1)
        case "binary_expression":
            one = _operand(function, node, "left", depth)
            shifted = text(node.child_by_field_name("operator")) in ("<<", ">>")
            return one if one or shifted else _operand(function, node, "right", depth)
        case "unary_expression":
            return _operand(function, node, "operand", depth)
        case "call_expression":
            return _returned(function, node)
        case "selector_expression" | "index_expression" | "identifier":
            declared = _declared(function, node)
            value = None if declared else function.values.get(text(node))
            if value is not None and value.type == "int_literal":
                return "int"
            return declared if value is None else type_of(function, value, depth + 1)
        case _:
            return ""


def _declared(function: GoFunction, node: Node) -> str:
    """Return the declared type of a variable, of a field, or of a list's elements."""
    if node.type == "identifier":
        return function.file.basic(function.types.get(text(node), ""))
    owner = node.child_by_field_name("operand")
    if owner is None:
        return ""
    if node.type == "index_expression":
        listed = function.types.get(text(owner), "")
        return function.file.basic(listed[2:]) if listed.startswith("[]") else ""
    field = text(node.child_by_field_name("field"))
    return function.file.basic(function.file.field_type(function.struct_of(owner), field))


def _operand(function: GoFunction, node: Node, field: str, depth: int) -> str:
    operand = node.child_by_field_name(field)
    return "" if operand is None else type_of(function, operand, depth + 1)


def _returned(function: GoFunction, call: Node) -> str:
    named = text(callee(call))
    if (parsed := _PARSED.search(named)) is not None:
        bits = function.number(arguments(call)[-1]) if arguments(call) else None
        kind = "int" if parsed[1] == "Int" else "uint"
        return f"{kind}{bits}" if bits in (8, 16, 32) else f"{kind}64"
    if function.file.basic(named) in SIZES:
        return function.file.basic(named)
    if named in ("min", "max") and arguments(call):
        return next(filter(None, (type_of(function, each) for each in arguments(call))), "")
    own = function.file.functions.get(named)
    if own is not None:
        result = text(own.child_by_field_name("result")).strip("()").split(",")[0].split()
        return function.file.basic(result[-1]) if result else ""
    return _MADE.get(named, "") or _METHODS.get(named.rpartition(".")[2], "")
