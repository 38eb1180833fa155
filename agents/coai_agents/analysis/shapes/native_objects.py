"""C++: objects that are used when they are gone, or changed while they are walked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.shapes.native_tree import arguments_of, name_of, text_of, walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node

    from coai_agents.analysis.findings.report import Reporter

_OWNING: Final = re.compile(r"^(?:const\s+)?(?:std::)?(?:string|vector|map|set|array)\b")
_VIEWING: Final = re.compile(r"\b(?:string_view|span)\b|\*|&")
_CHANGING: Final = frozenset(
    {"push_back", "emplace_back", "insert", "emplace", "erase", "clear", "resize", "push_front"}
)
_FLOATING: Final = re.compile(r"(?i)^(?:[dfxyvz]|val(?:ue)?|num(?:ber)?|.*(?:float|double|nan).*)$")
_COMPARING: Final = frozenset({"==", "!=", "<", ">", "&&", "||"})
_MOVING: Final = frozenset({"remove", "remove_if", "unique"})
_WRITING: Final = frozenset({"fgets", "fread", "fwrite", "fputs", "fprintf", "fscanf", "fseek"})


def check_objects(root: Node, report: Reporter) -> None:
    """Report what a file of C or C++ does with its objects."""
    for node in walk(root):
        check = _CHECKS.get(node.type)
        if check is not None:
            check(node, report)


def _class(node: Node, report: Reporter) -> None:
    """Report a destructor that is not virtual, in a class of which others are made."""
    body = text_of(node.child_by_field_name("body"))
    named = node.child_by_field_name("name")
    destructor = re.search(r"(?<![\w~])(virtual\s+)?~\w+\s*\([^)]*\)([^;{]*)", body)
    final = re.search(r"\bfinal\b", text_of(node).partition("{")[0])
    based = any(each.type == "base_class_clause" for each in node.named_children)
    if named is None or final or based or re.search(r"\bvirtual\s+(?!~)", body) is None:
        return
    shown = re.search(r"protected\s*:[^:]*~", body)
    if destructor and not destructor[1] and not shown and "override" not in destructor[2]:
        report.add_of(
            "api-misuse",
            named,
            "An object that is deleted by a pointer to this class is not taken apart wholly: make "
            "the destructor virtual.",
        )


def _catch(node: Node, report: Reporter) -> None:
    declared = node.child_by_field_name("parameters")
    written = text_of(declared).strip("()")
    if re.fullmatch(r"(?:const\s+)?[\w:]*(?:exception|error|Error|Exception)\s+\w+", written):
        report.add_of(
            "api-misuse",
            node if declared is None else declared,
            "By value only the base class of what was thrown is caught: catch a reference.",
        )
    body = node.child_by_field_name("body")
    if body is not None and not body.named_children:
        report.add_of("swallowed-exception", node, "Whatever went wrong, nobody learns of it.")


def _throw(node: Node, report: Reporter) -> None:
    thrown = node.named_children[0] if node.named_children else None
    if thrown is not None and thrown.type == "new_expression":
        report.add_of(
            "api-misuse", node, "Who catches a pointer has to delete it, and nobody does."
        )
        return
    around = node.parent
    while around is not None and around.type not in (
        "function_definition",
        "lambda_expression",
        "try_statement",
    ):
        around = around.parent
    if around is not None and around.type == "function_definition":
        declared = text_of(around.child_by_field_name("declarator"))
        if re.match(r"(?:\w+::)*~", declared) and "noexcept(false)" not in declared:
            report.add_of("api-misuse", node, "What a destructor throws ends the program at once.")


def _function(node: Node, report: Reporter) -> None:
    """Report what is returned of variables that end with the function."""
    body = node.child_by_field_name("body")
    declarator = node.child_by_field_name("declarator")
    if body is None or declarator is None:
        return
    given = text_of(node.child_by_field_name("type")) + text_of(declarator).partition("(")[0]
    if not _VIEWING.search(given):
        return
    owned: dict[str, bool] = {}
    """By local name: whether it is an array, which is handed out as a pointer to it."""
    for each in walk(body):
        if each.type == "declaration" and "static" not in text_of(each).split():
            _declare(each, owned)
        elif each.type == "return_statement" and each.named_children:
            _returned(each, given, owned, report)


def _declare(node: Node, owned: dict[str, bool]) -> None:
    kind = text_of(node.child_by_field_name("type"))
    for each in node.named_children:
        declared = each.child_by_field_name("declarator") if "init" in each.type else each
        if declared is None:
            continue
        if declared.type == "array_declarator":
            owned[text_of(declared.child_by_field_name("declarator"))] = True
        elif declared.type == "identifier" and _OWNING.match(kind):
            owned[text_of(declared)] = False


def _returned(node: Node, given: str, owned: dict[str, bool], report: Reporter) -> None:
    written = text_of(node.named_children[0])
    found = re.fullmatch(r"&?(\w+)(?:\.(?:c_str|data|begin)\(\))?(?:\[\w+\])?", written)
    if found is None or found[1] not in owned:
        return
    pointer = written.startswith("&") or "(" in written or owned[found[1]]
    plain = written == found[1] and ("&" in given or "view" in given or "span" in given)
    if (pointer and ("*" in given or "view" in given)) or plain:
        report.add_of("dangling-view", node, f"{found[1]} is gone when the function has ended.")


def _range_loop(node: Node, report: Reporter) -> None:
    walked = text_of(node.child_by_field_name("right"))
    body = node.child_by_field_name("body")
    for each in () if body is None else walk(body):
        function = each.child_by_field_name("function")
        if (
            each.type == "call_expression"
            and function is not None
            and function.type == "field_expression"
            and text_of(function.child_by_field_name("argument")) == walked
            and name_of(each) in _CHANGING
            and not _leaves_next(each)
        ):
            report.add_of(
                "modified-while-iterating", each, "This moves what is being walked through."
            )
    if text_of(node.child_by_field_name("type")) in ("auto", "const auto"):
        declared = node.child_by_field_name("declarator")
        if (
            declared is not None
            and declared.type == "identifier"
            and re.search(r"(?i)(string|name|text|line|record|struct)", walked)
        ):
            report.add_of("slow-idiom", declared, "Each one is copied: take a `const auto &`.")


def _leaves_next(call: Node) -> bool:
    """Say whether the statement behind a call's leaves the loop."""
    statement = call.parent
    following = None if statement is None else statement.next_named_sibling
    return following is not None and following.type in ("break_statement", "return_statement")


