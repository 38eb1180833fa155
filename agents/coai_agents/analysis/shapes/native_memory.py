"""C and C++: what becomes of the memory that a function takes, frees, reads too early, or loses.

Statements are read in their order. Of two branches only what holds in both is known afterwards,
and a branch that leaves the function, a loop or a `switch` counts for nothing behind it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Confidence, Severity
from coai_agents.analysis.shapes.native_tree import arguments_of, name_of, text_of, walk

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.findings.report import Reporter

_FREEING: Final = frozenset({"free", "g_free", "kfree", "xfree", "OPENSSL_free", "delete"})
_TAKING: Final = frozenset({"malloc", "calloc", "strdup", "strndup", "realloc", "aligned_alloc"})
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
_READING: Final = frozenset(
    {
        "printf",
        "fprintf",
        "sprintf",
        "snprintf",
        "puts",
        "fputs",
        "fgets",
        "fread",
        "fwrite",
        "fseek",
    }
    | {"ftell", "rewind", "fscanf", "sscanf", "fgetc", "getc", "fputc", "putc", "feof", "ferror"}
    | {"fflush", "strcpy", "strncpy", "strcat", "strncat", "strlen", "strcmp", "strncmp", "strchr"}
    | {"memcpy", "memmove", "memset", "memcmp", "read", "write", "atoi", "readdir", "getline"}
)
"""Functions that look at what they are passed, and keep nothing of it."""

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
    """Report what a function does with memory that is not there, or never gives back."""
    body = function.child_by_field_name("body")
    if body is not None:
        _Memory(function, report).read(body, {})
        _lost(function, report)


class _Memory:
    """One function, read from its beginning to its end."""

    def __init__(self, function: Node, report: Reporter) -> None:
        self._report = report
        self._text = text_of(function)
        self._jumps = "goto" in self._text
        self._made: dict[str, str] = {}
        """How the memory of a variable was taken: `new`, `new[]`, `malloc`."""

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
            for each in node.named_children:
                self.read(each, known)
            return False
        self._look(node, known)
        call = node.named_children[0] if node.named_children else None
        ends = call is not None and call.type == "call_expression" and _ENDING.match(name_of(call))
        return kind in _LEAVING or bool(ends)

    def _if(self, node: Node, known: Known) -> bool:
        test = node.child_by_field_name("condition")
        if test is not None:
            self._look(test, known)
            self._tested(test, known)
        yes, no = dict(known), dict(known)
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
        made = _taken(value)
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
            left = left.child_by_field_name("argument")
        if left is not None:
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
                elif name not in _READING:
                    # Whoever is passed it may look.
                    known.pop(text_of(each), None)

    def _free(self, given: Node, node: Node, known: Known, how: str) -> None:
        name = text_of(given)
        if given.type not in ("identifier", "field_expression"):
            self._look(given, known)
            return
        if known.get(name) == "freed":
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
    return {k: v for k, v in first.items() if all(each.get(k) == v for each in others)}


def _operator(node: Node) -> str:
    return text_of(node.child_by_field_name("operator"))


def _taken(value: Node | None) -> str:
    """Return how an expression takes memory; nothing if it does not."""
    while value is not None and value.type in ("cast_expression", "parenthesized_expression"):
        value = value.child_by_field_name("value") or value.named_children[-1]
    if value is None:
        return ""
    if value.type == "new_expression":
        if "nothrow" in text_of(value) or value.child_by_field_name("placement") is not None:
            return ""
        return "new[]" if value.child_by_field_name("declarator") is not None else "new"
    return "malloc" if value.type == "call_expression" and name_of(value) in _TAKING else ""


def _lost(function: Node, report: Reporter) -> None:
    """Report what is taken or opened by a function, and neither given back nor handed on."""
    body = function.child_by_field_name("body")
    nodes = [] if body is None else list(walk(body))
    for node in nodes:
        if node.type != "init_declarator":
            continue
        value = node.child_by_field_name("value")
        target = node.child_by_field_name("declarator")
        name = re.sub(r"^[*\s]+", "", text_of(target))
        taken = _taken(value)
        opened = (
            _OPENING.get(name_of(value))
            if value is not None and value.type == "call_expression"
            else None
        )
        if not (taken or opened) or not re.fullmatch(r"\w+", name):
            continue
        if not _is_handed(name, nodes, node):
            what = "closed" if opened else "freed"
            report.add_seen(
                "resource-leak",
                node,
                f"{name} is never {what}, and nobody else has it.",
                (Severity.INFORMATION, Confidence.MEDIUM),
            )


def _is_handed(name: str, nodes: list[Node], declared: Node) -> bool:
    """Say whether somebody may give back what a variable holds."""
    for each in nodes:
        if each.type != "identifier" or text_of(each) != name or each.parent is None:
            continue
        if declared.start_byte <= each.start_byte < declared.end_byte:
            continue
        around = each.parent
        if around.type == "argument_list" and around.parent is not None:
            if name_of(around.parent) not in _READING:
                return True
        elif around.type not in _LOOKING and not text_of(around).startswith("*"):
            return True
    return False


_LOOKING: Final = frozenset(
    {"binary_expression", "parenthesized_expression", "subscript_expression", "field_expression"}
    | {"condition_clause", "unary_expression"}
)
"""What only asks for a variable's value."""
