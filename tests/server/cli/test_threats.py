"""`coai threats` over real files, without a model and with one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.cli.conftest import Home, InProcess

CODE = (
    "import os\nfrom flask import request\n\n\ndef f():\n    os.system('ls ' + request.args['q'])\n"
)


def test_facts_in_three_forms(coai: InProcess, empty_home: Path) -> None:
    work = empty_home / "work"
    work.mkdir()
    (work / "app.py").write_text("x = 1\n", "utf-8")
    assert coai("threats", "work", "--no-model").code == 0
    (work / "app.py").write_text(CODE, "utf-8")
    told = coai("threats", "work", "--no-model")
    assert told.code == 1
    assert "| Whoever sends requests | Operating system |" in told.out
    document = coai("threats", "work", "--json", "--no-model").document
    (flow,) = document["flows"]
    assert (flow["actor"], flow["asset"], flow["sink"]) == ("remote", "system", "work/app.py:6")
    assert document["summary"] == []
    drawn = coai("threats", "work/app.py", "--format", "mermaid")
    assert drawn.out == document["mermaid"]
    assert coai("threats", "absent", "--json").code == 2


def test_a_model_only_words_it(home: Home, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(CODE, "utf-8")
    told = home("threats", str(tmp_path), "--json")
    assert told.code == 1, told.err
    assert [each["asset"] for each in told.document["flows"]] == ["system"]
    assert all(each["origin"] == "model" for each in told.document["summary"])
