"""Versions in their order, by each ecosystem's own specification.

PyPI by `packaging` (PEP 440); npm, Go and crates.io by Semantic Versioning 2.0.0; NuGet by the same
with a fourth number and without regard to capitals; Maven by the version order of its POM
reference; RubyGems by `Gem::Version`; Packagist by Composer's normal form and PHP's
`version_compare`. What is no version of an ecosystem has no place in its order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cmp_to_key, lru_cache
from typing import TYPE_CHECKING, Any, Final

from coai_agents.specialists.security.dependencies.packages import (
    CRATES,
    GO,
    MAVEN,
    NPM,
    NUGET,
    PACKAGIST,
    PYPI,
    RUBYGEMS,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST: Final = 200
"""Characters of a version; the longest in use, Go's pseudo-versions, have some 60."""


@dataclass(frozen=True, slots=True)
class Comparable:
    """A version's place among others of its ecosystem."""

    _key: Any

    def __lt__(self, other: Comparable) -> bool:
        """Say whether it comes before another one."""
        return bool(self._key < other._key)

    def __le__(self, other: Comparable) -> bool:
        """Say whether it does not come after another one."""
        return not other < self


_NUMBERS: Final = r"(\d+(?:\.\d+)*)"
_SEMVER: Final = re.compile(rf"[vV=]?{_NUMBERS}(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.+-]*)?")
_COMPOSER: Final = re.compile(
    rf"[vV]?{_NUMBERS}(?:[._-]?(stable|beta|b|rc|alpha|a|patch|pl|p)((?:[.-]?\d+)*))?"
    r"([.-]?dev)?(?:\+\S*)?",
    re.IGNORECASE,
)
_COMPOSER_RANKS: Final = {"alpha": 1, "a": 1, "beta": 2, "b": 2, "rc": 3, "stable": 4, "": 4}
_COMPOSER_PATCH: Final = 5
_GEM: Final = re.compile(r"[0-9]+(?:\.[0-9a-zA-Z]+)*(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?")
_GEM_SEGMENT: Final = re.compile(r"[0-9]+|[a-z]+", re.IGNORECASE)
_MAVEN_TOKEN: Final = re.compile(r"([.\-_]?)(\d+|[^\d.\-_]*)")
_MAVEN_RANKS: Final = {
    each: rank
    for rank, names in enumerate(
        (("alpha",), ("beta",), ("milestone",), ("rc", "cr"), ("snapshot",),
         ("", "final", "ga", "release"), ("sp",))
    )
    for each in names
}  # fmt: skip
_MAVEN_SHORT: Final = {"a": "alpha", "b": "beta", "m": "milestone"}


def version_key(ecosystem: str, version: str) -> Comparable | None:
    """Return what a version is put in order by; None for what is no version there."""
    reader = _READERS.get(ecosystem)
    if reader is None or not version or len(version) > LONGEST:
        return None
    return _key(ecosystem, version.strip())


@lru_cache(maxsize=8192)
def _key(ecosystem: str, version: str) -> Comparable | None:
    key = _READERS[ecosystem](version)
    return None if key is None else Comparable(key)


def _pypi(version: str) -> Any:  # noqa: ANN401 - what has an order
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 (with the first version)

    try:
        return Version(version)
    except InvalidVersion:
        return None


def _numbers(text: str, least: int) -> tuple[int, ...]:
    numbers = [int(each) for each in text.split(".")]
    while len(numbers) > least and numbers[-1] == 0:
        numbers.pop()
    return (*numbers, *[0] * (least - len(numbers)))


def _semver(version: str, least: int = 3) -> Any:  # noqa: ANN401 - what has an order
    match = _SEMVER.fullmatch(version)
    if match is None:
        return None
    return _numbers(match[1], least), _pre_release(match[2])


def _pre_release(text: str | None) -> tuple[Any, ...]:
    """Return the key of a pre-release: before the release, numbers before words (rule 11)."""
    if not text:
        return (1,)
    return (0, tuple((0, int(x), "") if x.isdecimal() else (1, 0, x) for x in text.split(".")))


def _nuget(version: str) -> Any:  # noqa: ANN401 - what has an order
    return _semver(version.lower(), 4)


