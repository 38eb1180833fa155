"""Documentation that no longer fits its code, as an editor is told of it and mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.test_serve import Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.lsp_client import Json

URI = "file:///work/pack.py"
TEXT = (
    'def pack(box, lid):\n    """Pack a box.\n\n    Args:\n        crate: What is packed.\n'
    '        lid: Its lid.\n    """\n    return box, lid\n'
)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path, COAI_ENGINE__ENABLED="false") as running:
        yield running


def published(daemon: Daemon) -> list[Json]:
    return daemon.notification("textDocument/publishDiagnostics")["params"]["diagnostics"]


def test_it_is_told_with_its_page_and_mended_without_a_model(daemon: Daemon) -> None:
    daemon.initialize()
    daemon.open(TEXT, URI)
    (told,) = published(daemon)
    assert (told["source"], told["code"], told["severity"]) == ("coai", "stale-documentation", 3)
    assert told["codeDescription"]["href"].endswith("stale-documentation.md")
    assert told["range"] == {
        "start": {"line": 4, "character": 8},
        "end": {"line": 4, "character": 13},
    }
    asked: Json = {
        "textDocument": {"uri": URI},
        "range": told["range"],
        "context": {"diagnostics": [told], "only": ["quickfix"]},
    }
    (action,) = daemon.call("textDocument/codeAction", asked)
    assert (action["title"], action["isPreferred"]) == ("Document `box` instead of `crate`", True)
    (edit,) = action["edit"]["changes"][URI]
    assert (edit["range"], edit["newText"]) == (told["range"], "box")
    hover = daemon.call(
        "textDocument/hover", {"textDocument": {"uri": URI}, "position": told["range"]["start"]}
    )
    assert "no longer fits" in hover["contents"]["value"]


def test_the_switches_of_other_rules_are_its_switches_too(daemon: Daemon) -> None:
    daemon.initialize()
    daemon.open(TEXT, URI)
    assert len(published(daemon)) == 1
    for static in ({"disabled": ["stale-documentation"]}, {"minimumSeverity": "warning"}):
        settings: Json = {"settings": {"coai": {"static": static}}}
        daemon.notify("workspace/didChangeConfiguration", settings)
        assert published(daemon) == []
        daemon.notify("workspace/didChangeConfiguration", {"settings": {"coai": {}}})
        assert len(published(daemon)) == 1
