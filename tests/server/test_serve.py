"""The real `coai serve`, as an editor starts it, with real weights of a tiny model."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.support.engine import PATIENCE, kill
from tests.support.lsp_client import Json, ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

URI = "file:///work/sample.py"
TEXT = "import os\n\n\ndef first(items):\n    return items[0]\n\n\nresult = first(\n"
WHERE = {"line": 7, "character": 15}
INVOKED, AUTOMATIC = 1, 2
ERROR = 1


class Daemon(ServerProcess):
    """`coai serve` with everything that it keeps in a folder of the test's."""

    def __init__(self, home: Path, *options: str, **settings: str) -> None:
        env = {
            "XDG_STATE_HOME": str(home / "state"),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "HOME": str(home),
            "COAI_ENGINE__THREADS": "1",
            "COAI_ENGINE__SLOTS": "2",
            "COAI_ENGINE__CONTEXT_TOKENS": "1024",
            **settings,
        }
        for endpoint in ("OLLAMA", "LMSTUDIO", "LLAMA_SERVER", "VLLM"):
            env.setdefault(f"COAI_ENDPOINTS__{endpoint}__ENABLED", "false")
        program = (sys.executable, "-m", "coai_server", "serve")
        super().__init__(*options, program=program, env=env)

    def begin(
        self, *, text: str = TEXT, options: object = None, capabilities: Json | None = None
    ) -> None:
        """Initialize and open a document."""
        self.initialize(capabilities, initializationOptions=options)
        self.open(text)

    def open(self, text: str, uri: str = URI) -> None:
        document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})

    def complete(self, trigger: int = INVOKED, uri: str = URI, **where: int) -> list[Json]:
        return self.call("textDocument/inlineCompletion", asking(trigger, uri, **where))["items"]

    def status(self) -> Json:
        return self.call("coai/status")

    def until(self, phase: str) -> Json:
        """Wait until the model that serves is in this phase."""
        deadline = time.monotonic() + PATIENCE
        while (status := self.status())["phase"] != phase:
            assert time.monotonic() < deadline, status
            time.sleep(0.05)
        return status

    def last(self) -> Json:
        return self.status()["last"]


def asking(trigger: int = INVOKED, uri: str = URI, **where: int) -> dict[str, Any]:
    return {
        "textDocument": {"uri": uri},
        "position": where or WHERE,
        "context": {"triggerKind": trigger},
    }


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, tiny_gguf: Path) -> Path:
    """Return the tiny weights under a name that tells their family."""
    path = tmp_path_factory.mktemp("weights") / "qwen2.5-coder-tiny.gguf"
    shutil.copy(tiny_gguf, path)
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def daemon(home: Path, weights: Path) -> Iterator[Daemon]:
    """Return a daemon whose model is ready, with a document open."""
    with Daemon(home, COAI_ENGINE__MODEL=str(weights)) as server:
        server.begin()
        server.until("ready")
        yield server


def test_a_completion_comes_from_the_embedded_model(daemon: Daemon) -> None:
    # What a model of random weights writes is always the same, and here it is not blank.
    (item,) = daemon.complete()
    last = daemon.last()
    assert item["range"] == {"start": WHERE, "end": WHERE}
    assert item["insertText"].strip()
    assert item["command"]["command"] == "coai.completionAccepted"
    assert (last["kind"], last["backend"], last["origin"]) == ("suggestion", "embedded", "model")
    assert last["evaluatedTokens"] > 0
    assert daemon.complete() == [item]
    assert daemon.last()["origin"] == "shown"


def test_a_document_that_is_not_open_has_no_suggestion_and_a_reason(daemon: Daemon) -> None:
    assert daemon.complete(uri="file:///work/other.py") == []
    assert daemon.last()["reason"] == "unknown_document"


def test_why_names_the_last_requests(daemon: Daemon) -> None:
    daemon.complete(uri="file:///work/other.py")
    events = daemon.call("workspace/executeCommand", {"command": "coai.why", "arguments": []})
    assert events[0]["reason"] == "unknown_document"
    assert events[0]["sentence"]


def test_the_status_says_which_model_serves_and_why(daemon: Daemon) -> None:
    status = daemon.status()
    assert status["backend"] == "embedded"
    assert status["local"] is True
    assert status["candidates"][0]["why"]
    assert status["problems"] == []


def test_cancelling_is_answered_and_leaves_the_model_free(daemon: Daemon) -> None:
    asked = daemon.start("textDocument/inlineCompletion", asking(line=3, character=0))
    daemon.cancel(asked)
    answer = daemon.response(asked)
    assert "result" in answer or answer["error"]["code"] == -32800
    daemon.complete()


