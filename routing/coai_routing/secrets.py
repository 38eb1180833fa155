"""Secrets in text: found by their form or by their place, and replaced.

`secrets.toml` says what they look like. Searching is cheap where there is nothing to find: a rule's
expression is tried only where one of its keywords stands, and most keywords are looked for only
next to long runs of letters and digits, of which code has few. Every repetition is bounded, so no
text, however it was made, takes longer than in proportion to its length.

What is found is what would do harm if it were seen. Names, references (`os.environ[...]`,
`${TOKEN}`) and stand-ins (`changeme`, `your-key-here`) are none.
"""

from __future__ import annotations

import fnmatch
import functools
import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from coai_routing.rule_files import read_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import PurePath

BUILTIN: Final = Path(__file__).with_name("secrets.toml")

MARKER: Final = "REDACTED"
"""What stands where a secret was. It is a word, so that it breaks neither strings nor addresses nor
lines of configuration, and it is no secret, so that redacting twice changes nothing."""

RUN: Final = 16
"""Characters that a run has at least for a token to be looked for in it."""

REACH: Final = 16
"""Characters before a run in which a token may begin."""

_PASSES: Final = 4
"""What is replaced may have hidden another secret; so often the rest is looked at again."""

_FEW: Final = 16
"""With fewer other characters than this, a value that has stand-in words in it is a stand-in."""

_WORD_LENGTH: Final = 3.0
"""Names are made of words and numbers of more than this mean length; random text is not."""

_RUN_CHARACTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+/-"
_RUNS: Final = bytes(ord("a") if byte in _RUN_CHARACTERS else ord(" ") for byte in range(256))
_LONG_RUN: Final = b"a" * RUN
_SEPARATORS: Final = "_+/-"
_LEADING: Final = frozenset(".=~:")
"""Characters of keywords that are none of a run."""
_DIGITS: Final = frozenset("0123456789")
_PIECES: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret in a text: the part that must not be seen, without what tells its kind."""

    kind: str
    """The rule that found it: `github-token`, `password`, ..."""
    start: int
    end: int
    """Code point offsets, the end exclusive."""


# ---------------------------------------------------------------------------------- rules as data


def _bounded(pattern: str) -> str:
    """Return the expression if it compiles and every repetition in it has a limit."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    bare = re.sub(r"\[\^?\]?[^\]]*\]", "c", re.sub(r"\\.", "c", pattern))
    if re.search(r"\*|(?<!\})\+|\{\d*,\}", bare):
        raise ValueError("a repetition without a limit")
    if unknown := compiled.groupindex.keys() - {"secret", "quote"}:
        raise ValueError(f"groups {sorted(unknown)} that mean nothing here")
    return pattern


def _finds_secret(pattern: str) -> str:
    if "secret" not in re.compile(pattern).groupindex:
        raise ValueError("no group `secret`")
    return pattern


_Expression = Annotated[str, Field(min_length=1), AfterValidator(_bounded)]
_Words = tuple[Annotated[str, Field(min_length=1, pattern=r"^[^A-Z]+$")], ...]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SecretRule(_Entry):
    """One kind of secret; `secrets.toml` says what each field means."""

    kind: str = Field(pattern=r"^[a-z0-9-]+$")
    title: str = Field(min_length=1)
    keywords: tuple[Annotated[str, Field(min_length=2)], ...] = Field(min_length=1)
    near: Literal["token", "text"] = "token"
    regex: Annotated[_Expression, AfterValidator(_finds_secret)]
    entropy: float = Field(default=0.0, ge=0.0, le=6.0)
    strict: bool = False
    digit: bool = False
    random: bool = False

    @functools.cached_property
    def expression(self) -> re.Pattern[str]:
        """The compiled expression, which begins where the keyword does."""
        return re.compile(self.regex, re.IGNORECASE if self.near == "text" else 0)


