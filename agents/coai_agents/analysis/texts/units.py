"""Structured files read into units: a resource, a job, a service, each with its values by path.

YAML and JSON come from PyYAML's events, which build nothing and expand no alias, so that a small
file cannot become a large one. Terraform and Dockerfiles have readers of their own, which know
blocks, values and instructions and nothing of expressions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Final

from coai_agents.source import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

DEEPEST: Final = 60
"""Levels of a document that are read."""

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A value, the path that leads to it, and where it is."""

    path: Path
    text: str
    span: Span


@dataclass(slots=True)
class Unit:
    """What a rule speaks of: its type, where a finding about what is missing goes, its values."""

    type: str
    span: Span
    entries: list[Entry] = field(default_factory=list["Entry"])
    any_case: bool = False
    """Whether large letters and small ones are the same in its type and paths: programs name in
    camel case what templates write as the vendor does."""


class UnreadableError(Exception):
    """The file is not what its name says; the message is for a note."""


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


_BLOCK: Final = re.compile(
    r'[ \t]*([A-Za-z_][\w-]*)((?:[ \t]+(?:"[^"\n]{0,200}"|[A-Za-z_][\w-]*))*)[ \t]*\{'
)
_VALUE: Final = re.compile(r'[ \t]*("[^"\n]{1,200}"|[A-Za-z_][\w-]*)[ \t]*[=:][ \t]*')
_HEREDOC: Final = re.compile(r"<<-?[ \t]*(\w+)")


def terraform_units(text: str) -> list[Unit]:
    """Return the resources, data sources, providers and variables of a masked Terraform file."""
    units: list[Unit] = []
    _hcl(text, 0, (), units, None)
    return units


def _hcl(text: str, at: int, path: Path, units: list[Unit], unit: Unit | None) -> int:
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
            at += 1
    return at


def _block(
    text: str, block: re.Match[str], path: Path, units: list[Unit], unit: Unit | None
) -> int:
    labels = re.findall(r"[\w.-]+", block[2])
    span = Span(block.start(1), block.end(2))
    if unit is None:
        named = labels[0] if block[1] in ("resource", "data") and labels else block[1]
        unit = Unit(named, span)
        units.append(unit)
        return _hcl(text, block.end(), (), units, unit)
    below = (*path, block[1])
    unit.entries.append(Entry(below, "", span))
    if len(path) > DEEPEST:
        return len(text)
    return _hcl(text, block.end(), below, units, unit)


def _value(
    text: str, value: re.Match[str], path: Path, units: list[Unit], unit: Unit | None
) -> int:
    name, start = value[1].strip('"'), value.end()
    below = (*path, name)
    if text.startswith("{", start) and unit is not None and len(path) < DEEPEST:
        unit.entries.append(Entry(below, "", Span(value.start(1), value.end(1))))
        return _hcl(text, start + 1, below, units, unit)
    end = _past_value(text, start)
    if unit is not None:
        said = text[start:end].strip()
        if said.count('"') == 2 and said[0] == said[-1] == '"':  # noqa: PLR2004 - its two quotes
            said = said[1:-1]
        unit.entries.append(Entry(below, said, Span(start, max(end, start))))
        # What is passed to `jsonencode({...})` is read as what it is: a value by its path.
        inner = re.match(r"jsonencode\s*\(\s*\{", text[start:end])
        if inner and len(path) < DEEPEST:
            _hcl(text[:end], start + inner.end(), below, units, unit)
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


_INSTRUCTION: Final = re.compile(
    r"^[ \t]*([A-Za-z]+)[ \t]+((?:[^\n]*\\[ \t]*\n)*[^\n]*)", re.MULTILINE
)


def dockerfile_units(text: str) -> list[Unit]:
    """Return the stages of a masked Dockerfile, each with its instructions; the last is `final`.

    Instructions before the first stage belong to it.
    """
    units: list[Unit] = []
    names: set[str] = set()
    for number, each in enumerate(_INSTRUCTION.finditer(text)):
        name, words = each[1].upper(), each[2].split()
        span = Span(each.start(1), each.end())
        if name == "FROM" or not units:
            units.append(Unit("stage", span))
        if name == "FROM" and words[0].lower() in names:
            name = "STAGE"
        if alias := re.search(r"\bas\s+(\S+)\s*$", each[2], re.IGNORECASE):
            names.add(alias[1].lower())
        units[-1].entries.append(Entry((name, str(number)), each[2], span))
    if units:
        units[-1].type = "final"
    return units


