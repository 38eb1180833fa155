"""Constant folding of expressions that build a text: what a program would make, without running it.

An expression becomes the pieces of its text in their order: text that is written down, and holes
for what only the running program knows. Two expressions with the same pieces build the same text
whatever the values are. Nothing of the program is run, imported or looked up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from coai_agents.fixes.site import COMMENTS, Site, value_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

MOST_NODES: Final = 400
"""Expressions that are folded for one text at most; what is longer is not clear."""


MOST_CHARACTERS: Final = 10_000
"""Of one text: what is longer is no statement that somebody wrote."""


class UnclearError(Exception):
    """What an expression makes cannot be told without running it."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A value that only the running program knows."""

    key: str
    """The expression as it is written, without white space: the same key is the same value."""
    number: bool = False
    """Whether it is turned into a number first, which refuses any other text."""


@dataclass(frozen=True, slots=True)
class Series:
    """A list's values, each within its own text, with a separator between them."""

    key: str
    separator: str
    body: tuple[str | Hole, ...]
    """What stands for one value; the value's own hole has the key `ITEM`."""


ITEM: Final = "\0item"

Piece = str | Hole | Series

_SAME: Final = frozenset({"str", "String", "strval", "text", "sqlalchemy.text", "sa.text"})
"""Calls that hand on a text as it is."""
_SAME_METHODS: Final = frozenset({"toString", "to_s"})
_NUMBERS: Final = frozenset(
    {"int", "float", "Number", "parseInt", "parseFloat", "intval", "floatval", "strconv.Itoa"}
)
_NUMBER_METHODS: Final = frozenset({"to_i", "to_f"})
_JOINS: Final = frozenset({"implode", "strings.Join"})
_SUMS: Final = frozenset({"binary_operator", "binary_expression", "binary"})
_CONTENT: Final = frozenset(
    {
        "escape_sequence",
        "interpreted_string_literal_content",
        "raw_string_literal_content",
        "string_content",
        "string_fragment",
    }
)
_STRINGS: Final = frozenset(
    {
        "encapsed_string",
        "interpreted_string_literal",
        "raw_string_literal",
        "string",
        "string_literal",
        "template_string",
    }
)
_DECORATION: Final = frozenset({"string_start", "string_end", *COMMENTS})
_INTERPOLATIONS: Final = frozenset({"interpolation", "template_substitution"})
_WRAPPED: Final = frozenset(
    {"argument", "as_expression", "await", "non_null_expression", "parenthesized_expression"}
)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "\n": ""} | {each: each for each in "\\'\"`$"}
_RAW: Final = re.compile(r"(?i:[bu]?r[bu]?f?|fr)['\"]|`")
_PERCENT: Final = re.compile(r"%(?:\((\w+)\))?([sdifvu%])|%")
_BRACES: Final = re.compile(r"\{\{|\}\}|\{(\w*)\}|[{}]")


