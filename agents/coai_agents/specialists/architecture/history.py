"""What a repository's history shows: where change and complexity meet, and what changes together.

Hot spots are files that are changed often and hard to change (Tornhill, "Your Code as a Crime
Scene", 2015): commits times the complexity of the most complex function. Merges and commits of very
many files, which move or format, say nothing and are left out.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from coai_agents.specialists.architecture.graph import ModuleGraph

MOST_FILES: Final = 30
"""A commit of more files is a move or a format."""

LEAST_COMMITS: Final = 5
"""What changed together fewer times may have done so by chance."""

LEAST_SHARE: Final = 0.5
"""The share of the rarer file's commits that both have to be in."""


class HotSpot(NamedTuple):
    """A file that is changed often and is complex."""

    path: str
    commits: int
    complexity: int


class Together(NamedTuple):
    """Two files that change together although neither imports the other."""

    one: str
    other: str
    commits: int
    share: float
    """Of the commits of the one that changes less often."""


def hot_spots(
    commits: Iterable[Sequence[str]], complexity: Mapping[str, int], most: int
) -> list[HotSpot]:
    """Return the files where commits times complexity is greatest."""
    counts = Counter(file for files in _telling(commits) for file in files)
    rows = [HotSpot(file, counts[file], much) for file, much in complexity.items() if counts[file]]
    rows.sort(key=lambda row: (-row.commits * row.complexity, row.path))
    return rows[:most]


def changed_together(
    commits: Iterable[Sequence[str]], graph: ModuleGraph, most: int
) -> list[Together]:
    """Return the pairs whose tie only history shows, the tightest first."""
    counts: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for files in _telling(commits):
        known = sorted({file for file in files if file in graph.lines})
        counts.update(known)
        pairs.update(combinations(known, 2))
    rows = [
        Together(one, other, count, count / min(counts[one], counts[other]))
        for (one, other), count in pairs.items()
        if count >= LEAST_COMMITS
        and other not in graph.imports[one]
        and one not in graph.imports[other]
    ]
    rows = [row for row in rows if row.share >= LEAST_SHARE]
    rows.sort(key=lambda row: (-row.share * row.commits, row.one, row.other))
    return rows[:most]


def _telling(commits: Iterable[Sequence[str]]) -> Iterable[Sequence[str]]:
    return (files for files in commits if len(files) <= MOST_FILES)
