"""A loop that only fills a collection, as a comprehension or as the call that maps and filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.source import Edit, Span
from coai_agents.specialists.refactoring.effects import Effect, effect
from coai_agents.specialists.refactoring.names import Role
from coai_agents.specialists.refactoring.site import Offer, RefusalError, Site, holds, walk
from coai_agents.syntax.tree import ancestors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

_COMMENTS: Final = frozenset({"comment"})
_EMPTY: Final = {"[]": "list", "list()": "list", "set()": "set", "{}": "dict", "dict()": "dict"}
_METHODS: Final = {"list": "append", "set": "add"}
_UNFIT: Final = frozenset({"await", "yield", "named_expression", "lambda", "async"})


@dataclass(frozen=True, slots=True)
class _Filling:
    """A loop and what it does in each round."""

    name: str
    element: str
    """What is put in, as a comprehension begins with it."""
    target: Node
    iterable: Node
    conditions: tuple[Node, ...]
    parts: tuple[Node, ...]
    """Everything that is evaluated in it."""


def to_comprehension(site: Site) -> Iterator[Offer]:
    """Write a loop that fills a collection as one expression, where that is the same for sure."""
    kinds = {"python": ("for_statement",), "javascript": ("for_in_statement",), "ruby": ("call",)}
    if site.family not in kinds:
        raise RefusalError("The language has no expression for it that is the same for sure.")
    for loop in site.nearest(*kinds[site.family]):
        if site.family == "ruby":
            offer = _ruby(site, loop)
            if offer is None:
                continue
            yield offer
            return
        before = loop.prev_named_sibling
        if before is None or any(each.type in _COMMENTS for each in walk(loop)):
            raise RefusalError(
                "No empty collection stands right before the loop, or a comment would be lost."
            )
        yield (
            _python(site, loop, before)
            if site.family == "python"
            else _javascript(site, loop, before)
        )
        return
    raise RefusalError("There is no loop here.")


def _python(site: Site, loop: Node, before: Node) -> Offer:
    kind, name, head = _python_empty(site, before)
    filling = _python_filling(site, loop, kind, name)
    _safe(site, loop, filling)
    _target_ends(site, loop, filling.target)
    tests = "".join(f" if {_test(site, each)}" for each in filling.conditions)
    each = f"for {site.text(filling.target)} in {_loose(site, filling.iterable)}"
    inner = f"{filling.element} {each}{tests}"
    brackets = ("[", "]") if kind == "list" else ("{", "}")
    span = Span(site.start(before), site.end(loop))
    return Offer(
        "Convert the loop to a comprehension",
        (Edit(span, f"{head} = {brackets[0]}{inner}{brackets[1]}"),),
    )


def _python_empty(site: Site, before: Node) -> tuple[str, str, str]:
    assignment = before.named_children[0] if before.type == "expression_statement" else None
    left = None if assignment is None else assignment.child_by_field_name("left")
    right = None if assignment is None else assignment.child_by_field_name("right")
    kind = _EMPTY.get(site.text(right))
    if (
        assignment is None
        or assignment.type != "assignment"
        or left is None
        or kind is None
        or left.type != "identifier"
    ):
        raise RefusalError("No empty collection stands right before the loop.")
    typed = assignment.child_by_field_name("type")
    head = site.text(left) if typed is None else f"{site.text(left)}: {site.text(typed)}"
    return kind, site.text(left), head


def _python_filling(site: Site, loop: Node, kind: str, name: str) -> _Filling:
    target, iterable = loop.child_by_field_name("left"), loop.child_by_field_name("right")
    if loop.child_by_field_name("alternative") is not None or any(
        e.type == "async" for e in loop.children
    ):
        raise RefusalError("The loop has an `else`, or is asynchronous.")
    statement = _single(loop.child_by_field_name("body"))
    conditions: list[Node] = []
    while statement is not None and statement.type == "if_statement":
        test = statement.child_by_field_name("condition")
        if statement.child_by_field_name("alternative") is not None or test is None:
            raise RefusalError("The loop does more than to fill one collection.")
        conditions.append(test)
        statement = _single(statement.child_by_field_name("consequence"))
    inner = (
        None
        if statement is None or statement.type != "expression_statement"
        else statement.named_children[0]
    )
    if inner is None or target is None or iterable is None:
        raise RefusalError("The loop does more than to fill one collection.")
    element, parts = _python_element(site, inner, kind, name)
    return _Filling(
        name, element, target, iterable, tuple(conditions), (iterable, *conditions, *parts)
    )


def _python_element(site: Site, inner: Node, kind: str, name: str) -> tuple[str, tuple[Node, ...]]:
    if kind == "dict":
        left, right = inner.child_by_field_name("left"), inner.child_by_field_name("right")
        if inner.type != "assignment" or left is None or right is None or left.type != "subscript":
            raise RefusalError("The loop does more than to fill one collection.")
        keys = left.children_by_field_name("subscript")
        if (
            site.text(left.child_by_field_name("value")) != name
            or len(keys) != 1
            or right.type == "assignment"
        ):
            raise RefusalError("The loop does more than to fill one collection.")
        if effect(site, keys[0]) >= Effect.ANY and effect(site, right) > Effect.CONSTANT:
            raise RefusalError("Key and value would be evaluated in another order.")
        if effect(site, right) >= Effect.ANY and effect(site, keys[0]) > Effect.CONSTANT:
            raise RefusalError("Key and value would be evaluated in another order.")
        return f"{_loose(site, keys[0])}: {_loose(site, right)}", (keys[0], right)
    function, arguments = (
        inner.child_by_field_name("function"),
        inner.child_by_field_name("arguments"),
    )
    given = [] if arguments is None else arguments.named_children
    called = f"{name}.{_METHODS[kind]}"
    if inner.type != "call" or site.text(function) != called or len(given) != 1:
        raise RefusalError("The loop does more than to fill one collection.")
    if given[0].type in (
        "list_splat",
        "keyword_argument",
        "dictionary_splat",
        "generator_expression",
    ):
        raise RefusalError("The loop does more than to fill one collection.")
    return _loose(site, given[0]), (given[0],)


def _single(block: Node | None) -> Node | None:
    inner = [] if block is None else block.named_children
    if block is not None and block.type in ("expression_statement", "if_statement"):
        return block
    return inner[0] if len(inner) == 1 else None


def _test(site: Site, node: Node) -> str:
    text = site.text(node)
    return (
        f"({text})"
        if node.type in ("conditional_expression", "lambda", "named_expression")
        else text
    )


def _loose(site: Site, node: Node) -> str:
    text = site.text(node)
    return (
        f"({text})"
        if node.type in ("expression_list", "conditional_expression", "lambda")
        else text
    )


def _safe(site: Site, loop: Node, filling: _Filling) -> None:
    """Refuse what a comprehension would see otherwise, or show otherwise."""
    for part in filling.parts:
        for each in walk(part):
            if each.type in _UNFIT:
                raise RefusalError("What it evaluates cannot stand in a comprehension as it is.")
            if each.type == "identifier" and site.text(each) == filling.name:
                raise RefusalError("What it evaluates reads the collection.")
    for each in ancestors(loop):
        if each.type == "class_definition":
            raise RefusalError("In a class's body a comprehension does not see what stands there.")
        if each.type in ("try_statement", "with_statement"):
            raise RefusalError("If it fails, what is there by then may be seen.")
        if each.type in site.shapes.functions:
            break
    use = site.names.at(site.start(loop.prev_named_sibling or loop))
    if (
        use is not None
        and use.binding is not None
        and (not use.binding.is_local and site.function(loop) is not None)
    ):
        raise RefusalError(f"{filling.name} is seen elsewhere while it is filled.")
    if (
        use is not None
        and use.binding is not None
        and any(each.scope.function is not use.binding.scope.function for each in use.binding.uses)
    ):
        raise RefusalError(f"{filling.name} is shared with a function within.")


def _target_ends(site: Site, loop: Node, target: Node) -> None:
    """Refuse where a loop's variable is used outside: a comprehension has its own."""
    for node in walk(target):
        if node.type in ("attribute", "subscript"):
            raise RefusalError("The loop's variable is a member of something.")
        use = site.names.at(site.start(node)) if node.type == "identifier" else None
        binding = None if use is None else use.binding
        if binding is None:
            continue
        outside = [each for each in binding.uses if not holds(loop, each.node)]
        local = binding.is_local or site.function(loop) is None
        if not local or (site.function(loop) is None and not binding.is_local and outside):
            raise RefusalError(f"{binding.name} is used outside of the loop.")
        if any(each.role is not Role.WRITE for each in outside):
            raise RefusalError(f"{binding.name} is used outside of the loop.")
        if any(each.scope.function is not binding.scope.function for each in binding.uses):
            raise RefusalError(f"{binding.name} is shared with a function within.")
        if site.function(loop) is None:
            raise RefusalError(f"{binding.name} may be used from other files.")


