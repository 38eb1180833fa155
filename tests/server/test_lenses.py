"""Lenses above functions and hints on hot lines, by a profile that the user names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tests.server.test_editor_commands import run
from tests.server.test_explanations import ALONE
from tests.server.test_serve import Daemon

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.lsp_client import Json

TEXT: Final = (
    "def slow(rows):\n    total = 0\n    for row in rows:\n        total += row\n"
    '    return total\n\n\ndef quick():\n    """Do nothing."""\n'
)
REFRESHED: Final[Json] = {
    "textDocument": {"diagnostic": {}},
    "workspace": {"codeLens": {"refreshSupport": True}, "inlayHint": {"refreshSupport": True}},
}


def profile(name: str = "slow", unit: str = "seconds") -> Json:
    """Return a profile as speedscope has it: 8 of 10 parts in one line of a function."""
    frames = [{"name": name, "file": "shop.py", "line": 4},
              {"name": "main", "file": "main.py", "line": 1}]  # fmt: skip
    return {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "shared": {"frames": frames},
        "profiles": [
            {"type": "sampled", "name": "p", "unit": unit, "startValue": 0, "endValue": 10,
             "samples": [[1, 0], [1]], "weights": [8, 2]}
        ],
    }  # fmt: skip


def shown(daemon: Daemon, uri: str) -> list[tuple[int, str, str]]:
    """Return the lenses of a document as the user sees them: line, words, command."""
    found = daemon.call("textDocument/codeLens", {"textDocument": {"uri": uri}})
    lenses: list[Json] = []
    for each in found:
        assert "command" not in each
        lenses.append(daemon.call("codeLens/resolve", each))
    return [
        (each["range"]["start"]["line"], each["command"]["title"], each["command"]["command"])
        for each in lenses
    ]


def hints(daemon: Daemon, uri: str) -> list[tuple[int, Any]]:
    whole: Json = {"start": {"line": 0, "character": 0}, "end": {"line": 99, "character": 0}}
    asked: Json = {"textDocument": {"uri": uri}, "range": whole}
    found = daemon.call("textDocument/inlayHint", asked)
    return [(each["position"]["line"], each["label"]) for each in found]


def test_a_profile_stands_above_its_functions_until_it_is_let_go(tmp_path: Path) -> None:
    uri = (tmp_path / "shop.py").as_uri()
    path = tmp_path / "p.json"
    path.write_text(json.dumps(profile()), "utf-8")
    with Daemon(tmp_path / "home", **ALONE) as daemon:
        daemon.initialize(REFRESHED)
        daemon.open(TEXT, uri)
        # Quiet as long as nobody asks.
        assert (shown(daemon, uri), hints(daemon, uri)) == ([], [])
        assert run(daemon, "coai.loadProfile", {"path": str(path)}) == {"functions": 2}
        for method in ("workspace/codeLens/refresh", "workspace/inlayHint/refresh"):
            daemon.answer(daemon.server_request(method), None)
        ((line, words, command),) = shown(daemon, uri)
        assert (line, command) == (0, "coai.explain")
        assert words.startswith("80% of seconds (80% itself)")
        assert hints(daemon, uri) in ([(3, "80% of seconds")], [])
        change: Json = {"textDocument": {"uri": uri, "version": 2},
                        "contentChanges": [{"text": f"\n\n{TEXT}"}]}  # fmt: skip
        daemon.notify("textDocument/didChange", change)
        # The function is found by its name; of its lines nothing is known any more.
        assert [each[0] for each in shown(daemon, uri)] == [2]
        assert hints(daemon, uri) == []
        assert run(daemon, "coai.loadProfile", {}) == {"functions": 0}
        for method in ("workspace/codeLens/refresh", "workspace/inlayHint/refresh"):
            daemon.answer(daemon.server_request(method), None)
        assert shown(daemon, uri) == []


def test_links_stand_above_functions_where_the_setting_says_so(tmp_path: Path) -> None:
    uri = "file:///work/shop.py"
    with Daemon(tmp_path, **ALONE, COAI_AGENTS__LENSES="true") as daemon:
        daemon.initialize(REFRESHED)
        daemon.open(TEXT, uri)
        assert shown(daemon, uri) == [
            (0, "Explain", "coai.explain"),
            (0, "Document", "coai.document"),
            (7, "Explain", "coai.explain"),
        ]
        found = daemon.call("textDocument/codeLens", {"textDocument": {"uri": uri}})
        command = daemon.call("codeLens/resolve", found[0])["command"]
        told = run(daemon, command["command"], *command["arguments"])
        assert "slow" in told["markdown"]


def test_what_is_no_profile_is_told(tmp_path: Path) -> None:
    path = tmp_path / "p"
    contents = (None, b"", b"{}", b"{", b"\x1f\x8b broken", b'{"profiles": 3}', b"text")
    with Daemon(tmp_path / "home", **ALONE) as daemon:
        daemon.initialize(REFRESHED)
        for content in contents:
            if content is not None:
                path.write_bytes(content)
            for named in (str(path), "p"):
                asked: Json = {"command": "coai.loadProfile", "arguments": [{"path": named}]}
                assert daemon.error("workspace/executeCommand", asked)["message"]
        assert daemon.status()
