"""Packages against advisories: which are affected, by what, and which version ends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from coai_agents.specialists.security.advisories.osv import LEVELS, Extent, smallest_fix, union

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from coai_agents.specialists.security.advisories.database import Row, Vulnerabilities
    from coai_agents.specialists.security.dependencies.packages import Package


@dataclass(frozen=True, slots=True)
class Vulnerability:
    """What is wrong with a version: advisories that name one another, as one."""

    id: str
    aliases: tuple[str, ...]
    """Its other names, sorted."""
    title: str
    level: str
    url: str
    fixed: str | None
    """The smallest version without it."""


@dataclass(frozen=True, slots=True)
class Vulnerable:
    """A package that has vulnerabilities."""

    package: Package
    vulnerabilities: tuple[Vulnerability, ...]
    """The gravest first."""
    fixed: str | None
    """The smallest version that has none that is known; None where there is none."""

    @property
    def level(self) -> str:
        """The gravest level."""
        return max((each.level for each in self.vulnerabilities), key=LEVELS.index)

    @property
    def sentence(self) -> str:
        """What is to be said of it in one sentence or two."""
        package, ids = self.package, [each.id for each in self.vulnerabilities]
        more = f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else ""
        verb = "has" if package.exact else "is allowed here and has"
        known = f"{', '.join(ids[:MOST_NAMED])}{more}"
        cure = f"{self.fixed} fixes it." if self.fixed else "No version that fixes it is known."
        if self.fixed and len(ids) > 1:
            cure = f"{self.fixed} fixes all of them."
        return f"{package.name} {package.version} {verb} {known} ({self.level}). {cure}"

    def as_json(self, path: str, line: int, column: int) -> dict[str, Any]:
        """Return it for scripts, with its place counted from 1."""
        return {
            "ecosystem": self.package.ecosystem,
            "package": self.package.name,
            "version": self.package.version,
            "exact": self.package.exact,
            "path": path,
            "line": line,
            "column": column,
            "severity": self.level,
            "fixed": self.fixed,
            "via": list(self.package.via),
            "vulnerabilities": [
                {
                    "id": each.id,
                    "aliases": list(each.aliases),
                    "summary": each.title,
                    "severity": each.level,
                    "fixed": each.fixed,
                    "url": each.url,
                }
                for each in self.vulnerabilities
            ],
        }


MOST_NAMED: Final = 3
"""Vulnerabilities that a sentence names."""

_PREFERRED: Final = ("GHSA-", "CVE-", "PYSEC-", "RUSTSEC-", "GO-", "MAL-")
"""By whose name a vulnerability goes that has several: whose advisories are the most exact."""


def vulnerable(package: Package, known: Vulnerabilities) -> Vulnerable | None:
    """Return what is wrong with a package; raises `DatabaseError`."""
    rows = known.about(package.ecosystem, package.name)
    extents = [_extent(package.ecosystem, row) for row in rows]
    hit = [row for row, extent in zip(rows, extents, strict=True) if extent.has(package.version)]
    if not hit:
        return None
    joined = union([row.advisory, *row.aliases] for row in hit)
    groups: dict[str, list[Row]] = {}
    for row in hit:
        groups.setdefault(joined[row.advisory], []).append(row)
    found = [_vulnerability(package, group) for group in groups.values()]
    found.sort(key=lambda each: (-LEVELS.index(each.level), each.id))
    fixed = smallest_fix(package.ecosystem, package.version, extents)
    return Vulnerable(package, tuple(found), fixed)


def _extent(ecosystem: str, row: Row) -> Extent:
    return Extent(ecosystem, row.ranges, frozenset(row.versions))


def _vulnerability(package: Package, rows: Sequence[Row]) -> Vulnerability:
    ids = {row.advisory for row in rows}
    first = min(rows, key=lambda row: (_rank(row.advisory), row.advisory))
    aliases = ids | {alias for row in rows for alias in row.aliases}
    return Vulnerability(
        first.advisory,
        tuple(sorted(aliases - {first.advisory})),
        next((row.title for row in (first, *rows) if row.title), ""),
        max((row.level for row in rows), key=LEVELS.index),
        first.url,
        smallest_fix(
            package.ecosystem,
            package.version,
            [_extent(package.ecosystem, row) for row in rows],
        ),
    )


def _rank(name: str) -> int:
    return next((at for at, each in enumerate(_PREFERRED) if name.startswith(each)), 99)


def all_vulnerable(
    packages: Iterable[tuple[str, Package]], known: Vulnerabilities
) -> list[tuple[str, Vulnerable]]:
    """Return the vulnerable ones of some files' packages, each with its file's path.

    One version of a package is named once for each file. Raises `DatabaseError`.
    """
    found: dict[tuple[str, str, str, str], tuple[str, Vulnerable]] = {}
    for path, package in packages:
        key = (path, package.ecosystem, package.plain_name, package.version)
        if key not in found and (hit := vulnerable(package, known)) is not None:
            found[key] = path, hit
    return list(found.values())
