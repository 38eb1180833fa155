"""C and C++: calls that are wrong by their order, by what they are passed, or by what they lack."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Confidence, Severity
from coai_agents.analysis.shapes.native_tree import (
    arguments_of,
    is_joined,
    name_of,
    text_of,
    walk,
)

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.findings.report import Reporter

_WIDE: Final = re.compile(
    r"^(?:const\s+)?(?:(?:unsigned|signed|long)\s+)*(?:int|long|short|float|double|u?int(?:16|32|64)_t"
    r"|size_t|struct\s+\w+)\b"
)
"""Types whose values have more than one byte."""
_SIZED: Final = frozenset(
    {"memset", "memcpy", "memmove", "strncpy", "malloc", "bzero", "snprintf", "fgets"}
)
_QUERIES: Final = {
    "sqlite3_exec": 1,
    "sqlite3_prepare": 1,
    "sqlite3_prepare_v2": 1,
    "sqlite3_prepare_v3": 1,
    "sqlite3_get_table": 1,
    "mysql_query": 1,
    "mysql_real_query": 1,
    "mysql_stmt_prepare": 1,
    "PQexec": 1,
    "PQsendQuery": 1,
    "PQprepare": 2,
    "SQLExecDirect": 1,
    "SQLPrepare": 1,
    "OCIStmtPrepare": 2,
    "dbcmd": 1,
}
"""Functions that are given SQL, and which argument it is."""

_METHODS: Final = re.compile(
    r"^(?:exec\w{0,10}|executeQuery|executeUpdate|execute|query|prepare|prepareStatement|exec_params0?|sql)$"
)
_SQL: Final = re.compile(
    r"(?i)\"\s*(?:select|insert|update|delete|replace|merge|call|create|drop|alter)\b"
)
_FORMATTING: Final = {
    "sprintf": 0,
    "snprintf": 0,
    "vsnprintf": 0,
    "asprintf": 0,
    "strcat": 0,
    "strncat": 0,
}
_NUMBERS: Final = re.compile(
    r"(?:\b|::)(?:ato[ilf]+|strto\w+|sto(?:i|l|ul|ll|ull)|std::sto\w+)\s*\("
)
_UNSAFE_IN_HANDLERS: Final = frozenset(
    {
        "printf",
        "fprintf",
        "puts",
        "malloc",
        "calloc",
        "free",
        "exit",
        "syslog",
        "fopen",
        "fclose",
        "sprintf",
    }
    | {"strdup", "longjmp", "cout", "new"}
)


def check_calls(root: Node, report: Reporter) -> None:
    """Report what a file's functions call wrongly."""
    functions = [each for each in walk(root) if each.type == "function_definition"]
    handlers: set[str] = set()
    for node in functions:
        handlers |= _Calls(node, report).check()
    for node in functions:
        if _declared_name(node) in handlers:
            _check_handler(node, report)


def _declared_name(function: Node) -> str:
    declarator = function.child_by_field_name("declarator")
    while declarator is not None and declarator.type != "function_declarator":
        declarator = declarator.child_by_field_name("declarator")
    return "" if declarator is None else text_of(declarator.child_by_field_name("declarator"))


def _check_handler(function: Node, report: Reporter) -> None:
    for node in walk(function):
        if node.type == "call_expression" and name_of(node) in _UNSAFE_IN_HANDLERS:
            report.add_of(
                "unsafe-in-signal-handler",
                node,
                f"{name_of(node)} may be interrupted by the signal that this function handles.",
            )


