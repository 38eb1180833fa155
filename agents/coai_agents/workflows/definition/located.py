"""YAML and JSON with line numbers, for texts that nobody has to trust.

No tags, no anchors (a few lines of them grow to gigabytes), no key twice, no value that JSON has
not: what a plan says is what it seems to say. JSON is read as the YAML that it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from coai_agents.workflows.errors import PlanError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from yaml import Node

    from coai_agents.workflows.definition.types import Json

    _Wrong: TypeAlias = Callable[[int, str], PlanError]

MOST_CHARACTERS: Final = 1_000_000
MOST_DEPTH: Final = 40

_INTEGER: Final = re.compile(r"[-+]?\d+")
_FLOAT: Final = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][-+]?\d+)?")
_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("true", "True"), True),
    **dict.fromkeys(("false", "False"), False),
    **dict.fromkeys(("null", "~", ""), None),
}
"""YAML 1.2's: `no` and `on` are words."""


@dataclass(frozen=True)
class Document:
    """What a text says, and the line of every key and item, from 1."""

    file: str
    value: Json
    lines: dict[tuple[str | int, ...], int] = field(
        default_factory=dict[tuple[str | int, ...], int]
    )

    def problem(self, path: tuple[str | int, ...], message: str) -> Problem:
        """Return a problem at a place, or at the nearest one around it that has a line."""
        while path and path not in self.lines:
            path = path[:-1]
        return Problem(self.file, self.lines.get(path, 0 if not self.lines else 1), message)


def read_document(text: str, file: str = "") -> Document:
    """Read a text; raises `PlanError` with file, line and what was expected."""
    import yaml  # noqa: PLC0415 - not for plans that are objects

    def wrong(line: int, message: str) -> PlanError:
        return PlanError([Problem(file, line, message)])

    if len(text) > MOST_CHARACTERS:
        raise wrong(1, f"at most {MOST_CHARACTERS:,} characters were expected")
    try:
        # JSON allows tabs between its tokens, and nowhere else may one stand in it.
        given = text.replace("\t", " ") if text.lstrip().startswith(("{", "[")) else text
        # The loader is asked for nodes only; no constructor of it ever runs.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(given)
        _refuse_what_json_has_not(given, wrong)
        root: Node | None = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        raise wrong(line, f"{error.problem or error.context}; YAML or JSON was expected") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise wrong(1, "text in YAML or JSON was expected") from error
    if root is None:
        raise wrong(1, "a mapping was expected, and the file is empty")
    lines: dict[tuple[str | int, ...], int] = {}
    return Document(file, _Reader(lines, wrong).value(root, ()), lines)


def _refuse_what_json_has_not(text: str, wrong: _Wrong) -> None:
    import yaml  # noqa: PLC0415 - as above

    depth = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        line = event.start_mark.line + 1 if event.start_mark is not None else 1
        if getattr(event, "anchor", None) is not None:
            raise wrong(line, "a value was expected, not an anchor or an alias")
        if getattr(event, "tag", None) is not None:
            raise wrong(line, "a value was expected, not a tag")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MOST_DEPTH:
            raise wrong(line, f"at most {MOST_DEPTH} levels were expected")


class _Reader:
    """Turns nodes into values, noting the line of each."""

    def __init__(self, lines: dict[tuple[str | int, ...], int], wrong: _Wrong) -> None:
        self._lines = lines
        self._wrong = wrong

    def value(self, node: Node, at: tuple[str | int, ...]) -> Json:
        import yaml  # noqa: PLC0415 - as above

        line = node.start_mark.line + 1
        self._lines.setdefault(at, line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(each, (*at, number)) for number, each in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        # libyaml gives an empty style for what has no quotes, the other loader none.
        return str(node.value) if node.style else _plain(node.value)

    def _mapping(self, node: Node, at: tuple[str | int, ...]) -> dict[str, Json]:
        import yaml  # noqa: PLC0415 - as above

        read: dict[str, Json] = {}
        for key, one in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise self._wrong(line, "a name was expected before the colon")
            name = str(key.value)
            if name in read:
                raise self._wrong(line, f"{name} stands here twice; one was expected")
            self._lines[*at, name] = line
            read[name] = self.value(one, (*at, name))
        return read


def _plain(text: str) -> Json:
    """Return a value without quotes: a number, one of YAML's words, or text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) and len(text) < 20:  # noqa: PLR2004 - 64 bits
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
