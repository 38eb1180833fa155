r"""Git's ignore patterns: what a file of them says of one path.

The format is gitignore(5), read as git 2.39's `dir.c` and `wildmatch.c` do; a property test
compares it with `git check-ignore`. A pattern speaks of the very path that it matches. That what is
in an ignored directory is ignored too, and that nothing in there can be brought back, is for
`judge` to say, which goes from the top of a path to its end as git does.

Differences: paths are text and not bytes, so that `?` stands for one character whatever its
encoding; and `**` that does not stand between slashes is always the same as `*`, as the manual has
it, where git makes an exception after text without wildcards.

Letters that Unicode can write in several ways are the same in all of them (normal form C), as file
systems take them.

Patterns come from a workspace that nobody trusts, so everything about them has a limit. Matching
takes time in proportion to pattern times path, whatever the pattern: wildcards take the first match
and never come back to it, except for the last one, which is right because each part between two
wildcards has a fixed length. What a whole list costs for a path is known before it is matched. A
list that has too many patterns, or too long ones, raises `PatternsError`: half of what somebody
excludes is not what they exclude.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_PATTERNS: Final = 4096
"""Patterns of one file or setting. The longest templates that are collected for git have 2,000."""

LONGEST_PATTERN: Final = 1024
"""Characters; no file system takes a longer name, and no path that people write is longer."""

MOST_WORK: Final = 50_000_000
"""Comparisons of characters that judging one path may take at most: half a second of matching. A
thousand patterns with wildcards and a path of eight folders come to a fifth of it."""

_CLASSES: Final = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
    "space": r" \t\n\r\f\v",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}
"""POSIX character classes, for ASCII."""

LAST: Final = -1
"""The key of an ignore file that is asked when no other one says anything."""

_STAR: Final = "*"
_SLASH: Final = "/"
_ANY_DEPTH: Final = None
"""A segment `**`, which stands for any number of directories."""


class PatternsError(ValueError):
    """Patterns that are more, or longer, than anybody writes; the message is the reason."""


@dataclass(frozen=True)
class Segment:
    """What a pattern says of one part of a path."""

    tokens: tuple[str, ...]
    """`*`, or an expression for one character each."""
    ignore_case: bool

    @property
    def cost(self) -> int:
        """Comparisons for each character of a name, at most."""
        return len(self.tokens) if _STAR in self.tokens else 1

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        # Compiled when a name is first held against it: most patterns never are.
        flags = re.DOTALL | (re.IGNORECASE if self.ignore_case else 0)
        return re.compile(_expression(self.tokens), flags)

    def fits(self, name: str) -> bool:
        """Say whether a name is what the segment says."""
        return self._expression.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class IgnorePattern:
    """One line of an ignore file."""

    text: str
    """The line as it was written, without its line end."""
    negated: bool
    """Whether it takes back what an earlier line says."""
    directories_only: bool
    by_name: bool
    """Whether it speaks of a name in any directory below the file, and not of a path."""
    segments: tuple[Segment | None, ...]
    """One for each part of the path; None stands for any number of them."""

    @property
    def cost(self) -> int:
        """Comparisons for each character of a path, at most."""
        return sum(1 if segment is None else segment.cost for segment in self.segments)

    def matches(self, parts: Sequence[str], *, is_directory: bool) -> bool:
        """Say whether a path, relative to the file's directory, is what the pattern names."""
        if self.directories_only and not is_directory:
            return False
        if self.by_name:
            segment = self.segments[0]
            return segment is None or segment.fits(parts[-1])
        return _match_segments(self.segments, parts)


