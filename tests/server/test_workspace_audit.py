"""`coai.auditWorkspace` of the real daemon: files that are not open, progress, stopping."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.test_serve import Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.lsp_client import Json, Loaded

INJECTION = (
    "import os\nfrom flask import request\n\nname = request.args['name']\nos.system('ls ' + name)\n"
)
AUDIT: Json = {"command": "coai.auditWorkspace", "arguments": []}
CLEAR: Json = {"command": "coai.clearAudit", "arguments": []}
PULLING: Json = {"textDocument": {"diagnostic": {}}}
PROGRESS: Json = {"window": {"workDoneProgress": True}}
WATCHING: Json = {"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a workspace with a flaw in one file, none in another, and one that git ignores."""
    folder = tmp_path / "work space"
    (folder / "pkg").mkdir(parents=True)
    (folder / ".gitignore").write_text("built.py\n")
    (folder / "built.py").write_text(INJECTION)
    (folder / "good.py").write_text("total = sum([1, 2])\n")
    (folder / "pkg" / "bad.py").write_text(INJECTION)
    return folder


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path / "home", COAI_ENGINE__ENABLED="false") as running:
        yield running


def begin(daemon: Daemon, folder: Path, capabilities: Json | None = None) -> str:
    """Open the workspace; return the URI of the file with the flaw."""
    folders = [{"uri": folder.as_uri(), "name": "work"}]
    daemon.initialize(capabilities, workspaceFolders=folders)
    return (folder / "pkg" / "bad.py").as_uri()


def run(daemon: Daemon, command: Json) -> Loaded:
    return daemon.call("workspace/executeCommand", command)


def published(daemon: Daemon) -> tuple[str, list[str]]:
    """Return the next file whose findings are told, and their rules."""
    params = daemon.notification("textDocument/publishDiagnostics")["params"]
    return params["uri"], [each["code"] for each in params["diagnostics"]]


def test_findings_of_files_that_are_not_open_are_told_and_taken_back(
    daemon: Daemon, folder: Path
) -> None:
    bad = begin(daemon, folder)
    assert run(daemon, AUDIT) == {
        "files": 2,
        "findings": 1,
        "bySeverity": {"error": 1},
        "stopped": False,
    }
    assert published(daemon) == (bad, ["command-injection"])
    # The second time it is known already, and told again.
    assert run(daemon, AUDIT)["findings"] == 1
    assert published(daemon) == (bad, ["command-injection"])
    run(daemon, CLEAR)
    assert published(daemon) == (bad, [])
    run(daemon, CLEAR)


def test_a_file_that_was_removed_has_no_findings_any_more(daemon: Daemon, folder: Path) -> None:
    bad = begin(daemon, folder)
    run(daemon, AUDIT)
    assert published(daemon) == (bad, ["command-injection"])
    (folder / "pkg" / "bad.py").unlink()
    assert run(daemon, AUDIT)["files"] == 1
    assert published(daemon) == (bad, [])


def test_an_open_document_is_its_clients_to_ask_for(daemon: Daemon, folder: Path) -> None:
    bad = begin(daemon, folder, PULLING)
    run(daemon, AUDIT)
    assert published(daemon) == (bad, ["command-injection"])
    daemon.open(INJECTION.replace("os.system", "print"), bad)
    assert published(daemon) == (bad, [])
    # What counts is what is on the screen, and that has no flaw.
    assert run(daemon, AUDIT)["findings"] == 0
    daemon.notify("textDocument/didClose", {"textDocument": {"uri": bad}})
    assert published(daemon) == (bad, ["command-injection"])


def test_files_that_change_on_disk_are_looked_at_again(daemon: Daemon, folder: Path) -> None:
    bad = begin(daemon, folder, WATCHING)
    asked = daemon.start("workspace/executeCommand", AUDIT)
    registration = daemon.server_request("client/registerCapability")
    assert "didChangeWatchedFiles" in registration["params"]["registrations"][0]["method"]
    daemon.answer(registration, None)
    assert daemon.response(asked)["result"]["findings"] == 1
    assert published(daemon) == (bad, ["command-injection"])

    def tell() -> None:
        other = (folder / "built.py").as_uri()
        changes = [{"uri": uri, "type": 2} for uri in (bad, other)]
        daemon.notify("workspace/didChangeWatchedFiles", {"changes": changes})

    (folder / "pkg" / "bad.py").write_text("print('good')\n")
    tell()
    assert published(daemon) == (bad, [])
    (folder / "pkg" / "bad.py").write_text(INJECTION)
    tell()
    assert published(daemon) == (bad, ["command-injection"])
    (folder / "pkg" / "bad.py").unlink()
    tell()
    assert published(daemon) == (bad, [])


def test_a_client_that_does_not_watch_is_served_all_the_same(daemon: Daemon, folder: Path) -> None:
    begin(daemon, folder, WATCHING)
    asked = daemon.start("workspace/executeCommand", AUDIT)
    daemon.refuse(daemon.server_request("client/registerCapability"))
    assert daemon.response(asked)["result"]["findings"] == 1
    published(daemon)


def test_its_progress_is_shown_and_its_user_can_stop_it(daemon: Daemon, folder: Path) -> None:
    begin(daemon, folder, PROGRESS)
    asked = daemon.start("workspace/executeCommand", AUDIT)
    created = daemon.server_request("window/workDoneProgress/create")
    second = daemon.error("workspace/executeCommand", AUDIT)
    assert "is being audited" in second["message"]
    # Stopped before it begins, so that it does not matter how fast it is.
    daemon.send(
        {"jsonrpc": "2.0", "id": created["id"], "result": None},
        {
            "jsonrpc": "2.0",
            "method": "window/workDoneProgress/cancel",
            "params": {"token": created["params"]["token"]},
        },
    )
    begun = daemon.notification("$/progress")["params"]["value"]
    assert begun == {
        "kind": "begin",
        "title": "COAI: auditing the workspace",
        "percentage": 0,
        "cancellable": True,
    }
    assert daemon.response(asked)["result"]["stopped"] is True
    values = [each["params"]["value"] for each in daemon.left_over() if "params" in each]
    assert values[-1]["kind"] == "end"


def test_it_says_how_far_it_is(daemon: Daemon, folder: Path) -> None:
    begin(daemon, folder, PROGRESS)
    asked = daemon.start("workspace/executeCommand", AUDIT)
    daemon.answer(daemon.server_request("window/workDoneProgress/create"), None)
    assert daemon.response(asked)["result"]["files"] == 2
    values = [each["params"].get("value", {}) for each in daemon.left_over()]
    said = [value["message"] for value in values if value.get("kind") == "report"]
    assert said == ["0 of 2 files", "1 of 2 files"]


def test_without_a_folder_there_is_nothing_to_audit(daemon: Daemon) -> None:
    daemon.initialize()
    error = daemon.error("workspace/executeCommand", AUDIT)
    assert error["message"].startswith("There is no folder to audit.")
