"""Python: what is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow.ir import (
    Assign,
    Call,
    Case,
    Class,
    Const,
    Define,
    Evaluate,
    Function,
    Handler,
    If,
    Import,
    Index,
    Leave,
    Loop,
    Member,
    Name,
    Several,
    Switch,
    Try,
    With,
)
from coai_agents.analysis.dataflow.lowering.python_expressions import PythonExpressions

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.dataflow.ir import Expr, Module, Part, Statement
    from coai_agents.syntax.tree import SyntaxTree


_GENERATING: Final = frozenset(
    {
        "dataclass",
        "dataclasses.dataclass",
        "attr.s",
        "attrs.define",
        "define",
        "NamedTuple",
        "BaseModel",
        "SQLModel",
        "Struct",
    }
)
"""Decorators and bases that make a constructor of the fields that a class declares."""


def written_of(decorator: Expr) -> str:
    """Return a decorator as it is written, without its arguments."""
    match decorator:
        case Call(callee=callee):
            return written_of(callee)
        case Name(name=name):
            return name
        case Member(written=written):
            return written
        case _:
            return ""


def lower(tree: SyntaxTree, deadline: float, part: Part | None = None) -> Module:
    """Lower a Python file."""
    return _Python(tree, deadline).module(part)


class _Python(PythonExpressions):
    def __init__(self, tree: SyntaxTree, deadline: float) -> None:
        super().__init__(tree, deadline)
        self.statements = {
            "expression_statement": self._expression_statement,
            "assignment": self._assignment,
            "augmented_assignment": self.assignment,
            "if_statement": self._if,
            "for_statement": self._for,
            "while_statement": self._while,
            "try_statement": self._try,
            "with_statement": self._with,
            "match_statement": self._match,
            "function_definition": self._function,
            "decorated_definition": self._decorated,
            "class_definition": self._class,
            "return_statement": self.returned,
            "raise_statement": self.left,
            "break_statement": self.left,
            "continue_statement": self.left,
            "import_statement": self._import,
            "import_from_statement": self._import_from,
            "future_import_statement": lambda _: [],
            "global_statement": lambda _: [],
            "nonlocal_statement": lambda _: [],
            "pass_statement": lambda _: [],
            "assert_statement": self._assert,
            "delete_statement": lambda _: [],
            "type_alias_statement": lambda _: [],
            "block": lambda node: self.body(node.named_children),
        }

    def _expression_statement(self, node: Node) -> list[Statement]:
        lowered: list[Statement] = []
        for child in node.named_children:
            if child.type in self.statements:
                lowered += self.statement(child)
            elif child.type not in self.ignored:
                lowered.append(self._evaluated(node, self.expr(child)))
        return lowered

    def _evaluated(self, node: Node, value: Expr) -> Statement:
        """Return an expression that stands as a statement, or the assignment that it is."""
        match value:
            case Call(callee=Name(name="setattr"), arguments=[of, named, given]) if isinstance(
                named.value, Const
            ) and isinstance(named.value.value, str):
                return Assign(node, self.member(node, of.value, named.value.value), given.value)
            case _:
                return Evaluate(node, value)

    def _assignment(self, node: Node) -> list[Statement]:
        targets: list[Expr] = [self.field(node, "left")]
        right = node.child_by_field_name("right")
        declared = node.child_by_field_name("type")
        named = "" if declared is None else self._type(declared)
        while right is not None and right.type == "assignment":
            targets.append(self.field(right, "left"))
            right = right.child_by_field_name("right")
        if right is None:
            return []
        value = self.expr(right)
        first: list[Statement] = [Assign(node, targets[-1], value, type=named)]
        others: list[Statement] = [Assign(node, target, targets[-1]) for target in targets[:-1]]
        return first + others

    def _if(self, node: Node) -> list[Statement]:
        otherwise: list[Statement] = []
        for part in reversed(node.children_by_field_name("alternative")):
            if part.type == "else_clause":
                otherwise = self.block(part.child_by_field_name("body"))
            else:
                yes = self.block(part.child_by_field_name("consequence"))
                otherwise = [If(part, self.field(part, "condition"), yes, otherwise)]
        yes = self.block(node.child_by_field_name("consequence"))
        return [If(node, self.field(node, "condition"), yes, otherwise)]

    def _for(self, node: Node) -> list[Statement]:
        return [
            Loop(
                node,
                self.block(node.child_by_field_name("body")),
                target=self.field(node, "left"),
                iterable=self.field(node, "right"),
                otherwise=self._else_of(node),
            )
        ]

    def _while(self, node: Node) -> list[Statement]:
        body = self.block(node.child_by_field_name("body"))
        test = self.field(node, "condition")
        return [Loop(node, body, test=test, otherwise=self._else_of(node))]

    def _else_of(self, node: Node) -> list[Statement]:
        other = node.child_by_field_name("alternative")
        return [] if other is None else self.block(other.child_by_field_name("body"))

    def _try(self, node: Node) -> list[Statement]:
        body = self.block(node.child_by_field_name("body"))
        handlers: list[Handler] = []
        final: list[Statement] = []
        for child in node.named_children:
            if child.type in ("except_clause", "except_group_clause"):
                handlers.append(self._handler(child))
            elif child.type == "finally_clause":
                final = self._last_block(child)
            elif child.type == "else_clause":
                body = [*body, *self.block(child.child_by_field_name("body"))]
        return [Try(node, body, handlers, final)]

    def _handler(self, node: Node) -> Handler:
        caught = node.child_by_field_name("value")
        name, types = "", list[str]()
        alias = node.child_by_field_name("alias")
        for child in node.named_children:
            if child.type == "as_pattern":
                caught = child.named_children[0]
                alias = child.child_by_field_name("alias")
        if alias is not None:
            name = self.text(alias)
        if caught is not None:
            inner = caught.named_children if caught.type == "tuple" else [caught]
            types = [self.text(each) for each in inner]
        return Handler(node, types, name, self._last_block(node))

    def _last_block(self, node: Node) -> list[Statement]:
        blocks = [child for child in node.named_children if child.type == "block"]
        return self.block(blocks[-1]) if blocks else []

    def _with(self, node: Node) -> list[Statement]:
        bindings: list[tuple[Expr | None, Expr]] = []
        for clause in node.named_children:
            if clause.type != "with_clause":
                continue
            for item in clause.named_children:
                value = item.child_by_field_name("value")
                if value is None:
                    continue
                if value.type == "as_pattern":
                    alias = value.child_by_field_name("alias")
                    target = None if alias is None else self.first(alias)
                    bindings.append((target, self.expr(value.named_children[0])))
                else:
                    bindings.append((None, self.expr(value)))
        return [With(node, bindings, self.block(node.child_by_field_name("body")))]

    def _match(self, node: Node) -> list[Statement]:
        cases: list[Case] = []
        for child in self.inner(node, "body"):
            if child.type != "case_clause":
                continue
            patterns: list[Expr] = []
            default = False
            for pattern in child.named_children:
                if pattern.type == "case_pattern":
                    if self.text(pattern) == "_" or (
                        pattern.named_child_count == 1
                        and pattern.named_children[0].type == "dotted_name"
                        and "." not in self.text(pattern)
                    ):
                        default = True
                    patterns += self._alternatives(pattern)
            if child.child_by_field_name("guard") is not None:
                patterns = [Several(child, [])]
                default = False
            consequence = self.block(child.child_by_field_name("consequence"))
            written = self.text(child.named_children[0])
            if default and written.isidentifier() and written != "_":
                # A name takes whatever there is.
                subject = self.field(node, "subject")
                taken = Assign(child, Name(child, written), subject, declares=True)
                consequence.insert(0, taken)
            for pattern in child.named_children:
                if pattern.type == "case_pattern":
                    consequence = [*self._taken(pattern, self.field(node, "subject")), *consequence]
            cases.append(Case(patterns, consequence, default))
        return [Switch(node, self.field(node, "subject"), cases)]

    def _taken(self, pattern: Node, value: Expr) -> list[Statement]:
        """Return what gives the names within a pattern their values."""
        inner = self.meaning(pattern)
        match pattern.type:
            case "case_pattern" if len(inner) == 1:
                if inner[0].type != "dotted_name":
                    return self._taken(inner[0], value)
                name = self.text(inner[0])
                within = pattern.parent is not None and pattern.parent.type != "case_clause"
                if within and name.isidentifier():
                    return [Assign(pattern, Name(pattern, name), value, declares=True)]
                return []
            case "list_pattern" | "tuple_pattern":
                keys: list[Expr] = [Const(each, at) for at, each in enumerate(inner)]
                values = inner
            case "dict_pattern":
                keys = [self.expr(each) for each in pattern.children_by_field_name("key")]
                values = pattern.children_by_field_name("value")
            case _:
                return []
        taken: list[Statement] = []
        for key, each in zip(keys, values, strict=False):
            taken += self._taken(each, Index(each, value, key))
        return taken

    def _alternatives(self, node: Node) -> list[Expr]:
        found: list[Expr] = []
        for child in node.named_children:
            if child.type in ("union_pattern", "case_pattern"):
                found += self._alternatives(child)
            else:
                found.append(self.expr(child))
        return found

    def _function(self, node: Node) -> list[Statement]:
        return [Define(node, self._defined(node, []))]

    def _defined(self, node: Node, decorators: list[Expr]) -> Function:
        return Function(
            node,
            self.name_of(node),
            self._parameters(node.child_by_field_name("parameters")),
            self.block(node.child_by_field_name("body")),
            decorators,
            asynchronous=bool(node.children) and node.children[0].type == "async",
        )

    def _decorated(self, node: Node) -> list[Statement]:
        decorators = [
            self.first(child) for child in node.named_children if child.type == "decorator"
        ]
        definition = node.child_by_field_name("definition")
        if definition is None:
            return []
        if definition.type == "class_definition":
            return [self._defined_class(definition, decorators)]
        return [Define(definition, self._defined(definition, decorators))]

    def _class(self, node: Node) -> list[Statement]:
        return [self._defined_class(node, [])]

    def _defined_class(self, node: Node, decorators: list[Expr]) -> Class:
        above = node.child_by_field_name("superclasses")
        bases = [] if above is None else [self.text(child) for child in above.named_children]
        body = self.block(node.child_by_field_name("body"))
        for statement in body:
            if isinstance(statement, Define):
                statement.function.method = True
                self._mark(statement.function)
        generated = any(written_of(each) in _GENERATING for each in decorators) or any(
            each.rpartition(".")[2] in _GENERATING for each in bases
        )
        fields = self._fields(node) if generated else []
        return Class(node, self.name_of(node), bases, body, decorators, fields)

    def _mark(self, function: Function) -> None:
        """Mark what reading a member calls, or assigning to it."""
        for decorator in function.decorators:
            name = written_of(decorator)
            if name.rpartition(".")[2] in ("property", "cached_property"):
                function.accessor = "get"
            elif name == f"{function.name}.setter":
                function.accessor = "set"
                function.name = f"{function.name}="

    def _fields(self, node: Node) -> list[str]:
        """Return the names that a class declares with their types."""
        statements = self.inner(node, "body")
        declared = [each.named_children[0] for each in statements if each.named_child_count]
        return [
            self.name_of(each, "left")
            for each in declared
            if each.type == "assignment" and each.child_by_field_name("type") is not None
        ]

    def _assert(self, node: Node) -> list[Statement]:
        parts = self.parts(node)
        if not parts:
            return []
        return [If(node, parts[0], [], [Leave(node, "raise")])]

    def _import(self, node: Node) -> list[Statement]:
        names: list[tuple[str, str]] = []
        for child in node.named_children:
            if child.type == "aliased_import":
                names.append((self.name_of(child, "alias"), self.name_of(child)))
            elif child.type == "dotted_name":
                first = self.text(child).split(".", 1)[0]
                names.append((first, first))
        return [Import(node, names)]

    def _import_from(self, node: Node) -> list[Statement]:
        module = self.name_of(node, "module_name")
        names: list[tuple[str, str]] = []
        if self.child_of(node, "wildcard_import") is not None:
            names.append((f"* {module}", module))
        if not module.endswith("."):
            module += "."
        for child in node.children_by_field_name("name"):
            if child.type == "aliased_import":
                names.append((self.name_of(child, "alias"), f"{module}{self.name_of(child)}"))
            else:
                name = self.text(child)
                names.append((name, f"{module}{name}"))
        return [Import(node, names)]
