"""Advisories in OSV's form (https://ossf.github.io/osv-schema/), as far as they are matched.

An advisory says of a package which versions it is about: those of a list, and those of ranges of
events. Ranges of commits are kept for their versions' list only: which commits a release has,
nobody here can tell.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from coai_agents.specialists.security.advisories.versions import version_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from coai_agents.specialists.security.advisories.versions import Comparable

MOST_VERSIONS: Final = 20_000
"""In one list; the longest in use have some 2,000."""


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(_Form):
    """Where a range begins or ends; exactly one of them is set."""

    introduced: str | None = Field(default=None, max_length=500)
    fixed: str | None = Field(default=None, max_length=500)
    last_affected: str | None = Field(default=None, max_length=500)
    limit: str | None = Field(default=None, max_length=500)


class Range(_Form):
    """A range of versions by the events in it."""

    type: Literal["SEMVER", "ECOSYSTEM", "GIT"]
    events: tuple[Event, ...] = Field(default=(), max_length=2_000)


class AffectedPackage(_Form):
    """Whose versions are meant."""

    ecosystem: str = Field(default="", max_length=200)
    name: str = Field(default="", max_length=1_000)


class Affected(_Form):
    """What an advisory says of one package."""

    package: AffectedPackage = AffectedPackage()
    ranges: tuple[Range, ...] = Field(default=(), max_length=500)
    versions: tuple[str, ...] = Field(default=(), max_length=MOST_VERSIONS)


class SeverityScore(_Form):
    """A severity, as a vector of a version of CVSS."""

    type: str = Field(default="", max_length=50)
    score: str = Field(default="", max_length=500)


class Reference(_Form):
    """Where more is said."""

    type: str = Field(default="", max_length=50)
    url: str = Field(default="", max_length=2_000)


class Advisory(_Form):
    """One advisory."""

    id: str = Field(min_length=1, max_length=200, pattern=r"^[\w.:+-]+$")
    modified: str = Field(default="", max_length=50)
    withdrawn: str | None = Field(default=None, max_length=50)
    aliases: tuple[str, ...] = Field(default=(), max_length=500)
    summary: str = Field(default="", max_length=20_000)
    details: str = Field(default="", max_length=1_000_000)
    severity: tuple[SeverityScore, ...] = Field(default=(), max_length=50)
    affected: tuple[Affected, ...] = Field(default=(), max_length=5_000)
    references: tuple[Reference, ...] = Field(default=(), max_length=5_000)
    database_specific: dict[str, Any] = Field(default_factory=dict[str, Any])

    @property
    def title(self) -> str:
        """Its summary, else the first line of its details."""
        said = self.summary or self.details.strip().partition("\n")[0]
        return said.strip()

    def level(self) -> str:
        """Return its severity in a word: low, medium, high, critical, or unknown."""
        scores = [each.score for each in self.severity]
        known = [score for vector in scores if (score := base_score(vector)) is not None]
        if known:
            return level_of(max(known))
        said = str(self.database_specific.get("severity", "")).lower()
        return {"moderate": "medium"}.get(said, said if said in LEVELS else "unknown")


LEVELS: Final = ("unknown", "low", "medium", "high", "critical")


def level_of(score: float) -> str:
    """Return the word for a score by the scale of CVSS 3.1, section 5."""
    for least, word in ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low")):
        if score >= least:
            return word
    return "low"


_METRICS: Final = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "UI": {"N": 0.85, "R": 0.62},
    "C": {"H": 0.56, "L": 0.22, "N": 0.0},
    "I": {"H": 0.56, "L": 0.22, "N": 0.0},
    "A": {"H": 0.56, "L": 0.22, "N": 0.0},
}
_PRIVILEGES: Final = {
    "U": {"N": 0.85, "L": 0.62, "H": 0.27},
    "C": {"N": 0.85, "L": 0.68, "H": 0.5},
}


def base_score(vector: str) -> float | None:
    """Return the base score of a vector of CVSS 3.0 or 3.1 (section 7.1); None for other ones."""
    if not re.match(r"CVSS:3\.[01]/", vector):
        return None
    pairs = (each.partition(":") for each in vector.split("/")[1:])
    parts = {name: value for name, _, value in pairs}
    try:
        values = {name: table[parts[name]] for name, table in _METRICS.items()}
        scope = parts["S"]
        privileges = _PRIVILEGES[scope][parts["PR"]]
    except KeyError:
        return None
    lost = 1 - (1 - values["C"]) * (1 - values["I"]) * (1 - values["A"])
    changed = scope == "C"
    impact = 7.52 * (lost - 0.029) - 3.25 * (lost - 0.02) ** 15 if changed else 6.42 * lost
    if impact <= 0:
        return 0.0
    exploitability = 8.22 * values["AV"] * values["AC"] * privileges * values["UI"]
    raw = (1.08 if changed else 1.0) * (impact + exploitability)
    return _rounded_up(min(raw, 10.0))


def _rounded_up(score: float) -> float:
    """Round up to one place as appendix A of CVSS 3.1 has it: no error of floats counts."""
    whole = round(score * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (math.floor(whole / 10_000) + 1) / 10


@dataclass(frozen=True, slots=True)
class Extent:
    """The versions of one package that an advisory is about."""

    ecosystem: str
    ranges: tuple[Range, ...]
    versions: frozenset[str]

    def has(self, version: str) -> bool:
        """Say whether a version is affected, by the evaluation that the schema describes."""
        if version in self.versions:
            return True
        key = version_key(self.ecosystem, version)
        if key is None:
            return False
        ordered = [each for each in self.ranges if each.type != "GIT"]
        if ordered:
            return any(_in_range(self.ecosystem, key, each) for each in ordered)
        # One version may be written in several ways, such as 1.0 and 1.0.0.
        return any(_key(self.ecosystem, each) == key for each in self.versions)

    def fixes(self) -> list[str]:
        """Return the versions that are named as fixed."""
        return [
            event.fixed
            for each in self.ranges
            if each.type != "GIT"
            for event in each.events
            if event.fixed is not None
        ]


def _in_range(ecosystem: str, key: Comparable, within: Range) -> bool:
    """Say whether a version is in a range: the last event before it decides.

    Events whose version cannot be read are left out; a range that has no beginning then is empty.
    """
    limits = [
        _key(ecosystem, each.limit) for each in within.events if each.limit not in {None, "*"}
    ]
    known = [each for each in limits if each is not None]
    if known and not any(key < each for each in known):
        return False
    begins = any(each.introduced == "0" for each in within.events)
    decisive: Comparable | None = None
    inside = begins
    for event in within.events:
        for said, opens in ((event.introduced, True), (event.fixed, False)):
            at = None if said in {None, "0"} else _key(ecosystem, said)
            if at is not None and at <= key and (decisive is None or decisive <= at):
                inside, decisive = opens, at
        last = _key(ecosystem, event.last_affected)
        if last is not None and last < key and (decisive is None or decisive <= last):
            inside, decisive = False, last
    return inside


def _key(ecosystem: str, version: str | None) -> Comparable | None:
    return None if version is None else version_key(ecosystem, version)


def smallest_fix(ecosystem: str, version: str, extents: Sequence[Extent]) -> str | None:
    """Return the smallest version that is named as a fix, is newer, and none of them is about."""
    at = version_key(ecosystem, version)
    if at is None:
        return None
    newer = {
        fix: key
        for extent in extents
        for fix in extent.fixes()
        if (key := version_key(ecosystem, fix)) is not None and at < key
    }
    ordered = sorted(newer, key=lambda fix: newer[fix])
    return next((fix for fix in ordered if not any(each.has(fix) for each in extents)), None)


def base_ecosystem(name: str) -> str:
    """Return an ecosystem without what may follow it, such as the address of a registry."""
    return name.partition(":")[0]


def union(groups: Iterable[Sequence[str]]) -> dict[str, str]:
    """Return for every name one of those that it is joined with, the same for all of them."""
    parents: dict[str, str] = {}

    def top(name: str) -> str:
        while (above := parents.setdefault(name, name)) != name:
            parents[name] = parents[above]
            name = above
        return name

    for group in groups:
        for name in group[1:]:
            parents[top(name)] = top(group[0])
        if group:
            top(group[0])
    return {name: top(name) for name in list(parents)}
