"""Each benchmark runs: with the real daemon, a tiny model, and few repetitions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import cancelling, infilling, memory, overhead, startup, typing
from tests.benchmarks.test_infilling import data_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@pytest.fixture
def model(tmp_path: Path, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a tiny model by a name whose family is known; no state of the user's is touched."""
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / name))
    path = tmp_path / "qwen2.5-coder-tiny.gguf"
    path.write_bytes(tiny_gguf.read_bytes())
    return path


def figures(run: Callable[[Sequence[str]], int], folder: Path, *words: str) -> dict[str, Any]:
    """Run a benchmark and return what it wrote."""
    file = folder / "figures.json"
    assert run([*words, "--json", str(file)]) == 0
    written: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return written["figures"]


def test_the_start_is_measured_and_imports_no_sdk(tmp_path: Path) -> None:
    told = figures(startup.main, tmp_path, "--runs", "1")
    assert len(told["milliseconds"]) == 1
    heavy = {"openai", "ollama", "httpx", "tree_sitter", "tree_sitter_python", "xllamacpp"}
    assert not heavy & set(told["costlyModules"])


def test_the_overhead_is_measured_on_requests_that_the_model_answered(tmp_path: Path) -> None:
    told = figures(overhead.main, tmp_path, "--requests", "4", "--lines", "120")
    assert told["withoutSuggestion"] == 0
    assert len(told["overheadMs"]) == 4
    assert all(spent > 0 for spent in told["overheadMs"])


def test_memory_is_measured_step_by_step(tmp_path: Path) -> None:
    told = figures(memory.main, tmp_path, "--completions", "2", "--lines", "120")
    assert told["daemonMb"]["2 completions"] > told["importsMb"]["python alone"] > 0


def test_cancelling_is_seen_from_the_model_server(tmp_path: Path) -> None:
    told = figures(cancelling.main, tmp_path, "--requests", "4", "--lines", "120")
    assert [len(times) for times in told["milliseconds"].values()] == [2, 2]


def test_infilling_asks_the_daemon_and_the_bare_model(tmp_path: Path, model: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    told = figures(
        infilling.main,
        tmp_path,
        *("--data", str(data_folder(tmp_path)), "--rows", "2", "--max-tokens", "16"),
        *("--model", str(model), "--save", str(answers)),
    )
    kept = [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]
    assert len(kept) == 2
    assert all(pair["bare"]["ended"] for pair in kept)
    assert told["pass@1, bare model"]["coai"] == 0


def test_typing_is_replayed_through_both_clients(tmp_path: Path, model: Path) -> None:
    plot = tmp_path / "latency.svg"
    told = figures(
        typing.main,
        tmp_path,
        *("--model", str(model), "--files", "1", "--characters", "20", "--speed", "20"),
        *("--threads", "1", "--plot", str(plot)),
    )
    assert told["evaluatedTokens"]["coai"] > 0
    assert told["evaluatedTokens"]["plain"] > 0
    assert len(told["tokensByKeystroke"]) == len(told["plainTokensByKeystroke"])
    assert plot.read_text(encoding="utf-8").startswith("<svg")


def test_a_model_that_is_not_there_is_said(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typing.main(["--model", str(tmp_path / "nothing.gguf")]) == 2
    assert "nothing.gguf" in capsys.readouterr().err
