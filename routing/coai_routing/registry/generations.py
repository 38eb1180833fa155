"""Which of a vendor's models took another's place: the newest of its family, found by its name.

Vendors write a family, a version and often a date into a name: `gemini-3.8-flash`,
`claude-opus-5-5`, `mistral-large-2512`, `deepseek-v4-pro`. What is no number is the family, in
order; numbers are the version. Previews and experiments come last, because they end without notice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_NUMBER: Final = re.compile(r"v?(\d+(?:\.\d+)*)")
_DATE: Final = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})(?=-|$)")
_UNSURE: Final = frozenset({"preview", "exp", "experimental", "beta", "alpha", "rc", "labs"})
_LATEST: Final = "latest"


@dataclass(frozen=True, slots=True)
class Generation:
    """A model's name, read."""

    family: tuple[str, ...]
    is_sure: bool
    """Whether it is no preview."""
    is_latest: bool
    """Whether the name always stands for the newest."""
    version: tuple[int, ...]
    date: str


def generation(name: str) -> Generation:
    """Read a model's name; what a gateway writes before it (`google/`) is part of the family."""
    lowered = name.lower()
    date = _DATE.search(lowered)
    bare = _DATE.sub("", lowered)
    version: list[int] = []
    family: list[str] = []
    for word in filter(None, re.split(r"[-_:@ ]", bare)):
        if number := _NUMBER.fullmatch(word):
            version += map(int, number[1].split("."))
        elif word != _LATEST and word not in _UNSURE:
            family.append(word)
    words = set(re.split(r"[-_:@ ]", bare))
    return Generation(
        tuple(family),
        not words & _UNSURE,
        _LATEST in words,
        tuple(version),
        re.sub(r"\D", "", date[1]) if date else "",
    )


def newest(name: str, offered: Iterable[str]) -> str | None:
    """Return the newest model of the family of a name; None where there is none left."""
    family = generation(name).family
    known = [(generation(each), each) for each in offered]
    same = [(read, each) for read, each in known if read.family == family]
    if not same:
        return None
    return max(
        same,
        key=lambda one: (one[0].is_sure, one[0].is_latest, one[0].version, one[0].date, one[1]),
    )[1]


def replacements(wanted: Iterable[str], offered: Iterable[str]) -> dict[str, str | None]:
    """Return the models that are not offered any more, each with what took its place, if any."""
    there = set(offered)
    return {name: newest(name, there) for name in wanted if name not in there}
