"""JavaScript and TypeScript, with JSX: what is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.analysis.dataflow.ir import (
    Assign,
    Case,
    Class,
    Define,
    Evaluate,
    Function,
    Handler,
    Import,
    Loop,
    Member,
    Name,
    Several,
    Switch,
    Try,
)
from coai_agents.analysis.dataflow.lowering.ecmascript_expressions import EcmaScriptExpressions

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.dataflow.ir import Expr, Module, Part, Statement
    from coai_agents.syntax.tree import SyntaxTree


def lower(tree: SyntaxTree, deadline: float, part: Part | None = None) -> Module:
    """Lower a JavaScript or TypeScript file."""
    return _EcmaScript(tree, deadline).module(part)


class _EcmaScript(EcmaScriptExpressions):
    def __init__(self, tree: SyntaxTree, deadline: float) -> None:
        super().__init__(tree, deadline)
        self.statements = {
            "expression_statement": self._expression_statement,
            "lexical_declaration": self._declaration,
            "variable_declaration": self._declaration,
            "function_declaration": self._define,
            "generator_function_declaration": self._define,
            "class_declaration": self._class,
            "abstract_class_declaration": self._class,
            "if_statement": self.branch,
            "for_statement": self._for,
            "for_in_statement": self._for_in,
            "while_statement": self.repeated,
            "do_statement": self.repeated,
            "try_statement": self._try,
            "switch_statement": self._switch,
            "return_statement": self.returned,
            "throw_statement": self.left,
            "break_statement": self.left,
            "continue_statement": self.left,
            "import_statement": self._import,
            "export_statement": self._export,
            "statement_block": self.nested,
            "interface_declaration": lambda _: [],
            "type_alias_declaration": lambda _: [],
            "else_clause": lambda node: self.body(node.named_children),
        }

    def _expression_statement(self, node: Node) -> list[Statement]:
        inner = node.named_children[0] if node.named_children else None
        if inner is None:
            return []
        if inner.type == "assignment_expression":
            targets = [self.field(inner, "left")]
            right = inner.child_by_field_name("right")
            while right is not None and right.type == "assignment_expression":
                targets.append(self.field(right, "left"))
                right = right.child_by_field_name("right")
            if right is None:
                return []
            first: list[Statement] = [Assign(inner, targets[-1], self._called(targets[-1], right))]
            return first + [Assign(inner, target, targets[-1]) for target in targets[:-1]]
        if inner.type == "augmented_assignment_expression":
            operator = self.name_of(inner, "operator").removesuffix("=")
            left, right_value = self.field(inner, "left"), self.field(inner, "right")
            return [Assign(inner, left, right_value, operator)]
        return [Evaluate(node, self.expr(inner))]

    def _declaration(self, node: Node) -> list[Statement]:
        lowered: list[Statement] = []
        for child in node.named_children:
            if child.type != "variable_declarator":
                continue
            value = child.child_by_field_name("value")
            target = self.field(child, "name")
            if value is None:
                lowered.append(Assign(child, target, Several(child, []), declares=True))
                continue
            lowered.append(Assign(child, target, self._called(target, value), declares=True))
        return lowered

    def _called(self, target: Expr, value: Node) -> Expr:
        """Lower a value; a function without a name has the name of what it is assigned to."""
        lowered = self.expr(value)
        if isinstance(lowered, Function) and not lowered.name and isinstance(target, Name | Member):
            lowered.name = target.name
        return lowered

    def _define(self, node: Node) -> list[Statement]:
        return [Define(node, self._function(node))]

    def _class(self, node: Node) -> list[Statement]:
        members: list[Statement] = []
        decorators: list[Expr] = []
        for child in self.inner(node, "body"):
            if child.type == "decorator":
                decorators.append(self.first(child))
                continue
            if child.type == "method_definition":
                function = self._function(child)
                function.decorators = decorators
                function.method = True
                members.append(Define(child, function))
            elif child.type in ("field_definition", "public_field_definition"):
                name = child.child_by_field_name("property") or child.child_by_field_name("name")
                value = child.child_by_field_name("value")
                if name is not None and value is not None:
                    target = self.member(name, Name(name, "this"), self.text(name))
                    members.append(Assign(child, target, self.expr(value)))
            decorators = []
        bases = [
            self.text(each).removeprefix("extends").strip()
            for each in node.named_children
            if each.type == "class_heritage"
        ]
        return [*self._decorated(node), Class(node, self.name_of(node), bases, members)]

    def _decorated(self, node: Node) -> list[Statement]:
        """Return what the decorators of a class are called with: a module's settings, often."""
        marks = [each for each in node.named_children if each.type == "decorator"]
        return [Evaluate(each, self.first(each)) for each in marks]

    def _for(self, node: Node) -> list[Statement]:
        before = self.block(node.child_by_field_name("initializer"))
        test = node.child_by_field_name("condition")
        body = self.block(node.child_by_field_name("body"))
        step = node.child_by_field_name("increment")
        if step is not None:
            body = [*body, Evaluate(step, self.expr(step))]
        # What a counter is cannot be told from its first value.
        condition: Expr = Several(node, [] if test is None else [self.expr(test)], "unknown")
        return [*before, Loop(node, body, test=Several(node, [condition, condition]))]

    def _for_in(self, node: Node) -> list[Statement]:
        return [
            Loop(
                node,
                self.block(node.child_by_field_name("body")),
                target=self.field(node, "left"),
                iterable=self.field(node, "right"),
            )
        ]

    def _try(self, node: Node) -> list[Statement]:
        handlers: list[Handler] = []
        handler = node.child_by_field_name("handler")
        if handler is not None:
            name = self.name_of(handler, "parameter")
            body = self.block(handler.child_by_field_name("body"))
            handlers.append(Handler(handler, ["Error"], name, body))
        finalizer = node.child_by_field_name("finalizer")
        final = [] if finalizer is None else self.block(finalizer.child_by_field_name("body"))
        return [Try(node, self.block(node.child_by_field_name("body")), handlers, final)]

    def _switch(self, node: Node) -> list[Statement]:
        body = node.child_by_field_name("body")
        cases: list[Case] = []
        for child in [] if body is None else body.named_children:
            statements = self.body(child.children_by_field_name("body"))
            if child.type == "switch_default":
                cases.append(Case([], statements, default=True))
            elif child.type == "switch_case":
                cases.append(Case([self.field(child, "value")], statements))
        return [Switch(node, self.field(node, "value"), cases, falls=True)]

    def _import(self, node: Node) -> list[Statement]:
        source = node.child_by_field_name("source")
        module = "" if source is None else self.text(source)[1:-1].removeprefix("node:")
        names: list[tuple[str, str]] = []
        for clause in node.named_children:
            if clause.type != "import_clause":
                continue
            for child in clause.named_children:
                if child.type == "identifier":
                    names.append((self.text(child), module))
                elif child.type == "namespace_import":
                    names.append((self.text(child.named_children[0]), module))
                elif child.type == "named_imports":
                    for each in child.named_children:
                        name = self.name_of(each)
                        alias = self.name_of(each, "alias") or name
                        names.append((alias, f"{module}.{name}"))
        return [Import(node, names)]

    def _export(self, node: Node) -> list[Statement]:
        declaration = node.child_by_field_name("declaration")
        if declaration is not None:
            lowered = [*self._decorated(node), *self.statement(declaration)]
            if any(child.type == "default" for child in node.children):
                name = self.name_of(declaration)
                exported = self.member(node, Name(node, "exports"), "default")
                lowered.append(Assign(node, exported, Name(node, name)))
            return lowered
        if (source := node.child_by_field_name("source")) is not None:
            return [Import(node, self._handed_on(node, self.text(source)[1:-1]))]
        value = node.child_by_field_name("value")
        if value is None:
            return []
        exported = self.member(node, Name(node, "exports"), "default")
        return [Assign(node, exported, self.expr(value))]

    def _handed_on(self, node: Node, module: str) -> list[tuple[str, str]]:
        """Return the names that a file has from another one and exports as its own."""
        listed = self.child_of(node, "export_clause")
        if listed is None:
            return [(f"* {module}", module)]
        return [
            (self.name_of(each, "alias") or self.name_of(each), f"{module}.{self.name_of(each)}")
            for each in listed.named_children
        ]
