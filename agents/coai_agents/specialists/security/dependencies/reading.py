"""Which file is read how, told by its name, and a folder's files as one list of packages.

Files are read as data: no package manager is ever started, and what a file asks to be fetched or
included is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.security.dependencies import golang, javascript, jvm, others, python
from coai_agents.specialists.security.dependencies.packages import (
    Package,
    Reading,
    UnreadableError,
    with_paths,
)
from coai_agents.specialists.untrusted import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST_BYTES: Final = 64 * 1024 * 1024
"""Of one file; the largest lock files of public monorepos have some 3 MB."""

_READERS: Final[tuple[tuple[re.Pattern[str], Callable[[str], Reading]], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), reader)
    for pattern, reader in (
        (
            r"(?:.*[-_.])?(?:requirements|constraints)(?:[-_.].*)?\.(?:txt|in|lock)",
            python.requirements,
        ),
        (r"requirements/[^/]+\.(?:txt|in)", python.requirements),
        (r"pyproject\.toml|pipfile", python.pyproject),
        (r"(?:uv|poetry|pdm)\.lock", python.lock),
        (r"pipfile\.lock", python.pipfile_lock),
        (r"package\.json", javascript.manifest),
        (r"package-lock\.json|npm-shrinkwrap\.json", javascript.npm_lock),
        (r"pnpm-lock\.yaml", javascript.pnpm_lock),
        (r"yarn\.lock", javascript.yarn_lock),
        (r"go\.mod", golang.go_mod),
        (r"go\.sum", golang.go_sum),
        (r"pom\.xml|.*\.pom", jvm.pom),
        (r".*\.gradle(?:\.kts)?", jvm.gradle),
        (r"(?:.*\.)?(?:gradle|buildscript-gradle)\.lockfile", jvm.gradle_lock),
        (r".*\.versions\.toml", jvm.catalog),
        (r"cargo\.toml", others.cargo_toml),
        (r"cargo\.lock", others.cargo_lock),
        (r"composer\.json", others.composer_json),
        (r"composer\.lock", others.composer_lock),
        (r"gemfile|gems\.rb", others.gemfile),
        (r"gemfile\.lock|gems\.locked", others.gemfile_lock),
        (r".*\.(?:cs|fs|vb)proj|directory\.(?:packages|build)\.props", others.msbuild),
        (r"packages\.config", others.packages_config),
        (r"(?:.*\.)?packages\.lock\.json", others.nuget_lock),
    )
)


def reader_of(path: str) -> Callable[[str], Reading] | None:
    """Return what reads a file, by the end of its path; None for what names no dependencies."""
    parts = path.replace("\\", "/").split("/")
    tail = "/".join(parts[-2:])
    for pattern, reader in _READERS:
        if pattern.fullmatch(parts[-1]) or pattern.fullmatch(tail):
            return reader
    return None


def read(path: str, text: str) -> Reading:
    """Return the packages that a file names, each with its way where a lock file tells it.

    A file that cannot be read has none, and a note. Raises nothing for what a text is like.
    """
    reader = reader_of(path)
    if reader is None:
        return Reading()
    try:
        reading = reader(text)
        reading.packages = with_paths(reading)
    except UnreadableError as error:
        return Reading(notes=[f"{one_line(path, MOST_NAME)} was not read: {error}."])
    return reading


MOST_NAME: Final = 300
"""Characters of a path in a note."""


@dataclass
class Dependencies:
    """What the files of a folder name."""

    packages: list[tuple[str, Package]] = field(default_factory=list[tuple[str, Package]])
    """Each with the path of its file."""
    notes: list[str] = field(default_factory=list[str])
    files: int = 0


def read_all(files: Iterable[tuple[str, str]]) -> Dependencies:
    """Return what some files name; a manifest's range does not count where a lock file decides.

    A lock file decides for the manifests of its folder and of those below it.
    """
    found = Dependencies()
    readings = [(path, read(path, text)) for path, text in files]
    locked: dict[str, set[str]] = {}
    for path, reading in readings:
        for ecosystem in reading.locked:
            locked.setdefault(ecosystem, set()).add(_folder(path))
    for path, reading in readings:
        found.files += 1
        found.notes += reading.notes
        sums = path.endswith("go.sum")
        for package in reading.packages:
            decided = (sums or not package.exact) and _is_within(
                _folder(path), locked.get(package.ecosystem, set())
            )
            if not decided:
                found.packages.append((path, package))
    return found


def _folder(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[0]


def _is_within(folder: str, folders: set[str]) -> bool:
    while True:
        if folder in folders:
            return True
        if not folder:
            return False
        folder = folder.rpartition("/")[0]