def _loop(node: Node, report: Reporter) -> None:
    """Report an iterator that is used after its element was erased."""
    step = re.search(r"\+\+(\w+)|(\w+)\+\+", text_of(node.child_by_field_name("update")))
    body = node.child_by_field_name("body")
    if step is None or body is None:
        return
    iterator = step[1] or step[2]
    for each in walk(body):
        around = each.parent
        if (
            each.type == "call_expression"
            and name_of(each) == "erase"
            and [text_of(e) for e in arguments_of(each)] == [iterator]
            and around is not None
            and around.type == "expression_statement"
            and not _leaves_next(each)
        ):
            report.add_of(
                "modified-while-iterating", each, "The iterator is none any more: `it = erase(it)`."
            )


def _statements(node: Node, report: Reporter) -> None:
    """Report pairs of statements of a block that do not go together."""
    children = [each for each in node.named_children if each.type != "comment"]
    for at, each in enumerate(children):
        for later in children[at + 1 :]:
            _moved(each, later, report)
            if re.search(r"\b(?:clear|assign|reset)\b|(?<![=!<>])=(?!=)", text_of(later)):
                break
        if at + 1 < len(children):
            _asked_too_late(each, children[at + 1], report)
            _not_opened(each, children[at + 1], report)
            _not_ended(each, children[at + 1], report)


def _moved(first: Node, later: Node, report: Reporter) -> None:
    if first.type == "compound_statement" or later.type.endswith("_definition"):
        return
    moved = re.search(r"=\s*std::move\((\w+)\)\s*;$|\(std::move\((\w+)\)\)\s*;$", text_of(first))
    if moved is None or first.type not in ("declaration", "expression_statement"):
        return
    name = moved[1] or moved[2]
    used = rf"(?<![\w.>])(?:<<\s*)?{name}(?:\.(?!clear|assign|reset|empty|~)|->|\s*;|\s*<<|\))"
    written = text_of(later)
    if re.search(used, written) and not re.search(
        rf"(?<![\w.])(?:auto|\w+)?\s*{name}\s*=", written
    ):
        report.add_of("use-after-free", later, f"{name} was moved away before this.")


