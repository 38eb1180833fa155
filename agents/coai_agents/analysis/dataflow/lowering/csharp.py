"""C#.

One file, because an adapter is one table of a grammar's nodes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow.ir import (
    ENUM,
    Argument,
    Assign,
    Binding,
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
    Import,
    Index,
    Loop,
    Member,
    Name,
    Operation,
    Parameter,
    Return,
    Several,
    Switch,
    Try,
    With,
)
from coai_agents.analysis.dataflow.lowering.base import (
    Adapter,
    items,
    joined,
    kept_fields,
    unescape,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.analysis.dataflow.ir import Expr, Module, Part, Statement
    from coai_agents.syntax.tree import SyntaxTree


_ACTION: Final = "[:action]"
"""What functions are marked with that answer requests although no attribute says so."""

_SERVED: Final = ("Controller", "ControllerBase", "PageModel", "Hub")
"""Ends of the names of classes whose public methods answer requests."""

_PARAMETERISING: Final = frozenset(
    {"FromSql", "FromSqlInterpolated", "ExecuteSql", "ExecuteSqlAsync"}
    | {"ExecuteSqlInterpolated", "ExecuteSqlInterpolatedAsync"}
)
"""Entity Framework's methods that take an interpolated text as a format and its values."""

_NAMING: Final = frozenset({"declaration_pattern", "recursive_pattern", "var_pattern"})
"""Patterns that may give a name to what they match."""

_WHEN: Final = "when_clause"

_GROWING: Final = frozenset({"StringBuilder", "StringWriter"})
"""Types of texts that a function may add to that it is passed."""

_ROUTING: Final = frozenset(
    {"MapGet", "MapPost", "MapPut", "MapDelete", "MapPatch", "MapMethods", "Map"}
)
"""Methods that let a function answer requests."""


def lower(tree: SyntaxTree, deadline: float, part: Part | None = None) -> Module:
    """Lower a C# file."""
    return _CSharp(tree, deadline).module(part)