class Placeholders(_Entry):
    """What stands in the place of a secret and is none."""

    always: _Words
    strict: _Words
    whole: _Words
    reference: _Expression

    @functools.cached_property
    def _reference(self) -> re.Pattern[str]:
        return re.compile(self.reference)

    @functools.cached_property
    def _stand_in(self) -> re.Pattern[str]:
        longest_first = sorted(self.strict, key=lambda word: (-len(word), word))
        return re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)

    def obvious(self, value: str) -> bool:
        """Say whether a value of a secret's form says itself that it is none."""
        lower = value.lower()
        return any(word in lower for word in self.always)

    def likely(self, value: str) -> bool:
        """Say whether a value in a secret's place is a reference or a stand-in."""
        if value.lower() in self.whole or self._reference.match(value):
            return True
        rest, words = self._stand_in.subn("", value)
        return words > 0 and sum(map(str.isalnum, rest)) < _FEW


class SecretFiles(_Entry):
    """Which files hold secrets, by glob patterns in small letters."""

    names: _Words
    harmless: _Words
    directories: _Words
    tails: _Words

    @functools.cached_property
    def _harmless(self) -> re.Pattern[str]:
        return re.compile("|".join(map(fnmatch.translate, self.harmless)))

    @functools.cached_property
    def _names(self) -> re.Pattern[str]:
        return re.compile("|".join(map(fnmatch.translate, self.names)))

    def pattern_of(self, path: PurePath) -> str | None:
        """Return the pattern that a path matches; None if it is no file of secrets."""
        *folders, name = (part.lower() for part in path.parts) if path.parts else ("",)
        for directory in self.directories:
            if directory in folders:
                return f"{directory}/"
        joined = "/".join((*folders, name))
        for tail in self.tails:
            if fnmatch.fnmatchcase(joined, f"*/{tail}") or fnmatch.fnmatchcase(joined, tail):
                return tail
        if self._names.match(name) is None or self._harmless.match(name) is not None:
            return None
        return next(pattern for pattern in self.names if fnmatch.fnmatchcase(name, pattern))


class SecretRules(_Entry):
    """All that is known about secrets."""

    rules: tuple[SecretRule, ...] = Field(min_length=1)
    placeholders: Placeholders
    files: SecretFiles

    @functools.cached_property
    def _tokens(self) -> re.Pattern[str]:
        keywords = {k for rule in self.rules if rule.near == "token" for k in rule.keywords}
        return re.compile("|".join(map(re.escape, sorted(keywords, key=lambda k: (-len(k), k)))))

    @functools.cached_property
    def _by_token(self) -> dict[str, tuple[int, ...]]:
        return self._by_keyword("token")

    @functools.cached_property
    def _by_word(self) -> dict[str, tuple[int, ...]]:
        return self._by_keyword("text")

    def _by_keyword(self, near: Literal["token", "text"]) -> dict[str, tuple[int, ...]]:
        numbers: dict[str, tuple[int, ...]] = {}
        for number, rule in enumerate(self.rules):
            for keyword in rule.keywords if rule.near == near else ():
                numbers[keyword] = (*numbers.get(keyword, ()), number)
        return numbers

    def find(self, text: str) -> tuple[Secret, ...]:
        """Return the secrets of a text, in order and without overlaps."""
        spans = sorted({*self._in_tokens(text), *self._after_words(text)})
        apart: list[tuple[int, int, int]] = []
        for span in spans:
            while apart and span[0] < apart[-1][1]:
                span = _one_of(apart.pop(), span)  # noqa: PLW2901 - it grows by what it overlaps
            apart.append(span)
        return tuple(Secret(self.rules[number].kind, start, end) for start, end, number in apart)

    def _in_tokens(self, text: str) -> Iterator[tuple[int, int, int]]:
        runs = text.encode("ascii", "replace").translate(_RUNS)
        search, by_token = self._tokens.search, self._by_token
        end = 0
        while (start := runs.find(_LONG_RUN, end)) >= 0:
            reach = max(end, start - REACH)
            end = runs.find(b" ", start + RUN)
            end = len(runs) if end < 0 else end
            run = text[start:end]
            until = end
            if _DIGITS.isdisjoint(run):
                if run.islower() or run.strip(_SEPARATORS) == "":
                    continue  # words or a line: no form is without digits and capital letters
                if text[start - 1 : start] not in _LEADING:
                    # Nearly always a name in camel case; a token that has no digit begins here.
                    reach, until = start, start + REACH
            at = reach
            while (hit := search(text, at, until)) is not None:
                at = hit.start() + 1
                for number in by_token[hit[0]]:
                    found = self._try(text, hit.start(), number)
                    if found is not None:
                        at = max(at, found[1])
                        yield found

    def _after_words(self, text: str) -> Iterator[tuple[int, int, int]]:
        # The one character whose small form is longer than itself would move all that follows.
        lower = text.lower() if text.isascii() else text.replace("\u0130", "i").lower()
        for keyword, numbers in self._by_word.items():
            at = lower.find(keyword)
            while at >= 0:
                after = at + len(keyword)
                for number in numbers:
                    found = self._try(text, at, number)
                    if found is not None:
                        after = max(after, found[1])
                        yield found
                at = lower.find(keyword, after)

    def _try(self, text: str, at: int, number: int) -> tuple[int, int, int] | None:
        rule = self.rules[number]
        match = rule.expression.match(text, at)
        if match is None or not self._is_secret(rule, match["secret"]):
            return None
        return match.start("secret"), match.end("secret"), number

    def _is_secret(self, rule: SecretRule, value: str) -> bool:
        if self.placeholders.obvious(value) or entropy(value) < rule.entropy:
            return False
        if rule.strict and self.placeholders.likely(value):
            return False
        if rule.digit and _DIGITS.isdisjoint(value):
            return False
        return not (rule.random and _made_of_words(value))