def test_a_burst_of_requests_is_answered_one_for_one(daemon: Daemon) -> None:
    ids: list[int | str] = []
    for number in range(50):
        change = {"range": {"start": WHERE, "end": WHERE}, "text": "x"}
        daemon.notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": URI, "version": 2 + number},
                "contentChanges": [change],
            },
        )
        ids.append(
            daemon.start(
                "textDocument/inlineCompletion",
                asking(AUTOMATIC, line=7, character=16 + number),
            )
        )
    answers = [daemon.response(message_id)["result"]["items"] for message_id in ids]
    assert all(items == [] for items in answers[:-1])


def test_settings_change_without_a_restart(daemon: Daemon) -> None:
    daemon.notify(
        "workspace/didChangeConfiguration",
        {"settings": {"coai": {"completion": {"enabled": False}}}},
    )
    deadline = time.monotonic() + PATIENCE
    while daemon.complete() or daemon.last()["reason"] != "disabled":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    daemon.notify("workspace/didChangeConfiguration", {"settings": {"coai": {}}})
    while daemon.complete() == [] and daemon.last()["reason"] == "disabled":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_wrong_setting_is_named_and_the_daemon_starts_with_the_default(
    home: Path, weights: Path
) -> None:
    settings = {"completion": {"maxTokens": "many", "maxTokes": 3}}
    with Daemon(home, COAI_ENGINE__MODEL=str(weights)) as server:
        server.begin(options=settings)
        problems = " ".join(server.status()["problems"])
        assert "completion.max_tokens" in problems
        assert "completion.max_toke" in problems


def test_the_engine_killed_in_mid_stream_is_a_reason_and_the_next_request_works(
    home: Path, weights: Path
) -> None:
    with Daemon(home / "killed", COAI_ENGINE__MODEL=str(weights)) as server:
        server.begin()
        server.until("ready")
        hosts = [
            child.pid
            for child in psutil.process_iter(["cmdline"])
            if any("coai_routing.engine" in part for part in child.info["cmdline"] or ())
            and str(home / "killed") in " ".join(child.info["cmdline"] or ())
        ]
        asked = server.start("textDocument/inlineCompletion", asking(line=0, character=0))
        for pid in hosts:
            kill(pid)
        assert "result" in server.response(asked)
        server.until("ready")
        server.complete()
        assert server.last().get("reason") != "backend_failed"
        assert len(hosts) == 1


def test_two_daemons_share_one_engine(home: Path, weights: Path) -> None:
    place = home / "shared"
    with (
        Daemon(place, COAI_ENGINE__MODEL=str(weights)) as one,
        Daemon(place, COAI_ENGINE__MODEL=str(weights)) as other,
    ):
        for server in (one, other):
            server.begin()
        for server in (one, other):
            server.until("ready")
        hosts = [
            process
            for process in psutil.process_iter(["cmdline"])
            if any("coai_routing.engine" in part for part in process.info["cmdline"] or ())
            and str(place) in " ".join(process.info["cmdline"] or ())
        ]
        assert len(hosts) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"not a model", "GGUF"), (b"GGUF" + b"\0" * 20, ""), (None, "")],
    ids=["garbage", "truncated", "missing"],
)
def test_a_broken_model_is_said_and_the_server_lives(
    home: Path, tmp_path: Path, content: bytes | None, said: str
) -> None:
    model = tmp_path / "model.gguf"
    if content is not None:
        model.write_bytes(content)
    with Daemon(home, COAI_ENGINE__MODEL=str(model)) as server:
        server.begin()
        status = server.until("failed")
        assert said in status["detail"]
        assert status["remedy"]
        assert server.complete() == []
        assert server.last()["reason"] in ("backend_failed", "no_backend")


MISSING = {
    "COAI_ENGINE__MODEL": "qwen2.5-coder-1.5b",
    # Nothing is found there, so that a download fails at once and without a network.
    "COAI_MODELS__SOURCES": '["path"]',
}


def test_a_model_that_is_not_pulled_is_named_with_the_command_that_fetches_it(home: Path) -> None:
    with Daemon(home, **MISSING, COAI_ENGINE__DOWNLOAD="never") as server:
        server.begin()
        deadline = time.monotonic() + PATIENCE
        while server.status()["missingModel"] is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert "coai models pull qwen2.5-coder-1.5b" in server.status()["remedy"]
        assert server.complete() == []
        assert "coai models pull" in server.last()["sentence"]