class _CSharp(Adapter):
    def __init__(self, tree: SyntaxTree, deadline: float) -> None:
        super().__init__(tree, deadline)
        self.expressions = {
            "identifier": self.identifier,
            "predefined_type": self.identifier,
            "generic_name": lambda node: Name(node, self.text(node).split("<", 1)[0]),
            "qualified_name": self._qualified,
            "this": self.identifier,
            "this_expression": self.identifier,
            "base": lambda node: Name(node, "super"),
            "base_expression": lambda node: Name(node, "super"),
            "declaration_expression": lambda node: Name(node, self.name_of(node)),
            "tuple_expression": lambda node: Container(
                node, items(self.expr(each.named_children[-1]) for each in node.named_children)
            ),
            "tuple_pattern": lambda node: Container(node, items(self.parts(node))),
            "boolean_literal": lambda node: Const(node, self.text(node) == "true"),
            "null_literal": self.const(value=None),
            "string_literal": self.string,
            "verbatim_string_literal": lambda node: Const(node, self.text(node)[2:-1]),
            "raw_string_literal": lambda node: Const(node, self.text(node).strip('"')),
            "character_literal": self.string,
            "integer_literal": self.number,
            "real_literal": self.number,
            "interpolated_string_expression": self._interpolated,
            "invocation_expression": self._invocation,
            "object_creation_expression": self._creation,
            "implicit_object_creation_expression": self._creation,
            "array_creation_expression": self._array,
            "implicit_array_creation_expression": self._array,
            "initializer_expression": lambda node: Container(node, items(self.parts(node))),
            "member_access_expression": self._member_access,
            "conditional_access_expression": self._conditional_access,
            "element_access_expression": self._element_access,
            "assignment_expression": self.binding,
            "binary_expression": self.binary,
            "prefix_unary_expression": self.prefixed,
            "postfix_unary_expression": self.first,
            "conditional_expression": self.ternary,
            "switch_expression": self._chosen,
            "cast_expression": lambda node: self.field(node, "value"),
            "as_expression": lambda node: self.field(node, "left"),
            "is_expression": lambda node: Operation(node, "instanceof", self.parts(node)),
            "is_pattern_expression": self._is_pattern,
            "parenthesized_expression": self.first,
            "await_expression": self.first,
            "lambda_expression": self._lambda,
            "anonymous_method_expression": self._lambda,
            "typeof_expression": lambda node: Name(node, self.text(node)),
        }
        self.statements = {
            "enum_declaration": self._enum,
            "class_declaration": self._class,
            "struct_declaration": self._class,
            "record_declaration": self._class,
            "interface_declaration": lambda _: [],
            "method_declaration": self._method,
            "constructor_declaration": self._method,
            "local_function_statement": self._method,
            "property_declaration": self._property,
            "yield_statement": self._yielded,
            "field_declaration": self._declaration,
            "local_declaration_statement": self._declaration,
            "expression_statement": self.evaluated,
            "assignment_expression": self.assignment,
            "using_directive": self._using_directive,
            "block": self.nested,
            "if_statement": self.branch,
            "for_statement": self._for,
            "foreach_statement": self._for_each,
            "while_statement": self.repeated,
            "do_statement": self.repeated,
            "try_statement": self._try,
            "using_statement": self._using,
            "lock_statement": lambda node: self.block(node.named_children[-1]),
            "switch_statement": self._switch,
            "return_statement": self._returned,
            "throw_statement": self.left,
            "break_statement": self.left,
            "continue_statement": self.left,
        }

    # ------------------------------------------------------------------------------- expressions

    def _qualified(self, node: Node) -> Expr:
        parts = self.text(node).split(".")
        value: Expr = Name(node, parts[0])
        for part in parts[1:]:
            value = self.member(node, value, part.split("<", 1)[0])
        return value

    def _interpolated(self, node: Node) -> Expr:
        parts: list[Expr] = []
        for child in node.named_children:
            if child.type == "interpolation":
                inner = [each for each in child.named_children if each.type in self.expressions]
                parts.append(self.expr(inner[0]) if inner else Several(child, []))
            elif "content" in child.type or "text" in child.type or "escape" in child.type:
                parts.append(Const(child, unescape(self.text(child))))
        return joined(node, parts)

    def _arguments(self, node: Node) -> list[Argument]:
        found: list[Argument] = []
        listed = node.child_by_field_name("arguments") or self.child_of(node, "argument_list")
        for child in [] if listed is None else listed.named_children:
            if child.type != "argument":
                continue
            name = self.name_of(child)
            values = self.meaning(child) or child.children[-1:]
            if values:
                out = any(each.type == "out" for each in child.children)
                found.append(Argument(self.expr(values[-1]), name, out=out))
        return found

    def _returned(self, node: Node) -> list[Statement]:
        # The grammar does not name this node.
        this = [each for each in node.children if each.type == "this"]
        return [Return(node, self.expr(this[0]))] if this else self.returned(node)

    def _invocation(self, node: Node) -> Expr:
        callee, arguments = self.field(node, "function"), self._arguments(node)
        if isinstance(callee, Member) and callee.name in _ROUTING:
            for argument in arguments:
                if isinstance(argument.value, Function):
                    argument.value.decorators.append(Name(node, _ACTION))
        if isinstance(callee, Member) and callee.name in _PARAMETERISING:
            # Each hole of the text becomes a parameter, not a part of the SQL.
            for argument in arguments:
                if argument.value.node.type == "interpolated_string_expression":
                    argument.value = Const(argument.value.node, "")
        return Call(node, callee, arguments)

    def _creation(self, node: Node) -> Expr:
        name = self.type_of(node)
        arguments = self._arguments(node)
        inner = self.child_of(node, "initializer_expression")
        for child in () if inner is None else inner.named_children:
            if child.type == "assignment_expression":
                left = child.child_by_field_name("left")
                value = self.field(child, "right")
                arguments.append(Argument(value, "" if left is None else self._key(left)))
            elif child.type not in self.ignored:
                arguments.append(Argument(self.expr(child)))
        return Call(node, Name(node, name), arguments, creates=True)

    def _key(self, left: Node) -> str:
        """Return what an initializer sets: a member, or a key that is written as one: `["a"]`."""
        keyed = re.fullmatch(r"""\["([^"\\]*)"\]""", self.text(left))
        return self.text(left) if keyed is None else keyed[1]

    def _array(self, node: Node) -> Expr:
        inner = [each for each in node.named_children if each.type == "initializer_expression"]
        if inner:
            return self.expr(inner[0])
        name = self.type_of(node)
        return Call(node, Name(node, f"{name}[]"), [], creates=True)

    def _member_access(self, node: Node) -> Expr:
        name = self.name_of(node).split("<", 1)[0]
        of = self.field(node, "expression")
        if re.fullmatch(r"Item[1-7]", name):
            return Index(node, of, Const(node, int(name[4:]) - 1))
        return self.member(node, of, name)

    def _conditional_access(self, node: Node) -> Expr:
        of, *bound = self.meaning(node)
        value = self.expr(of)
        for each in bound:
            if each.type == "member_binding_expression":
                value = self.member(node, value, self.name_of(each))
            else:
                keys = self.parts(each)
                value = Index(node, value, keys[0] if keys else None)
        return value

    def _element_access(self, node: Node) -> Expr:
        key = node.child_by_field_name("subscript")
        inner = None if key is None else self.first(key)
        if key is not None and key.named_children and key.named_children[0].type == "argument":
            inner = self.first(key.named_children[0])
        return Index(node, self.field(node, "expression"), inner)

    def _chosen(self, node: Node) -> Expr:
        """Lower a switch between values: its value is one of theirs."""
        subject = self.first(node)
        chosen: Expr = Several(node, [])
        arms = [child for child in node.named_children if child.type == "switch_expression_arm"]
        for arm in reversed(arms):
            value = self.expr(arm.named_children[-1])
            tests = self._tests(arm.named_children[0], subject)
            tests += [self.first(each) for each in arm.named_children if each.type == _WHEN]
            chosen = Conditional(arm, every(arm, tests), value, chosen) if tests else value
        return chosen

    def _tests(self, pattern: Node, subject: Expr) -> list[Expr]:
        """Lower what a pattern asks of a value, and what it names; nothing where it asks nothing.

        What it asks for besides constants and names is left out.
        """
        constants = self._constants(pattern)
        if constants is not None:
            return [Operation(pattern, "in", [subject, Container(pattern, items(constants))])]
        named = list(_names_in(pattern))
        if not named and pattern.type in ("discard", "declaration_pattern"):
            return []
        bound = [Binding(each, self.identifier(each), subject) for each in named]
        return [Several(pattern, [*bound, Several(pattern, [])])]

    def _constants(self, pattern: Node) -> list[Expr] | None:
        """Lower a pattern of constants to these; None if it is another one."""
        match pattern.type:
            case "constant_pattern":
                return [self.first(pattern)]
            case "parenthesized_pattern":
                return self._constants(pattern.named_children[0])
            case "or_pattern":
                both = [self._constants(each) for each in pattern.named_children]
                return None if None in both else [each for some in both for each in some or ()]
            case _:
                return None

    def _is_pattern(self, node: Node) -> Expr:
        pattern = node.child_by_field_name("pattern")
        negated = pattern is not None and pattern.type == "negated_pattern"
        inner = pattern.named_children[0] if pattern is not None and negated else pattern
        constants = None if inner is None else self._constants(inner)
        value = self.field(node, "expression")
        if constants is not None:
            where = Container(node, items(constants))
            return Operation(node, "not in" if negated else "in", [value, where])
        named = [] if inner is None else list(_names_in(inner))
        # `value is string name` says what the name stands for from then on.
        match named:
            case []:
                return Operation(node, "instanceof", self.parts(node))
            case [name]:
                bound: Expr = Binding(node, self.identifier(name), value)
            case _:
                each = [Binding(name, self.identifier(name), value) for name in named]
                bound = Several(node, [*each])
        return Operation(node, "!", [bound]) if negated else bound

    def _enum(self, node: Node) -> list[Statement]:
        return [Class(node, self.name_of(node), [ENUM], [])]

    def _lambda(self, node: Node) -> Expr:
        parameters = node.child_by_field_name("parameters")
        found: list[Parameter] = []
        if parameters is not None and parameters.type in ("identifier", "implicit_parameter"):
            found = [Parameter(parameters, self.text(parameters))]
        elif parameters is not None:
            found = self._parameters(parameters)
        return Function(node, "", found, self._function_body(node))

    def _above(self, node: Node) -> list[Statement]:
        """Lower what a constructor calls first: another one of the class, or of what is above."""
        first = self.child_of(node, "constructor_initializer")
        if first is None:
            return []
        name = "super" if self.text(first).lstrip(": ").startswith("base") else "this()"
        return [Evaluate(first, Call(first, Name(first, name), self._arguments(first)))]

    def _yielded(self, node: Node) -> list[Statement]:
        return [Evaluate(node, self.yielded(node))]

    def _function_body(self, node: Node) -> list[Statement]:
        body = node.child_by_field_name("body")
        if body is None:
            blocks = [each for each in node.named_children if each.type == "block"]
            return self.body(blocks[0].named_children) if blocks else []
        if body.type == "block":
            return self.body(body.named_children)
        if body.type == "arrow_expression_clause":
            return [Return(body, self.first(body))]
        return [Return(body, self.expr(body))]

    # -------------------------------------------------------------------------------- statements

    def _class(self, node: Node) -> list[Statement]:
        body = node.child_by_field_name("body")
        bases = [
            re.split(r"[,(<\s]", self.text(each).lstrip(": "), maxsplit=1)[0]
            for each in node.named_children
            if each.type == "base_list"
        ]
        members = [] if body is None else self.body(body.named_children)
        name = self.name_of(node)
        if any(each.endswith(_SERVED) for each in (name, *bases)):
            for member in members:
                if isinstance(member, Define) and self._is_public(member.node):
                    member.function.decorators.append(Name(member.node, _ACTION))
        fields = [each.name for each in self._parameters(self.child_of(node, "parameter_list"))]
        members = [self._read_later(each, fields) for each in members]
        above = self.child_of(node, "base_list")
        passed = [] if above is None else self._arguments(above)
        if fields and passed:
            # What the class itself is passed, it passes on.
            made = Function(node, name, [Parameter(node, each) for each in fields], [], method=True)
            made.body = kept_fields(node, fields, "this")
            made.body.append(Evaluate(node, Call(node, Name(node, "super"), passed)))
            members.append(Define(node, made))
        return [Class(node, name, bases, members, self._attributes(node), fields)]

    def _read_later(self, member: Statement, fields: list[str]) -> Statement:
        """Let a property that is set to what the class is passed be that where it is read."""
        match member:
            case Assign(node=node, target=Name(name=name), value=Name(name=given) as value) if (
                given in fields and name != given
            ):
                return self._accessor(node, name, "call", [Return(node, value)])
            case _:
                return member

    def _is_public(self, node: Node) -> bool:
        modifiers = [self.text(each) for each in node.children if each.type == "modifier"]
        return (
            node.type == "method_declaration"
            and "public" in modifiers
            and "override" not in modifiers
        )

    def _attributes(self, node: Node) -> list[Expr]:
        return [
            Name(each, f"[{self.name_of(each)}]")
            for child in node.named_children
            if child.type == "attribute_list"
            for each in child.named_children
            if each.type == "attribute"
        ]

    def _method(self, node: Node) -> list[Statement]:
        function = Function(
            node,
            self.name_of(node),
            self._parameters(node.child_by_field_name("parameters")),
            self._above(node) + self._function_body(node),
            self._attributes(node),
            asynchronous=any(
                each.type == "modifier" and self.text(each) == "async" for each in node.children
            ),
            method=node.type != "local_function_statement",
        )
        return [Define(node, function)]

    def _parameters(self, node: Node | None) -> list[Parameter]:
        return [
            Parameter(
                child,
                self.name_of(child) or self.text(child),
                self.type_of(child),
                annotations=self._attributes(child),
                arguments=self.type_arguments(child),
                reference=self.type_of(child) in _GROWING
                or any(
                    each.type == "modifier" and self.text(each) in ("out", "ref")
                    for each in child.children
                ),
            )
            for child in ([] if node is None else node.named_children)
            if child.type in ("parameter", "identifier", "implicit_parameter")
        ]

    def _property(self, node: Node) -> list[Statement]:
        value = node.child_by_field_name("value")
        name = self.name_of(node)
        if value is not None and value.type == "arrow_expression_clause":
            return [self._accessor(node, name, "call", [Return(value, self.first(value))])]
        lowered: list[Statement] = []
        for each in self.inner(node, "accessors"):
            body = self._function_body(each)
            if body:
                kind = "set" if re.match(r"(?:\w+ )*(?:set|init)\b", self.text(each)) else "call"
                lowered.append(self._accessor(each, name, kind, body))
        if lowered and value is None:
            return lowered
        given: Expr = Several(node, []) if value is None else self.expr(value)
        return [Assign(node, Name(node, name), given, type=self.type_of(node), declares=True)]

    def _accessor(self, node: Node, name: str, kind: str, body: list[Statement]) -> Statement:
        # A function of its own: what it returns does not end the class.
        taken = [Parameter(node, "value")] if kind == "set" else []
        named = f"{name}=" if kind == "set" else name
        return Define(node, Function(node, named, taken, body, method=True, accessor=kind))

    def _declaration(self, node: Node) -> list[Statement]:
        lowered: list[Statement] = []
        for declaration in node.named_children:
            if declaration.type == "variable_declaration":
                lowered += self._declarators(declaration)
        if any(child.type == "using" for child in node.children):
            made = [each.target for each in lowered if isinstance(each, Assign)]
            lowered.append(With(node, [(None, each) for each in made], []))
        return lowered

    def _declarators(self, node: Node) -> list[Statement]:
        name = self.type_of(node)
        lowered: list[Statement] = []
        for child in node.named_children:
            if child.type != "variable_declarator":
                continue
            named = child.child_by_field_name("name")
            values = [each for each in child.named_children if named is None or each != named]
            values = [each for each in values if each.type not in self.ignored]
            given: Expr = self.expr(values[-1]) if values else Several(child, [])
            if isinstance(given, Call) and values[-1].type == "implicit_object_creation_expression":
                given.callee = Name(child, name)
            if values[:-1] and values[0].type == "tuple_pattern":
                lowered.append(Assign(child, self.expr(values[0]), given, declares=True))
                continue
            target = Name(child, self.name_of(child))
            lowered.append(Assign(child, target, given, type=name, declares=True))
        return lowered

    def _using_directive(self, node: Node) -> list[Statement]:
        name = self.name_of(node)
        if not name:
            return []
        return [Import(node, [(name, self.text(node.named_children[-1]))])]

    def _for(self, node: Node) -> list[Statement]:
        before: list[Statement] = []
        init = node.child_by_field_name("initializer")
        if init is not None and init.type == "variable_declaration":
            before = self._declarators(init)
        return self.counted(node, before)

    def _for_each(self, node: Node) -> list[Statement]:
        body = self.block(node.child_by_field_name("body"))
        left, right = self.field(node, "left"), self.field(node, "right")
        return [Loop(node, body, left, right, type=self.type_of(node))]

    def _try(self, node: Node) -> list[Statement]:
        handlers: list[Handler] = []
        final: list[Statement] = []
        for child in node.named_children:
            if child.type == "catch_clause":
                declared = self.child_of(child, "catch_declaration")
                types = [] if declared is None else [self.name_of(declared, "type")]
                name = "" if declared is None else self.name_of(declared)
                statements = self.block(child.child_by_field_name("body"))
                handlers.append(Handler(child, types, name, statements))
            elif child.type == "finally_clause":
                final = self.body(child.named_children)
        return [Try(node, self.block(node.child_by_field_name("body")), handlers, final)]

    def _using(self, node: Node) -> list[Statement]:
        before: list[Statement] = []
        bindings: list[tuple[Expr | None, Expr]] = []
        body = node.child_by_field_name("body")
        for child in node.named_children:
            if child.type == "variable_declaration":
                before = self._declarators(child)
                bindings += [(None, each.target) for each in before if isinstance(each, Assign)]
            elif body is None or child != body:
                bindings.append((None, self.expr(child)))
        return [*before, With(node, bindings, self.block(body))]

    def _switch(self, node: Node) -> list[Statement]:
        body = node.child_by_field_name("body")
        subject = self.field(node, "value")
        cases: list[Case] = []
        for section in [] if body is None else body.named_children:
            patterns: list[Expr] = []
            tests: list[Expr] = []
            rest: list[Node] = []
            for child in section.named_children:
                if child.type.endswith("_pattern"):
                    constants = self._constants(child)
                    patterns += constants or []
                    tests += [] if constants else self._tests(child, subject)
                elif child.type == _WHEN:
                    tests.append(self.first(child))
                elif child.type in self.statements:
                    rest.append(child)
                elif child.type in self.expressions:
                    patterns.append(self.expr(child))
            # What is asked for besides constants may be anything.
            default = bool(tests) or any(child.type == "default" for child in section.children)
            inside = self.body(rest)
            if tests:
                inside = [Evaluate(section, every(section, tests)), *inside]
            cases.append(Case(patterns, inside, default))
        return [Switch(node, subject, cases, falls=True)]


def every(node: Node, tests: list[Expr]) -> Expr:
    """Return a test that holds where all of some do."""
    test = tests[0]
    for other in tests[1:]:
        test = Operation(node, "&&", [test, other])
    return test


def _names_in(pattern: Node) -> Iterator[Node]:
    """Yield the names that a pattern gives to what it matches: `string name`, `[_, var name]`."""
    name = pattern.child_by_field_name("name")
    if pattern.type in _NAMING and name is not None and name.type == "identifier":
        yield name
    for child in pattern.named_children:
        yield from _names_in(child)
