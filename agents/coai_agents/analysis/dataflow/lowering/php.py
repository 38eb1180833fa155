"""PHP.

One file, because an adapter is one table of a grammar's nodes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from coai_agents.analysis.dataflow.ir import (
    ENUM,
    Argument,
    Assign,
    Call,
    Case,
    Class,
    Conditional,
    Const,
    Container,
    Define,
    Evaluate,
    Function,
    Handler,
    If,
    Import,
    Index,
    Item,
    Leave,
    Loop,
    Name,
    Operation,
    Parameter,
    Return,
    Several,
    Switch,
    Try,
)
from coai_agents.analysis.dataflow.lowering.base import Adapter, joined, kept_fields, unescape
from coai_agents.analysis.dataflow.lowering.php_pages import printing

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.dataflow.ir import Expr, Module, Part, Statement
    from coai_agents.syntax.tree import SyntaxTree

_CALLS = {
    "include_expression": "include",
    "include_once_expression": "include",
    "require_expression": "require",
    "require_once_expression": "require",
    "print_intrinsic": "print",
    "shell_command_expression": "shell_exec",
    "exit_statement": "exit",
    "echo_statement": "echo",
    "clone_expression": "clone",
}
"""What is a word of the language and works like a call."""


_NUMERIC = {"+": "add", "*": "mul", "/": "div", "%": "mod"}
_BITS = {"|": "bits", "&": "bits", "^": "bits", "<<": "bits", ">>": "bits"}
"""Operators that make a number of a text and a number."""

_WITH_VARIABLES = ("function_definition", "method_declaration", "anonymous_function")
_NOT_EXTRACTED = ("$this", "$GLOBALS", "$_GET", "$_POST", "$_COOKIE", "$_REQUEST", "$_SERVER")

_REGISTERING = re.compile(
    r"\b(add_shortcode)\s*\(\s*['\"][^'\"]{1,80}['\"]\s*,\s*"
    r"(?:(?:\[|array\()\s*[^,\[\]()]{1,80},\s*)?['\"](\w+)['\"]"
)
"""How functions are made known to WordPress, by their names."""

_KEYS = ("string", "encapsed_string", "integer")


def _skipped(node: Node) -> int:
    """Return how many places of a list stand empty before one of its parts."""
    commas, before = 0, node.prev_sibling
    while before is not None and not before.is_named and before.type in (",", "[", "("):
        commas += before.type == ","
        first = before.type != ","
        if first:
            return commas
        before = before.prev_sibling
    return max(0, commas - 1)


def lower(tree: SyntaxTree, deadline: float, part: Part | None = None) -> Module:
    """Lower a PHP file."""
    return _Php(tree, deadline).module(part)


class _Php(Adapter):
    def __init__(self, tree: SyntaxTree, deadline: float) -> None:
        super().__init__(tree, deadline)
        self._classes: list[str] = []
        self._registered = {match[2]: match[1] for match in _REGISTERING.finditer(tree.source.text)}
        self.ignored = frozenset({"comment", "php_tag", "text", "php_end_tag"})
        self.expressions = {
            "variable_name": self.identifier,
            "name": self._word,
            "qualified_name": lambda node: Name(node, self.text(node).lstrip("\\")),
            "relative_scope": self.identifier,
            "boolean": lambda node: Const(node, self.text(node).lower() == "true"),
            "null": self.const(value=None),
            "integer": self.number,
            "float": self.number,
            "string": self.string,
            "encapsed_string": self._encapsed,
            "heredoc": self._encapsed,
            "heredoc_body": self._encapsed,
            "nowdoc": lambda node: Const(node, self.text(node)),
            "member_access_expression": self._member,
            "nullsafe_member_access_expression": self._member,
            "scoped_property_access_expression": self._scoped,
            "class_constant_access_expression": self._constant,
            "member_call_expression": self._member_call,
            "nullsafe_member_call_expression": self._member_call,
            "scoped_call_expression": self._scoped_call,
            "function_call_expression": self._call,
            "object_creation_expression": self._creation,
            "subscript_expression": self._subscript,
            "array_creation_expression": self._array,
            "list_literal": self._array,
            "assignment_expression": self.binding,
            "augmented_assignment_expression": self.updating,
            "reference_assignment_expression": self.binding,
            "binary_expression": self._binary,
            "unary_op_expression": self.prefixed,
            "cast_expression": self._cast,
            "match_expression": self._match,
            "conditional_expression": self._conditional,
            "parenthesized_expression": self.first,
            "error_suppression_expression": self.first,
            "by_ref": self.first,
            "anonymous_function": self._closure,
            "anonymous_function_creation_expression": self._closure,
            "arrow_function": self._closure,
            "throw_expression": self.first,
            "yield_expression": self._yield,
            **dict.fromkeys(_CALLS, self._word_call),
        }
        self.statements = {
            "expression_statement": self._expression_statement,
            "echo_statement": lambda node: [Evaluate(node, self._word_call(node))],
            "function_definition": self._define,
            "method_declaration": self._define,
            "class_declaration": self._class,
            "enum_declaration": self._enum,
            "trait_declaration": self._class,
            "property_declaration": self._property,
            "const_declaration": self._property,
            "namespace_use_declaration": self._use,
            "namespace_definition": lambda node: self.block(node.child_by_field_name("body")),
            "compound_statement": self.nested,
            "if_statement": self._if,
            "while_statement": self.repeated,
            "do_statement": lambda node: [
                *self.block(node.child_by_field_name("body")),
                *self.repeated(node),
            ],
            "for_statement": self._for,
            "foreach_statement": self._for_each,
            "switch_statement": self._switch,
            "try_statement": self._try,
            "return_statement": self.returned,
            "break_statement": self.left,
            "continue_statement": self.left,
            "unset_statement": lambda _: [],
            "global_declaration": lambda _: [],
        }

    # ------------------------------------------------------------------------------- expressions

    def _word(self, node: Node) -> Expr:
        word = self.text(node)
        constant = {"true": True, "false": False, "null": None}
        return Const(node, constant[word.lower()]) if word.lower() in constant else Name(node, word)

    def _encapsed(self, node: Node) -> Expr:
        parts: list[Expr] = []
        for child in node.named_children:
            kind = child.type
            if kind == "heredoc_body":
                return self._encapsed(child)
            if kind in ("string_content", "string_value", "escape_sequence"):
                parts.append(Const(child, unescape(self.text(child))))
            elif kind == "dynamic_variable_name":
                parts.append(Name(child, f"${self.text(child).strip('${}')}"))
            elif kind not in ("heredoc_start", "heredoc_end"):
                parts.append(self.expr(child))
        return joined(node, parts) if parts else Const(node, "")

    def _member(self, node: Node) -> Expr:
        return self.member(node, self.field(node, "object"), self.name_of(node))

    def _scoped(self, node: Node) -> Expr:
        return self.member(node, self.field(node, "scope"), self.name_of(node).lstrip("$"))

    def _constant(self, node: Node) -> Expr:
        children = node.named_children
        if len(children) < 2:  # noqa: PLR2004 - class and constant
            return Several(node, [])
        return self.member(node, self.expr(children[0]), self.text(children[-1]))

    def _arguments(self, node: Node) -> list[Argument]:
        arguments = node.child_by_field_name("arguments")
        if arguments is None:
            arguments = self.child_of(node, "arguments")
        found: list[Argument] = []
        for child in [] if arguments is None else arguments.named_children:
            if child.type != "argument":
                continue
            values = self.meaning(child)
            if not values:
                continue
            if values[-1].type == "variadic_unpacking":
                found.append(Argument(self.first(values[-1]), spread=True))
            else:
                found.append(Argument(self.expr(values[-1]), self.name_of(child)))
        return found

    def _member_call(self, node: Node) -> Expr:
        callee = self.member(node, self.field(node, "object"), self.name_of(node))
        return Call(node, callee, self._arguments(node))

    def _yield(self, node: Node) -> Expr:
        given = self.child_of(node, "array_element_initializer")
        parts = self.parts(node if given is None else given)
        return Several(node, parts[-1:], "yield")

    def _scoped_call(self, node: Node) -> Expr:
        scope = node.child_by_field_name("scope")
        of = self.field(node, "scope")
        if scope is not None and self.text(scope) == "parent":
            of = Name(scope, "super")
        elif scope is not None and self._classes and self.text(scope) in ("self", "static"):
            of = Name(scope, self._classes[-1])
        callee = self.member(node, of, self.name_of(node))
        return Call(node, callee, self._arguments(node))

    def _call(self, node: Node) -> Expr:
        return Call(node, self.field(node, "function"), self._arguments(node))

    def _creation(self, node: Node) -> Expr:
        named = [each for each in node.named_children if each.type in ("name", "qualified_name")]
        variables = [each for each in node.named_children if each.type == "variable_name"]
        if not named and variables:
            return Call(node, self.expr(variables[0]), self._arguments(node), creates=True)
        name = self.text(named[0]).rpartition("\\")[2] if named else ""
        if name in ("self", "static") and self._classes:
            name = self._classes[-1]
        return Call(node, Name(node, name), self._arguments(node), creates=True)

    def _word_call(self, node: Node) -> Expr:
        arguments = [Argument(part) for part in self.parts(node)]
        if node.type == "shell_command_expression":
            arguments = [Argument(joined(node, [each.value for each in arguments]))]
        return Call(node, Name(node, _CALLS[node.type]), arguments)

    def _subscript(self, node: Node) -> Expr:
        parts = self.parts(node)
        if len(parts) < 2:  # noqa: PLR2004 - a container and a key
            return Index(node, parts[0] if parts else Several(node, []), None)
        return Index(node, parts[0], parts[1])

    def _array(self, node: Node) -> Expr:
        made: list[Item] = []
        keyed = False
        keys: list[Expr] = []
        for child in node.named_children:
            parts = self.parts(child) if child.type == "array_element_initializer" else []
            if child.type in self.ignored:
                continue
            if node.type == "list_literal":
                made += [Item(Several(child, [])) for _ in range(_skipped(child))]
            if node.type == "list_literal" and child.type in _KEYS:
                keys.append(self.expr(child))
                continue
            if keys:
                keyed = True
                made.append(Item(self.expr(child), keys.pop()))
                continue
            if len(parts) == 2:  # noqa: PLR2004 - key and value
                keyed = True
                made.append(Item(parts[1], parts[0]))
            elif len(parts) == 1:
                made.append(Item(parts[0]))
            else:
                made.append(Item(self.expr(child)))
        return Container(node, made, keyed)

    def _cast(self, node: Node) -> Expr:
        kind = self.name_of(node, "type")
        value = self.field(node, "value")
        if kind in ("int", "integer", "float", "double", "bool", "boolean"):
            return Call(node, Name(node, "intval"), [Argument(value)])
        return value

    def _conditional(self, node: Node) -> Expr:
        body = node.child_by_field_name("body")
        test = self.field(node, "condition")
        yes = test if body is None else self.expr(body)
        return Conditional(node, test, yes, self.field(node, "alternative"))

    def _binary(self, node: Node) -> Expr:
        made = self.binary(node)
        inner: Expr = made
        while isinstance(inner, Operation):
            # Between texts, too, these operators make numbers.
            numbers = any(
                isinstance(each, Const) and isinstance(each.value, int) for each in inner.operands
            )
            known = _BITS if numbers else {}
            inner.operator = _NUMERIC.get(inner.operator) or known.get(
                inner.operator, inner.operator
            )
            inner = inner.operands[0]
        return made

    def _match(self, node: Node) -> Expr:
        arms: list[tuple[list[Expr], Expr]] = []
        for arm in self.inner(node, "body"):
            value = self.field(arm, "return_expression")
            arms.append((self.inner_parts(arm, "conditional_expressions"), value))
        return self.choice(node, self.field(node, "condition"), arms)

    def _closure(self, node: Node) -> Expr:
        return self._function(node)

    def _function(self, node: Node) -> Function:
        body = node.child_by_field_name("body")
        statements: list[Statement] = []
        if body is not None and body.type == "compound_statement":
            statements = self.body(body.named_children)
        elif body is not None:
            statements = [Return(body, self.expr(body))]
        parameters: list[Parameter] = []
        promoted: list[str] = []
        for child in self.inner(node, "parameters"):
            kind = child.child_by_field_name("type")
            name = self.name_of(child)
            if name:
                written = "" if kind is None else self.text(kind).lstrip("?\\").rpartition("\\")[2]
                rest = child.type == "variadic_parameter"
                reference = child.child_by_field_name("reference_modifier") is not None
                default = child.child_by_field_name("default_value")
                parameters.append(
                    Parameter(
                        child,
                        name,
                        written,
                        None if default is None else self.expr(default),
                        rest=rest,
                        reference=reference,
                    )
                )
                if child.type == "property_promotion_parameter":
                    promoted.append(name)
        statements = kept_fields(node, promoted, "$this") + statements
        registered = self._registered.get(self.name_of(node))
        return Function(
            node,
            self.name_of(node),
            parameters,
            statements,
            [] if registered is None else [Name(node, registered)],
            method=node.type == "method_declaration",
        )

    # -------------------------------------------------------------------------------- statements

    def _expression_statement(self, node: Node) -> list[Statement]:
        inner = next((each for each in node.named_children if each.type not in self.ignored), None)
        if inner is None:
            return []
        if inner.type in ("assignment_expression", "reference_assignment_expression"):
            return [Assign(inner, self.field(inner, "left"), self.field(inner, "right"))]
        if inner.type == "augmented_assignment_expression":
            operator = self.name_of(inner, "operator").removesuffix("=")
            left, right = self.field(inner, "left"), self.field(inner, "right")
            return [Assign(inner, left, right, operator)]
        if inner.type == "name" and self.text(inner) in ("die", "exit"):
            return [Leave(inner, "throw")]
        if inner.type == "throw_expression":
            return [Leave(inner, "throw", self.first(inner))]
        before = node.prev_sibling
        if before is not None and (word := printing(self.text(before))) is not None:
            return [Evaluate(node, Call(node, Name(node, word), [Argument(self.expr(inner))]))]
        lowered: list[Statement] = [Evaluate(node, self.expr(inner))]
        if (
            inner.type == "function_call_expression"
            and self.name_of(inner, "function") == "extract"
        ):
            lowered += self._extracted(inner)
        if inner.type == "exit_statement":
            lowered.append(Leave(inner, "throw"))
        return lowered

    def _extracted(self, node: Node) -> list[Statement]:
        """Lower `extract($table)`: what stands under a variable's name is its value from there."""
        passed = self._arguments(node)
        if not passed or any("EXTR_OVERWRITE" not in self.text(e.value.node) for e in passed[1:2]):
            return []
        table = passed[0]
        around: Node = node
        while around.parent is not None and around.type not in _WITH_VARIABLES:
            around = around.parent
        names: dict[str, None] = {}
        waiting = [around]
        while waiting:
            each = waiting.pop()
            if each.type == "variable_name" and each.start_byte > node.end_byte:
                names[self.text(each)] = None
            waiting += each.named_children
        return [
            Assign(
                node,
                Name(node, name),
                Operation(node, "extract", [table.value, Const(node, name[1:]), Name(node, name)]),
            )
            for name in sorted(names)
            if name not in _NOT_EXTRACTED
        ]

    def _define(self, node: Node) -> list[Statement]:
        return [Define(node, self._function(node))]

    def _class(self, node: Node) -> list[Statement]:
        body = node.child_by_field_name("body")
        self._classes.append(self.name_of(node))
        members = [] if body is None else self.body(body.named_children)
        self._classes.pop()
        bases = [
            self.text(each).removeprefix("extends").strip()
            for each in node.named_children
            if each.type == "base_clause"
        ]
        for used in [] if body is None else body.named_children:
            if used.type == "use_declaration":
                bases += [self.text(each).rpartition("\\")[2] for each in used.named_children]
        return [Class(node, self.name_of(node), bases, members)]

    def _enum(self, node: Node) -> list[Statement]:
        (made,) = self._class(node)
        assert isinstance(made, Class)
        for name in ("from", "tryFrom"):
            # Whatever text it is given, what it returns is one of the cases.
            known = Function(node, name, [Parameter(node, "$value")], [], method=True)
            known.body.append(Return(node, Name(node, made.name)))
            made.body.append(Define(node, known))
        made.bases.append(ENUM)
        return [made]

    def _property(self, node: Node) -> list[Statement]:
        lowered: list[Statement] = []
        for child in node.named_children:
            if child.type not in ("property_element", "const_element"):
                continue
            parts = child.named_children
            if len(parts) < 2:  # noqa: PLR2004 - a name and a value
                continue
            this = Name(child, "$this")
            target = self.member(child, this, self.text(parts[0]).lstrip("$"))
            value = self.first(parts[-1]) if parts[-1].type.endswith("initializer") else None
            given = self.expr(parts[-1]) if value is None else value
            lowered.append(Assign(child, target, given, declares=True))
        return lowered

    def _use(self, node: Node) -> list[Statement]:
        names: list[tuple[str, str]] = []
        for clause in node.named_children:
            if clause.type == "namespace_use_clause":
                path = self.text(clause).split(" as ")[0].strip("\\ ")
                name = self.name_of(clause, "alias") or path.rpartition("\\")[2]
                names.append((name, path.rpartition("\\")[2]))
        return [Import(node, names)]

    def _if(self, node: Node) -> list[Statement]:
        otherwise: list[Statement] = []
        for part in reversed(node.children_by_field_name("alternative")):
            body = self.block(part.child_by_field_name("body"))
            if part.type == "else_if_clause":
                otherwise = [If(part, self.field(part, "condition"), body, otherwise)]
            else:
                otherwise = body
        yes = self.block(node.child_by_field_name("body"))
        return [If(node, self.field(node, "condition"), yes, otherwise)]

    def _for(self, node: Node) -> list[Statement]:
        before = self.block(node.child_by_field_name("initialize"))
        body = self.block(node.child_by_field_name("body"))
        return [*before, Loop(node, body)]

    def _for_each(self, node: Node) -> list[Statement]:
        body = node.child_by_field_name("body")
        parts = [
            each for each in node.named_children if each != body and each.type not in self.ignored
        ]
        if len(parts) < 2:  # noqa: PLR2004 - what is walked through, and into what
            return self.block(body)
        pair = parts[1].type == "pair"
        target: Expr
        if pair:
            target = Container(parts[1], [Item(self.expr(e)) for e in parts[1].named_children])
        else:
            target = self.expr(parts[1])
        iterable = self.expr(parts[0])
        return [Loop(node, self.block(body), target=target, iterable=iterable, pairs=pair)]

    def _switch(self, node: Node) -> list[Statement]:
        body = node.child_by_field_name("body")
        cases: list[Case] = []
        for child in [] if body is None else body.named_children:
            value = child.child_by_field_name("value")
            statements = self.body([e for e in child.named_children if value is None or e != value])
            patterns = [] if value is None else [self.expr(value)]
            cases.append(Case(patterns, statements, default=value is None))
        return [Switch(node, self.field(node, "condition"), cases, falls=True)]

    def _try(self, node: Node) -> list[Statement]:
        handlers: list[Handler] = []
        final: list[Statement] = []
        for child in node.named_children:
            if child.type == "catch_clause":
                types = [self.name_of(child, "type")]
                body = self.block(child.child_by_field_name("body"))
                handlers.append(Handler(child, types, self.name_of(child), body))
            elif child.type == "finally_clause":
                final = self.block(child.child_by_field_name("body"))
        return [Try(node, self.block(node.child_by_field_name("body")), handlers, final)]
