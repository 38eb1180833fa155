"""Diffs from edits: the same as difflib's, and patches that lead to the new text."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from coai_agents.source import Edit, Source, Span
from coai_agents.specialists.edits import change

if TYPE_CHECKING:
    from pathlib import Path

FUNCTION = "def f():\n    found = []\n    return found\n\n"


def _edits(kind: str) -> tuple[str, list[Edit]]:
    text = FUNCTION * 130
    step = len(FUNCTION)
    edits = {
        "inserted": [
            Edit(Span(at + 9, at + 9), "    '''Do.'''\n") for at in range(0, 130 * step, step)
        ],
        "replaced": [Edit(Span(at + 4, at + 5), "g") for at in range(0, 130 * step, step)],
        "deleted": [Edit(Span(at + 9, at + 24), "") for at in range(0, 130 * step, 2 * step)],
        "lines joined": [Edit(Span(at + 8, at + 13), " ") for at in range(0, 130 * step, step)],
        "backwards": [Edit(Span(at, at), "# f\n") for at in range(129 * step, 0, -step)],
        "at the end": [
            *(Edit(Span(at, at), "# f\n") for at in range(0, 100 * step, step)),
            Edit(Span(130 * step - 1, 130 * step), "pass"),
        ],
    }
    return text, edits[kind]


@pytest.mark.skipif(shutil.which("patch") is None, reason="needs patch")
@pytest.mark.parametrize(
    "kind", ["inserted", "replaced", "deleted", "lines joined", "backwards", "at the end"]
)
def test_the_diff_of_many_edits_leads_to_their_text(kind: str, tmp_path: Path) -> None:
    text, edits = _edits(kind)
    made = change(Source("untitled:x", text, "python"), edits)
    file = tmp_path / "x.py"
    file.write_text(text)
    done = subprocess.run(
        ["patch", "-p1"],
        input=made.diff("x.py"),
        text=True,
        capture_output=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "fuzz" not in done.stdout
    assert "offset" not in done.stdout
    assert file.read_text() == made.after.text


def test_no_change_has_no_diff() -> None:
    assert not change(Source("untitled:x", "a\n", "python"), []).diff("x.py")
