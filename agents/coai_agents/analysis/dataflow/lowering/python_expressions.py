"""Python: what has a value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow.ir import (
    UNKNOWN,
    Argument,
    Binding,
    Call,
    Conditional,
    Const,
    Container,
    Function,
    Index,
    Item,
    Member,
    Name,
    Operation,
    Parameter,
    Return,
    Several,
    Text,
)
from coai_agents.analysis.dataflow.lowering.base import Adapter, joined, unescape

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.dataflow.ir import Expr, Statement
    from coai_agents.syntax.tree import SyntaxTree

_STRING_START: Final = re.compile(r"([a-zA-Z]*)(\"\"\"|'''|\"|')")
_IMPORTS: Final = frozenset({"__import__", "importlib.import_module", "import_module"})
"""Functions that return the module that they are told the name of."""


def _named(callee: Name | Member) -> str:
    return callee.name if isinstance(callee, Name) else callee.written


_COMPREHENSIONS: Final = (
    "list_comprehension",
    "set_comprehension",
    "dictionary_comprehension",
    "generator_expression",
)


class PythonExpressions(Adapter):
    """Lowers expressions; its subclass adds statements."""

    def __init__(self, tree: SyntaxTree, deadline: float) -> None:
        super().__init__(tree, deadline)
        self.expressions = {
            "identifier": self.identifier,
            "keyword_identifier": self.identifier,
            "integer": self.number,
            "float": self.number,
            "true": self.const(value=True),
            "false": self.const(value=False),
            "none": self.const(None),
            "ellipsis": self.const(UNKNOWN),
            "string": self._string,
            "concatenated_string": self._concatenated,
            "attribute": self._attribute,
            "subscript": self._subscript,
            "call": self._call,
            "binary_operator": self._binary,
            "boolean_operator": self._boolean,
            "not_operator": self._not,
            "unary_operator": self._unary,
            "comparison_operator": self._comparison,
            "conditional_expression": self._conditional,
            "parenthesized_expression": self.first,
            "await": self.first,
            "list": self._sequence,
            "tuple": self._sequence,
            "set": self._sequence,
            "expression_list": self._sequence,
            "pattern_list": self._sequence,
            "tuple_pattern": self._sequence,
            "list_pattern": self._sequence,
            "dictionary": self._dictionary,
            "lambda": self._lambda,
            "named_expression": self._walrus,
            "yield": self.yielded,
            "assignment": self.binding,
            "type": self.first,
            **dict.fromkeys(_COMPREHENSIONS, self._comprehension),
        }

    def _string(self, node: Node) -> Expr:
        children = node.children
        start = _STRING_START.match(self.text(children[0]) if children else self.text(node))
        prefix = start[1].lower() if start else ""
        quote = start[2] if start else '"'
        if len(children) == 2:  # noqa: PLR2004 - nothing between the quotes
            return Const(node, b"" if "b" in prefix else "")
        raw = "r" in prefix
        if "f" not in prefix:
            text = self.text(node)[len(prefix) + len(quote) : -len(quote)]
            text = text if raw else unescape(text)
            return Const(node, text.encode() if "b" in prefix else text)
        parts: list[Expr] = []
        for child in node.named_children:
            if child.type == "string_content":
                text = self.text(child)
                text = text.replace("{{", "{").replace("}}", "}")
                parts.append(Const(child, text if raw else unescape(text)))
            elif child.type == "interpolation":
                parts.append(self._interpolation(child))
        return joined(node, parts) if parts else Const(node, "")

    def _interpolation(self, node: Node) -> Expr:
        inner = node.child_by_field_name("expression")
        return self.first(node) if inner is None else self.expr(inner)

    def _concatenated(self, node: Node) -> Expr:
        parts: list[Expr] = []
        for child in self.meaning(node):
            part = self.expr(child)
            parts += part.parts if isinstance(part, Text) else [part]
        return joined(node, parts)

    def _attribute(self, node: Node) -> Expr:
        return self.member(node, self.field(node, "object"), self.name_of(node, "attribute"))

    def _subscript(self, node: Node) -> Expr:
        keys = node.children_by_field_name("subscript")
        of = self.field(node, "value")
        if len(keys) == 1 and keys[0].type != "slice":
            return Index(node, of, self.expr(keys[0]))
        if len(keys) == 1:
            return self._slice(node, of, keys[0])
        return Index(node, of, None)

    def _slice(self, node: Node, of: Expr, key: Node) -> Expr:
        bounds: list[Expr] = [Const(key, None), Const(key, None), Const(key, None)]
        at = 0
        for child in key.children:
            if child.type == ":":
                at = min(at + 1, 2)
            else:
                bounds[at] = self.expr(child)
        return Operation(node, "slice", [of, *bounds])

    def _call(self, node: Node) -> Expr:
        callee = self.field(node, "function")
        arguments = node.child_by_field_name("arguments")
        if isinstance(callee, Name) and callee.name == "super":
            return callee
        if arguments is None:
            return Call(node, callee, [])
        if isinstance(callee, Name | Member) and _named(callee) in _IMPORTS:
            module = self.parts(arguments)
            if module and isinstance(module[0], Const) and isinstance(module[0].value, str):
                return Name(node, module[0].value)
        if isinstance(callee, Name) and callee.name == "getattr":
            of, *named = [self.expr(each) for each in self.meaning(arguments)]
            if named and isinstance(named[0], Const) and isinstance(named[0].value, str):
                return self.member(node, of, named[0].value)
        if arguments.type == "generator_expression":
            return Call(node, callee, [Argument(self.expr(arguments))])
        return Call(node, callee, self._arguments(arguments))

    def _arguments(self, node: Node) -> list[Argument]:
        arguments: list[Argument] = []
        for child in node.named_children:
            if child.type == "keyword_argument":
                arguments.append(Argument(self.field(child, "value"), self.name_of(child)))
            elif child.type in ("list_splat", "dictionary_splat"):
                arguments.append(Argument(self.first(child), spread=True))
            elif child.type != "comment":
                arguments.append(Argument(self.expr(child)))
        return arguments

    def _binary(self, node: Node) -> Expr:
        chain = self.left_chain(node, "binary_operator")
        value = self.field(chain[0], "left")
        for each in chain:
            value = Operation(
                each, self.name_of(each, "operator"), [value, self.field(each, "right")]
            )
        return value

    def _boolean(self, node: Node) -> Expr:
        chain = self.left_chain(node, "boolean_operator")
        value = self.field(chain[0], "left")
        for each in chain:
            value = Operation(
                each, self.name_of(each, "operator"), [value, self.field(each, "right")]
            )
        return value

    def _not(self, node: Node) -> Expr:
        return Operation(node, "not", [self.field(node, "argument")])

    def _unary(self, node: Node) -> Expr:
        return Operation(node, f"u{self.name_of(node, 'operator')}", [self.field(node, "argument")])

    def _comparison(self, node: Node) -> Expr:
        operands = self.parts(node)
        operators = [
            child
            for child in node.children
            if not child.is_named or child.type in ("not in", "is not")
        ]
        if len(operands) != 2 or not operators:  # noqa: PLR2004 - a chain of comparisons
            return Operation(node, "compare", operands)
        operator = " ".join(self.text(child) for child in operators)
        return Operation(node, operator, operands)

    def _conditional(self, node: Node) -> Expr:
        parts = self.parts(node)
        if len(parts) != 3:  # noqa: PLR2004 - value, condition, alternative
            return Several(node, parts)
        return Conditional(node, parts[1], parts[0], parts[2])

    def _sequence(self, node: Node) -> Expr:
        made: list[Item] = []
        for child in node.named_children:
            if child.type in ("list_splat", "list_splat_pattern"):
                made.append(Item(self.first(child), spread=True))
            elif child.type != "comment":
                made.append(Item(self.expr(child)))
        return Container(node, made)

    def _dictionary(self, node: Node) -> Expr:
        made: list[Item] = []
        for child in node.named_children:
            if child.type == "pair":
                made.append(Item(self.field(child, "value"), self.field(child, "key")))
            elif child.type == "dictionary_splat":
                made.append(Item(self.first(child), spread=True))
        return Container(node, made, keyed=True)

    def _comprehension(self, node: Node) -> Expr:
        # The variables are bound by expressions, so that the body sees them.
        bound: list[Expr] = []
        for child in node.named_children:
            if child.type == "for_in_clause":
                left = child.child_by_field_name("left")
                right = child.child_by_field_name("right")
                if left is not None and right is not None:
                    element = Index(child, self.expr(right), None)
                    bound.append(Binding(child, self.expr(left), element))
            elif child.type == "if_clause":
                bound += self.parts(child)
        inner = node.child_by_field_name("body")
        if inner is None:
            return Several(node, bound)
        if inner.type == "pair":
            values = [self.field(inner, "key"), self.field(inner, "value")]
        else:
            values = [self.expr(inner)]
        several = Several(node, [*bound, *values], "comprehension")
        return Operation(node, "elements", [several])

    def _lambda(self, node: Node) -> Expr:
        body = node.child_by_field_name("body")
        returned: list[Statement] = [] if body is None else [Return(node, self.expr(body))]
        parameters = node.child_by_field_name("parameters")
        return Function(node, "", self._parameters(parameters), returned)

    def _walrus(self, node: Node) -> Expr:
        return Binding(node, self.field(node, "name"), self.field(node, "value"))

    def _parameters(self, node: Node | None) -> list[Parameter]:
        found: list[Parameter] = []
        for child in [] if node is None else node.named_children:
            kind = child.type
            if kind == "identifier":
                found.append(Parameter(child, self.text(child)))
            elif kind in ("default_parameter", "typed_default_parameter"):
                declared = child.child_by_field_name("type")
                default = child.child_by_field_name("value")
                found.append(
                    Parameter(
                        child,
                        self.name_of(child),
                        "" if declared is None else self._type(declared),
                        None if default is None else self.expr(default),
                        annotations=[] if declared is None else [self.expr(declared)],
                    )
                )
            elif kind == "typed_parameter":
                declared = child.child_by_field_name("type")
                inner = child.named_children[0]
                found.append(
                    Parameter(
                        child,
                        self.text(inner).lstrip("*"),
                        "" if declared is None else self._type(declared),
                        rest=inner.type != "identifier",
                        annotations=[] if declared is None else [self.expr(declared)],
                    )
                )
            elif kind in ("list_splat_pattern", "dictionary_splat_pattern"):
                found.append(Parameter(child, self.text(child).lstrip("*"), rest=True))
        return found

    def _type(self, node: Node) -> str:
        """Return a type's name; of `X | None` and `Optional[X]`, X."""
        text = self.text(node).strip("\"' ")
        text = re.sub(r"\s*\|\s*None$|^None\s*\|\s*", "", text)
        inner = re.match(r"(?:typing\.)?(?:Optional|Annotated)\[\s*([\w.]+)", text)
        if inner is not None:
            return inner[1]
        return re.split(r"[\[ |]", text, maxsplit=1)[0]
