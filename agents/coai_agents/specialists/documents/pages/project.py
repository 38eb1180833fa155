"""What a project says of itself, read from its manifests and its readme as data."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict

from coai_agents.specialists.documents.pages.page import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

KNOWN: Final = Path(__file__).with_name("manifests.toml")

READMES: Final = ("README.md", "README.rst", "README.txt", "README", "readme.md", "Readme.md")
MOST_COMMANDS: Final = 30
MOST_VALUE: Final = 300

_NO_PROSE: Final = re.compile(r"^\s*(?:[#=<|>*+\-~`!]|\[!|\.\. |:\w+:|\d+[.)]\s|\[[^\]]*\]:)")
_LINK: Final = re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_FENCE: Final = re.compile(r"^\s*(?:```|~~~)")


class Manifest(BaseModel):
    """Where a kind of manifest says what; `manifests.toml` says what each key means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    form: Literal["toml", "json", "text"]
    name: tuple[str, ...] = ()
    version: tuple[str, ...] = ()
    description: tuple[str, ...] = ()
    needs: str = ""
    needed: tuple[str, ...] = ()
    install: str = ""
    commands: tuple[str, ...] = ()
    """Tables of programs that are installed: their names, and what they start."""
    tasks: tuple[str, ...] = ()
    """Tables of what a tool runs by name, beside."""
    task: str = ""
    """The tool's command, before the name of a task."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project in its own words; empty where nothing says them."""

    name: str = ""
    version: str = ""
    summary: str = ""
    install: tuple[Entry, ...] = ()
    commands: tuple[Entry, ...] = ()


@cache
def manifests() -> tuple[Manifest, ...]:
    """Return the kinds of manifests that are known."""
    table = tomllib.loads(KNOWN.read_text(encoding="utf-8"))
    return tuple(Manifest(**each) for each in table["manifests"])


def project_of(read: Callable[[str], str | None]) -> Project:
    """Return what a folder's manifests and readme say; `read` gives a file's text, or None."""
    found = Project()
    for kind in manifests():
        text = read(kind.file)
        value = None if text is None else _read(kind, text)
        if value is None:
            continue
        one = _of(kind, value)
        found = Project(
            found.name or one.name,
            found.version or one.version,
            found.summary or one.summary,
            (*found.install, *one.install),
            (*found.commands, *one.commands),
        )
    if found.summary:
        return found
    said = next((text for name in READMES if (text := read(name))), "")
    return replace(found, summary=first_paragraph(said))


def first_paragraph(readme: str) -> str:
    """Return a readme's first paragraph of prose: no heading, badge, list, table or code."""
    kept: list[str] = []
    fenced = False
    for line in readme.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        plain = _LINK.sub(r"\1", line).strip()
        prose = plain and not fenced and not _NO_PROSE.match(line) and not line.startswith("    ")
        if prose:
            kept.append(plain)
        elif kept and set(line.strip()) <= set("=-~^"):
            if not line.strip():
                break
            kept.clear()  # It was a heading, underlined.
        elif kept:
            break
    return " ".join(kept)[:MOST_VALUE]


def _read(kind: Manifest, text: str) -> object:
    """Return a manifest as a table, or its text; None where it is broken."""
    try:
        if kind.form == "toml":
            return tomllib.loads(text)
        return json.loads(text) if kind.form == "json" else text
    except (ValueError, RecursionError):
        return None


def _of(kind: Manifest, value: object) -> Project:
    needed = _text(value, kind.needed)
    install = [Entry(kind.needs, needed, kind.file)] if needed else []
    if kind.install:
        install.append(Entry(kind.install, "", kind.file))
    commands = [
        Entry(name, f"Starts `{starts}`." if starts else "", kind.file)
        for path in kind.commands
        for name, starts in _pairs(_at(value, path), _text(value, kind.name))
    ]
    commands += [
        Entry(f"{kind.task} {name}", f"Runs `{runs}`." if runs else "", kind.file)
        for path in kind.tasks
        for name, runs in _pairs(_at(value, path), "")
    ]
    return Project(
        _text(value, kind.name),
        _text(value, kind.version),
        _text(value, kind.description),
        tuple(install),
        tuple(commands[:MOST_COMMANDS]),
    )


def _text(value: object, ways: Iterable[str]) -> str:
    for way in ways:
        found: object
        if isinstance(value, str):
            match = re.search(way, value[:100_000])
            found = None if match is None else match[1]
        else:
            found = _at(value, way)
        if isinstance(found, str) and found.strip():
            return _line(found)
    return ""


def _line(text: str) -> str:
    return " ".join(text.split())[:MOST_VALUE].replace("`", "'")


def _at(value: object, path: str) -> object:
    for key in path.split("."):
        value = cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None
    return value


def _pairs(value: object, own: str) -> Iterator[tuple[str, str]]:
    """Yield names and what they start, of a table, of one text, or of a list of either."""
    if isinstance(value, str):
        yield own.rpartition("/")[2] or _line(value), _line(value)
    elif isinstance(value, dict):
        for name, starts in cast("dict[str, object]", value).items():
            if isinstance(starts, str):
                yield _line(name), _line(starts)
            elif isinstance(starts, list):
                some = [each for each in cast("list[object]", starts) if isinstance(each, str)]
                yield _line(name), _line(" && ".join(some))
    elif isinstance(value, list):
        for each in cast("list[object]", value):
            if isinstance(each, dict):
                name = cast("dict[str, object]", each).get("name")
                if isinstance(name, str):
                    yield _line(name), ""
            elif isinstance(each, str):
                yield _line(each), ""
