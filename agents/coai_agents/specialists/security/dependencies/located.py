"""JSON, TOML and XML of which is known where each value stands.

The readers of the standard library say what a value is but not where. All of these take time in
proportion to the text, and refuse what is nested more deeply than any manifest is.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

from coai_agents.source import Span
from coai_agents.specialists.security.dependencies.packages import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

DEEPEST: Final = 200
"""Levels of nesting; npm's lock files of version 1, the deepest there are, have some 20."""

_TOKEN: Final = re.compile(
    r'[ \t\r\n\ufeff]*(?:("(?:[^"\\\x00-\x1f]|\\.)*")|([{}\[\],:])|([-+.\w]+)'
    r"|(//[^\n]*|/\*.*?\*/))",
    re.DOTALL,
)


@dataclass(slots=True)
class Node:
    """A JSON value; numbers, true, false and null are their own text."""

    value: dict[str, Node] | list[Node] | str
    span: Span
    """Of text without its quotes."""

    @property
    def text(self) -> str:
        """The value if it is a string, else nothing."""
        return self.value if isinstance(self.value, str) else ""

    @property
    def items(self) -> dict[str, Node]:
        """The members if it is an object, else none."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def elements(self) -> list[Node]:
        """The elements if it is an array, else none."""
        return self.value if isinstance(self.value, list) else []

    def at(self, *path: str) -> Node:
        """Return what is under some keys; an empty text where nothing is."""
        node = self
        for key in path:
            node = node.items.get(key) or Node("", node.span)
        return node


def read_json(text: str) -> Node:
    """Read JSON, with comments as some tools write them. Raises `UnreadableError`."""
    open_nodes: list[Node] = []
    keys: list[str | None] = []
    root: Node | None = None
    position = 0
    while True:
        match = _TOKEN.match(text, position)
        if match is None:
            break
        position = match.end()
        quoted, mark, literal, comment = match.groups()
        if comment is not None or (mark is not None and mark in ",:"):
            continue
        if mark is not None and mark in "}]":
            if not open_nodes:
                raise UnreadableError("it closes what it has not opened")
            closed = open_nodes.pop()
            closed.span = Span(closed.span.start, position)
            keys.pop()
            continue
        if quoted is not None and open_nodes and _is_key(open_nodes[-1], keys[-1]):
            keys[-1] = _unquoted(quoted)
            continue
        node = _node(match, quoted, mark, literal)
        if open_nodes:
            _put(open_nodes[-1], keys, node)
        elif root is not None:
            break
        else:
            root = node
        if mark is not None:
            if len(open_nodes) >= DEEPEST:
                raise UnreadableError(f"it is nested more than {DEEPEST} levels deep")
            open_nodes.append(node)
            keys.append(None)
    if root is None or open_nodes or text[position:].strip():
        raise UnreadableError("it is no JSON")
    return root


def _node(match: re.Match[str], quoted: str | None, mark: str | None, literal: str | None) -> Node:
    if quoted is not None:
        return Node(_unquoted(quoted), Span(match.start(1) + 1, match.end(1) - 1))
    if mark is not None:
        return Node({} if mark == "{" else [], Span(match.start(2), match.end(2)))
    return Node(literal or "", Span(match.start(3), match.end(3)))


def _is_key(node: Node, key: str | None) -> bool:
    return isinstance(node.value, dict) and key is None


def _put(node: Node, keys: list[str | None], child: Node) -> None:
    if isinstance(node.value, list):
        node.value.append(child)
    elif isinstance(node.value, dict):
        key = keys[-1]
        if key is None:
            raise UnreadableError("it has a value without a name")
        node.value[key] = child
        keys[-1] = None


def _unquoted(quoted: str) -> str:
    if "\\" not in quoted:
        return quoted[1:-1]
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted[1:-1]


@dataclass(frozen=True, slots=True)
class Assignment:
    """`key = value` in a table of a TOML file, the value as it is written."""

    table: str
    number: int
    """How many headers there were before: two tables of an array have one name."""
    key: str
    value: str
    start: int
    """Where the value begins."""

    def strings(self) -> Iterator[tuple[str, Span]]:
        """Yield the value's one-line strings, and where each stands without its quotes."""
        for match in _STRING.finditer(self.value):
            group = 1 if match[1] is not None else 2
            if match[group] is not None:
                first = self.start + match.start(group)
                yield match[group], Span(first, first + len(match[group]))

    def member(self, name: str) -> tuple[str, Span] | None:
        """Return a string of an inline table by its name."""
        match = re.search(
            rf"""(?<![\w.-]){re.escape(name)}\s*=\s*(?:"([^"\n]*)"|'([^'\n]*)')""", self.value
        )
        if match is None:
            return None
        group = 1 if match[1] is not None else 2
        return match[group], Span(self.start + match.start(group), self.start + match.end(group))

    def string(self) -> tuple[str, Span] | None:
        """Return the value if it is one string."""
        return next(self.strings(), None) if self.value[:1] in ('"', "'") else None


