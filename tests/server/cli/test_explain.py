"""`coai explain -`: an output from a pipe, in a folder."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.cli.conftest import Home


def explained(home: Home, folder: Path, text: str, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "coai_server", "explain", "-", "--no-model", *more],
        env=home.environment,
        cwd=folder,
        input=text,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "a.py").write_text("def f():\n    return {}['tea']\n\n\nf()\n", "utf-8")
    return tmp_path / "w"


def test_a_program_that_failed_is_explained_by_a_pipe(home: Home, folder: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "a.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    done = explained(home, folder, ran.stderr, "--json")
    assert done.returncode == 0
    document: dict[str, Any] = json.loads(done.stdout)
    titles = [each["title"] for each in document["sections"]]
    assert titles == ["Root cause", "The lines that matter", "What to do"]
    first = document["sections"][0]["statements"][0]
    assert first["text"] == "KeyError: 'tea'"
    assert first["evidence"][0] == {"path": "a.py", "line": 2, "endLine": 2}
    assert document["notes"]


def test_what_is_no_complaint_is_not_explained(home: Home, folder: Path) -> None:
    done = explained(home, folder, "all is well\n")
    assert done.returncode == 2
    assert not done.stdout
    assert "Nothing in it" in done.stderr
