"""Conditions turned round: invert if, the early return, and De Morgan's laws."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.source import Edit, Span
from coai_agents.specialists.refactoring.shapes import field_of
from coai_agents.specialists.refactoring.site import (
    Offer,
    RefusalError,
    Site,
    bare,
    in_string,
    same,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

_OPPOSITE: Final = {"==": "!=", "!=": "==", "===": "!==", "!==": "===", "is": "is not",
                    "is not": "is", "in": "not in", "not in": "in"}  # fmt: skip
_ORDER: Final = {"<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_WHOLE: Final = re.compile(
    r"len\(.*\)|[\w.$>-]+\.(?:length|size\(\)|Count|Length|size|count)|count\(.*\)|-?\d+"
)
"""What is a whole number for sure, so that one of `<` and `>=` holds: no NaN, no sets."""
_AND_OR: Final = {"and": "or", "or": "and", "&&": "||", "||": "&&"}
_NOTS: Final = frozenset({"not", "!"})
_COMMENTS: Final = frozenset({"comment", "line_comment", "block_comment"})


def operator_of(site: Site, node: Node) -> str:
    """Return the operator of an expression with two sides, or one; empty where it has none."""
    if node.type == "comparison_operator":
        signs = [
            site.text(e) for e in node.children if not e.is_named or e.type in ("is not", "not in")
        ]
        return " ".join(signs) if node.named_child_count == 2 else ""  # noqa: PLR2004 - `a < b < c` has no opposite
    sign = node.child_by_field_name("operator")
    if sign is not None and node.type != "assignment":
        return site.text(sign)
    for each in node.children:
        if not each.is_named and site.text(each) in {*_NOTS, *_AND_OR, *_OPPOSITE, *_ORDER}:
            return site.text(each)
    return ""


def operands(node: Node) -> list[Node]:
    """Return the sides of an operator."""
    return [each for each in node.named_children if each.type not in _COMMENTS]


def negated(site: Site, condition: Node) -> str:
    """Return the opposite of a condition of which the truth alone counts, as short as it gets."""
    node = bare(condition)
    sign, sides = operator_of(site, node), operands(node)
    if sign in _NOTS and len(sides) == 1:
        return site.text(bare(sides[0]))
    if len(sides) == 2:  # noqa: PLR2004 - an operator's two sides
        if sign in _OPPOSITE:
            return _with_sign(site, sides, _OPPOSITE[sign])
        if sign in _ORDER and all(_WHOLE.fullmatch(site.text(each)) for each in sides):
            return _with_sign(site, sides, _ORDER[sign])
        if sign in _AND_OR and all(_is_short(site, each) for each in sides):
            return de_morgan(site, sides, sign)
    text = site.text(node)
    word = _not(site)
    if node.type in _TIGHT or (word == "not " and node.type == "comparison_operator"):
        return f"{word}{text}"
    return f"{word}({text})"


_TIGHT: Final = frozenset(
    {"identifier", "variable_name", "call", "call_expression", "attribute", "subscript",
     "member_expression", "subscript_expression", "method_invocation", "field_access",
     "array_access", "selector_expression", "index_expression", "function_call_expression",
     "member_call_expression", "scoped_call_expression", "member_access_expression",
     "invocation_expression", "element_access_expression", "instance_variable", "true", "false",
     "element_reference", "boolean_literal"}
)  # fmt: skip
"""What `not` and `!` may stand before without brackets."""


def _not(site: Site) -> str:
    return "not " if site.family == "python" else "!"


def _is_short(site: Site, node: Node) -> bool:
    """Say whether the opposite of an expression is not longer than it."""
    inner = bare(node)
    sign = operator_of(site, inner)
    if sign in _NOTS or sign in _OPPOSITE:
        return True
    if sign in _ORDER:
        return all(_WHOLE.fullmatch(site.text(each)) for each in operands(inner))
    return False


def _with_sign(site: Site, sides: list[Node], sign: str) -> str:
    return f"{site.text(sides[0])} {sign} {site.text(sides[1])}"


def de_morgan(site: Site, sides: list[Node], sign: str) -> str:
    """Return the opposite of two conditions that are joined, with the negation at each."""
    other = _AND_OR[sign]
    turned: list[str] = []
    for each in sides:
        text = negated(site, each)
        inner = bare(each)
        nested = operator_of(site, inner)
        # Where the parts are joined by another word than the whole, brackets keep them together.
        loose = nested in _AND_OR and not text.startswith((_not(site) + "(", "("))
        loose = loose or (nested in _NOTS and _joined(site, bare(operands(inner)[0]), other))
        turned.append(f"({text})" if loose else text)
    return f" {other} ".join(turned)


def _joined(site: Site, node: Node, sign: str) -> bool:
    return operator_of(site, node) in _AND_OR and operator_of(site, node) != sign


def apply_de_morgan(site: Site) -> Iterator[Offer]:
    """Move a negation into what it negates, or out of what is negated on both sides."""
    for node in site.nearest("not_operator", "unary_expression", "unary", "unary_op_expression",
                             "prefix_unary_expression", "boolean_operator", "binary_expression",
                             "binary"):  # fmt: skip
        sign, sides = operator_of(site, node), operands(node)
        if sign in _NOTS and len(sides) == 1:
            inner = bare(sides[0])
            joined = operator_of(site, inner)
            if joined in _AND_OR:
                parts = _same_kind(site, inner, joined)
                if any(operator_of(site, bare(e)) in _NOTS for e in parts) and not is_test(
                    site, node
                ):
                    raise RefusalError("Its value would no longer be a truth value.")
                text = de_morgan(site, parts, joined)
                yield Offer(
                    "Apply De Morgan's law", (_replaced(site, node, text, _AND_OR[joined]),)
                )
                return
        elif sign in _AND_OR and not (node.parent and operator_of(site, node.parent) == sign):
            parts = _same_kind(site, node, sign)
            if all(operator_of(site, bare(each)) in _NOTS for each in parts):
                inner_text = f" {_AND_OR[sign]} ".join(
                    _operand(site, each, _AND_OR[sign]) for each in parts
                )
                yield Offer(
                    "Apply De Morgan's law", (site.replaced(node, f"{_not(site)}({inner_text})"),)
                )
                return
    raise RefusalError("There is no negation of `and` or `or` here.")


def is_test(site: Site, node: Node) -> bool:
    """Say whether of an expression's value the truth alone counts."""
    if site.family in ("java", "go", "csharp"):
        return True
    at = node
    while at.parent is not None:
        above = at.parent
        if above.type in site.shapes.tests and field_of(at) == "condition":
            return True
        joined = operator_of(site, above) in {*_AND_OR, *_NOTS}
        if not joined and above.type not in (
            "parenthesized_expression",
            "parenthesized_statements",
        ):
            return False
        at = above
    return False


