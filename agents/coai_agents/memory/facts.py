"""Semantic memory: what holds in a project, each fact with the place that it was read from.

A fact is used only if its place still says what it said; if the lines moved within the file it
moves with them, and if they are gone it is dropped.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from coai_agents.memory.store import Fact
from coai_agents.specialists.documentation.convention import shown_convention
from coai_agents.syntax.definitions import CLASSES, outline
from coai_agents.syntax.tree import parse
from coai_routing.workspace_files import UnsafeFileError, read_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from coai_agents.memory.store import Memory
    from coai_agents.source import Source
    from coai_agents.specialists.documentation.convention import Convention

MOST_BYTES: Final = 2_000_000
"""Of a file that a fact is read from."""
MOST_GLOSSARY: Final = 200
MOST_SENTENCE: Final = 240

DECISIONS: Final = ("docs/adr", "docs/decisions", "adr", "doc/adr", "docs/architecture/decisions")
"""Folders of architecture decision records, as M. Nygard proposed and adr-tools and MADR keep."""

_HEADING: Final = re.compile(r"^#\s+(?:\d+[.:]?\s+)?(.+)")
_STATUS: Final = re.compile(
    r"^\s*(?:\*?\s*status\s*:\s*)?\*{0,2}(accepted|proposed|superseded|deprecated|rejected)\b",
    re.IGNORECASE,
)
_MEANING: Final = re.compile(
    r"^\s*(?:[-*]\s+)?\*\*([^*\n]{2,60})\*\*\s*(?::|\u2014|\u2013|-)\s+(.{10,})"
)


# ---------------------------------------------------------------------- being used


def facts_for(memory: Memory, folder: Path, question: str, most: int = 5) -> list[Fact]:
    """Return the facts of a folder that a question touches and that still hold."""
    found: list[Fact] = []
    for fact in memory.facts_about(str(folder), question, most * 2):
        now = checked(fact, folder)
        if now is None:
            memory.forget(facts=[fact.id])
        elif len(found) < most:
            found.append(now)
    return found


def checked(fact: Fact, folder: Path) -> Fact | None:
    """Return a fact with the place where it stands now; None if its place says something else."""
    if not fact.path:
        return fact
    lines = _lines(folder / fact.path)
    if fact.line <= len(lines) and lines[fact.line - 1].strip() == fact.seen:
        return fact
    places = [number for number, line in enumerate(lines, 1) if line.strip() == fact.seen]
    return replace(fact, line=places[0]) if len(places) == 1 else None


def _lines(path: Path) -> list[str]:
    try:
        return read_file(path, MOST_BYTES).decode("utf-8", "replace").splitlines()
    except (OSError, UnsafeFileError):
        return []


# ----------------------------------------------------------------------- being read


def user_s(folder: Path, kind: str, text: str, path: str = "", line: int = 0) -> Fact:
    """Return a fact that the user says, with a place if there is one."""
    lines = _lines(folder / path) if path else []
    seen = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    return Fact(str(folder), kind, text, path if seen else "", line if seen else 0, seen)


def gathered(folder: Path, sources: Sequence[Source]) -> list[Fact]:
    """Return what a folder's files say of conventions, decisions and words; no model has a part."""
    return [
        *_conventions(folder, sources),
        *_settings(folder),
        *_decisions(folder),
        *_glossary(folder, sources),
    ]


def _relative(folder: Path, source: Source) -> str:
    path = source.path
    return "" if path is None else path.relative_to(folder).as_posix()


def _conventions(folder: Path, sources: Sequence[Source]) -> Iterator[Fact]:
    """Yield in which convention Python's documentation is written, where most of it shows one."""
    shown: dict[Convention, list[tuple[Source, int]]] = {}
    for source in sources:
        tree = parse(source) if source.language == "python" else None
        for each in () if tree is None else outline(tree):
            if each.documentation is None:
                continue
            convention = shown_convention(source.slice(each.documentation))
            if convention is not None:
                line = source.line_at(each.documentation.start)
                shown.setdefault(convention, []).append((source, line))
    if shown:
        convention = max(shown, key=lambda each: len(shown[each]))
        source, line = shown[convention][0]
        text = f"Docstrings are written in the {convention.value} convention."
        seen = source.line_text(line).strip()
        yield Fact(str(folder), "convention", text, _relative(folder, source), line + 1, seen)