def units_of(format_: str, text: str, masked: str, deadline: float) -> Iterator[Unit]:
    """Yield the units of a structured file; raises `UnreadableError` behind what could be read."""
    if format_ == "terraform" and text.lstrip().startswith("{"):
        for entries in yaml_entries(text, deadline):
            yield from _terraform_json(entries)
    elif format_ == "terraform":
        yield from terraform_units(masked)
    elif format_ == "dockerfile":
        yield from dockerfile_units(masked)
    else:
        for entries in yaml_entries(text, deadline):
            yield from _SPLIT[format_](entries)


def _terraform_json(entries: list[Entry]) -> Iterator[Unit]:
    """Yield resources and data sources of Terraform's JSON, in which blocks may be lists."""
    units: dict[Path, Unit] = {}
    for each in entries:
        head, inside = each.path[:3], each.path[3:]
        if len(head) == 3 and head[0] in ("resource", "data"):  # noqa: PLR2004 - kind, type, name
            unit = units.setdefault(head, Unit(head[1], each.span))
            steps = tuple(step for step in inside if not step.isdecimal())
            if steps:
                unit.entries.append(Entry(steps, each.text, each.span))
    yield from units.values()


def _cloudformation(entries: list[Entry]) -> Iterator[Unit]:
    # The Serverless Framework has the whole template below `resources`.
    if any(each.path[:2] == ("resources", "Resources") for each in entries):
        entries = [
            Entry(each.path[1:], each.text, each.span)
            for each in entries
            if each.path[0] == "resources" and len(each.path) > 1
        ]
    types = {
        each.path[1]: each
        for each in entries
        if len(each.path) == 3 and each.path[0] == "Resources" and each.path[2] == "Type"  # noqa: PLR2004 - Resources, its name, Type
    }
    for name, unit in _grouped(entries, 2, ("Resources",)):
        if name in types:
            unit.type, unit.span = types[name].text, types[name].span
            yield unit
    yield _whole(entries, "template")


def _compose(entries: list[Entry]) -> Iterator[Unit]:
    for _, unit in _grouped(entries, 2, ("services",)):
        unit.type = "service"
        yield unit


def _workflow(entries: list[Entry]) -> Iterator[Unit]:
    yield _whole(entries, "workflow")
    for _, unit in _grouped(entries, 2, ("jobs",)):
        unit.type = "job"
        yield unit
    yield from _listed(entries, {"steps": "step"})


def _kubernetes(entries: list[Entry]) -> Iterator[Unit]:
    kind = next((each.text for each in entries if each.path == ("kind",)), "")
    yield _whole(entries, kind)
    yield from _listed(entries, {"containers": "container", "initContainers": "container"})


_SPLIT: Final = {
    "cloudformation": _cloudformation,
    "compose": _compose,
    "kubernetes": _kubernetes,
    "workflow": _workflow,
}


def _whole(entries: list[Entry], type_: str) -> Unit:
    span = entries[0].span if entries else Span(0, 0)
    return Unit(type_, span, entries)


def _grouped(entries: list[Entry], size: int, head: Path) -> Iterator[tuple[str, Unit]]:
    """Yield what lies below `head`, by the name that follows it."""
    units: dict[str, Unit] = {}
    for each in entries:
        if each.path[: len(head)] != head or len(each.path) < size:
            continue
        unit = units.setdefault(each.path[size - 1], Unit("", each.span))
        if len(each.path) > size:
            unit.entries.append(Entry(each.path[size:], each.text, each.span))
    yield from units.items()


def _listed(entries: list[Entry], lists: dict[str, str]) -> Iterator[Unit]:
    """Yield the items of lists of these names, wherever they are."""
    units: dict[Path, Unit] = {}
    for each in entries:
        at = next((n for n, step in enumerate(each.path) if step in lists), None)
        if at is None or len(each.path) < at + 2:
            continue
        unit = units.setdefault(each.path[: at + 2], Unit(lists[each.path[at]], each.span))
        unit.entries.append(Entry(each.path[at + 2 :], each.text, each.span))
    yield from units.values()
