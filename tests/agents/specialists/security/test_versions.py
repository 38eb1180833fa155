"""Versions in each ecosystem's own order."""

from __future__ import annotations

import itertools

import pytest

from coai_agents.specialists.security.advisories.versions import version_key

# Each from the lowest to the highest, in the words of the ecosystem's own specification.
ORDERS = {
    "PyPI": "1.0.dev1 1.0a1 1.0a2 1.0b1 1.0rc1 1.0 1.0.post1 1.0.1 1.1 1.10 1!0.1",
    "npm": (
        "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 "
        "1.0.0-rc.1 1.0.0 1.0.1 1.2.0 1.10.0"
    ),
    "Go": "v0.0.0-20190101000000-abcdefabcdef v0.1.0 0.2.0 v1.0.0-rc1 v1.0.0 v2.0.0+incompatible",
    "crates.io": "0.1.0-pre 0.1.0 0.1.1 0.9.0 0.10.0",
    "NuGet": "1.0.0-alpha 1.0.0-BETA 1.0.0-rc 1.0 1.0.0.1 1.0.1 1.2",
    "RubyGems": "1.0.a 1.0.b1 1.0.b2 1.0.pre 1.0.rc1 1.0 1.0.1 1.2 1.10",
    "Packagist": "1.0.0-dev 1.0.0-alpha1 1.0.0-beta2 1.0.0-beta10 1.0.0-RC1 v1.0.0 1.0.0-p1 1.0.1",
    "Maven": (
        "1.0-alpha-1 1.0-beta1 1.0-milestone-1 1.0-rc1 1.0-SNAPSHOT 1.0 1.0-sp 1.0-jre 1.0-1 1.0.1 "
        "1.1 1.10"
    ),
}

SAME = [
    ("PyPI", "1.0", "1.0.0"),
    ("npm", "v1.2.3", "1.2.3+build.7"),
    ("Go", "v1.2.0+incompatible", "1.2.0"),
    ("NuGet", "1.0", "1.0.0.0"),
    ("NuGet", "1.0.0-Beta", "1.0.0-beta"),
    ("RubyGems", "1.0", "1.0.0"),
    ("RubyGems", "1.0-rc1", "1.0.pre.rc1"),
    ("Packagist", "v1.2", "1.2.0.0"),
    ("Maven", "1.0", "1"),
    ("Maven", "1.0.0.Final", "1.0-ga"),
    ("Maven", "1.0-cr2", "1.0-rc2"),
    ("Maven", "1-a1", "1-alpha-1"),
]

NONE = [
    ("PyPI", "latest"),
    ("npm", "workspace:*"),
    ("npm", ""),
    ("Go", "master"),
    ("Packagist", "dev-main"),
    ("RubyGems", "one"),
    ("npm", "1." * 500),
    ("Debian", "1.0"),
]


@pytest.mark.parametrize("ecosystem", ORDERS)
def test_versions_are_in_the_order_of_their_ecosystem(ecosystem: str) -> None:
    for lower, higher in itertools.combinations(ORDERS[ecosystem].split(), 2):
        one, other = version_key(ecosystem, lower), version_key(ecosystem, higher)
        assert one is not None, lower
        assert other is not None, higher
        assert one < other, (lower, higher)
        assert not other <= one, (lower, higher)


@pytest.mark.parametrize(("ecosystem", "one", "other"), SAME)
def test_one_version_has_several_spellings(ecosystem: str, one: str, other: str) -> None:
    first, second = version_key(ecosystem, one), version_key(ecosystem, other)
    assert first is not None
    assert second is not None
    assert first <= second
    assert second <= first


@pytest.mark.parametrize(("ecosystem", "text"), NONE)
def test_what_is_no_version_has_no_place(ecosystem: str, text: str) -> None:
    assert version_key(ecosystem, text) is None
