"""The real `coai serve` and the real `coai why`, which share a ledger."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.server.test_serve import URI, WHERE, Daemon, weights
from tests.support.engine import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.lsp_client import Json

__all__ = ["weights"]


def why(home: Path, *options: str) -> Json:
    """Run `coai why --json` as the daemon's user would."""
    places = {
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "HOME": str(home),
    }
    ran = subprocess.run(
        [sys.executable, "-m", "coai_server", "why", "--json", *options],
        env={**os.environ, **places},
        cwd=home,
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    assert ran.stderr == b""
    return json.loads(ran.stdout)


def test_what_was_suggested_and_accepted_is_found_by_why_while_the_daemon_runs(
    tmp_path: Path, weights: Path
) -> None:
    with Daemon(tmp_path, COAI_ENGINE__MODEL=str(weights)) as daemon:
        daemon.begin()
        daemon.until("ready")
        (item,) = daemon.complete()
        daemon.notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": URI, "version": 2},
                "contentChanges": [{"range": item["range"], "text": item["insertText"]}],
            },
        )
        daemon.call("workspace/executeCommand", item["command"])
        daemon.complete(uri="file:///work/other.py")
        deadline = time.monotonic() + PATIENCE
        while len(requests := why(tmp_path)["requests"]) < 2:
            assert time.monotonic() < deadline
        unknown, suggested = requests
        assert (unknown["reason"], unknown["uri"]) == ("unknown_document", "file:///work/other.py")
        assert unknown["sentence"]
        assert unknown["remedy"]
        assert suggested["uri"] == URI
        assert suggested["line"] == WHERE["line"] + 1
        assert (suggested["backend"], suggested["origin"]) == ("embedded", "model")
        assert suggested["fate"] == "accepted"
        assert suggested["takenCharacters"] == len(item["insertText"])
        assert suggested["evaluatedTokens"] > 0
        assert daemon.status()["problems"] == []
        daemon.complete()
    # What had not been written was when the daemon ended.
    assert len(why(tmp_path)["requests"]) == 3
    assert len(why(tmp_path, "--last", "1")["requests"]) == 1
    (ledger,) = tmp_path.rglob("ledger.sqlite3")
    assert item["insertText"].encode() not in ledger.read_bytes()


def test_nothing_is_recorded_where_the_user_does_not_want_it(tmp_path: Path) -> None:
    with Daemon(tmp_path, COAI_ENGINE__ENABLED="false") as daemon:
        daemon.begin(options={"ledger": {"enabled": False}})
        assert daemon.complete() == []
    assert why(tmp_path)["requests"] == []
    assert list(tmp_path.rglob("ledger.sqlite3*")) == []