class _Calls:
    """One function and what it calls, in the order of the text."""

    def __init__(self, function: Node, report: Reporter) -> None:
        self._report = report
        self._nodes = list(walk(function))
        self._calls = [each for each in self._nodes if each.type == "call_expression"]
        self._names = [name_of(each) for each in self._calls]
        self._pointers = self._declared_pointers()
        self._parameters = _numbers_of(function)
        self._given: dict[str, int] = {}
        """Numbers that come from outside, and where they come in."""
        self._built: dict[str, Node] = {}
        """Texts that are put together of what is not constant."""

    def check(self) -> set[str]:
        """Report what is found; return the names of functions that handle signals."""
        for node in self._nodes:
            self._learn(node)
        self._privileges()
        self._jail()
        for node in self._nodes:
            if node.type == "binary_expression":
                self._binary(node)
            elif node.type == "subscript_expression":
                self._index(node)
        for node, name in zip(self._calls, self._names, strict=True):
            self._query(node, name)
            self._size(node, name)
            self._allocation(node, name)
        return {
            text_of(arguments_of(call)[1]).lstrip("&")
            for call, name in zip(self._calls, self._names, strict=True)
            if name == "signal" and len(arguments_of(call)) > 1
        } | {
            text_of(node.child_by_field_name("right")).lstrip("&")
            for node in self._nodes
            if node.type == "assignment_expression"
            and text_of(node.child_by_field_name("left")).endswith(("sa_handler", "sa_sigaction"))
        }

    # ------------------------------------------------------------------------------ declarations

    def _declared_pointers(self) -> dict[str, str]:
        """Return the variables that are pointers, and what they point to."""
        found: dict[str, str] = {}
        for each in self._nodes:
            if each.type not in ("pointer_declarator", "array_declarator"):
                continue
            inner = each.child_by_field_name("declarator")
            around = each.parent
            while around is not None and around.type in ("init_declarator", "pointer_declarator"):
                around = around.parent
            kind = "" if around is None else text_of(around.child_by_field_name("type"))
            if inner is None or inner.type != "identifier":
                continue
            parameter = around is not None and around.type == "parameter_declaration"
            if each.type == "pointer_declarator" or parameter:
                found[text_of(inner)] = kind
        return found

    def _learn(self, node: Node) -> None:
        if node.type == "call_expression":
            name, given = name_of(node), arguments_of(node)
            if name in ("scanf", "fscanf", "sscanf"):
                for each in given:
                    if each.type == "pointer_expression" and text_of(each).startswith("&"):
                        self._given.setdefault(text_of(each)[1:], node.start_byte)
            at = _FORMATTING.get(name)
            if at is not None and len(given) > 1:
                constant = all(e.type == "string_literal" for e in given[1:])
                if not constant and (name.startswith("str") or "%s" in text_of(node)):
                    self._built.setdefault(text_of(given[at]).lstrip("&"), node)
        if node.type in ("init_declarator", "assignment_expression"):
            target = node.child_by_field_name("declarator") or node.child_by_field_name("left")
            value = node.child_by_field_name("value") or node.child_by_field_name("right")
            name = re.sub(r"^[*&\s]+", "", text_of(target))
            written = text_of(value)
            if _NUMBERS.search(written):
                self._given.setdefault(name, node.start_byte)
            if value is not None and is_joined(value):
                self._built.setdefault(name, node)
        if node.type == "binary_expression" and re.match(r"(?:std::)?cin\s*>>", text_of(node)):
            right = node.child_by_field_name("right")
            if right is not None and right.type == "identifier":
                self._given.setdefault(text_of(right), node.start_byte)

    def _is_tested(self, name: str, before: int) -> bool:
        """Say whether something compares a variable between where it comes in and a place."""
        start = self._given.get(name, 0)
        return any(
            start <= each.start_byte < before
            and re.search(rf"(?<![\w.>]){re.escape(name)}\b", text_of(each)) is not None
            for each in self._nodes
            if each.type == "binary_expression"
            and text_of(each.child_by_field_name("operator")) in _COMPARING
        )

    # ---------------------------------------------------------------------------------- findings

    def _privileges(self) -> None:
        """Report groups that are given up after the user who may do that."""
        for at, name in enumerate(self._names):
            if name in ("setuid", "seteuid", "setreuid", "setresuid"):
                later = [n for n in self._names[at + 1 :] if n in _GROUPS]
                # What the user gets back, by a second call, may give up groups.
                again = [n for n in self._names[:at] if n in ("setuid", "seteuid", *_GROUPS)]
                if later and not again:
                    self._report.add_of(
                        "privileges-kept",
                        self._calls[at],
                        "Once the user is given up, the groups cannot be given up any more.",
                    )
            around = self._calls[at].parent
            if name in _DROPPING and around is not None and around.type == "expression_statement":
                self._report.add_of(
                    "privileges-kept",
                    self._calls[at],
                    f"Nothing asks whether {name} did it: if not, all goes on with all rights.",
                )

    def _jail(self) -> None:
        for at, name in enumerate(self._names):
            if name != "chroot":
                continue
            inside = self._names[max(0, at - 1) :]
            if not {"chdir", "fchdir"} & set(inside):
                self._report.add_of(
                    "privileges-kept",
                    self._calls[at],
                    "Without a change of folder, what is outside of the new root stays reachable.",
                )

    def _binary(self, node: Node) -> None:
        operator = text_of(node.child_by_field_name("operator"))
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None:
            return
        if operator in ("+", "-") and left.type == "identifier":
            kind = self._pointers.get(text_of(left))
            if kind and _WIDE.match(kind) and re.search(r"\bsizeof\b", text_of(right)):
                self._report.add_of(
                    "out-of-bounds",
                    node,
                    f"{text_of(left)} counts elements, and sizeof counts bytes: this is too far.",
                )
        if operator in ("/", "%"):
            self._division(node, right)

    def _division(self, node: Node, divisor: Node) -> None:
        name = text_of(divisor)
        zero = re.fullmatch(r"0[uUlL]*", name) is not None
        if divisor.type == "identifier" and not zero:
            zero = self._is_zero(name, node.start_byte)
            unsure = name in self._given and self._given[name] < node.start_byte
            if unsure and not self._is_tested(name, node.start_byte):
                self._report.add_seen(
                    "division-by-zero",
                    node,
                    f"{name} comes from outside, and nothing asks whether it is 0.",
                    (Severity.WARNING, Confidence.MEDIUM),
                )
        if zero:
            self._report.add_of("division-by-zero", node, "The divisor is 0.")

    def _is_zero(self, name: str, before: int) -> bool:
        """Say whether a variable is set to 0, and to nothing else, before a place."""
        values: list[str] = []
        word = re.compile(rf"(?<![\w.>]){re.escape(name)}\b")
        for each in self._nodes:
            if each.start_byte >= before:
                break
            if each.type in ("init_declarator", "assignment_expression"):
                target = each.child_by_field_name("declarator") or each.child_by_field_name("left")
                if text_of(target) == name:
                    value = each.child_by_field_name("value") or each.child_by_field_name("right")
                    values.append(text_of(value))
            elif each.type in (
                "update_expression",
                "pointer_expression",
                "if_statement",
                "while_statement",
            ):
                about = each.child_by_field_name("condition") or each
                if word.search(text_of(about)):
                    return False
        return bool(values) and all(re.fullmatch(r"0[uUlL]*", each) for each in values)

    def _index(self, node: Node) -> None:
        inner = list(node.named_children[1:])
        if len(inner) == 1 and inner[0].type == "subscript_argument_list":
            inner = inner[0].named_children
        if len(inner) != 1 or inner[0].type != "identifier":
            return
        name = text_of(inner[0])
        given = name in self._given and self._given[name] < node.start_byte
        if given and not self._is_tested(name, node.start_byte):
            self._report.add_of(
                "out-of-bounds", node, f"{name} comes from outside, and nothing bounds it."
            )

    def _query(self, node: Node, name: str) -> None:
        given = arguments_of(node)
        at = _QUERIES.get(name)
        method = node.child_by_field_name("function")
        of_object = (
            method is not None and method.type == "field_expression" and _METHODS.match(name)
        )
        if at is None and not of_object:
            return
        for argument in given if at is None else given[at : at + 1]:
            built = self._built.get(re.sub(r"\.c_str\(\)$|\.str\(\)$", "", text_of(argument)))
            made = argument if is_joined(argument) else built
            if made is not None and (at is not None or _SQL.search(text_of(made))):
                self._report.add_seen(
                    "sql-injection",
                    node,
                    "SQL is put together from values; a parameter would keep them apart.",
                    (Severity.WARNING, Confidence.MEDIUM),
                )
                return

    def _allocation(self, node: Node, name: str) -> None:
        """Report memory for so many things as a caller says, however many these are."""
        at = _ALLOCATING.get(name)
        given = arguments_of(node)
        if at is None or at >= len(given):
            return
        size = given[at]
        if size.type != "binary_expression" or _operator_of(size) != "*":
            return
        for each in walk(size):
            counted = text_of(each)
            if each.type != "identifier" or counted not in self._parameters | self._given.keys():
                continue
            if not self._is_tested(counted, node.start_byte):
                self._report.add_seen(
                    "allocation-overflow",
                    node,
                    f"{counted} may be so large that the product is small, and nothing bounds it.",
                    (Severity.INFORMATION, Confidence.MEDIUM),
                )
                return

    def _size(self, node: Node, name: str) -> None:
        given = arguments_of(node)
        if name not in _SIZED:
            return
        targets = [text_of(each) for each in given[:2]]
        for argument in given:
            sized = re.fullmatch(r"sizeof\s*\(?\s*(\w+)\s*\)?", text_of(argument))
            if sized and sized[1] in self._pointers and sized[1] in targets:
                self._report.add_of(
                    "copy-size-of-source",
                    argument,
                    f"{sized[1]} is a pointer: this is the size of an address.",
                )


def _numbers_of(function: Node) -> set[str]:
    """Return the parameters of a function that are numbers."""
    return {
        text_of(each.child_by_field_name("declarator"))
        for each in walk(function.child_by_field_name("declarator") or function)
        if each.type == "parameter_declaration"
        and _COUNTING.search(text_of(each.child_by_field_name("type")))
    }


def _operator_of(node: Node) -> str:
    return text_of(node.child_by_field_name("operator"))


_COUNTING: Final = re.compile(r"\b(?:int|long|short|unsigned|size_t|u?int\d+_t|std::size_t)\b")
_ALLOCATING: Final = {"malloc": 0, "realloc": 1, "alloca": 0, "xmalloc": 0, "kmalloc": 0}
"""Functions that take memory, and which argument says how much."""
_COMPARING: Final = frozenset({"<", ">", "<=", ">=", "==", "!="})
_GROUPS: Final = frozenset(
    {"setgid", "setegid", "setgroups", "initgroups", "setregid", "setresgid"}
)
_DROPPING: Final = frozenset(
    {"setuid", "setgid", "seteuid", "setegid", "setresuid", "setreuid", "setgroups"}
)
