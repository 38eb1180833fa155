"""Triage after publishing: shown again with less severity and a word why, and told by a hover."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest

from tests.server.test_explanations import ALONE, explained, local_model, settings_for
from tests.server.test_serve import Daemon
from tests.support.engine import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.lsp_client import Json

FLAW: Final = "import flask\n\n\ndef show():\n    return eval(flask.request.args['value'])\n"
FOLDERS: Final = [{"uri": "file:///work", "name": "work"}]
PULLS: Final[Json] = {"textDocument": {"diagnostic": {}}}
ERROR, WARNING = 1, 2


def published(daemon: Daemon) -> list[Json]:
    return daemon.notification("textDocument/publishDiagnostics")["params"]["diagnostics"]


def pulled(daemon: Daemon, uri: str) -> list[Json]:
    answer = daemon.call("textDocument/diagnostic", {"textDocument": {"uri": uri}})
    return answer["items"]


def test_what_is_lowered_is_shown_again_and_says_why(tmp_path: Path) -> None:
    uri = "file:///work/tests/test_show.py"
    with Daemon(tmp_path, **ALONE) as daemon:
        daemon.initialize(workspaceFolders=FOLDERS)
        daemon.open(FLAW, uri)
        (before,) = published(daemon)
        (after,) = published(daemon)
        assert (before["severity"], after["severity"]) == (ERROR, WARNING)
        assert "Triage" not in before["message"]
        assert after["message"].endswith("(Triage: it is in code of tests.)")
        assert (before["range"], before["code"]) == (after["range"], after["code"])
        where: Json = {"textDocument": {"uri": uri}, "position": {"line": 4, "character": 12}}
        told = daemon.call("textDocument/hover", where)["contents"]["value"]
        assert (
            "**Triage:** lowered from error to warning by `test`: it is in code of tests." in told
        )


def test_what_nothing_speaks_against_is_shown_once(tmp_path: Path) -> None:
    with Daemon(tmp_path, **ALONE) as daemon:
        daemon.initialize(PULLS, workspaceFolders=FOLDERS)
        daemon.open(FLAW, "file:///work/show.py")
        for _ in range(3):
            (shown,) = pulled(daemon, "file:///work/show.py")
            assert shown["severity"] == ERROR


@pytest.mark.parametrize(("yes", "severity"), [(0.01, WARNING), (0.6, ERROR)])
def test_a_model_judges_in_the_background_what_heuristics_leave(
    tmp_path: Path, yes: float, severity: int
) -> None:
    uri = "file:///work/show.py"
    with local_model() as model:
        model.answer = "It is `value`."
        variables = {**settings_for(model), "COAI_STATIC__TRIAGE": "local"}
        with Daemon(tmp_path, **variables) as daemon:
            daemon.initialize(PULLS, workspaceFolders=FOLDERS)
            # Once a model is known, all that is opened is judged by it.
            daemon.open("def g(value):\n    return value\n", "file:///work/g.py")
            explained(daemon, 0, "file:///work/g.py")
            model.requests.clear()
            model.answer, model.chances = "no", {"no": 1 - yes, " Yes": yes}
            daemon.open(FLAW, uri)
            deadline = time.monotonic() + PATIENCE
            # What a client has been shown is judged, and it is shown what it has pulled.
            while pulled(daemon, uri)[0]["severity"] != severity or not model.requests:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            (shown,) = pulled(daemon, uri)
            assert ("likely, unchecked" in shown["message"]) == (severity == WARNING)
            ((path, _, asked),) = model.requests
            assert path.endswith("/chat/completions")
            assert (asked["logprobs"], asked["max_tokens"] <= 4) == (True, True)


@pytest.mark.parametrize(
    "settings",
    [{"COAI_STATIC__TRIAGE": "off"}, {"COAI_STATIC__SEVERITY": '{"cwe-95": "error"}'},
     {"COAI_STATIC__AT_LEAST": '{"security": "error"}'}],
)  # fmt: skip
def test_the_settings_have_the_last_word(tmp_path: Path, settings: dict[str, str]) -> None:
    uris = ("file:///work/tests/test_show.py", "file:///work/tests/test_other.py")
    with Daemon(tmp_path, **ALONE, **settings) as daemon:
        daemon.initialize(PULLS, workspaceFolders=FOLDERS)
        for uri in uris:
            daemon.open(FLAW, uri)
            pulled(daemon, uri)
        # Whatever is judged was judged when another document has been, or nothing ever is.
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            assert [each["severity"] for each in pulled(daemon, uris[0])] == [ERROR]
            time.sleep(0.2)


def test_a_client_that_pulls_is_asked_to_pull_again(tmp_path: Path) -> None:
    uri = "file:///work/tests/test_show.py"
    refreshed: Json = {**PULLS, "workspace": {"diagnostics": {"refreshSupport": True}}}
    with Daemon(tmp_path, **ALONE) as daemon:
        daemon.initialize(refreshed, workspaceFolders=FOLDERS)
        daemon.open(FLAW, uri)
        assert [each["severity"] for each in pulled(daemon, uri)] == [ERROR]
        daemon.answer(daemon.server_request("workspace/diagnostic/refresh"), None)
        assert [each["severity"] for each in pulled(daemon, uri)] == [WARNING]
        change: Json = {"textDocument": {"uri": uri, "version": 2},
                        "contentChanges": [{"text": FLAW + "\n"}]}  # fmt: skip
        daemon.notify("textDocument/didChange", change)
        assert [each["severity"] for each in pulled(daemon, uri)] == [ERROR]
        daemon.answer(daemon.server_request("workspace/diagnostic/refresh"), None)
        deadline = time.monotonic() + PATIENCE
        while [each["severity"] for each in pulled(daemon, uri)] != [WARNING]:
            assert time.monotonic() < deadline
