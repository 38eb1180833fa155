"""Ruby.

One file, because an adapter is one table of a grammar's nodes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow.ir import (
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
    If,
    Index,
    Item,
    Leave,
    Loop,
    Member,
    Name,
    Operation,
    Parameter,
    Return,
    Several,
    Switch,
    Try,
)
from coai_agents.analysis.dataflow.lowering.base import Adapter, items, joined, unescape

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.dataflow.ir import Expr, Module, Part, Statement
    from coai_agents.syntax.tree import SyntaxTree


_NUMBERED: Final = re.compile(r"\b(?:_1|it)\b(?![:(\"' ]*(?:\"|'))")
"""What a block calls its first argument that names none."""

_INDEXED: Final = frozenset({"Dir", "DB"})
"""Objects whose brackets are a call: of files by a pattern, of rows by SQL."""

_WHOLE: Final = frozenset(
    {
        "to_h", "to_a", "to_set", "flatten", "compact", "reverse", "sort", "uniq", "values", "keys",
        "join", "sum", "min", "max", "sample", "shuffle", "last", "lazy", "entries", "inspect",
    }
)  # fmt: skip
"""Methods of containers that return something of all that these hold."""


def lower(tree: SyntaxTree, deadline: float, part: Part | None = None) -> Module:
    """Lower a Ruby file."""
    return _Ruby(tree, deadline).module(part)


class _Ruby(Adapter):
    def __init__(self, tree: SyntaxTree, deadline: float) -> None:
        super().__init__(tree, deadline)
        self._around: list[Function] = []
        self._classes: list[str] = []
        self._heredocs: dict[int, Node] | None = None
        self.expressions = {
            "case": self._chosen,
            "identifier": self.identifier,
            "constant": self.identifier,
            "instance_variable": self._instance_variable,
            "class_variable": self.identifier,
            "global_variable": self.identifier,
            "self": self.identifier,
            "true": self.const(value=True),
            "false": self.const(value=False),
            "nil": self.const(value=None),
            "integer": self.number,
            "float": self.number,
            "string": self._string,
            "bare_string": self._string,
            "chained_string": lambda node: joined(node, self.parts(node)),
            "heredoc_beginning": self._heredoc,
            "regex": self._regex,
            "subshell": self._subshell,
            "simple_symbol": lambda node: Const(node, self.text(node).lstrip(":")),
            "hash_key_symbol": lambda node: Const(node, self.text(node)),
            "delimited_symbol": self._string,
            "scope_resolution": self._scope,
            "call": self._call,
            "element_reference": self._element,
            "array": lambda node: Container(node, items(self.parts(node))),
            "string_array": lambda node: Container(node, items(self.parts(node))),
            "right_assignment_list": lambda node: Container(node, items(self.parts(node))),
            "left_assignment_list": lambda node: Container(node, items(self.parts(node))),
            "hash": self._hash,
            "assignment": self.binding,
            "operator_assignment": self.updating,
            "binary": self._binary,
            "unary": self._unary,
            "conditional": self._conditional,
            "parenthesized_statements": self._statements,
            "lambda": self._lambda,
            "block": self._lambda,
            "do_block": self._lambda,
            "block_argument": self.first,
            "begin": self._begun,
            "argument_list": lambda node: Several(node, self.parts(node)),
            "yield": self._yield,
            "super": self._super,
            "case_match": self._matched,
        }
        self.statements = {
            "method": self._method,
            "singleton_method": self._method,
            "class": self._class,
            "module": self._class,
            "singleton_class": self._class,
            "body_statement": self._body_statement,
            "assignment": self._assignment,
            "operator_assignment": self.assignment,
            "binary": self._put_into,
            "if": self._if,
            "unless": self._unless,
            "if_modifier": self._if_modifier,
            "unless_modifier": self._if_modifier,
            "rescue_modifier": lambda node: self.block(node.child_by_field_name("body")),
            "while": self._while,
            "until": self._while,
            "for": self._for,
            "case": self._case,
            "begin": self._body_statement,
            "then": lambda node: self.body(node.named_children),
            "else": lambda node: self.body(node.named_children),
            "do": lambda node: self.body(node.named_children),
            "return": self._return,
            "break": self._leave,
            "next": self._leave,
            "block_body": self.nested,
            "match_pattern": self._unpacked,
        }

    # ------------------------------------------------------------------------------- expressions

    def _instance_variable(self, node: Node) -> Expr:
        return self.member(node, Name(node, "self"), self.text(node))

    def _regex(self, node: Node) -> Expr:
        """Lower a regular expression; one with values in it is made when it is reached."""
        made = self._string(node)
        if isinstance(made, Const):
            return made
        return Call(node, Name(node, "Regexp.new"), [Argument(made)], creates=True)

    def _string(self, node: Node) -> Expr:
        parts: list[Expr] = []
        for child in node.named_children:
            if child.type == "interpolation":
                parts.append(self.first(child))
            elif child.type != "heredoc_end":
                parts.append(Const(child, unescape(self.text(child))))
        return joined(node, parts) if parts else Const(node, "")

    def _heredoc(self, node: Node) -> Expr:
        """Lower a text whose lines follow the statement, in the order of the beginnings."""
        if self._heredocs is None:
            begun: list[Node] = []
            bodies: list[Node] = []
            waiting = [self._root]
            while waiting:
                each = waiting.pop()
                waiting += each.children
                kinds = {"heredoc_beginning": begun, "heredoc_body": bodies}
                kinds.get(each.type, []).append(each)
            begun.sort(key=lambda each: each.start_byte)
            bodies.sort(key=lambda each: each.start_byte)
            self._heredocs = {each.id: body for each, body in zip(begun, bodies, strict=False)}
        body = self._heredocs.get(node.id)
        return Several(node, []) if body is None else self._string(body)

    def _subshell(self, node: Node) -> Expr:
        return Call(node, Name(node, "backtick"), [Argument(self._string(node))])

    def _scope(self, node: Node) -> Expr:
        scope = node.child_by_field_name("scope")
        name = self.name_of(node)
        return Name(node, name) if scope is None else self.member(node, self.expr(scope), name)

    def _arguments(self, node: Node | None) -> list[Argument]:
        found: list[Argument] = []
        for child in [] if node is None else node.named_children:
            kind = child.type
            if kind == "pair":
                key = child.child_by_field_name("key")
                value = self.field(child, "value")
                if key is not None and key.type in ("hash_key_symbol", "simple_symbol"):
                    found.append(Argument(value, self.text(key).lstrip(":")))
                else:
                    found.append(Argument(value))
            elif kind in ("splat_argument", "hash_splat_argument"):
                found.append(Argument(self.first(child), spread=True))
            elif kind not in self.ignored:
                found.append(Argument(self.expr(child)))
        return found

    def _call(self, node: Node) -> Expr:
        receiver = node.child_by_field_name("receiver")
        arguments = node.child_by_field_name("arguments")
        block = node.child_by_field_name("block")
        name = self.name_of(node, "method")
        method = node.child_by_field_name("method") or node
        callee: Expr = Name(method, name)
        if receiver is not None:
            of = self.expr(receiver)
            if name == "call" and receiver.type == "call" and isinstance(of, Member):
                return Call(node, of, self._arguments(arguments))
            callee = self.member(node, of, name or "call")
        passed = self._arguments(arguments)
        if block is not None:
            passed.append(Argument(self._block_of(block, receiver, method)))
        if block is not None and (name in ("proc", "lambda") or self.text(node)[:8] == "Proc.new"):
            return passed[-1].value
        if method.type == "super":
            return Call(node, self._above(method), passed)
        if receiver is not None and (made := self._rewritten(node, callee, passed)) is not None:
            return made
        if name == "new" and receiver is None and self._classes:
            made = self.member(node, Name(method, self._classes[-1]), "new")
            return Call(node, made, passed, creates=True)
        if not passed and receiver is not None and arguments is None and _reads(name):
            return callee
        return Call(node, callee, passed, creates=name == "new" and receiver is not None)

    def _block_of(self, block: Node, receiver: Node | None, method: Node) -> Expr:
        """Lower what a function is passed to call; a route's is what answers it."""
        made = self.expr(block)
        if receiver is None and isinstance(made, Function):
            made.decorators.append(Name(method, self.text(method)))
        return made

    def _rewritten(self, node: Node, callee: Expr, passed: list[Argument]) -> Expr | None:
        """Return what a method does that another one does as well; None for any other."""
        first = passed[0].value if passed else None
        if not isinstance(callee, Member) or not isinstance(first, Const):
            return None
        text, of = first.value, callee.object
        if not isinstance(text, str):
            return None
        if callee.name == "method":
            return self.member(node, of, text)
        if callee.name in ("delete", "tr") and text[:1] == "^" and len(text) > 1:
            # A set of characters, of which none but these are left.
            kept = [Argument(Const(node, f"[{text}]")), Argument(Const(node, ""))]
            return Call(node, self.member(node, of, "gsub"), kept)
        if callee.name in ("slice", "slice!") and first.node.type == "regex":
            return Call(node, self.member(node, of, "scan"), passed[:1])
        return None

    def _above(self, node: Node) -> Expr:
        """Return the method above the one around, which has the same name."""
        name = self._around[-1].name if self._around else "initialize"
        return self.member(node, Name(node, "super"), name)

    def _super(self, node: Node) -> Expr:
        """Lower the call of the method above with all that the one around was passed."""
        parameters = self._around[-1].parameters if self._around else []
        passed = [Argument(Name(node, each.name)) for each in parameters]
        return Call(node, self._above(node), passed)

    def _yield(self, node: Node) -> Expr:
        return Call(
            node, Name(node, "yield"), self._arguments(self.child_of(node, "argument_list"))
        )

    def _matched(self, node: Node) -> Expr:
        """Lower a choice by patterns, whose names take what they match."""
        value = self.field(node, "value")
        arms: list[Expr] = []
        for child in node.children_by_field_name("clauses"):
            pattern = child.child_by_field_name("pattern")
            named = None if pattern is None else pattern.child_by_field_name("name")
            if named is not None and pattern is not None and pattern.type == "as_pattern":
                arms.append(Binding(child, Name(named, self.text(named)), value))
            elif pattern is not None:
                arms += self._taken(pattern, value)
            body = child.child_by_field_name("body")
            if body is not None:
                arms.append(self._last_of(body))
        return Several(node, arms)

    def _taken(self, pattern: Node, value: Expr) -> list[Expr]:
        """Return what gives a pattern's names their values."""
        if pattern.type == "identifier":
            return [Binding(pattern, Name(pattern, self.text(pattern)), value)]
        bound: list[Expr] = []
        for at, child in enumerate(self.meaning(pattern)):
            key, inner = child.child_by_field_name("key"), child.child_by_field_name("value")
            if pattern.type == "hash_pattern" and key is not None:
                name = self.text(key)
                part = Index(child, value, Const(key, name))
                if inner is None:
                    bound.append(Binding(child, Name(key, name), part))
                else:
                    bound += self._taken(inner, part)
            elif pattern.type == "array_pattern":
                bound += self._taken(child, Index(child, value, Const(child, at)))
            elif pattern.type in ("as_pattern", "alternative_pattern", "parenthesized_pattern"):
                bound += self._taken(child, value)
        return bound

    def _unpacked(self, node: Node) -> list[Statement]:
        """Lower `value => pattern`."""
        pattern = node.child_by_field_name("pattern")
        taken = [] if pattern is None else self._taken(pattern, self.field(node, "value"))
        return [Evaluate(node, each) for each in taken]

    def _element(self, node: Node) -> Expr:
        of = node.child_by_field_name("object")
        keys = [each for each in node.named_children if of is None or each != of]
        base = Several(node, []) if of is None else self.expr(of)
        if len(keys) == 1 and keys[0].type == "regex":
            found = [Argument(self.expr(keys[0]))]
            return Call(node, self.member(node, base, "scan"), found)
        if isinstance(base, Name) and base.name in _INDEXED and keys:
            passed = [Argument(self.expr(each)) for each in keys]
            return Call(node, self.member(node, base, "[]"), passed)
        return Index(node, base, self.expr(keys[0]) if len(keys) == 1 else None)

    def _hash(self, node: Node) -> Expr:
        made: list[Item] = []
        for child in node.named_children:
            if child.type == "pair":
                made.append(Item(self.field(child, "value"), self.field(child, "key")))
            elif child.type == "hash_splat_argument":
                made.append(Item(self.first(child), spread=True))
        return Container(node, made, keyed=True)

    def _binary(self, node: Node) -> Expr:
        chain = self.left_chain(node, "binary")
        value = self.field(chain[0], "left")
        for each in chain:
            operator = self.name_of(each, "operator")
            value = Operation(each, operator, [value, self.field(each, "right")])
        return value

    def _unary(self, node: Node) -> Expr:
        operator = self.name_of(node, "operator")
        name = "!" if operator in ("!", "not") else f"u{operator}"
        return Operation(node, name, [self.field(node, "operand")])

    def _conditional(self, node: Node) -> Expr:
        yes, no = self.field(node, "consequence"), self.field(node, "alternative")
        return Conditional(node, self.field(node, "condition"), yes, no)

    def _statements(self, node: Node) -> Expr:
        parts = self.parts(node)
        return parts[0] if len(parts) == 1 else Several(node, parts)

    def _lambda(self, node: Node) -> Expr:
        parameters = node.child_by_field_name("parameters")
        body = node.child_by_field_name("body")
        statements: list[Statement] = []
        if body is not None and body.type in ("block", "do_block"):
            statements = self.body(self.inner(body, "body"))
        elif body is not None:
            statements = self.body(body.named_children)
        named = self._parameters(parameters)
        if parameters is None and (known := _NUMBERED.search(self.text(node))) is not None:
            # A block may know what it is passed without naming it.
            named = [Parameter(node, known[0])]
        return Function(node, "", named, _returning(statements))

    def _begun(self, node: Node) -> Expr:
        """Lower a block whose value is used: it is that of what it comes to last."""
        body = _returning(self._body_statement(node))
        return Call(node, Function(node, "", [], body), [])

    # -------------------------------------------------------------------------------- statements

    def _parameters(self, node: Node | None) -> list[Parameter]:
        found: list[Parameter] = []
        for child in [] if node is None else node.named_children:
            name = self.name_of(child) or self.text(child)
            default = child.child_by_field_name("value")
            value = None if default is None else self.expr(default)
            rest = "splat" in child.type
            found.append(Parameter(child, name.lstrip("*&"), default=value, rest=rest))
        return found

    def _method(self, node: Node) -> list[Statement]:
        body = node.child_by_field_name("body")
        parameters = self._parameters(node.child_by_field_name("parameters"))
        function = Function(node, self.name_of(node), parameters, [], method=True)
        needed = [each for each in parameters if each.default is None and not each.rest]
        # Without arguments a call looks like the reading of a member.
        function.accessor = "set" if function.name.endswith("=") else "" if needed else "call"
        self._around.append(function)
        statements: list[Statement] = []
        if body is not None:
            statements = self.statement(body) if body.type in self.statements else []
            if body.type not in self.statements:
                statements = [Return(body, self.expr(body))]
        self._around.pop()
        function.body = _returning(statements)
        return [Define(node, function)]

    def _class(self, node: Node) -> list[Statement]:
        body = node.child_by_field_name("body")
        if node.type == "singleton_class":
            return [] if body is None else self.body(body.named_children)
        self._classes.append(self.name_of(node))
        members = [] if body is None else self.body(body.named_children)
        above = node.child_by_field_name("superclass")
        bases = [] if above is None else [self.text(above).lstrip("< ")]
        defined = [each.function for each in members if isinstance(each, Define)]
        own = {each.name for each in defined if each.node.type == "method"}
        for function in defined:
            if function.node.type == "singleton_method" and function.name in own:
                function.name = f"self.{function.name}"
        for statement in members:
            match statement:
                case Evaluate(value=Call(callee=Name(name=name), arguments=passed)):
                    if name in ("include", "extend", "prepend"):
                        bases += [e.value.name for e in passed if isinstance(e.value, Name)]
                case _:
                    pass
        return [Class(node, self._classes.pop(), bases, members)]

    def _struct(self, node: Node) -> list[Statement]:
        """Lower a class that is made of the names of its fields."""
        call = node.child_by_field_name("right")
        assert call is not None
        block = call.child_by_field_name("block")
        named = self._arguments(call.child_by_field_name("arguments"))
        fields = [f"{e.value.value}" for e in named if isinstance(e.value, Const) and not e.name]
        inside = None if block is None else block.child_by_field_name("body")
        self._classes.append(self.name_of(node, "left"))
        members = [] if inside is None else self.body(inside.named_children)
        return [Class(node, self._classes.pop(), [], members, fields=fields)]

    def _body_statement(self, node: Node) -> list[Statement]:
        plain: list[Node] = []
        handlers: list[Handler] = []
        final: list[Statement] = []
        for child in node.named_children:
            if child.type == "rescue":
                caught = child.child_by_field_name("exceptions")
                types = [] if caught is None else [self.text(e) for e in caught.named_children]
                variable = child.child_by_field_name("variable")
                name = "" if variable is None else self.text(variable).removeprefix("=>").strip()
                body = self.block(child.child_by_field_name("body"))
                handlers.append(Handler(child, types, name, body))
            elif child.type == "ensure":
                final = self.body(child.named_children)
            else:
                plain.append(child)
        body = self.body(plain)
        return [Try(node, body, handlers, final)] if handlers or final else body

    def _assignment(self, node: Node) -> list[Statement]:
        right = node.child_by_field_name("right")
        if right is not None and right.type == "call" and self.name_of(node, "left")[:1].isupper():
            made = self.name_of(right, "receiver"), self.name_of(right, "method")
            if made in (("Struct", "new"), ("Data", "define")):
                return self._struct(node)
        return [Assign(node, self.field(node, "left"), self.field(node, "right"))]

    def _if(self, node: Node) -> list[Statement]:
        yes = self.block(node.child_by_field_name("consequence"))
        other = node.child_by_field_name("alternative")
        no: list[Statement] = []
        if other is not None:
            no = self._if(other) if other.type == "elsif" else self.body(other.named_children)
        return [If(node, self.field(node, "condition"), yes, no)]

    def _unless(self, node: Node) -> list[Statement]:
        yes = self.block(node.child_by_field_name("consequence"))
        no = self.block(node.child_by_field_name("alternative"))
        return [If(node, self.field(node, "condition"), no, yes)]

    def _if_modifier(self, node: Node) -> list[Statement]:
        body = self.block(node.child_by_field_name("body"))
        test = self.field(node, "condition")
        if node.type == "unless_modifier":
            return [If(node, test, [], body)]
        return [If(node, test, body, [])]

    def _while(self, node: Node) -> list[Statement]:
        body = self.block(node.child_by_field_name("body"))
        return [Loop(node, body)]

    def _for(self, node: Node) -> list[Statement]:
        body = self.block(node.child_by_field_name("body"))
        value = node.child_by_field_name("value")
        iterable = Several(node, []) if value is None else self.first(value)
        return [Loop(node, body, target=self.field(node, "pattern"), iterable=iterable)]

    def _put_into(self, node: Node) -> list[Statement]:
        """Lower `<<` as what it is for a variable: it adds to it."""
        left = node.child_by_field_name("left")
        adds = self.name_of(node, "operator") == "<<"
        if left is None or not adds or left.type not in ("identifier", "instance_variable"):
            return [Evaluate(node, self.expr(node))]
        return [Assign(node, self.expr(left), self.field(node, "right"), "<<")]

    def _chosen(self, node: Node) -> Expr:
        """Lower a choice whose value is used."""
        arms: list[tuple[list[Expr], Expr]] = []
        for child in node.named_children:
            if child.type == "when":
                patterns = [self.first(each) for each in child.children_by_field_name("pattern")]
                arms.append((patterns, self._last_of(child.child_by_field_name("body") or child)))
            elif child.type == "else":
                arms.append(([], self._last_of(child)))
        return self.choice(node, self.field(node, "value"), arms)

    def _last_of(self, node: Node) -> Expr:
        inner = self.meaning(node)
        return self.expr(inner[-1]) if inner else Several(node, [])

    def _case(self, node: Node) -> list[Statement]:
        cases: list[Case] = []
        for child in node.named_children:
            if child.type == "when":
                patterns = [
                    part
                    for each in child.children_by_field_name("pattern")
                    for part in self.parts(each)
                ]
                cases.append(Case(patterns, self.block(child.child_by_field_name("body"))))
            elif child.type == "else":
                cases.append(Case([], self.body(child.named_children), default=True))
        return [Switch(node, self.field(node, "value"), cases)]

    def _return(self, node: Node) -> list[Statement]:
        if not node.named_child_count:
            return [Return(node, None)]
        value = self.expr(node.named_children[0])
        if isinstance(value, Several) and len(value.parts) == 1:
            value = value.parts[0]
        return [Return(node, value)]

    def _leave(self, node: Node) -> list[Statement]:
        return [Leave(node, "continue" if node.type == "next" else node.type)]


def _returning(statements: list[Statement]) -> list[Statement]:
    """Return a body whose last expression is what it returns."""
    if not statements:
        return statements
    last = statements[-1]
    match last:
        case Evaluate(node=node, value=value):
            return [*statements[:-1], Return(node, value)]
        case Assign(node=node, target=target):
            return [*statements, Return(node, target)]
        case If(node=node, test=test, yes=yes, no=no):
            return [*statements[:-1], If(node, test, _returning(yes), _returning(no))]
        case Try(node=node, body=body, handlers=handlers, final=final):
            for each in handlers:
                each.body = _returning(each.body)
            return [*statements[:-1], Try(node, _returning(body), handlers, final)]
        case Switch(cases=cases):
            for case in cases:
                case.body = _returning(case.body)
            return statements
        case _:
            return statements


def _reads(name: str) -> bool:
    """Say whether a call without arguments is taken for reading a member."""
    return name not in _WHOLE and name not in (
        "new",
        "call",
        "read",
        "gets",
        "first",
        "pop",
        "shift",
        "clear",
        "csrf",
    )
