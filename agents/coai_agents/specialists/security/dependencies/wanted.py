"""What a manifest asks for: one version, or a range, of which the lowest may be installed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from coai_agents.source import Span
from coai_agents.specialists.security.dependencies.packages import (
    CRATES,
    GO,
    MAVEN,
    NPM,
    NUGET,
    PACKAGIST,
    PYPI,
    RUBYGEMS,
    Package,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class Wanted(NamedTuple):
    """A version that a manifest names."""

    version: str
    start: int
    """Where it stands within what the manifest says of versions."""
    exact: bool


_CLAUSE: Final = re.compile(
    r"(?P<operator>===|~=|==|>=|<=|!=|=|\^|~>|~|>|<|\[|\()?\s{0,9}"
    r"(?P<version>[vV]?\d[\w.+!-]*(?P<any>\.[*xX])?|[*])"
)

_UPPER: Final = frozenset({"<", "<=", "!=", ">", "("})
"""Operators that do not name a version that would be taken."""

EXACT: Final[Mapping[str, frozenset[str]]] = {
    PYPI: frozenset({"==", "==="}),
    NPM: frozenset({"", "="}),
    GO: frozenset({""}),
    # A soft requirement, which Maven takes unless something nearer wants another one.
    MAVEN: frozenset({"", "["}),
    CRATES: frozenset({"="}),
    PACKAGIST: frozenset({"", "=", "=="}),
    RUBYGEMS: frozenset({"", "="}),
    # NuGet takes the lowest version that is allowed.
    NUGET: frozenset({"", "["}),
}
"""By which operators one version is wanted, in each ecosystem's own words."""


def wanted(ecosystem: str, requirement: str) -> Wanted | None:
    """Return the version that a requirement names, or the lowest one that it allows.

    None where it names none, such as `*`, `latest`, a branch or an address.
    """
    # Maven's and NuGet's "(1.0,": 1.0 is just what is not taken.
    if "://" in requirement or requirement[:1] == "(" or len(requirement) > MOST_CHARACTERS:
        return None
    clauses = list(_CLAUSE.finditer(requirement))
    for match in clauses:
        operator = match["operator"] or ""
        if operator in _UPPER or match["version"] == "*":
            continue
        before = requirement[match.start() - 1 : match.start()]
        if before and (before.isalnum() or before in "-_/@#:"):
            # The end of a word, such as of a branch.
            return None
        bare = match["version"]
        open_ended = bool(match["any"]) or re.search(r"\.[xX+]$", bare) is not None
        version = re.sub(r"(?:\.[xX*+])+$", "", bare).rstrip(".-")
        ranged = operator == "[" and "," in requirement
        exact = operator in EXACT[ecosystem] and len(clauses) == 1 and not open_ended
        return Wanted(version, match.start("version"), exact and not ranged)
    return None


MOST_CHARACTERS: Final = 500
"""Of one requirement."""


def declared(ecosystem: str, name: str, requirement: str, start: int) -> Package | None:
    """Return a package that a manifest asks for, its requirement standing at an offset."""
    found = wanted(ecosystem, requirement)
    if found is None:
        return None
    first = start + found.start
    span = Span(first, first + len(found.version))
    version = found.version
    return Package(ecosystem, name, version, span, exact=found.exact, edit=span)
