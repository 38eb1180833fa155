"""`coai audit` with rules of the user's own and with settings of findings."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from coai_agents.analysis.rules import user_rules
from coai_agents.analysis.run import remembered
from coai_agents.analysis.run import survey as survey_module
from coai_agents.analysis.run.survey import AnalysisCache, files_in, survey
from coai_agents.application.audit import wishes
from coai_routing.settings import files as settings_files
from coai_routing.settings.findings_sections import StaticSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server.cli.conftest import InProcess

RULE = (
    "id: no-print\nlanguage: Python\nseverity: warning\nmessage: Log it instead.\n"
    "rule: {pattern: print($A)}\nfix: log($A)\nmetadata: {cwe: [532]}\n"
)
HASH = "import hashlib\n\nh = hashlib.md5(b'x')\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(remembered, "cache_path", lambda: tmp_path / "cache" / "audit.sqlite")
    # What was written a moment ago counts as unchanged at once.
    monkeypatch.setattr(remembered, "TICK", 0)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "a.py").write_text("print(1)\n")
    yield folder
    user_rules.use(())


@pytest.fixture
def rules(empty_home: Path) -> Path:
    """Return the user's folder of rules, with one."""
    assert empty_home.is_dir()
    folder = settings_files.default_user_file().with_name("rules")
    folder.mkdir(parents=True)
    (folder / "print.yml").write_text(RULE)
    return folder


def _found(coai: InProcess, *arguments: str) -> list[tuple[str, str]]:
    ran = coai("audit", "--format", "json", *arguments)
    found = [(each["rule"], each["severity"]) for each in ran.document["findings"]]
    assert ran.code == bool(found)
    return found


def test_rules_of_the_users_own_are_found(project: Path, rules: Path, coai: InProcess) -> None:
    assert _found(coai, str(project)) == [("no-print", "warning")]
    sarif = coai("audit", str(project), "--format", "sarif").document["runs"][0]
    (rule,) = sarif["tool"]["driver"]["rules"]
    assert (rule["id"], rule["name"]) == ("no-print", "Log it instead")
    (fix,) = sarif["results"][0]["fixes"]
    assert fix["artifactChanges"][0]["replacements"][0]["insertedContent"]["text"] == "log(1)"


def test_their_fixes_are_applied(project: Path, rules: Path, coai: InProcess) -> None:
    ran = coai("audit", "--fix", str(project))
    assert ran.code == 0
    assert "fixed no-print" in ran.out
    assert (project / "a.py").read_text() == "log(1)\n"


def test_what_was_found_with_other_rules_is_not_given(
    project: Path, rules: Path, coai: InProcess
) -> None:
    assert len(_found(coai, str(project))) == 1
    (rules / "print.yml").write_text(RULE.replace("print($A)", "write($A)"))
    assert _found(coai, str(project)) == []
    (rules / "print.yml").write_text(RULE.replace("warning", "error"))
    assert _found(coai, str(project)) == [("no-print", "error")]
    (rules / "print.yml").unlink()
    assert _found(coai, str(project)) == []