def _settings(folder: Path) -> Iterator[Fact]:
    """Yield what the project's tools are told: line length, test runner, scripts."""
    lines = _lines(folder / "pyproject.toml")
    try:
        tool = cast("dict[str, Any]", tomllib.loads("\n".join(lines)).get("tool", {}))
    except tomllib.TOMLDecodeError:
        tool = {}
    length = tool.get("ruff", {}).get("line-length") or tool.get("black", {}).get("line-length")
    if isinstance(length, int):
        text = f"Lines of Python have at most {length} characters."
        yield from _placed(folder, "pyproject.toml", lines, "line-length", text)
    if "pytest" in tool:
        yield from _placed(folder, "pyproject.toml", lines, "[tool.pytest", "Tests run by pytest.")
    lines = _lines(folder / "package.json")
    try:
        scripts = json.loads("\n".join(lines) or "{}").get("scripts", {})
    except (ValueError, AttributeError, RecursionError):
        scripts = {}
    for name in ("test", "lint", "build"):
        if isinstance(scripts, dict) and isinstance(command := scripts.get(name), str):  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - JSON of the workspace
            text = f"`npm run {name}` runs `{command[:120]}`."
            yield from _placed(folder, "package.json", lines, f'"{name}"', text)


def _placed(folder: Path, path: str, lines: list[str], mark: str, text: str) -> Iterator[Fact]:
    for number, line in enumerate(lines, 1):
        if mark in line:
            yield Fact(str(folder), "convention", text, path, number, line.strip())
            return


def _decisions(folder: Path) -> Iterator[Fact]:
    """Yield the titles of decision records, with their status."""
    for name in DECISIONS:
        for path in sorted((folder / name).glob("*.md")):
            lines = _lines(path)
            titles = [
                (number, match[1].strip())
                for number, line in enumerate(lines, 1)
                if (match := _HEADING.match(line))
            ]
            status = next(
                (match[1].lower() for line in lines if (match := _STATUS.match(line))), ""
            )
            if titles:
                number, title = titles[0]
                text = f"{title} ({status})." if status else f"{title}."
                place = path.relative_to(folder).as_posix()
                yield Fact(str(folder), "decision", text, place, number, lines[number - 1].strip())


def _glossary(folder: Path, sources: Sequence[Source]) -> Iterator[Fact]:
    """Yield what words mean: those of a glossary, and public classes by their first sentence."""
    count = 0
    for path in (*sorted(folder.glob("docs/*lossary*.md")), *sorted(folder.glob("*LOSSARY*.md"))):
        for number, line in enumerate(_lines(path), 1):
            if match := _MEANING.match(line):
                text = f"{match[1]}: {match[2].strip()[:MOST_SENTENCE]}"
                place = path.relative_to(folder).as_posix()
                yield Fact(str(folder), "glossary", text, place, number, line.strip())
    for source in sources:
        tree = parse(source)
        for each in () if tree is None else outline(tree):
            if each.kind not in CLASSES or each.depth or each.name.startswith("_"):
                continue
            if each.documentation is None or count >= MOST_GLOSSARY:
                continue
            sentence = _first_sentence(source.slice(each.documentation))
            line = source.line_at(each.span.start)
            if sentence:
                count += 1
                yield Fact(
                    str(folder),
                    "glossary",
                    f"{each.name}: {sentence}",
                    _relative(folder, source),
                    line + 1,
                    source.line_text(line).strip(),
                )


def _first_sentence(documentation: str) -> str:
    text = " ".join(line.strip(" \t*/#\"'!") for line in documentation.splitlines()).strip()
    match = re.match(r"(.{10,}?[.!])(?:\s|$)", text)
    return "" if match is None else match[1][:MOST_SENTENCE]
