"""What a name says about the value that is assigned to it."""

from __future__ import annotations

import functools
import re
from typing import Annotated, Final, Literal

from pydantic import Field

from coai_routing.privacy.secret_forms import Entry, any_of

Role = Literal["password", "secret"]
"""A password may be anything that a person can remember; any other secret looks random."""

REACH: Final = 64
"""Characters of a name that are looked at before the word that tells."""

_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_CHARACTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
_LETTERS: Final = re.compile(r"[A-Za-z]{0,32}\Z")
_PLURAL: Final = re.compile(r"[sS](?:[^A-Za-z]|\Z)|data")
_IDENTIFIED: Final = frozenset({"sess", "session", "sessid", "cookie"})
_ALONE: Final = frozenset({"pass", "pw", "auth", "sess", "session", "cookie", "cred", "creds"})
"""Words that are parts of others: `bypass`, `author`, `obsession`."""
_JOINED: Final = frozenset(
    {"admin", "asp", "db", "ftp", "j", "mail", "my", "o", "php", "root", "smtp", "user"}
)
"""What is written before one of those without anything between: `dbpass`, `PHPSESSID`."""

_Stems = tuple[Annotated[str, Field(min_length=2, pattern=r"^[^A-Z]+$")], ...]


class Names(Entry):
    """The vocabulary of names; `secrets.toml` says what each list means."""

    password: _Stems
    secret: _Stems
    key: _Stems
    keys: _Stems
    harmless: _Stems
    tails: _Stems

    @functools.cached_property
    def stems(self) -> str:
        """An expression for any word that tells, in small letters."""
        return any_of((*self.password, *self.secret, *self.key))

    @functools.cached_property
    def roots(self) -> tuple[str, ...]:
        """The stems that no other one begins with: whoever looks for them finds all."""
        all_of_them = {*self.password, *self.secret, *self.key}
        return tuple(
            sorted(
                stem
                for stem in all_of_them
                if not any(stem != other and stem.startswith(other) for other in all_of_them)
            )
        )

    @functools.cached_property
    def _stem(self) -> re.Pattern[str]:
        return re.compile(self.stems, re.IGNORECASE)

    @functools.cached_property
    def _harmless(self) -> frozenset[str]:
        return frozenset(self.harmless)

    @functools.cached_property
    def _tails(self) -> frozenset[str]:
        return frozenset(self.tails)

    @functools.cached_property
    def _before_key(self) -> re.Pattern[str]:
        return re.compile(f"(?:{any_of(self.keys)})[_. -]?\\Z", re.IGNORECASE)

    def role(self, name: str) -> Role | None:
        """Return what a value of this name is; None if it is no secret."""
        stems = list(self._stem.finditer(name))
        if not stems:
            return None
        found = stems[-1]
        stem = found[0].lower()
        before, tail = name[: found.start()], name[found.end() :]
        if not self._bounded(stem, before, found[0], tail):
            return None
        own = {word.lower() for word in _WORDS.findall(before.rpartition(".")[2])}
        behind = {word.lower() for word in _WORDS.findall(tail)}
        if stem in _IDENTIFIED:
            behind -= {"id"}
        if not own.isdisjoint(self._harmless) or not behind.isdisjoint(self._tails):
            return None
        if stem in self.key and not self._before_key.search(before):
            return None
        return "password" if stem in self.password else "secret"

    def _bounded(self, stem: str, before: str, written: str, tail: str) -> bool:
        """Say whether the stem is a word of its own, or one that is written as one with others."""
        goes_on = tail[:1].islower() or (tail[:1].isalpha() and written.isupper())
        if goes_on and not _PLURAL.match(tail) and (stem not in self.password or stem in _ALONE):
            return stem in _IDENTIFIED and tail.lower().startswith("id")
        if stem not in _ALONE:
            return True
        letters = _LETTERS.search(before)
        joined = letters[0] if letters else ""
        camel = written[0].isupper() and joined[-1:].islower()
        return not joined or camel or joined.lower() in _JOINED


def name_before(text: str, end: int) -> str:
    """Return the part of a name that ends there."""
    part = text[max(0, end - REACH) : end]
    return part[len(part.rstrip(_CHARACTERS)) :].lstrip("-.")
