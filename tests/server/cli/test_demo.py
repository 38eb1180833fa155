"""`coai demo` and `coai complete`, the real commands with a real daemon and a real engine."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from coai_routing.catalog import builtin_catalog
from coai_routing.local import data_directory, open_store
from coai_routing.settings import Settings
from tests.server.cli.conftest import SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.cli.conftest import Home, InProcess


def test_the_demo_completes_every_sample(home: Home) -> None:
    ran = home("demo", "--json")
    shown = ran.document
    assert (ran.code, ran.err) == (0, "")
    assert (shown["ok"], shown["backend"], shown["local"]) == (True, "embedded", True)
    assert {file["language"] for file in shown["files"]} == {"python", "typescript"}
    for file in shown["files"]:
        first = file["steps"][0]
        assert file["ok"]
        assert first["account"]["backend"] == "embedded"
        # It was accepted, so it stands in the code.
        assert first["suggestion"] in file["text"]


def test_the_demo_shows_the_code_and_where_the_ghost_text_came_from(home: Home) -> None:
    file = home.folder / "own.py"
    file.write_text("def double(x):\n    y = 2 * x\n    return y\n", encoding="utf-8")
    ran = home("demo", str(file), "--function", "double")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith("own.py: double")
    assert lines[1:3] == ["    def double(x):", "        y = 2 * x"]
    assert lines[3].startswith("        return \u27e6")
    assert "ghost text from" in ran.out
    assert "(embedded)" in ran.out
    assert "\x1b" not in ran.out
    assert file.read_text(encoding="utf-8").endswith("    return y\n")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"COAI_COMPLETION__LANGUAGES": '{"*": false}'},
            "No completion came back for distances.ts: routeLength.",
        ),
        (
            {"COAI_ENGINE__ENABLED": "false"},
            "No model can serve completions. It is switched off.",
        ),
    ],
)
def test_without_a_completion_the_demo_fails_and_says_why(
    home: Home, variables: dict[str, str], said: str
) -> None:
    ran = home("demo", "--sample", "typescript", **variables)
    assert ran.code == 1
    assert said in " ".join(ran.err.split())
    assert "Next: " in ran.err
    assert "Traceback" not in ran.err


def test_a_demo_that_fails_is_a_json_document_too(home: Home) -> None:
    variables = {"COAI_COMPLETION__ENABLED": "false"}
    ran = home("demo", "--json", "--sample", "python", **variables)
    (step, again) = ran.document["files"][0]["steps"]
    assert (ran.code, ran.err, ran.document["ok"]) == (1, "", False)
    assert step["account"]["reason"] == "disabled"
    assert (step["trigger"], again["trigger"]) == ("automatic", "invoked")


def test_weights_that_may_not_be_fetched_are_asked_for(coai: InProcess, empty_home: Path) -> None:
    os.environ["COAI_ENGINE__DOWNLOAD"] = "never"
    ran = coai("demo", "--json")
    assert ran.code == 1
    assert ran.document == {
        "ok": False,
        "error": {
            "message": "qwen2.5-coder-0.5b is not on this machine, and engine.download is never.",
            "remedy": "Fetch it with `coai models pull qwen2.5-coder-0.5b`.",
        },
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--function", "f"), "it needs a FILE"),
        (("--sample", "cobol"), "cobol is none of python, typescript"),
        (("x.py", "--sample", "python"), "it cannot be combined with a FILE"),
        (("gone.py",), "does not exist"),
    ],
)
def test_wrong_usage_of_the_demo(
    coai: InProcess, empty_home: Path, arguments: tuple[str, ...], said: str
) -> None:
    (empty_home / "x.py").touch()
    ran = coai("demo", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl+C is no signal to a process there")
def test_ctrl_c_ends_the_demo_and_its_daemon_without_a_traceback(home: Home) -> None:
    # The daemon keeps looking for a server that is not there.
    process = home.popen("demo", COAI_ENGINE__ENABLED="false")
    parent = psutil.Process(process.pid)
    until = time.monotonic() + SECONDS
    while not (children := parent.children()) and time.monotonic() < until:
        time.sleep(0.01)
    (daemon,) = children
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out, err) == (130, b"", b"")
    assert not daemon.is_running()


def test_a_suggestion_goes_to_standard_output(home: Home) -> None:
    file = home.folder / "to complete.py"
    file.write_text("def f(a):\n    return \n", encoding="utf-8")
    ran = home("complete", f"{file}:2:12")
    assert (ran.code, ran.err) == (0, "")
    as_json = home("complete", f"{file}:2:12", "--json", "--language", "python")
    assert as_json.document["suggestion"] == ran.out.removesuffix("\n")
    assert as_json.document["account"]["backend"] == "embedded"


@pytest.mark.parametrize("as_json", [False, True])
def test_without_a_suggestion_the_reason_goes_to_standard_error(
    home: Home, tmp_path: Path, *, as_json: bool
) -> None:
    file = tmp_path / ".env"
    file.write_text("PASSWORD=\n", encoding="utf-8")
    ran = home("complete", f"{file}:1:10", *(["--json"] if as_json else []))
    assert ran.code == 1
    if as_json:
        assert (ran.err, ran.document["suggestion"]) == ("", None)
        assert ran.document["account"]["reason"] == "secret_file"
    else:
        assert (ran.out, "Error: No suggestion. Files that hold secrets" in ran.err) == ("", True)


@pytest.mark.parametrize(
    ("place", "code", "said"),
    [
        ("x.py:1", 2, "expected FILE:LINE:COL, both from 1, got 'x.py:1'"),
        ("x.py:0:1", 2, "both from 1"),
        ("x.py:1:0", 2, "both from 1"),
        ("gone.py:1:1", 2, "there is no file gone.py"),
        ("x.py:3:1", 2, "x.py has 2 lines"),
        ("x.py:1:7", 2, "line 1 ends at column 6, got 7"),
        ("latin.py:1:1", 1, "is not text in UTF-8"),
    ],
)
def test_places_that_are_none(
    coai: InProcess, empty_home: Path, place: str, code: int, said: str
) -> None:
    (empty_home / "x.py").write_text("a = 1\n")
    (empty_home / "latin.py").write_bytes(b"\xe9")
    ran = coai("complete", place)
    assert (ran.code, ran.out) == (code, "")
    assert said in " ".join(ran.err.replace("\u2502", "").split())


def test_an_engine_that_cannot_serve_is_named_with_a_remedy(home: Home, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\0" * 100)
    file = tmp_path / "x.py"
    file.touch()
    ran = home("complete", f"{file}:1:1", "--json", COAI_ENGINE__MODEL=str(broken))
    assert ran.code == 1
    assert "broken.gguf" in ran.document["error"]["message"]
    assert ran.document["error"]["remedy"]


def stored() -> bool:
    settings = Settings()
    return open_store(settings, builtin_catalog()).status(settings.engine.model).present


@pytest.mark.model
def test_the_demo_completes_real_code_with_the_default_model(home: Home) -> None:
    if not stored() and "CI" not in os.environ:
        pytest.skip("the weights are not here: run `coai models pull`")
    model = Settings().engine.model
    ran = home(
        "demo", "--json", COAI_ENGINE__MODEL=model, COAI_MODELS__DIRECTORY=str(data_directory())
    )
    shown = ran.document
    assert ran.code == 0
    assert shown["model"] == model
    for file in shown["files"]:
        suggestions = [step["suggestion"] for step in file["steps"] if step["suggestion"]]
        assert suggestions
        assert json.dumps(suggestions)
