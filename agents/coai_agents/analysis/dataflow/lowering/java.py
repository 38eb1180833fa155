"""Java.

One file, because an adapter is one table of a grammar's nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow.ir import (
    ENUM,
    Argument,
    Assign,
    Binding,
    Call,
    Case,
    Class,
    Const,
    Container,
    Define,
    Evaluate,
    Function,
    Handler,
    Import,
    Index,
    Item,
    Loop,
    Name,
    Operation,
    Parameter,
    Return,
    Several,
    Switch,
    Try,
    With,
)
from coai_agents.analysis.dataflow.lowering.base import Adapter, items, unescape

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.dataflow.ir import Expr, Module, Part, Statement
    from coai_agents.syntax.tree import SyntaxTree


_LITERALS: Final = frozenset(
    {
        ("Arrays", "asList"),
        ("Collections", "singletonList"),
        ("Collections", "singleton"),
        ("Map", "of"),
        ("ImmutableMap", "of"),
        *((name, "of") for name in ("List", "Set", "ImmutableList", "ImmutableSet", "EnumSet")),
    }
)
"""Functions that are what other languages have literals of containers for."""


def lower(tree: SyntaxTree, deadline: float, part: Part | None = None) -> Module:
    """Lower a Java file."""
    return _Java(tree, deadline).module(part)


class _Java(Adapter):
    def __init__(self, tree: SyntaxTree, deadline: float) -> None:
        super().__init__(tree, deadline)
        self.expressions = {
            "identifier": self.identifier,
            "type_identifier": self.identifier,
            "this": self.identifier,
            "super": self.identifier,
            "true": self.const(value=True),
            "false": self.const(value=False),
            "null_literal": self.const(value=None),
            "string_literal": self._string,
            "character_literal": self.string,
            "decimal_integer_literal": self.number,
            "hex_integer_literal": self.number,
            "octal_integer_literal": self.number,
            "binary_integer_literal": self.number,
            "decimal_floating_point_literal": self.number,
            "method_invocation": self._invocation,
            "object_creation_expression": self._creation,
            "field_access": self._field_access,
            "scoped_identifier": self._scoped,
            "scoped_type_identifier": self._scoped,
            "array_access": self._array_access,
            "assignment_expression": self.binding,
            "binary_expression": self.binary,
            "unary_expression": self._unary,
            "update_expression": lambda node: Several(node, self.parts(node)),
            "ternary_expression": self.ternary,
            "cast_expression": lambda node: self.field(node, "value"),
            "parenthesized_expression": self.first,
            "lambda_expression": self._lambda,
            "method_reference": self._reference,
            "class_literal": lambda node: Name(node, self.text(node)),
            "array_initializer": lambda node: Container(node, items(self.parts(node))),
            "array_creation_expression": self._array_creation,
            "instanceof_expression": self._instance_of,
            "switch_expression": self._chosen,
        }
        self.statements = {
            "class_declaration": self._class,
            "interface_declaration": self._class,
            "enum_declaration": self._enum,
            "record_declaration": self._class,
            "method_declaration": self._method,
            "constructor_declaration": self._method,
            "compact_constructor_declaration": lambda node: self.block(
                node.child_by_field_name("body")
            ),
            "field_declaration": self._field,
            "local_variable_declaration": self._declaration,
            "expression_statement": self.evaluated,
            "assignment_expression": self.assignment,
            "import_declaration": self._import,
            "package_declaration": lambda _: [],
            "block": self.nested,
            "explicit_constructor_invocation": self._above,
            "constructor_body": lambda node: self.body(node.named_children),
            "static_initializer": lambda node: self.body(node.named_children),
            "synchronized_statement": self._synchronized,
            "labeled_statement": lambda node: self.body(node.named_children[1:]),
            "if_statement": self.branch,
            "for_statement": self._for,
            "enhanced_for_statement": self._for_each,
            "while_statement": self.repeated,
            "do_statement": self._done,
            "try_statement": self._try,
            "try_with_resources_statement": self._try,
            "switch_expression": self._switch,
            "return_statement": self.returned,
            "throw_statement": self.left,
            "break_statement": self.left,
            "continue_statement": self.left,
            "yield_statement": self.returned,
        }

    # ------------------------------------------------------------------------------- expressions

    def _string(self, node: Node) -> Expr:
        text = self.text(node)
        quotes = 3 if text.startswith('"""') else 1
        return Const(node, unescape(text[quotes:-quotes]))

    def _arguments(self, node: Node) -> list[Argument]:
        arguments = node.child_by_field_name("arguments")
        return [] if arguments is None else [Argument(value) for value in self.parts(arguments)]

    def _invocation(self, node: Node) -> Expr:
        of = node.child_by_field_name("object")
        name = self.name_of(node)
        name_node = node.child_by_field_name("name") or node
        # Without an object it is a method of the class itself, or one imported by its name.
        if of is None:
            return Call(node, Name(name_node, name), self._arguments(node))
        if of.type == "identifier" and (self.text(of), name) in _LITERALS:
            return self._collected(node, keyed=self.text(of).endswith("Map"))
        return Call(node, self.member(node, self.expr(of), name), self._arguments(node))

    def _collected(self, node: Node, *, keyed: bool) -> Expr:
        """Lower what a list, a set or a map is written as; they have no literals."""
        values = [argument.value for argument in self._arguments(node)]
        if not keyed:
            return Container(node, items(values))
        pairs = zip(values[1::2], values[::2], strict=False)
        return Container(node, [Item(value, key) for value, key in pairs], keyed=True)

    def _creation(self, node: Node) -> Expr:
        name = self.type_of(node)
        call = Call(node, Name(node, name), self._arguments(node), creates=True)
        bodies = [child for child in node.named_children if child.type == "class_body"]
        if bodies:
            methods = [
                statement.function
                for statement in self.body(bodies[0].named_children)
                if isinstance(statement, Define)
            ]
            return Several(node, [*methods, call], "last")
        return call

    def _field_access(self, node: Node) -> Expr:
        return self.member(node, self.field(node, "object"), self.name_of(node, "field"))

    def _scoped(self, node: Node) -> Expr:
        parts = self.text(node).split(".")
        value: Expr = Name(node, parts[0])
        for part in parts[1:]:
            value = self.member(node, value, part)
        return value

    def _array_access(self, node: Node) -> Expr:
        return Index(node, self.field(node, "array"), self.field(node, "index"))

    def _chosen(self, node: Node) -> Expr:
        """Lower a switch between values: its value is one of theirs."""
        arms: list[tuple[list[Expr], Expr]] = []
        for rule in self.inner(node, "body"):
            label = self.child_of(rule, "switch_label")
            if rule.type != "switch_rule" or label is None:
                return Several(node, self.parts(node))
            values = [self._yielded(each) for each in rule.named_children if each != label]
            bound = self._bound(label, self.field(node, "condition"))
            if bound:
                # Which of the types it is decides nothing: the value is what it was.
                return Several(node, [*bound, *(each for _, each in arms), *values])
            arms.append((self.parts(label), Several(rule, values)))
        return self.choice(node, self.field(node, "condition"), arms)

    def _bound(self, label: Node, value: Expr) -> list[Expr]:
        """Return what gives the name in a pattern of a type its value."""
        pattern = self.child_of(label, "pattern")
        typed = None if pattern is None else self.child_of(pattern, "type_pattern")
        name = None if typed is None else self.child_of(typed, "identifier")
        return [] if name is None else [Binding(name, Name(name, self.text(name)), value)]

    def _yielded(self, node: Node) -> Expr:
        """Lower what an arm gives: an expression, or what a block yields."""
        if node.type == "block":
            yields = [each for each in node.named_children if each.type == "yield_statement"]
            return Several(node, [self.first(each) for each in yields])
        return self.first(node)

    def _unary(self, node: Node) -> Expr:
        operator = self.name_of(node, "operator")
        name = "!" if operator == "!" else f"u{operator}"
        return Operation(node, name, [self.field(node, "operand")])

    def _lambda(self, node: Node) -> Expr:
        parameters = node.child_by_field_name("parameters")
        found: list[Parameter] = []
        if parameters is not None and parameters.type == "identifier":
            found = [Parameter(parameters, self.text(parameters))]
        elif parameters is not None and parameters.type == "inferred_parameters":
            found = [Parameter(each, self.text(each)) for each in parameters.named_children]
        else:
            found = self._parameters(parameters)
        body = node.child_by_field_name("body")
        statements: list[Statement] = []
        if body is not None and body.type == "block":
            statements = self.body(body.named_children)
        elif body is not None:
            statements = [Return(body, self.expr(body))]
        return Function(node, "", found, statements)

    def _reference(self, node: Node) -> Expr:
        of, *named = self.meaning(node)
        if of.type == "this" and named:
            return self.member(node, self.expr(of), self.text(named[-1]))
        if of.type == "identifier" and named and self.text(named[-1]) != "new":
            return self.member(node, Name(of, self.text(of)), self.text(named[-1]))
        return Name(node, self.text(node).replace("::", "."))

    def _instance_of(self, node: Node) -> Expr:
        left, name = self.field(node, "left"), node.child_by_field_name("name")
        if name is not None:
            left = Binding(name, Name(name, self.text(name)), left)
        return Operation(node, "instanceof", [left])

    def _done(self, node: Node) -> list[Statement]:
        """Lower `do`, whose body is done once at least."""
        return [*self.block(node.child_by_field_name("body")), *self.repeated(node)]

    def _above(self, node: Node) -> list[Statement]:
        """Lower the call of another constructor, of the class itself or of what is above it."""
        made = node.child_by_field_name("constructor") or node
        name = "super" if self.text(made) == "super" else "this()"
        return [Evaluate(node, Call(node, Name(made, name), self._arguments(node)))]

    def _array_creation(self, node: Node) -> Expr:
        value = node.child_by_field_name("value")
        if value is not None:
            return self.expr(value)
        return Call(node, Name(node, f"{self.name_of(node, 'type')}[]"), [], creates=True)

    # -------------------------------------------------------------------------------- statements

    def _class(self, node: Node) -> list[Statement]:
        body = node.child_by_field_name("body")
        bases = [
            self.text(each).split("<", 1)[0].removeprefix("extends").strip()
            for each in node.named_children
            if each.type == "superclass"
        ]
        members = [] if body is None else self.body(body.named_children)
        fields = [each.name for each in self._parameters(node.child_by_field_name("parameters"))]
        return [Class(node, self.name_of(node), bases, members, self._annotations(node), fields)]

    def _enum(self, node: Node) -> list[Statement]:
        (made,) = self._class(node)
        assert isinstance(made, Class)
        # Whatever text it is given, what it returns is one of the constants.
        known = Function(node, "valueOf", [Parameter(node, "name")], [], method=True)
        known.body.append(Return(node, Several(node, [])))
        made.body.append(Define(node, known))
        made.bases.append(ENUM)
        return [made]

    def _annotations(self, node: Node) -> list[Expr]:
        found: list[Expr] = []
        for child in node.children:
            if child.type != "modifiers":
                continue
            found += [
                Name(each, f"@{self.name_of(each)}")
                for each in child.named_children
                if each.type in ("marker_annotation", "annotation")
            ]
        return found

    def _method(self, node: Node) -> list[Statement]:
        body = node.child_by_field_name("body")
        function = Function(
            node,
            self.name_of(node),
            self._parameters(node.child_by_field_name("parameters")),
            [] if body is None else self.body(body.named_children),
            self._annotations(node),
            method=True,
        )
        return [Define(node, function)]

    def _parameters(self, node: Node | None) -> list[Parameter]:
        found: list[Parameter] = []
        for child in [] if node is None else node.named_children:
            if child.type == "formal_parameter":
                annotations = self._annotations(child)
                declared = self.type_of(child)
                found.append(
                    Parameter(
                        child,
                        self.name_of(child),
                        declared,
                        annotations=annotations,
                        arguments=self.type_arguments(child),
                    )
                )
            elif child.type == "spread_parameter":
                name = child.named_children[-1]
                found.append(Parameter(child, self.name_of(name) or self.text(name), rest=True))
        return found

    def _field(self, node: Node) -> list[Statement]:
        name = self.type_of(node)
        lowered: list[Statement] = []
        for child in node.children_by_field_name("declarator"):
            value = child.child_by_field_name("value")
            target = Name(child, self.name_of(child))
            given: Expr = Several(child, []) if value is None else self.expr(value)
            lowered.append(Assign(child, target, given, type=name, declares=True))
        return lowered

    def _declaration(self, node: Node) -> list[Statement]:
        return self._field(node)

    def _import(self, node: Node) -> list[Statement]:
        text = self.text(node).removeprefix("import").strip(" ;")
        path = text.removeprefix("static").strip()
        name = path.rpartition(".")[2]
        return [] if name == "*" else [Import(node, [(name, path)])]

    def _synchronized(self, node: Node) -> list[Statement]:
        return self.block(node.child_by_field_name("body"))

    def _for(self, node: Node) -> list[Statement]:
        before = [each for init in node.children_by_field_name("init") for each in self.block(init)]
        return self.counted(node, before)

    def _for_each(self, node: Node) -> list[Statement]:
        name = node.child_by_field_name("name") or node
        body = self.block(node.child_by_field_name("body"))
        target = Name(name, self.text(name))
        type_ = self.type_of(node)
        return [Loop(node, body, target, self.field(node, "value"), type=type_)]

    def _try(self, node: Node) -> list[Statement]:
        body = self.block(node.child_by_field_name("body"))
        resources = node.child_by_field_name("resources")
        if resources is not None:
            bindings: list[tuple[Expr | None, Expr]] = []
            for each in resources.named_children:
                value = each.child_by_field_name("value")
                if value is not None:
                    bindings.append((Name(each, self.name_of(each)), self.expr(value)))
            managed: list[Statement] = [With(node, bindings, body)]
            body = managed
        handlers: list[Handler] = []
        final: list[Statement] = []
        for child in node.named_children:
            if child.type == "catch_clause":
                caught = next(
                    (each for each in child.named_children if "parameter" in each.type), child
                )
                types = [self.text(each) for each in caught.named_children if "type" in each.type]
                statements = self.block(child.child_by_field_name("body"))
                handlers.append(Handler(child, types, self.name_of(caught), statements))
            elif child.type == "finally_clause":
                final = self.body(child.named_children)
        return [Try(node, body, handlers, final)]

    def _switch(self, node: Node) -> list[Statement]:
        body = node.child_by_field_name("body")
        cases: list[Case] = []
        falls = True
        for group in [] if body is None else body.named_children:
            patterns: list[Expr] = []
            default = False
            rest: list[Node] = []
            for child in group.named_children:
                if child.type == "switch_label":
                    default = default or self.text(child).startswith("default")
                    patterns += self.parts(child)
                else:
                    rest.append(child)
            falls = falls and group.type != "switch_rule"
            cases.append(Case(patterns, self.body(rest), default))
        return [Switch(node, self.field(node, "condition"), cases, falls)]