@dataclass(frozen=True, slots=True)
class IgnoreFile:
    """The patterns of one file, or of a setting."""

    name: str
    """What a user calls it: the file's path, or the setting's name."""
    patterns: tuple[IgnorePattern, ...]
    cost: int = field(default=0, compare=False)
    """Comparisons for each character of a path, at most."""

    @classmethod
    def of(cls, name: str, patterns: Iterable[IgnorePattern]) -> IgnoreFile:
        """Put patterns together."""
        kept = tuple(patterns)
        return cls(name, kept, sum(pattern.cost for pattern in kept))

    def verdict(self, parts: Sequence[str], *, is_directory: bool) -> IgnorePattern | None:
        """Return the last pattern that matches a path relative to the file's directory."""
        for pattern in reversed(self.patterns):
            if pattern.matches(parts, is_directory=is_directory):
                return pattern
        return None


def parse_ignore_file(name: str, text: str, *, ignore_case: bool = False) -> IgnoreFile:
    """Read an ignore file's text. Lines that can never match are left out, as git does.

    Raises PatternsError if there are too many, or one that is too long.
    """
    lines = text.removeprefix("\ufeff").split("\n")
    found: list[IgnorePattern] = []
    for number, line in enumerate(lines, start=1):
        if len(line) > LONGEST_PATTERN:
            raise PatternsError(f"line {number} has more than {LONGEST_PATTERN:,} characters")
        pattern = parse_line(normal(line.removesuffix("\r")), ignore_case=ignore_case)
        if pattern is not None:
            found.append(pattern)
        if len(found) > MOST_PATTERNS:
            raise PatternsError(f"it has more than {MOST_PATTERNS:,} patterns")
    return IgnoreFile.of(name, found)


