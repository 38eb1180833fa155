"""`coai demo` and `coai complete`, the real commands with a real daemon and a real engine."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest
import typer

from coai_routing.registry.catalog import builtin_catalog
from coai_routing.settings.loading import load
from coai_routing.settings.schema import Settings
from coai_routing.wiring.configured import data_directory, open_store
from coai_server.cli.demo.command import prepare
from tests.server.cli.conftest import SECONDS
from tests.support import weights
from tests.support.faulty_server import FaultyServer, respond
from tests.support.file_server import file_server
from tests.support.sources import isolate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server.cli.conftest import Home, InProcess
    from tests.support.file_server import FileServer


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


def test_the_demo_shows_the_code_and_where_the_ghost_text_came_from(
    coai_at_home: InProcess, tmp_path: Path
) -> None:
    file = tmp_path / "own.py"
    file.write_text("def double(x):\n    y = 2 * x\n    return y\n", encoding="utf-8")
    ran = coai_at_home("demo", str(file), "--function", "double")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith("own.py: double")
    assert lines[1:3] == ["    def double(x):", "        y = 2 * x"]
    assert lines[3].startswith("        return \u27e6")
    assert "ghost text from" in ran.out
    assert "(embedded)" in ran.out
    assert "\x1b" not in ran.out
    assert file.read_text(encoding="utf-8").endswith("    return y\n")


def test_without_a_model_the_demo_fails_and_says_why(
    coai_at_home: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\0" * 100)
    monkeypatch.setenv("COAI_ENGINE__MODEL", str(broken))
    ran = coai_at_home("demo", "--sample", "typescript")
    said = " ".join(ran.err.split())
    assert (ran.code, ran.out) == (1, "")
    assert said.startswith("Error: No model can serve completions. ")
    assert "broken.gguf" in said
    assert " Next: " in said
    assert "Traceback" not in said


def test_a_demo_that_fails_is_a_json_document_too(
    coai_at_home: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COAI_COMPLETION__ENABLED", "false")
    ran = coai_at_home("demo", "--json", "--sample", "python")
    (step, again) = ran.document["files"][0]["steps"]
    assert (ran.code, ran.err, ran.document["ok"]) == (1, "", False)
    assert step["account"]["reason"] == "disabled"
    assert (step["trigger"], again["trigger"]) == ("automatic", "invoked")


def test_weights_that_may_not_be_fetched_are_asked_for(
    coai: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COAI_ENGINE__DOWNLOAD", "never")
    ran = coai("demo", "--json")
    assert ran.code == 1
    assert ran.document == {
        "ok": False,
        "error": {
            "message": "qwen2.5-coder-0.5b is not on this machine, and engine.download is never.",
            "remedy": "Fetch it with `coai models pull qwen2.5-coder-0.5b`.",
        },
    }


@pytest.fixture
def made_up(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """Have made-up weights in the catalogue, and a server that has them."""
    isolate(monkeypatch)
    catalog = weights.catalog(weights.hugging_face())
    monkeypatch.setattr("coai_routing.registry.catalog.builtin_catalog", lambda: catalog)
    with file_server() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        running.serve(weights.HUGGING_FACE_PATH, weights.WEIGHTS)
        yield running


MADE_UP = {"engine": {"model": weights.NAME}}


async def test_missing_weights_are_fetched_before_the_demo(
    made_up: FileServer, empty_home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = load(overrides=MADE_UP).settings
    await prepare(settings, ask=False)
    said = capfd.readouterr().err
    assert "Made up, 1 MB, MIT. It is fetched once" in " ".join(said.split())
    assert "made-up from Hugging Face's mirror 127.0.0.1: 1 MB of 1 MB (100 %)" in said
    requests = len(made_up.requests)
    await prepare(settings, ask=True)
    assert (capfd.readouterr().err, len(made_up.requests)) == ("", requests)


async def test_on_a_terminal_one_is_asked_before_that(
    made_up: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    with pytest.raises(typer.Abort):
        await prepare(load(overrides=MADE_UP).settings, ask=True)
    assert made_up.requests == []


@pytest.mark.parametrize(
    "overrides",
    [
        {"engine.enabled": "false"},
        {"completion.backend": "ollama"},
        {"engine.model": "own-file.gguf"},
    ],
)
async def test_nothing_is_fetched_that_would_not_be_used(
    made_up: FileServer, overrides: dict[str, str]
) -> None:
    await prepare(load(overrides={"engine.model": weights.NAME, **overrides}).settings, ask=False)
    assert made_up.requests == []


async def test_nothing_is_fetched_where_another_server_completes(made_up: FileServer) -> None:
    listed = {"data": [{"id": "qwen2.5-coder-7b"}]}
    async with FaultyServer(respond(404, {}), {"/v1/models": listed}) as server:
        found = {"enabled": "true", "url": f"{server.base_url}/v1"}
        loaded = load(overrides={**MADE_UP, "endpoints": {"vllm": found}})
        await prepare(loaded.settings, ask=False)
    assert made_up.requests == []


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


def test_a_suggestion_goes_to_standard_output(coai_at_home: InProcess, tmp_path: Path) -> None:
    file = tmp_path / "to complete.py"
    file.write_text("def f(a):\n    return \n", encoding="utf-8")
    ran = coai_at_home("complete", f"{file}:2:12", "--language", "python")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.strip()


def test_without_a_suggestion_the_reason_goes_to_standard_error(
    coai_at_home: InProcess, tmp_path: Path
) -> None:
    file = tmp_path / ".env"
    file.write_text("PASSWORD=\n", encoding="utf-8")
    ran = coai_at_home("complete", f"{file}:1:10")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("Error: No suggestion. Files that hold secrets")


def test_for_scripts_a_suggestion_is_json(coai_at_home: InProcess, tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text("def f(a):\n    return \n", encoding="utf-8")
    ran = coai_at_home("complete", f"{file}:2:12", "--json")
    said = ran.document
    assert (ran.code, ran.err, said["ok"]) == (0, "", True)
    assert said["suggestion"]
    assert said["account"]["backend"] == "embedded"


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


def test_for_scripts_an_error_is_json(coai: InProcess, empty_home: Path) -> None:
    (empty_home / "latin.py").write_bytes(b"\xe9")
    ran = coai("complete", "latin.py:1:1", "--json")
    assert (ran.code, ran.err) == (1, "")
    assert "is not text in UTF-8" in ran.document["error"]["message"]
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
        assert "".join(suggestions).strip()
