"""What a profile says of a document, for an editor: shares of functions and of lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.performance.hot import hot_spots
from coai_agents.specialists.performance.profiles.profile import ProfileError
from coai_agents.specialists.performance.profiles.reading import read_profile
from coai_agents.specialists.untrusted import one_line
from coai_agents.syntax.definitions import FUNCTIONS, outline
from coai_agents.syntax.tree import parse
from coai_routing.workspace_files import UnsafeFileError, read_file

if TYPE_CHECKING:
    from pathlib import Path

    from coai_agents.source import Source
    from coai_agents.specialists.performance.profiles.profile import Profile

MOST_BYTES: Final = 50_000_000
"""Of a profile that an editor shows: larger ones take seconds to read; `coai perf` takes them."""
LEAST_SHARE: Final = 0.01
"""What took less is not worth a word above it."""
MOST_LINES: Final = 50
"""Hot lines of a document that are marked."""


@dataclass(frozen=True, slots=True)
class HotLine:
    """A line and the share of all that was measured that it took itself."""

    line: int
    """From 0."""
    share: float
    """From 0 to 1."""
    words: str


@dataclass(frozen=True, slots=True)
class Heading:
    """What may stand above a function."""

    line: int
    """From 0."""
    name: str
    documented: bool
    share: float = 0.0
    """Of what was measured, with all that it called, from 0 to 1."""
    words: str = ""
    """What the profile says; empty where that is nothing of interest."""


def load_profile(path: Path) -> Profile:
    """Read a profile of whatever kind; raises `ProfileError`."""
    try:
        content = read_file(path, most=MOST_BYTES)
    except (OSError, UnsafeFileError) as error:
        raise ProfileError(
            f"{path} cannot be read: {error}",
            remedy="`coai perf FILE --profile` reads larger ones.",
        ) from error
    return read_profile(content)


def headings(source: Source, profile: Profile | None) -> list[Heading]:
    """Return what may be said above each function of a document, in its order."""
    tree = parse(source)
    if tree is None:
        return []
    path = source.uri if source.path is None else str(source.path)
    spots = None if profile is None else hot_spots(tree, path, profile)
    hot = {} if spots is None else {each.definition: each for each in spots.functions}
    unit = "" if spots is None else one_line(spots.unit, 20)
    found: list[Heading] = []
    for each in outline(tree):
        if each.kind not in FUNCTIONS or not each.name:
            continue
        line, known = source.line_at(each.span.start), hot.get(each)
        documented = each.documentation is not None
        if known is None or known.total < LEAST_SHARE:
            found.append(Heading(line, each.name, documented))
            continue
        calls = f" · {known.calls:,} calls" if known.calls else ""
        words = f"{known.total:.0%} of {unit} ({known.own:.0%} itself){calls}"
        found.append(Heading(line, each.name, documented, known.total, words))
    return found


def hot_lines(source: Source, profile: Profile) -> list[HotLine]:
    """Return the lines of a document that took most, if the profile tells lines, in order."""
    tree = parse(source)
    if tree is None:
        return []
    path = source.uri if source.path is None else str(source.path)
    spots = hot_spots(tree, path, profile)
    worst = sorted(
        (
            (share, line)
            for line, share in spots.lines.items()
            if share >= LEAST_SHARE and 1 <= line <= source.line_count
        ),
        reverse=True,
    )
    unit = one_line(spots.unit, 20)
    return [
        HotLine(line - 1, share, f"{share:.0%} of {unit}")
        for share, line in sorted(worst[:MOST_LINES], key=lambda each: each[1])
    ]
