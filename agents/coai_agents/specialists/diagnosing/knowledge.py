"""What is known of error messages: data in `patterns/*.toml`, checked when it is read.

A pattern fits a problem by its language, its kind and its message; what the message names fills
the sentences. Of several that fit, the first in its file is meant, so the narrower ones come first.
"""

from __future__ import annotations

import re
import string
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from coai_agents.specialists.untrusted import one_line
from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coai_agents.specialists.diagnosing.problems import Problem

FOLDER: Final = Path(__file__).with_name("patterns")

_GROUP: Final = re.compile(r"\{(\w+)\}")
_NAME_CHARACTERS: Final = 80
_MESSAGE_CHARACTERS: Final = 2_000
_RELATED: Final = {
    "javascriptreact": "javascript",
    "typescriptreact": "typescript",
    "c": "cpp",
    "objective-c": "cpp",
    "objective-cpp": "cpp",
}
_ALSO: Final = {"typescript": ("javascript",), "javascript": ("typescript",)}
"""Whose messages a language's tools give as well."""


class PatternFileError(CoaiError):
    """A file of patterns is wrong; the message names the file and the pattern."""


class Pattern(BaseModel):
    """One kind of error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z][a-z0-9-]+$")
    kind: str = ""
    """The exception's type or the tool's code, as a regular expression; empty for any."""
    message: str = ""
    """A regular expression over the message; its named groups fill the sentences."""
    cause: str = Field(min_length=12)
    """Why it happens."""
    look: str = Field(min_length=8)
    """Where to look."""
    remedy: str = Field(min_length=8)
    """What to do."""
    example: str = Field(min_length=4)
    """What a tool writes; a test reads it and looks that this pattern is what fits."""

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if not self.kind and not self.message:
            raise ValueError("it fits everything: give `kind` or `message`")
        try:
            groups = re.compile(self.message).groupindex
            re.compile(self.kind)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        for text in (self.cause, self.look, self.remedy):
            unknown = {name for name in _GROUP.findall(text) if name not in groups}
            if unknown:
                raise ValueError(f"no such group in `message`: {', '.join(sorted(unknown))}")
        return self


@dataclass(frozen=True, slots=True)
class Known:
    """A pattern that fits a problem, and what the message names."""

    pattern: Pattern
    language: str
    names: dict[str, str]

    @property
    def cause(self) -> str:
        """Why it happens."""
        return self._filled(self.pattern.cause)

    @property
    def look(self) -> str:
        """Where to look."""
        return self._filled(self.pattern.look)

    @property
    def remedy(self) -> str:
        """What to do."""
        return self._filled(self.pattern.remedy)

    def _filled(self, text: str) -> str:
        return _GROUP.sub(lambda match: self.names.get(match[1]) or "it", text)


@cache
def patterns(folder: Path = FOLDER) -> dict[str, tuple[Pattern, ...]]:
    """Return the patterns by language; raises `PatternFileError`."""
    return {path.stem: tuple(_read(path)) for path in sorted(folder.glob("*.toml"))}


def _read(path: Path) -> Iterator[Pattern]:
    try:
        tables = tomllib.loads(path.read_text("utf-8")).get("patterns", [])
    except tomllib.TOMLDecodeError as error:
        raise PatternFileError(f"{path.name}: {error}.") from error
    seen: set[str] = set()
    for number, table in enumerate(tables, 1):
        try:
            pattern = Pattern.model_validate(table)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "pattern"
            name = table.get("id") or f"pattern {number}"
            raise PatternFileError(f"{path.name}: {name}: {where}: {first['msg']}.") from error
        if pattern.id in seen:
            raise PatternFileError(f"{path.name}: {pattern.id} is there twice.")
        seen.add(pattern.id)
        yield pattern


def known(problem: Problem) -> Known | None:
    """Return what is known of a problem itself, not of its causes; None if nothing is."""
    language = _RELATED.get(problem.language, problem.language)
    if language:
        languages = (language, *_ALSO.get(language, ()))
        return next(_fitting(problem, languages), None)
    # Without a language only what says something of kind and message tells which one it is.
    fitting = [each for each in _fitting(problem, tuple(patterns())) if each.pattern.kind]
    return next(iter([*(each for each in fitting if each.pattern.message), *fitting]), None)


def _fitting(problem: Problem, languages: Sequence[str]) -> Iterator[Known]:
    for name in languages:
        for pattern in patterns().get(name, ()):
            if (names := _fits(pattern, problem)) is not None:
                yield Known(pattern, name, names)


def _fits(pattern: Pattern, problem: Problem) -> dict[str, str] | None:
    kind = re.split(r"[.\\]|::", problem.kind)[-1]
    if pattern.kind and not re.fullmatch(pattern.kind, kind):
        return None
    match = re.search(pattern.message, problem.message[:_MESSAGE_CHARACTERS])
    if match is None:
        return None
    names: dict[str, str] = {}
    for group, text in match.groupdict().items():
        # `name` and `name2` are the same name in other tools' words.
        if text:
            names.setdefault(group.rstrip(string.digits), one_line(text, _NAME_CHARACTERS))
    return names
