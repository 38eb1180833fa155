"""Secrets in text: found by their form or by their place, and replaced.

`secrets.toml` says what they look like. Searching is cheap where there is nothing to find: a form
is tried only where its first characters stand, and most are looked for only next to long runs of
letters and digits, of which code has few. Every repetition is bounded, so no text, however it was
made, takes longer than in proportion to its length.

What is found is what would do harm if it were seen. Names, references (`os.environ[...]`,
`${TOKEN}`) and stand-ins (`changeme`, `your-key-here`) are none.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import Field

from coai_routing.privacy.secret_assignments import Assignments
from coai_routing.privacy.secret_forms import Entry, SecretRule, any_of, expression_of
from coai_routing.privacy.secret_judging import Confidence, Judge
from coai_routing.privacy.secret_names import Names  # noqa: TC001 - pydantic reads the annotation
from coai_routing.privacy.secret_values import Placeholders, Words, decoded, entropy
from coai_routing.rule_files import read_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BUILTIN: Final = Path(__file__).with_name("secrets.toml")

MARKER: Final = "REDACTED"
"""What stands where a secret was. It is a word, so that it breaks neither strings nor addresses nor
lines of configuration, and it is no secret, so that redacting twice changes nothing."""

RUN: Final = 16
"""Characters that a run has at least for a token to be looked for in it."""

REACH: Final = 40
"""Characters before a run in which a token may begin."""

AROUND: Final = 8_192
"""Characters around a part that its secrets may need to be recognised: a key is so long."""

ENCODED: Final = 24
"""Characters of base64 that a run has at least to be decoded."""

_PASSES: Final = 4
"""What is replaced may have hidden another secret; so often the rest is looked at again."""

_RUN_CHARACTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+/-"
_RUNS: Final = bytes(ord("a") if byte in _RUN_CHARACTERS else ord(" ") for byte in range(256))
_LONG_RUN: Final = b"a" * RUN
_DIGITS: Final = frozenset("0123456789")
_LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")
_SIDES: Final = r"[A-Za-z0-9_.:/=~+-]"
_BETWEEN: Final = r"[ \t\r\n+.&|~\\]{0,120}+[fbruL@]{0,2}"
_SEAM: Final = re.compile(
    rf"[\"'`](?P<first>{_SIDES}{{2,120}}+)(?P<seam>[\"'`]{_BETWEEN}[\"'`](?={_SIDES}{{2}}))"
)
"""Two literals side by side, the first of which may be the beginning of a token."""
_CONTINUED: Final = re.compile(rf"(?P<seam>\\\r?\n[ \t]{{0,80}}+(?={_SIDES}{{2}}))")
_SEAMS: Final = re.compile(
    rf"(?<={_SIDES})(?:[\"'`]{_BETWEEN}[\"'`]|\\\r?\n[ \t]{{0,80}}+)(?={_SIDES})"
)
_BEYOND: Final = 400
"""Characters on either side of a seam that are searched again as if there were none."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret in a text: the part that must not be seen, without what tells its kind."""

    kind: str
    """The rule that found it: `github-token`, `password`, ..."""
    start: int
    end: int
    """Code point offsets, the end exclusive."""
    confidence: Confidence = Confidence.FORM


_Span = tuple[int, int, int, str, Confidence]
"""Start, end, rank (the less the better does it tell its extent), kind, confidence."""


