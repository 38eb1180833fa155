"""Where values come from, in languages of which only the text is read.

A function is what stands between two beginnings of functions. Within it, names are followed from
assignment to assignment, in the order of the text; nothing is known of branches.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from coai_agents.analysis.texts.clauses import Flow

MOST_NAMES: Final = 200
"""Names that are followed in one function."""


class Values:
    """What is known of the names of a text."""

    def __init__(self, text: str, flow: Flow) -> None:
        self._text = text
        self._flow = flow
        begin = re.compile(flow.function, re.MULTILINE)
        self._starts = [0, *(each.start() for each in begin.finditer(text))]
        self._known: dict[int, list[tuple[int, str, bool, bool]]] = {}

    def function_before(self, at: int) -> str:
        """Return the text of the function around a place, up to it."""
        return self._text[self._start(at) : at]

    def is_tainted(self, expression: str, at: int) -> bool:
        """Say whether an expression at a place holds data from outside."""
        if re.search(self._flow.cleans, expression):
            return False
        return bool(re.search(self._flow.sources, expression)) or self._named(expression, at, 2)

    def is_built(self, expression: str, at: int) -> bool:
        """Say whether an expression is text put together with what is not constant."""
        if re.search(self._flow.joined, expression):
            return not re.search(self._flow.cleans, expression)
        return bool(re.fullmatch(r"\s*\w+(?:\.toString\(\))?\s*", expression)) and self._named(
            expression, at, 3
        )

    def _start(self, at: int) -> int:
        return self._starts[bisect_right(self._starts, at) - 1]

    def _named(self, expression: str, at: int, what: int) -> bool:
        words = _words(expression)
        known: dict[str, bool] = {}
        for entry in self._names(self._start(at)):
            if entry[0] > at:
                break
            known[entry[1]] = bool(entry[what])
        return any(known.get(word) for word in words)

    def _names(self, start: int) -> list[tuple[int, str, bool, bool]]:
        """Return each name that is set in a function: where, which, tainted, built."""
        if start in self._known:
            return self._known[start]
        names = self._known[start] = []
        number = bisect_right(self._starts, start)
        end = self._starts[number] if number < len(self._starts) else len(self._text)
        parameters = re.compile(self._flow.parameter).finditer(self._text, start, end)
        names.extend((each.end(), each["name"], True, False) for each in parameters)
        for each in re.compile(self._flow.assign, re.MULTILINE).finditer(self._text, start, end):
            if len(names) >= MOST_NAMES:
                break
            value, at = each["value"], each.start()
            names.append((at, each["name"], self.is_tainted(value, at), self.is_built(value, at)))
            names.sort()
        return names


def _words(expression: str) -> set[str]:
    """Return the names in an expression, those within a string only where it puts them in."""
    said = set(re.findall(r"\$\{?(\w+)", expression))
    return said | set(
        re.findall(r"(?<![\w.])[A-Za-z_]\w*", re.sub(r'"(?:\\.|[^"\\])*"', "", expression))
    )
