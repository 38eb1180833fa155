"""Values that go through several files: found where they come in, silent where they are stopped."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

from coai_agents.analysis.findings.findings import Finding, Severity
from coai_agents.analysis.run.survey import AnalysisCache, files_in, survey
from coai_agents.analysis.run.workspace import Workspace
from coai_agents.source import Source

_FOLDER = Path(__file__).with_name("projects")

_PROGRAMS: dict[str, dict[str, Any]] = {
    f"{path.stem}: {each['name']}": each
    for path in sorted(_FOLDER.glob("*.toml"))
    for each in tomllib.loads(path.read_text("utf-8"))["program"]
}


def _written(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"), "utf-8")


def _found(folder: Path, cache: Path | None = None) -> dict[str, Finding]:
    """Return what is found by its file and line, of what others decide."""
    found: dict[str, Finding] = {}
    for each in survey(files_in([folder]), AnalysisCache(cache), jobs=1, within=[folder]):
        for finding in each.analysis.findings:
            line = each.text.count("\n", 0, finding.span.start) + 1
            if finding.rule == "sql-injection" and finding.severity is not Severity.INFORMATION:
                found[f"{each.path.relative_to(folder)}:{line}"] = finding
    return found


def test_each_language_has_programs_of_two_and_of_three_files() -> None:
    languages = {name.partition(":")[0] for name in _PROGRAMS}
    assert languages == {
        "csharp", "go", "java", "javascript", "php", "python", "ruby", "typescript",
    }  # fmt: skip


@pytest.mark.parametrize("name", _PROGRAMS)
def test_a_flow_through_files_is_found_with_both_files_places(name: str, tmp_path: Path) -> None:
    program = _PROGRAMS[name]
    _written(tmp_path, program["files"])
    found = _found(tmp_path)
    assert list(found) == [program["where"]] if "where" in program else not found
    for finding in found.values():
        told = [step.words for step in finding.path]
        elsewhere = {step.elsewhere.name for step in finding.path if step.elsewhere is not None}
        assert elsewhere, told
        here = f"{Path(program['where']).name.partition(':')[0]}"
        for file in program["flow"]:
            assert file == here or any(each.startswith(file) for each in elsewhere), told


_APP = """
from flask import request
import shop.service as service
import shop.other as other
def view():
    other.log("seen")
    return service.find(request.args["name"])
"""

_SHOP = {
    "app.py": _APP,
    "shop/__init__.py": "",
    "shop/service.py": "import shop.store as s\ndef find(name):\n    return s.find(name)\n",
    "shop/other.py": "def log(text):\n    print(len(text))\n",
    "shop/store.py": "def find(name):\n    cursor.execute('SELECT * FROM t WHERE n=?', (name,))\n",
}


def _save(path: Path, text: str) -> None:
    before = path.stat()
    path.write_text(text, "utf-8")
    # A clock whose ticks are long would take the two for one.
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 5_000_000_000))


def _looked_at(workspace: Workspace, path: Path) -> tuple[list[str], list[str]]:
    """Return the names of the files that were read, and the rules that were found."""
    workspace.summarised.clear()
    analysis = workspace.analyse(Source(path.as_uri(), path.read_text("utf-8")))
    read = sorted(Path(each).name for each in workspace.summarised)
    return read, [each.rule for each in analysis.findings if each.rule == "sql-injection"]


def test_a_save_reads_what_leads_through_the_file_and_no_other(tmp_path: Path) -> None:
    _written(tmp_path, _SHOP)
    app = tmp_path / "app.py"
    workspace = Workspace([tmp_path], AnalysisCache(None))
    assert _looked_at(workspace, app) == (["other.py", "service.py", "store.py"], [])
    assert _looked_at(workspace, app) == ([], [])
    text = "def find(name):\n    cursor.execute('SELECT * FROM t WHERE n = ' + name)\n"
    _save(tmp_path / "shop/store.py", text)
    assert _looked_at(workspace, app) == (["service.py", "store.py"], ["sql-injection"])
    _save(tmp_path / "shop/other.py", "def log(text):\n    print(text.upper())\n")
    assert _looked_at(workspace, app) == (["other.py"], ["sql-injection"])


def test_what_was_found_in_files_is_remembered_with_what_they_lead_to(tmp_path: Path) -> None:
    files = tmp_path / "code"
    _written(files, _PROGRAMS["python: a source in another file"]["files"])
    cache = tmp_path / "cache.sqlite"
    before = _found(files, cache)
    assert before
    assert _found(files, cache) == before
    _save(files / "given.py", "def wanted():\n    return 'x'\n")
    assert not _found(files, cache)


def test_files_that_lead_in_a_circle_come_to_an_end(tmp_path: Path) -> None:
    _written(
        tmp_path,
        {
            "a.py": "import b\ndef f(x):\n    return b.g(x)\n",
            "b.py": "import a\ndef g(x):\n    return a.f(x)\n",
        },
    )
    assert not _found(tmp_path)
    assert _looked_at(Workspace([tmp_path], AnalysisCache(None)), tmp_path / "a.py")[1] == []
