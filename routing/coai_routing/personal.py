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

from coai_routing.check_digits import CHECKS
from coai_routing.rule_files import read_rules

BUILTIN: Final = Path(__file__).with_name("personal.toml")

NEAR: Final = 48
"""Characters before a number in which the word that explains it must stand."""


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


class PersonalRules(BaseModel):
    """All that is known about personal data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[PersonalRule, ...] = Field(min_length=1)

    def find(self, text: str) -> tuple[PersonalDatum, ...]:
        """Return the personal data of a text, in order."""
        present = set(text)
        lower = text.lower() if len(text.lower()) == len(text) else text
        found: set[tuple[int, int, str]] = set()
        for rule in self.rules:
            if present.isdisjoint(rule.needs):
                continue
            if rule.near and not any(word in lower for word in rule.near):
                continue
            for match in rule.expression.finditer(text):
                if rule.holds(text, lower, match):
                    found.add((*match.span("value"), rule.kind))
        return tuple(PersonalDatum(kind, start, end) for start, end, kind in sorted(found))


def load_rules(path: Path = BUILTIN) -> PersonalRules:
    """Read and validate rules. Raises SettingsError that names the file and the key."""
    return read_rules(path, PersonalRules)


@functools.cache
def built_in() -> PersonalRules:
    """Return COAI's own rules, read when first wanted."""
    return load_rules()


def find_personal(text: str) -> tuple[PersonalDatum, ...]:
    """Return the personal data of a text, in order."""
    return built_in().find(text)
