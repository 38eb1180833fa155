"""Whether what is assigned to a name that tells a secret is one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from coai_routing.privacy.secret_values import decoded, entropy

if TYPE_CHECKING:
    from coai_routing.privacy.secret_assignments import Assignment
    from coai_routing.privacy.secret_values import Placeholders, Words

_PASSWORD: Final = 6
_UNQUOTED: Final = 8
_SECRET: Final = 10
_LONGEST_PASSWORD: Final = 256
_LONGEST_SECRET: Final = 4_096
_MONOTONOUS: Final = 2.0
"""Bits a character of `aaaa1111`; what has fewer is no password but a pattern."""
_RANDOM: Final = 3.0
_PHRASE: Final = re.compile(
    r"(?:[a-z]{2,12}(?: [a-z]{2,12}){3,9}|[A-Z][a-z]{1,11}(?: [A-Z][a-z]{1,11}){3,9})\Z"
)
_RUN_ON: Final = re.compile(r"[a-z]{16,64}\Z")
_NAME: Final = re.compile(
    r"[A-Za-z]{1,40}(?:[_.:/][A-Za-z]{1,40}){1,8}\Z|[A-Z_]{1,64}\Z|[A-Z]?[a-z]{1,7}\Z"
)
"""What is written as names are: `reset_form`, `app.user`, `PASSWORD`, one short word."""
_MIXED: Final = re.compile(r"[A-Za-z][!@#$%^&*?+~=|;][A-Za-z]|[!@#$%^&*?~][!@#$%^&*?~]")
_NUMBER: Final = re.compile(r"[0-9.,_:/ -]{1,64}\Z|0x[0-9A-Fa-f]{1,16}\Z")
_UPPER: Final = re.compile(r"[A-Z0-9_]{1,80}\Z")
_ONE_WORD: Final = re.compile(r"[A-Za-z0-9_+/.~!@#%^&*?=:$|-]{8,4096}\Z")
_RUN: Final = 16
"""Characters that a secret without a digit has at least."""
_SHORT: Final = 48
"""So long is base64 of which the content is judged, too: a manifest's password."""
DIGITS: Final = frozenset("0123456789")


class Confidence(IntEnum):
    """How sure it is that what was found is a secret."""

    GUESS = 1
    """A phrase in a password's place: it may be a label."""
    PLACE = 2
    """What looks like a secret, in a secret's place."""
    FORM = 3
    """Nothing else has this form."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges values by what words are and what stands in for secrets."""

    words: Words
    placeholders: Placeholders

    def of(self, found: Assignment) -> tuple[str, Confidence] | None:
        """Say what a value in a secret's place is; None if it is no secret."""
        value = found.value
        if self.placeholders.obvious(value) or self.placeholders.likely(value):
            return None
        plain = decoded(value) if len(value) < _SHORT else None
        if plain is not None and self.placeholders.likely(plain):
            return None
        if found.role == "password":
            confidence = self._as_password(found)
            kind = "password"
        else:
            confidence = self._as_random(found)
            kind = "generic-secret"
        if confidence is None:
            return None
        return (kind if found.quoted else "unquoted-secret"), confidence

    def _as_password(self, found: Assignment) -> Confidence | None:
        value = found.value
        if not _PASSWORD <= len(value) <= _LONGEST_PASSWORD or entropy(value) < _MONOTONOUS:
            return None
        if any(map(str.isspace, value)):
            message = self.words.is_sentence(value) or self.words.has_label(value)
            return Confidence.GUESS if _PHRASE.match(value) and not message else None
        if not found.quoted and _NUMBER.match(value):
            return None
        if not DIGITS.isdisjoint(value):
            return Confidence.PLACE
        return self._as_phrase(found)

    def _as_phrase(self, found: Assignment) -> Confidence | None:
        """Judge a password without a digit: it may be a name, or what a form says."""
        value = found.value
        if self.words.has_label(value):
            return None
        if _MIXED.search(value):
            return Confidence.PLACE
        telling = (
            found.quoted
            or _UPPER.match(found.name) is not None
            or "-" in value
            or found.closing == ";"
            or _RUN_ON.match(value) is not None
        )
        long = len(value) >= _UNQUOTED and not _NAME.match(value)
        return Confidence.GUESS if telling and long else None

    def _as_random(self, found: Assignment) -> Confidence | None:
        value = found.value
        least = _SECRET if found.quoted else _UNQUOTED
        if not least <= len(value) <= _LONGEST_SECRET or any(map(str.isspace, value)):
            return None
        if not found.quoted and not _ONE_WORD.match(value):
            return None
        mixed = len(value) >= _RUN and value.isalnum() and not value.isupper()
        if DIGITS.isdisjoint(value) and not mixed:
            return None
        if entropy(value) < _RANDOM or _NUMBER.match(value) or self.words.made_of_words(value):
            return None
        return Confidence.PLACE