class SecretRules(Entry):
    """All that is known about secrets."""

    rules: tuple[SecretRule, ...] = Field(min_length=1)
    names: Names
    words: Words
    placeholders: Placeholders

    @functools.cached_property
    def _by_token(self) -> dict[str, tuple[tuple[int, str | None], ...]]:
        return self._by_keyword("token")

    @functools.cached_property
    def _by_word(self) -> tuple[tuple[str, str, tuple[tuple[int, str | None], ...]], ...]:
        by_keyword = self._by_keyword("text").items()
        return tuple(
            (self.rules[entries[0][0]].only_with, keyword, entries)
            for keyword, entries in by_keyword
        )

    def _by_keyword(self, near: str) -> dict[str, tuple[tuple[int, str | None], ...]]:
        numbers: dict[str, tuple[tuple[int, str | None], ...]] = {}
        for number, rule in enumerate(self.rules):
            for keyword, token in rule.starts() if rule.near == near else ():
                numbers[keyword] = (*numbers.get(keyword, ()), (number, token))
        return numbers

    @functools.cached_property
    def _tokens(self) -> re.Pattern[str]:
        # The same place may be the beginning of a shorter keyword, too: it is tried with both.
        return re.compile(any_of(self._by_token))

    @functools.cached_property
    def _tried(self) -> dict[str, tuple[tuple[int, str | None], ...]]:
        return {
            keyword: tuple(
                entry
                for shorter, entries in self._by_token.items()
                if keyword.startswith(shorter)
                for entry in entries
            )
            for keyword in self._by_token
        }

    @functools.cached_property
    def _assignments(self) -> Assignments:
        return Assignments(self.names)

    @functools.cached_property
    def _judge(self) -> Judge:
        return Judge(self.words, self.placeholders)

    def find(self, text: str) -> tuple[Secret, ...]:
        """Return the secrets of a text, in order and without overlaps."""
        found = {*self._in_tokens(text), *self._after_words(text), *self._across_seams(text)}
        apart: list[_Span] = []
        for span in sorted(found):
            merged = span
            while apart and merged[0] < apart[-1][1]:
                merged = _one_of(apart.pop(), merged)
            apart.append(merged)
        return tuple(Secret(kind, start, end, sure) for start, end, _, kind, sure in apart)

    def _in_tokens(self, text: str) -> Iterator[_Span]:
        runs = text.encode("ascii", "replace").translate(_RUNS)
        search, match, tried = self._tokens.search, self._tokens.match, self._tried
        end = 0
        while (start := runs.find(_LONG_RUN, end)) >= 0:
            reach = max(end, start - REACH)
            end = runs.find(b" ", start + RUN)
            end = len(runs) if end < 0 else end
            if _DIGITS.isdisjoint(text[start:end]):
                # Nearly always a name; a token that has no digit begins here.
                hit = match(text, start, end)
                if hit is None and text[start - 1 : start] in ".=~:|":
                    hit = search(text, reach, start)
            else:
                hit = search(text, reach, end)
                if end - start >= ENCODED:
                    yield from self._encoded(text, start, end)
            while hit is not None:
                at = hit.start() + 1
                for number, token in tried[hit[0]]:
                    found = self._try(text, hit.start(), number, token)
                    if found is not None:
                        if found[4] is Confidence.FORM:
                            at = max(at, found[1])
                        yield found
                hit = search(text, at, end)

    def _encoded(self, text: str, start: int, end: int) -> Iterator[_Span]:
        """Return a run that is base64 of text with a secret in it."""
        if decoded(text[start : start + 16]) is None:
            return
        content = decoded(text[start:end])
        if content is not None and (found := find_once(self, content)):
            best = max(found, key=lambda secret: secret.confidence)
            yield start, end, len(self.rules), best.kind, best.confidence

    def _after_words(self, text: str) -> Iterator[_Span]:
        # The one character whose small form is longer than itself would move all that follows.
        lower = text.lower() if text.isascii() else text.replace("\u0130", "i").lower()
        gates: dict[str, bool] = {"": True}
        for gate, keyword, entries in self._by_word:
            if gate not in gates:
                gates[gate] = gate in lower
            at = lower.find(keyword) if gates[gate] else -1
            while at >= 0:
                after = at + len(keyword)
                for number, token in entries:
                    found = self._try(text, at, number, token)
                    if found is not None:
                        after = max(after, found[1])
                        yield found
                at = lower.find(keyword, after)
        last = -1
        for assignment in self._assignments.find(text, lower):
            # A literal that is a secret by itself is not joined to what stands on the next line.
            judged = None if assignment.start == last else self._judge.of(assignment)
            if judged is not None:
                kind, confidence = judged
                last = assignment.start
                yield assignment.start, assignment.end, len(self.rules) + 1, kind, confidence

    def _across_seams(self, text: str) -> Iterator[_Span]:
        """Return tokens that are spread over literals side by side, or over lines that go on."""
        seams = [_SEAM]
        if "\\\n" in text or "\\\r\n" in text:
            seams.append(_CONTINUED)
        for expression in seams:
            for seam in expression.finditer(text):
                start, end = seam.span("seam")
                before = re.split("[\r\n]", text[max(0, start - _BEYOND) : start])[-1]
                after, places = _joined(text, end)
                for found in self._in_tokens(before + after):
                    if found[0] <= len(before) < found[1]:
                        ahead = found[0] == len(before)
                        first = places[0] if ahead else start - len(before) + found[0]
                        yield (first, places[found[1] - len(before) - 1] + 1, *found[2:])

    def _try(self, text: str, at: int, number: int, token: str | None) -> _Span | None:
        rule = self.rules[number]
        pattern = rule.expression if token is None else expression_of(token)
        match = pattern.match(text, max(0, at - rule.back))
        if match is None or not rule.fits(text, at) or not self._is_secret(rule, match["secret"]):
            return None
        sure = Confidence.PLACE if rule.strict else Confidence.FORM
        return match.start("secret"), match.end("secret"), number, rule.kind, sure

    def _is_secret(self, rule: SecretRule, value: str) -> bool:
        if self.placeholders.obvious(value) or entropy(value) < rule.entropy:
            return False
        if rule.strict and self.placeholders.likely(value):
            return False
        if rule.digit and _DIGITS.isdisjoint(value):
            return False
        return not (rule.random and self.words.made_of_words(value))


