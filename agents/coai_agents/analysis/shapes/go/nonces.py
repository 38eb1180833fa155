"""Go: nonces and initialisation vectors that are the same each time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.shapes.go.function import DEPTH
from coai_agents.analysis.shapes.go.tree import arguments, callee, identifiers, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.findings.report import Reporter
    from coai_agents.analysis.shapes.go.function import GoFunction

_NONCES: Final = {
    "cipher.NewCBCEncrypter": 1, "cipher.NewCTR": 1, "cipher.NewCFBEncrypter": 1,
    "cipher.NewOFB": 1,
}  # fmt: skip
"""Which argument must never be the same twice; what decrypts takes what it is given."""

_SEALED: Final = 4
"""What an AEAD's `Seal` takes."""

_KEEPS: Final = re.compile(
    r"(?:cipher\.\w+|\w+\.(?:Seal|Open|XORKeyStream|CryptBlocks)|len|cap|append|string|print(?:ln)?"
    r"|fmt\.\w+|log\.\w+|(?:hex|base64)\.(?:\w+\.)?Encode\w*|bytes\.\w+)$"
)
"""What leaves the bytes that it is passed as they are."""


def check(function: GoFunction, node: Node, report: Reporter) -> None:
    """Report encryption with a nonce that is written in the code, or made and never filled."""
    called, passed = text(callee(node)), arguments(node)
    at = _NONCES.get(called, -1)
    if called.endswith(".Seal") and len(passed) == _SEALED:
        at = 1
    if not 0 <= at < len(passed):
        return
    nonce = passed[at]
    if identifiers(nonce) & _filled(function):
        return
    if _is_constant(function, nonce):
        report.add_of(
            "constant-iv", node, "The nonce is the same each time: two texts tell of each other."
        )


def _filled(function: GoFunction) -> set[str]:
    """Return the variables that are passed to something that may put other bytes into them."""
    found: set[str] = set()
    for node in function.nodes:
        if node.type == "call_expression" and not _KEEPS.match(text(callee(node))):
            if text(callee(node)) == "copy":
                passed = arguments(node)
                constant = len(passed) > 1 and _is_constant(function, passed[1])
                found |= set() if constant else identifiers(passed[0]) if passed else set()
            elif node.child_by_field_name("type") is None:
                found |= {name for each in arguments(node) for name in _bare(function, each)}
    return found


def _bare(function: GoFunction, node: Node) -> set[str]:
    """Return the variables that an argument is, or is a part of, unless it is only the first."""
    if node.type == "slice_expression" and _is_first_part(function, node):
        return set()
    if node.type in ("identifier", "slice_expression", "unary_expression"):
        return identifiers(node)
    return set()


def _is_first_part(function: GoFunction, part: Node) -> bool:
    """Say whether a part of a list ends before the list does, and is the only part that is used."""
    listed, end = part.child_by_field_name("operand"), part.child_by_field_name("end")
    if listed is None or end is None:
        return False
    made = function.value(listed)
    last = arguments(made)[-1:] if text(callee(made)) == "make" else []
    length = function.number(last[0]) if last else None
    stops = function.number(end)
    others = sum(
        each.type == "slice_expression"
        and text(each.child_by_field_name("operand")) == text(listed)
        for each in function.nodes
    )
    return length is not None and stops is not None and stops < length and others == 1


def _is_constant(function: GoFunction, node: Node, depth: int = 0) -> bool:
    value = function.value(node)
    match value.type:
        case "slice_expression" | "type_conversion_expression" if depth < DEPTH:
            operand = value.child_by_field_name("operand")
            return operand is not None and _is_constant(function, operand, depth + 1)
        case "interpreted_string_literal" | "raw_string_literal":
            return True
        case "composite_literal":
            body = value.child_by_field_name("body")
            return body is not None and not any(e.type == "identifier" for e in walk(body))
        case "call_expression":
            # What is made and never filled is nothing but zeros.
            if text(callee(value)) in ("make", "new"):
                return True
            own = function.file.functions.get(text(callee(value)))
            return own is not None and not arguments(value) and _returns_constant(own)
        case "identifier" if text(value) in function.parameters and depth < DEPTH:
            return _is_passed_constants(function, text(value))
        case "identifier":
            return re.fullmatch(r"\[\d+\]byte", function.types.get(text(value), "")) is not None
        case _:
            return False


def _is_passed_constants(function: GoFunction, parameter: str) -> bool:
    """Say whether a function is called in its file, and only with what is written there."""
    if not function.name[:1].islower():
        return False
    at = function.parameters.index(parameter)
    passed = [
        each
        for call in function.file.calls_of(function.name)
        for each in arguments(call)[at : at + 1]
    ]
    return bool(passed) and all(_is_made_constant(function, each) for each in passed)


def _is_made_constant(function: GoFunction, node: Node) -> bool:
    made = function.file.constants.get(text(node), node)
    if made.type == "call_expression":
        return text(callee(made)) == "make"
    return _is_written(made)


def _returns_constant(own: Node) -> bool:
    """Say whether a function of the file's own has nothing to return but what is written in it."""
    returned = [each for each in walk(own) if each.type == "return_statement"]
    return bool(returned) and all(
        each.named_children
        and all(_is_written(value) for value in each.named_children[0].named_children)
        for each in returned
    )


def _is_written(node: Node) -> bool:
    if node.type == "type_conversion_expression":
        operand = node.child_by_field_name("operand")
        return operand is not None and operand.type.endswith("string_literal")
    return node.type == "composite_literal" and not any(
        each.type in ("identifier", "call_expression") for each in walk(node)
    )
