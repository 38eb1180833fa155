"""`coai memory`, and what `coai fix` and `coai ask` remember and use."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.cli.conftest import InProcess

WRONG = """\
class Basket:
    '''Holds what is bought.'''

    def total(self, items):
        return sum(itms)
"""
TEST = "from a import Basket\n\nassert Basket().total([1, 2]) == 3\n"
COMMAND = f"{shlex.quote(sys.executable)} t.py"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / "a.py").write_text(WRONG, "utf-8")
    (folder / "t.py").write_text(TEST, "utf-8")
    monkeypatch.chdir(folder)
    return folder


def test_a_fix_that_passed_is_remembered_shown_and_forgotten(coai: InProcess, folder: Path) -> None:
    coai("fix", "a.py", "--no-model", "--test", COMMAND)
    assert "e1  a.py: NameError" in coai("memory", "list").out
    again = coai("fix", "a.py", "--no-model", "--test", COMMAND, "--json")
    assert again.document["items"][0]["by"].startswith("memory: in a.py on ")
    assert "+ return sum(items)" in coai("memory", "show", "e1").out
    assert len(coai("memory", "export").document["episodes"]) == 1
    assert "1 forgotten" in coai("memory", "forget", "e1").out
    assert coai("memory", "list", "--json").document == {"episodes": [], "facts": []}
    assert folder.exists()


def test_a_fix_that_was_only_shown_is_not(coai: InProcess, folder: Path) -> None:
    assert coai("fix", "a.py", "--no-model").code == 1
    assert coai("memory", "list", "--json").document["episodes"] == []
    assert coai("fix", "a.py", "--no-model", "--write").code == 0
    (kept,) = coai("memory", "list", "--json").document["episodes"]
    assert kept["judge"] == "user"
    assert folder.exists()


def test_facts_are_learned_added_and_told(coai: InProcess, folder: Path) -> None:
    assert "1 remembered" in coai("memory", "learn").out
    assert coai("memory", "add", "decision", "A basket is never empty.", "--at", "a.py:1").code == 0
    told = coai("ask", "what does a basket hold?", "--no-model").out
    assert "Holds what is bought. [a.py:1]" in told
    assert "A basket is never empty. [a.py:1]" in told
    (folder / "a.py").write_text("x = 1\n", "utf-8")
    assert "Remembered" not in coai("ask", "what does a basket hold?", "--no-model").out
    assert coai("memory", "list", "--json").document["facts"] == []


def test_switched_off_nothing_is_kept_or_used(
    coai: InProcess, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coai("memory", "add", "decision", "A basket is never empty.")
    coai("fix", "a.py", "--no-model", "--test", COMMAND)
    monkeypatch.setenv("COAI_MEMORY__ENABLED", "false")
    assert "memory: in" not in coai("fix", "a.py", "--no-model", "--test", COMMAND).err
    assert "Remembered" not in coai("ask", "what is a basket?", "--no-model").out
    assert coai("memory", "add", "decision", "Another one.").code == 2
    # What there is can be seen and forgotten all the same.
    assert len(coai("memory", "list", "--json").document["facts"]) == 1
    assert "2 forgotten" in coai("memory", "forget", "--folder").out
    assert folder.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["forget"],
        ["forget", "x1"],
        ["forget", "e"],
        ["show", "e77"],
        ["add", "decision", "It is so.", "--at", "nowhere.py:1"],
        ["add", "decision", "It is so.", "--at", "a.py"],
        ["add", "decision", "It is so.", "--at", "a.py:999"],
        ["add", "decision", "It is so.", "--at", "/etc/passwd:1"],
    ],
)
def test_what_cannot_be_done_is_told(coai: InProcess, folder: Path, arguments: list[str]) -> None:
    ran = coai("memory", *arguments)
    assert ran.code == 2
    assert ran.err.startswith("Error:")
    assert folder.exists()