class Folder:
    """Folds the expressions of one tree; one that makes too much of it gives up."""

    def __init__(self, site: Site) -> None:
        """Take any place of the tree."""
        self._site = site
        self._left = MOST_NODES

    def text(self, node: Node) -> tuple[Piece, ...]:
        """Return the pieces of what an expression makes; raises `UnclearError`."""
        pieces = _joined(self._fold(node))
        if sum(len(each) for each in pieces if isinstance(each, str)) > MOST_CHARACTERS:
            raise UnclearError
        return pieces

    def _fold(self, node: Node) -> list[Piece]:
        self._left -= 1
        if self._left < 0:
            raise UnclearError
        kind = node.type
        if kind in _STRINGS:
            return self._string(node)
        if kind in _SUMS:
            return self._sum(node)
        if kind in _WRAPPED or kind == "concatenated_string":
            inner = [each for each in node.named_children if each.type not in COMMENTS]
            return [piece for each in inner for piece in self._fold(each)]
        if kind == "cast_expression":
            return [replace(self.one(node.child_by_field_name("value")), number=True)]
        if "call" in kind:
            return self._call(node)
        if kind in ("integer", "int_literal", "number") and self._site.text(node).isdecimal():
            return [self._site.text(node)]
        return self._named(node)

    def _named(self, node: Node) -> list[Piece]:
        """Return the text that a name was given just before; of any other value, the name."""
        value = self._site.only_value(node)
        pieces: list[Piece] = [self._hole(node)] if value is None else self._fold(value)
        if len(pieces) == 1 and isinstance(pieces[0], Hole):
            return [replace(pieces[0], key=self._hole(node).key)]
        return pieces

    def one(self, node: Node | None) -> Hole:
        """Return what an expression is if it is one value; raises `UnclearError`."""
        pieces = [] if node is None else self._fold(node)
        if len(pieces) != 1 or not isinstance(pieces[0], Hole):
            raise UnclearError
        return pieces[0]

    def _hole(self, node: Node) -> Hole:
        return Hole(re.sub(r"\s+", "", self._site.text(node)))

    def _string(self, node: Node) -> list[Piece]:
        written = self._site.text(node)
        raw = _RAW.match(written) is not None and node.type != "template_string"
        # These two take a backslash in single quotes for itself.
        plain = written[:1] == "'" and self._site.source.language in ("php", "ruby")
        formatted = any(each.type in _INTERPOLATIONS for each in node.named_children)
        pieces: list[Piece] = []
        for each in node.named_children:
            if each.type in _CONTENT:
                text = self._site.text(each)
                if formatted and self._site.source.language == "python":
                    text = text.replace("{{", "{").replace("}}", "}")
                if plain and "\\" in text:
                    raise UnclearError
                pieces.append(text if raw else _unescaped(text))
            elif each.type in _INTERPOLATIONS:
                inner = [one for one in each.named_children if "brace" not in one.type]
                pieces += self._fold(inner[0]) if len(inner) == 1 else [self._hole(each)]
            elif each.type not in _DECORATION:
                pieces.append(self._hole(each))
        return pieces

    def _sum(self, node: Node) -> list[Piece]:
        operator = self._site.text(node.child_by_field_name("operator"))
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None:
            raise UnclearError
        if operator in ("+", "."):
            return [*self._fold(left), *self._fold(right)]
        if operator == "%" and left.type in (*_STRINGS, "concatenated_string"):
            values = right.named_children if right.type == "tuple" else [right]
            return self._formatted(left, _PERCENT, [self._fold(each) for each in values], {})
        return [self._hole(node)]

    def _formatted(
        self,
        text: Node,
        hole: re.Pattern[str],
        values: Sequence[list[Piece]],
        named: dict[str, list[Piece]],
    ) -> list[Piece]:
        pieces = self._fold(text)
        if not all(isinstance(each, str) for each in pieces):
            raise UnclearError
        whole = "".join(each for each in pieces if isinstance(each, str))
        waiting = list(values)
        made: list[Piece] = []
        at = 0
        for match in hole.finditer(whole):
            made.append(whole[at : match.start()])
            at = match.end()
            made += _filling(match, waiting, values, named)
        if waiting and not named:
            raise UnclearError
        return [*made, whole[at:]]

    def _call(self, node: Node) -> list[Piece]:
        site = self._site
        callee = site.callee(node)
        arguments = [value_of(each) for each in site.arguments(node)]
        method = callee.rsplit(".", 1)[-1]
        if callee in _SAME and len(arguments) == 1:
            return self._fold(arguments[0])
        if callee in _NUMBERS and arguments:
            return [replace(self.one(arguments[0]), number=True)]
        of = _receiver(node)
        if of is not None and method in _SAME_METHODS and not arguments:
            return self._fold(of)
        if of is not None and method in _NUMBER_METHODS and not arguments:
            return [replace(self.one(of), number=True)]
        if method in ("Sprintf", "sprintf") and arguments:
            values = [self._fold(each) for each in arguments[1:]]
            return self._formatted(arguments[0], _PERCENT, values, {})
        if of is not None and method == "format" and of.type in (*_STRINGS, "concatenated_string"):
            plain = [each for each in arguments if each.type != "keyword_argument"]
            named = {
                site.text(each.child_by_field_name("name")): self._fold(value)
                for each in arguments
                if each.type == "keyword_argument" and (value := each.child_by_field_name("value"))
            }
            return self._formatted(of, _BRACES, [self._fold(each) for each in plain], named)
        if method == "join" or callee in _JOINS:
            return [self._series(node, of, arguments)]
        return [self._hole(node)]

    def _series(self, node: Node, of: Node | None, arguments: Sequence[Node]) -> Piece:
        """Fold `",".join(values)`, `values.join(",")` and `implode(",", values)`."""
        python = self._site.source.language == "python"
        if python and of is not None:
            given = node.child_by_field_name("arguments")
            inner = list(arguments) or ([] if given is None else [given])
            separator, values = of, inner[0] if inner else None
        elif of is not None and len(arguments) == 1 and self._site.callee(node) not in _JOINS:
            separator, values = arguments[0], of
        elif len(arguments) == 2:  # noqa: PLR2004 - separator and values
            separator, values = sorted(arguments, key=lambda each: each.type not in _STRINGS)
        else:
            return self._hole(node)
        between = self.text(separator)
        if values is None or len(between) > 1 or not all(isinstance(one, str) for one in between):
            return self._hole(node)
        key, body = self.values(values)
        return Series(key, "".join(map(str, between)), body)

    def values(self, node: Node) -> tuple[str, tuple[str | Hole, ...]]:
        """Return the list that an expression makes its values of, and what it makes of each."""
        kind = node.type
        if kind in ("generator_expression", "list_comprehension"):
            return self._comprehension(node)
        if kind == "binary_operator":
            return self._repeated(node)
        if "call" in kind:
            callee, arguments = self._site.callee(node), self._site.arguments(node)
            if callee in ("list", "tuple") and len(arguments) == 1:
                return self.values(arguments[0])
            if callee == "map" and len(arguments) == 2:  # noqa: PLR2004 - function and values
                if self._site.text(arguments[0]) == "str":
                    return self.values(arguments[1])
                raise UnclearError
            of = _receiver(node)
            if of is not None and callee.endswith(".map") and len(arguments) == 1:
                return self._mapped(of, arguments[0])
        value = self._site.only_value(node)
        return (self._hole(node).key, (Hole(ITEM),)) if value is None else self.values(value)

    def _comprehension(self, node: Node) -> tuple[str, tuple[str | Hole, ...]]:
        clauses = [each for each in node.named_children if each.type == "for_in_clause"]
        body = node.child_by_field_name("body")
        if len(node.named_children) != 2 or len(clauses) != 1 or body is None:  # noqa: PLR2004 - body, for
            raise UnclearError
        name, values = (clauses[0].child_by_field_name(each) for each in ("left", "right"))
        if name is None or values is None or name.type != "identifier":
            raise UnclearError
        return self._each(values, self._site.text(name), body)

    def _mapped(self, values: Node, function: Node) -> tuple[str, tuple[str | Hole, ...]]:
        """Fold `values.map((each) => ...)` of ECMAScript."""
        body = function.child_by_field_name("body")
        if function.type != "arrow_function" or body is None or body.type == "statement_block":
            raise UnclearError
        names = function.child_by_field_name("parameter") or function.child_by_field_name(
            "parameters"
        )
        return self._each(values, self._site.text(names).strip("() "), body)

    def _each(self, values: Node, name: str, body: Node) -> tuple[str, tuple[str | Hole, ...]]:
        key, inner = self.values(values)
        if inner != (Hole(ITEM),):
            raise UnclearError
        made: list[str | Hole] = []
        for piece in self.text(body):
            if isinstance(piece, Series) or (isinstance(piece, Hole) and piece.key != name):
                raise UnclearError
            made.append(replace(piece, key=ITEM) if isinstance(piece, Hole) else piece)
        return key, tuple(made)

    def _repeated(self, node: Node) -> tuple[str, tuple[str | Hole, ...]]:
        """Fold `["?"] * len(values)`, and `"?" * len(values)` where each is one character."""
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        count = re.fullmatch(r"len\(([\w.]+)\)", self._site.text(right))
        if left is None or count is None or self._site.text(node.children[1]) != "*":
            raise UnclearError
        inner = (
            left.named_children[0] if left.type == "list" and left.named_child_count == 1 else left
        )
        text = self.text(inner)
        if len(text) != 1 or not isinstance(text[0], str):
            raise UnclearError
        if inner is left and len(text[0]) != 1:
            raise UnclearError
        return count[1], (text[0],)