def _joined(text: str, start: int) -> tuple[str, list[int]]:
    """Return the text from there without its seams, and where each of its characters stands."""
    until = min(len(text), start + _BEYOND)
    places: list[int] = []
    at = start
    for seam in _SEAMS.finditer(text, start, until):
        places.extend(range(at, seam.start()))
        at = seam.end()
    places.extend(range(at, until))
    return "".join([text[place] for place in places]), places


def _one_of(first: _Span, second: _Span) -> _Span:
    """Return what stands for two finds that overlap; `first` begins first.

    Where one lies in the other, that of the rule that stands first in the file: a token tells its
    own extent better than the place does. Otherwise both.
    """
    best = min(second, first, key=lambda span: span[2])
    if second[1] <= first[1] or first[0] == second[0]:
        return best
    return (first[0], second[1], *best[2:])


def find_once(rules: SecretRules, text: str) -> tuple[Secret, ...]:
    """Return the secrets of what was decoded, which is decoded no further."""
    return rules.find(text)


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


def masked(text: str, start: int = 0, end: int | None = None) -> str:
    """Return a part of a text as it may be shown or logged: with `MARKER` for each secret.

    What the part alone would not tell, such as one line of a key, is told by what is around it.
    """
    end = len(text) if end is None else end
    first = max(0, start - AROUND)
    around = text[first : end + AROUND]
    inside = [
        replace(secret, start=max(secret.start, start - first), end=min(secret.end, end - first))
        for secret in find_secrets(around)
        if secret.start < end - first and secret.end > start - first
    ]
    part = around[start - first : end - first]
    here = [
        replace(secret, start=secret.start - start + first, end=secret.end - start + first)
        for secret in inside
    ]
    return redact("".join(_without(part, here)))


def _without(text: str, secrets: Iterable[Secret]) -> Iterator[str]:
    at = 0
    for secret in secrets:
        yield text[at : secret.start]
        yield MARKER
        yield from _LINE_ENDS.findall(text, secret.start, secret.end)
        at = secret.end
    yield text[at:]
