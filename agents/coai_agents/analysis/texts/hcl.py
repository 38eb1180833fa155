"""Terraform's language as units: a reader that knows blocks and values, nothing of expressions."""

from __future__ import annotations

import re
from time import perf_counter
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.texts.entries import DEEPEST, Entry, Path, Unit, UnreadableError
from coai_agents.analysis.texts.statements import statement_of
from coai_agents.source import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK: Final = re.compile(
    r'([A-Za-z_][\w-]*+)((?:[ \t]++(?:"[^"\n]{0,200}"|[A-Za-z_][\w-]*+)){0,4})[ \t]*+\{'
)
_VALUE: Final = re.compile(r'("[^"\n]{1,200}"|[A-Za-z_][\w-]*+)[ \t]*+[=:][ \t]*+')
_PIECE: Final = re.compile(r"[ \t]+|[\w-]+|(?s:.)")
"""What is passed over as a whole where no statement begins, so that a long line is read once."""
_HEREDOC: Final = re.compile(r"<<-?[ \t]*(\w+)")


_OBJECT: Final = re.compile(r"(?:jsonencode\s*+\(|<<-?[ \t]*+\w+[^\n]*\n)\s*+\{")
_OBJECTS: Final = re.compile(r"\[\s*\{")


class _Units(list[Unit]):
    """What was read, and until when there is time to read more."""

    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._deadline = deadline

    def check(self, path: Path) -> None:
        """Raise `UnreadableError` where a file is too deep, or takes too long."""
        if len(path) > DEEPEST:
            raise UnreadableError("The file is too deep: not all of it was read.")
        if perf_counter() > self._deadline:
            raise UnreadableError("The time for one file was over: not all of it was read.")


def terraform_units(text: str, deadline: float) -> Iterator[Unit]:
    """Yield the resources, data sources, providers and variables of a masked Terraform file.

    Raises `UnreadableError` behind what could be read.
    """
    units = _Units(deadline)
    try:
        _hcl(text, 0, (), units, None)
    finally:
        yield from units


def _hcl(text: str, at: int, path: Path, units: _Units, unit: Unit | None) -> int:
    """Read statements up to the bracket that closes; return the place behind it."""
    while at < len(text):
        if block := _BLOCK.match(text, at):
            at = _block(text, block, path, units, unit)
        elif value := _VALUE.match(text, at):
            at = _value(text, value, path, units, unit)
        elif text[at] == "}":
            return at + 1
        elif text[at] in "\"'":
            at = _past_string(text, at)
        else:
            at = _past(text, at)
    return at


def _past(text: str, at: int) -> int:
    piece = _PIECE.match(text, at)
    return at + 1 if piece is None else piece.end()


def _block(text: str, block: re.Match[str], path: Path, units: _Units, unit: Unit | None) -> int:
    labels = re.findall(r"[\w.-]+", block[2])
    span = Span(block.start(1), block.end(2))
    if unit is None:
        named = labels[0] if block[1] in ("resource", "data") and labels else block[1]
        unit = Unit(named, span)
        units.append(unit)
        return _hcl(text, block.end(), (), units, unit)
    below = (*path, block[1])
    unit.entries.append(Entry(below, "", span))
    return _object(text, block.end(), below, units, unit)


def _object(text: str, at: int, path: Path, units: _Units, unit: Unit) -> int:
    """Read what is in a block's or an object's brackets, which may be a policy's statement."""
    units.check(path)
    before = len(unit.entries)
    end = _hcl(text, at, path, units, unit)
    if path[-1].lower() == "statement":
        inside = [
            Entry(each.path[len(path) :], each.text, each.span) for each in unit.entries[before:]
        ]
        statement = statement_of(unit, path, inside)
        if statement is not None:
            units.append(statement)
    return end


def _objects(text: str, at: int, path: Path, units: _Units, unit: Unit) -> None:
    """Read a list of objects, from its bracket on; their values have the list's own path."""
    while at < len(text) and text[at] in "[, \t\r\n":
        at += 1
    while at < len(text) and text[at] == "{":
        at = _object(text, at + 1, path, units, unit)
        while at < len(text) and text[at] in ", \t\r\n":
            at += 1


def _value(text: str, value: re.Match[str], path: Path, units: _Units, unit: Unit | None) -> int:
    name, start = value[1].strip('"'), value.end()
    below = (*path, name)
    units.check(path)
    if text.startswith("{", start) and unit is not None:
        unit.entries.append(Entry(below, "", Span(value.start(1), value.end(1))))
        return _object(text, start + 1, below, units, unit)
    end = _past_value(text, start)
    if unit is not None:
        said = text[start:end].strip()
        if said.count('"') == 2 and said[0] == said[-1] == '"':  # noqa: PLR2004 - its two quotes
            said = said[1:-1]
        unit.entries.append(Entry(below, said, Span(start, max(end, start))))
        # A policy is read as what it is, values by their path, however it is made a text.
        if inner := _OBJECT.match(text, start, end):
            _object(text[:end], inner.end(), below, units, unit)
        elif _OBJECTS.match(text, start, end):
            _objects(text[:end], start, below, units, unit)
    return end


def _past_value(text: str, at: int) -> int:
    """Return where an expression ends: its line's end, outside of brackets and strings."""
    if heredoc := _HEREDOC.match(text, at):
        end = re.compile(rf"^[ \t]*{heredoc[1]}\b", re.MULTILINE).search(text, heredoc.end())
        return end.end() if end else len(text)
    depth = 0
    while at < len(text):
        character = text[at]
        if character in "([{":
            depth += 1
        elif character in ")]}":
            if depth == 0:
                return at
            depth -= 1
        elif character == '"':
            at = _past_string(text, at)
            continue
        elif character in "\n," and depth == 0:
            return at
        at += 1
    return at


def _past_string(text: str, at: int) -> int:
    quote, at = text[at], at + 1
    while at < len(text) and text[at] not in (quote, "\n"):
        at += 2 if text[at] == "\\" else 1
    return min(at + 1, len(text))
