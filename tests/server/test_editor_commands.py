"""What an editor's commands and status bar ask of the real `coai serve`."""

from __future__ import annotations

import json
import shutil
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from coai_routing.engine.speed_probe import keep_speed, speed_key
from coai_routing.pool.speed import Speed
from coai_routing.registry.catalog import builtin_catalog
from coai_routing.settings.schema import Settings
from coai_routing.weights.store import ModelState, StoredModelStatus
from coai_routing.wiring.embedded import engine_options
from coai_server.daemon import status
from tests.server.test_serve import URI, Daemon
from tests.support.engine import PATIENCE
from tests.support.silent_hub import silent_hub
from tests.support.tiny_gguf import write_tiny_gguf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.lsp_client import Json

WITH_PROGRESS = {"window": {"workDoneProgress": True}}
TOLD_OF_STATUS = {"experimental": {"coaiStatus": True}}
SMALLEST = "qwen2.5-coder-0.5b"


def run(server: Daemon, command: str, *arguments: object) -> Any:  # noqa: ANN401 (any JSON)
    return server.call("workspace/executeCommand", {"command": command, "arguments": [*arguments]})


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, tiny_gguf: Path) -> Path:
    path = tmp_path_factory.mktemp("weights") / "qwen2.5-coder-tiny.gguf"
    shutil.copy(tiny_gguf, path)
    return path


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Iterator[Daemon]:
    home = tmp_path_factory.mktemp("home")
    with Daemon(home, COAI_ENGINE__MODEL=str(weights)) as server:
        server.begin()
        server.until("ready")
        yield server


def test_the_status_says_of_a_document_whether_completions_are_on(daemon: Daemon) -> None:
    asked = daemon.call("coai/status", {"uri": URI})["completion"]
    assert asked == {
        "enabled": True,
        "language": "python",
        "languageEnabled": True,
        "snoozedSeconds": None,
    }


@pytest.mark.parametrize("params", [None, {}, {"uri": None}, {"uri": 3}, []])
def test_the_status_of_no_document_names_no_language(daemon: Daemon, params: object) -> None:
    assert daemon.call("coai/status", params)["completion"]["language"] is None


def test_the_status_of_a_document_that_is_not_open_names_no_language(daemon: Daemon) -> None:
    status = daemon.call("coai/status", {"uri": "file:///work/other.py"})
    assert status["completion"]["languageEnabled"] is None


def test_snoozed_completions_stay_away_until_they_are_woken(daemon: Daemon) -> None:
    assert 0 < run(daemon, "coai.snooze", 2)["completion"]["snoozedSeconds"] <= 120
    assert daemon.complete() == []
    assert daemon.last()["reason"] == "snoozed"
    assert run(daemon, "coai.snooze", 0)["completion"]["snoozedSeconds"] is None
    assert daemon.complete() != []


def test_the_settings_in_force_have_their_place_and_meaning(daemon: Daemon) -> None:
    rows = {row["key"]: row for row in run(daemon, "coai.settings")}
    assert rows["privacy.mode"] == {
        "key": "privacy.mode",
        "value": "false",
        "origin": "default",
        "description": rows["privacy.mode"]["description"],
    }
    assert "COAI_ENGINE__MODEL" in rows["engine.model"]["origin"]


def test_the_models_have_their_size_and_state(daemon: Daemon) -> None:
    models = {model["name"]: model for model in run(daemon, "coai.models")}
    assert models[SMALLEST]["sizeBytes"] == 491_400_064
    assert models[SMALLEST]["present"] is False
    assert models[SMALLEST]["speed"] is None


