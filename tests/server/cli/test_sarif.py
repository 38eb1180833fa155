"""SARIF: valid against the schema of 2.1.0, with ways, fixes and what was missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError
from pydantic_sarif import model  # pyright: ignore[reportMissingTypeStubs] - typed, not marked so

from coai_agents.analysis.dataflow.lowering import LANGUAGES
from coai_agents.analysis.rules.rules import examples
from coai_agents.analysis.run import remembered
from coai_agents.analysis.run.large import MAX_LINES
from coai_agents.source import Encoding, Position, Source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.server.cli.conftest import InProcess

Sarif = model.StaticAnalysisResultsFormatSarifVersion210JsonSchema

SUFFIXES = {
    "python": "py",
    "javascript": "js",
    "typescript": "ts",
    "tsx": "tsx",
    "java": "java",
    "go": "go",
    "php": "php",
    "ruby": "rb",
    "csharp": "cs",
    "kotlin": "kt",
    "scala": "scala",
    "rust": "rs",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(remembered, "cache_path", lambda: tmp_path / "cache" / "audit.sqlite")
    (tmp_path / "code").mkdir()
    return tmp_path / "code"


def _results(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    return document["runs"][0]["results"]


def test_the_examples_of_all_rules_are_valid_and_their_places_are_in_the_files(
    folder: Path, coai: InProcess
) -> None:
    for language in LANGUAGES:
        for number, example in enumerate(examples(language)[:12]):
            name = f"{language}{number}.{SUFFIXES[language]}"
            (folder / name).write_text(example.bad, encoding="utf-8")
    document = coai("audit", str(folder), "--format", "sarif", "--level", "hint").document
    Sarif.model_validate(document)
    results = _results(document)
    assert any("codeFlows" in each for each in results)
    assert sum("fixes" in each for each in results) > 10
    rules = document["runs"][0]["tool"]["driver"]["rules"]
    assert all(rules[each["ruleIndex"]]["id"] == each["ruleId"] for each in results)


def test_the_schema_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValidationError):
        Sarif.model_validate({"version": "2.1.0", "runs": [], "other": 1})


def test_a_fix_applied_by_its_regions_is_the_fix(folder: Path, coai: InProcess) -> None:
    path = folder / "bad.py"
    path.write_text(
        "# \U0001f600\nimport hashlib\nx = '\U0001f600'; h = hashlib.md5(b'x')\n", "utf-8"
    )
    document = coai("audit", str(folder), "--format", "sarif").document
    (result,) = _results(document)
    fixes = {fix["description"]["text"]: fix for fix in result["fixes"]}
    (change,) = fixes["Use SHA-256"]["artifactChanges"]
    source = Source(path.as_uri(), path.read_text("utf-8"))
    text = source.text
    for each in reversed(change["replacements"]):
        region = each["deletedRegion"]
        start, end = (
            source.offset_at(
                Position(region[f"{side}Line"] - 1, region[f"{side}Column"] - 1), Encoding.UTF_16
            )
            for side in ("start", "end")
        )
        text = text[:start] + each["insertedContent"]["text"] + text[end:]
    assert text.endswith("x = '\U0001f600'; h = hashlib.sha256(b'x')\n")


def test_what_was_not_looked_at_is_a_notification(folder: Path, coai: InProcess) -> None:
    (folder / "long.py").write_text("x = 1\n" * (MAX_LINES + 1))
    document = coai("audit", str(folder), "--format", "sarif").document
    Sarif.model_validate(document)
    (invocation,) = document["runs"][0]["invocations"]
    # A machine with other work may have had no time for the rest of it, and says that as well.
    notices = [each["message"]["text"] for each in invocation["toolExecutionNotifications"]]
    assert sum("values were not followed" in each for each in notices) == 1


def test_nothing_found_is_valid_too(folder: Path, coai: InProcess) -> None:
    (folder / "good.py").write_text("x = 1\n")
    ran = coai("audit", str(folder), "--format", "sarif")
    Sarif.model_validate(ran.document)
    assert (ran.code, _results(ran.document)) == (0, [])
