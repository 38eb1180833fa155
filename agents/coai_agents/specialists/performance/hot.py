"""Which functions and lines of a file are hot: a profile's frames, mapped to what the file defines.

Profilers name files as the machine had them that ran the program: by absolute path, by URL, or from
where they were built. A frame is of a file if the ends of both paths agree; its function is the
innermost that holds its first line, or, where that is not told, the one of that name.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from coai_agents.syntax.definitions import FUNCTIONS, outline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.specialists.performance.profiles.profile import Cost, Frame, Profile
    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree


@dataclass(frozen=True, slots=True)
class HotFunction:
    """What a function of a file took, as shares of all that was measured."""

    name: str
    line: int
    """Where it begins, from 1."""
    own: float
    """From 0 to 1, in the function itself."""
    total: float
    """From 0 to 1, with all that it called."""
    calls: int
    """0 where the profiler takes samples."""
    definition: Definition | None
    """None for what runs at the top of the file."""


@dataclass(frozen=True, slots=True)
class HotSpots:
    """What is hot in a file."""

    unit: str
    whole: float
    """All that was measured, in that unit."""
    functions: tuple[HotFunction, ...]
    """Those of the file that were seen running, the hottest first."""
    lines: dict[int, float]
    """Shares of what was measured by line, from 1, where the profile tells lines."""

    def share_of(self, definition: Definition) -> float:
        """Return what a function and all that it called took, from 0 to 1."""
        return next((each.total for each in self.functions if each.definition == definition), 0.0)


def hot_spots(tree: SyntaxTree, path: str, profile: Profile) -> HotSpots:
    """Return what of a profile is a file's; `path` is the file's own."""
    whole = profile.whole or 1.0
    functions = [each for each in outline(tree) if each.kind in FUNCTIONS and each.name]
    own: defaultdict[Definition | None, float] = defaultdict(float)
    total: defaultdict[Definition | None, float] = defaultdict(float)
    calls: defaultdict[Definition | None, int] = defaultdict(int)
    lines: defaultdict[int, float] = defaultdict(float)
    for frame, cost in _of_file(profile, path):
        definition = _definition(tree, functions, frame)
        own[definition] += cost.own / whole
        # A function and one in it without a name are two frames; the outer one's total has both.
        total[definition] = max(total[definition], cost.total / whole)
        calls[definition] += cost.calls
        for line, weight in cost.lines.items():
            lines[line] += weight / whole
    found = [
        HotFunction(
            "the top of the file" if each is None else each.qualified_name,
            1 if each is None else tree.source.line_at(each.span.start) + 1,
            own[each],
            max(total[each], own[each]),
            calls[each],
            each,
        )
        for each in own
    ]
    found.sort(key=lambda each: (-each.own, -each.total, each.line))
    return HotSpots(profile.unit, profile.whole, tuple(found), dict(lines))


def _of_file(profile: Profile, path: str) -> Iterator[tuple[Frame, Cost]]:
    wanted = _parts(path)
    known: dict[str, int] = {}
    for frame in profile.costs:
        known.setdefault(frame.file, _agreement(_parts(frame.file), wanted))
    # Where a file of this very path was measured, another one of its name is not meant.
    best = max(known.values(), default=0)
    for frame, cost in profile.costs.items():
        if best and known[frame.file] == best:
            yield frame, cost


def _agreement(one: list[str], other: list[str]) -> int:
    """Return how many last parts of two paths agree: all of the shorter one's, or it counts 0."""
    count = min(len(one), len(other))
    return count if count and one[-count:] == other[-count:] else 0


def _parts(path: str) -> list[str]:
    if "://" in path:
        path = unquote(urlsplit(path).path)
    return [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]


def _definition(tree: SyntaxTree, functions: list[Definition], frame: Frame) -> Definition | None:
    source = tree.source
    name = frame.name.rpartition(".")[2].rstrip("()")
    if frame.line:
        around = [
            each
            for each in functions
            if source.line_at(each.span.start) < frame.line <= source.line_at(each.span.end) + 1
        ]
        # Some name the first line of the code rather than the function's own.
        named = [each for each in around if each.name == name]
        return (named or around or [None])[-1]
    return next((each for each in functions if each.name == name), None)
