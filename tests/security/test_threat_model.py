"""The threat model names tests that are there, and every test of an attacker is named in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]

MODEL: Final = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")

NAMED: Final = sorted(set(re.findall(r"`(tests/[\w/]+\.py)`", MODEL)))


@pytest.mark.parametrize("path", NAMED)
def test_a_test_that_holds_a_promise_is_there(path: str) -> None:
    assert "def test_" in (ROOT / path).read_text(encoding="utf-8")


def test_every_promise_names_what_it_rests_on_and_what_holds_it() -> None:
    rows = [line for line in MODEL.splitlines() if line.startswith("| ") and "---" not in line]
    promises = [line.strip("| ").split(" | ") for line in rows if "`tests/" in line]
    assert promises
    assert all(len(cells) == 3 and all(cells) for cells in promises)
    heads = [line for line in rows if line.startswith("| promise")]
    assert len(heads) == len(re.findall(r"(?m)^### ", MODEL))


def test_every_test_of_an_attacker_is_named() -> None:
    here = Path(__file__)
    others = {path.name for path in here.parent.glob("test_*.py")} - {here.name}
    assert others <= {Path(path).name for path in NAMED}


def test_what_is_not_promised_is_said_to_users_too() -> None:
    assert "## What is not promised" in MODEL
    assert "## What is not promised" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
