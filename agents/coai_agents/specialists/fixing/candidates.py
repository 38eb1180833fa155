"""Fixes that need no model: what is known of an error names the edit."""

from __future__ import annotations

import builtins
import re
import sys
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_agents.fixes.imports import import_of
from coai_agents.source import Edit, Span
from coai_agents.specialists.diagnosing.knowledge import known
from coai_agents.syntax.language import GRAMMARS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.source import Source
    from coai_agents.specialists.diagnosing.problems import Frame, Problem

IMPORTS: Final = Path(__file__).with_name("imports.toml")

SIMILAR: Final = 0.75
"""How alike two names have to be, by difflib's ratio, for one to be the other misspelt."""
MOST_SIMILAR: Final = 3

_WORD: Final = re.compile(r"[^\W\d]\w*")
_NAMES: Final = frozenset(
    {
        "constant",
        "forgotten-import",
        "suggested-name",
        "symbol",
        "undeclared",
        "undefined",
        "undefined-name",
        "unknown-name",
        "unresolved-name",
        "wrong-name-suggested",
    }
)
"""The patterns that say that a name is not there."""
_MEMBERS: Final = frozenset(
    {
        "attribute-suggested",
        "missing-attribute",
        "module-attribute",
        "no-member",
        "no-method",
        "not-a-function",
        "unknown-property",
    }
)
"""The patterns that say that what stands behind a dot is not there."""
_CONDITION: Final = re.compile(r"^(\s*(?:if|elif|while)\b[^=:]*[^=!<>:\s])\s*=\s*(?=[^=])")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A change that may help; whether it does is for a check or a test to say."""

    title: str
    edits: tuple[Edit, ...]
    by: str
    """Who proposes it: a known error, a rule, a model."""
    from_model: bool = False


@cache
def _imports() -> dict[str, dict[str, str]]:
    return tomllib.loads(IMPORTS.read_text("utf-8"))


def known_fixes(source: Source, problem: Problem) -> Iterator[Candidate]:
    """Yield what may fix a problem in a file, the likeliest first."""
    fact = known(problem)
    frame = problem.frames[0] if problem.frames else None
    if fact is None or frame is None or not 1 <= frame.line <= source.line_count:
        return
    by = f"known error {fact.pattern.id}"
    name = fact.names.get("name", "").rpartition(".")[2]
    if fact.pattern.id in _NAMES and name:
        yield from _missing_name(source, frame, name, fact.names.get("other", ""), by)
    elif fact.pattern.id in _MEMBERS and name:
        yield from _renamed(source, frame, name, fact.names.get("other", ""), by, behind=True)
    elif fact.pattern.id == "unused-import":
        yield from _without_line(source, frame, "Remove the import", by)
    elif fact.pattern.id == "expected-colon":
        end = _code_end(source, frame.line - 1)
        yield Candidate("Add the colon", (Edit(Span(end, end), ":"),), by)
    elif fact.pattern.id == "assignment-for-comparison":
        line = source.line_text(frame.line - 1)
        if match := _CONDITION.match(line):
            start = source.line_start(frame.line - 1)
            edit = Edit(Span(start + match.end(1), start + match.end()), " == ")
            yield Candidate("Compare instead of assigning", (edit,), by)
    elif fact.pattern.id == "print-statement":
        yield from _print(source, frame, by)


def _missing_name(
    source: Source, frame: Frame, name: str, other: str, by: str
) -> Iterator[Candidate]:
    # What the tool itself suggests goes first, then an import, then what the file has.
    if other:
        yield from _renamed(source, frame, name, other, by)
    need = _need(source, name)
    edits = None if need is None else import_of(source, need)
    if edits:
        yield Candidate(f"Import {name}", edits, by)
    yield from _renamed(source, frame, name, "", by)


def _need(source: Source, name: str) -> str | None:
    language = {"typescript": "javascript", "tsx": "javascript"}.get(
        GRAMMARS.get(source.language, ""), GRAMMARS.get(source.language, "")
    )
    if language == "python" and name in sys.stdlib_module_names and not name.startswith("_"):
        # `datetime.datetime` and `datetime(...)` want different imports.
        if re.search(rf"\b{re.escape(name)}\.\w", source.text):
            return name
        return _imports()["python"].get(name, name)
    return _imports().get(language, {}).get(name)


def _renamed(
    source: Source, frame: Frame, name: str, other: str, by: str, *, behind: bool = False
) -> Iterator[Candidate]:
    """Write another name in the line: what is suggested, or what the file has and is alike."""
    start = source.line_start(frame.line - 1)
    before = r"(?<=\.)" if behind else r"(?<![\w.])"
    places = [
        Span(start + match.start(), start + match.end())
        for match in re.finditer(rf"{before}{re.escape(name)}\b", source.line_text(frame.line - 1))
    ]
    if not places:
        return
    near = [other] if other else _similar(source, name)
    for each in near:
        edits = tuple(Edit(place, each) for place in places)
        yield Candidate(f"Write {each} instead of {name}", edits, by)


def _similar(source: Source, name: str) -> list[str]:
    words = set(_WORD.findall(source.text)) - {name}
    if source.language == "python":
        words |= {each for each in dir(builtins) if not each.startswith("_")}
    return get_close_matches(name, sorted(words), n=MOST_SIMILAR, cutoff=SIMILAR)


def _without_line(source: Source, frame: Frame, title: str, by: str) -> Iterator[Candidate]:
    line = frame.line - 1
    text = source.line_text(line).strip()
    # One name among several of one statement is not all of the line.
    if not re.fullmatch(r"(?:import )?[\w.]+|from [\w.]+ import \w+|(?:import )?\"[^\"]+\"", text):
        return
    end = source.line_start(line + 1) if line + 1 < source.line_count else len(source.text)
    yield Candidate(title, (Edit(Span(source.line_start(line), end), ""),), by)


def _code_end(source: Source, line: int) -> int:
    """Return the offset behind a line's code: before a comment and blanks at its end."""
    text = source.line_text(line)
    code = re.match(r"(?:[^#'\"]|'[^']*'|\"[^\"]*\")*", text)
    kept = text if code is None or text[code.end() : code.end() + 1] != "#" else code[0]
    return source.line_start(line) + len(kept.rstrip())


def _print(source: Source, frame: Frame, by: str) -> Iterator[Candidate]:
    text = source.line_text(frame.line - 1)
    match = re.fullmatch(r"(\s*)(print|exec) +(.+?)\s*", text)
    if match is not None:
        start, end = source.line_start(frame.line - 1), source.line_end(frame.line - 1)
        edit = Edit(Span(start, end), f"{match[1]}{match[2]}({match[3]})")
        yield Candidate("Put brackets around it", (edit,), by)
