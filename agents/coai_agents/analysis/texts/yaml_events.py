"""YAML and JSON as values by path, from PyYAML's events.

They build nothing and expand no alias, so that a small file cannot become a large one.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from coai_agents.analysis.texts.entries import DEEPEST, Entry, Path, UnreadableError
from coai_agents.source import Span

if TYPE_CHECKING:
    from collections.abc import Iterator


def yaml_entries(text: str, deadline: float) -> Iterator[list[Entry]]:
    """Yield the values of each document of a YAML or JSON file; raises `UnreadableError`.

    A mapping has an entry too, whose text is empty and whose span is its key's.
    """
    import yaml  # noqa: PLC0415 - not before there is a file of this kind

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    reader = _Events()
    try:
        for event in yaml.parse(text, Loader=loader):
            if perf_counter() > deadline:
                raise UnreadableError("The time for one file was over: not all of it was read.")
            reader.take(event)
            if isinstance(event, yaml.DocumentEndEvent):
                yield reader.entries
                reader = _Events()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        yield reader.entries
        raise UnreadableError(
            "The file is no valid YAML or JSON: not all of it was read."
        ) from error


class _Events:
    """A reader of YAML's events that keeps where it is as a path."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._path: list[str] = []
        self._open: list[list[object]] = []
        """For each open collection: whether it is a mapping, the key or the index it is at."""

    def take(self, event: object) -> None:
        kind = type(event).__name__
        if kind in ("MappingStartEvent", "SequenceStartEvent"):
            self._begin(event)
            if len(self._open) >= DEEPEST:
                raise ValueError("too deep")
            self._open.append([kind[0] == "M", None if kind[0] == "M" else 0, None])
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            self._open.pop()
            self._next()
        elif kind in ("ScalarEvent", "AliasEvent"):
            self._scalar(event)

    def _scalar(self, event: object) -> None:
        span = _span(event)
        text = str(getattr(event, "value", "*alias"))
        if self._open and self._open[-1][0] and self._open[-1][1] is None:
            self._open[-1][1:] = [text, span]
            return
        self.entries.append(Entry((*self._steps(), *_tag(event)), text, span))
        self._next()

    def _begin(self, event: object) -> None:
        if not self._open:
            return
        top = self._open[-1]
        if top[0] and top[1] is None:
            top[1:] = ["?", _span(event)]
            return
        span = top[2] if isinstance(top[2], Span) else _first_character(event)
        self.entries.append(Entry(self._steps(), "", span))

    def _steps(self) -> Path:
        return tuple(str(each[1]) for each in self._open)

    def _next(self) -> None:
        if self._open:
            top = self._open[-1]
            top[1:] = [None, None] if top[0] else [int(str(top[1])) + 1, None]


def _tag(event: object) -> Path:
    """Return the short form of a function, `!Ref x`, as a step; what is no text must not match."""
    tag = str(getattr(event, "tag", None) or "")
    return (tag,) if tag.startswith("!") and tag != "!" else ()


def _span(event: object) -> Span:
    start, end = getattr(event, "start_mark"), getattr(event, "end_mark")  # noqa: B009 - untyped
    return Span(start.index, max(end.index, start.index))


def _first_character(event: object) -> Span:
    start = _span(event).start
    return Span(start, start + 1)
