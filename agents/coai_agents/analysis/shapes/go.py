"""Go: contexts that are never cancelled, conversions that cut, bounds that do not hold, nonces.

Each check looks at one function, knows what its own variables are declared as or made of, and is
silent where a test of the same variable, or a value that nobody can tell, comes in between.

One file, because all checks share what is known of one function's variables.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Confidence, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.analysis.findings.report import Reporter

_FUNCTIONS: Final = frozenset({"function_declaration", "method_declaration"})

_CANCELLED: Final = re.compile(r"context\.With(?:Cancel|Timeout|Deadline)(?:Cause)?$")

_DETACHED: Final = re.compile(r"context\.(?:Background|TODO)\(\)")

_REQUESTED: Final = re.compile(
    r"context\.Context\b|\*http\.Request\b|gin\.Context\b|echo\.Context\b"
)
"""Types of parameters by which a function knows when its work is no longer wanted."""

_SIZES: Final = {
    "int8": (True, 8), "int16": (True, 16), "int32": (True, 32), "rune": (True, 32),
    "int64": (True, 64), "int": (True, 64), "uint8": (False, 8), "byte": (False, 8),
    "uint16": (False, 16), "uint32": (False, 32), "uint64": (False, 64), "uint": (False, 64),
    "uintptr": (False, 64),
}  # fmt: skip
"""Whether a type has a sign, and its bits; of those that depend on the machine, the most."""

_LEAST: Final = {"int": 32, "uint": 32, "uintptr": 32}
"""The bits of the types that depend on the machine, at least."""

_MADE: Final = {"strconv.Atoi": "int", "len": "int", "cap": "int"}

_PARSED: Final = re.compile(r"strconv\.Parse(Int|Uint)$")

_NONCES: Final = {
    "cipher.NewCBCEncrypter": 1, "cipher.NewCTR": 1, "cipher.NewCFBEncrypter": 1,
    "cipher.NewOFB": 1, "cipher.NewCBCDecrypter": -1,
}  # fmt: skip
"""Which argument must never be the same twice; what decrypts takes what it is given."""

_FILLED: Final = re.compile(
    r"(?:rand\.Read|io\.ReadFull|\.Read|copy|binary\.\w+\.Put\w+|hex\.Decode)$"
)
"""Functions that put something into the bytes that they are passed."""


def check_go(root: Node, report: Reporter) -> None:
    """Report what the functions of a Go file show by themselves."""
    constants = _constants(root)
    for node in _walk(root):
        if node.type in _FUNCTIONS and node.child_by_field_name("body") is not None:
            function = _Function(node, constants, report)
            function.check()


def _walk(node: Node) -> Iterator[Node]:
    waiting = [node]
    while waiting:
        each = waiting.pop()
        yield each
        waiting.extend(reversed(each.named_children))


def _text(node: Node | None) -> str:
    return "" if node is None or node.text is None else node.text.decode("utf-8", "replace")


def _constants(root: Node) -> dict[str, Node]:
    """Return the file's own variables and constants, and what they are."""
    found: dict[str, Node] = {}
    for declaration in root.named_children:
        if declaration.type in ("var_declaration", "const_declaration"):
            for spec in _walk(declaration):
                value = spec.child_by_field_name("value")
                if spec.type in ("var_spec", "const_spec") and value is not None:
                    names = spec.children_by_field_name("name")
                    if len(names) == 1:
                        found[_text(names[0])] = value.named_children[0]
    return found