def normal(text: str) -> str:
    """Return a text in Unicode's normal form C."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def work(parts: Sequence[str], files: Iterable[IgnoreFile]) -> int:
    """Return how many comparisons judging a path by ignore files takes at most."""
    characters = sum(len(part) + 1 for part in parts)
    return sum(file.cost for file in files) * characters * len(parts)


def judge(parts: Sequence[str], files: Mapping[int, IgnoreFile]) -> tuple[IgnoreFile, str] | None:
    """Return the file and the pattern that exclude a path, or None.

    `parts` leads from a top directory to a file, `files` has the ignore files by the number of
    parts that their directory is below the top; `LAST` is one at the top that the others overrule.
    Deeper files go first. An excluded directory excludes all that is in it.

    Raises PatternsError if that would take too long.
    """
    if work(parts, files.values()) > MOST_WORK:
        raise PatternsError("they would take too long to match")
    parts = [normal(part) for part in parts]
    for level in range(1, len(parts) + 1):
        is_directory = level < len(parts)
        for depth in range(level - 1, LAST - 1, -1):
            file = files.get(depth)
            if file is None:
                continue
            pattern = file.verdict(parts[max(0, depth) : level], is_directory=is_directory)
            if pattern is None:
                continue
            if not pattern.negated:
                return file, pattern.text
            break
    return None


def _match_segments(segments: Sequence[Segment | None], parts: Sequence[str]) -> bool:
    """Match a path part by part; of several places for what is between two `**`, the first."""
    at = place = 0
    retry: tuple[int, int] | None = None
    while place < len(parts):
        if at < len(segments) and segments[at] is _ANY_DEPTH:
            if at + 1 == len(segments):
                return True  # `a/**` is everything in `a`, but not `a`
            retry = (at + 1, place)
            at += 1
        elif at < len(segments) and _fits(segments[at], parts[place]):
            at += 1
            place += 1
        elif retry is not None:
            at, place = retry[0], retry[1] + 1
            retry = (at, place)
        else:
            return False
    return at == len(segments)


def _fits(segment: Segment | None, part: str) -> bool:
    return segment is not None and segment.fits(part)


@lru_cache(maxsize=4096)
def parse_line(line: str, *, ignore_case: bool = False) -> IgnorePattern | None:
    """Read one line; None for blank lines, comments and what can never match."""
    if line.startswith("#"):
        return None
    text = _without_trailing_blanks(line)
    negated = text.startswith("!")
    body = text[1:] if negated else text
    directories_only = body.endswith(_SLASH)
    if directories_only:
        body = body[:-1]
    if not body:
        return None
    tokens = _tokens(body)
    if tokens is None:
        return None
    by_name = _SLASH not in body
    if not by_name and tokens[0] == _SLASH:
        tokens = tokens[1:]
    segments: list[Segment | None] = []
    for segment in _split(tokens, _SLASH):
        if segment and len(segment) > 1 and all(token == _STAR for token in segment):
            if not segments or segments[-1] is not _ANY_DEPTH:
                segments.append(_ANY_DEPTH)
        else:
            segments.append(Segment(tuple(segment), ignore_case))
    return IgnorePattern(text, negated, directories_only, by_name, tuple(segments))


def _without_trailing_blanks(line: str) -> str:
    r"""Drop blanks at the end that no backslash protects."""
    end = len(line)
    while end and line[end - 1] == " ":
        end -= 1
    backslashes = end - len(line[:end].rstrip("\\"))
    return line[: end + 1] if backslashes % 2 and end < len(line) else line[:end]


def _tokens(body: str) -> list[str] | None:
    r"""Return a pattern's tokens: `*`, `/`, and expressions for one character each.

    None for what is never matched: a bracket or an escape without its end.
    """
    tokens: list[str] = []
    at = 0
    while at < len(body):
        character = body[at]
        at += 1
        if character in (_STAR, _SLASH):
            tokens.append(character)
        elif character == "?":
            tokens.append(".")
        elif character == "\\":
            if at == len(body):
                return None
            escaped = body[at]
            tokens.append(_SLASH if escaped == _SLASH else re.escape(escaped))
            at += 1
        elif character == "[":
            bracket = _bracket(body, at)
            if bracket is None:
                return None
            expression, at = bracket
            tokens.append(expression)
        else:
            # An escaped star or slash must not be taken for a wildcard or a separator.
            tokens.append(re.escape(character))
    return tokens


def _bracket(body: str, at: int) -> tuple[str, int] | None:
    """Return the expression for a bracket whose inside begins at `at`, and where it ends."""
    negated = body[at : at + 1] in ("!", "^")
    at += negated
    items: list[str] = []
    previous = ""
    first = True
    while at < len(body) and (first or body[at] != "]"):
        first = False
        character, low = body[at], previous
        if character == "[" and body.startswith("[:", at):
            named = _named_class(body, at)
            if named is None:
                return None
            if named[0]:
                items.append(named[0])
                previous, at = "", named[1]
                continue
        is_range = character == "-" and low and body[at + 1 : at + 2] not in ("", "]")
        if is_range:
            at += 1
            character = body[at]
        if character == "\\":
            at += 1
            if at == len(body):
                return None
            character = body[at]
        at += 1
        if not is_range:
            items.append(re.escape(character))
            previous = character
            continue
        previous = ""
        if low <= character:
            items.append(f"{re.escape(low)}-{re.escape(character)}")
    if at >= len(body):
        return None
    return f"[{'^' if negated else ''}{''.join(items)}]", at + 1


def _named_class(body: str, at: int) -> tuple[str, int] | None:
    """Return a class such as `[:digit:]` and its end; nothing if it is none, None if unknown."""
    end = body.find("]", at + 2)
    if end < 0:
        return None
    if end - 1 < at + 2 or body[end - 1] != ":":
        return "", at
    characters = _CLASSES.get(body[at + 2 : end - 1])
    return None if characters is None else (characters, end + 1)


def _split(tokens: Sequence[str], separator: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token == separator:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _expression(segment: Sequence[str]) -> str:
    """Return the expression for one part of a path; what is between two stars matches early."""
    first, *rest = _split(segment, _STAR)
    expression = "".join(first)
    if not rest:
        return expression
    *middle, last = rest
    for chunk in middle:
        if chunk:
            expression += f"(?>.*?{''.join(chunk)})"
    return f"{expression}.*{''.join(last)}"
