"""The real `coai serve` with a vendor's API behind the vendor's own client: what goes there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest

from coai_routing.privacy.departures import read_departures
from coai_routing.records.spending import SpendingLedger
from tests.server.test_serve import Daemon
from tests.support.cloud_server import CloudServer, cloud_server
from tests.support.engine import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.lsp_client import Json

TEXT: Final = "import os\n\n\ndef total(items):\n    return \n"
WHERE: Final = {"line": 4, "character": 11}
SECRET: Final = "ghp_" + "a1B2c3D4e5F6" * 3
ALLOWED: Final = {
    "COAI_ROUTING__ALLOW_CLOUD": "true",
    "COAI_COMPLETION__ALLOW_CLOUD": "true",
    "COAI_ENGINE__ENABLED": "false",
    "ANTHROPIC_API_KEY": "",
    "OPENAI_API_KEY": "",
    "OTEL_SDK_DISABLED": "true",
}


def settings_for(vendor: str, url: str) -> dict[str, str]:
    path = "/v1" if vendor == "openai" else ""
    name = f"COAI_CLOUD__{vendor.upper()}"
    return {f"{name}__URL": url + path, f"{name}__API_KEY": "sk-nobody's"}


@pytest.fixture
def cloud() -> Iterator[CloudServer]:
    with cloud_server() as server:
        yield server


def complete(daemon: Daemon, uri: str = "file:///work/sample.py") -> list[Json]:
    return daemon.complete(uri=uri, **WHERE)


def begun(daemon: Daemon, text: str = TEXT) -> None:
    """Open a document and wait until the daemon knows what may answer."""
    daemon.initialize()
    daemon.open(text)
    deadline = time.monotonic() + PATIENCE
    while daemon.status()["cloud"]["model"] is None:
        assert time.monotonic() < deadline, daemon.status()
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("vendor", "path"), [("openai", "/v1/chat/completions"), ("anthropic", "/v1/messages")]
)
def test_where_no_local_model_is_a_completion_comes_from_the_cloud(
    tmp_path: Path, cloud: CloudServer, vendor: str, path: str
) -> None:
    cloud.answer = "```python\nsum(items)\n```"
    settings = {**ALLOWED, **settings_for(vendor, cloud.url), "COAI_BUDGET__DAILY_USD": "5"}
    with Daemon(tmp_path, **settings) as daemon:
        begun(daemon)
        (item,) = complete(daemon)
        status = daemon.status()
        assert item["insertText"] == "sum(items)"
        assert (status["backend"], status["local"]) == ("cloud", False)
        assert status["last"]["model"] == status["cloud"]["model"]
        assert status["cloud"]["ready"]
        assert status["candidates"][0]["speed"] is None, "nobody has measured it"
        assert 0.0 < status["spending"]["todayUsd"] < status["spending"]["dailyBudgetUsd"] == 5.0
        # What is on screen is not asked for again, and nothing is asked ahead of time.
        assert complete(daemon) == [item]
        change = {"range": item["range"], "text": item["insertText"]}
        document = {"uri": "file:///work/sample.py", "version": 2}
        daemon.notify(
            "textDocument/didChange", {"textDocument": document, "contentChanges": [change]}
        )
        daemon.call("workspace/executeCommand", item["command"])
    books = SpendingLedger(tmp_path / "state" / "coai" / "books.sqlite3")
    assert books.read_standings() == {("code_completion", "cloud.fast"): (1.0, 0.0)}
    books.close()
    ((asked_path, headers, body),) = cloud.requests
    assert asked_path == path
    assert any(value.endswith("sk-nobody's") for value in headers.values())
    said = body["messages"][-1]["content"]
    assert said == (
        "<before>import os\n\n\ndef total(items):\n    return </before><after>\n</after><insert>"
    )
    assert body["stream"] is True
    if vendor == "anthropic":
        assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
    (departed,) = read_departures(tmp_path / "state" / "coai" / "egress.sqlite3")
    assert (departed.host, departed.endpoint) == ("0.0.0.0", vendor)
    assert departed.capability == "code_completion"
    assert departed.content_bytes > len(said)


SENSITIVE: Final = {
    "a secret far from the cursor": (TEXT + "\n" * 50 + f"token = '{SECRET}'\n", "/work/a.py"),
    "a person's address": (TEXT + "\nCUSTOMER = 'jane.roe@engines.io'\n", "/work/b.py"),
    "a private file": (TEXT, "/work/internal/c.py"),
    "what a pattern of the user's finds": (TEXT + "# PROJECT-ABCDEFGH\n", "/work/d.py"),
    "a file that usually holds secrets": (TEXT, "/work/.env"),
}


def test_not_a_byte_of_what_is_sensitive_arrives(tmp_path: Path, cloud: CloudServer) -> None:
    settings = {
        **ALLOWED,
        **settings_for("openai", cloud.url),
        "COAI_PRIVACY__PRIVATE": '["internal/"]',
        "COAI_PRIVACY__PATTERNS": '["PROJECT-[A-Z]{8}"]',
    }
    with Daemon(tmp_path, **settings) as daemon:
        begun(daemon)
        for text, path in SENSITIVE.values():
            daemon.open(text, f"file://{path}")
            assert complete(daemon, f"file://{path}") == []
            last = daemon.last()
            assert last["reason"] in {"egress_refused", "secret_file"}, last
            assert SECRET not in last["sentence"]
            assert "jane" not in last["sentence"]
        assert cloud.connections == 0
        assert cloud.received == b""
        # The secret is found by the analysis, too, which never leaves this machine.
        daemon.notification("textDocument/publishDiagnostics")
        # The way there is open all the same.
        assert complete(daemon)
    assert cloud.connections == 1
    assert SECRET.encode() not in cloud.received


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"COAI_COMPLETION__ALLOW_CLOUD": "false"}, "no_backend"),
        ({"COAI_ROUTING__ALLOW_CLOUD": "false"}, "no_backend"),
        ({"COAI_PRIVACY__MODE": "true"}, "egress_refused"),
        ({"COAI_BUDGET__DAILY_USD": "0"}, "over_budget"),
    ],
)
def test_without_leave_nothing_leaves(
    tmp_path: Path, cloud: CloudServer, settings: dict[str, str], reason: str
) -> None:
    allowed = {**ALLOWED, **settings_for("openai", cloud.url)}
    with Daemon(tmp_path, **{**allowed, **settings}) as daemon:
        daemon.initialize()
        daemon.open(TEXT)
        deadline = time.monotonic() + PATIENCE
        while complete(daemon) == [] and daemon.last()["reason"] != reason:
            assert time.monotonic() < deadline, daemon.last()
            time.sleep(0.02)
        assert daemon.last()["sentence"]
    assert cloud.connections == 0


NOT_READY: Final[dict[str, tuple[dict[str, str], bool, str]]] = {
    "completions stay": ({"COAI_COMPLETION__ALLOW_CLOUD": "false"}, False, "may not leave"),
    "no cloud model": ({"COAI_ROUTING__ALLOW_CLOUD": "false"}, False, "not allowed"),
    "privacy mode": ({"COAI_PRIVACY__MODE": "true"}, False, "Privacy mode"),
    "another backend": ({"COAI_COMPLETION__BACKEND": "embedded"}, True, "asks for `embedded`"),
    "no key": ({"COAI_CLOUD__OPENAI__API_KEY": ""}, True, "key"),
}


@pytest.mark.parametrize(
    ("settings", "allowed", "detail"), NOT_READY.values(), ids=NOT_READY.keys()
)
def test_the_status_says_why_no_cloud_model_is_asked(
    tmp_path: Path, cloud: CloudServer, settings: dict[str, str], allowed: bool, detail: str
) -> None:
    with Daemon(tmp_path, **{**ALLOWED, **settings_for("openai", cloud.url), **settings}) as daemon:
        daemon.initialize()
        deadline = time.monotonic() + PATIENCE
        while detail not in (said := daemon.status()["cloud"])["detail"]:
            assert time.monotonic() < deadline, said
            time.sleep(0.02)
        assert (said["allowed"], said["ready"]) == (allowed, False)
        assert said["remedy"]


def test_a_project_that_forbids_it_is_heeded(tmp_path: Path, cloud: CloudServer) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / ".coai.toml").write_text("[completion]\nallow_cloud = false\n", encoding="utf-8")
    settings = {**ALLOWED, **settings_for("openai", cloud.url)}
    # What the environment says counts more than a project.
    del settings["COAI_COMPLETION__ALLOW_CLOUD"]
    own = tmp_path / "config" / "coai" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text("[completion]\nallow_cloud = true\n", encoding="utf-8")
    other = tmp_path / "other"
    other.mkdir()
    with Daemon(tmp_path, **settings) as daemon:
        folders = [{"uri": one.as_uri(), "name": one.name} for one in (folder, other)]
        daemon.initialize(workspaceFolders=folders, rootUri=folder.as_uri())
        # What one project forbids holds in the whole window.
        for name in (f"{folder.as_uri()}/a.py", f"{other.as_uri()}/a.py"):
            daemon.open(TEXT, name)
            assert complete(daemon, name) == []
            status = daemon.call("coai/status", {"uri": name})
            assert status["backend"] is None
            assert (status["cloud"]["allowed"], status["cloud"]["ready"]) == (False, False)
            assert "may not leave" in status["cloud"]["detail"]
    assert cloud.connections == 0
