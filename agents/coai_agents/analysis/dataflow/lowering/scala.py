"""Scala, versions 2 and 3.

One file, because nearly every statement of Scala is an expression too, and is lowered as both.
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
    Const,
    Define,
    Evaluate,
    Function,
    Handler,
    If,
    Import,
    Loop,
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

_TEXT: Final = frozenset({"s", "f", "raw"})
"""Interpolators that only put text together; others are functions of their parts."""

_GETTER: Final = re.compile(r"get[A-Z]")
"""How methods of Java begin that take nothing, and are called without brackets."""

_BARE: Final = frozenset(
    {"toInt", "toLong", "toDouble", "toFloat", "toShort", "toByte", "toBoolean", "toIntOption"}
    | {"toLongOption", "toDoubleOption", "toBooleanOption", "!", "!!", "lineStream", "lazyLines"}
    | {"run", "disable", "nextInt", "nextLong", "nextDouble", "nextFloat", "nextBoolean", "r"}
    | {"hashCode", "trim", "mkString", "isEmpty", "nonEmpty", "length", "size", "close"}
    | {"permitAll", "parser", "none", "getWriter", "alphanumeric", "newInstance", "readObject"}
)
"""Methods that are called by their name alone, of which rules know."""

_OPERATORS: Final = re.compile(r"[-+*/%&|^<>=!]+$")
_UPDATES: Final = frozenset({"+=", "-=", "++="})
_BOXES: Final = frozenset({"Some", "Option", "Right", "Success", "Future", "Try"})
"""What holds one value, which is all that matters."""

_ROUTE: Final = "@route"
"""What the parts of an address are taken from that a pattern names."""

_BLOCKS: Final = frozenset({"block", "indented_block", "template_body", "with_template_body"})


def lower(tree: SyntaxTree, deadline: float, part: Part | None = None) -> Module:
    """Lower a Scala file."""
    return _Scala(tree, deadline).module(part)


class _Scala(Valued):
    def __init__(self, tree: SyntaxTree, deadline: float) -> None:
        super().__init__(tree, deadline)
        self.expressions = {
            "identifier": self._identifier,
            "type_identifier": self.identifier,
            "wildcard": self.identifier,
            "stable_identifier": self._stable,
            "string": self._string,
            "interpolated_string_expression": self._interpolated,
            "character_literal": self.string,
            "integer_literal": self.number,
            "floating_point_literal": self.number,
            "boolean_literal": lambda node: Const(node, self.text(node) == "true"),
            "null_literal": self.const(value=None),
            "unit": self.const(value=None),
            "call_expression": self._call,
            "generic_function": lambda node: self.field(node, "function"),
            "field_expression": self._field,
            "instance_expression": self._instance,
            "infix_expression": self._infix,
            "prefix_expression": self._prefix,
            "postfix_expression": self._postfix,
            "ascription_expression": self.first,
            "parenthesized_expression": self.first,
            "tuple_expression": self._tuple,
            "lambda_expression": self._lambda,
            "case_block": self._cases_of_function,
            "assignment_expression": lambda node: Several(node, self.parts(node)),
            "return_expression": lambda node: Several(node, []),
            "throw_expression": lambda node: Several(node, []),
            "type_arguments": lambda node: Several(node, []),
        }
        self.statements = {
            "val_definition": self._value,
            "var_definition": self._value,
            "given_definition": self._value,
            "assignment_expression": self._assignment,
            "infix_expression": self._updated,
            "function_definition": lambda node: [Define(node, self._function(node))],
            "function_declaration": lambda _: [],
            "class_definition": self._class,
            "object_definition": self._class,
            "package_object": self._class,
            "trait_definition": self._class,
            "enum_definition": self._class,
            "import_declaration": self._import,
            "package_clause": lambda node: self.block(node.child_by_field_name("body")),
            "while_expression": self.repeated,
            "do_while_expression": self.repeated,
            "return_expression": self._return,
            "throw_expression": lambda node: self.left_by(node, "throw"),
        }
        self.branching = {
            "if_expression": self._if,
            "match_expression": self._match,
            "try_expression": self._try,
            "for_expression": self._for,
            "block": self._block,
            "indented_block": self._block,
        }
        self.branches()

    # ------------------------------------------------------------------------------- expressions

    def _identifier(self, node: Node) -> Expr:
        return Name(node, self.text(node).strip("`"))

    def _stable(self, node: Node) -> Expr:
        first, *rest = self.text(node).split(".")
        value: Expr = Name(node, first)
        for each in rest:
            value = self.member(node, value, each)
        return value

    def _string(self, node: Node) -> Expr:
        text = self.text(node)
        long = text.startswith('"""')
        return Const(node, text[3:-3] if long else unescape(text[1:-1]))

    def _interpolated(self, node: Node) -> Expr:
        name = self.name_of(node, "interpolator")
        inner = self.child_of(node, "interpolated_string")
        if inner is None:
            return Several(node, self.parts(node))
        long = self.text(inner).startswith('"""')
        at = inner.start_byte + (3 if long else 1)
        parts: list[Expr] = []
        apart: list[Argument] = []
        for child in inner.named_children:
            if child.type != "interpolation":
                continue
            text = self._bytes[at : child.start_byte].decode("utf-8", "replace")
            value = self.first(child)
            # `#$x` puts a value into the text where `$x` would make a parameter of it.
            if name in _TEXT or text.endswith("#"):
                parts += [Const(node, text if long else unescape(text)), value]
            else:
                parts.append(Const(node, text))
                apart.append(Argument(value))
            at = child.end_byte
        last = self._bytes[at : inner.end_byte - (3 if long else 1)].decode("utf-8", "replace")
        parts.append(Const(node, last if long else unescape(last)))
        whole = joined(node, parts)
        if name in _TEXT:
            return whole
        return Call(node, Name(node, f"{name}!"), [Argument(whole), *apart])

    def _field(self, node: Node) -> Expr:
        name = self.name_of(node, "field").strip("`")
        value = self.member(node, self.field(node, "value"), name)
        return Call(node, value, []) if name in _BARE or _GETTER.match(name) else value

    def _arguments(self, node: Node | None) -> list[Argument]:
        if node is None:
            return []
        if node.type in ("block", "case_block", "indented_block", "colon_argument"):
            return [Argument(self._passed(node))]
        found: list[Argument] = []
        for each in self.meaning(node):
            if each.type == "assignment_expression":
                name = self.name_of(each, "left")
                found.append(Argument(self.field(each, "right"), name))
            elif each.type == "vararg":
                found.append(Argument(self.first(each), spread=True))
            else:
                found.append(Argument(self.expr(each)))
        return found

    def _passed(self, node: Node) -> Expr:
        """Lower a block that is passed: the function in it, or what it gives."""
        inner = [node] if node.type == "case_block" else self.meaning(node)
        return self.expr(inner[0] if len(inner) == 1 else node)

    def _call(self, node: Node) -> Expr:
        function = node.child_by_field_name("function") or node
        given = self._arguments(node.child_by_field_name("arguments"))
        callee = self._callee(function)
        if isinstance(callee, Call) and (
            callee.arguments or function.type == "call_expression" or callee.creates
        ):
            # `f(a)(b)`: what follows is more of the same; a block is given what `f` takes out.
            self._annotate(callee, given)
            return Call(node, callee.callee, [*callee.arguments, *given], callee.creates)
        if isinstance(callee, Call):
            callee = callee.callee
        self._annotate(Call(node, callee, []), given)
        written = callee.name if isinstance(callee, Name) else ""
        if (literal := self.made(node, written, given)) is not None:
            return literal
        if written in _BOXES and len(given) == 1 and not given[0].name:
            return given[0].value
        if re.search(r"\bArray\s*\.\s*(?:fill|ofDim)\s*\[\s*Byte\b", self.text(function)):
            return Call(node, Name(node, "byte[]"), given, creates=True)
        creates = written.rpartition(".")[2][:1].isupper()
        return Call(node, callee, given, creates=creates)

    def _callee(self, node: Node) -> Expr:
        if node.type == "generic_function":
            return self._callee(node.child_by_field_name("function") or node)
        if node.type == "field_expression":
            return self.member(node, self.field(node, "value"), self.name_of(node, "field"))
        return self.expr(node)

    def _annotate(self, call: Call, given: list[Argument]) -> None:
        """Let parameters of a block know what calls the block, as `parameters("q") { q => }`."""
        callee = call.callee
        name = callee.name if isinstance(callee, Name) else getattr(callee, "name", "")
        for each in given:
            if isinstance(each.value, Function):
                for parameter in each.value.parameters:
                    parameter.annotations.append(Name(call.node, f"@{name}"))

    def _instance(self, node: Node) -> Expr:
        kind = next((e for e in self.meaning(node) if "type" in e.type), None)
        written = "" if kind is None else self.text(kind)
        name = re.split(r"[\[({]", written, maxsplit=1)[0].strip()
        arguments = node.child_by_field_name("arguments") or self.child_of(node, "arguments")
        if name == "Array":
            name = "byte[]" if "Byte" in written else "Array"
        call = Call(node, Name(node, name), self._arguments(arguments), creates=True)
        bodies = [each for each in node.named_children if each.type == "template_body"]
        if bodies:
            methods = [
                each.function
                for each in self.body(bodies[0].named_children)
                if isinstance(each, Define)
            ]
            return Several(node, [*methods, call], "last")
        return call

    def _infix(self, node: Node) -> Expr:
        chain = [node]
        while (left := chain[-1].child_by_field_name("left")) is not None:
            if left.type != "infix_expression":
                break
            chain.append(left)
        value = self.field(chain[-1], "left")
        for each in reversed(chain):
            value = self._operation(each, value)
        return value

    def _operation(self, node: Node, left: Expr) -> Expr:
        operator = self.name_of(node, "operator")
        right = self.field(node, "right")
        if operator == "->":
            return self.pair(node, left, right)
        if _OPERATORS.match(operator) and operator not in ("!", "!!", "#|"):
            return self.sum(node, left, operator, right)
        return Call(node, self.member(node, left, operator), [Argument(right)])

    def _prefix(self, node: Node) -> Expr:
        operator = self.text(node)[:1]
        return Operation(node, "!" if operator == "!" else f"u{operator}", [self.first(node)])

    def _postfix(self, node: Node) -> Expr:
        parts = self.meaning(node)
        if len(parts) != 2:  # noqa: PLR2004 - an object and a method
            return Several(node, self.parts(node))
        return Call(node, self.member(node, self.expr(parts[0]), self.text(parts[1])), [])

    def _tuple(self, node: Node) -> Expr:
        parts = self.parts(node)
        return self.pair(node, *parts) if len(parts) == 2 else Several(node, parts)  # noqa: PLR2004

    def _lambda(self, node: Node) -> Expr:
        named = node.children_by_field_name("parameters")
        parameters: list[Parameter] = []
        for each in named:
            if each.type in ("bindings", "identifier", "wildcard", "parameters"):
                parameters += self._bound(each)
        body = [e for e in self.meaning(node) if e not in named]
        return Function(node, "", parameters, self.ending(body, self.give))

    def _bound(self, node: Node) -> list[Parameter]:
        if node.type in ("identifier", "wildcard"):
            after = node.next_named_sibling
            declared = "" if after is None or "type" not in after.type else self.text(after)
            return [self._parameter(node, self.text(node), declared)]
        return [
            self._parameter(each, self.name_of(each), self.name_of(each, "type"))
            for each in node.named_children
            if each.type in ("binding", "parameter")
        ]

    def _parameter(self, node: Node, name: str, written: str) -> Parameter:
        plain = re.split(r"[\[({ ]", written, maxsplit=1)[0].strip()
        inner = tuple(each for each in re.split(r"[\[\], ]+", written.partition("[")[2]) if each)
        if plain == "Option" and len(inner) == 1:
            plain, inner = inner[0], ()
        annotations = self._annotations(node)
        return Parameter(node, name, plain, annotations=annotations, arguments=inner)

    def _cases_of_function(self, node: Node) -> Expr:
        """Lower `{ case a => b }`, a function that chooses by what it is passed."""
        parameter = Parameter(node, "@case")
        body = self._choice(node, Name(node, "@case"), node, self.give)
        return Function(node, "", [parameter], body)

    # -------------------------------------------------------------------------------- statements

    def _value(self, node: Node) -> list[Statement]:
        pattern = node.child_by_field_name("pattern")
        value = node.child_by_field_name("value")
        if pattern is None or value is None:
            return []
        if pattern.type == "identifier":
            declared = self._parameter(node, "", self.name_of(node, "type")).type
            return self.valued(value, self.assigning(Name(pattern, self.text(pattern)), declared))
        if pattern.type == "tuple_pattern":
            names = [(e, self.text(e).partition(":")[0].strip()) for e in pattern.named_children]
            return self.spread(node, names, self.expr(value))
        return self._named(pattern, self.expr(value))

    def _named(self, pattern: Node, value: Expr) -> list[Statement]:
        """Assign a value to the names of a pattern, each of which may be a part of it."""
        names = [*self._names(pattern)]
        return [Assign(each, Name(each, self.text(each)), value, declares=True) for each in names]

    def _names(self, pattern: Node) -> list[Node]:
        if pattern.type == "identifier":
            return [pattern] if self.text(pattern)[:1].islower() else []
        kinds = ("type", "function")
        skipped = [e for kind in kinds for e in pattern.children_by_field_name(kind)]
        return [
            n for each in pattern.named_children if each not in skipped for n in self._names(each)
        ]

    def _assignment(self, node: Node) -> list[Statement]:
        left = self.field(node, "left")

        def put(at: Node, value: Expr) -> list[Statement]:
            return [Assign(at if at.type in self.branching else node, left, value)]

        return self.valued(node.child_by_field_name("right"), put)

    def has_no_value(self, node: Node) -> bool:
        """Say whether a node can only be a statement."""
        updates = node.type == "infix_expression" and self.name_of(node, "operator") in _UPDATES
        return updates or node.type == "assignment_expression" or super().has_no_value(node)

    def _updated(self, node: Node) -> list[Statement]:
        operator = self.name_of(node, "operator")
        if operator in _UPDATES:
            added = "+" if "+" in operator else "-"
            return [Assign(node, self.field(node, "left"), self.field(node, "right"), added)]
        return [Evaluate(node, self._infix(node))]

    def _function(self, node: Node) -> Function:
        parameters = [
            parameter
            for listed in node.children_by_field_name("parameters")
            for parameter in self._bound(listed)
        ]
        body = node.child_by_field_name("body")
        decorators = self._annotations(node)
        made = "" if body is None else self.text(body)[:80]
        if action := re.match(r"(?:\w+\.)?(\w*Action)\b", made):
            # A router of Play calls it with what the address says.
            decorators.append(Name(node, "@Action" if action[1].endswith("Action") else ""))
        statements = self.ending(self._within(body), self.give)
        in_class = node.parent is not None and node.parent.type == "template_body"
        return Function(
            node, self.name_of(node), parameters, statements, decorators, method=in_class
        )

    def _within(self, node: Node | None) -> list[Node]:
        if node is None:
            return []
        return self.meaning(node) if node.type in _BLOCKS else [node]

    def _annotations(self, node: Node) -> list[Expr]:
        return [
            Name(each, f"@{self.name_of(each)}")
            for each in node.named_children
            if each.type == "annotation"
        ]

    def _class(self, node: Node) -> list[Statement]:
        body = node.child_by_field_name("body")
        above = node.child_by_field_name("extend")
        types = [] if above is None else [e for e in above.named_children if "type" in e.type]
        parameters = [
            self._parameter(each, self.name_of(each), self.name_of(each, "type"))
            for listed in node.children_by_field_name("class_parameters")
            for each in listed.named_children
            if each.type == "class_parameter"
        ]
        fields: list[Statement] = [
            Assign(e.node, Name(e.node, e.name), Several(e.node, []), type=e.type, declares=True)
            for e in parameters
        ]
        inner = [] if body is None else self.body(body.named_children)
        made = self.constructor(node, self.name_of(node), parameters, inner)
        members = [*fields, *inner, *made]
        names = [each.name for each in parameters]
        bases = [re.split(r"[\[(]", self.text(each), maxsplit=1)[0] for each in types]
        if node.type == "enum_definition":
            bases.append(ENUM)
        return [Class(node, self.name_of(node), bases, members, self._annotations(node), names)]

    def _import(self, node: Node) -> list[Statement]:
        text = re.sub(r"\s+", " ", self.text(node).removeprefix("import").strip())
        head, brace, rest = text.partition("{")
        if not brace:
            path, name = head, head.rpartition(".")[2]
            return [] if name in ("_", "*") else [Import(node, [(name, path)])]
        names: list[tuple[str, str]] = []
        for each in rest.rstrip("} ").split(","):
            name, _, alias = re.sub(r"\s+as\s+", "=>", each).partition("=>")
            names.append((alias.strip() or name.strip(), f"{head.strip()}{name.strip()}"))
        return [Import(node, [each for each in names if each[0] not in ("_", "*", "given")])]

    def _return(self, node: Node) -> list[Statement]:
        inner = self.meaning(node)
        return self.valued(inner[0], self.give) if inner else [Return(node, None)]

    # ---------------------------------------------------------------------------------- branches

    def _block(self, node: Node, put: Put) -> list[Statement]:
        return self.ending(self.meaning(node), put)

    def _if(self, node: Node, put: Put) -> list[Statement]:
        yes = self.valued(node.child_by_field_name("consequence"), put)
        no = self.valued(node.child_by_field_name("alternative"), put)
        return [If(node, self.field(node, "condition"), yes, no)]

    def _match(self, node: Node, put: Put) -> list[Statement]:
        body = node.child_by_field_name("body")
        if body is None:
            return []
        subject = self.field(node, "value")
        if isinstance(subject, Name):
            return self._choice(node, subject, body, put)
        name = Name(node, "@subject")
        kept: list[Statement] = [Assign(node, name, subject, declares=True)]
        return [*kept, *self._choice(node, name, body, put)]

    def _choice(self, node: Node, subject: Name, body: Node, put: Put) -> list[Statement]:
        arms: list[tuple[list[Expr], Case]] = []
        for clause in body.named_children:
            if clause.type != "case_clause":
                continue
            pattern = clause.child_by_field_name("pattern")
            bound = [] if pattern is None else self._taken(pattern, subject)
            values = [e for e in clause.children_by_field_name("body") if e.is_named]
            inner = [n for each in values for n in self._within(each)]
            guard = self.child_of(clause, "guard")
            statements = self.ending(inner, put)
            tests = [] if pattern is None else self._tests(pattern)
            if guard is not None:
                statements = self._where(guard, statements)
                tests = tests or [Several(clause, [])]
            arms.append((tests, Case([], [*bound, *statements], not tests)))
        return self.chosen(node, subject, arms)

    def _taken(self, pattern: Node, subject: Name) -> list[Statement]:
        route = re.search(r"->\s*(?:Root|\"\")|\bRoot\s*/|\"\"\s*/", self.text(pattern))
        value: Expr = Call(pattern, Name(pattern, _ROUTE), []) if route else subject
        return self._named(pattern, value)

    def _tests(self, pattern: Node) -> list[Expr]:
        """Return what a pattern asks for: constants, or what is not known; none if all fit."""
        if pattern.type in ("wildcard", "identifier"):
            known = self.text(pattern)[:1].isupper()
            return [Name(pattern, self.text(pattern))] if known else []
        if pattern.type == "alternative_pattern":
            return [test for each in pattern.named_children for test in self._tests(each)]
        value = self.expr(pattern) if "pattern" not in pattern.type else Several(pattern, [])
        return [value if isinstance(value, Const) else Several(pattern, [])]

    def _try(self, node: Node, put: Put) -> list[Statement]:
        body = self.valued(node.child_by_field_name("body"), put)
        handlers: list[Handler] = []
        final: list[Statement] = []
        for child in node.named_children:
            if child.type == "finally_clause":
                final = self.body(child.named_children)
            for cases in child.named_children if child.type == "catch_clause" else ():
                for clause in cases.named_children:
                    pattern = clause.child_by_field_name("pattern") or clause
                    values = [e for e in clause.children_by_field_name("body") if e.is_named]
                    inner = [n for each in values for n in self._within(each)]
                    types = [self.name_of(pattern, "type")]
                    name = self.name_of(pattern, "pattern")
                    handlers.append(Handler(clause, types, name, self.ending(inner, put)))
        return [Try(node, body, handlers, final)]

    def _for(self, node: Node, put: Put) -> list[Statement]:
        listed = self.child_of(node, "enumerators")
        statements = self.valued(node.child_by_field_name("body"), put)
        for each in reversed([] if listed is None else self.meaning(listed)):
            guard = each if each.type == "guard" else self.child_of(each, "guard")
            if guard is not None:
                statements = self._where(guard, statements)
            parts = [part for part in self.meaning(each) if part.type != "guard"]
            if each.type != "guard" and len(parts) > 1:
                statements = self._enumerated(each, parts, statements)
        return statements

    def _where(self, guard: Node, inner: list[Statement]) -> list[Statement]:
        return [If(guard, self.field(guard, "condition"), inner, [])]

    def _enumerated(self, node: Node, parts: list[Node], inner: list[Statement]) -> list[Statement]:
        pattern, value = parts[0], self.expr(parts[-1])
        name = Name(pattern, self.text(pattern) if pattern.type == "identifier" else "@each")
        taken = [] if pattern.type == "identifier" else self._named(pattern, name)
        # A value that may be missing is taken out as one of a list is.
        return [Assign(node, name, value, declares=True), *taken, Loop(node, inner)]