def _same_kind(site: Site, node: Node, sign: str) -> list[Node]:
    """Return the parts that one operator joins: `a and b and c` has three."""
    found: list[Node] = []
    for each in operands(node):
        if operator_of(site, each) == sign:
            found += _same_kind(site, each, sign)
        else:
            found.append(each)
    return found


def _operand(site: Site, negation: Node, sign: str) -> str:
    inner = operands(bare(negation))[0]
    text = site.text(bare(inner))
    nested = operator_of(site, bare(inner))
    return f"({text})" if nested in _AND_OR and nested != sign else text


def _replaced(site: Site, node: Node, text: str, sign: str) -> Edit:
    """Put a joined condition in a negation's place, in brackets where what is around binds more."""
    above = node.parent
    around = "" if above is None else operator_of(site, above)
    loose = above is not None and above.type in (
        "boolean_operator", "binary_expression", "binary", "comparison_operator", "not_operator",
        "unary_expression", "unary", "binary_operator", "unary_op_expression",
        "prefix_unary_expression",
    )  # fmt: skip
    return site.replaced(node, f"({text})" if loose and around != sign else text)


# ------------------------------------------------------------------ invert if


def invert_if(site: Site) -> Iterator[Offer]:
    """Turn an `if` round: with its branches exchanged, or with an early return."""
    node = next(
        site.nearest("if_statement", "if", "unless", "if_modifier", "unless_modifier"), None
    )
    if node is None:
        raise RefusalError("There is no `if` here.")
    if site.family == "ruby":
        yield _ruby_inverted(site, node)
        return
    condition = node.child_by_field_name("condition")
    if condition is None:
        raise RefusalError("It has no condition.")
    alternatives = node.children_by_field_name("alternative")
    if any(each.type in ("elif_clause", "else_if_clause", "if_statement") for each in alternatives):
        raise RefusalError("It goes on with other conditions.")
    if node.parent is not None and node.parent.type in ("else_clause", "if_statement"):
        raise RefusalError("It is another condition's `else`.")
    if re.search(r"\b(?:instanceof|is)\s+\w+\s+\w+", site.text(condition)) and site.family in (
        "java",
        "csharp",
    ):
        raise RefusalError("Its condition declares what its branches read.")
    if alternatives:
        yield _exchanged(site, node, condition, alternatives[0])
        return
    yield _early(site, node, condition)