def test_a_model_is_fetched_only_if_the_user_says_so(home: Path) -> None:
    with Daemon(home, **MISSING) as server:
        server.begin()
        # Told twice, asked once: what nobody waited for fails the test.
        server.notify("initialized", {})
        asked = server.server_request("window/showMessageRequest")
        assert "qwen2.5-coder-1.5b (1,117 MB, Apache-2.0)" in asked["params"]["message"]
        server.answer(asked, {"title": "Not now"})
        server.settle()
        assert server.status()["missingModel"] == "qwen2.5-coder-1.5b"


@pytest.mark.parametrize("bar", [True, False], ids=["with a bar", "without a bar"])
def test_a_download_that_fails_is_said_and_can_be_asked_for_again(home: Path, bar: bool) -> None:
    with Daemon(home, **MISSING) as server:
        server.begin(capabilities={"window": {"workDoneProgress": True}} if bar else {})
        server.answer(server.server_request("window/showMessageRequest"), {"title": "Download"})
        again = None
        for attempt in range(2):
            if bar:
                server.answer(server.server_request("window/workDoneProgress/create"), None)
                kinds = [server.notification("$/progress")["params"]["value"]["kind"]]
                while kinds[-1] != "end":
                    kinds.append(server.notification("$/progress")["params"]["value"]["kind"])
                assert kinds[0] == "begin"
            said = server.notification("window/showMessage")["params"]
            assert said["type"] == ERROR
            assert "qwen2.5-coder-1.5b" in said["message"]
            if attempt == 0:
                again = server.start("workspace/executeCommand", {"command": "coai.pullModel"})
        assert server.response(again)["result"]["phase"] == "failed"


@pytest.mark.parametrize("refusal", ["the question", "the bar"])
def test_a_client_that_refuses_a_dialogue_is_lived_with(home: Path, refusal: str) -> None:
    with Daemon(home, **MISSING) as server:
        server.begin(capabilities={"window": {"workDoneProgress": True}})
        asked = server.server_request("window/showMessageRequest")
        if refusal == "the question":
            server.refuse(asked)
            server.settle()
            assert server.status()["missingModel"] is not None
            return
        server.answer(asked, {"title": "Download"})
        server.refuse(server.server_request("window/workDoneProgress/create"))
        assert server.notification("window/showMessage")["params"]["type"] == ERROR


def test_settings_are_asked_for_where_the_client_answers(home: Path, tmp_path: Path) -> None:
    log = tmp_path / "coai.log"
    workspace = {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": True}}
    with Daemon(home, COAI_ENGINE__ENABLED="false") as server:
        server.begin(capabilities={"workspace": workspace})
        registered = server.server_request("client/registerCapability")
        (registration,) = registered["params"]["registrations"]
        assert registration["method"] == "workspace/didChangeConfiguration"
        server.answer(registered, None)
        server.answer(server.server_request("workspace/configuration"), [None])
        server.notify("workspace/didChangeConfiguration", {"settings": None})
        wanted = server.server_request("workspace/configuration")
        assert wanted["params"]["items"] == [{"section": "coai"}]
        settings = {"log": {"file": str(log), "level": "debug"}, "completion": {"enabled": False}}
        server.answer(wanted, [settings])
        deadline = time.monotonic() + PATIENCE
        while server.complete() or server.last()["reason"] != "disabled":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert "No suggestion (disabled)" in log.read_text(encoding="utf-8")
        # A folder is no file: said, and nothing else changes.
        settings["log"] = {"file": str(tmp_path)}
        server.notify("workspace/didChangeConfiguration", {"settings": None})
        server.answer(server.server_request("workspace/configuration"), [settings])
        while "cannot be written" not in log.read_text(encoding="utf-8"):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_nothing_heavy_is_imported_before_initialize_is_answered(home: Path) -> None:
    heavy = ("openai", "ollama", "anthropic", "httpx", "tree_sitter", "xllamacpp", "pygls")
    probe = (
        "import sys, runpy, coai_server.lsp.session as session\n"
        "send = session.Session.send\n"
        "def spy(self, message, **kw):\n"
        f"    early = [n for n in {heavy!r} if n in sys.modules]\n"
        "    print('EARLY', early, file=sys.stderr, flush=True)\n"
        "    session.Session.send = send\n"
        "    return send(self, message, **kw)\n"
        "session.Session.send = spy\n"
        "sys.argv = ['coai', 'serve']\n"
        "runpy.run_module('coai_server', run_name='__main__')\n"
    )
    with ServerProcess(
        program=(sys.executable, "-c", probe),
        env={"HOME": str(home), "COAI_ENGINE__ENABLED": "false"},
    ) as server:
        server.initialize()
        assert server.wait_for_log("EARLY").endswith("EARLY []")
