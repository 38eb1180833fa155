"""`coai audit` and `coai rules`: what is found, how it is written, and what it is measured by."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coai_agents.analysis.run import remembered
from coai_agents.analysis.run import survey as survey_module
from coai_agents.analysis.run.survey import AnalysisCache, files_in, read, survey

if TYPE_CHECKING:
    from tests.server.cli.conftest import InProcess

BAD = "import os\nfrom flask import request\n\nc = request.args['c']\nos.system('ls ' + c)\n"
GOOD = "import os\n\nos.system('ls')\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(remembered, "cache_path", lambda: tmp_path / "cache" / "audit.sqlite")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "bad.py").write_text(BAD)
    (folder / "good.py").write_text(GOOD)
    return folder


def test_a_finding_is_shown_with_the_lines_its_value_came_through(
    project: Path, coai: InProcess
) -> None:
    ran = coai("audit", str(project))
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[0].endswith("bad.py:5:1 error command-injection")
    assert "     4 | c = request.args['c']   <- comes from the request (request.args)" in lines
    assert "     5 | os.system('ls ' + c)" in lines
    assert "         ^^^^^^^^^^^^^^^^^^^^" in lines
    assert lines[-1] == "2 files: 1 error"


def test_nothing_found_is_exit_code_0(project: Path, coai: InProcess) -> None:
    ran = coai("audit", str(project / "good.py"))
    assert (ran.code, ran.out) == (0, "1 files: nothing found\n")


def test_json_has_the_flow(project: Path, coai: InProcess) -> None:
    (finding,) = coai("audit", str(project), "--format", "json").document["findings"]
    assert (finding["rule"], finding["line"], finding["column"]) == ("command-injection", 5, 1)
    assert [step["line"] for step in finding["flow"]] == [4, 4, 5]
    assert (finding["severity"], finding["confidence"]) == ("error", "high")


def test_what_is_less_sure_can_be_left_out(project: Path, coai: InProcess) -> None:
    (project / "bad.py").write_text("import subprocess\ndef f(a):\n    subprocess.run(a)\n")
    wanted = ("audit", str(project), "--level", "information")
    assert "command-injection, low confidence" in coai(*wanted).out
    assert coai(*wanted, "--confidence", "medium").code == 0


def test_sarif_has_rules_places_and_code_flows(project: Path, coai: InProcess) -> None:
    document = coai("audit", str(project), "--format", "sarif").document
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    (rule,) = run["tool"]["driver"]["rules"]
    assert "external/cwe/cwe-78" in rule["properties"]["tags"]
    (found,) = run["results"]
    assert (found["ruleId"], found["level"]) == ("command-injection", "error")
    assert (found["rank"], found["properties"]) == (90.0, {"confidence": "high"})
    region = found["locations"][0]["physicalLocation"]["region"]
    assert (region["startLine"], region["startColumn"]) == (5, 1)
    assert len(found["codeFlows"][0]["threadFlows"][0]["locations"]) == 3


def test_a_level_leaves_out_what_matters_less(project: Path, coai: InProcess) -> None:
    (project / "bad.py").write_text("def f(a=[]):\n    a.append(1)\n")
    assert coai("audit", str(project)).code == 1
    assert coai("audit", str(project), "--level", "error").code == 0


def test_a_baseline_takes_away_what_it_knows_also_where_lines_moved(
    project: Path, coai: InProcess
) -> None:
    baseline = project / "baseline.json"
    assert coai("audit", str(project), "--write-baseline", str(baseline)).code == 0
    (project / "bad.py").write_text(f"# A comment.\n{BAD}")
    assert coai("audit", str(project), "--baseline", str(baseline)).code == 0
    (project / "bad.py").write_text(f"{BAD}os.system(c)\n")
    ran = coai("audit", str(project), "--baseline", str(baseline), "--format", "json")
    assert [each["line"] for each in ran.document["findings"]] == [6]
    baseline.write_text("[]")
    failed = coai("audit", str(project), "--baseline", str(baseline))
    assert failed.code == 2
    assert "Write one with --write-baseline." in failed.err


def _git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    subprocess.run(("git", "-C", str(folder), *who, *arguments), check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_diff_shows_only_what_is_on_changed_lines(project: Path, coai: InProcess) -> None:
    _git(project, "init", "-q")
    _git(project, "add", ".")
    _git(project, "commit", "-q", "-m", "first")
    assert coai("audit", str(project), "--diff", "HEAD").code == 0
    (project / "bad.py").write_text(f"{BAD}os.system(c)\n")
    ran = coai("audit", str(project), "--diff", "HEAD", "--format", "json")
    assert [each["line"] for each in ran.document["findings"]] == [6]
    failed = coai("audit", str(project), "--diff", "no-such-revision")
    assert failed.code == 2
    assert "Check the revision" in failed.err
    assert coai("audit", str(project), "--diff=--output=x").code == 2


def test_what_git_ignores_and_folders_of_others_are_left_out(project: Path) -> None:
    (project / ".git").mkdir()
    (project / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (project / ".gitignore").write_text("generated.py\n")
    for name in ("generated.py", "node_modules/x.js", "notes.txt", "app.env.json", ".env"):
        path = project / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x = 1\n")
    found = {path.name for path in files_in([project])}
    assert found == {"bad.py", "good.py", "app.env.json", ".env"}
    assert files_in([project / "generated.py"]) == [project / "generated.py"]


def test_unchanged_files_are_not_analysed_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = AnalysisCache(project / "cache.sqlite")
    first = list(survey(files_in([project]), cache))

    def fail(_: object, __: object) -> None:
        raise AssertionError("analysed again")

    monkeypatch.setattr(survey_module, "_analyse", fail)
    assert list(survey(files_in([project]), cache)) == first


def test_a_damaged_cache_is_made_anew(project: Path) -> None:
    path = project / "cache.sqlite"
    path.write_bytes(b"no database at all" * 100)
    cache = AnalysisCache(path)
    found = list(survey(files_in([project]), cache))
    assert [len(each.analysis.findings) for each in found] == [1, 0]
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT COUNT(*) FROM analyses").fetchone() == (2,)
    connection.close()
    AnalysisCache(project / "bad.py" / "below").keep({"k": found[0].analysis})


def test_many_files_are_shared_out_to_processes(project: Path) -> None:
    for number in range(survey_module.WORTH_PROCESSES):
        (project / f"more{number}.py").write_text(BAD)
    found = list(survey(files_in([project]), AnalysisCache(None), jobs=2))
    assert len(found) == survey_module.WORTH_PROCESSES + 2
    assert sum(len(each.analysis.findings) for each in found) == len(found) - 1


def test_what_cannot_be_read_is_left_out(project: Path) -> None:
    large = project / "large.json"
    large.write_bytes(b" " * (survey_module.MOST_BYTES + 1))
    assert read(large) is None
    assert read(project / "none.py") is None


def test_a_path_that_is_not_there_is_wrong_usage(project: Path, coai: InProcess) -> None:
    assert coai("audit", str(project / "none")).code == 2


def test_rules_are_listed_explained_and_tried(coai: InProcess) -> None:
    listed = coai("rules", "list", "--json").document
    rule = next(each for each in listed if each["id"] == "sql-injection")
    assert {"python", "javascript", "java", "go", "php", "ruby", "csharp"} <= set(rule["languages"])
    assert "sql-injection" in coai("rules", "list").out
    explained = coai("rules", "explain", "sql-injection").out
    assert "CWE" in explained or "cwe.mitre.org" in explained
    assert "Instead:" in explained
    unknown = coai("rules", "explain", "no-such-rule")
    assert (unknown.code, "There is no rule" in unknown.err) == (1, True)


def test_the_page_of_rules_is_up_to_date(coai: InProcess) -> None:
    written = Path(__file__).parents[3] / "docs" / "rules.md"
    assert coai("rules", "list", "--markdown").out == written.read_text("utf-8")


def test_rules_that_fail_their_examples_are_named(
    coai: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    from coai_agents.analysis.rules import rules as rules_module  # noqa: PLC0415 - replaced below

    wrong = rules_module.Example(rule="weak-hash", bad="x = 1\n", good="import md5\nmd5.new()\n")

    def only(language: str) -> tuple[rules_module.Example, ...]:
        return (wrong,) if language == "python" else ()

    monkeypatch.setattr(rules_module, "examples", only)
    ran = coai("rules", "test")
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "python, example 0: weak-hash is not found",
        "python, example 0: weak-hash is found in good code",
        "1 examples, 2 failures",
    ]
