"""C and C++: arrays of a known size, read or written beyond their end, and copied into too far."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.shapes.native_calls import check_calls
from coai_agents.analysis.shapes.native_leaks import check_leaks
from coai_agents.analysis.shapes.native_locks import check_locks
from coai_agents.analysis.shapes.native_memory import check_memory
from coai_agents.analysis.shapes.native_objects import check_objects
from coai_agents.analysis.shapes.native_tree import text_of, walk

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.findings.report import Reporter

_SIZED: Final = {"memcpy": 2, "memmove": 2, "memset": 2, "strncpy": 2, "fgets": 1, "snprintf": 1}
"""Functions that write to their first argument, and which argument says how much."""

_STEP: Final = re.compile(r"(?:\+\+\s*(\w+)|(\w+)\s*\+\+|(\w+)\s*\+=\s*1)$")


def check_native(root: Node, report: Reporter) -> None:
    """Report what the functions of a C or C++ file show by themselves."""
    for node in walk(root):
        if node.type == "function_definition":
            _Function(node, report, _defined(root)).check()
            check_memory(node, report)
            check_leaks(node, report)
    check_calls(root, report)
    check_locks(root, report)
    check_objects(root, report)


def _defined(root: Node) -> dict[str, str]:
    """Return the file's macros that stand for one thing."""
    return {
        text_of(each.child_by_field_name("name")): text_of(
            each.child_by_field_name("value")
        ).strip()
        for each in root.named_children
        if each.type == "preproc_def"
    }


class _Function:
    """One function, and the arrays that it declares."""

    def __init__(self, node: Node, report: Reporter, defined: dict[str, str]) -> None:
        self._report = report
        self._defined = defined
        self._nodes = list(walk(node))
        self._sizes: dict[str, int] = {}
        self._bytes: dict[str, int] = {}
        """Sizes of arrays whose elements have one byte."""
        shadowed: set[str] = set()
        for each in self._nodes:
            if each.type == "array_declarator":
                self._declare(each, shadowed)
        for name in shadowed:
            self._sizes.pop(name, None)
            self._bytes.pop(name, None)

    def _declare(self, node: Node, shadowed: set[str]) -> None:
        named = node.child_by_field_name("declarator")
        size = self._number(node.child_by_field_name("size"))
        name = text_of(named)
        if named is None or named.type != "identifier":
            return
        if name in self._sizes or size is None:
            shadowed.add(name)
            return
        around = node.parent
        while around is not None and around.type not in ("declaration", "parameter_declaration"):
            around = around.parent
        if around is None or around.type == "parameter_declaration":
            # An array that is passed is a pointer.
            shadowed.add(name)
            return
        self._sizes[name] = size
        if re.search(r"\bchar\b|\bu?int8_t\b", text_of(around.child_by_field_name("type"))):
            self._bytes[name] = size

    def _number(self, node: Node | None) -> int | None:
        text = text_of(node)
        text = self._defined.get(text, text)
        if re.fullmatch(r"(?:0[xX][0-9a-fA-F]+|\d+)[uUlL]*", text) is None:
            return None
        digits = text.rstrip("uUlL")
        try:
            return int(digits, 8 if re.fullmatch(r"0\d+", digits) else 0)
        except ValueError:
            return None

    def check(self) -> None:
        """Report what is found."""
        for node in self._nodes:
            if node.type == "subscript_expression":
                self._index(node)
            elif node.type == "for_statement":
                self._loop(node)
            elif node.type == "call_expression":
                self._copy(node)

    def _size_at(self, node: Node) -> tuple[int, Node] | None:
        """Return an array's size and the index that it is read or written at."""
        size = self._sizes.get(text_of(node.child_by_field_name("argument")))
        indices = node.child_by_field_name("index")
        if indices is None:
            indices = next((e for e in node.named_children if "subscript" in e.type), None)
        if indices is not None and indices.type == "subscript_argument_list":
            indices = indices.named_children[0] if indices.named_children else None
        return None if size is None or indices is None else (size, indices)

    def _index(self, node: Node) -> None:
        found = self._size_at(node)
        at = None if found is None else self._number(found[1])
        around = node.parent
        # The address behind the last element may be taken.
        taken = around is not None and around.type == "pointer_expression"
        if found is not None and at is not None and at >= found[0] and not taken:
            self._beyond(node, found[0])

    def _loop(self, node: Node) -> None:
        step = _STEP.match(text_of(node.child_by_field_name("update")))
        test = node.child_by_field_name("condition")
        body = node.child_by_field_name("body")
        if step is None or test is None or body is None or test.type != "binary_expression":
            return
        counter = next(each for each in step.groups() if each)
        operator = text_of(test.child_by_field_name("operator"))
        last = self._number(test.child_by_field_name("right"))
        if text_of(test.child_by_field_name("left")) != counter or last is None:
            return
        if operator not in ("<", "<="):
            return
        highest = last if operator == "<=" else last - 1
        inside = list(walk(body))
        if any(
            each.type in ("break_statement", "return_statement", "if_statement") for each in inside
        ):
            # Something else may end it, or keep it from where it would do harm.
            return
        for each in inside:
            found = self._size_at(each) if each.type == "subscript_expression" else None
            if found is not None and text_of(found[1]) == counter and highest >= found[0]:
                self._beyond(each, found[0])

    def _copy(self, node: Node) -> None:
        name = text_of(node.child_by_field_name("function")).removeprefix("std::")
        listed = node.child_by_field_name("arguments")
        arguments = (
            [] if listed is None else [e for e in listed.named_children if e.type != "comment"]
        )
        at = _SIZED.get(name)
        if at is None or at >= len(arguments):
            return
        size = self._bytes.get(text_of(arguments[0]))
        count = self._number(arguments[at])
        if size is not None and count is not None and count > size:
            self._beyond(node, size)

    def _beyond(self, node: Node, size: int) -> None:
        self._report.add_of(
            "off-by-one", node, f"The array has {size} elements: this is beyond its end."
        )