# ----------------------------------------------------------------- JavaScript


def _javascript(site: Site, loop: Node, before: Node) -> Offer:
    declarator = next(
        (each for each in before.named_children if each.type == "variable_declarator"), None
    )
    name = None if declarator is None else declarator.child_by_field_name("name")
    value = None if declarator is None else declarator.child_by_field_name("value")
    if (
        name is None
        or site.text(value) != "[]"
        or before.named_child_count != 1
        or name.type != "identifier"
    ):
        raise RefusalError("No empty array stands right before the loop.")
    target, iterable = loop.child_by_field_name("left"), loop.child_by_field_name("right")
    kind = loop.child_by_field_name("kind")
    if (
        site.text(loop.child_by_field_name("operator")) != "of"
        or kind is None
        or site.text(kind) == "var"
    ):
        raise RefusalError("The loop's variable is not its own.")
    if any(each.type == "await" for each in loop.children) or target is None or iterable is None:
        raise RefusalError("The loop is asynchronous.")
    statement = _single(loop.child_by_field_name("body"))
    conditions: list[Node] = []
    while statement is not None and statement.type == "if_statement":
        test = statement.child_by_field_name("condition")
        if statement.child_by_field_name("alternative") is not None or test is None:
            raise RefusalError("The loop does more than to fill one array.")
        conditions.append(test)
        inner = statement.child_by_field_name("consequence")
        statement = (
            inner if inner is not None and inner.type == "expression_statement" else _single(inner)
        )
    call = (
        statement.named_children[0]
        if statement is not None and statement.type == "expression_statement"
        else None
    )
    arguments = None if call is None else call.child_by_field_name("arguments")
    given = [] if arguments is None else arguments.named_children
    pushes = (
        call is not None
        and site.text(call.child_by_field_name("function")) == f"{site.text(name)}.push"
    )
    if not pushes or len(given) != 1 or given[0].type == "spread_element":
        raise RefusalError("The loop does more than to fill one array.")
    _plain_javascript(site, loop, site.text(name), [iterable, *conditions, given[0]])
    element = site.text(given[0])
    shown = f"({element})" if given[0].type == "object" else element
    parameter = f"({site.text(target)})"
    if conditions:
        if any(effect(site, each) > Effect.STATE for each in conditions):
            raise RefusalError("Its conditions and values would be evaluated in another order.")
        tests = " && ".join(site.text(each) for each in conditions)
        tests = tests[1:-1] if len(conditions) == 1 else tests
        text = f"[...{_callee(site, iterable)}].filter({parameter} => {tests})"
        text += "" if element == site.text(target) else f".map({parameter} => {shown})"
    else:
        text = f"Array.from({site.text(iterable)}, {parameter} => {shown})"
    edits = (
        Edit(site.tree.span(value), text) if value is not None else Edit(None, ""),
        _without(site, before, loop),
    )
    return Offer("Convert the loop to an expression", edits)