class _Function:
    """One function, and what is known of its variables."""

    def __init__(self, node: Node, constants: dict[str, Node], report: Reporter) -> None:
        self._node = node
        self._report = report
        self._nodes = list(_walk(node))
        self._types: dict[str, str] = {}
        self._values: dict[str, Node] = dict(constants)
        """What a variable is made of that is given a value once."""
        self._given: dict[str, int] = {}
        self._tested: set[str] = set()
        """Variables that are compared with something, wherever."""
        self._filled: set[str] = set()
        for each in self._nodes:
            self._learn(each)

    def check(self) -> None:
        """Report what is found."""
        for node in self._nodes:
            if node.type == "call_expression":
                self._conversion(node)
                self._nonce(node)
                self._detached(node)
            elif node.type in ("short_var_declaration", "assignment_statement"):
                self._context(node)
            elif node.type in ("index_expression", "slice_expression"):
                self._bounds(node)

    # ------------------------------------------------------------------------ what is known

    def _learn(self, node: Node) -> None:
        kind = node.type
        if kind in ("parameter_declaration", "var_spec"):
            declared = _text(node.child_by_field_name("type"))
            for name in node.children_by_field_name("name"):
                if declared:
                    self._types[_text(name)] = declared
                if kind == "var_spec" and (value := node.child_by_field_name("value")) is not None:
                    self._give(_text(name), value.named_children[0])
        elif kind in ("short_var_declaration", "assignment_statement"):
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            if left is not None and right is not None:
                self._assign(left, right)
        elif kind == "binary_expression":
            if _text(node.child_by_field_name("operator")) in ("<", ">", "<=", ">=", "==", "!="):
                self._tested |= {_text(e) for e in _walk(node) if e.type == "identifier"}
        elif kind in ("inc_statement", "dec_statement", "range_clause"):
            self._given |= {_text(e): 2 for e in _walk(node) if e.type == "identifier"}
        elif kind == "call_expression" and _FILLED.search(_text(_callee(node))):
            self._filled |= {_text(e) for e in _walk(node) if e.type == "identifier"}

    def _assign(self, left: Node, right: Node) -> None:
        names, values = left.named_children, right.named_children
        for at, name in enumerate(names):
            if name.type != "identifier":
                self._given.update({_text(e): 2 for e in _walk(name) if e.type == "identifier"})
            elif len(values) == len(names):
                self._give(_text(name), values[at])
            else:
                self._given[_text(name)] = self._given.get(_text(name), 0) + 1
                if at == 0 and values:
                    self._values[_text(name)] = values[0]

    def _give(self, name: str, value: Node) -> None:
        self._given[name] = self._given.get(name, 0) + 1
        self._values[name] = value

    def _value(self, node: Node) -> Node:
        """Return what a variable is made of, if it is given a value once."""
        for _ in range(4):
            name = _text(node)
            if node.type != "identifier" or self._given.get(name, 1) > 1:
                break
            known = self._values.get(name)
            if known is None:
                break
            node = known
        return node

    def _number(self, node: Node) -> int | None:
        value = self._value(node)
        if value.type == "int_literal":
            try:
                return int(_text(value).replace("_", ""), 0)
            except ValueError:
                return None
        return None

    # -------------------------------------------------------------------------- conversions

    def _type_of(self, node: Node) -> str:
        if node.type == "parenthesized_expression":
            return self._type_of(node.named_children[0])
        if node.type == "call_expression":
            callee = _text(_callee(node))
            if (parsed := _PARSED.search(callee)) is not None:
                bits = self._number(_arguments(node)[-1]) if _arguments(node) else None
                kind = "int" if parsed[1] == "Int" else "uint"
                return f"{kind}{bits}" if bits in (8, 16, 32) else f"{kind}64"
            return callee if callee in _SIZES else _MADE.get(callee, "")
        if node.type == "identifier":
            declared = self._types.get(_text(node), "")
            if declared:
                return declared
            value = self._values.get(_text(node))
            return "" if value is None or value.type == "identifier" else self._type_of(value)
        return ""

    def _conversion(self, node: Node) -> None:
        target = _text(_callee(node))
        arguments = _arguments(node)
        if target not in _SIZES or len(arguments) != 1:
            return
        source = self._type_of(arguments[0])
        if source not in _SIZES or not _cuts(source, target) or self._number(arguments[0]):
            return
        if any(_text(e) in self._tested for e in _walk(arguments[0]) if e.type == "identifier"):
            return
        callee = (
            _text(_callee(value))
            if (value := self._value(arguments[0])).type == "call_expression"
            else ""
        )
        if callee in ("len", "cap"):
            return
        parsed = callee.startswith("strconv.")
        self._report.add_seen(
            "numeric-precision",
            node,
            f"A value of type {source} is cut where it does not fit into {target}.",
            (Severity.WARNING, Confidence.HIGH)
            if parsed
            else (Severity.INFORMATION, Confidence.LOW),
        )

    # ------------------------------------------------------------------------------- bounds

    def _length(self, node: Node) -> tuple[int, int] | None:
        """Return the length and the capacity of a slice or an array that is made in sight."""
        declared = re.fullmatch(r"\[(\d+)\].+", self._types.get(_text(node), ""))
        if declared is not None:
            return int(declared[1]), int(declared[1])
        value = self._value(node)
        if value.type == "call_expression" and _text(_callee(value)) == "make":
            sizes = [self._number(each) for each in _arguments(value)[1:]]
            if sizes and sizes[0] is not None and sizes[-1] is not None:
                return sizes[0], sizes[-1]
        if value.type == "composite_literal":
            body = value.child_by_field_name("body")
            kind = value.child_by_field_name("type")
            if kind is None or body is None or kind.type not in ("slice_type", "array_type"):
                return None
            if any(each.type == "keyed_element" for each in body.named_children):
                return None
            count = sum(each.type != "comment" for each in body.named_children)
            length = kind.child_by_field_name("length")
            size = count if length is None else self._number(length)
            return None if size is None else (size, size)
        return None

    def _highest(self, index: Node) -> int | None:
        """Return the highest index that is asked for: a constant, or what a loop counts up to."""
        known = self._number(index)
        if known is not None or index.type != "identifier":
            return known
        around = index.parent
        while around is not None and around.type not in ("for_statement", *_FUNCTIONS):
            if around.type in ("if_statement", "expression_switch_statement"):
                return None
            around = around.parent
        clause = (
            None
            if around is None
            else next((each for each in around.named_children if each.type == "for_clause"), None)
        )
        test = None if clause is None else clause.child_by_field_name("condition")
        if (
            around is None
            or test is None
            or _text(test.child_by_field_name("left")) != _text(index)
        ):
            return None
        if any(each.type in ("break_statement", "return_statement") for each in _walk(around)):
            return None
        last = test.child_by_field_name("right")
        bound = None if last is None else self._number(last)
        offset = {"<": -1, "<=": 0}.get(_text(test.child_by_field_name("operator")))
        return None if bound is None or offset is None else bound + offset

    def _bounds(self, node: Node) -> None:
        operand = node.child_by_field_name("operand")
        if operand is None or operand.type != "identifier" or _text(operand) in self._tested:
            return
        sizes = self._length(operand)
        if sizes is None:
            return
        length, capacity = sizes
        if node.type == "index_expression":
            index = node.child_by_field_name("index")
            at = None if index is None else self._highest(index)
            wrong = at is not None and at >= length
        else:
            start, end = node.child_by_field_name("start"), node.child_by_field_name("end")
            low = 0 if start is None else self._number(start)
            high = length if end is None else self._number(end)
            beyond = [each for each in (low, high) if each is not None and each > capacity]
            crossed = low is not None and high is not None and low > high
            wrong = bool(beyond) or crossed
        if wrong:
            name = _text(operand)
            self._report.add_of(
                "off-by-one", node, f"{name} has {length} elements: this is beyond its end."
            )

    # ----------------------------------------------------------------------------- contexts

    def _context(self, node: Node) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None or len(left.named_children) != 2:  # noqa: PLR2004 - context, cancel
            return
        call = right.named_children[0]
        if call.type != "call_expression" or not _CANCELLED.search(_text(_callee(call))):
            return
        cancel = left.named_children[1]
        name = _text(cancel)
        used = [
            each
            for each in self._nodes
            if each.type == "identifier" and _text(each) == name and each != cancel
        ]
        if cancel.type in ("identifier", "blank_identifier") and not self._is_handed(used):
            self._report.add_of(
                "resource-leak",
                call,
                "The context is never cancelled: its timer and its children stay.",
            )

    def _is_handed(self, used: list[Node]) -> bool:
        """Say whether a function is called, or given to somebody who may call it."""
        for each in used:
            parent = each.parent
            blank = parent is not None and parent.type == "expression_list"
            around = parent.parent if parent is not None and blank else None
            if around is not None and around.type == "assignment_statement":
                targets = around.child_by_field_name("left")
                if targets is not None and (
                    each in targets.named_children or _text(targets) == "_"
                ):
                    continue
            return True
        return False

    def _detached(self, node: Node) -> None:
        """Report work in the background that goes on when nobody wants its outcome any more."""
        if not _DETACHED.fullmatch(_text(node)):
            return
        around: Node | None = node.parent
        while around is not None and around.type != "go_statement":
            around = None if around == self._node else around.parent
        parameters = _text(self._node.child_by_field_name("parameters"))
        if around is not None and _REQUESTED.search(parameters):
            self._report.add_of(
                "resource-leak",
                node,
                "The goroutine does not end with the request that it is for: it has a context of"
                " its own.",
            )

    # ------------------------------------------------------------------------------- nonces

    def _nonce(self, node: Node) -> None:
        callee = _text(_callee(node))
        arguments = _arguments(node)
        at = _NONCES.get(callee, -1)
        if callee.endswith(".Seal") and len(arguments) == 4:  # noqa: PLR2004 - what an AEAD takes
            at = 1
        if not 0 <= at < len(arguments):
            return
        nonce = arguments[at]
        names = {_text(e) for e in _walk(nonce) if e.type == "identifier"}
        if names & self._filled:
            return
        if self._is_constant(nonce):
            self._report.add_of(
                "constant-iv",
                node,
                "The nonce is the same each time: two texts tell of each other.",
            )

    def _is_constant(self, node: Node) -> bool:
        value = self._value(node)
        if value.type == "slice_expression":
            operand = value.child_by_field_name("operand")
            return operand is not None and self._is_constant(operand)
        if value.type in ("interpreted_string_literal", "raw_string_literal"):
            return True
        if value.type == "type_conversion_expression":
            operand = value.child_by_field_name("operand")
            return operand is not None and self._is_constant(operand)
        if value.type == "composite_literal":
            body = value.child_by_field_name("body")
            return body is not None and all(
                each.named_children and each.named_children[0].type.endswith("_literal")
                for each in body.named_children
                if each.type == "literal_element"
            )
        # What is made and never filled is nothing but zeros.
        return value.type == "call_expression" and _text(_callee(value)) == "make"


def _callee(call: Node) -> Node | None:
    return call.child_by_field_name("function")


def _arguments(call: Node) -> list[Node]:
    listed = call.child_by_field_name("arguments")
    return [] if listed is None else [e for e in listed.named_children if e.type != "comment"]


def _cuts(source: str, target: str) -> bool:
    """Say whether a type has values that another one cannot hold."""
    signed, bits = _SIZES[source]
    other, room = _SIZES[target][0], _LEAST.get(target, _SIZES[target][1])
    if source == target or (source in _LEAST and target in _LEAST and signed == other):
        return False
    if source in _LEAST and room >= 64:  # noqa: PLR2004 - the widest
        room = 64
    if signed and not other:
        return True
    if not signed and other:
        return bits >= room
    return bits > room
