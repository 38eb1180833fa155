"""Advisories in OSV's form: which versions they are about, joined, kept, and taken from files."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from coai_agents.analysis.findings.findings import Analysis, Severity
from coai_agents.source import Source, Span
from coai_agents.specialists.security import findings
from coai_agents.specialists.security.advisories.database import (
    DatabaseError,
    Vulnerabilities,
    import_files,
)
from coai_agents.specialists.security.advisories.matching import Vulnerable, vulnerable
from coai_agents.specialists.security.advisories.osv import base_score
from coai_agents.specialists.security.dependencies.packages import Package
from tests.agents.specialists.security.advisories import advisory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def known(folder: Path, *advisories: Any) -> Vulnerabilities:  # noqa: ANN401 - also what is none
    (folder / "osv.json").write_text(json.dumps(advisories), "utf-8")
    import_files(folder / "known.sqlite", [folder / "osv.json"])
    return Vulnerabilities(folder / "known.sqlite")


def match(
    known: Vulnerabilities, version: str, name: str = "pot", ecosystem: str = "PyPI"
) -> Vulnerable | None:
    return vulnerable(Package(ecosystem, name, version, Span(0, 0)), known)


EXTENTS: Sequence[tuple[str, dict[str, Any], str, str]] = (
    # Events, more of the advisory, affected versions, others.
    ("introduced 0,fixed 1.5", {}, "0.1 1.4 1.5rc1", "1.5 2.0"),
    ("introduced 1.0,fixed 1.5", {}, "1.0 1.4.9", "0.9 1.0a1 1.5"),
    ("introduced 1.0,last_affected 1.5", {}, "1.0 1.5", "0.9 1.5.1"),
    ("introduced 0", {}, "0.0.1 99", ""),
    ("fixed 3.1,introduced 3.0,fixed 2.5,introduced 0", {}, "1.0 2.4 3.0", "2.5 2.9 3.1"),
    ("introduced 0,limit 2.0", {}, "1.0 1.9", "2.0 2.1"),
    ("", {"versions": ["1.0", "1.2"]}, "1.0 1.0.0 1.2", "1.1"),
    ("introduced 0,fixed 1.1", {"versions": ["7.0"]}, "1.0 7.0", "1.1 7.1"),
    ("introduced abcdef,fixed bcdef0", {"kind": "GIT", "versions": ["1.0"]}, "1.0", "0.9 1.1"),
    ("introduced nonsense,fixed 1.1", {}, "", "1.0 1.1"),
    ("introduced 0,fixed 1.5", {"withdrawn": "2024-01-01T00:00:00Z"}, "", "1.0"),
)


@pytest.mark.parametrize(("events", "more", "affected", "others"), EXTENTS)
def test_an_advisory_is_about_the_versions_of_its_events(
    events: str, more: dict[str, Any], affected: str, others: str, tmp_path: Path
) -> None:
    some = known(tmp_path, advisory("A-1", "pot", *filter(None, events.split(",")), **more))
    for version in affected.split():
        assert match(some, version) is not None, version
    for version in others.split():
        assert match(some, version) is None, version


@pytest.mark.parametrize(
    ("ecosystem", "named", "asked", "same"),
    [
        ("PyPI", "Tea_Pot", "tea.pot", True),
        ("NuGet", "Tea.Pot", "tea.pot", True),
        ("Packagist", "Tea/Pot", "tea/pot", True),
        ("npm", "tea-pot", "tea_pot", False),
        ("Go", "example.org/Pot", "example.org/pot", False),
        ("Maven", "a:pot", "a:pot", True),
    ],
)
def test_names_are_compared_as_their_ecosystem_does(
    ecosystem: str, named: str, asked: str, *, same: bool, tmp_path: Path
) -> None:
    some = known(tmp_path, advisory("A-1", named, "introduced 0", ecosystem=ecosystem))
    assert (match(some, "1.0", asked, ecosystem) is not None) is same


def test_the_fix_is_the_smallest_version_that_nothing_is_known_of(tmp_path: Path) -> None:
    some = known(
        tmp_path,
        advisory("A-1", "pot", "introduced 0", "fixed 1.5", "introduced 2.0", "fixed 2.3"),
        advisory("A-2", "pot", "introduced 1.4", "fixed 1.6"),
        # Not about 1.0, but about what fixes the others.
        advisory("A-3", "pot", "introduced 1.6", "fixed 1.7"),
        advisory("A-4", "cup", "introduced 0"),
    )
    hit = match(some, "1.0")
    assert hit is not None
    assert (hit.fixed, [each.fixed for each in hit.vulnerabilities]) == ("1.7", ["1.5"])
    hit = match(some, "1.4")
    assert hit is not None
    assert (hit.fixed, [each.id for each in hit.vulnerabilities]) == ("1.7", ["A-1", "A-2"])
    hit = match(some, "2.1")
    assert hit is not None
    assert hit.fixed == "2.3"
    hit = match(some, "1.0", "cup")
    assert hit is not None
    assert hit.fixed is None
    assert "No version that fixes it is known" in hit.sentence


def test_advisories_that_name_one_another_are_one(tmp_path: Path) -> None:
    grave: dict[str, Any] = {"database_specific": {"severity": "HIGH"}}
    some = known(
        tmp_path,
        advisory("PYSEC-7", "pot", "introduced 0", "fixed 2", aliases=["CVE-1", "GHSA-x"]),
        advisory("GHSA-x", "pot", "introduced 0", "fixed 1.9", aliases=["CVE-1"], **grave),
        advisory("GHSA-y", "pot", "introduced 0", "fixed 1.1"),
    )
    hit = match(some, "1.0")
    assert hit is not None
    assert [(each.id, each.aliases, each.level, each.fixed) for each in hit.vulnerabilities] == [
        ("GHSA-x", ("CVE-1", "PYSEC-7"), "high", "2"),
        ("GHSA-y", (), "unknown", "1.1"),
    ]
    assert hit.level == "high"


@pytest.mark.parametrize(
    ("vector", "score"),
    [
        # The examples of CVSS 3.1, and one of no such version.
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4),
        ("CVSS:3.0/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
        ("CVSS:3.1/AV:Z", None),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", None),
    ],
)
def test_the_score_of_a_vector_is_that_of_its_specification(
    vector: str, score: float | None
) -> None:
    assert base_score(vector) == score


def test_files_zips_and_folders_are_taken_and_what_is_wrong_in_them_is_said(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with zipfile.ZipFile(tmp_path / "in" / "all.zip", "w") as archive:
        archive.writestr("A-1.json", json.dumps(advisory("A-1", "pot", "introduced 0")))
        archive.writestr("A-2.json", "{")
        archive.writestr("README.md", "no advisory")
    (tmp_path / "in" / "more.json").write_text(
        json.dumps([advisory("A-3", "cup", "introduced 0"), {"id": "no id!"}, 7]), "utf-8"
    )
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04nothing")
    imported = import_files(
        tmp_path / "known.sqlite",
        [tmp_path / "in", tmp_path / "broken.zip", tmp_path / "absent.json"],
    )
    assert imported.advisories == 2
    assert len(imported.notes) == 5
    assert (tmp_path / "known.sqlite").stat().st_mode & 0o077 == 0


def test_a_newer_word_takes_the_place_of_an_older_one_only(tmp_path: Path) -> None:
    first = advisory("A-1", "pot", "introduced 0", "fixed 1.0", modified="2024-01-01T00:00:00Z")
    newer = advisory("A-1", "pot", "introduced 0", "fixed 2.0", modified="2024-02-01T00:00:00Z")
    for told in (first, newer, first):
        some = known(tmp_path, told)
        assert match(some, "0.5") is not None
    assert match(known(tmp_path, first), "1.5") is not None


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="No database"):
        Vulnerabilities(tmp_path / "absent.sqlite")
    (tmp_path / "text.sqlite").write_text("no database at all, but long enough to be one" * 9)
    with pytest.raises(DatabaseError, match="no database of vulnerabilities"):
        Vulnerabilities(tmp_path / "text.sqlite")


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    high: dict[str, Any] = {"database_specific": {"severity": "HIGH"}}
    known(
        tmp_path,
        advisory("A-1", "pot", "introduced 0", "fixed 1.5", **high),
        advisory("A-2", "cup", "introduced 0", "fixed 3.0.0", ecosystem="npm", **high),
    ).close()
    return tmp_path


def _looked_at(path: Path, text: str, database: Path) -> tuple[Source, Analysis]:
    source = Source(path.as_uri(), text)
    empty = Analysis(source.uri, source.version, ())
    return source, findings.with_dependencies(source, empty, database)


def test_a_dependency_is_a_finding_with_the_version_that_ends_it_as_its_fix(manifest: Path) -> None:
    text = "tea==1.0\npot[hot] == 1.2.0  # why\n"
    database = manifest / "known.sqlite"
    source, analysis = _looked_at(manifest / "requirements.txt", text, database)
    (found,) = analysis.findings
    assert source.slice(found.span) == "1.2.0"
    assert found.severity is Severity.ERROR
    (fix,) = findings.dependency_fixes_for(source, analysis.findings, database)
    (edit,) = fix.edits
    assert fix.title == "Use pot 1.5"
    assert source.apply(edit).text == "tea==1.0\npot[hot] == 1.5  # why\n"


def test_a_range_is_as_its_lock_file_has_it(manifest: Path) -> None:
    text = '{"dependencies": {"cup": "^2.0.0"}}'
    database, path = manifest / "known.sqlite", manifest / "package.json"
    source, alone = _looked_at(path, text, database)
    assert [each.severity for each in alone.findings] == [Severity.INFORMATION]
    lock = (
        '{"packages": {"": {"dependencies": {"cup": "*"}}, "node_modules/cup": {"version": "%s"}}}'
    )
    (manifest / "package-lock.json").write_text(lock % "2.4.0", "utf-8")
    source, locked = _looked_at(path, text, database)
    assert [each.severity for each in locked.findings] == [Severity.ERROR]
    (fix,) = findings.dependency_fixes_for(source, locked.findings, database)
    assert source.apply(fix.edits[0]).text == '{"dependencies": {"cup": "^3.0.0"}}'
    (manifest / "package-lock.json").write_text(lock % "3.1.0", "utf-8")
    assert _looked_at(path, text, database)[1].findings == ()


def test_what_a_tool_writes_has_no_fix(manifest: Path) -> None:
    text = '[[package]]\nname = "pot"\nversion = "1.0"\n'
    database = manifest / "known.sqlite"
    source, analysis = _looked_at(manifest / "uv.lock", text, database)
    assert len(analysis.findings) == 1
    assert list(findings.dependency_fixes_for(source, analysis.findings, database)) == []
