"""What a prompt for another file should know of a file: what it defines, in a few lines each.

A definition is shown by its signature and the first line of its documentation, a class with those
of its members, never with a body: a small model needs to know how something is called, and every
token of the prompt has to be read before the answer begins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from coai_agents.syntax import Kind, imports, outline, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from coai_agents.source import Source
    from coai_agents.syntax import Definition, SyntaxTree

LONGEST_SIGNATURE: Final = 240
"""Characters; what is longer is cut."""

LONGEST_DOCUMENTATION: Final = 100
MOST_MEMBERS: Final = 12
FEWEST_MEMBERS: Final = 3
OUTLINE: Final = 800
"""Characters of an outline at most."""

MOST_SYMBOLS: Final = 2_000
MOST_IMPORTS: Final = 200
"""What a file made by a machine has beyond these is left out."""

PARSE_BUDGET: Final = 0.5
"""Seconds. It happens in the background."""

_TYPES: Final = frozenset({Kind.CLASS, Kind.INTERFACE, Kind.ENUM, Kind.TYPE})
_TOP_LEVEL: Final = frozenset({Kind.MODULE})
_MEMBERS: Final = frozenset({Kind.METHOD, Kind.FIELD, Kind.FUNCTION})
_INDENT: Final = "    "
_STRING_QUOTES: Final = re.compile(r"^[A-Za-z]{0,2}(?:\"\"\"|'''|\"|')|(?:\"\"\"|'''|\"|')$")
_COMMENT_MARKS: Final = re.compile(r"^\s*(?:/\*+|\*+/|\*|//[/!]?|#+|--)\s?|\s*\*+/\s*$")
_RECEIVER: Final = re.compile(r"func\s*\(\s*\w*\s*\*?\s*(\w+)")
_TYPE: Final = re.compile(r"\b(?:class|enum|interface|module|object|protocol|struct|trait)\b")
_HEAD_END: Final = re.compile(r"[(:{=<]")
_BEFORE: Final = re.compile(r"\s*(?:@|#\[|\[[A-Z])")
"""Decorators, annotations and attributes, which keep a line of their own."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """Something that other code may use, and how a prompt shows it."""

    name: str
    line: int
    text: str
    """Signature and documentation, without a line end at the end."""

    @property
    def first_line(self) -> str:
        """The line of the text that names it."""
        lines = self.text.split("\n")
        return next((line for line in lines if self.name in line), lines[0])

    @property
    def smallest(self) -> int:
        """Characters without which it says nothing: a class is more than its name."""
        lines = self.text.split("\n")
        named = lines.index(self.first_line)
        return len("\n".join(lines[: named + 1 + FEWEST_MEMBERS]))

    @property
    def brief(self) -> Symbol:
        """The same without what is written above its first line, for where there is little room."""
        lines = self.text.split("\n")
        return replace(self, text="\n".join(lines[lines.index(self.first_line) :]))

    @property
    def is_type(self) -> bool:
        """Whether its members say what it is."""
        return _TYPE.search(self.first_line) is not None

    @property
    def head(self) -> str:
        """What a file that defines it has in one line, however the rest is laid out."""
        return _HEAD_END.split(self.first_line, maxsplit=1)[0].rstrip()


@dataclass(frozen=True, slots=True)
class Imported:
    """A name that a file takes from another one."""

    module: str
    """The module, as the file writes it."""
    name: str | None
    """What is taken: a name, `*` for everything, None for the module itself."""
    local: str
    """What the file calls it."""


def _nothing() -> dict[str, tuple[Symbol, ...]]:
    return {}


@dataclass(frozen=True, slots=True)
class Code:
    """What a file defines and imports."""

    language: str
    symbols: tuple[Symbol, ...] = ()
    """Everything at the top level, in the order of the text; members are shown with their class."""
    imports: tuple[Imported, ...] = ()
    by_name: Mapping[str, tuple[Symbol, ...]] = field(default_factory=_nothing)
    """The same by name."""
    members: Mapping[str, tuple[Symbol, ...]] = field(default_factory=_nothing)
    """Methods by name, for the file itself: it may use one far from where it is defined."""

    @property
    def outline(self) -> str:
        """The first line of everything at the top level, cut where it gets long."""
        text = "\n".join(dict.fromkeys(symbol.first_line for symbol in self.symbols))
        return text if len(text) <= OUTLINE else text[: text.rfind("\n", 0, OUTLINE + 1)]


def read_code(source: Source) -> Code:
    """Return what a file defines and imports; nothing where there is no grammar for it."""
    tree = parse(source, budget=PARSE_BUDGET)
    if tree is None:
        return Code(source.language)
    defined = outline(tree)[:MOST_SYMBOLS]
    symbols = tuple(_symbols(tree, defined))
    methods = (
        Symbol(each.name, tree.source.line_at(each.span.start), "\n".join(_shown(tree, each)))
        for each in defined
        if each.kind is Kind.METHOD
    )
    found = (
        Imported(each.module, each.name, _local_name(source.language, each.module, each.local_name))
        for each in imports(tree)[:MOST_IMPORTS]
    )
    return Code(
        language=source.language,
        symbols=symbols,
        imports=tuple(dict.fromkeys(found)),
        by_name=_by_name(symbols),
        members=_by_name(methods),
    )


def _by_name(symbols: Iterable[Symbol]) -> dict[str, tuple[Symbol, ...]]:
    by_name: dict[str, tuple[Symbol, ...]] = {}
    for symbol in symbols:
        by_name[symbol.name] = (*by_name.get(symbol.name, ()), symbol)
    return by_name


def _local_name(language: str, module: str, local: str) -> str:
    """Return what code calls an import; in Go that is the last part of a path."""
    return local.rsplit("/", 1)[-1] if language == "go" and local == module else local


def _symbols(tree: SyntaxTree, found: Sequence[Definition]) -> Iterable[Symbol]:
    modules = {each.qualified_name for each in found if each.kind in _TOP_LEVEL}
    members: dict[str, list[Definition]] = {}
    for each in found:
        owner = _owner(tree, each)
        if owner and each.kind in _MEMBERS:
            members.setdefault(owner, []).append(each)
    for each in found:
        nested = each.container != "" and each.container not in modules
        if nested or each.kind is Kind.IMPLEMENTATION or each.kind in _TOP_LEVEL:
            continue
        lines = _shown(tree, each)
        if each.kind in _TYPES and (shown := _members(tree, members.get(each.name, ()))):
            lines[-1] = lines[-1].removesuffix(" ...")
            lines += shown
        line = tree.source.line_at(each.span.start)
        yield Symbol(each.name, line, "\n".join(lines))


def _owner(tree: SyntaxTree, definition: Definition) -> str:
    """Return the name of the type that a definition is a member of, or nothing."""
    if definition.container:
        return definition.container.rsplit(".", 1)[-1]
    if tree.source.language == "go" and definition.kind in _MEMBERS:
        receiver = _RECEIVER.match(tree.source.slice(definition.signature))
        return receiver[1] if receiver else ""
    return ""


def _members(tree: SyntaxTree, members: Iterable[Definition]) -> list[str]:
    lines: list[str] = []
    left = MOST_MEMBERS
    for member in members:
        signature = tree.source.slice(member.signature)
        hidden = member.name.startswith(("_", "#")) and member.name != "__init__"
        if hidden or signature.startswith("private"):
            continue
        if not left:
            break
        left -= 1
        lines += [_INDENT + line for line in _signature(signature, tree.source.language)]
    return lines


def _shown(tree: SyntaxTree, definition: Definition) -> list[str]:
    language = tree.source.language
    lines = _signature(tree.source.slice(definition.signature), language)
    documentation = definition.documentation
    first = "" if documentation is None else _first_line(tree.source.slice(documentation))
    if not first:
        return lines
    if language == "python":
        return [*lines[:-1], lines[-1].removesuffix(" ..."), f'{_INDENT}"""{first}"""']
    marks = tree.grammar.spec.lexical.line_comments
    return [f"{marks[0]} {first}", *lines] if marks else lines


def _signature(text: str, language: str) -> list[str]:
    """Return a signature in one line, with what stands before it on lines of its own."""
    lines = text.strip().splitlines()
    before: list[str] = []
    while len(lines) > 1 and _BEFORE.match(lines[0]):
        before.append(lines.pop(0).strip())
    joined = " ".join(line.strip() for line in lines)
    joined = joined.replace("( ", "(").replace(" )", ")").replace(",)", ")")
    if len(joined) > LONGEST_SIGNATURE:
        joined = f"{joined[:LONGEST_SIGNATURE].rstrip()}..."
    elif language == "python" and joined.endswith(":"):
        joined += " ..."
    return [*before, joined]


def _first_line(documentation: str) -> str:
    """Return the first line of a docstring or a comment that says something."""
    for line in _STRING_QUOTES.sub("", documentation.strip()).splitlines():
        words = _COMMENT_MARKS.sub("", _COMMENT_MARKS.sub("", line)).strip()
        if words.strip("-=*/#"):
            return words[:LONGEST_DOCUMENTATION].rstrip().replace('"""', "")
    return ""
