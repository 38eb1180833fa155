"""Reads an output: every trace and diagnostic in it, in the order of the text, each once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.diagnosing.compilers import diagnostics
from coai_agents.specialists.diagnosing.problems import Problem
from coai_agents.specialists.diagnosing.traces import traces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MOST_CHARACTERS: Final = 1_000_000
"""Of an output, its end: what a program said last is what it failed with."""

_LINE_CHARACTERS: Final = 2_000

_STYLE: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|\r")
_TIME: Final = re.compile(r"^(?:\d{4}-\d\d-\d\dT[\d:.]+Z|\[?\d\d:\d\d:\d\d\]?) ")
_LOGGED: Final = re.compile(
    r"(?P<before>.{0,100}?\w.{0,20}?[\s\]:|>-]\s?)"
    r"(?=Traceback \(most recent|panic: |Exception in thread \")"
)
"""What stands before a trace's first line in a log, as `web-1  | ` and `12:00 ERROR `."""
_BARE: Final = re.compile(
    r"(?:Uncaught )?(?P<kind>(?:[A-Za-z_][\w.]*\.)?[A-Z]\w*"
    r"(?:Error|Exception|Warning|Interrupt|Exit))"
    r"(?:: (?P<message>.+))?|(?P<stop>StopIteration|segmentation fault.*|Segmentation fault.*)"
)
_CODE: Final = re.compile(r"(?:error )?(?P<kind>(?:TS|CS|C|E|LNK)\d{4}): (?P<message>.+)")


def read_output(text: str) -> tuple[Problem, ...]:
    """Return what an output complains about; nothing where it complains about nothing known."""
    whole = [line[:_LINE_CHARACTERS] for line in text.split("\n")]
    left = MOST_CHARACTERS
    first = len(whole)
    while first and left > 0:
        first -= 1
        left -= len(whole[first]) + 1
    lines = _unlogged([_TIME.sub("", _STYLE.sub("", line)) for line in whole[first:]])
    found = [*traces(lines), *diagnostics(lines)]
    if not found:
        found = list(_bare(lines))
    return tuple(_once(sorted(found, key=lambda each: each.at)))


def _unlogged(lines: list[str]) -> list[str]:
    """Return lines without what a logger or a container's name wrote before each of them."""
    head = next((match for line in lines if (match := _LOGGED.match(line))), None)
    if head is None:
        return lines
    # The same words; times and counters go on.
    before = re.compile(re.sub(r"\d+", r"\\d+", re.escape(head["before"])))
    return [before.sub("", line, count=1) if before.match(line) else line for line in lines]


def _bare(lines: Sequence[str]) -> Iterator[Problem]:
    """Read lines that only say what was raised, as people paste them."""
    for at, line in enumerate(lines):
        if match := _BARE.fullmatch(line.strip()):
            kind = match["kind"] or match["stop"]
            yield Problem("", kind, match["message"] or "", at=at)
        elif match := _CODE.fullmatch(line.strip()):
            yield Problem("", match["kind"], match["message"], at=at)


def _once(problems: Iterable[Problem]) -> Iterator[Problem]:
    seen: set[tuple[object, ...]] = set()
    for each in problems:
        where = each.frames[0] if each.frames else None
        key = (each.kind, each.message, where and (where.path, where.line))
        if key not in seen:
            seen.add(key)
            yield each


def worst(problems: Sequence[Problem]) -> Problem | None:
    """Return what to look at first: the last trace, else the first error, else the first.

    A trace is the end of a program; of a compiler's errors the later ones often follow.
    """
    whole = [each for each in problems if len(each.frames) > 1]
    errors = [each for each in problems if not each.is_warning]
    return next(iter([*reversed(whole), *errors, *problems]), None)