def _one_of(first: tuple[int, int, int], second: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return what stands for two finds that overlap; `first` begins first.

    Where one lies in the other, that of the rule that stands first in the file: a token tells its
    own extent better than the place does. Otherwise both.
    """
    best = min(first, second, key=lambda span: span[2])
    if second[1] <= first[1] or first[0] == second[0]:
        return best
    return first[0], second[1], best[2]


def entropy(text: str) -> float:
    """Return Shannon's entropy in bits a character; 0 for an empty text."""
    length = len(text)
    return sum(n / length * math.log2(length / n) for n in Counter(text).values())


def _made_of_words(value: str) -> bool:
    pieces = _PIECES.findall(value)
    return not pieces or sum(map(len, pieces)) / len(pieces) > _WORD_LENGTH


def load_rules(path: Path = BUILTIN) -> SecretRules:
    """Read and validate rules. Raises SettingsError that names the file and the key."""
    return read_rules(path, SecretRules)


@functools.cache
def built_in() -> SecretRules:
    """Return COAI's own rules, read when first wanted."""
    return load_rules()


# ---------------------------------------------------------------------------------- what is asked


def find_secrets(text: str) -> tuple[Secret, ...]:
    """Return the secrets of a text, in order and without overlaps."""
    return built_in().find(text)


def redact(text: str) -> str:
    """Return the text with `MARKER` in the place of each secret.

    What tells a secret's kind stays (`ghp_REDACTED`), and so does every line end, so that lines
    keep their numbers. Redacting a redacted text changes nothing.
    """
    for _ in range(_PASSES):
        found = find_secrets(text)
        if not found:
            break
        text = "".join(_without(text, found))
    return text


def _without(text: str, secrets: Iterable[Secret]) -> Iterator[str]:
    at = 0
    for secret in secrets:
        yield text[at : secret.start]
        yield MARKER
        yield from _LINE_ENDS.findall(text, secret.start, secret.end)
        at = secret.end
    yield text[at:]


def secret_file_pattern(path: PurePath) -> str | None:
    """Return the built-in pattern by which a file holds secrets, or None.

    Only the path is looked at, in any case: `.env`, `id_rsa`, `*.pem`, anything in `.ssh`, ...
    Templates such as `.env.example` hold none.
    """
    return built_in().files.pattern_of(path)
