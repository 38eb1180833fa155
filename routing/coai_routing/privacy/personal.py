"""Personal data in text: addresses, telephone and card numbers, accounts, national numbers.

`personal.toml` says what they look like; a number counts only if its check digits hold, and one
that looks like any other number only next to a word that says what it is.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from coai_routing.privacy.check_digits import CHECKS
from coai_routing.rule_files import read_rules

BUILTIN: Final = Path(__file__).with_name("personal.toml")

EMAIL: Final = "email"
"""The kind of which not every one is a person's secret."""

NEAR: Final = 48
"""Characters before a number in which the word that explains it must stand."""


BEFORE: Final = 160
"""Characters before an address's line in which a word may say that it is an author's."""

_LINE: Final = 200
"""Characters of a line before an address that are looked at."""


@dataclass(frozen=True, slots=True)
class PersonalDatum:
    """A piece of personal data in a text, by its place alone; the end is exclusive."""

    kind: str
    start: int
    end: int


def _finds_value(pattern: str) -> str:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    if "value" not in compiled.groupindex:
        raise ValueError("no group `value`")
    return pattern


def _known(check: str) -> str:
    if check not in CHECKS:
        raise ValueError(f"no check of that name; there are {sorted(CHECKS)}")
    return check


class PersonalRule(BaseModel):
    """One kind of personal data; `personal.toml` says what each field means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = Field(pattern=r"^[a-z0-9-]+$")
    regex: Annotated[str, AfterValidator(_finds_value)]
    needs: str = Field(min_length=1)
    check: Annotated[str, AfterValidator(_known)]
    near: tuple[str, ...] = ()

    @functools.cached_property
    def expression(self) -> re.Pattern[str]:
        """The compiled expression."""
        return re.compile(self.regex)

    def holds(self, text: str, lower: str, match: re.Match[str]) -> bool:
        """Say whether what the expression found is what it looks like."""
        start = match.start("value")
        if self.near:
            before = lower[max(0, start - NEAR) : start]
            if not any(word in before for word in self.near):
                return False
        return CHECKS[self.check](text[start : match.end("value")])


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    return pattern


_Expression = Annotated[str, Field(min_length=1), AfterValidator(_compiles)]


class Credits(BaseModel):
    """What tells that an address is that of an author, of a licence, or an example."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: tuple[Annotated[str, Field(min_length=1, pattern=r"^[^A-Z]+$")], ...]
    comments: _Expression
    roles: _Expression
    domains: _Expression

    @functools.cached_property
    def _comments(self) -> re.Pattern[str]:
        return re.compile(self.comments)

    @functools.cached_property
    def _nobody(self) -> re.Pattern[str]:
        return re.compile(f"{self.roles}@|[^@]{{1,64}}@(?:[^@]{{0,64}}[.-])?{self.domains}")

    def hold(self, text: str, lower: str, start: int, end: int) -> bool:
        """Say whether an address is one of those."""
        if self._nobody.match(lower, start, end):
            return True
        line = text.rfind("\n", max(0, start - _LINE), start) + 1 or max(0, start - _LINE)
        if self._comments.search(text[line:start]):
            return True
        before = lower[max(0, line - BEFORE) : start]
        return any(word in before for word in self.words)


class PersonalRules(BaseModel):
    """All that is known about personal data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[PersonalRule, ...] = Field(min_length=1)
    credits: Credits

    def find(self, text: str, *, emails: bool = False) -> tuple[PersonalDatum, ...]:
        """Return the personal data of a text, in order; `emails` as in `find_personal`."""
        present = set(text)
        lower = text.lower() if len(text.lower()) == len(text) else text
        found: set[tuple[int, int, str]] = set()
        for rule in self.rules:
            if present.isdisjoint(rule.needs):
                continue
            if rule.near and not any(word in lower for word in rule.near):
                continue
            for match in rule.expression.finditer(text):
                span = match.span("value")
                if not rule.holds(text, lower, match):
                    continue
                if rule.kind == EMAIL and not emails and self.credits.hold(text, lower, *span):
                    continue
                found.add((*span, rule.kind))
        return tuple(PersonalDatum(kind, start, end) for start, end, kind in sorted(found))


def load_rules(path: Path = BUILTIN) -> PersonalRules:
    """Read and validate rules. Raises SettingsError that names the file and the key."""
    return read_rules(path, PersonalRules)


@functools.cache
def built_in() -> PersonalRules:
    """Return COAI's own rules, read when first wanted."""
    return load_rules()


def find_personal(text: str, *, emails: bool = False) -> tuple[PersonalDatum, ...]:
    """Return the personal data of a text, in order.

    E-mail addresses of authors and licences, those in comments and those of examples count only
    with `emails`: they are published with the code that they stand in.
    """
    return built_in().find(text, emails=emails)
