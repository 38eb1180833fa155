"""`coai compliance` over real files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.agents.specialists.security.advisories import advisory

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.cli.conftest import InProcess


def test_findings_and_dependencies_by_control(coai: InProcess, empty_home: Path) -> None:
    work = empty_home / "work"
    work.mkdir()
    (work / "app.py").write_text("x = 1\n", "utf-8")
    clean = coai("compliance", "work")
    assert clean.code == 0
    assert "never that one is fulfilled" in clean.out
    (work / "app.py").write_text(
        "import os\nfrom flask import request\nos.system('ls ' + request.args['q'])\n", "utf-8"
    )
    (work / "requirements.txt").write_text("pot==1.0\n", "utf-8")
    unmatched = coai("compliance", "work", "--json", "--no-model", "--standard", "owasp-2025")
    assert unmatched.code == 1
    assert "Dependencies were not matched" in unmatched.document["notes"][0]
    (empty_home / "osv.json").write_text(json.dumps(advisory("A-1", "pot", "introduced 0")))
    coai("vulns", "update", "--from", "osv.json")
    found = coai("compliance", "work", "--format", "json", "--standard", "owasp-2025").document
    by_control = {
        each["id"]: [(one["rule"], one["path"], one["line"]) for one in each["findings"]]
        for each in found["standards"][0]["controls"]
        if each["findings"]
    }
    assert by_control == {
        "A03": [("vulnerable-dependency", "work/requirements.txt", 1)],
        "A05": [("command-injection", "work/app.py", 3)],
    }


def test_what_is_not_there_is_exit_code_2(coai: InProcess) -> None:
    assert coai("compliance", "absent").code == 2
    unknown = coai("compliance", "--standard", "iso", "--json")
    assert unknown.code == 2
    assert "owasp-2021" in unknown.document["error"]["remedy"]
