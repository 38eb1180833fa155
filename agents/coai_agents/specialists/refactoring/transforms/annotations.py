"""Types that the code itself shows: of what is returned, and of defaults. Python's only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.source import Edit, Span
from coai_agents.specialists.refactoring.site import Offer, RefusalError, Site, bare, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

_EVIDENT: Final = {
    "string": "str", "concatenated_string": "str", "integer": "int", "float": "float",
    "true": "bool", "false": "bool", "not_operator": "bool", "none": "None",
}  # fmt: skip
_CALLS: Final = {"str": "str", "repr": "str", "len": "int", "isinstance": "bool", "bool": "bool",
                 "hasattr": "bool", "callable": "bool", "ascii": "str", "chr": "str", "id": "int",
                 "ord": "int", "hex": "str", "bin": "str", "oct": "str", "any": "bool",
                 "all": "bool", "float": "float", "issubclass": "bool"}  # fmt: skip
_BRANCHES: Final = ("if_statement",)


def add_types(site: Site) -> Iterator[Offer]:
    """Add the types of a function's result and parameters that are evident from its code."""
    if site.family != "python":
        raise RefusalError("Only Python's types are added without a model.")
    function = next(site.nearest("function_definition"), None)
    if function is None:
        raise RefusalError("There is no function here.")
    edits: list[Edit] = []
    parameters = function.child_by_field_name("parameters")
    for each in [] if parameters is None else parameters.named_children:
        name, value = each.child_by_field_name("name"), each.child_by_field_name("value")
        if each.type == "default_parameter" and name is not None and value is not None:
            kind = _evident(site, value)
            if kind not in (None, "None"):
                edits.append(site.replaced(each, f"{site.text(name)}: {kind} = {site.text(value)}"))
    result = _result(site, function)
    if result is not None and parameters is not None:
        end = site.end(parameters)
        edits.append(Edit(Span(end, end), f" -> {result}"))
    if not edits:
        raise RefusalError("No missing type is evident from the code.")
    yield Offer("Add the types that are evident", tuple(edits))


def _evident(site: Site, node: Node) -> str | None:
    """Return the type of a value that its form alone decides."""
    inner = bare(node)
    if inner.type == "string" and site.text(inner).lower().startswith(("b", "rb")):
        return "bytes"
    if inner.type in _EVIDENT:
        return _EVIDENT[inner.type]
    if (
        inner.type == "unary_operator"
        and inner.named_children
        and site.text(inner.children[0]) in "+-"
    ):
        kind = _evident(site, inner.named_children[0])
        return kind if kind in ("int", "float") else None
    if inner.type == "comparison_operator":
        signs = {
            site.text(e) for e in inner.children if site.text(e) in ("is", "is not", "in", "not in")
        }
        return "bool" if signs and inner.named_child_count == 2 else None  # noqa: PLR2004 - two sides
    if inner.type == "call":
        use = site.names.at(site.start(inner))
        called = site.text(inner.child_by_field_name("function"))
        return _CALLS.get(called) if use is None or use.binding is None else None
    return None


def _result(site: Site, function: Node) -> str | None:
    body = function.child_by_field_name("body")
    if body is None or function.child_by_field_name("return_type") is not None:
        return None
    found: list[str | None] = []
    for node in _own(body):
        if node.type in ("yield", "await") and node.type == "yield":
            return None
        if node.type == "return_statement":
            values = [each for each in node.named_children if each.type != "comment"]
            found.append(_evident(site, values[0]) if values else "None")
    if None in found or _is_open(site, function, body):
        return None
    kinds = {each for each in found if each is not None}
    if not _ends(body):
        kinds.add("None")
    if len(kinds) == 1:
        return next(iter(kinds))
    # A result that is sometimes `None` is evident; one of two other kinds is a question.
    other = sorted(kinds - {"None"})
    return f"{other[0]} | None" if len(other) == 1 and "None" in kinds else None


def _own(body: Node) -> Iterator[Node]:
    waiting = [body]
    while waiting:
        node = waiting.pop()
        yield node
        if node.type not in ("function_definition", "lambda", "class_definition"):
            waiting.extend(node.children)


def _is_open(site: Site, function: Node, body: Node) -> bool:
    """Say whether a function is there to be replaced: abstract, overloaded, a stub, or it fails."""
    above = function.parent
    decorators = "" if above is None or above.type != "decorated_definition" else " ".join(
        site.text(e) for e in above.named_children if e.type == "decorator"
    )  # fmt: skip
    if any(word in decorators for word in ("abstract", "overload", "property.setter")):
        return True
    statements = [each for each in body.named_children if each.type != "comment"]
    real = [e for e in statements if not _is_text(e)]
    stub = all(each.type == "pass_statement" or site.text(each) == "..." for each in real)
    raises = bool(real) and real[-1].type == "raise_statement"
    no_return = not any(each.type == "return_statement" for each in walk(body))
    return stub or (raises and no_return)


def _is_text(statement: Node) -> bool:
    inner = statement.named_children
    return (
        statement.type == "expression_statement" and len(inner) == 1 and inner[0].type == "string"
    )


def _ends(block: Node) -> bool:
    """Say whether a block is never left at its end."""
    statements = [each for each in block.named_children if each.type != "comment"]
    last = statements[-1] if statements else None
    if last is None:
        return False
    if last.type in ("return_statement", "raise_statement"):
        return True
    if last.type == "with_statement":
        return False
    if last.type not in _BRANCHES:
        return False
    branches = [last, *last.children_by_field_name("alternative")]
    blocks = [
        e.child_by_field_name("consequence") or e.child_by_field_name("body") for e in branches
    ]
    return branches[-1].type == "else_clause" and all(e is not None and _ends(e) for e in blocks)