def test_the_users_own_weights_are_listed_and_can_be_used(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    weights = write_tiny_gguf(folder / "qwen2.5-coder-own.gguf")
    places = json.dumps([str(weights.parent)])
    with Daemon(tmp_path, COAI_ENGINE__MODEL=str(weights), COAI_MODELS__LOCAL_PATHS=places) as one:
        one.begin()
        listed = {model["name"]: model for model in run(one, "coai.models")}
        own = listed[str(weights)]
        assert (own["present"], own["inUse"], own["license"]) == (True, True, None)
        assert own["sizeBytes"] == weights.stat().st_size
        assert listed[SMALLEST]["inUse"] is False
        deadline = time.monotonic() + PATIENCE
        while (said := one.status())["phase"] != "ready":
            assert time.monotonic() < deadline, said
            time.sleep(0.05)
        assert (said["model"], said["backend"]) == (str(weights), "embedded")


def test_the_model_in_use_is_named_with_the_speed_that_was_measured(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Store:
        """A store in which every model is, without its weights being here."""

        def __init__(self) -> None:
            path = tmp_path / "weights"
            path.touch()
            model = builtin_catalog().model(SMALLEST)
            assert model is not None
            self.only = StoredModelStatus(model, path, ModelState.READY, model.size)

        def listed(self) -> tuple[Any, ...]:
            return (self.only,)

        def own(self, in_use: str) -> tuple[Any, ...]:
            assert in_use == SMALLEST
            return ()

    store, settings = Store(), Settings()
    monkeypatch.setattr(status, "state_directory", lambda: tmp_path)
    key = speed_key(store.only.path, engine_options(settings.engine).settled())
    keep_speed(tmp_path, key, Speed(prompt_tokens_per_second=154.0, output_tokens_per_second=50.0))
    services: Any = SimpleNamespace()
    running = SimpleNamespace(
        served=lambda: SimpleNamespace(deployment=SimpleNamespace(speed=None))
    )
    services.settings = settings
    services.models = SimpleNamespace(store=store, embedded=running)
    (model,) = status.describe_models(services)
    assert model["inUse"] is True
    assert model["speed"] == {"prompt": 154.0, "output": 50.0}


def test_a_client_that_wants_it_is_told_that_the_status_has_changed(
    tmp_path: Path, weights: Path
) -> None:
    with Daemon(tmp_path, COAI_ENGINE__MODEL=str(weights)) as server:
        server.initialize(TOLD_OF_STATUS)
        deadline = time.monotonic() + PATIENCE
        while server.status()["phase"] != "ready":
            assert time.monotonic() < deadline
            server.notification("coai/statusChanged")
        server.notify(
            "workspace/didChangeConfiguration",
            {"settings": {"coai": {"completion": {"enabled": False}}}},
        )
        while server.status()["completion"]["enabled"]:
            assert time.monotonic() < deadline
            server.notification("coai/statusChanged")
        time.sleep(0.5)  # what was gathered meanwhile is told, and is nobody's
        server.settle()
        left = [message["method"] for message in server.left_over()]
        assert set(left) <= {"coai/statusChanged"}


def begin_download(server: Daemon, *arguments: object) -> tuple[int | str, Json]:
    """Have the server fetch weights; return the request's id and the bar's first message."""
    asked = server.start(
        "workspace/executeCommand", {"command": "coai.pullModel", "arguments": [*arguments]}
    )
    created = server.server_request("window/workDoneProgress/create")
    server.send({"jsonrpc": "2.0", "id": created["id"], "result": None})
    return asked, server.notification("$/progress")["params"]


@pytest.mark.parametrize("arguments", [(), ("qwen2.5-coder-1.5b",), (SMALLEST,)], ids=str)
def test_a_download_can_be_stopped_in_the_editor(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    with (
        silent_hub() as hub,
        Daemon(
            tmp_path,
            COAI_ENGINE__DOWNLOAD="never",
            COAI_MODELS__SOURCES='["huggingface"]',
            HF_ENDPOINT=hub,
        ) as server,
    ):
        server.initialize(WITH_PROGRESS)
        deadline = time.monotonic() + PATIENCE
        while server.status()["missingModel"] is None:
            assert time.monotonic() < deadline
        asked, begun = begin_download(server, *arguments)
        assert begun["value"]["kind"] == "begin"
        assert begun["value"]["cancellable"] is True
        server.notify("window/workDoneProgress/cancel", {"token": begun["token"]})
        assert server.response(asked)["result"]["pulled"] is False
        while server.notification("$/progress")["params"]["value"]["kind"] != "end":
            assert time.monotonic() < deadline
        assert server.status()["phase"] == "off"
        assert server.status()["missingModel"] == SMALLEST


def test_a_download_that_fails_is_told_with_what_to_do(tmp_path: Path) -> None:
    with Daemon(tmp_path, COAI_ENGINE__DOWNLOAD="never", COAI_MODELS__SOURCES='["path"]') as server:
        server.initialize()
        deadline = time.monotonic() + PATIENCE
        while server.status()["missingModel"] is None:
            assert time.monotonic() < deadline
        assert run(server, "coai.pullModel", SMALLEST)["pulled"] is False
        assert SMALLEST in server.notification("window/showMessage")["params"]["message"]
