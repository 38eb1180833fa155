# ruff: noqa: E501 - each program is one text
"""`coai audit --fix`: what is safe is written whole or not at all, the rest is said."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from coai_agents.analysis.findings.findings import Severity
from coai_agents.analysis.run import remembered
from coai_agents.analysis.run.survey import AnalysisCache, Audited, files_in, survey
from coai_agents.application.audit.fixing import repair
from coai_agents.application.audit.selection import Selection
from coai_server.cli.audit import alone
from coai_server.cli.audit.auditing import Format, Options, repaired

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.cli.conftest import InProcess

BAD = "import requests\n\nh = requests.get('https://a', timeout=9, verify=False)\n\n\ndef f(a=[]):\n    return a\n\n\ndef g(p):\n    return eval(p)\n"
FIXED = (
    "import requests\n\nh = requests.get('https://a', timeout=9)\n\n\n"
    "def f(a=None):\n    if a is None:\n        a = []\n    return a\n"
)

ALL = Selection()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(remembered, "cache_path", lambda: tmp_path / "cache" / "audit.sqlite")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "bad.py").write_bytes(BAD.encode())
    return folder


def _audited(folder: Path) -> list[Audited]:
    return list(survey(files_in([folder]), AnalysisCache(None)))


def test_fixes_are_written_and_named_and_what_is_left_is_shown(
    project: Path, coai: InProcess
) -> None:
    (project / "bad.py").write_bytes(f"{BAD}\n\ndef h(n):\n    raise Exception(n)\n".encode())
    ran = coai("audit", str(project), "--fix", "--level", "hint")
    text = (project / "bad.py").read_text()
    assert text.startswith(FIXED.replace("import requests\n", "import requests\nimport ast\n"))
    lines = ran.out.splitlines()
    assert lines[0].endswith("bad.py:3: fixed tls-verification-off: Verify certificates again")
    assert any("fixed mutable-default" in line for line in lines)
    assert ran.code == 1
    assert any("generic-exception" in line for line in lines)
    again = coai("audit", str(project), "--fix", "--format", "json", "--level", "hint")
    assert again.document["fixes"] == []
    assert (project / "bad.py").read_text() == text


def test_all_fixed_is_exit_code_0(project: Path, coai: InProcess) -> None:
    assert coai("audit", str(project), "--fix").code == 0
    assert coai("audit", str(project)).code == 0


def test_a_dry_run_shows_the_change_and_makes_none(project: Path, coai: InProcess) -> None:
    ran = coai("audit", str(project), "--fix", "--dry-run")
    assert ran.code == 1
    assert (
        "-h = requests.get('https://a', timeout=9, verify=False)\n+h = requests.get('https://a', timeout=9)\n"
        in ran.out
    )
    assert (project / "bad.py").read_bytes() == BAD.encode()
    assert coai("audit", str(project), "--dry-run").code == 2


def test_fixes_leave_what_a_baseline_knows(project: Path, coai: InProcess) -> None:
    baseline = project / "baseline.json"
    coai("audit", str(project), "--write-baseline", str(baseline))
    ran = coai("audit", str(project), "--fix", "--baseline", str(baseline))
    assert (ran.code, (project / "bad.py").read_bytes()) == (0, BAD.encode())


def test_rights_mark_and_line_ends_stay(project: Path) -> None:
    path = project / "bad.py"
    path.write_bytes(b"\xef\xbb\xbf" + BAD.replace("\n", "\r\n").encode())
    if sys.platform != "win32":
        path.chmod(0o751)
    (done,) = repair(_audited(project), ALL, write=True)
    written = path.read_bytes()
    assert len(done.fixes) == 3
    assert written.startswith(b"\xef\xbb\xbfimport requests\r\nimport ast\r\n")
    assert b"\n" not in written.replace(b"\r\n", b"")
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o751
    assert [each.name for each in project.iterdir()] == ["bad.py"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_what_a_link_points_to_is_not_written(project: Path) -> None:
    (project / "bad.py").rename(project / "real.txt")
    (project / "bad.py").symlink_to("real.txt")
    (done,) = repair(_audited(project), ALL, write=True)
    assert done.refusal == "it is a link, and what it points to is not written."
    assert (project / "bad.py").is_symlink()
    assert (project / "real.txt").read_text() == BAD


def test_a_file_that_changed_since_is_left_alone(project: Path) -> None:
    audited = [Audited(each.path, each.analysis, each.text) for each in _audited(project)]
    (project / "bad.py").write_text(f"# New.\n{BAD}")
    (done,) = repair(audited, ALL, write=True)
    assert done.refusal == "it has changed since it was looked at."
    assert "not changed: it has changed" in repaired(done, shown=False)
    assert (project / "bad.py").read_text() == f"# New.\n{BAD}"


def test_a_file_that_changes_while_it_is_fixed_is_left_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audited = _audited(project)

    def fsync(_: int) -> None:
        (project / "bad.py").write_text("x = 1\n")

    monkeypatch.setattr(os, "fsync", fsync)
    (done,) = repair(audited, ALL, write=True)
    assert "changed" in done.refusal
    assert [each.read_text() for each in project.iterdir()] == ["x = 1\n"]


def test_what_is_no_utf_8_is_left_alone(project: Path) -> None:
    path = project / "bad.py"
    path.write_bytes(b"# \xff\n" + BAD.encode())
    (done,) = repair(_audited(project), ALL, write=True)
    assert done.refusal == "it is not text in UTF-8."
    assert path.read_bytes().startswith(b"# \xff\n")


def test_a_file_that_is_gone_is_said(project: Path) -> None:
    audited = [Audited(each.path, each.analysis, each.text) for each in _audited(project)]
    (project / "bad.py").unlink()
    (done,) = repair(audited, ALL, write=True)
    assert done.refusal
    assert done.as_json()["written"] is False


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="the superuser may write anything"
)
def test_a_file_that_may_not_be_written_is_left_alone(project: Path) -> None:
    (project / "bad.py").chmod(0o444)
    (done,) = repair(_audited(project), ALL, write=True)
    assert done.refusal == "it may not be written."


def test_fixes_that_need_thought_are_not_made(project: Path) -> None:
    (project / "bad.py").write_text("import requests\nPASSWORD = 'hunter2hunter2'\n")
    assert repair(_audited(project), ALL, write=True) == []


def test_the_short_way_knows_every_option_of_the_long_one() -> None:
    import typer  # noqa: PLC0415 - only here

    from coai_server.cli.audit.command import audit  # noqa: PLC0415 - only here

    app = typer.Typer()
    app.command()(audit)
    command = typer.main.get_command(app)
    known = {
        name
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--") and "completion" not in name and name != "--help"
    }
    assert known == {*alone.VALUES, *alone.SWITCHES, *alone.LEFT}
    assert all(alone.read([name, "x"]) is None for name in alone.LEFT)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ([], Options()),
        (["--format", "json", "--level=error"], Options(form=Format.JSON, level=Severity.ERROR)),
        (["--jobs", "2", "--no-cache"], Options(jobs=2, cached=False)),
        (["--fix", "--dry-run", "--diff", "HEAD"], Options(fix=True, dry_run=True, diff="HEAD")),
        (["--help"], None),
        (["--format", "xml"], None),
        (["--jobs", "-1"], None),
        (["--jobs"], None),
        (["--dry-run"], None),
        (["no-such-path"], None),
        (["-x"], None),
    ],
)
def test_the_short_way_reads_plain_options_and_leaves_the_rest(
    arguments: list[str], options: Options | None
) -> None:
    assert alone.read(arguments) == options


def test_the_short_way_ends_as_the_long_one_does(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert alone.audit([str(project)]) == 1
    assert capsys.readouterr().out.endswith("1 files: 1 error, 1 warning\n")
    assert alone.audit([str(project), "--baseline", str(project / "none")]) == 2
    assert "Write one with --write-baseline." in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        alone.audit(["--help"])
    assert ended.value.code == 0


def test_what_would_change_kept_values_is_left_to_the_user(project: Path, coai: InProcess) -> None:
    text = "import hashlib\n\n\ndef signature(url):\n    return hashlib.md5(url).hexdigest()\n"
    (project / "bad.py").write_text(text)
    ran = coai("audit", str(project), "--fix", "--format", "json")
    assert [each["rule"] for each in ran.document["findings"]] == ["weak-hash"]
    assert (project / "bad.py").read_text() == text
