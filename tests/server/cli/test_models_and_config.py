"""`coai models` and `coai config`: tables for people, JSON for scripts, and a real download."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from coai_routing.registry.catalog import builtin_catalog
from coai_routing.weights.store_progress import PullPhase, PullProgress
from coai_server.cli import weights as progress_module
from tests.support import weights
from tests.support.file_server import file_server
from tests.support.sources import isolate
from tests.support.tiny_gguf import write_tiny_gguf
from tests.support.weights import FILE_NAME, HUGGING_FACE_PATH, NAME, WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server.cli.conftest import InProcess
    from tests.support.file_server import FileServer


KEY = "COAI_ENDPOINTS__OLLAMA__API_KEY"


@pytest.fixture
def server(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """Serve made-up weights, the only ones that the catalogue then has."""
    isolate(monkeypatch)
    catalog = weights.catalog(weights.hugging_face())
    monkeypatch.setattr("coai_routing.registry.catalog.builtin_catalog", lambda: catalog)
    with file_server() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        running.serve(HUGGING_FACE_PATH, WEIGHTS)
        yield running


def plain(text: str) -> list[str]:
    """Return lines without the padding of tables."""
    return [re.sub(r" {2,}", "  ", line).rstrip() for line in text.splitlines()]


def test_the_catalogue_is_listed(coai: InProcess, empty_home: Path) -> None:
    ran = coai("models", "list")
    assert (ran.code, ran.err) == (0, "")
    assert plain(ran.out) == [
        "Name  Family  Size  Licence  State",
        "qwen2.5-coder-0.5b (in use)  qwen2.5-coder  491 MB  Apache-2.0  absent",
        "qwen2.5-coder-1.5b  qwen2.5-coder  1,117 MB  Apache-2.0  absent",
        "",
        f"They are kept in {empty_home / 'coai' / 'models'}.",
    ]


def test_the_users_own_files_are_listed(
    coai: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_tiny_gguf(tmp_path / "qwen2.5-coder-own.gguf")
    monkeypatch.setenv("COAI_ENGINE__MODEL", str(file))
    said = coai("models", "list").out
    assert "your own" in said
    assert "(in use)" in said
    own = coai("models", "list", "--json").document[-1]
    assert (own["path"], own["inUse"], own["state"]) == (str(file), True, "own")
    assert own["sizeBytes"] == own["bytesPresent"] == file.stat().st_size


def test_the_list_for_scripts_has_everything(coai: InProcess, server: FileServer) -> None:
    assert coai("models", "pull", NAME).code == 0
    (listed,) = coai("models", "list", "--json").document
    path = listed.pop("path")
    assert path.endswith(FILE_NAME)
    assert listed == {
        "name": NAME,
        "title": "Made up",
        "family": "qwen2.5-coder",
        "license": "MIT",
        "sizeBytes": len(WEIGHTS),
        "state": "ready",
        "bytesPresent": len(WEIGHTS),
        "inUse": False,
    }


def test_a_model_comes_and_goes(coai: InProcess, server: FileServer, empty_home: Path) -> None:
    absent = coai("models", "path", NAME)
    assert (absent.code, absent.err) == (
        1,
        f"They are not there yet: run `coai models pull {NAME}`.\n",
    )
    pulled = coai("models", "pull")
    path = empty_home / "coai" / "models" / FILE_NAME
    assert (pulled.code, pulled.out) == (0, "")
    assert pulled.err.splitlines()[-1] == f"{NAME} is ready: {path}"
    assert path.read_bytes() == WEIGHTS
    assert coai("models", "path", NAME).out == f"{path}\n" == absent.out
    assert coai("models", "remove", NAME).err == "Freed 1 MB.\n"
    assert not path.exists()
    assert coai("models", "remove", NAME).err == f"There was nothing of {NAME}.\n"


def test_a_pull_that_fails_says_what_was_tried(
    coai: InProcess, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COAI_MODELS__SOURCES", '["huggingface"]')
    server.files.clear()
    ran = coai("models", "pull", NAME)
    assert (ran.code, ran.out) == (1, "")
    assert "Error: " in ran.err
    assert "Hugging Face" in ran.err
    assert "Next: " in ran.err


def test_unknown_models_are_named(coai: InProcess) -> None:
    for command in ("pull", "remove", "path"):
        ran = coai("models", command, "qwen2.5-coder-0.5")
        assert (ran.code, ran.out) == (1, "")
        assert "Did you mean qwen2.5-coder-0.5b?" in ran.err


@pytest.mark.parametrize("terminal", [False, True])
async def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere(
    monkeypatch: pytest.MonkeyPatch, *, terminal: bool
) -> None:
    states = [
        PullProgress("m", PullPhase.LOCATING, "Hugging Face", 0, 0),
        *(
            PullProgress("m", PullPhase.DOWNLOADING, "Hugging Face", done * 1_000_000, 40_000_000)
            for done in range(0, 41, 2)
        ),
        PullProgress("m", PullPhase.VERIFYING, "", 40_000_000, 40_000_000),
    ]
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=100)
    monkeypatch.setattr(progress_module, "notices", lambda: console)

    class Store:
        async def pull(self, name: str, show: object) -> str:
            for state in states:
                assert callable(show)
                show(state)
            return name

    assert await progress_module.fetch(Store(), "m") == "m"  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - only `pull` is used
    said = stream.getvalue()
    assert ("\x1b[" in said) is terminal
    if terminal:
        assert "40.0/40.0 MB" in said
    else:
        assert said.splitlines()[:3] == [
            "m: locating: 0 MB of 0 MB (0 %)",
            "m from Hugging Face: 0 MB of 40 MB (0 %)",
            "m from Hugging Face: 4 MB of 40 MB (10 %)",
        ]
        assert len(said.splitlines()) == 13


@pytest.fixture
def project(empty_home: Path) -> Path:
    """Give a project that narrows, in one place wrongly."""
    folder = empty_home / "project"
    folder.mkdir()
    (folder / "code.py").touch()
    (folder / ".coai.toml").write_text(
        '[completion]\nmax_tokens = 32\n[endpoints.vllm]\nurl = "http://evil.example"\n'
    )
    return folder


def test_settings_are_shown_with_their_place(
    coai: InProcess, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, "sk-secret")
    for place in (project, project / "code.py"):
        ran = coai("config", "show", "--changed", str(place))
        assert ran.code == 0
        lines = plain(ran.out)
        assert lines[0] == "Setting  Value  From"
        (limit,) = [line for line in lines if line.startswith("completion.max_tokens")]
        assert limit.startswith("completion.max_tokens  32  project file ")
        assert f"endpoints.ollama.api_key  ********  environment variable {KEY}" in lines
        assert "endpoints.vllm.url" in ran.err
        assert ran.err.startswith("Problem: project file ")


def test_settings_for_scripts_are_json(
    coai: InProcess, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, "sk-secret")
    shown = coai("config", "show", "--json", str(project)).document
    settings = shown["settings"]
    assert settings["completion.max_tokens"]["value"] == 32
    assert settings["completion.enabled"] == {"value": True, "origin": "default"}
    assert settings["completion.model"] == {"value": None, "origin": "default"}
    assert settings["engine.model"]["value"] == builtin_catalog().default_model
    assert settings["endpoints.ollama.api_key"]["value"] == "********"
    assert [problem for problem in shown["problems"] if "endpoints.vllm.url" in problem]


def test_without_a_path_the_current_directory_counts(
    coai: InProcess, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    shown = coai("config", "show", "--json").document
    assert shown["settings"]["completion.max_tokens"]["value"] == 32