def _callee(site: Site, node: Node) -> str:
    text = site.text(node)
    return (
        text
        if node.type in ("identifier", "member_expression", "call_expression", "array")
        else f"({text})"
    )


def _plain_javascript(site: Site, loop: Node, name: str, parts: list[Node]) -> None:
    for part in parts:
        for each in walk(part):
            if each.type in (
                "await_expression",
                "yield_expression",
                "assignment_expression",
                "update_expression",
            ):
                raise RefusalError("What it evaluates cannot stand in a function of its own.")
            if each.type == "identifier" and site.text(each) in (name, "arguments"):
                raise RefusalError("What it evaluates reads the array.")
    if any(each.type == "try_statement" for each in ancestors(loop)):
        raise RefusalError("If it fails, what is there by then may be seen.")


def _without(site: Site, before: Node, loop: Node) -> Edit:
    return Edit(Span(site.end(before), site.end(loop)), "")


# ----------------------------------------------------------------------- Ruby


def _ruby(site: Site, call: Node) -> Offer | None:
    """Write `xs = []` and `ys.each { |y| xs << f(y) }` as `xs = ys.map { |y| f(y) }`."""
    block = call.child_by_field_name("block")
    receiver = call.child_by_field_name("receiver")
    if site.text(call.child_by_field_name("method")) != "each" or block is None or receiver is None:
        return None
    before = call.prev_named_sibling
    if (
        before is None
        or before.type != "assignment"
        or site.text(before.child_by_field_name("right")) != "[]"
    ):
        raise RefusalError("No empty array stands right before the loop.")
    name = site.text(before.child_by_field_name("left"))
    body, parameters = block.child_by_field_name("body"), block.child_by_field_name("parameters")
    statement = _single(body)
    left = None if statement is None else statement.child_by_field_name("left")
    right = None if statement is None else statement.child_by_field_name("right")
    sign = "" if statement is None else site.text(statement.child_by_field_name("operator"))
    if right is None or site.text(left) != name or sign != "<<" or parameters is None:
        raise RefusalError("The loop does more than to fill one array.")
    if any(each.type == "comment" for each in walk(call)) or parameters.named_child_count != 1:
        raise RefusalError("A comment would be lost, or its elements are taken apart.")
    for each in walk(right):
        if each.type == "identifier" and site.text(each) == name:
            raise RefusalError("What it evaluates reads the array.")
        if each.type in ("yield", "next", "break", "return", "assignment", "operator_assignment"):
            raise RefusalError("What it evaluates cannot stand in another block.")
    if effect(site, receiver) >= Effect.ANY and name in site.text(receiver):
        raise RefusalError("What it goes over reads the array.")
    text = f"{name} = {site.text(receiver)}.map {{ {site.text(parameters)} {site.text(right)} }}"
    return Offer("Convert the loop to map", (Edit(Span(site.start(before), site.end(call)), text),))
