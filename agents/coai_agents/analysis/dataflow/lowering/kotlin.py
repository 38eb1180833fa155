"""Kotlin.

One file, because nearly every statement of Kotlin is an expression too, and is lowered as both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

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
    Leave,
    Loop,
    Member,
    Name,
    Operation,
    Parameter,
    Return,
    Several,
    Try,
)
from coai_agents.analysis.dataflow.lowering.base import joined, unescape
from coai_agents.analysis.dataflow.lowering.valued import Valued

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.dataflow.ir import Expr, Module, Part, Statement
    from coai_agents.analysis.dataflow.lowering.valued import Put
    from coai_agents.syntax.tree import SyntaxTree

_KEYWORDS: Final[dict[str, object]] = {"true": True, "false": False, "null": None}

_SCOPES: Final = {
    "let": (False, False),
    "also": (False, True),
    "use": (False, False),
    "run": (True, False),
    "apply": (True, True),
    "with": (True, False),
    "buildString": (True, True),
    "buildList": (True, True),
    "buildSet": (True, True),
    "buildMap": (True, True),
}
"""Functions that call a block with an object: whether it is the block's own, and the result."""

_OF_LIBRARY: Final = re.compile(
    r"(?:\w+(?:Of|OfNotNull)|empty[A-Z]\w*|print|println|readln|readLine|require|requireNotNull|check"
    r"|checkNotNull|error|lazy|repeat|runCatching|buildString|build[A-Z]\w*|synchronized)$"
)
"""Functions of Kotlin's own that belong to no object."""

_RECEIVER: Final = "this@block"
"""The object of a block that has one of its own."""

_IN_TEXT: Final = re.compile(r"(?<!\\)\$([A-Za-z_]\w*)")
_FUNCTION: Final = re.compile(r"\bfun\s+(?:<[^>\n]{1,80}>\s*)?(?:[\w<>?]+\.)?(\w+)\s*\(")
_TYPES: Final = frozenset({"user_type", "nullable_type", "function_type", "parenthesized_type"})


def lower(tree: SyntaxTree, deadline: float, part: Part | None = None) -> Module:
    """Lower a Kotlin file."""
    return _Kotlin(tree, deadline).module(part)