def _condition_edit(site: Site, condition: Node) -> Edit:
    text = negated(site, condition)
    if condition.type == "parenthesized_expression" and site.family != "python":
        return site.replaced(condition, f"({text})")
    return site.replaced(condition, text)


def _exchanged(site: Site, node: Node, condition: Node, alternative: Node) -> Offer:
    first = node.child_by_field_name("consequence") or node.child_by_field_name("body")
    second = alternative
    if alternative.type == "else_clause":
        second = alternative.child_by_field_name("body") or operands(alternative)[-1]
    if first is None or second.type == "if_statement":
        raise RefusalError("It goes on with other conditions.")
    if site.family == "python":
        one, other = _suite(site, node, first), _suite(site, alternative, second)
    else:
        one, other = site.tree.span(first), site.tree.span(second)
        braces = [site.source.slice(each).startswith("{") for each in (one, other)]
        if not braces[0] and second.type == "if_statement":
            raise RefusalError("It goes on with other conditions.")
    texts = site.source.slice(one), site.source.slice(other)
    if site.family == "python" and ("\n" in texts[0]) != ("\n" in texts[1]):
        raise RefusalError("One branch stands on the line of its condition and the other does not.")
    edits = (_condition_edit(site, condition), Edit(one, texts[1]), Edit(other, texts[0]))
    return Offer("Invert if", edits)


def _suite(site: Site, header: Node, block: Node) -> Span:
    """Return a Python branch with the comments between its colon and its first statement."""
    colon = next(
        each for each in header.children if each.type == ":" and each.end_byte <= block.start_byte
    )
    return Span(site.end(colon), site.end(block))


def _ruby_inverted(site: Site, node: Node) -> Offer:
    word = node.children[0] if node.type in ("if", "unless") else node.children[1]
    condition = node.child_by_field_name("condition")
    if condition is None or site.text(word) not in ("if", "unless"):
        raise RefusalError("There is no `if` here.")
    if node.type in ("if_modifier", "unless_modifier"):
        other = "unless" if site.text(word) == "if" else "if"
        return Offer(
            "Invert if",
            (site.replaced(word, other), site.replaced(condition, negated(site, condition))),
        )
    alternative = node.child_by_field_name("alternative")
    consequence = node.child_by_field_name("consequence")
    if alternative is not None and alternative.type != "else":
        raise RefusalError("It goes on with other conditions.")
    if alternative is None or consequence is None:
        other = "unless" if site.text(word) == "if" else "if"
        return Offer(
            "Invert if",
            (site.replaced(word, other), site.replaced(condition, negated(site, condition))),
        )
    one = Span(site.end(condition), site.end(consequence))
    other_span = Span(site.end(alternative.children[0]), site.end(alternative))
    texts = site.source.slice(one).rstrip(), site.source.slice(other_span).rstrip()
    one = Span(one.start, one.start + len(texts[0]))
    other_span = Span(other_span.start, other_span.start + len(texts[1]))
    if any(" then" in each.split("\n")[0] for each in texts):
        raise RefusalError("It stands on one line.")
    turned = site.replaced(condition, negated(site, condition))
    if site.text(word) == "unless":
        # The other word says the opposite by itself.
        turned = site.replaced(word, "if")
    return Offer("Invert if", (turned, Edit(one, texts[1]), Edit(other_span, texts[0])))


