"""C and C++: what becomes of the memory that a function takes, frees, or reads too early.

Statements are read in their order. Of two branches only what holds in both is known afterwards,
and a branch that leaves the function, a loop or a `switch` counts for nothing behind it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Confidence, Severity
from coai_agents.analysis.shapes.native_tree import (
    READING,
    arguments_of,
    name_of,
    taken_by,
    text_of,
    walk,
)

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.findings.report import Reporter

_FREEING: Final = frozenset({"free", "g_free", "kfree", "xfree", "OPENSSL_free", "delete"})
_LEAVING: Final = frozenset(
    {"return_statement", "goto_statement", "break_statement", "continue_statement"}
    | {"throw_statement", "co_return_statement"}
)
_ENDING: Final = re.compile(
    r"^(?:std::)?(?:_?exit|abort|quick_exit|err|errx|longjmp|die|usage|fatal)$"
)
_NESTED: Final = frozenset({"lambda_expression", "function_definition", "class_specifier"})

Known = dict[str, str]
"""Of a variable: `freed`, `unchecked`, `unset`."""


def check_memory(function: Node, report: Reporter) -> None:
    """Report what a function does with memory that is not there."""
    body = function.child_by_field_name("body")
    if body is not None:
        _Memory(function, report).read(body, {})


class _Memory:
    """One function, read from its beginning to its end."""

    def __init__(self, function: Node, report: Reporter) -> None:
        self._report = report
        self._text = text_of(function)
        self._jumps = "goto" in self._text
        self._made: dict[str, str] = {}
        """How the memory of a variable was taken: `new`, `new[]`, `malloc`."""
        self._freed_before: dict[str, set[str]] = {}
        """By label what was freed where something jumps to it."""

    def read(self, node: Node, known: Known) -> bool:
        """Read a statement, changing what is known; say whether what follows is not reached."""
        kind = node.type
        if kind in _NESTED:
            return False
        if kind == "compound_statement":
            return any(self.read(each, known) for each in node.named_children)
        if kind == "if_statement":
            return self._if(node, known)
        if kind in ("while_statement", "for_statement", "do_statement", "for_range_loop"):
            return self._loop(node, known)
        if kind == "switch_statement":
            self._switch(node, known)
            return False
        if kind in ("labeled_statement", "case_statement", "try_statement"):
            known.clear()
            freed = self._freed_before.get(text_of(node.child_by_field_name("label")), ())
            known.update(dict.fromkeys(freed, "freed"))
            for each in node.named_children:
                self.read(each, known)
            return False
        self._look(node, known)
        if kind == "goto_statement":
            label = text_of(node.child_by_field_name("label"))
            freed = {name for name, state in known.items() if state == "freed"}
            self._freed_before.setdefault(label, set()).update(freed)
        call = node.named_children[0] if node.named_children else None
        ends = call is not None and call.type == "call_expression" and _ENDING.match(name_of(call))
        return kind in _LEAVING or bool(ends)

    def _if(self, node: Node, known: Known) -> bool:
        test = node.child_by_field_name("condition")
        if test is not None:
            self._look(test, known)
            self._tested(test, known)
        yes, no = _settled(known), _settled(known)
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
        known.clear()
        known.update(_common(ways))
        return left and other

    def _loop(self, node: Node, known: Known) -> bool:
        for each in node.named_children:
            if each.type == "compound_statement" or each == node.child_by_field_name("body"):
                inside = dict(known)
                self.read(each, inside)
                kept = _common([known, inside])
                known.clear()
                known.update(kept)
            else:
                self._look(each, known)
                self._tested(each, known)
        return False

    def _switch(self, node: Node, known: Known) -> None:
        test, body = node.child_by_field_name("condition"), node.child_by_field_name("body")
        if test is not None:
            self._look(test, known)
        for each in [] if body is None else body.named_children:
            inside = dict(known)
            for part in each.named_children:
                self.read(part, inside)
        known.clear()

    def _tested(self, test: Node, known: Known) -> None:
        """Forget that what a condition asks about was not looked at."""
        for each in walk(test):
            if each.type == "identifier" and known.get(text_of(each)) == "unchecked":
                known.pop(text_of(each), None)

    def _look(self, node: Node, known: Known) -> None:
        """Read an expression or a declaration in the order in which its parts are evaluated."""
        kind = node.type
        if kind in _NESTED or kind in ("sizeof_expression", "decltype", "alignof_expression"):
            return
        if kind == "init_declarator":
            self._set(
                node.child_by_field_name("declarator"), node.child_by_field_name("value"), known
            )
        elif kind == "declaration":
            self._declare(node, known)
        elif kind == "assignment_expression":
            self._assigned(node, known)
        elif kind == "call_expression":
            self._call(node, known)
        elif kind == "delete_expression":
            self._free(node.named_children[-1], node, known, "delete")
        elif kind in ("pointer_expression", "field_expression", "subscript_expression"):
            self._followed(node, known)
        elif kind == "identifier":
            self._use(node, known)
        else:
            for each in node.named_children:
                self._look(each, known)
            if kind in ("binary_expression", "conditional_expression"):
                self._tested(node, known)

    def _declare(self, node: Node, known: Known) -> None:
        written = text_of(node)
        for each in node.named_children:
            if each.type == "init_declarator":
                self._look(each, known)
            elif each.type in ("identifier", "pointer_declarator"):
                name = re.sub(r"^[*\s]+(?:const\s+)?", "", text_of(each))
                known.pop(name, None)
                if _PLAIN.match(written) and re.fullmatch(r"\w+", name):
                    known[name] = "unset"

    def _set(self, target: Node | None, value: Node | None, known: Known) -> None:
        if value is not None:
            self._look(value, known)
        name = re.sub(r"^[*&\s]+(?:const\s+)?", "", text_of(target))
        known.pop(name, None)
        _forget_members(name, known)
        made = taken_by(value)
        if made and target is not None and re.fullmatch(r"\w+", name):
            self._made[name] = made
            if made == "malloc":
                known[name] = "unchecked"
        else:
            self._made.pop(name, None)

    def _assigned(self, node: Node, known: Known) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is not None and left.type == "identifier" and _operator(node) == "=":
            self._set(left, right, known)
            return
        if right is not None:
            self._look(right, known)
        if left is not None and left.type == "field_expression":
            known.pop(text_of(left), None)
            self._followed(left, known)
        elif left is not None:
            self._look(left, known)

    def _call(self, node: Node, known: Known) -> None:
        name, given = name_of(node), arguments_of(node)
        if name in _FREEING and len(given) == 1:
            self._free(given[0], node, known, name)
            return
        function = node.child_by_field_name("function")
        if function is not None and function.type != "identifier":
            self._look(function, known)
        for each in given:
            self._look(each, known)
            _forget_members(text_of(each).lstrip("&"), known)
            if each.type == "identifier" and known.get(text_of(each)) == "unchecked":
                if name in _WRITING and each == given[0]:
                    self._unchecked(each, known)
                elif name not in READING:
                    # Whoever is passed it may look.
                    known.pop(text_of(each), None)

    def _free(self, given: Node, node: Node, known: Known, how: str) -> None:
        name = text_of(given)
        if given.type not in ("identifier", "field_expression"):
            self._look(given, known)
            return
        if known.get(name) in ("freed", "perhaps"):
            self._report.add_of(
                "use-after-free", node, f"{name} was freed before: this frees it again."
            )
        made = self._made.get(name, "")
        written = "delete[]" if re.match(r"delete\s*\[", text_of(node)) else how
        if made and _MATCHING.get(made, written) != (
            written if written in ("delete", "delete[]") else "free"
        ):
            self._report.add_of(
                "use-after-free",
                node,
                f"{name} was taken with {made}: {written} does not give it back.",
            )
        known[name] = "freed"

    def _followed(self, node: Node, known: Known) -> None:
        of = node.child_by_field_name("argument")
        operator = text_of(node.child_by_field_name("operator"))
        if of is None:
            return
        if node.type == "pointer_expression" and operator == "&":
            # Whoever is given the address may set it.
            known.pop(text_of(of), None)
            return
        index = [each for each in node.named_children if each != of]
        for each in index if node.type == "subscript_expression" else []:
            self._look(each, known)
        if of.type != "identifier":
            self._look(of, known)
        reached = node.type != "field_expression" or operator == "->"
        if reached and known.get(text_of(of)) == "unchecked":
            self._unchecked(of, known)
        elif reached or known.get(text_of(of)) == "unset":
            self._use(of, known)
        if known.get(text_of(node)) == "freed":
            self._use(node, known)

    def _unchecked(self, node: Node, known: Known) -> None:
        name = text_of(node)
        known.pop(name, None)
        self._report.add_seen(
            "null-dereference",
            node,
            f"{name} is null where there was no memory, and nothing asks.",
            (Severity.INFORMATION, Confidence.MEDIUM),
        )

    def _use(self, node: Node, known: Known) -> None:
        name = text_of(node)
        state = known.get(name)
        around = node.parent
        if state == "freed" and not (around is not None and around.type == "binary_expression"):
            self._report.add_of("use-after-free", node, f"{name} was freed before.")
            known.pop(name, None)
        elif state == "unset" and not self._jumps:
            self._report.add_of("uninitialized-value", node, f"Nothing has set {name} yet.")
            known.pop(name, None)


_PLAIN: Final = re.compile(
    r"(?:unsigned\s+|signed\s+|long\s+|const\s+)*(?:int|long|short|char|float|double|size_t|ssize_t"
    r"|bool|u?int\d+_t)\s+[\w\s,=*]+;$"
)
_WRITING: Final = frozenset(
    {"strcpy", "strcat", "strncpy", "memcpy", "memset", "memmove", "sprintf", "fgets"}
)
_MATCHING: Final = {"new": "delete", "new[]": "delete[]", "malloc": "free"}


def _forget_members(name: str, known: Known) -> None:
    """Forget what is known of the members of what is set, or passed to somebody."""
    for each in [each for each in known if each.startswith((f"{name}->", f"{name}."))]:
        known.pop(each)


def _common(ways: list[Known]) -> Known:
    """Return what holds in every one of several ways."""
    if not ways:
        return {}
    first, *others = ways
    kept = {k: v for k, v in first.items() if all(each.get(k) == v for each in others)}
    for each in ways:
        # What is freed on one way only must not be freed again, whatever else may be done with it.
        kept.update({k: "perhaps" for k, v in each.items() if v == "freed" and k not in kept})
    return kept


def _settled(known: Known) -> Known:
    """Return what holds inside of a branch, which may ask for what decided another one."""
    return {name: state for name, state in known.items() if state != "perhaps"}


def _operator(node: Node) -> str:
    return text_of(node.child_by_field_name("operator"))