class _Kotlin(Valued):
    def __init__(self, tree: SyntaxTree, deadline: float) -> None:
        super().__init__(tree, deadline)
        self._functions = frozenset(_FUNCTION.findall(tree.source.text))
        self._blocks: list[frozenset[str] | None] = []
        self._moved: set[int] = set()
        """The identities of denials that are lowered where they belong, around a chain."""
        """Of blocks that have an object of their own: the names that they declare themselves."""
        self.expressions = {
            "identifier": self._identifier,
            "this_expression": self._this,
            "super_expression": lambda node: Name(node, "super"),
            "string_literal": self._string,
            "multiline_string_literal": self._string,
            "character_literal": self.string,
            "number_literal": self.number,
            "float_literal": self.number,
            "call_expression": lambda node: self._denied(node) or self._call(node),
            "navigation_expression": lambda node: self._denied(node) or self._navigation(node),
            "index_expression": self._index,
            "binary_expression": self._binary,
            "unary_expression": self._unary,
            "as_expression": lambda node: self.field(node, "left"),
            "is_expression": lambda node: Several(node, []),
            "in_expression": self._within,
            "infix_expression": self._infix,
            "range_expression": lambda node: Several(node, self.parts(node)),
            "parenthesized_expression": self.first,
            "annotated_lambda": self.first,
            "lambda_literal": self._lambda,
            "anonymous_function": self._function,
            "object_literal": self._object,
            "type_test": lambda node: Several(node, []),
            "return_expression": lambda node: Several(node, []),
            "throw_expression": lambda node: Several(node, []),
        }
        self.statements = {
            "identifier": self._bare,
            "property_declaration": self._property,
            "assignment": self._assignment,
            "function_declaration": self._declared,
            "class_declaration": self._class,
            "object_declaration": self._class,
            "companion_object": self._members,
            "anonymous_initializer": lambda node: self.body(node.named_children),
            "secondary_constructor": self._declared,
            "import": self._import,
            "package_header": lambda _: [],
            "block": self.nested,
            "for_statement": self._for,
            "while_statement": self._while,
            "do_while_statement": self._while,
            "return_expression": self._return,
            "throw_expression": lambda node: self.left_by(node, "throw"),
        }
        self.branching = {
            "if_expression": self._if,
            "when_expression": self._when,
            "try_expression": self._try,
        }
        self.branches()

    # ------------------------------------------------------------------------------- expressions

    def _identifier(self, node: Node) -> Expr:
        text = self.text(node).strip("`")
        return Const(node, _KEYWORDS[text]) if text in _KEYWORDS else Name(node, text)

    def _this(self, node: Node) -> Expr:
        return Name(node, "this" if not self._blocks else _RECEIVER)

    def _string(self, node: Node) -> Expr:
        long = node.type == "multiline_string_literal"
        quotes = 3 if long else 1
        parts: list[Expr] = []
        at = node.start_byte + quotes
        for child in node.named_children:
            if child.type == "interpolation":
                self._literal(node, at, child.start_byte, parts, long=long)
                parts.append(self.first(child))
                at = child.end_byte
        self._literal(node, at, node.end_byte - quotes, parts, long=long)
        return joined(node, parts)

    def _literal(self, node: Node, start: int, end: int, parts: list[Expr], *, long: bool) -> None:
        """Add text, and the variables that it names: the grammar does not see all of them."""
        pieces = _IN_TEXT.split(self._bytes[start:end].decode("utf-8", "replace"))
        for number, piece in enumerate(pieces):
            if number % 2:
                parts.append(Name(node, piece))
            elif piece or len(pieces) == 1:
                parts.append(Const(node, piece if long else unescape(piece)))

    def _navigation(self, node: Node) -> Expr:
        of, *names = self.meaning(node)
        value = self.expr(of)
        for each in names:
            value = self.member(node, value, self.java_name(self.text(each).strip("`")))
        return value

    def _index(self, node: Node) -> Expr:
        of, *keys = self.meaning(node)
        return Index(node, self.expr(of), self.expr(keys[0]) if keys else None)

    def _binary(self, node: Node) -> Expr:
        chain = self.left_chain(node, node.type)
        value = self.field(chain[0], "left")
        for each in chain:
            operator, right = self.name_of(each, "operator"), self.field(each, "right")
            if operator == ">" and isinstance(value, Operation) and self._is_typed_call(each):
                # The grammar takes `f<T>(x)` for two comparisons.
                value = Call(each, value.operands[0], [Argument(right)])
            elif operator == "?:":
                value = Conditional(each, value, value, right)
            else:
                value = self.sum(each, value, operator, right)
        return value

    def _is_typed_call(self, node: Node) -> bool:
        """Say whether `f < T > (x)` is a call: it is written without a blank."""
        return (
            re.search(r"\w<[A-Z][\w.]*\??>\($", self.text(node).partition("(")[0] + "(") is not None
        )

    def _denied(self, node: Node) -> Expr | None:
        """Lower `!a.b(c)`, which the grammar reads as `(!a).b(c)`; None for what denies nothing."""
        head = node
        while head.type in ("call_expression", "navigation_expression") and head.named_children:
            head = head.named_children[0]
        denies = head.type == "unary_expression" and self.name_of(head, "operator") == "!"
        if not denies or head.id in self._moved:
            return None
        self._moved.add(head.id)
        return Operation(node, "!", [self.expr(node)])

    def _unary(self, node: Node) -> Expr:
        operator, value = self.name_of(node, "operator"), self.field(node, "argument")
        if node.id in self._moved:
            return value
        if operator in ("!!", "++", "--"):
            return value if operator == "!!" else Several(node, [value])
        return Operation(node, "!" if operator == "!" else f"u{operator}", [value])

    def _within(self, node: Node) -> Expr:
        """Lower `a in b`, which calls `b.contains(a)`."""
        of, what = self.field(node, "right"), self.field(node, "left")
        call = Call(node, self.member(node, of, "contains"), [Argument(what)])
        excluded = any(each.type == "!in" for each in node.children)
        return Operation(node, "!", [call]) if excluded else call

    def _infix(self, node: Node) -> Expr:
        parts = self.meaning(node)
        if len(parts) != 3:  # noqa: PLR2004 - an operator between two operands
            return Several(node, self.parts(node))
        left, name, right = self.expr(parts[0]), self.text(parts[1]), self.expr(parts[2])
        if name == "to":
            return self.pair(node, left, right)
        return Call(node, self.member(node, left, name), [Argument(right)])

    def _arguments(self, node: Node | None) -> list[Argument]:
        found: list[Argument] = []
        for each in [] if node is None else self.meaning(node):
            parts = self.meaning(each)
            if not parts:
                continue
            named = any(child.type == "=" for child in each.children) and len(parts) > 1
            spread = parts[-1].type == "spread_expression"
            value = self.first(parts[-1]) if spread else self.expr(parts[-1])
            found.append(Argument(value, self.text(parts[0]) if named else "", spread))
        return found

    def _call(self, node: Node) -> Expr:
        parts = self.meaning(node)
        given = self._arguments(self.child_of(node, "value_arguments"))
        block = parts[-1] if parts[-1].type in ("annotated_lambda", "lambda_literal") else None
        scoped = self._scoped(node, parts[0], given, block)
        if scoped is not None:
            return scoped
        if block is not None and parts[0].type == "call_expression":
            # `f(a) { ... }`: what follows the brackets is one argument more.
            called = self.expr(parts[0])
            if isinstance(called, Call):
                return Call(
                    node, called.callee, [*called.arguments, self._block(block)], called.creates
                )
        if block is not None:
            given.append(self._block(block))
        callee = self._callee(parts[0])
        written = callee.name if isinstance(callee, Name) else ""
        if (literal := self.made(node, written, given)) is not None:
            return literal
        if isinstance(callee, Member) and callee.name == "getBytes" and not given:
            # Java asks the machine for its encoding here, Kotlin does not.
            given = [Argument(Const(node, "UTF-8"))]
        if written == "ByteArray":
            callee = Name(node, "byte[]")
        creates = written.rpartition(".")[2][:1].isupper()
        return Call(node, callee, given, creates=creates)

    def _block(self, node: Node) -> Argument:
        return Argument(self.expr(node))

    def _callee(self, node: Node) -> Expr:
        callee = self.expr(node)
        if isinstance(callee, Member) and re.fullmatch(r"(?:[a-z]\w*\.)+[A-Z]\w*", callee.written):
            return Name(node, callee.written)
        own = self._blocks[-1] if self._blocks else None
        if own is not None and isinstance(callee, Name) and self._is_objects(callee.name, own):
            return self.member(node, Name(node, _RECEIVER), callee.name)
        return callee

    def _is_objects(self, name: str, own: frozenset[str]) -> bool:
        """Say whether a bare name in a block with an object is a member of that object."""
        known = name in own or name in self._functions or _OF_LIBRARY.match(name) is not None
        return not known and name[:1].islower() and name not in _SCOPES

    def _scoped(
        self, node: Node, callee: Node, given: list[Argument], block: Node | None
    ) -> Expr | None:
        """Lower what is done with an object in a block: `x.let { ... }`; None if it is not."""
        named = self.meaning(callee)
        if callee.type == "navigation_expression":
            name, of = self.text(named[-1]), self._navigated(callee)
        else:
            if callee.type == "call_expression":
                # The block follows the brackets: `with(x) { ... }`.
                given = self._arguments(self.child_of(callee, "value_arguments"))
            name = self.text(named[0] if callee.type == "call_expression" else callee)
            of = given[0].value if name == "with" and given else self._begun(node, name)
        if block is None or name not in _SCOPES or of is None:
            return None
        owned, itself = _SCOPES[name]
        function = self._lambda(self._unwrapped(block), owned=owned)
        assert isinstance(function, Function)
        if itself:
            if function.body and isinstance(function.body[-1], Return):
                last = function.body[-1]
                function.body[-1] = Evaluate(last.node, last.value or Several(node, []))
            function.body.append(Return(node, Name(node, function.parameters[0].name)))
        return Call(node, function, [Argument(of)])

    def _begun(self, node: Node, name: str) -> Expr | None:
        """Return the empty text or container that a block fills: `buildString { ... }`."""
        if name == "buildString":
            return Call(node, Name(node, "StringBuilder"), [], creates=True)
        return Container(node, [], keyed=name == "buildMap") if name.startswith("build") else None

    def _navigated(self, node: Node) -> Expr:
        """Lower what a member is asked for."""
        of, *names = self.meaning(node)
        value = self.expr(of)
        for each in names[:-1]:
            value = self.member(node, value, self.text(each))
        return value

    def _unwrapped(self, node: Node) -> Node:
        return self.child_of(node, "lambda_literal") or node

    def _lambda(self, node: Node, *, owned: bool = False) -> Expr:
        listed = self.child_of(node, "lambda_parameters")
        statements = [each for each in self.meaning(node) if each != listed]
        parameters: list[Parameter] = []
        for each in [] if listed is None else listed.named_children:
            if each.type == "variable_declaration":
                parameters.append(Parameter(each, self._name(each), self._type(each)))
            elif each.type == "multi_variable_declaration":
                parameters += [Parameter(e, self._name(e)) for e in each.named_children]
        if owned:
            parameters = [Parameter(node, _RECEIVER)]
            declared = re.findall(r"\b(?:val|var)\s+(\w+)", self.text(node))
            self._blocks.append(frozenset(declared))
        elif listed is None:
            parameters = [Parameter(node, "it")]
        try:
            body = self.ending(statements, self.give)
        finally:
            if owned:
                self._blocks.pop()
        return Function(node, "", parameters, body)

    def _object(self, node: Node) -> Expr:
        """Lower an object of a class without a name: its methods, and what makes it."""
        base = self.child_of(node, "delegation_specifiers")
        made = Call(node, Name(node, self._plain(self.text(base)) if base else ""), [])
        made.creates = True
        methods = [each.function for each in self._members(node) if isinstance(each, Define)]
        return Several(node, [*methods, made], "last")

    # -------------------------------------------------------------------------------- statements

    def _bare(self, node: Node) -> list[Statement]:
        text = self.text(node)
        if text in ("break", "continue"):
            return [Leave(node, text)]
        return [Evaluate(node, self._identifier(node))]

    def has_no_value(self, node: Node) -> bool:
        """Say whether a node can only be a statement."""
        jump = node.type == "identifier" and self.text(node) in ("break", "continue")
        return jump or super().has_no_value(node)

    def _name(self, node: Node) -> str:
        named = self.child_of(node, "identifier")
        return "" if named is None else self.text(named).strip("`")

    def _plain(self, written: str) -> str:
        return re.split(r"[<(?]", written, maxsplit=1)[0].strip()

    def _written_type(self, node: Node) -> str:
        return next((self.text(e) for e in node.named_children if e.type in _TYPES), "")

    def _type(self, node: Node) -> str:
        return self._plain(self._written_type(node))

    def _property(self, node: Node) -> list[Statement]:
        declared = next((e for e in node.named_children if "variable_declaration" in e.type), None)
        if declared is None:
            return []
        behind = [e for e in self.meaning(node) if e.start_byte >= declared.end_byte]
        value = next((e for e in behind if e.type not in _NO_VALUE), None)
        delegate = self.child_of(node, "property_delegate")
        if declared.type == "multi_variable_declaration":
            names = [(e, self._name(e)) for e in declared.named_children]
            return [] if value is None else self.spread(node, names, self.expr(value))
        target = Name(declared, self._name(declared))
        if (getter := self.child_of(node, "getter")) is not None:
            body = self._body(self.child_of(getter, "function_body"))
            return [
                Define(node, Function(node, target.name, [], body, method=True, accessor="get"))
            ]
        put = self.assigning(target, self._type(declared))
        if value is not None:
            return self.valued(value, put)
        given = Several(node, []) if delegate is None else self._delegated(delegate)
        return put(node, given)

    def _delegated(self, node: Node) -> Expr:
        """Lower `by lazy { ... }`, whose value is what the block gives."""
        value = self.first(node)
        if isinstance(value, Call) and value.arguments:
            block = value.arguments[-1].value
            if isinstance(block, Function):
                return Call(node, block, [])
        return value

    def _assignment(self, node: Node) -> list[Statement]:
        left, operator = self.field(node, "left"), self.operator_of(node)
        own = self._blocks[-1] if self._blocks else None
        if own is not None and isinstance(left, Name) and self._is_objects(left.name, own):
            left = self.member(node, Name(node, _RECEIVER), left.name)

        def put(at: Node, value: Expr) -> list[Statement]:
            return [Assign(at if at.type in self.branching else node, left, value, operator)]

        return self.valued(node.child_by_field_name("right"), put)

    def _body(self, node: Node | None) -> list[Statement]:
        """Lower a function's body: a block, or the expression that it returns."""
        if node is None:
            return []
        block = self.child_of(node, "block")
        if block is not None and self.text(node).startswith("{"):
            return self.body(block.named_children)
        return self.ending(self.meaning(node), self.give)

    def _declared(self, node: Node) -> list[Statement]:
        return [Define(node, self._function(node))]

    def _function(self, node: Node) -> Function:
        receiver = self.child_of(node, "user_type")
        name = self.name_of(node) or ("" if receiver is None else self.text(receiver))
        body = self.child_of(node, "function_body") or self.child_of(node, "block")
        statements = (
            self.body(body.named_children)
            if body is not None and body.type == "block"
            else self._body(body)
        )
        listed = self.child_of(node, "function_value_parameters")
        return Function(
            node,
            name.rpartition(".")[2],
            self._parameters(listed),
            statements,
            self._annotations(node),
            method=self._in_class(node),
        )

    def _in_class(self, node: Node) -> bool:
        return node.parent is not None and node.parent.type.endswith("class_body")

    def _parameters(self, node: Node | None) -> list[Parameter]:
        found: list[Parameter] = []
        annotations: list[Expr] = []
        rest = False
        for child in [] if node is None else node.named_children:
            if child.type == "parameter_modifiers":
                annotations, rest = self._annotated(child), "vararg" in self.text(child)
            elif child.type in ("parameter", "class_parameter"):
                written = self._written_type(child)
                inner = re.split(r"[<>,]", written.partition("<")[2])
                arguments = tuple(each.strip(" ?") for each in inner if each.strip(" ?"))
                more = [*annotations, *self._annotations(child)]
                parameter = Parameter(child, self._name(child), self._plain(written), None, rest)
                parameter.annotations, parameter.arguments = more, arguments
                found.append(parameter)
                annotations, rest = [], False
        return found

    def _annotations(self, node: Node) -> list[Expr]:
        modifiers = self.child_of(node, "modifiers")
        return [] if modifiers is None else self._annotated(modifiers)

    def _annotated(self, node: Node) -> list[Expr]:
        return [
            Name(each, "@" + self._plain(self.text(each).lstrip("@")).rpartition(":")[2])
            for each in node.named_children
            if each.type == "annotation"
        ]

    def _members(self, node: Node) -> list[Statement]:
        return [
            statement
            for body in node.named_children
            if body.type in ("class_body", "enum_class_body")
            for statement in self.body(body.named_children)
        ]

    def _class(self, node: Node) -> list[Statement]:
        above = self.child_of(node, "delegation_specifiers")
        bases = [] if above is None else [self._plain(self.text(e)) for e in above.named_children]
        constructor = self.child_of(node, "primary_constructor")
        listed = None if constructor is None else self.child_of(constructor, "class_parameters")
        parameters = self._parameters(listed)
        fields: list[Statement] = [
            Assign(e.node, Name(e.node, e.name), Several(e.node, []), type=e.type, declares=True)
            for e in parameters
        ]
        name = self.name_of(node)
        inner = self._members(node)
        members = [*fields, *inner]
        for each in members:
            if isinstance(each, Define) and each.node.type == "secondary_constructor":
                each.function.name = name
        names = [each.name for each in parameters]
        members += self.constructor(node, name, parameters, inner)
        made = Class(node, name, bases, members, self._annotations(node), names)
        if self.child_of(node, "enum_class_body") is not None:
            # Whatever text it is given, what it returns is one of the constants.
            known = Function(node, "valueOf", [Parameter(node, "name")], [], method=True)
            known.body.append(Return(node, Several(node, [])))
            made.body.append(Define(node, known))
            made.bases.append(ENUM)
        return [made]

    def _import(self, node: Node) -> list[Statement]:
        path, _, alias = self.text(node).removeprefix("import").strip().partition(" as ")
        name = alias.strip() or path.rpartition(".")[2]
        return [] if name == "*" else [Import(node, [(name, path.strip())])]

    def _for(self, node: Node) -> list[Statement]:
        target, iterable, *body = self.meaning(node)
        names = [target, *target.named_children]
        declared = next((e for e in names if e.type == "variable_declaration"), target)
        statements = [s for each in body for s in self.block(each)]
        name = Name(declared, self._name(declared))
        if target.type == "multi_variable_declaration":
            parts = [(e, self._name(e)) for e in target.named_children]
            statements = [*self.spread(target, parts, Name(target, "@each")), *statements]
            name = Name(target, "@each")
        return [Loop(node, statements, name, self.expr(iterable), type=self._type(declared))]

    def _while(self, node: Node) -> list[Statement]:
        condition = node.child_by_field_name("condition")
        body = [each for each in self.meaning(node) if each != condition]
        statements = [s for each in body for s in self.block(each)]
        return [Loop(node, statements, test=self.field(node, "condition"))]

    def _return(self, node: Node) -> list[Statement]:
        inner = [each for each in self.meaning(node) if each.type != "label"]
        if not inner:
            return [Return(node, None)]
        return self.valued(inner[-1], lambda at, value: [Return(at, value)])

    # ---------------------------------------------------------------------------------- branches

    def _arm(self, node: Node | None, put: Put) -> list[Statement]:
        """Lower an arm: a block, whose last expression is its value, or one expression."""
        if node is not None and node.type == "block":
            return self.ending(node.named_children, put)
        return self.valued(node, put)

    def _if(self, node: Node, put: Put) -> list[Statement]:
        condition = node.child_by_field_name("condition")
        arms: list[Node | None] = [None, None]
        at = 0
        for child in node.children:
            if child.type == "else":
                at = 1
            elif child.is_named and child != condition and child.type not in self.ignored:
                arms[at] = child
        yes, no = (self._arm(each, put) for each in arms)
        return [If(node, self.field(node, "condition"), yes, no)]

    def _when(self, node: Node, put: Put) -> list[Statement]:
        subject: Expr | None = None
        before: list[Statement] = []
        given = self.child_of(node, "when_subject")
        if given is not None:
            parts = self.meaning(given)
            subject = self.expr(parts[-1])
            if len(parts) > 1 and parts[0].type == "variable_declaration":
                name = Name(parts[0], self._name(parts[0]))
                before = [Assign(given, name, subject, declares=True)]
                subject = name
        arms: list[tuple[list[Expr], Case]] = []
        for entry in node.named_children:
            if entry.type != "when_entry":
                continue
            tests = entry.children_by_field_name("condition")
            body = [each for each in self.meaning(entry) if each not in tests]
            case = Case([], self._arm(body[-1] if body else None, put), not tests)
            arms.append(([self._tested(each, subject) for each in tests], case))
        return [*before, *self.chosen(node, subject, arms)]

    def _tested(self, node: Node, subject: Expr | None) -> Expr:
        if node.type == "range_test" and subject is not None:
            member = self.member(node, self.first(node), "contains")
            return Call(node, member, [Argument(subject)])
        return self.expr(node)

    def _try(self, node: Node, put: Put) -> list[Statement]:
        body: list[Statement] = []
        handlers: list[Handler] = []
        final: list[Statement] = []
        for child in self.meaning(node):
            block = self.child_of(child, "block")
            if child.type == "catch_block":
                types = [self._type(child)]
                handlers.append(Handler(child, types, self._name(child), self._arm(block, put)))
            elif child.type == "finally_block":
                final = self.block(block)
            else:
                body = self._arm(child, put)
        return [Try(node, body, handlers, final)]


_NO_VALUE: Final = frozenset(
    {"property_delegate", "getter", "setter", "modifiers", "type_constraints", *_TYPES}
)
