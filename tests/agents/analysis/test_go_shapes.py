"""What a function's tree shows by itself in Go: each mistake, and what is none."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source

_ROWS: Final[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "shapes" / "go.toml").read_text(encoding="utf-8")
)

_FOUND: Final = [(rule, code) for rule, codes in _ROWS["found"].items() for code in codes]


def _rules(code: str) -> set[str]:
    text = f"{_ROWS['before']}\n{code}\n"
    return {each.rule for each in analyse(Source("untitled:x", text, "go")).findings}


@pytest.mark.parametrize(("rule", "code"), _FOUND)
def test_a_mistake_in_go_is_found(rule: str, code: str) -> None:
    assert rule in _rules(code)


@pytest.mark.parametrize("code", _ROWS["right"])
def test_what_is_right_in_go_is_silent(code: str) -> None:
    assert not _rules(code) & _ROWS["found"].keys()