def _asked_too_late(first: Node, then: Node, report: Reporter) -> None:
    if then.type != "if_statement" or first.type not in ("declaration", "expression_statement"):
        return
    condition = then.child_by_field_name("condition")
    asked = re.fullmatch(
        r"\(\s*(?:!\s*(\w+)|(\w+)\s*[!=]=\s*(?:nullptr|NULL))\s*\)", text_of(condition)
    )
    if condition is None or asked is None:
        return
    name = asked[1] or asked[2]
    written = text_of(first)
    made = re.search(rf"\*\s*{name}\s*=\s*new\b(?!\s*\()", written)
    if made is not None and "nothrow" not in written:
        report.add_of("useless-comparison", condition, "`new` throws where there is no memory.")
    used = re.search(rf"(?<![\w.>]){name}->|^\s*\*{name}\s*=(?!=)", written)
    set_ = re.search(rf"(?<![\w.>]){name}\s*=(?!=)", re.sub(rf"^\s*\*{name}\s*=", "", written))
    if used is not None and set_ is None:
        report.add_of("null-dereference", condition, "It was used before this was asked.")


def _not_opened(first: Node, then: Node, report: Reporter) -> None:
    opened = re.search(r"FILE\s*\*\s*(\w+)\s*=\s*(?:std::)?fopen\s*\(", text_of(first))
    if opened is None or then.type not in ("expression_statement", "declaration"):
        return
    for each in walk(then):
        written = each.type == "call_expression" and name_of(each) in _WRITING
        if written and opened[1] in [text_of(e) for e in arguments_of(each)]:
            report.add_of("null-dereference", each, "Nobody asked whether it was opened.")
            return


def _not_ended(first: Node, then: Node, report: Reporter) -> None:
    """Report `strncpy` up to the whole size, where nothing sets the end."""
    copied = re.match(
        r"\s*(?:std::)?strncpy\s*\(\s*(\w+)\s*,[^;]*sizeof\s*\(?\s*\1\s*\)?\s*\)", text_of(first)
    )
    if copied is not None and not re.search(rf"\b{copied[1]}\s*\[", text_of(then)):
        report.add_of("unbounded-copy", first, "A text that fills the place has no end here.")


def _call(node: Node, report: Reporter) -> None:
    name = name_of(node)
    around = node.parent
    alone = around is not None and around.type == "expression_statement"
    function = node.child_by_field_name("function")
    member = function is not None and function.type == "field_expression"
    given = arguments_of(node)
    if alone and name == "empty" and member and not given:
        report.add_of("ignored-result", node, "This asks and changes nothing: `clear` empties.")
    elif alone and not member and name in _MOVING and "begin" in text_of(next(iter(given), None)):
        report.add_of(
            "ignored-result", node, "This only moves what stays to the front: `erase` the rest."
        )


def _subscript(node: Node, report: Reporter) -> None:
    of = text_of(node.child_by_field_name("argument"))
    index = re.search(r"\[\s*(\w+)\.(?:size|length)\(\)\s*\]$", text_of(node))
    if index is not None and index[1] == of:
        report.add_of("off-by-one", node, "The last one is at `size() - 1`.")


def _binary(node: Node, report: Reporter) -> None:
    left, right = (node.child_by_field_name(each) for each in ("left", "right"))
    operator = text_of(node.child_by_field_name("operator"))
    plain = left is not None and left.type in ("identifier", "field_expression")
    if node.has_error or text_of(left) in ("class", "typename"):
        # Where macros are no expressions, what looks like a comparison is none.
        return
    # A number that is none is not equal to itself: that is how it is asked for.
    number = operator in ("==", "!=") and _FLOATING.search(text_of(left))
    if plain and operator in _COMPARING and text_of(left) == text_of(right) and not number:
        report.add_of("useless-comparison", node, "Both sides are the same.")


_CHECKS: Final[dict[str, Callable[[Node, Reporter], None]]] = {
    "binary_expression": _binary,
    "call_expression": _call,
    "catch_clause": _catch,
    "class_specifier": _class,
    "compound_statement": _statements,
    "for_range_loop": _range_loop,
    "for_statement": _loop,
    "function_definition": _function,
    "struct_specifier": _class,
    "subscript_expression": _subscript,
    "throw_statement": _throw,
}
