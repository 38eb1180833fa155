"""The one form that every profile is read into: a weight for each function and each line."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_STACKS: Final = 5_000_000
"""Samples of a profile; a day at a thousand a second has 86 millions, and nobody profiles that."""
MOST_DEPTH: Final = 20_000
"""Frames of one stack."""


class ProfileError(CoaiError):
    """A file is no profile that can be read."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A function as a profiler names it."""

    name: str
    file: str = ""
    line: int = 0
    """Where it begins, from 1; 0 where that is not told."""


@dataclass
class Cost:
    """What one function took, in the profile's unit."""

    own: float = 0.0
    """In the function itself."""
    total: float = 0.0
    """With all that it called; a function that calls itself is counted once."""
    calls: int = 0
    """How often it was called; 0 where the profiler takes samples."""
    lines: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    """Own weight by line, from 1, where the profiler tells it."""
    callers: defaultdict[Frame, float] = field(default_factory=lambda: defaultdict(float))
    """Weight by who called it."""


@dataclass
class Profile:
    """What every function took."""

    unit: str
    """`seconds`, `bytes`, `samples`, ..."""
    costs: dict[Frame, Cost] = field(default_factory=dict[Frame, Cost])

    @property
    def whole(self) -> float:
        """All that was measured: what is said of a function is a share of it."""
        return sum(cost.own for cost in self.costs.values())

    def cost(self, frame: Frame) -> Cost:
        """Return what a function took, to be added to."""
        return self.costs.setdefault(frame, Cost())

    def hottest(self) -> list[tuple[Frame, Cost]]:
        """Return the functions, those that took most themselves first."""
        return sorted(self.costs.items(), key=lambda each: (-each[1].own, -each[1].total))


@dataclass(frozen=True, slots=True)
class Stack:
    """One sample: who was running, called by whom."""

    frames: Sequence[Frame]
    """The outermost first."""
    weight: float
    line: int = 0
    """The line that was running, from 1; 0 where that is not told."""


def from_stacks(unit: str, stacks: Iterable[Stack]) -> Profile:
    """Add samples up."""
    profile = Profile(unit)
    for number, stack in enumerate(stacks):
        if number >= MOST_STACKS:
            raise ProfileError(f"The profile has more than {MOST_STACKS:,} samples.")
        if not stack.frames:
            continue
        leaf = profile.cost(stack.frames[-1])
        leaf.own += stack.weight
        if stack.line:
            leaf.lines[stack.line] += stack.weight
        for frame in set(stack.frames):
            profile.cost(frame).total += stack.weight
        pairs = set(zip(stack.frames, stack.frames[1:], strict=False))
        for caller, called in pairs:
            profile.cost(called).callers[caller] += stack.weight
    return profile
