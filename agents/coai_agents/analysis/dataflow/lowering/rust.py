"""Rust; macros and patterns are in `rust_macros`.

One file, because nearly every statement of Rust is an expression too, and is lowered as both.
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
    Function,
    If,
    Import,
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
)
from coai_agents.analysis.dataflow.lowering.base import items, number
from coai_agents.analysis.dataflow.lowering.rust_macros import Macros

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.dataflow.ir import Expr, Module, Part, Statement
    from coai_agents.analysis.dataflow.lowering.valued import Put
    from coai_agents.syntax.tree import SyntaxTree

_SAME: Final = frozenset(
    {"to_string", "to_owned", "into", "clone", "cloned", "copied", "as_str", "as_ref", "as_mut"}
    | {"as_deref", "as_bytes", "as_slice", "as_path", "to_path_buf", "to_vec", "to_str", "borrow"}
    | {"to_string_lossy", "into_owned", "into_string", "into_inner", "into_boxed_str", "as_os_str"}
    | {"unwrap", "expect", "unwrap_or_default", "unwrap_or_else", "ok", "ok_or", "ok_or_else"}
    | {"map_err", "or_else", "iter", "into_iter", "iter_mut", "collect", "context", "with_context"}
    | {"by_ref", "display", "peekable", "fuse"}
)
"""Methods that return their object, or what it holds, in another type."""

_WRAPPING: Final = re.compile(
    r"(?:Some|Ok|Err|(?:[\w:]+::)?(?:Box|Arc|Rc|Mutex|RwLock)::new|(?:[\w:]+::)?(?:String|Cow)::from"
    r"|Cow::(?:Borrowed|Owned)|(?:[\w:]+::)?(?:String::)?from_utf8_lossy)$"
)
"""Functions that return what they are given, in another type."""

_FILLING: Final = frozenset({"read_line", "read_to_string", "read_to_end", "read", "read_exact"})
"""Methods that put what comes from elsewhere into their last argument."""

MOST_TESTS: Final = 8
"""Arms of a `match` that are read as one test after the other, each of which shows something."""

_TEXTUAL: Final = re.compile(r"(?:String|str|PathBuf|Path|Ur[il]|OsString|Cow|_)\b")
_STRUCT: Final = re.compile(r"\bstruct\s+\w+[^{};()]{0,200}\{([^{}]{0,20000})\}")
_FIELD: Final = re.compile(
    r"(?:^|[,\]])\s*(?:pub(?:\([^)]{0,20}\))?\s+)?(\w+)\s*:(?!:)\s*([^,\n]{1,120})", re.MULTILINE
)
_NUMERIC: Final = re.compile(
    r"(?:Option\s*<\s*)?(?:[iu](?:8|16|32|64|128|size)|f32|f64|bool|char|Uuid|Duration)\s*>?"
)
_SUFFIX: Final = re.compile(r"(?<=[0-9a-fA-F._])(?:[iu](?:8|16|32|64|128|size)|f(?:32|64))$")
_TESTS: Final = re.compile(r"#!?\[\s*(?:cfg\s*\(\s*(?:test\b|all\s*\(\s*test\b)|(?:\w+::)*test\b)")
_ENDING: Final = re.compile(r"(?:\w+::)*(?:process::)?(?:exit|abort)\b")
_COMMAND: Final = re.compile(r"(?:\w+::)*Command::new$")


def lower(tree: SyntaxTree, deadline: float, part: Part | None = None) -> Module:
    """Lower a Rust file."""
    return _Rust(tree, deadline).module(part)


def _numeric_fields(text: str) -> frozenset[str]:
    """Return the names of fields that hold numbers in all of a file's types that have them."""
    numeric, other = set[str](), set[str]()
    for declared in _STRUCT.finditer(text):
        for field in _FIELD.finditer(declared[1]):
            (numeric if _NUMERIC.fullmatch(field[2].strip()) else other).add(field[1])
    return frozenset(numeric - other)