def _early(site: Site, node: Node, condition: Node) -> Offer:
    """Leave early where the condition does not hold, and go on without indentation."""
    jump = _jump(site, node)
    body = node.child_by_field_name("consequence") or node.child_by_field_name("body")
    if body is None:
        raise RefusalError("It has no body.")
    outer = site.indent(site.start(node))
    inside = _inner_lines(site, node, body, outer)
    if node.child_by_field_name("initializer") is not None:
        raise RefusalError("Its condition declares what its branches read.")
    opposite = negated(site, condition)
    inner = f"{outer}{site.unit}"
    if site.family == "python":
        head = f"if {opposite}:{site.newline}{inner}{jump}{site.newline}"
    elif site.family == "go":
        head = f"if {opposite} {{{site.newline}{inner}{jump}{site.newline}{outer}}}{site.newline}"
    else:
        head = (
            f"if ({opposite}) {{{site.newline}{inner}{jump};{site.newline}{outer}}}{site.newline}"
        )
    return Offer("Invert if, with an early exit", (site.replaced(node, head + inside),))


def _inner_lines(site: Site, node: Node, body: Node, outer: str) -> str:
    span = site.tree.span(body)
    text = site.source.slice(span)
    if site.family != "python":
        if not text.startswith("{"):
            raise RefusalError("Its body has no brackets.")
        opened = site.source.line_at(span.start)
        first, last = opened + 1, site.source.line_at(span.end) - 1
        if text[1:].split("\n")[0].strip() or first > last:
            raise RefusalError("It stands on one line.")
    else:
        first, last = site.source.line_at(span.start), site.source.line_at(span.end)
        colon = next(each for each in node.children if each.type == ":")
        if site.source.line_at(site.start(colon)) == first:
            raise RefusalError("It stands on one line.")
        first = site.source.line_at(site.start(colon)) + 1
    lines: list[str] = []
    for at in range(first, last + 1):
        start = site.source.line_start(at)
        end = min(site.source.line_end(at), span.end)
        line = site.source.text[start:end]
        if in_string(site, start):
            lines.append(line)
        elif not line.strip():
            lines.append("")
        elif line.startswith(f"{outer}{site.unit}"):
            lines.append(outer + line.removeprefix(f"{outer}{site.unit}"))
        else:
            raise RefusalError("Its lines are not indented as the file is.")
    return site.newline.join(lines)


def _jump(site: Site, node: Node) -> str:
    """Return what leaves early with nothing left out; raises `RefusalError`."""
    block = node.parent
    if block is None or not _is_last(node, block):
        raise RefusalError("Something comes after it that is done in any case.")
    holder = block.parent
    if holder is not None and block.type == "statement_list":
        block, holder = holder, holder.parent
    if holder is None:
        raise RefusalError("It stands in no function.")
    if holder.type in site.shapes.loops:
        if any(same(each, block) for each in holder.children_by_field_name("body")):
            return "continue"
        raise RefusalError("Something comes after it that is done in any case.")
    if holder.type not in site.shapes.functions:
        raise RefusalError("Something may come after it that is done in any case.")
    kind = holder.child_by_field_name("type") or holder.child_by_field_name("returns")
    typed = site.family in ("java", "csharp") and holder.type != "constructor_declaration"
    if typed and (kind is None or site.text(kind) != "void"):
        raise RefusalError("The function has to return a value.")
    if site.family == "go" and holder.child_by_field_name("result") is not None:
        raise RefusalError("The function has to return a value.")
    return "return"


def _is_last(node: Node, block: Node) -> bool:
    rest = [each for each in block.named_children if each.start_byte >= node.end_byte]
    return not rest
