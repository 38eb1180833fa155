"""Structured files read into units: a resource, a job, a service, each with its values by path."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.texts.entries import Entry, Path, Unit
from coai_agents.analysis.texts.hcl import terraform_units
from coai_agents.analysis.texts.lines import lines_unit
from coai_agents.analysis.texts.statements import statements_in
from coai_agents.analysis.texts.xml_events import xml_units
from coai_agents.analysis.texts.yaml_events import yaml_entries
from coai_agents.source import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        if name == "FROM" and words and words[0].lower() in names:
            name = "STAGE"
        if alias := re.search(r"\bas\s+(\S+)\s*$", each[2], re.IGNORECASE):
            names.add(alias[1].lower())
        units[-1].entries.append(Entry((name, str(number)), each[2], span))
    if units:
        units[-1].type = "final"
    return units


def make_ready(format_: str) -> None:
    """Load what a format is read with, so that the first file's time is not spent on it."""
    if format_ in _SPLIT or format_ in _BY_LINES:
        import_module("yaml")


def units_of(format_: str, text: str, masked: str, deadline: float) -> Iterator[Unit]:
    """Yield the units of a structured file; raises `UnreadableError` behind what could be read."""
    if format_ == "terraform" and text.lstrip().startswith("{"):
        for entries in yaml_entries(text, deadline):
            yield from _terraform_json(entries)
    elif format_ == "terraform":
        yield from terraform_units(masked, deadline)
    elif format_ == "dockerfile":
        yield from dockerfile_units(masked)
    elif format_ == "xml":
        yield from xml_units(text, deadline)
    elif format_ in _BY_LINES and not (format_ == "spring" and _IN_YAML.search(text)):
        yield lines_unit(text)
    else:
        split = _SPLIT.get(format_, _settings)
        if format_ == "kubernetes":
            text = without_actions(text)
        for entries in yaml_entries(text, deadline):
            yield from split(entries)


_ACTION: Final = re.compile(r"\{\{(?:[^{}\n]|\n(?=[^{}]{0,200}\}\}))*+\}\}")
"""What Helm puts into a manifest."""

_IN_YAML: Final = re.compile(r"^[\w.-]+:[ \t]*(?:#.*)?\n[ \t]+[\w.\"-]+:", re.MULTILINE)


_WIDEST: Final = 200
"""Characters before an action that decide whether its line is its own."""


def without_actions(text: str) -> str:
    """Return a chart's template as YAML of the same length.

    An action that has its line to itself leaves nothing; any other one becomes a variable.
    """
    return _ACTION.sub(_filler, text) if "{{" in text else text


def _filler(action: re.Match[str]) -> str:
    text, size = action.string, len(action[0])
    before = text[max(0, action.start() - _WIDEST) : action.start()].rpartition("\n")[2]
    ends = text[action.end() : action.end() + 1] in ("", "\n", "\r")
    if not before.strip() and ends:
        return re.sub(r"[^\n]", " ", action[0])
    return "$" + "h" * (size - 1)


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
            yield from statements_in(unit)
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


def _gitlab(entries: list[Entry]) -> Iterator[Unit]:
    yield _whole(entries, "pipeline")
    for _, unit in _grouped(entries, 1, ()):
        unit.type = "job"
        yield unit


_TASKS: Final = ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always")


def _ansible(entries: list[Entry]) -> Iterator[Unit]:
    """Yield plays and tasks: the items of the file's list and of lists of tasks within them."""
    units: dict[Path, Unit] = {}
    for each in entries:
        steps = [0, *(n + 1 for n, step in enumerate(each.path) if step in _TASKS)]
        at = next(
            (n for n in reversed(steps) if each.path[n : n + 1] and each.path[n].isdecimal()), None
        )
        if at is None or len(each.path) < at + 2:
            continue
        unit = units.setdefault(each.path[: at + 1], Unit("task", each.span))
        unit.entries.append(Entry(each.path[at + 1 :], each.text, each.span))
    yield from units.values()


def _settings(entries: list[Entry]) -> Iterator[Unit]:
    """Yield all of a file's values; dots in a key part steps, as Spring reads them."""
    dotted = [
        Entry(tuple(part for step in each.path for part in step.split(".")), each.text, each.span)
        for each in entries
    ]
    yield _whole(dotted, "settings")


_BY_LINES: Final = frozenset({"spring", "sshd", "phpini", "npmrc", "redis"})

_SPLIT: Final = {
    "ansible": _ansible,
    "gitlab": _gitlab,
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
