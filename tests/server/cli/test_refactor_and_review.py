"""`coai refactor` and `coai review`: on real files and a real repository."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.cli.conftest import InProcess

TEXT = "def f(a, b):\n    if not a:\n        return b\n    else:\n        return a + b\n"


@pytest.fixture
def file(empty_home: Path) -> Path:
    path = empty_home / "a.py"
    path.write_text(TEXT, "utf-8")
    return path


def test_a_refactoring_is_shown_and_written_when_wanted(coai: InProcess, file: Path) -> None:
    shown = coai("refactor", "invert-if", "a.py:2", "--no-model")
    assert shown.code == 1
    assert "+    if a:" in shown.out
    assert file.read_text("utf-8") == TEXT
    done = coai("refactor", "invert-if", "a.py:2", "--no-model", "--write")
    assert done.code == 0
    assert "    if a:\n        return a + b\n" in file.read_text("utf-8")


def test_a_selection_is_named_by_its_text_or_its_columns(coai: InProcess, file: Path) -> None:
    for place in (["a.py:5", "--text", "a + b"], ["a.py:5:16-5:21"], ["a.py:5"]):
        ran = coai("refactor", "extract-variable", *place, "--name", "total", "--json")
        answer = json.loads(ran.out)
        assert ran.code == 1
        assert "+        total = a + b" in answer["changes"][0]["diff"]
        assert answer["items"][0]["origin"] == "fact"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("unheard-of", "a.py:1"), "There is no refactoring"),
        (("inline-variable", "a.py:1"), "may be used"),
        (("inline-variable", "a.py:5"), "no variable"),
        (("rename", "a.py:1"), "name"),
        (("extract-variable", "a.py:2", "--text", "missing"), "does not stand"),
        (("invert-if", "a.py:90"), "lines 1 to"),
        (("simplify", "a.py:1"), "none is wanted"),
    ],
)
def test_what_cannot_be_made_is_said(
    coai: InProcess, file: Path, arguments: tuple[str, ...], said: str
) -> None:
    ran = coai("refactor", *arguments, "--no-model")
    assert ran.code == 2
    assert said in ran.err
    assert file.read_text("utf-8") == TEXT


def test_the_kinds_are_listed(coai: InProcess, empty_home: Path) -> None:
    del empty_home
    ran = coai("refactor", "list")
    assert ran.code == 0
    assert "extract-function" in ran.out


# --------------------------------------------------------------------- review

pytest_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


@pytest.fixture
def repository(file: Path) -> Path:
    folder = file.parent / "repository"
    folder.mkdir()
    (folder / "a.py").write_text("def f(a):\n    return a\n", "utf-8")
    (folder / "b.py").write_text("from a import f\n\nf(1)\n", "utf-8")
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    for command in (("init", "-q", "-b", "main"), ("add", "-A"), (*who, "commit", "-q", "-m", "x")):
        subprocess.run(("git", "-C", str(folder), *command), check=True, capture_output=True)
    return folder


@pytest_git
def test_a_change_is_reviewed_once(
    coai: InProcess, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    silent = coai("review", "--no-model")
    assert (silent.code, silent.out) == (0, "")
    (repository / "a.py").write_text("def f(a, b):\n    breakpoint()\n    return a\n", "utf-8")
    (repository / "new.py").write_text("breakpoint()\n", "utf-8")
    ran = coai("review", "--no-model")
    assert ran.code == 1
    assert "b.py:3 passes 1 arguments" in ran.out
    assert "new.py" in ran.out
    again = coai("review", "--no-model")
    assert (again.code, again.out) == (0, "")
    assert "made before" in again.err
    one = coai("review", "new.py", "--no-model", "--again", "--json")
    assert [each["rule"] for each in json.loads(one.out)["comments"]] == ["debugger-added"]


@pytest_git
def test_the_forms_for_machines(
    coai: InProcess, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    (repository / "b.py").unlink()
    (repository / "a.py").write_text("breakpoint()\n", "utf-8")
    sarif = coai("review", "--no-model", "--again", "--sarif")
    assert json.loads(sarif.out)["runs"][0]["results"][0]["ruleId"] == "debugger-added"
    payload = coai("review", "--no-model", "--again", "--github", "--diff", "HEAD")
    assert json.loads(payload.out)["comments"][0]["path"] == "a.py"


@pytest_git
def test_a_diff_from_a_pipe_is_reviewed(
    coai: InProcess, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    patch = "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n-def f(a):\n+def f(a, b):\n     return a\n"
    for text, code in ((patch, 1), ("", 0), ("no diff\n", 2)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        ran = coai("review", "-", "--no-model", "--again")
        assert ran.code == code, ran.err
    assert "unified diff" in ran.err


@pytest_git
@pytest.mark.parametrize("arguments", [("--diff", "nowhere"), ("--diff=--output=x",), ("gone",)])
def test_what_cannot_be_reviewed_is_said(
    coai: InProcess,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.chdir(repository)
    ran = coai("review", *arguments, "--no-model")
    assert ran.code == 2
    assert ran.out == ""
    assert not (repository / "x").exists()


@pytest_git
def test_a_repository_runs_nothing_of_its_own(
    coai: InProcess, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    mark = repository.parent / "ran"
    script = f"touch {mark}; cat"
    settings = (
        "core.fsmonitor",
        "diff.external",
        "core.pager",
        "filter.x.clean",
        "diff.x.textconv",
    )
    for name in settings:
        subprocess.run(
            ("git", "-C", str(repository), "config", name, script), check=True, capture_output=True
        )
    (repository / ".gitattributes").write_text("* filter=x diff=x\n", "utf-8")
    (repository / "a.py").write_text("breakpoint()\n", "utf-8")
    assert coai("review", "--no-model").code == 1
    assert not mark.exists()


@pytest_git
@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_out_of_the_folder_is_not_read(
    coai: InProcess, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    outside = repository.parent / "outside.py"
    outside.write_text("breakpoint()  # secret\n", "utf-8")
    (repository / "link.py").symlink_to(outside)
    ran = coai("review", "--no-model", "--json")
    assert json.loads(ran.out)["comments"] == []