def _filling(
    match: re.Match[str],
    waiting: list[list[Piece]],
    values: Sequence[list[Piece]],
    named: dict[str, list[Piece]],
) -> list[Piece]:
    """Return what stands where a format has a hole or an escape; takes values in their order."""
    if match[0] in ("%%", "{{", "}}"):
        return [match[0][0]]
    if match.lastindex is None:
        raise UnclearError
    name = match[1] or ""
    if name.isdecimal() and int(name) < len(values):
        waiting.clear()
        return values[int(name)]
    if name:
        if name not in named:
            raise UnclearError
        return named[name]
    if not waiting:
        raise UnclearError
    return waiting.pop(0)


def _receiver(call: Node) -> Node | None:
    """Return what a method is called of."""
    function = call.child_by_field_name("function")
    for name in ("object", "operand", "receiver"):
        for node in (function, call):
            if node is not None and (there := node.child_by_field_name(name)) is not None:
                return there
    return None


def _joined(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Return pieces with texts that meet made one, and no empty ones."""
    made: list[Piece] = []
    for each in pieces:
        if isinstance(each, str) and made and isinstance(made[-1], str):
            made[-1] += each
        elif each != "":
            made.append(each)
    return tuple(made)


def _unescaped(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        if match[1] not in _ESCAPES:
            raise UnclearError
        return _ESCAPES[match[1]]

    return re.sub(r"\\(.|\n|$)", one, text)