class _Rust(Macros):
    def __init__(self, tree: SyntaxTree, deadline: float) -> None:
        super().__init__(tree, deadline)
        self._numbers = _numeric_fields(tree.source.text)
        self._type = ""
        """The type of whose `impl` something is."""
        self._commands: dict[str, list[Argument]] = {}
        """What is known of the variables of a function that hold a command: all it is given."""
        self._buffers: set[str] = set()
        """Variables that hold a buffer, which whoever is lent it may fill."""
        self.ignored |= {"attribute_item", "inner_attribute_item", "lifetime", "label"}
        self.expressions = {
            "identifier": self.identifier,
            "self": lambda node: Name(node, "self"),
            "metavariable": self.identifier,
            "string_literal": self._string,
            "raw_string_literal": self._string,
            "char_literal": self.string,
            "integer_literal": self._number,
            "float_literal": self._number,
            "boolean_literal": lambda node: Const(node, self.text(node) == "true"),
            "scoped_identifier": self._path,
            "field_expression": self._member,
            "index_expression": self._index,
            "call_expression": self._call,
            "macro_invocation": self.macro,
            "binary_expression": self.binary,
            "unary_expression": self._unary,
            "reference_expression": lambda node: self.field(node, "value"),
            "type_cast_expression": self._cast,
            "range_expression": lambda node: Several(node, self.parts(node)),
            "try_expression": self.first,
            "await_expression": self.first,
            "parenthesized_expression": self.first,
            "generic_function": lambda node: self.field(node, "function"),
            "closure_expression": self._closure,
            "array_expression": self.array,
            "tuple_expression": lambda node: Container(node, items(self.parts(node))),
            "struct_expression": self._struct,
            "assignment_expression": self.binding,
            "compound_assignment_expr": self.updating,
            "return_expression": lambda node: Several(node, []),
            "break_expression": lambda node: Several(node, []),
            "continue_expression": lambda node: Several(node, []),
        }
        self.statements = {
            "expression_statement": self.evaluated,
            "let_declaration": self._let,
            "const_item": self._constant,
            "static_item": self._constant,
            "assignment_expression": self._assigned,
            "compound_assignment_expr": self.assignment,
            "function_item": self._defined,
            "impl_item": self._impl,
            "trait_item": self._impl,
            "mod_item": self._module,
            "use_declaration": self._use,
            "struct_item": lambda _: [],
            "enum_item": lambda _: [],
            "macro_definition": lambda _: [],
            "call_expression": self._called,
            "macro_invocation": self.macro_statement,
            "for_expression": self._for,
            "while_expression": self._while,
            "return_expression": self._return,
            "break_expression": lambda node: [Leave(node, "break")],
            "continue_expression": lambda node: [Leave(node, "continue")],
        }
        self.branching = {
            "if_expression": self._if,
            "match_expression": self._match,
            "block": self.arm,
            "unsafe_block": self.arm,
            "async_block": self.arm,
            "const_block": self.arm,
            "loop_expression": self._loop,
        }
        self.branches()

    # ------------------------------------------------------------------------------- expressions

    def _string(self, node: Node) -> Expr:
        return Const(node, self.content(node))

    def _number(self, node: Node) -> Expr:
        return Const(node, number(_SUFFIX.sub("", self.text(node))))

    def _path(self, node: Node) -> Expr:
        """Lower `a::b::c`, without type arguments; `Self` is the type it stands for."""
        names = [each for each in re.sub(r"<[^<>]*>", "", self.text(node)).split("::") if each]
        value: Expr | None = None
        for written in names:
            name = self._type or written if written == "Self" else written
            value = Name(node, name) if value is None else self.member(node, value, name)
        return Several(node, []) if value is None else value

    def _member(self, node: Node) -> Expr:
        name, of = self.name_of(node, "field"), self.field(node, "value")
        if name.isdigit():
            return Index(node, of, Const(node, int(name)))
        return Several(node, []) if name in self._numbers else self.member(node, of, name)

    def _index(self, node: Node) -> Expr:
        of, *keys = self.meaning(node)
        whole = not keys or keys[0].type == "range_expression"
        return Index(node, self.expr(of), None if whole else self.expr(keys[0]))

    def _unary(self, node: Node) -> Expr:
        return self.first(node) if self.text(node).startswith("*") else self.prefixed(node)

    def _cast(self, node: Node) -> Expr:
        value, kind = self.field(node, "value"), node.child_by_field_name("type")
        number = kind is not None and kind.type == "primitive_type"
        return value if isinstance(value, Const) or not number else Several(node, [])

    def _struct(self, node: Node) -> Expr:
        found: list[Item] = []
        for each in self.inner(node, "body"):
            parts = self.meaning(each)
            if each.type == "base_field_initializer" or not parts:
                continue
            name = self.name_of(each, "field") or self.text(parts[0])
            found.append(Item(self.expr(parts[-1]), Const(each, name)))
        return Container(node, found, keyed=True)

    def _closure(self, node: Node) -> Expr:
        body = node.child_by_field_name("body")
        parameters, before = self._parameters(node.child_by_field_name("parameters"))
        return Function(node, "", parameters, [*before, *self.valued(body, self.give)])

    def _call(self, node: Node) -> Expr:
        function = node.child_by_field_name("function")
        listed = node.child_by_field_name("arguments")
        if function is None or listed is None:
            return Several(node, self.parts(node))
        given = [Argument(self._given(each)) for each in self.meaning(listed)]
        typed = ""
        if function.type == "generic_function":
            typed = self.name_of(function, "type_arguments").strip("<>: ")
            function = function.child_by_field_name("function") or function
        if function.type == "field_expression":
            return self._method(node, function, given, typed)
        written = re.sub(r"::<[^()]*>", "", self.text(function))
        if given and _WRAPPING.match(written):
            return given[0].value
        if written.endswith("Map::from") and isinstance(given[0].value, Container):
            pairs = [Argument(each.value) for each in given[0].value.items]
            if (table := self.made(node, "mapOf", pairs)) is not None:
                return table
        return Call(node, self.expr(function), given)

    def _given(self, node: Node) -> Expr:
        """Lower an argument; a buffer that is lent to be changed holds anything afterwards."""
        value = self.expr(node)
        lent = node.type == "reference_expression" and self.child_of(node, "mutable_specifier")
        if lent and isinstance(value, Name) and value.name in self._buffers:
            return Binding(node, value, Several(node, [value, value]))
        return value

    def _method(self, node: Node, function: Node, given: list[Argument], typed: str) -> Expr:
        of, name = self.field(function, "value"), self.name_of(function, "field")
        if name in _SAME:
            return of
        if name == "unwrap_or" and given:
            return Conditional(node, Several(node, []), of, given[0].value)
        if name == "push_str" and given and isinstance(of, Name | Member):
            return Binding(node, of, Operation(node, "+", [of, given[0].value]))
        if name in ("arg", "args") and given and (known := self._command(of)) is not None:
            return self._extended(node, of, known, given[0], several=name == "args")
        if name == "parse" and typed and not _TEXTUAL.search(typed):
            name = "parse_number"
        if name in _FILLING and given and isinstance(given[-1].value, Binding):
            filled = given[-1].value
            return Binding(node, filled.target, Call(node, self.member(node, of, name), []))
        return Call(node, self.member(function, of, name), given)

    # ---------------------------------------------------------------------------------- commands

    def _command(self, of: Expr) -> list[Argument] | None:
        """Return what a command has been given so far; None for what is no command."""
        if isinstance(of, Name):
            return self._commands.get(of.name)
        if isinstance(of, Call) and isinstance(of.callee, Member):
            if of.callee.name == "new" and of.callee.written.endswith("Command.new"):
                return of.arguments
            return self._command(of.callee.object)
        return None

    def _extended(
        self, node: Node, of: Expr, known: list[Argument], given: Argument, *, several: bool
    ) -> Expr:
        """Lower `command.arg(x)` to a command that is made with all that it is given."""
        value = given.value
        if not several:
            added = [given]
        elif isinstance(value, Container):
            added = [Argument(each.value) for each in value.items]
        else:
            added = [Argument(value, spread=True)]
        every = [*known, *added]
        if isinstance(of, Name):
            self._commands[of.name] = every
        command = self.member(node, Name(node, "Command"), "new")
        return Call(node, command, every)

    # --------------------------------------------------------------------------------- statements

    def _called(self, node: Node) -> list[Statement]:
        if _ENDING.match(self.name_of(node, "function")):
            return [Leave(node, "throw", self.expr(node))]
        return self.evaluate(node, self._call(node))

    def _assigned(self, node: Node) -> list[Statement]:
        target = self.field(node, "left")
        return self.valued(
            node.child_by_field_name("right"), lambda at, value: [Assign(at, target, value)]
        )

    def _let(self, node: Node) -> list[Statement]:
        pattern, value = (node.child_by_field_name(each) for each in ("pattern", "value"))
        if pattern is None or value is None:
            return []
        declared = self.type_of(node).lstrip("&").strip()
        otherwise = self.block(node.child_by_field_name("alternative"))
        leaving: list[Statement] = [If(node, Several(node, []), otherwise, [])] if otherwise else []
        if pattern.type == "identifier":
            name = self.text(pattern)
            self._note(name, value)
            return [*self.valued(value, self.assigning(Name(pattern, name), declared)), *leaving]
        whole = Name(node, "@whole")
        return [*self.valued(value, self.assigning(whole)), *self.bound(pattern, whole), *leaving]

    def _note(self, name: str, value: Node) -> None:
        """Take note of a variable that holds a command, or a buffer."""
        self._commands.pop(name, None)
        self._buffers.discard(name)
        if value.type == "array_expression" or re.match(
            r"vec!|(?:String|Vec|BytesMut)(?:::<[^>]*>)?::(?:new|with_capacity)\(", self.text(value)
        ):
            self._buffers.add(name)
        elif value.type == "call_expression" and "Command::new" in self.text(value):
            known = self._command(self.expr(value))
            if known is not None:
                self._commands[name] = known

    def _constant(self, node: Node) -> list[Statement]:
        value = node.child_by_field_name("value")
        target = Name(node, self.name_of(node))
        return [] if value is None else [Assign(node, target, self.expr(value), declares=True)]

    def _defined(self, node: Node) -> list[Statement]:
        if self._is_test(node):
            return []
        commands, buffers = self._commands, self._buffers
        self._commands, self._buffers = {}, set()
        try:
            return [Define(node, self._function(node))]
        finally:
            self._commands, self._buffers = commands, buffers

    def _function(self, node: Node) -> Function:
        listed = node.child_by_field_name("parameters")
        parameters, before = self._parameters(listed)
        body = node.child_by_field_name("body")
        statements = [] if body is None else self.arm(body, self.give)
        modifiers = self.child_of(node, "function_modifiers")
        return Function(
            node,
            self.name_of(node),
            parameters,
            [*before, *statements],
            [Name(each, name) for each, name in self._attributes(node)],
            asynchronous=modifiers is not None and "async" in self.text(modifiers),
            method=listed is not None and self.child_of(listed, "self_parameter") is not None,
        )

    def _attributes(self, node: Node) -> list[tuple[Node, str]]:
        """Return the attributes before an item, as `@name`."""
        found: list[tuple[Node, str]] = []
        before = node.prev_named_sibling
        while before is not None and (before.type == "attribute_item" or "comment" in before.type):
            named = re.match(r"#\[\s*([\w:]+)", self.text(before))
            if named is not None:
                found.append((before, "@" + named[1].replace("::", ".")))
            before = before.prev_named_sibling
        return found

    def _is_test(self, node: Node) -> bool:
        before = node.prev_named_sibling
        while before is not None and (before.type == "attribute_item" or "comment" in before.type):
            if _TESTS.match(self.text(before)):
                return True
            before = before.prev_named_sibling
        return False

    def _parameters(self, node: Node | None) -> tuple[list[Parameter], list[Statement]]:
        """Return the parameters, and what takes those apart that are patterns."""
        found: list[Parameter] = []
        before: list[Statement] = []
        for each in [] if node is None else self.meaning(node):
            if each.type == "self_parameter":
                continue
            pattern = each.child_by_field_name("pattern") or each
            written = re.sub(r"'\w+|\b(?:mut|dyn|impl)\b|[&\s]", "", self.name_of(each, "type"))
            plain, _, inner = written.partition("<")
            arguments = tuple(a for a in re.split(r"[<>,()]", inner) if a)
            name = self._only(pattern)
            if not name:
                name = f"@{len(found)}"
                before += self.bound(pattern, Name(pattern, name))
            kind = plain.rpartition("::")[2]
            if kind == "Path" and arguments:
                # What frameworks take from an address, and not the file system's.
                kind = "Path<>"
            found.append(Parameter(each, name, kind, arguments=arguments))
        return found, before

    def _only(self, pattern: Node) -> str:
        """Return the name that a pattern binds if it is all it does; `Query(q)` has one too."""
        if pattern.type == "identifier":
            return self.text(pattern)
        inner = [e for e in self.meaning(pattern) if e != pattern.child_by_field_name("type")]
        wraps = pattern.type in ("tuple_struct_pattern", "mut_pattern", "ref_pattern")
        wraps = wraps or pattern.type == "reference_pattern"
        inner = [each for each in inner if each.type != "mutable_specifier"]
        return self._only(inner[0]) if wraps and len(inner) == 1 else ""

    def _impl(self, node: Node) -> list[Statement]:
        """Lower all methods of a type with the first `impl` of it."""
        kind = "type" if node.type == "impl_item" else "name"
        name = re.split(r"[<\s]", self.name_of(node, kind), maxsplit=1)[0]
        around = [] if node.parent is None else node.parent.named_children
        same = [e for e in around if e.type == node.type and self._names(e, kind) == name]
        if not same or same[0] != node or self._is_test(node):
            return []
        before, self._type = self._type, name
        try:
            body = [s for each in same for s in self.body(self.inner(each, "body"))]
        finally:
            self._type = before
        bases = [base for each in same if (base := self._names(each, "trait"))]
        return [Class(node, name, bases, body)]

    def _names(self, node: Node, field: str) -> str:
        return re.split(r"[<\s]", self.name_of(node, field), maxsplit=1)[0]

    def _module(self, node: Node) -> list[Statement]:
        return [] if self._is_test(node) else self.body(self.inner(node, "body"))

    def _use(self, node: Node) -> list[Statement]:
        names: list[tuple[str, str]] = []
        argument = node.child_by_field_name("argument")
        if argument is not None:
            self._used(argument, "", names)
        return [Import(node, names)] if names else []

    def _used(self, node: Node, prefix: str, names: list[tuple[str, str]]) -> None:
        if node.type == "scoped_use_list":
            path = self.name_of(node, "path").replace("::", ".")
            inside = f"{prefix}{path}." if path else prefix
            for each in self.inner(node, "list"):
                self._used(each, inside, names)
        elif node.type == "use_list":
            for each in node.named_children:
                self._used(each, prefix, names)
        elif node.type == "use_as_clause":
            path = self.name_of(node, "path").replace("::", ".")
            names.append((self.name_of(node, "alias"), prefix + path))
        elif node.type in ("identifier", "scoped_identifier"):
            path = self.text(node).replace("::", ".")
            names.append((path.rpartition(".")[2], prefix + path))
        elif node.type == "self":
            names.append((prefix.rstrip(".").rpartition(".")[2], prefix.rstrip(".")))

    def _for(self, node: Node) -> list[Statement]:
        pattern = node.child_by_field_name("pattern")
        body = self.block(node.child_by_field_name("body"))
        name = "" if pattern is None else self._only(pattern)
        if pattern is not None and not name:
            name = "@each"
            body = [*self.bound(pattern, Name(pattern, name)), *body]
        return [Loop(node, body, Name(node, name), self.field(node, "value"))]

    def _while(self, node: Node) -> list[Statement]:
        test, bindings = self._condition(node)
        body = self.block(node.child_by_field_name("body"))
        return [Loop(node, [*bindings, *body], test=test)]

    def _return(self, node: Node) -> list[Statement]:
        inner = self.meaning(node)
        return self.valued(inner[0], self.give) if inner else [Return(node, None)]

    # ---------------------------------------------------------------------------------- branches

    def arm(self, node: Node, put: Put) -> list[Statement]:
        """Lower a block, or one expression, whose value is put where it belongs."""
        if node.type in ("unsafe_block", "async_block", "const_block"):
            inner = self.child_of(node, "block")
            return [] if inner is None else self.arm(inner, put)
        if node.type != "block":
            return self.valued(node, put)
        real = self.meaning(node)
        last = real[-1] if real else None
        if last is not None and last.type == "expression_statement":
            closed = self.text(last).endswith(";")
            real = real if closed else [*real[:-1], *self.meaning(last)]
            if closed:
                return self.body(real)
        return self.ending(real, put)

    def _loop(self, node: Node, put: Put) -> list[Statement]:
        del put
        return [Loop(node, self.block(node.child_by_field_name("body")))]

    def _condition(self, node: Node) -> tuple[Expr, list[Statement]]:
        """Return a condition's test, and what it binds where that holds."""
        condition = node.child_by_field_name("condition")
        if condition is None:
            return Several(node, []), []
        return self._tested(condition)

    def _tested(self, node: Node) -> tuple[Expr, list[Statement]]:
        if node.type == "let_condition":
            pattern = node.child_by_field_name("pattern")
            value = self.field(node, "value")
            if pattern is None:
                return value, []
            tests = self.patterns(pattern)
            if tests and all(isinstance(each, Const) for each in tests):
                return self._any(node, value, tests), []
            return Several(node, [value, value]), self.bound(pattern, value)
        if node.type == "let_chain":
            tests: list[Expr] = []
            bindings: list[Statement] = []
            for each in self.meaning(node):
                test, bound = self._tested(each)
                tests.append(test)
                bindings += bound
            whole = tests[0]
            for test in tests[1:]:
                whole = Operation(node, "&&", [whole, test])
            return whole, bindings
        return self.expr(node), []

    def _if(self, node: Node, put: Put) -> list[Statement]:
        test, bindings = self._condition(node)
        yes, no = (node.child_by_field_name(each) for each in ("consequence", "alternative"))
        other = [] if no is None else self.meaning(no)
        return [
            If(
                node,
                test,
                [*bindings, *([] if yes is None else self.arm(yes, put))],
                self.arm(other[0], put) if other else [],
            )
        ]

    def _match(self, node: Node, put: Put) -> list[Statement]:
        subject = self.field(node, "value")
        arms: list[tuple[list[Expr], Case]] = []
        for each in self.inner(node, "body"):
            pattern, value = (each.child_by_field_name(n) for n in ("pattern", "value"))
            if each.type != "match_arm" or pattern is None or value is None:
                continue
            condition = pattern.child_by_field_name("condition")
            shape = next((p for p in self.meaning(pattern) if p != condition), None)
            tests = [] if shape is None else self.patterns(shape)
            if condition is not None:
                unsure: Expr = Several(each, [])
                tests = [unsure if tests else self.expr(condition)]
            bindings = [] if shape is None else self.bound(shape, subject)
            case = Case([], [*bindings, *self.arm(value, put)], not tests)
            arms.append((tests, case))
        if len(arms) <= MOST_TESTS:
            return self.chosen(node, subject, arms)
        for tests, case in arms:
            case.patterns = tests
        # Not one test within the other: a table of an enumeration has a hundred.
        plain = all(isinstance(test, Const) for tests, _ in arms for test in tests)
        unseen = subject if plain else Several(node, [subject])
        return [Switch(node, unseen, [case for _, case in arms])]
