"""An audit as a new door asks for it: one value in, one value out."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from coai_agents.analysis.findings.findings import Confidence, Severity
from coai_agents.analysis.run import remembered
from coai_agents.application.audit.auditing import audit
from coai_agents.application.audit.baseline import AuditError, read_baseline, write_baseline
from coai_agents.application.audit.request import AuditRequest
from coai_agents.application.audit.sarif import document
from coai_agents.git_repository import GitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from coai_agents.analysis.run.survey import Audited

BAD = (
    "import os\nimport sys\n\nimport requests\n\n"
    "requests.get('https://a', timeout=9, verify=False)\nos.system('ls ' + sys.argv[1])\n"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(remembered, "cache_path", lambda: tmp_path / "cache" / "audit.sqlite")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "bad.py").write_text(BAD)
    (folder / "good.py").write_text("x = 1\n")
    return folder


def rules(request: AuditRequest) -> list[str]:
    return [row.finding.rule for row in audit(request).rows]


def test_an_audit_names_what_counts_and_every_file(folder: Path) -> None:
    report = audit(AuditRequest((folder,)))
    assert [(row.finding.rule, row.line) for row in report.rows] == [
        ("tls-verification-off", 6),
        ("command-injection", 7),
    ]
    assert [each.path.name for each in report.audited] == ["bad.py", "good.py"]
    told = json.loads(json.dumps(report.as_json()))
    assert (told["files"], told["findings"][0]["column"], report.failed) == (2, 1, False)
    (sarif,) = document(report.rows, report.audited)["runs"]
    assert len(sarif["results"]) == len(report.rows)


@pytest.mark.parametrize(
    ("level", "confidence", "found"),
    [
        (Severity.ERROR, Confidence.LOW, ["tls-verification-off"]),
        (Severity.WARNING, Confidence.HIGH, ["tls-verification-off", "command-injection"]),
        (
            Severity.HINT,
            Confidence.LOW,
            ["tls-verification-off", "command-injection", "dangerous-eval"],
        ),
    ],
)
def test_what_is_less_than_is_wanted_does_not_count(
    folder: Path, level: Severity, confidence: Confidence, found: list[str]
) -> None:
    (folder / "bad.py").write_text(f"{BAD}\n\ndef f(p):\n    return eval(p)\n")
    assert rules(AuditRequest((folder,), level, confidence)) == found


def test_what_a_baseline_knows_does_not_count_until_there_is_more(
    folder: Path, tmp_path: Path
) -> None:
    known = tmp_path / "known.json"
    first = audit(AuditRequest((folder,)))
    write_baseline(known, first.rows)
    assert read_baseline(known) == {row.fingerprint for row in first.rows}
    assert rules(AuditRequest((folder,), baseline=known)) == []
    (folder / "bad.py").write_text(
        f"# Further down.\n{BAD}requests.get('https://b', timeout=9, verify=False)\n"
    )
    assert rules(AuditRequest((folder,), baseline=known)) == ["tls-verification-off"]
    known.write_text("{}")
    with pytest.raises(AuditError, match="is no baseline"):
        audit(AuditRequest((folder,), baseline=known))


def _git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=coai", "-c", "user.email=coai@example.org")
    subprocess.run(("git", "-C", str(folder), *who, *arguments), check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_only_lines_that_changed_since_a_revision_count(folder: Path) -> None:
    with pytest.raises(GitError):
        audit(AuditRequest((folder,), diff="HEAD"))
    _git(folder, "init", "-q")
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "-m", "All")
    assert rules(AuditRequest((folder,), diff="HEAD")) == []
    (folder / "bad.py").write_text(BAD.replace("ls ", "ls -l "))
    assert rules(AuditRequest((folder,), diff="HEAD")) == ["command-injection"]


def test_fixes_are_shown_or_made_and_what_is_left_is_said(folder: Path) -> None:
    shown = audit(AuditRequest((folder,), fix=True, dry_run=True))
    (repair,) = shown.repairs
    assert "-requests.get('https://a', timeout=9, verify=False)\n" in repair.diff()
    assert ((folder / "bad.py").read_text(), len(shown.rows)) == (BAD, 2)
    made = audit(AuditRequest((folder,), fix=True))
    fixed = {each.rule for repair in made.repairs for each in repair.fixes}
    assert "tls-verification-off" in fixed
    assert "verify" not in (folder / "bad.py").read_text()
    assert {row.finding.rule for row in made.rows}.isdisjoint(fixed)


def test_who_watches_sees_each_file_as_it_comes(folder: Path) -> None:
    seen: list[tuple[int, str]] = []

    def watch(found: Iterable[Audited], total: int) -> Iterator[Audited]:
        for each in found:
            seen.append((total, each.path.name))
            yield each

    audit(AuditRequest((folder,)), watched=watch)
    assert sorted(seen) == [(2, "bad.py"), (2, "good.py")]