def _composer(version: str) -> Any:  # noqa: ANN401 - what has an order
    match = _COMPOSER.fullmatch(version)
    if match is None:
        return None
    stability = (match[2] or "").lower()
    suffix = tuple(int(each) for each in re.findall(r"\d+", match[3] or ""))
    rank = _COMPOSER_RANKS.get(stability, _COMPOSER_PATCH)
    if match[4] and not stability:
        rank = 0
    return _numbers(match[1], 4), rank, suffix, 0 if match[4] else 1


def _gem(version: str) -> Any:  # noqa: ANN401 - what has an order
    if _GEM.fullmatch(version) is None:
        return None
    found = _GEM_SEGMENT.findall(version.replace("-", ".pre."))
    segments: list[int | str] = [int(each) if each.isdecimal() else each for each in found]
    first = next((at for at, each in enumerate(segments) if isinstance(each, str)), len(segments))
    release, pre = _trimmed(segments[:first]), _trimmed(segments[first:])
    return cmp_to_key(_compare_gems)([*release, *pre])


def _trimmed(segments: list[int | str]) -> list[int | str]:
    while segments and segments[-1] == 0:
        segments = segments[:-1]
    return segments


def _compare_gems(one: list[int | str], other: list[int | str]) -> int:
    for at in range(max(len(one), len(other))):
        left = one[at] if at < len(one) else 0
        right = other[at] if at < len(other) else 0
        if left == right:
            continue
        if isinstance(left, str) is isinstance(right, str):
            return -1 if left < right else 1  # pyright: ignore[reportOperatorIssue] - of one kind
        return -1 if isinstance(left, str) else 1
    return 0


_MavenToken = tuple[str, int | str]


def _maven(version: str) -> Any:  # noqa: ANN401 - what has an order
    return cmp_to_key(_compare_maven)(_maven_tokens(version.lower()))


def _maven_tokens(version: str) -> list[_MavenToken]:
    """Return separators and what follows each, without what means nothing at the end of a part."""
    tokens: list[_MavenToken] = []
    position = 0
    while position < len(version):
        match = _MAVEN_TOKEN.match(version, position)
        if match is None or match.end() == position:
            break
        position = match.end()
        separator = match[1].replace("_", "-")
        if not separator and tokens:
            separator = "-"
        text = match[2]
        followed = position < len(version) and version[position].isdecimal()
        if followed and text in _MAVEN_SHORT:
            text = _MAVEN_SHORT[text]
        tokens.append((separator, int(text) if text.isdecimal() else text or 0))
    return _without_nulls(tokens)


def _without_nulls(tokens: list[_MavenToken]) -> list[_MavenToken]:
    kept: list[_MavenToken] = []
    for token in tokens:
        if token[0] == "-":
            while kept and _is_null(kept[-1]):
                kept.pop()
        kept.append(token)
    while kept and _is_null(kept[-1]):
        kept.pop()
    return kept


def _is_null(token: _MavenToken) -> bool:
    return token[1] in (0, "", "final", "ga", "release")


def _compare_maven(one: list[_MavenToken], other: list[_MavenToken]) -> int:
    for at in range(max(len(one), len(other))):
        left = one[at] if at < len(one) else None
        right = other[at] if at < len(other) else None
        a, b = _maven_rank(left, right), _maven_rank(right, left)
        if a != b:
            return -1 if a < b else 1
    return 0


def _maven_rank(token: _MavenToken | None, other: _MavenToken | None) -> tuple[Any, ...]:
    """Return the place of a token; a missing one counts as nothing of the other's kind.

    `.qualifier` = `-qualifier` < `-number` < `.number`, as the POM reference has it.
    """
    if token is None:
        assert other is not None
        token = (other[0], 0 if isinstance(other[1], int) else "")
    separator, value = token
    if isinstance(value, int):
        return (1 if separator == "-" else 2, value)
    known = _MAVEN_RANKS.get(value)
    return (0, len(_MAVEN_RANKS), value) if known is None else (0, known, "")


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    PYPI: _pypi,
    NPM: _semver,
    GO: _semver,
    CRATES: _semver,
    NUGET: _nuget,
    PACKAGIST: _composer,
    RUBYGEMS: _gem,
    MAVEN: _maven,
}
