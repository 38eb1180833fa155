"""Values kept in objects, closures and generators: found where they are used, and only there."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from coai_agents.analysis.findings.findings import Severity
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source
from tests.agents.analysis.test_spellings import program

_FOLDER = Path(__file__).with_name("objects")

_SPELLED: dict[str, dict[str, Any]] = {
    path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted(_FOLDER.glob("*.toml"))
}

_LANGUAGES = [*_SPELLED, "typescript"]


def _found(language: str, spelling: str) -> bool:
    """Say whether a finding says that whoever sends a request decides the text of the query."""
    spelled = _SPELLED["javascript" if language == "typescript" else language]
    analysis = analyse(
        Source("untitled:x", program(spelled, spelling.replace("\\n", "\n")), language)
    )
    assert analysis.notes == ()
    return any(
        each.rule == "sql-injection" and each.severity is not Severity.INFORMATION
        for each in analysis.findings
    )


@pytest.mark.parametrize("language", _LANGUAGES)
def test_what_an_object_keeps_is_found_where_it_is_used(language: str) -> None:
    spellings = _SPELLED[language.replace("type", "java")]["found"]
    assert len(spellings) >= 20
    assert [each for each in spellings if not _found(language, each)] == []


@pytest.mark.parametrize("language", _LANGUAGES)
def test_what_an_object_keeps_beside_it_is_silent(language: str) -> None:
    spellings = _SPELLED[language.replace("type", "java")]["silent"]
    assert [each for each in spellings if _found(language, each)] == []
