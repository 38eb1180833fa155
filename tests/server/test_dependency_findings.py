"""Vulnerable dependencies, as an editor is told of them and mends them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from coai_agents.specialists.security.advisories.database import import_files
from tests.agents.specialists.security.advisories import advisory
from tests.server.test_serve import Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.lsp_client import Json

URI = "file:///work/requirements.txt"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    grave = advisory("A-1", "pot", "introduced 0", "fixed 1.5")
    (tmp_path / "osv.json").write_text(json.dumps(grave), "utf-8")
    with Daemon(tmp_path, COAI_ENGINE__ENABLED="false") as running:
        data = tmp_path / "data" / "coai" / "vulnerabilities.sqlite"
        import_files(data, [tmp_path / "osv.json"])
        yield running


def published(daemon: Daemon) -> list[Json]:
    return daemon.notification("textDocument/publishDiagnostics")["params"]["diagnostics"]


def test_it_is_told_at_its_version_and_mended(daemon: Daemon) -> None:
    daemon.initialize()
    daemon.open("tea==1.0\npot==1.2\n", URI)
    (told,) = published(daemon)
    assert (told["source"], told["code"], told["severity"]) == ("coai", "vulnerable-dependency", 2)
    assert told["range"] == {
        "start": {"line": 1, "character": 5},
        "end": {"line": 1, "character": 8},
    }
    asked: Json = {
        "textDocument": {"uri": URI},
        "range": told["range"],
        "context": {"diagnostics": [told], "only": ["quickfix"]},
    }
    (action,) = daemon.call("textDocument/codeAction", asked)
    assert (action["title"], action["isPreferred"]) == ("Use pot 1.5", True)
    (edit,) = action["edit"]["changes"][URI]
    assert (edit["range"], edit["newText"]) == (told["range"], "1.5")
