"""How a test went, and whether it went better than another time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.diagnosing.reading import read_output, worst

if TYPE_CHECKING:
    from coai_agents.specialists.diagnosing.problems import Problem

_FAILED: Final = re.compile(
    r"\b(\d+) (?:failed|failing|failures?|errors?)\b|"
    r"(?:failures|errors|Failures|Errors)[=:] ?(\d+)|^# fail (\d+)",
    re.MULTILINE,
)
_PASSED: Final = re.compile(r"\b(\d+) (?:passed|passing)\b|^# pass (\d+)", re.MULTILINE)
_GO_FAILED: Final = re.compile(r"^\s*--- FAIL:", re.MULTILINE)
_LAST_LINES: Final = 40
"""Test runners count at the end."""

_EARLY: Final = ("SyntaxError", "IndentationError", "TabError", "ImportError", "NameError",
                 "ModuleNotFoundError", "ReferenceError", "UnboundLocalError")  # fmt: skip


@dataclass(frozen=True)
class Tried:
    """One run of a test command."""

    passed: bool
    output: str
    timed_out: bool = False
    seconds: float = 0.0
    """How long it ran, by the clock."""
    cpu_seconds: float = 0.0
    """How long it computed, with the processes that it waited for; 0 where that is not told."""

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """All that its output complains about."""
        return read_output(self.output)

    @cached_property
    def problem(self) -> Problem | None:
        """What it failed with, as far as that can be read; see `worst`."""
        return worst(self.problems)

    @cached_property
    def failed(self) -> int | None:
        """How many tests failed, where the runner counts them."""
        if self.passed:
            return 0
        return _sum(_FAILED, self.output) or len(_GO_FAILED.findall(self.output)) or None

    @cached_property
    def succeeded(self) -> int | None:
        """How many tests passed, where the runner counts them."""
        return _sum(_PASSED, self.output)

    @property
    def titles(self) -> frozenset[str]:
        """The complaints in words, with their causes."""
        return frozenset(each.title for one in self.problems for each in one.chain)

    @property
    def stage(self) -> int:
        """How far it came: 0 not run, 1 ended by an exception or for want of time, 2 to a check."""
        if self.passed:
            return 3
        kind = "" if self.problem is None else self.problem.root.kind.rpartition(".")[2]
        if kind in _EARLY:
            return 0
        return 2 if "Assert" in kind and not self.timed_out else 1


def _sum(pattern: re.Pattern[str], output: str) -> int | None:
    tail = "\n".join(output.split("\n")[-_LAST_LINES:])
    found = [int(next(filter(None, match))) for match in pattern.findall(tail)]
    return max(found) if found else None


def is_better(now: Tried, before: Tried) -> bool:
    """Say whether a test went better for sure: it passed, or fewer failed and no fewer passed."""
    if now.passed or before.passed:
        return now.passed and not before.passed
    if now.failed is None or before.failed is None or now.failed >= before.failed:
        return False
    return before.succeeded is None or (now.succeeded or 0) >= before.succeeded


def brings_something(now: Tried, before: Tried) -> bool:
    """Say whether it went better, or came further where nothing is counted."""
    if is_better(now, before):
        return True
    counted = now.failed is not None and before.failed is not None
    return not counted and now.stage > before.stage
