"""XML as units: one for each element, with its attributes and what lies below it by path.

Expat tells where each element is. It is given no document type that declares anything: entities
are neither declared nor expanded, so that a small file cannot become a large one.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.texts.entries import DEEPEST, Entry, Unit, UnreadableError
from coai_agents.source import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_ELEMENTS: Final = 5_000
"""Elements of one file that are read; files of settings have a few hundred."""


def xml_units(text: str, deadline: float) -> Iterator[Unit]:
    """Yield a unit for each element; raises `UnreadableError` behind what could be read.

    A unit's type is its element's name, `@NAME` an attribute, and text is the element's own value.
    """
    from xml.parsers import expat  # noqa: PLC0415 - not before there is a file of this kind

    reader = _Elements(text, deadline)
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, values: reader.begin(
        name, values, parser.CurrentByteIndex
    )
    parser.CharacterDataHandler = reader.say
    parser.EndElementHandler = lambda _: reader.end()
    # One that only names where it is declared is not read from there, and declares nothing.
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)  # noqa: FBT003 - the C function's own
    except (expat.ExpatError, ValueError) as error:
        yield from reader.units
        raise UnreadableError("The file is no valid XML: not all of it was read.") from error
    yield from reader.units


def _refuse(_name: str, _system: str | None, _public: str | None, declares: int) -> None:
    if declares:
        raise ValueError("a document type may declare entities")


class _Elements:
    """What expat's events build."""

    def __init__(self, text: str, deadline: float) -> None:
        self._text = text
        self._deadline = deadline
        self._bytes = None if text.isascii() else text.encode("utf-8", "replace")
        self._open: list[tuple[Unit, list[str]]] = []
        self.units: list[Unit] = []

    def begin(self, name: str, values: dict[str, str], at: int) -> None:
        if len(self._open) >= DEEPEST or len(self.units) >= MOST_ELEMENTS:
            raise ValueError("too deep or too long")
        self._check()
        start = self._character(at) + 1
        unit = Unit(name, Span(start, start + len(name)))
        self._open.append((unit, []))
        self.units.append(unit)
        self._tell((), "", unit.span)
        end = self._text.find(">", start)
        behind = end if end > 0 else len(self._text)
        for key, value in values.items():
            self._check()
            # They come as they are written, so that none is looked for from the beginning again.
            place = self._text.find(f"{key}=", start, behind)
            span = Span(place, place + len(key)) if place > 0 else unit.span
            start = max(start, span.end)
            self._tell((f"@{key}",), value, span)

    def _check(self) -> None:
        if perf_counter() > self._deadline:
            raise UnreadableError("The time for one file was over: not all of it was read.")

    def say(self, text: str) -> None:
        if self._open:
            self._open[-1][1].append(text)

    def end(self) -> None:
        unit, said = self._open[-1]
        if text := "".join(said).strip():
            self._tell(("text",), text, unit.span)
        self._open.pop()

    def _tell(self, steps: tuple[str, ...], value: str, span: Span) -> None:
        """Add a value to the element that is open, and to those around it."""
        for unit, _ in reversed(self._open):
            if steps:
                unit.entries.append(Entry(steps, value, span))
            steps = (unit.type, *steps)

    def _character(self, at: int) -> int:
        return at if self._bytes is None else len(self._bytes[:at].decode("utf-8", "replace"))
