"""C and C++: what a function takes or opens, and does not give back, at all or on one way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Confidence, Severity
from coai_agents.analysis.shapes.native_tree import READING, name_of, taken_by, text_of, walk

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.findings.report import Reporter

_OPENING: Final = {
    "fopen": "fclose",
    "fdopen": "fclose",
    "tmpfile": "fclose",
    "opendir": "closedir",
} | {
    "popen": "pclose",
    "open": "close",
    "socket": "close",
    "creat": "close",
}
"""Functions that open something, and what closes it."""

_SEEN: Final = (Severity.INFORMATION, Confidence.MEDIUM)

_NESTED: Final = frozenset({"lambda_expression", "function_definition", "class_specifier"})
_LOOPS: Final = frozenset({"while_statement", "for_statement", "do_statement", "for_range_loop"})
_UNCLEAR: Final = frozenset(
    {"switch_statement", "labeled_statement", "case_statement", "try_statement"}
)
_LEAVING: Final = frozenset(
    {"goto_statement", "break_statement", "continue_statement", "throw_statement"}
)

Owned = dict[str, str]
"""Variables that hold what has to be given back, and how it is."""


def check_leaks(function: Node, report: Reporter) -> None:
    """Report what is taken or opened by a function, and neither given back nor handed on."""
    body = function.child_by_field_name("body")
    if body is None:
        return
    nodes = list(walk(body))
    handed: set[str] = set()
    for node in nodes:
        name, how = _taken(node)
        if not name:
            continue
        if any(
            each.type == "identifier" and text_of(each) == name and _is_handed(each, node)
            for each in nodes
        ):
            handed.add(name)
            continue
        what = "closed" if how == "closed" else "freed"
        report.add_seen(
            "resource-leak", node, f"{name} is never {what}, and nobody else has it.", _SEEN
        )
    if handed:
        _Ways(report, handed).read(body, {})


def _taken(node: Node) -> tuple[str, str]:
    """Return the variable that a declaration lets own something, and how it is given back."""
    if node.type != "init_declarator":
        return "", ""
    value = node.child_by_field_name("value")
    name = re.sub(r"^[*\s]+", "", text_of(node.child_by_field_name("declarator")))
    opened = value is not None and value.type == "call_expression" and name_of(value) in _OPENING
    if not (opened or taken_by(value)) or not re.fullmatch(r"\w+", name):
        return "", ""
    return name, "closed" if opened else "freed"


class _Ways:
    """One function: which of its ways leave it with something that another way gives back."""

    def __init__(self, report: Reporter, handed: set[str]) -> None:
        self._report = report
        self._handed = handed

    def read(self, node: Node, owned: Owned) -> bool:
        """Read a statement, changing what is owned; say whether what follows is not reached."""
        kind = node.type
        if kind in _NESTED:
            return False
        if kind == "compound_statement":
            return any(self.read(each, owned) for each in node.named_children)
        if kind == "if_statement":
            return self._if(node, owned)
        if kind in _LOOPS:
            body = node.child_by_field_name("body")
            if body is not None:
                self.read(body, dict(owned))
        if kind in _UNCLEAR:
            owned.clear()
            return False
        self._look(node, owned)
        if kind == "return_statement":
            for name, how in owned.items():
                self._report.add_seen(
                    "resource-leak", node, f"{name} is not {how} on this way out.", _SEEN
                )
            return True
        return kind in _LEAVING

    def _if(self, node: Node, owned: Owned) -> bool:
        test = node.child_by_field_name("condition")
        yes, no = dict(owned), dict(owned)
        if test is not None:
            for each in (owned, yes, no):
                self._look(test, each)
            for name in list(owned):
                absent = _absence(name, text_of(test))
                (yes if absent else no).pop(name, None) if absent is not None else None
        consequence = node.child_by_field_name("consequence")
        alternative = node.child_by_field_name("alternative")
        left = consequence is not None and self.read(consequence, yes)
        other = False
        if alternative is not None:
            inner = (
                alternative.named_children if alternative.type == "else_clause" else [alternative]
            )
            other = any(self.read(each, no) for each in inner)
        ways = [each for each, gone in ((yes, left), (no, other)) if not gone]
        kept = {k: v for k, v in owned.items() if ways and all(k in each for each in ways)}
        owned.clear()
        owned.update(kept)
        return left and other

    def _look(self, node: Node, owned: Owned) -> None:
        """Take note of what a statement takes, gives back and hands on."""
        for each in walk(node):
            if each.type == "identifier" and text_of(each) in owned and _is_handed(each, None):
                owned.pop(text_of(each))
        for each in walk(node):
            name, how = _taken(each)
            if name in self._handed:
                owned[name] = how


def _absence(name: str, test: str) -> bool | None:
    """Say whether there is nothing where a test holds, or where it does not; None if neither."""
    word = rf"(?<![\w.>]){re.escape(name)}"
    if re.search(rf"!\s*{word}\b|{word}\s*(?:==\s*(?:NULL|nullptr|0|-1)|<\s*0)\b", test):
        return True
    if re.search(rf"{word}\s*(?:!=\s*(?:NULL|nullptr|0|-1)|>=?\s*-?[01])|^\(\s*{word}\s*\)$", test):
        return False
    return None


def _is_handed(node: Node, declared: Node | None) -> bool:
    """Say whether somebody may give back what a variable holds, by where it is written."""
    around = node.parent
    if around is None:
        return False
    if declared is not None and declared.start_byte <= node.start_byte < declared.end_byte:
        return False
    if around.type == "init_declarator" and node == around.child_by_field_name("declarator"):
        return False
    if around.type == "argument_list" and around.parent is not None:
        return name_of(around.parent) not in READING
    return around.type not in _LOOKING and not text_of(around).startswith("*")


_LOOKING: Final = frozenset(
    {"binary_expression", "parenthesized_expression", "subscript_expression", "field_expression"}
    | {"condition_clause", "unary_expression"}
)
"""What only asks for a variable's value."""
