"""What `bottlenecks.toml` says of bottlenecks: what they are, and what shows one in a language."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from fnmatch import translate
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

DATA: Final = Path(__file__).with_name("bottlenecks.toml")

IN_LOOP: Final = (
    "query-in-loop", "request-in-loop", "process-in-loop", "file-in-loop", "compile-in-loop",
    "search-in-loop", "sort-in-loop", "again-in-loop", "front-in-loop",
)  # fmt: skip
"""The kinds that are calls within a loop, the costliest first: a call is one of them at most."""
_SAME: Final = {"typescript": "javascript", "tsx": "javascript"}


@dataclass(frozen=True, slots=True)
class Kind:
    """What a bottleneck is, in words."""

    says: str
    advice: str
    weight: int
    """How much it costs, roughly: a request over a network is 6, copying a string 3."""


@dataclass(frozen=True)
class Spec:
    """What counts in one language."""

    names: dict[str, Any]

    def _of(self, key: str) -> frozenset[str]:
        return frozenset(self.names.get(key, ()))

    @cached_property
    def loops(self) -> frozenset[str]:
        """Nodes whose rounds run again."""
        return self._of("loops")

    @cached_property
    def functions(self) -> frozenset[str]:
        """Nodes that are functions, with a name or without."""
        return self._of("functions")

    @cached_property
    def calls(self) -> frozenset[str]:
        """Nodes that are calls."""
        return self._of("calls")

    @cached_property
    def waits(self) -> frozenset[str]:
        """Nodes that wait for something asynchronous."""
        return self._of("waits")

    @cached_property
    def lengthened(self) -> frozenset[str]:
        """Nodes that may lengthen a text."""
        return self._of("lengthened")

    @cached_property
    def globs(self) -> dict[str, re.Pattern[str]]:
        """What the names of calls look like, by kind."""
        found: dict[str, re.Pattern[str]] = {}
        for key in (*IN_LOOP, "blocking-in-async", "iterators"):
            if globs := self.names.get(key):
                found[key] = re.compile("|".join(translate(each) for each in globs))
        return found

    def shows(self, key: str, name: str, text: str) -> bool:
        """Say whether a text shows that a name is a list, or a string."""
        expression = self.names.get(key)
        return bool(expression) and bool(
            re.search(expression.replace("NAME", re.escape(name)), text)
        )


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(DATA.read_text("utf-8"))


@cache
def kinds() -> dict[str, Kind]:
    """Return what every kind of bottleneck is."""
    return {name: Kind(**about) for name, about in _data()["kinds"].items()}


@cache
def spec_of(grammar: str) -> Spec | None:
    """Return what shows a bottleneck in a grammar's language; None where nothing is known."""
    found = _data().get(_SAME.get(grammar, grammar))
    return None if found is None else Spec(found)
