"""Neovim as a second client of the real server: another implementation of LSP, and no VS Code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import MODEL, SAMPLES, server_variables
from tests.e2e.tools import program

SECONDS = 240
FLAWED = (
    "import ast\n\nfrom flask import request\n\n\ndef amount() -> object:\n"
    '    return "ä🛒", eval(request.args["amount"])\n'
)
SCRIPT = Path(__file__).with_name("neovim.lua")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, models: Path) -> dict[str, Any]:
    """Have Neovim open a file, type, complete and leave; return what it saw."""
    nvim = program("nvim", "neovim")
    home = tmp_path_factory.mktemp("neovim")
    sample = home / "basket.py"
    sample.write_text((SAMPLES / "basket.py").read_text(encoding="utf-8"), encoding="utf-8")
    flawed = home / "flawed.py"
    flawed.write_text(FLAWED, encoding="utf-8")
    coai = Path(sys.executable).parent / "coai"
    written = home / "report.json"
    variables = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("COAI_", "COVERAGE_", "XDG_"))},
        **server_variables(models),
        "HOME": str(home),
        "COAI_SERVER": str(coai),
        "COAI_REPORT": str(written),
        "COAI_FLAWED": str(flawed),
    }
    ended = subprocess.run(
        [str(nvim), "--headless", "--clean", str(sample), "-c", f"luafile {SCRIPT}"],
        cwd=home,
        env=variables,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert written.is_file(), ended.stdout + ended.stderr
    return json.loads(written.read_text(encoding="utf-8"))


def test_the_server_runs_and_the_model_is_ready(report: dict[str, Any]) -> None:
    assert report["errors"] == []
    assert report["status"]["model"] == MODEL
    assert report["status"]["phase"] == "ready"


def test_what_neovim_typed_is_completed(report: dict[str, Any]) -> None:
    (item,) = report["items"]
    assert item["insertText"].strip()
    assert report["why"][0]["kind"] == "suggestion"


def test_positions_count_as_neovim_counts_them(report: dict[str, Any]) -> None:
    # The line begins with characters that UTF-8, UTF-16 and UTF-32 count differently.
    place = report["items"][0]["range"]["start"]
    assert place == report["position"]


def test_what_is_wrong_is_shown_where_it_is(report: dict[str, Any]) -> None:
    # Neovim counts columns in bytes.
    column = len('    return "ä🛒", '.encode())
    assert report["diagnostic"]["message"].startswith("Data that others control is run as code.")
    assert (report["diagnostic"]["line"], report["diagnostic"]["column"]) == (6, column)


def test_hover_explains_it(report: dict[str, Any]) -> None:
    text = report["hover"]["contents"]["value"]
    assert "**Outside data run as code**" in text
    assert "request.args" in text


def test_a_code_action_mends_it(report: dict[str, Any]) -> None:
    assert report["actions"][0]["title"] == "Read a literal with ast.literal_eval"
    assert '    return "ä🛒", ast.literal_eval(request.args["amount"])' in report["fixed"]


def test_a_function_is_explained_with_its_facts(report: dict[str, Any]) -> None:
    assert "amount" in report["explained"]["markdown"]
    assert report["explained"]["answer"], "it can be judged"


def test_a_question_is_answered(report: dict[str, Any]) -> None:
    assert "amount" in report["answered"]["markdown"]
    assert not report["answered"]["stopped"]


def test_a_function_is_documented_and_its_code_is_the_same(report: dict[str, Any]) -> None:
    documented = report["documented"]
    at = documented.index("def amount() -> object:")
    assert documented[at + 1].strip().startswith('"""')
    code = [line for line in report["fixed"] if line]
    assert [line for line in documented if line in code] == code


def test_the_server_ends_with_neovim(report: dict[str, Any]) -> None:
    assert report["exit"] == 0
