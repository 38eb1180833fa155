"""Go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.analysis.dataflow.ir import (
    Argument,
    Assign,
    Call,
    Case,
    Class,
    Const,
    Container,
    Define,
    Evaluate,
    Function,
    If,
    Import,
    Index,
    Item,
    Loop,
    Module,
    Name,
    Operation,
    Parameter,
    Return,
    Several,
    Switch,
)
from coai_agents.analysis.dataflow.lowering.base import Adapter, items

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.dataflow.ir import Expr, Part, Statement
    from coai_agents.syntax.tree import SyntaxTree


def lower(tree: SyntaxTree, deadline: float, part: Part | None = None) -> Module:
    """Lower a Go file."""
    return _Go(tree, deadline).module(part)


class _Go(Adapter):
    def __init__(self, tree: SyntaxTree, deadline: float) -> None:
        super().__init__(tree, deadline)
        self._results: list[Expr] = []
        """The results that have names, of the function around."""
        self._methods: dict[str, list[Statement]] = {}
        self._converted = _converted(tree.root)
        """The file's own types that are made of another one, and are not structs."""
        self.expressions = {
            "identifier": self.identifier,
            "type_identifier": self.identifier,
            "field_identifier": self.identifier,
            "package_identifier": self.identifier,
            "blank_identifier": self.identifier,
            "true": self.const(value=True),
            "false": self.const(value=False),
            "nil": self.const(value=None),
            "iota": self.identifier,
            "interpreted_string_literal": self.string,
            "raw_string_literal": lambda node: Const(node, self.text(node)[1:-1]),
            "rune_literal": self.string,
            "int_literal": self.number,
            "float_literal": self.number,
            "selector_expression": self._selector,
            "qualified_type": self._qualified,
            "call_expression": self._call,
            "index_expression": lambda node: Index(
                node, self.field(node, "operand"), self.field(node, "index")
            ),
            "slice_expression": lambda node: Index(node, self.field(node, "operand"), None),
            "unary_expression": self._unary,
            "binary_expression": self.binary,
            "parenthesized_expression": self.first,
            "composite_literal": self._composite,
            "literal_value": self._literal_value,
            "literal_element": self.first,
            "func_literal": self._function_literal,
            "type_conversion_expression": lambda node: self.field(node, "operand"),
            "type_assertion_expression": lambda node: self.field(node, "operand"),
            "expression_list": self._list,
            "pointer_type": self.first,
        }
        self.statements = {
            "import_declaration": self._import,
            "package_clause": lambda _: [],
            "type_declaration": self._types,
            "function_declaration": self._function,
            "method_declaration": self._method,
            "short_var_declaration": self._short,
            "var_declaration": self._variables,
            "const_declaration": self._variables,
            "assignment_statement": self.assignment,
            "expression_statement": lambda node: [Evaluate(node, self.first(node))],
            "inc_statement": lambda _: [],
            "dec_statement": lambda _: [],
            "send_statement": self._send,
            "go_statement": lambda node: [Evaluate(node, self.first(node))],
            "defer_statement": lambda node: [Evaluate(node, self.first(node))],
            "block": self.nested,
            "statement_list": lambda node: self.body(node.named_children),
            "if_statement": self._if,
            "for_statement": self._for,
            "expression_switch_statement": self._switch,
            "type_switch_statement": self._switch,
            "select_statement": self._switch,
            "return_statement": self._return,
            "break_statement": self.left,
            "continue_statement": self.left,
        }

    # ------------------------------------------------------------------------------- expressions

    def _selector(self, node: Node) -> Expr:
        return self.member(node, self.field(node, "operand"), self.name_of(node, "field"))

    def _qualified(self, node: Node) -> Expr:
        package = node.child_by_field_name("package") or node
        of = Name(package, self.text(package))
        return self.member(node, of, self.name_of(node))

    def _call(self, node: Node) -> Expr:
        passed: list[Argument] = []
        for child in self.inner(node, "arguments"):
            if child.type == "variadic_argument":
                passed.append(Argument(self.first(child), spread=True))
            elif child.type not in self.ignored:
                passed.append(Argument(self.expr(child)))
        if len(passed) == 1 and self.name_of(node, "function") in self._converted:
            return passed[0].value  # the same value by another name
        return Call(node, self.field(node, "function"), passed)

    def _unary(self, node: Node) -> Expr:
        operator = self.name_of(node, "operator")
        operand = self.field(node, "operand")
        if operator in ("&", "*", "<-"):
            return operand
        return Operation(node, "!" if operator == "!" else f"u{operator}", [operand])

    def _composite(self, node: Node) -> Expr:
        declared = node.child_by_field_name("type")
        body = node.child_by_field_name("body")
        if declared is None or body is None:
            return Several(node, [])
        if declared.type in ("map_type", "slice_type", "array_type", "implicit_length_array_type"):
            return self._literal_value(body)
        arguments: list[Argument] = []
        for child in body.named_children:
            if child.type == "keyed_element":
                key, value = child.named_children[0], child.named_children[-1]
                arguments.append(Argument(self.expr(value), self.text(key)))
            elif child.type not in self.ignored:
                arguments.append(Argument(self.expr(child)))
        return Call(node, self.expr(declared), arguments, creates=True)

    def _literal_value(self, node: Node) -> Expr:
        made: list[Item] = []
        keyed = False
        for child in node.named_children:
            if child.type == "keyed_element":
                keyed = True
                key, value = child.named_children[0], child.named_children[-1]
                made.append(Item(self.expr(value), self.expr(key)))
            elif child.type not in self.ignored:
                made.append(Item(self.expr(child)))
        return Container(node, made, keyed)

    def _list(self, node: Node) -> Expr:
        parts = self.parts(node)
        return parts[0] if len(parts) == 1 else Container(node, items(parts))

    def _function_literal(self, node: Node) -> Expr:
        body = node.child_by_field_name("body")
        statements = [] if body is None else self.body(body.named_children)
        parameters = self._parameters(node.child_by_field_name("parameters"))
        return Function(node, "", parameters, statements)

    # -------------------------------------------------------------------------------- statements

    def _import(self, node: Node) -> list[Statement]:
        names: list[tuple[str, str]] = []
        specs = [each for each in node.named_children if each.type == "import_spec"]
        for child in node.named_children:
            if child.type == "import_spec_list":
                specs += [each for each in child.named_children if each.type == "import_spec"]
        for spec in specs:
            path = spec.child_by_field_name("path")
            full = "" if path is None else self.text(path)[1:-1]
            last = full.rpartition("/")[2]
            if last.startswith("v") and last[1:].isdigit():
                last = full.rpartition("/")[0].rpartition("/")[2]
            alias = self.name_of(spec) or last.removeprefix("go-").removesuffix("-go")
            if alias not in ("_", "."):
                names.append((alias, alias if alias == last else last.replace("-go", "")))
        return [Import(node, names)]

    def module(self, part: Part | None = None) -> Module:
        """Return the whole file, or a part of it; a struct's methods are its own."""
        module = super().module(part)
        kept: list[Statement] = []
        for statement in module.body:
            if isinstance(statement, Class):
                statement.body += self._methods.pop(statement.name, [])
            kept.append(statement)
        others = [each for methods in self._methods.values() for each in methods]
        return Module(module.node, kept + others)

    def _types(self, node: Node) -> list[Statement]:
        """Lower structs: the names of their fields, and what they embed."""
        made: list[Statement] = []
        for spec in node.named_children:
            declared = spec.child_by_field_name("type")
            if spec.type != "type_spec" or declared is None:
                continue
            fields: list[str] = []
            bases: list[str] = []
            listed = self.child_of(declared, "field_declaration_list")
            for each in [] if listed is None else listed.named_children:
                names = [self.text(name) for name in each.children_by_field_name("name")]
                if not names:
                    embedded = self.name_of(each, "type").lstrip("*").rpartition(".")[2]
                    names = [embedded]
                    bases.append(embedded)
                fields += names
            made.append(Class(spec, self.name_of(spec), bases, [], fields=fields))
        return made

    def _method(self, node: Node) -> list[Statement]:
        receiver = self._parameters(node.child_by_field_name("receiver"))
        (defined,) = self._function(node)
        assert isinstance(defined, Define)
        defined.function.parameters[:0] = receiver
        if not receiver:
            return [defined]
        defined.function.receiver = receiver[0].name
        defined.function.method = True
        of = receiver[0].type.split("[", 1)[0]
        self._methods.setdefault(of, []).append(defined)
        return []

    def _function(self, node: Node) -> list[Statement]:
        body = node.child_by_field_name("body")
        parameters = self._parameters(node.child_by_field_name("parameters"))
        given = node.child_by_field_name("result")
        named = [] if given is None or given.type != "parameter_list" else given.named_children
        self._results = [
            Name(name, self.text(name))
            for each in named
            for name in each.children_by_field_name("name")
        ]
        statements = [] if body is None else self.body(body.named_children)
        self._results = []
        return [Define(node, Function(node, self.name_of(node), parameters, statements))]

    def _return(self, node: Node) -> list[Statement]:
        results = self._results
        if node.named_child_count or not results:
            return self.returned(node)
        value: Expr = results[0] if len(results) == 1 else Container(node, items(results))
        return [Return(node, value)]

    def _send(self, node: Node) -> list[Statement]:
        """Lower what is sent through a channel as what is added to it."""
        channel = Index(node, self.field(node, "channel"), None)
        return [Assign(node, channel, self.field(node, "value"))]

    def _parameters(self, node: Node | None) -> list[Parameter]:
        found: list[Parameter] = []
        for child in [] if node is None else node.named_children:
            declared = child.child_by_field_name("type")
            written = "" if declared is None else self.text(declared)
            rest = child.type == "variadic_parameter_declaration"
            found += [
                Parameter(
                    each,
                    self.text(each),
                    written.lstrip("*[]"),
                    rest=rest,
                    reference=written.startswith("*"),
                )
                for each in child.children_by_field_name("name")
            ]
        return found

    def _short(self, node: Node) -> list[Statement]:
        left, right = self.field(node, "left"), self.field(node, "right")
        return [Assign(node, left, right, declares=True)]

    def _variables(self, node: Node) -> list[Statement]:
        lowered: list[Statement] = []
        specs = list(node.named_children)
        for child in node.named_children:
            specs += child.named_children if child.type == "var_spec_list" else []
        for spec in specs:
            value = spec.child_by_field_name("value")
            declared = spec.child_by_field_name("type")
            name = "" if declared is None else self.text(declared).lstrip("*[]")
            names = [
                Name(each, self.text(each))
                for each in spec.children_by_field_name("name")
                if each.is_named
            ]
            if not names:
                continue
            target: Expr = names[0] if len(names) == 1 else Container(spec, items(names))
            given: Expr = Several(spec, []) if value is None else self.expr(value)
            lowered.append(Assign(spec, target, given, type=name, declares=True))
        return lowered

    def _if(self, node: Node) -> list[Statement]:
        before = self.block(node.child_by_field_name("initializer"))
        yes = self.block(node.child_by_field_name("consequence"))
        no = self.block(node.child_by_field_name("alternative"))
        return [*before, If(node, self.field(node, "condition"), yes, no)]

    def _for(self, node: Node) -> list[Statement]:
        body = self.block(node.child_by_field_name("body"))
        for child in node.named_children:
            if child.type == "range_clause":
                left = child.child_by_field_name("left")
                target = None if left is None else self.expr(left)
                iterable = self.field(child, "right")
                return [Loop(node, body, target=target, iterable=iterable, pairs=True)]
            if child.type == "for_clause":
                before = self.block(child.child_by_field_name("initializer"))
                return [*before, Loop(node, body)]
        return [Loop(node, body)]

    def _switch(self, node: Node) -> list[Statement]:
        before = self.block(node.child_by_field_name("initializer"))
        cases: list[Case] = []
        for child in node.named_children:
            if child.type not in (
                "expression_case",
                "default_case",
                "type_case",
                "communication_case",
            ):
                continue
            values = child.children_by_field_name("value")
            patterns = [part for each in values for part in self.parts(each)]
            statements = [each for each in child.named_children if each not in values]
            default = child.type == "default_case"
            cases.append(Case(patterns, self.body(statements), default))
        return [*before, Switch(node, self.field(node, "value"), cases)]


def _converted(root: Node) -> frozenset[str]:
    return frozenset(
        name.text.decode("utf-8", "replace")
        for declaration in root.named_children
        if declaration.type == "type_declaration"
        for spec in declaration.named_children
        if (made := spec.child_by_field_name("type")) is not None
        and made.type in ("type_identifier", "slice_type")
        and (name := spec.child_by_field_name("name")) is not None
        and name.text is not None
    )
