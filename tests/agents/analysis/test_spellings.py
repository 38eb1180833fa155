"""The same flow, however it is written: found where it is open, silent where it is stopped.

`spellings/*.toml` has for each language a frame, how a value of the request is written (`SRC`), how
SQL is carried out that is built of something (`SINK(...)`), and bodies in many spellings; behind
`|||` comes what stands outside of the function.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source

_FOLDER = Path(__file__).with_name("spellings")

_SPELLED: dict[str, dict[str, Any]] = {
    path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted(_FOLDER.glob("*.toml"))
}

_LANGUAGES = [*_SPELLED, "typescript"]


def program(spelled: dict[str, Any], spelling: str) -> str:
    """Return the program that a spelling stands for."""
    body, _, extra = spelling.partition(" ||| ")
    program: str = spelled["frame"].replace("EXTRA", extra)
    place = next(line for line in program.split("\n") if "BODY" in line)
    indent = place[: len(place) - len(place.lstrip())]
    program = program.replace("BODY", body.replace("\n", f"\n{indent}"))
    program = program.replace("SRC", spelled["source"])
    while (start := program.find("SINK(")) >= 0:
        depth, end = 1, start + 5
        while depth:
            depth += {"(": 1, ")": -1}.get(program[end], 0)
            end += 1
        sink = spelled["sink"].replace("X", program[start + 5 : end - 1])
        program = program[:start] + sink + program[end:]
    return program


def _found(language: str, spelling: str) -> bool:
    spelled = _SPELLED["javascript" if language == "typescript" else language]
    analysis = analyse(Source("untitled:x", program(spelled, spelling), language))
    assert analysis.notes == ()
    return any(each.rule == "sql-injection" for each in analysis.findings)


@pytest.mark.parametrize("language", _LANGUAGES)
def test_a_flow_is_found_in_every_spelling(language: str) -> None:
    spellings = _SPELLED[language.replace("type", "java")]["found"]
    assert len(spellings) >= 20
    assert [each for each in spellings if not _found(language, each)] == []


@pytest.mark.parametrize("language", _LANGUAGES)
def test_what_stops_a_flow_stops_it_in_every_spelling(language: str) -> None:
    spellings = _SPELLED[language.replace("type", "java")]["silent"]
    assert [each for each in spellings if _found(language, each)] == []
