"""JavaScript and TypeScript, with JSX: what has a value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow.ir import (
    Argument,
    Assign,
    Call,
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
)
from coai_agents.analysis.dataflow.lowering.base import Adapter, joined, kept_fields, unescape

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.dataflow.ir import Expr, Statement
    from coai_agents.syntax.tree import SyntaxTree


LITERAL: Final = "literal"
"""The type of what is one of a few constants, as rules call it."""

_LITERALS: Final = re.compile(
    r"""\|?\s*(?:(?:"[^"]*"|'[^']*'|-?\d+|true|false|null|undefined)\s*(?:\|\s*|$))+"""
)


class EcmaScriptExpressions(Adapter):
    """Lowers expressions, functions among them; its subclass adds statements."""

    def __init__(self, tree: SyntaxTree, deadline: float) -> None:
        super().__init__(tree, deadline)
        self.ignored = frozenset({"comment", "hash_bang_line", "type_annotation"})
        self.expressions = {
            "identifier": self.identifier,
            "shorthand_property_identifier": self.identifier,
            "shorthand_property_identifier_pattern": self.identifier,
            "this": self.identifier,
            "super": self.identifier,
            "undefined": self.const(None),
            "null": self.const(None),
            "true": self.const(value=True),
            "false": self.const(value=False),
            "number": self.number,
            "string": self.string,
            "template_string": self._template,
            "regex": lambda node: Const(node, self.name_of(node, "pattern")),
            "member_expression": self._member,
            "subscript_expression": self._subscript,
            "call_expression": self._call,
            "new_expression": self._new,
            "assignment_expression": self.binding,
            "augmented_assignment_expression": self.updating,
            "binary_expression": self.binary,
            "unary_expression": self._unary,
            "update_expression": lambda node: Several(node, self.parts(node)),
            "ternary_expression": self.ternary,
            "parenthesized_expression": self.first,
            "await_expression": self.first,
            "yield_expression": self.yielded,
            "as_expression": self.first,
            "satisfies_expression": self.first,
            "non_null_expression": self.first,
            "type_assertion": self._type_assertion,
            "sequence_expression": self._sequence,
            "object": self._object,
            "object_pattern": self._object,
            "array": self._array,
            "array_pattern": self._array,
            "assignment_pattern": lambda node: self.field(node, "left"),
            "rest_pattern": self.first,
            "arrow_function": self._arrow,
            "function_expression": self._function,
            "generator_function": self._function,
            "class": lambda node: Several(node, []),
            "jsx_expression": self.first,
            "jsx_attribute": self._attribute,
        }

    def _template(self, node: Node) -> Expr:
        parts: list[Expr] = []
        for child in node.named_children:
            if child.type == "template_substitution":
                parts.append(self.first(child))
            else:
                parts.append(Const(child, unescape(self.text(child))))
        return joined(node, parts) if parts else Const(node, self.text(node)[1:-1])

    def _member(self, node: Node) -> Expr:
        return self.member(node, self.field(node, "object"), self.name_of(node, "property"))

    def _subscript(self, node: Node) -> Expr:
        return Index(node, self.field(node, "object"), self.field(node, "index"))

    def _arguments(self, node: Node | None) -> list[Argument]:
        if node is None:
            return []
        if node.type == "template_string":
            return self._tagged(node)
        return [
            Argument(self.first(child), spread=True)
            if child.type == "spread_element"
            else Argument(self.expr(child))
            for child in node.named_children
            if child.type not in self.ignored
        ]

    def _tagged(self, node: Node) -> list[Argument]:
        """Return what a template's tag is called with: the texts, and each value by itself."""
        texts: list[Item] = []
        values: list[Argument] = []
        for child in node.named_children:
            if child.type == "template_substitution":
                if not texts:
                    texts.append(Item(Const(child, "")))
                values.append(Argument(self.first(child)))
            else:
                texts.append(Item(Const(child, unescape(self.text(child)))))
        return [Argument(Container(node, texts)), *values]

    def _call(self, node: Node) -> Expr:
        arguments = self._arguments(node.child_by_field_name("arguments"))
        callee = self.field(node, "function")
        template = node.child_by_field_name("arguments")
        if template is not None and self.name_of(node, "function") == "String.raw":
            return self._template(template)
        if (
            isinstance(callee, Name)
            and callee.name in ("require", "import")
            and len(arguments) == 1
        ):
            module = arguments[0].value
            if isinstance(module, Const) and isinstance(module.value, str):
                return Name(node, module.value.removeprefix("node:"))
        function = node.child_by_field_name("function")
        if isinstance(callee, Index) and isinstance(callee.key, Const) and function is not None:
            callee = self.member(function, callee.object, str(callee.key.value))
        return self._invoked(node, callee, arguments)

    def _invoked(self, node: Node, callee: Expr, arguments: list[Argument]) -> Expr:
        """Lower a method that is called by its own `call` or `apply` as what it is."""
        if (
            isinstance(callee, Member)
            and isinstance(callee.object, Member)
            and callee.name in ("call", "apply")
            and arguments
            and arguments[0].value.node.text == callee.object.object.node.text
        ):
            given = arguments[1:]
            if callee.name == "apply":
                given = [Argument(each.value, spread=True) for each in given]
            return Call(node, callee.object, given)
        if (
            isinstance(callee, Member)
            and isinstance(callee.object, Member)
            and callee.name == "call"
            and arguments
            and self._is_prototype(callee.object.object)
        ):
            method = self.member(node, arguments[0].value, callee.object.name)
            return Call(node, method, arguments[1:])
        return Call(node, callee, arguments)

    def _is_prototype(self, of: Expr) -> bool:
        """Say whether a method is taken from where all objects have it: `Object.prototype`."""
        if isinstance(of, Container):
            return not of.items
        return isinstance(of, Member) and of.name == "prototype"

    def _new(self, node: Node) -> Expr:
        arguments = self._arguments(node.child_by_field_name("arguments"))
        return Call(node, self.field(node, "constructor"), arguments, creates=True)

    def _unary(self, node: Node) -> Expr:
        operator = self.name_of(node, "operator")
        name = operator if operator in ("!", "typeof") else f"u{operator}"
        return Operation(node, name, [self.field(node, "argument")])

    def _type_assertion(self, node: Node) -> Expr:
        children = node.named_children
        return self.expr(children[-1]) if children else Several(node, [])

    def _sequence(self, node: Node) -> Expr:
        return Several(node, self.parts(node))

    def _object(self, node: Node) -> Expr:
        made: list[Item] = []
        for child in node.named_children:
            kind = child.type
            if kind in ("pair", "pair_pattern"):
                made.append(Item(self.field(child, "value"), self._key(child)))
            elif kind in ("shorthand_property_identifier", "shorthand_property_identifier_pattern"):
                made.append(Item(Name(child, self.text(child)), Const(child, self.text(child))))
            elif kind == "object_assignment_pattern":
                left = child.child_by_field_name("left")
                if left is not None:
                    made.append(Item(self.expr(left), Const(left, self.text(left))))
            elif kind in ("spread_element", "rest_pattern"):
                made.append(Item(self.first(child), spread=True))
            elif kind == "method_definition":
                made.append(Item(self._function(child), Const(child, self.name_of(child))))
        return Container(node, made, keyed=True)

    def _key(self, node: Node) -> Expr:
        key = node.child_by_field_name("key")
        if key is None:
            return Several(node, [])
        if key.type == "property_identifier":
            return Const(key, self.text(key))
        if key.type == "computed_property_name":
            return self.first(key)
        return self.expr(key)

    def _array(self, node: Node) -> Expr:
        made = [
            Item(self.first(child), spread=True)
            if child.type in ("spread_element", "rest_pattern")
            else Item(self.expr(child))
            for child in node.named_children
            if child.type not in self.ignored
        ]
        return Container(node, made)

    def _arrow(self, node: Node) -> Expr:
        single = node.child_by_field_name("parameter")
        prelude: list[Statement] = []
        if single is not None:
            parameters = [Parameter(single, self.text(single))]
        else:
            parameters, prelude = self._parameters(node.child_by_field_name("parameters"))
        return Function(
            node,
            "",
            parameters,
            prelude + self._function_body(node),
            asynchronous=self._async(node),
        )

    def _function_body(self, node: Node) -> list[Statement]:
        body = node.child_by_field_name("body")
        if body is None:
            return []
        if body.type == "statement_block":
            return self.body(body.named_children)
        return [Return(body, self.expr(body))]

    def _function(self, node: Node) -> Function:
        parameters, prelude = self._parameters(node.child_by_field_name("parameters"))
        kind = next((each.type for each in node.children if each.type in ("get", "set")), "")
        name = self.name_of(node)
        return Function(
            node,
            f"{name}=" if kind == "set" else name,
            parameters,
            prelude + self._function_body(node),
            asynchronous=self._async(node),
            accessor=kind,
        )

    def _async(self, node: Node) -> bool:
        return bool(node.children) and node.children[0].type == "async"

    def _parameters(self, node: Node | None) -> tuple[list[Parameter], list[Statement]]:
        """Return parameters, and what takes patterns among them apart."""
        parameters: list[Parameter] = []
        prelude: list[Statement] = []
        for child in [] if node is None else node.named_children:
            if child.type in self.ignored:
                continue
            annotations: list[Expr] = []
            pattern, declared, default = child, "", None
            if child.type in ("required_parameter", "optional_parameter"):
                inner = child.child_by_field_name("pattern")
                pattern = child if inner is None else inner
                declared = self._type(child.child_by_field_name("type"))
                value = child.child_by_field_name("value")
                default = None if value is None else self.expr(value)
                if self.child_of(child, "accessibility_modifier") is not None:
                    prelude += kept_fields(child, [self.text(pattern)], "this")
                annotations = [
                    self.first(each) for each in child.named_children if each.type == "decorator"
                ]
            elif child.type == "assignment_pattern":
                left = child.child_by_field_name("left")
                pattern = child if left is None else left
                default = self.field(child, "right")
            rest = pattern.type == "rest_pattern"
            name = self.text(pattern).removeprefix("...")
            if pattern.type in ("object_pattern", "array_pattern"):
                name = f"parameter {len(parameters)}"
                target = self.expr(pattern)
                prelude.append(Assign(pattern, target, Name(pattern, name)))
            parameters.append(Parameter(child, name, declared, default, rest, annotations))
        return parameters, prelude

    def _type(self, node: Node | None) -> str:
        if node is None:
            return ""
        text = self.text(node).lstrip(": ")
        if _LITERALS.fullmatch(text):
            return LITERAL
        return re.split(r"[<\[ |&{(]", text, maxsplit=1)[0]

    def _attribute(self, node: Node) -> Expr:
        children = node.named_children
        if len(children) < 2:  # noqa: PLR2004 - a name and a value
            return Several(node, [])
        callee = Name(children[0], f"jsx:{self.text(children[0])}")
        return Call(node, callee, [Argument(self.expr(children[1]))])