def test_with_the_same_rules_unchanged_files_are_not_analysed_again(
    project: Path, rules: Path, coai: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _found(coai, str(project))

    def fail(_: object, __: object) -> None:
        raise AssertionError("analysed again")

    monkeypatch.setattr(survey_module, "_analyse", fail)
    assert _found(coai, str(project)) == first


def test_rules_for_some_files_count_for_others_of_the_same_text_as_little_when_remembered(
    project: Path, rules: Path, coai: InProcess
) -> None:
    (rules / "print.yml").write_text(f"{RULE}files: ['**/a.py']\n")
    assert len(_found(coai, str(project))) == 1
    (project / "b.py").write_text("print(1)\n")
    assert len(_found(coai, str(project))) == 1


def test_other_processes_have_the_rules_too(project: Path, rules: Path) -> None:
    for number in range(survey_module.WORTH_PROCESSES):
        (project / f"more{number}.py").write_text("print(1)\n")
    found = survey(files_in([project]), AnalysisCache(None), jobs=2, rules=[str(rules)])
    counts = [len(each.analysis.findings) for each in found]
    assert counts == [1] * (survey_module.WORTH_PROCESSES + 1)


def test_a_broken_file_of_rules_is_named_and_ends_nothing(
    project: Path, rules: Path, coai: InProcess
) -> None:
    (rules / "wrong.yml").write_text("id: wrong\nlanguage: Python\n")
    for _ in range(2):
        ran = coai("audit", str(project))
        assert "wrong.yml:1: rule: Field required." in ran.err
        assert "warning no-print" in ran.out


def test_rules_that_come_with_the_code_count_where_the_user_trusts_it(
    project: Path, coai: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = project / ".coai" / "rules"
    own.mkdir(parents=True)
    (own / "print.yml").write_text(RULE)
    inner = project / "inner"
    inner.mkdir()
    (inner / "b.py").write_text("print(1)\n")
    assert _found(coai, str(inner)) == []
    for trusted, count in ((project, 1), (inner, 0)):
        monkeypatch.setenv("COAI_STATIC__TRUSTED_WORKSPACES", f'["{trusted.as_posix()}"]')
        assert len(_found(coai, str(inner))) == count
    beside = f'["{(project / "other").as_posix()}"]'
    monkeypatch.setenv("COAI_STATIC__TRUSTED_WORKSPACES", beside)
    (project / "other").mkdir()
    assert _found(coai, str(project / "other" / ".." / "inner")) == []


def test_rules_that_the_settings_name_count(
    project: Path, rules: Path, coai: InProcess, tmp_path: Path
) -> None:
    named = tmp_path / "named"
    rules.rename(named)
    user = settings_files.default_user_file()
    user.write_text(f"[static]\nrules = ['{named}']\n")
    assert _found(coai, str(project)) == [("no-print", "warning")]


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ("", [("weak-hash", "warning")]),
        ("disabled = ['weak-hash']", []),
        ("disabled = ['security']", []),
        ("disabled = ['cwe-532']", [("weak-hash", "warning")]),
        ("severity = {weak-hash = 'error'}", [("weak-hash", "error")]),
        ("severity = {weak-hash = 'hint'}", []),
        ("at_least = {weak-hash = 'error'}", [("weak-hash", "error")]),
        ("minimum_severity = 'error'", []),
        ("enabled = false", [("weak-hash", "warning")]),
    ],
)
def test_findings_are_shown_as_the_settings_say_and_count_so(
    project: Path, coai: InProcess, settings: str, found: list[tuple[str, str]]
) -> None:
    user = settings_files.default_user_file()
    user.parent.mkdir(parents=True, exist_ok=True)
    user.write_text(f"[static]\n{settings}\n")
    (project / "a.py").write_text(HASH)
    assert _found(coai, str(project)) == found
    level = coai("audit", str(project), "--level", "error")
    assert level.code == (("weak-hash", "error") in found)


def test_a_rule_of_the_users_own_can_be_off_by_its_weakness(
    project: Path, rules: Path, coai: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COAI_STATIC__DISABLED", '["cwe-532"]')
    for _ in range(2):
        assert _found(coai, str(project)) == []


def test_what_is_off_is_not_fixed(
    project: Path, coai: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "a.py").write_text(HASH)
    monkeypatch.setenv("COAI_STATIC__DISABLED", '["weak-hash"]')
    assert coai("audit", "--fix", str(project)).code == 0
    assert (project / "a.py").read_text() == HASH


def test_a_project_may_have_its_findings_taken_more_seriously(
    project: Path, coai: InProcess
) -> None:
    (project / "a.py").write_text(HASH)
    (project / ".coai.toml").write_text("[static.at_least]\nweak-hash = 'error'\n")
    assert _found(coai, str(project / "a.py")) == [("weak-hash", "error")]


def test_where_nothing_is_set_neither_settings_nor_ast_grep_are_loaded(
    project: Path, empty_home: Path
) -> None:
    env = dict(os.environ)
    (project / "pyproject.toml").write_text("[tool.other]\nstatic = true\n")
    script = (
        "import sys\nfrom coai_server.cli.audit import alone\nalone.audit(sys.argv[1:])\n"
        "print(*({'ast_grep_py', 'pydantic', 'yaml'} & {*sys.modules}))\n"
    )
    (project / "a.py").write_text("x = 1\n")
    command = (sys.executable, "-c", script, str(project))
    told = [
        subprocess.run(
            command, capture_output=True, check=True, text=True, env=env, cwd=empty_home, timeout=60
        ).stdout
        for _ in range(2)
    ]
    assert told[0].startswith("2 files: nothing found\n")
    assert told[1] == "2 files: nothing found\n\n"


def test_the_names_of_files_are_those_of_the_settings() -> None:
    names = (settings_files.PROJECT_FILE, settings_files.PYPROJECT_FILE)
    assert names == (wishes.PROJECT_FILE, wishes.PYPROJECT_FILE)
    assert settings_files.LARGEST_FILE == wishes.LARGEST_FILE
    assert wishes.rule_places(StaticSettings(), [])[0] == str(
        settings_files.default_user_file().with_name("rules")
    )
