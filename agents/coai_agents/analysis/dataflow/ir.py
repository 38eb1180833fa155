"""What every language's tree is lowered to: few kinds of nodes, so that one engine reads all.

A node keeps the syntax node it came from, which says where it is. Nodes are built once, by a
language's adapter in `lowering/`, and are not changed afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tree_sitter import Node


class OutOfTimeError(Exception):
    """The time for one file is over."""


class _Unknown:
    """The value of what is not a constant."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        raise AssertionError("an unknown value is neither true nor false")


UNKNOWN: Final = _Unknown()


# ----------------------------------------------------------------------------------- expressions


@dataclass(slots=True)
class Const:
    """A literal; `value` is a str, bytes, int, float, bool or None."""

    node: Node
    value: object


@dataclass(slots=True)
class Name:
    """A variable, or a name that nothing in the file binds."""

    node: Node
    name: str


@dataclass(slots=True)
class Member:
    """`object.name`; `written` is the whole chain as written if it is only names, else empty."""

    node: Node
    object: Expr
    name: str
    written: str = ""


@dataclass(slots=True)
class Index:
    """`object[key]`; without a key, a part of the object (a slice, or an append in PHP)."""

    node: Node
    object: Expr
    key: Expr | None


@dataclass(slots=True)
class Argument:
    """One argument of a call, by name where it has one; `spread` for `*args` and `...args`.

    `out` is one that the call sets, and does not read.
    """

    value: Expr
    name: str = ""
    spread: bool = False
    out: bool = False


@dataclass(slots=True)
class Call:
    """A call; `creates` for `new T(...)`, which makes an instance of what `callee` names."""

    node: Node
    callee: Expr
    arguments: list[Argument]
    creates: bool = False


@dataclass(slots=True)
class Text:
    """Text built of parts: an f-string, a template, `a + b` of strings."""

    node: Node
    parts: list[Expr]


@dataclass(slots=True)
class Operation:
    """An operator on one or more operands; `operator` is one of the names in `OPERATORS`."""

    node: Node
    operator: str
    operands: list[Expr]


@dataclass(slots=True)
class Conditional:
    """`yes if test else no`."""

    node: Node
    test: Expr
    yes: Expr
    no: Expr


@dataclass(slots=True)
class Item:
    """An item of a container; without a key it is the next one of a sequence."""

    value: Expr
    key: Expr | None = None
    spread: bool = False


@dataclass(slots=True)
class Container:
    """A list, a dictionary, an object literal, a tuple."""

    node: Node
    items: list[Item]
    keyed: bool = False


@dataclass(slots=True)
class Binding:
    """An assignment that is an expression: `x := 1`, `(a = b)`."""

    node: Node
    target: Expr
    value: Expr


@dataclass(slots=True)
class Parameter:
    """A parameter of a function."""

    node: Node
    name: str
    type: str = ""
    """As written, without type arguments."""
    default: Expr | None = None
    rest: bool = False
    annotations: list[Expr] = field(default_factory=list["Expr"])
    arguments: tuple[str, ...] = ()
    """The type's arguments, and theirs."""
    reference: bool = False
    """Whether what is assigned to it is the caller's."""


@dataclass(slots=True)
class Function:
    """A function, a method or a lambda."""

    node: Node
    name: str
    parameters: list[Parameter]
    body: list[Statement]
    decorators: list[Expr] = field(default_factory=list["Expr"])
    receiver: str = ""
    """The name by which a method knows its object, if it is not a parameter of its own."""
    asynchronous: bool = False
    method: bool = False
    accessor: str = ""
    """`get` if reading a member calls it, `set` if assigning to one does, `call` if its name alone
    does as well."""


@dataclass(slots=True)
class Several:
    """An expression of which only the parts are known; its value is made of all of them."""

    node: Node
    parts: list[Expr]
    kind: str = ""


Expr: TypeAlias = (
    Const
    | Name
    | Member
    | Index
    | Call
    | Text
    | Operation
    | Conditional
    | Container
    | Binding
    | Function
    | Several
)


# ------------------------------------------------------------------------------------ statements


@dataclass(slots=True)
class Assign:
    """`target = value`; `operator` for `target += value`, `type` where one is declared."""

    node: Node
    target: Expr
    value: Expr
    operator: str = ""
    type: str = ""
    declares: bool = False


@dataclass(slots=True)
class Evaluate:
    """An expression that stands as a statement."""

    node: Node
    value: Expr


@dataclass(slots=True)
class If:
    """A branch on a condition."""

    node: Node
    test: Expr
    yes: list[Statement]
    no: list[Statement]


@dataclass(slots=True)
class Case:
    """A branch of a `Switch`; no patterns for the default."""

    patterns: list[Expr]
    body: list[Statement]
    default: bool = False


@dataclass(slots=True)
class Switch:
    """A branch on a value; `falls` if a case without a break runs into the next one."""

    node: Node
    subject: Expr
    cases: list[Case]
    falls: bool = False


@dataclass(slots=True)
class Loop:
    """A loop: over `iterable` into `target`, or while `test` holds."""

    node: Node
    body: list[Statement]
    target: Expr | None = None
    iterable: Expr | None = None
    test: Expr | None = None
    otherwise: list[Statement] = field(default_factory=list["Statement"])
    pairs: bool = False
    """Whether the target takes key and value, as in Go's `range` and PHP's `=>`."""
    type: str = ""
    """What the target is declared as."""


@dataclass(slots=True)
class Try:
    """`try` with its handlers and what always runs."""

    node: Node
    body: list[Statement]
    handlers: list[Handler]
    final: list[Statement]


@dataclass(slots=True)
class Handler:
    """One handler of a `Try`: the types it catches, as written, and the name it binds."""

    node: Node
    types: list[str]
    name: str
    body: list[Statement]


@dataclass(slots=True)
class Return:
    """`return value`."""

    node: Node
    value: Expr | None


@dataclass(slots=True)
class Leave:
    """`break`, `continue`, `raise`, `throw`; `kind` says which."""

    node: Node
    kind: str
    value: Expr | None = None


@dataclass(slots=True)
class Define:
    """The definition of a named function."""

    node: Node
    function: Function


@dataclass(slots=True)
class Class:
    """The definition of a class."""

    node: Node
    name: str
    bases: list[str]
    body: list[Statement]
    decorators: list[Expr] = field(default_factory=list["Expr"])
    fields: list[str] = field(default_factory=list[str])
    """The fields that a constructor sets that nobody has to write, in their order."""


ENUM: Final = "enum"
"""The base that stands for all enumerations."""


@dataclass(slots=True)
class Import:
    """Names and what they stand for: `("md5", "hashlib.md5")`."""

    node: Node
    names: list[tuple[str, str]]


@dataclass(slots=True)
class With:
    """`with resource as target:`, `using`, try-with-resources."""

    node: Node
    bindings: list[tuple[Expr | None, Expr]]
    body: list[Statement]


@dataclass(slots=True)
class Block:
    """Statements that share the variables around them."""

    node: Node
    body: list[Statement]


Statement: TypeAlias = (
    Assign
    | Evaluate
    | If
    | Switch
    | Loop
    | Try
    | Return
    | Leave
    | Define
    | Class
    | Import
    | With
    | Block
)


@dataclass(slots=True)
class Module:
    """A whole file."""

    node: Node
    body: list[Statement]


@dataclass(frozen=True, slots=True)
class Part:
    """What of a file is lowered where all of it would take too long."""

    nodes: Sequence[Node]
    """Statements of the file's own."""
    wanted: Callable[[Node], bool]
    """Whether a statement, of these or in them, is looked into."""
