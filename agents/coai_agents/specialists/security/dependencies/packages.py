"""A dependency as a value: its name, its version, and exactly where that version stands."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coai_agents.source import Span

PYPI: Final = "PyPI"
NPM: Final = "npm"
GO: Final = "Go"
MAVEN: Final = "Maven"
CRATES: Final = "crates.io"
PACKAGIST: Final = "Packagist"
RUBYGEMS: Final = "RubyGems"
NUGET: Final = "NuGet"

ECOSYSTEMS: Final = (PYPI, NPM, GO, MAVEN, CRATES, PACKAGIST, RUBYGEMS, NUGET)
"""As OSV's schema names them."""

MOST_PACKAGES: Final = 50_000
"""Of one file. Lock files of the largest monorepos have some 10,000."""

_SEPARATORS: Final = re.compile(r"[-_.]+")


class UnreadableError(ValueError):
    """A file is not what its name says; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Package:
    """One version of a package, as a file names it."""

    ecosystem: str
    name: str
    version: str
    """The one that is installed; of a range the lowest that it allows."""
    span: Span
    """Of the version in the file's text."""
    exact: bool = True
    """Whether this version is installed, rather than one of a range."""
    edit: Span | None = None
    """What a newer version may be written over; None in lock files, which tools write."""
    key: str = ""
    """What other packages of a lock file depend on it by."""
    needs: tuple[str, ...] = ()
    """Keys of what it depends on."""
    via: tuple[str, ...] = ()
    """From what the project names itself to this, where the file tells: names and versions."""

    @property
    def plain_name(self) -> str:
        """The name in the form in which the ecosystem compares names."""
        return normal_name(self.ecosystem, self.name)


@dataclass
class Reading:
    """What was read of one file."""

    packages: list[Package] = field(default_factory=list[Package])
    roots: tuple[str, ...] = ()
    """Keys of what the project itself names, where the file tells."""
    notes: list[str] = field(default_factory=list[str])
    locked: frozenset[str] = frozenset()
    """The ecosystems of which the file holds every installed version."""

    def add(self, package: Package) -> None:
        """Add a package; raises `UnreadableError` where there are too many to be true."""
        if len(self.packages) >= MOST_PACKAGES:
            raise UnreadableError(f"it names more than {MOST_PACKAGES:,} packages")
        if package.name and package.version:
            self.packages.append(package)


def normal_name(ecosystem: str, name: str) -> str:
    """Return a package's name as its ecosystem compares names.

    PyPI by PEP 503; NuGet and Packagist in small letters; the others as they are.
    """
    if ecosystem == PYPI:
        return _SEPARATORS.sub("-", name).lower()
    if ecosystem in {NUGET, PACKAGIST}:
        return name.lower()
    return name


def with_paths(reading: Reading) -> list[Package]:
    """Return a lock file's packages with the shortest way to each from what the project names.

    Breadth first, each package once, so that circles end. Without roots those are the roots that
    nobody needs.
    """
    known: dict[str, Package] = {}
    for each in reading.packages:
        known.setdefault(each.key, each)
    if not any(each.needs for each in reading.packages):
        return reading.packages
    roots = reading.roots or _unneeded(known.values())
    before: dict[str, str | None] = {root: None for root in roots if root in known}
    waiting = deque(before)
    while waiting:
        key = waiting.popleft()
        for needed in known[key].needs:
            if needed in known and needed not in before:
                before[needed] = key
                waiting.append(needed)
    return [replace(each, via=_way(each.key, before, known)) for each in reading.packages]


def _unneeded(packages: Iterable[Package]) -> list[str]:
    some = list(packages)
    needed = {key for each in some for key in each.needs if key != each.key}
    return [each.key for each in some if each.key not in needed]


MOST_STEPS: Final = 50
"""Of a way that is shown; what is longer is a file that was made to be long."""


def _way(key: str, before: dict[str, str | None], known: dict[str, Package]) -> tuple[str, ...]:
    steps: list[str] = []
    at: str | None = key if key in before else None
    while at is not None and len(steps) < MOST_STEPS:
        steps.append(f"{known[at].name} {known[at].version}")
        at = before[at]
    return tuple(reversed(steps))
