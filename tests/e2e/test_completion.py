"""Ghost text as the user meets it: seen, taken, taken by word, rejected, typed along."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.workbench import Workbench

PYTHON = ("basket.py", "\n\ndef total(items: list[Item]) -> float:\n", "    return sum(")
TYPESCRIPT = (
    "distances.ts",
    "\nfunction total(numbers: number[]): number {\n",
    "  return numbers.",
)


@pytest.fixture(params=[PYTHON, TYPESCRIPT], ids=["python", "typescript"])
def typed(request: pytest.FixtureRequest, workbench: Workbench) -> Iterator[str]:
    """Write the beginning of a function at the end of a file; the file is as it was afterwards."""
    name, head, line = request.param
    workbench.open(name)
    workbench.press("Control+End")
    # As from the clipboard: what matters is typed.
    workbench.page.keyboard.insert_text(head)
    workbench.type(line)
    yield name
    workbench.press("Escape")
    workbench.run("File: Revert File")


def test_what_is_typed_is_completed_and_tab_takes_it(
    workbench: Workbench, workspace: Path, typed: str
) -> None:
    ghost = workbench.wait_for_ghost()
    workbench.picture("ghost-text", typed, size=(640, 300))
    workbench.press("Tab")
    workbench.wait(lambda: workbench.ghost() != ghost, "the ghost text became text")
    workbench.press("Escape")
    workbench.save()
    first = ghost.split("\n")[0].strip()
    assert first
    written = (workspace / typed).read_text(encoding="utf-8").split("total(")[1]
    assert first in " ".join(written.split("\n"))


def test_one_word_is_taken_and_the_rest_stays(workbench: Workbench, typed: str) -> None:
    ghost = workbench.wait_for_ghost()
    workbench.press("Control+ArrowRight")
    workbench.wait(lambda: workbench.ghost() != ghost, "a word became text")
    left = workbench.ghost()
    assert left == "" or ghost.endswith(left)


def test_escape_rejects_it(workbench: Workbench, typed: str) -> None:
    workbench.wait_for_ghost()
    workbench.press("Escape")
    workbench.wait(lambda: workbench.ghost() == "", "the ghost text is gone")


def test_typing_what_is_suggested_keeps_it(workbench: Workbench, typed: str) -> None:
    ghost = workbench.wait_for_ghost()
    along = ghost.split("\n")[0][:4]
    frames = workbench.frames_while(lambda: workbench.type(along, delay_ms=120))
    # In every frame the text and its ghost together are what they were: it never flickers.
    assert frames
    assert [one for one in frames if one == ""] == []
    assert ghost.startswith(along)
    assert workbench.ghost()


def test_it_comes_when_asked_for(workbench: Workbench, typed: str) -> None:
    workbench.wait_for_ghost()
    workbench.press("Escape")
    workbench.wait(lambda: workbench.ghost() == "", "the ghost text is gone")
    assert workbench.suggest()


def test_the_status_bar_says_how_long_the_last_one_took(workbench: Workbench, typed: str) -> None:
    workbench.wait_for_ghost()
    workbench.wait_for_status(r"qwen2\.5-coder-0\.5b [\d.]+ m?s")
