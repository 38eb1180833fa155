"""`coai vulns` and `coai vulns update`, over real files and a real HTTP server."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

import pytest
from pydantic_sarif import model  # pyright: ignore[reportMissingTypeStubs] - typed, not marked so

from tests.agents.specialists.security.advisories import advisory
from tests.support.file_server import file_server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.cli.conftest import InProcess


@pytest.fixture
def folder(empty_home: Path) -> Path:
    work = empty_home / "work"
    (work / "node_modules" / "x").mkdir(parents=True)
    (work / "requirements.txt").write_text("tea==1.0\npot==1.0\n", "utf-8")
    (work / "node_modules" / "x" / "package.json").write_text(
        '{"dependencies": {"cup": "1.0.0"}}', "utf-8"
    )
    pot = advisory("A-1", "pot", "introduced 0", "fixed 1.5", aliases=["CVE-1"])
    (empty_home / "osv.json").write_text(json.dumps([pot]), "utf-8")
    return work


def test_from_files_to_what_is_wrong(coai: InProcess, folder: Path) -> None:
    absent = coai("vulns", str(folder))
    assert absent.code == 2
    assert "coai vulns update" in absent.err
    assert coai("vulns", "update", "--from", "osv.json").code == 0
    found = coai("vulns", str(folder))
    assert found.code == 1
    assert f"{folder.as_posix()}/requirements.txt:2:6 unknown pot 1.0 has A-1" in found.out
    assert "1.5 fixes it" in found.out
    document = coai("vulns", str(folder), "--json", "--no-model").document
    assert document["packages"] == 2
    (hit,) = document["vulnerable"]
    assert (hit["line"], hit["column"], hit["fixed"]) == (2, 6, "1.5")
    assert hit["vulnerabilities"][0]["aliases"] == ["CVE-1"]
    (folder / "requirements.txt").write_text("pot==1.5\n", "utf-8")
    clean = coai("vulns", "check", str(folder))
    assert (clean.code, clean.out) == (0, "1 packages in 1 files: nothing known\n")


def test_what_could_not_be_found_out_is_exit_code_2(coai: InProcess, folder: Path) -> None:
    coai("vulns", "update", "--from", "osv.json")
    (folder / "requirements.txt").unlink()
    assert coai("vulns", str(folder)).code == 0
    (folder / "package.json").write_text('{"dependencies": {"cup": "1.0.0"}}', "utf-8")
    unknown = coai("vulns", str(folder))
    assert unknown.code == 2
    assert "knows nothing of npm" in unknown.err
    (folder / "package.json").write_text('{"dependencies": {', "utf-8")
    broken = coai("vulns", str(folder), "--json")
    assert broken.code == 2
    assert "was not read" in broken.document["notes"][0]


def test_sarif_is_valid(coai: InProcess, folder: Path) -> None:
    coai("vulns", "update", "--from", "osv.json")
    document = coai("vulns", str(folder), "--format", "sarif").document
    model.StaticAnalysisResultsFormatSarifVersion210JsonSchema.model_validate(document)
    (result,) = document["runs"][0]["results"]
    assert result["ruleId"] == "vulnerable-dependency"


def _zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("A-9.json", json.dumps(advisory("A-9", "pot", "introduced 0", "fixed 3")))
    return content.getvalue()


def test_it_is_fetched_when_asked_and_only_names_of_ecosystems_leave(
    coai: InProcess, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with file_server() as server:
        server.serve("/PyPI/all.zip", _zip()).cuts.append(100)
        fetched = coai("vulns", "update", "--url", server.url)
        assert fetched.code == 0, fetched.err
        assert {each.path for each in server.requests} == {"/PyPI/all.zip"}
        assert coai("vulns", "update", "npm", "--url", server.url).code == 2
        asked = len(server.requests)
        found = coai("vulns")
        assert (found.code, len(server.requests)) == (1, asked)
    assert "A-9" in found.out


def test_with_privacy_nothing_leaves(coai: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COAI_PRIVACY__MODE", "true")
    refused = coai("vulns", "update", "PyPI", "--url", "https://example.invalid", "--json")
    assert refused.code == 2
    assert "nothing may leave" in refused.document["error"]["message"]


def test_what_another_scanner_has_fetched_is_taken(coai: InProcess, folder: Path) -> None:
    there = folder.parent / "osv-scanner" / "PyPI" / "all.zip"
    there.parent.mkdir(parents=True)
    there.write_bytes(_zip())
    found = coai("vulns", str(folder))
    assert found.code == 1
    assert "A-9" in found.out


def test_a_link_that_leads_out_of_the_folder_is_not_followed(coai: InProcess, folder: Path) -> None:
    coai("vulns", "update", "--from", "osv.json")
    (folder / "requirements.txt").replace(folder.parent / "requirements.txt")
    (folder / "requirements.txt").symlink_to(folder.parent / "requirements.txt")
    found = coai("vulns", str(folder))
    assert found.code == 2
    assert "leads out of the folder" in found.err
