"""Places in files of the workspace that are not open.

Only files that prompts may show are read, by the one reader of the workspace's files, and only as
many as a search may take time for; those near the edited file first.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.run.gathering import files_in
from coai_agents.changes.finding import Origin, places
from coai_agents.source import Source, normal_language
from coai_agents.syntax.tree import parse
from coai_routing.workspace_files import read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from coai_agents.changes.finding import Place
    from coai_agents.changes.patterns import Pattern

MOST_BYTES: Final = 400_000
MOST_FILES: Final = 3_000
MOST_PLACES: Final = 200

SECONDS: Final = 2.0
"""How long a search takes at most; what is left is not offered."""


def elsewhere(
    pattern: Pattern,
    edited: Path,
    roots: Sequence[Path],
    *,
    refused: Callable[[Path], bool],
    without: Collection[Path],
) -> list[tuple[Source, list[Place]]]:
    """Return the places of a change in other files; `without` are those that are open."""
    until = time.monotonic() + SECONDS
    origin = origin_of(edited)
    found: list[tuple[Source, list[Place]]] = []
    count = 0
    for path in _near_first(pattern.language, edited, roots):
        if time.monotonic() > until or count >= MOST_PLACES:
            break
        if path in without or refused(path):
            continue
        source = _read(path, pattern, roots)
        tree = None if source is None else parse(source)
        if source is None or tree is None:
            continue
        there = places(pattern, tree, origin)
        if there:
            found.append((source, there))
            count += len(there)
    return found


def origin_of(edited: Path) -> Origin:
    """Return what imports call a file: its name, or its folder's for one that stands for it."""
    stem = edited.stem.removesuffix(".d")
    return Origin(edited.parent.name if stem in ("__init__", "index", "mod") else stem)


def _near_first(language: str, edited: Path, roots: Sequence[Path]) -> Iterator[Path]:
    files = [path for path in files_in(roots) if normal_language("", path) == language]
    files.sort(key=lambda path: _distance(path, edited))
    yield from files[:MOST_FILES]


def _distance(path: Path, edited: Path) -> int:
    """Return how many folders lie between two files."""
    try:
        common = len(Path(os.path.commonpath((path, edited))).parts)
    except ValueError:  # on another drive
        common = 0
    return len(path.parts) + len(edited.parts) - 2 * common


def _read(path: Path, pattern: Pattern, roots: Sequence[Path]) -> Source | None:
    """Return a file that has the words of a pattern."""
    try:
        content = read_file(path, MOST_BYTES, roots, follow=False)
    except OSError:
        return None
    if any(key.encode() not in content for key in pattern.keys) or b"\0" in content:
        return None
    try:
        return Source(path.as_uri(), content.decode(), pattern.language)
    except UnicodeDecodeError:
        return None  # what would be written back would be another text