_STRING: Final = re.compile(r'#[^\n]*|"([^"\\\n]*)"|\'([^\'\n]*)\'')
_HEADER: Final = re.compile(r"[ \t]*\[\[?([^\[\]\n]{1,500})\]\]?[ \t]*(?:#.*)?$")
_KEY: Final = re.compile(r"""[ \t]*((?:[\w.-]|"[^"\n]*"|'[^'\n]*'){1,500})[ \t]*=[ \t]*""")
_QUOTES: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*')


def read_toml(text: str) -> Iterator[Assignment]:
    """Yield the assignments of a TOML file, line by line, whatever is wrong between them."""
    table, number = "", 0
    lines = text.splitlines(keepends=True)
    position = at = 0
    while at < len(lines):
        line = lines[at]
        if header := _HEADER.match(line.rstrip("\r\n")):
            table, number = header[1].strip(), number + 1
        elif key := _KEY.match(line):
            begin, parts = position + key.end(), [line[key.end() :]]
            depth = _depth(parts[0])
            while depth > 0 and at + 1 < len(lines):
                position, at = position + len(lines[at]), at + 1
                parts.append(lines[at])
                depth += _depth(lines[at])
            name = key[1].strip("\"'")
            yield Assignment(table, number, name, "".join(parts).rstrip(), begin)
        position, at = position + len(lines[at]), at + 1


def _depth(line: str) -> int:
    """Return how many brackets a line leaves open, those in strings and comments left out."""
    bare = _QUOTES.sub("", line)
    return bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")


@dataclass(slots=True)
class Element:
    """An element of an XML file: its name without a namespace, and its own text."""

    name: str
    attributes: dict[str, str]
    children: list[Element]
    text: str
    span: Span
    """Of its text without white space around it; of one without text, of the whole start tag."""

    def child(self, name: str) -> Element | None:
        """Return the first child of a name."""
        return next((each for each in self.children if each.name == name), None)

    def all(self) -> Iterator[Element]:
        """Yield it and all that is within, in the order of the text."""
        waiting: list[Element] = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting.extend(reversed(element.children))


def read_xml(text: str) -> Element:
    """Read XML; entities and external things are refused. Raises `UnreadableError`."""
    builder = _Builder(text)
    try:
        builder.parser.Parse(builder.encoded, True)  # noqa: FBT003 - expat's signature
    except expat.ExpatError as error:
        raise UnreadableError(f"it is no XML: {expat.ErrorString(error.code)}") from error
    if builder.root is None:
        raise UnreadableError("it is empty")
    return builder.root


class _Builder:
    """Makes elements of what expat reads, with offsets in characters."""

    def __init__(self, text: str) -> None:
        self.encoded = text.encode("utf-8", "replace")
        self._ascii = len(self.encoded) == len(text)
        self._known = (0, 0)
        self._text = text
        self.root: Element | None = None
        self._open: list[Element] = []
        self._starts: list[int] = []
        self.parser = expat.ParserCreate("utf-8")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.EntityDeclHandler = self._entity

    def _offset(self) -> int:
        index = self.parser.CurrentByteIndex
        if self._ascii:
            return index
        byte, character = self._known
        if index < byte:
            byte = character = 0
        character += len(self.encoded[byte:index].decode("utf-8", "replace"))
        self._known = index, character
        return character

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= DEEPEST:
            raise UnreadableError(f"it is nested more than {DEEPEST} levels deep")
        start = self._offset()
        end = self._text.find(">", start) + 1 or len(self._text)
        element = Element(name.rpartition(":")[2], attributes, [], "", Span(start, end))
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._starts.append(end)

    def _end(self, name: str) -> None:
        del name
        element, start = self._open.pop(), self._starts.pop()
        end = self._offset()
        if not element.children and end > start:
            raw = self._text[start:end]
            element.text = raw.strip()
            if element.text:
                first = start + raw.index(element.text)
                element.span = Span(first, first + len(element.text))

    def _entity(self, *_: object) -> None:
        raise UnreadableError("it declares entities, which no manifest needs")
