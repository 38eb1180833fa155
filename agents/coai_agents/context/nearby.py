"""The names that stand near the cursor, and how near they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.completion.stop.nesting import PLAIN, read
from coai_agents.context.chunks import SHORTEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.completion.cursor import Cursor

LINES_BEFORE: Final = 25
LINES_AFTER: Final = 8
"""Lines around the cursor whose names count."""

WINDOW: Final = 3
"""So many times the budget for other files is what a prompt shows of the file before the cursor,
and once that after it (`completion.budget`: 60, 20 and 20 %)."""

CALLED: Final = 1.5
"""How much it is worth what is called in whose brackets the cursor is, beside a name on the lines
next to it, which is worth 1."""

LONGEST_LINE: Final = 2_000
"""Characters before the cursor on its line that are looked at."""

_NEAREST: Final = 2
_NEAR: Final = 8
"""Lines above the cursor's that are next to it, and those that are near."""

NAME: Final = re.compile(r"[^\W\d]\w*")
_CHAIN: Final = re.compile(r"[^\W\d]\w*(?:(?:\.|::|->|\\)[^\W\d]\w*){0,4}")
_CHAIN_END: Final = re.compile(_CHAIN.pattern + r"\Z")


@dataclass(frozen=True, slots=True)
class Nearby:
    """What the decisions look at."""

    chains: Mapping[str, float]
    """Names such as `a.b` near the cursor, and how near they are, from 0 to 1."""
    names: Mapping[str, float]
    """Their parts."""
    words: frozenset[str]
    """The identifiers in the same lines."""
    visible: str
    """What the prompt shows of the file itself."""

    @classmethod
    def around(cls, cursor: Cursor, budget: int) -> Nearby:
        """Look at the lines around a cursor."""
        before = _last_lines(cursor.prefix, LINES_BEFORE)
        after = _first_lines(cursor.suffix, LINES_AFTER)
        called = _called(cursor.around.line_prefix)
        chains: dict[str, float] = {called: CALLED} if called else {}
        names: dict[str, float] = dict.fromkeys(NAME.findall(called)[-1:], CALLED)
        lines = before.split("\n")
        nearest, near = -1 - _NEAREST, -1 - _NEAR
        for weight, text in (
            (1.0, lines[nearest:]),
            (0.8, lines[near:nearest]),
            (0.5, [*lines[:near], after]),
        ):
            joined = "\n".join(text)
            for chain in _CHAIN.findall(joined):
                chains.setdefault(chain, weight)
            for name in NAME.findall(joined):
                names.setdefault(name, weight)
        visible = cursor.prefix[-WINDOW * budget :] + cursor.suffix[:budget]
        words = frozenset(name for name in names if len(name) >= SHORTEST)
        return cls(chains, names, words, visible)


def _called(line: str) -> str:
    """Return what is called in whose brackets a line ends, such as `a.b`; nothing if none is."""
    open_ = [each for each in read(line[-LONGEST_LINE:], PLAIN).open if not each.quote]
    if not open_ or open_[-1].close != ")":
        return ""
    before = _CHAIN_END.search(line[-LONGEST_LINE:][: open_[-1].at])
    return "" if before is None else before[0]


def _last_lines(text: str, count: int) -> str:
    at = len(text)
    for _ in range(count):
        at = text.rfind("\n", 0, at)
        if at < 0:
            return text
    return text[at + 1 :]


def _first_lines(text: str, count: int) -> str:
    at = -1
    for _ in range(count):
        at = text.find("\n", at + 1)
        if at < 0:
            return text
    return text[:at]
