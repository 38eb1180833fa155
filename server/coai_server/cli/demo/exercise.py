"""Where the demo types: a place in a document, and what a person would write there first.

A part of the code is held out, so that there is something to complete: of a sample the body of a
function, of the user's own file the last line of one. Files on disk stay as they are.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_agents.application.sources import read_text
from coai_agents.source import Source, Span, normal_language
from coai_agents.syntax import outline, parse
from coai_agents.syntax.definitions import FUNCTIONS
from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.syntax import Definition

SAMPLES: Final = "coai_server.cli.demo.samples"

PARSE_SECONDS: Final = 5.0
"""A whole file is parsed once, so it may take longer than between two keystrokes."""

_INDENTATION: Final = "    "

_FIRST_WORD: Final = re.compile(r"\W*\w+\W?")
_WORD: Final = re.compile(r"\w")


class DemoFileError(CoaiError):
    """The demo cannot be given in this file."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A file that comes with COAI, and the function in it that is written anew."""

    name: str
    file: str
    language: str
    function: str
    typed: str


@dataclass(frozen=True, slots=True)
class Exercise:
    """A document as it is opened, and what is typed in it before a model is asked."""

    name: str
    path: Path
    """Relative to the workspace folder, or absolute."""
    language: str
    text: str
    offset: int
    """Where the cursor is, in code points."""
    typed: str


@cache
def samples() -> tuple[Sample, ...]:
    """Return the samples that come with COAI."""
    listed = tomllib.loads(_packaged("samples.toml"))["samples"]
    return tuple(Sample(**entry) for entry in listed)


def _packaged(file: str) -> str:
    return resources.files(SAMPLES).joinpath(file).read_text(encoding="utf-8")


def exercise_of(sample: Sample) -> Exercise:
    """Hold out the body of a sample's function."""
    text = _packaged(sample.file)
    path = Path(sample.file)
    source = Source("untitled:sample", text, sample.language)
    chosen = _named(functions_of(source), sample.function)
    hole = _statements(source.text, chosen)
    return Exercise(
        f"{sample.file}: {sample.function}",
        path,
        sample.language,
        text[: hole.start] + text[hole.end :],
        hole.start,
        sample.typed,
    )


def exercise_in(path: Path, function: str | None) -> Exercise:
    """Hold out the last line of a function of the user's file, or of the first one that fits.

    Where there is no function, it is the file's last line. Nothing is held out of an empty body,
    nor where the file ends with indentation: somebody stopped writing there. Raises
    `DemoFileError` and `SourceFileError`.
    """
    text = read_text(path)
    language = normal_language("", path)
    source = Source(path.as_uri(), text, language)
    found = functions_of(source)
    name = path.name
    if function is not None:
        chosen = _named(found, function)
    else:
        chosen = next((each for each in found if _is_sensible(text, each)), None)
    if chosen is None:
        within = _rest_of_file(text)
    else:
        name = f"{path.name}: {chosen.qualified_name}"
        within = _statements(text, chosen)
    hole = _last_line(text, within)
    typed = _beginning(text[hole.start : hole.end])
    if chosen is not None and not len(hole):
        typed = _line_break(text, hole.start)
    rest = text[: hole.start] + text[hole.end :]
    return Exercise(name, path, language, rest, hole.start, typed)


def _rest_of_file(text: str) -> Span:
    last_line = text[text.rfind("\n") + 1 :]
    begun = bool(last_line) and last_line.isspace()
    return Span(len(text) if begun else 0, len(text))


def _line_break(text: str, offset: int) -> str:
    """Return what begins a new line in an empty body: after its documentation, or its bracket."""
    line = text[text.rfind("\n", 0, offset) + 1 : offset]
    indentation = line[: len(line) - len(line.lstrip())]
    return f"\n{indentation}{_INDENTATION if line.endswith('{') else ''}"


def functions_of(source: Source) -> tuple[Definition, ...]:
    """Return the functions of a file that have a body; none where its syntax is not known."""
    tree = parse(source, budget=PARSE_SECONDS)
    if tree is None:
        return ()
    return tuple(each for each in outline(tree) if each.kind in FUNCTIONS and each.body is not None)


def _named(functions: Sequence[Definition], name: str) -> Definition:
    for each in functions:
        if name in (each.qualified_name, each.name):
            return each
    known = [each.qualified_name for each in functions]
    close = difflib.get_close_matches(name, [*known, *(each.name for each in functions)], n=1)
    if close:
        remedy = f"Did you mean {close[0]}?"
    elif known:
        remedy = f"It has {', '.join(known[:10])}{' and more' if len(known) > 10 else ''}."  # noqa: PLR2004 - a line full
    else:
        remedy = "Leave --function out to complete at the end of the file."
    raise DemoFileError(f"There is no function {name!r} in the file.", remedy=remedy)


def _is_sensible(text: str, function: Definition) -> bool:
    """Say whether a function has a line to write anew, and one before it to go by."""
    statements = _statements(text, function)
    return "\n" in text[statements.start : statements.end]


def _statements(text: str, function: Definition) -> Span:
    """Return a function's body without brackets, documentation and the white space around it."""
    assert function.body is not None
    start, end = function.body.start, function.body.end
    if text[start : start + 1] == "{":
        start += 1
        end -= text[end - 1] == "}"
    documentation = function.documentation
    if documentation is not None and start <= documentation.start < end:
        start = documentation.end
    inside = text[start:end]
    leading = len(inside) - len(inside.lstrip())
    if leading == len(inside):
        return Span(start, start)
    return Span(start + leading, start + len(inside.rstrip()))


def _last_line(text: str, within: Span) -> Span:
    """Return the last line of a span that says something, without its indentation."""
    end = within.end
    while end > within.start:
        start = max(within.start, text.rfind("\n", 0, end) + 1)
        line = text[start:end]
        if _WORD.search(line):
            stripped = line.strip()
            begin = start + line.index(stripped)
            return Span(begin, begin + len(stripped))
        end = start - 1
    return Span(within.end, within.end)


def _beginning(line: str) -> str:
    """Return the first word of a line if something worth completing follows it."""
    first = _FIRST_WORD.match(line)
    if first is None or not _WORD.search(line[first.end() :]):
        return ""
    return first[0]
