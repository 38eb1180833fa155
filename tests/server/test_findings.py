"""Diagnostics and hover of the real daemon, as an editor meets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.source import path_of
from tests.server.test_serve import Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.lsp_client import Json

URI = "file:///work/bad.py"
TEXT = (
    "import os\nfrom flask import request\n\n"
    "command = 'é𝄞' + request.args['c']\nos.system(command)\n"
)
PULLING: Json = {"textDocument": {"diagnostic": {}}}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path, COAI_ENGINE__ENABLED="false", COAI_EXPLANATIONS__HOVER="off") as running:
        yield running


def _open(daemon: Daemon, capabilities: Json | None = None) -> None:
    daemon.initialize(capabilities)
    daemon.notify("initialized", {})
    daemon.open(TEXT, URI)


def _published(daemon: Daemon) -> Json:
    return daemon.notification("textDocument/publishDiagnostics")["params"]


def test_what_is_wrong_is_published_when_a_document_is_opened_saved_and_closed(
    daemon: Daemon,
) -> None:
    _open(daemon)
    published = _published(daemon)
    assert (published["uri"], published["version"]) == (URI, 1)
    (diagnostic,) = published["diagnostics"]
    assert diagnostic["code"] == "command-injection"
    assert diagnostic["severity"] == 1
    assert diagnostic["source"] == "coai"
    page = path_of(diagnostic["codeDescription"]["href"])
    assert page is not None
    assert page.name == "command-injection.md"
    assert diagnostic["range"]["start"] == {"line": 4, "character": 0}
    related = diagnostic["relatedInformation"]
    assert [each["location"]["range"]["start"]["line"] for each in related] == [3, 3, 4]
    # UTF-16: the second character is two units.
    assert related[0]["location"]["range"]["start"]["character"] == 18

    whole: Json = {"text": "import os\n"}
    daemon.notify(
        "textDocument/didChange",
        {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [whole]},
    )
    daemon.notify("textDocument/didSave", {"textDocument": {"uri": URI}})
    assert _published(daemon)["diagnostics"] == []
    daemon.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    assert _published(daemon) == {"uri": URI, "diagnostics": []}


def test_a_client_that_pulls_is_answered_and_not_pushed_to(daemon: Daemon) -> None:
    _open(daemon, PULLING)
    asked: Json = {"textDocument": {"uri": URI}, "identifier": "coai"}
    report = daemon.call("textDocument/diagnostic", asked)
    assert report["kind"] == "full"
    assert [each["code"] for each in report["items"]] == ["command-injection"]
    again = daemon.call(
        "textDocument/diagnostic", {**asked, "previousResultId": report["resultId"]}
    )
    assert again == {"kind": "unchanged", "resultId": report["resultId"]}
    unknown: Json = {"textDocument": {"uri": "file:///none.py"}}
    assert daemon.call("textDocument/diagnostic", unknown)["items"] == []


def test_hover_explains_the_finding_under_the_cursor(daemon: Daemon) -> None:
    _open(daemon)
    _published(daemon)

    def hover(line: int, character: int) -> Json | None:
        position = {"line": line, "character": character}
        return daemon.call(
            "textDocument/hover", {"textDocument": {"uri": URI}, "position": position}
        )

    found = hover(4, 3)
    assert found is not None
    text = found["contents"]["value"]
    assert "Command built from outside data" in text
    assert "1. line 4: `request.args`" in text
    assert "**Instead:**" in text
    assert "command-injection.md" in text
    assert hover(0, 0) is None
    symbol = hover(3, 0)
    assert symbol is not None
    assert symbol["range"]["end"] == {"line": 3, "character": 7}
    assert "variable `command`" in symbol["contents"]["value"]


def test_hover_on_a_symbol_tells_what_was_found_inside(daemon: Daemon) -> None:
    daemon.initialize()
    lines = "".join(f"    if a: os.system(request.args['{number}'])\n" for number in range(6))
    text = f'import os\nfrom flask import request\n\ndef go(a):\n    """Go."""\n{lines}'
    where = {"textDocument": {"uri": URI}, "position": {"line": 3, "character": 5}}
    daemon.open(text, URI)
    _published(daemon)
    said = daemon.call("textDocument/hover", where)["contents"]["value"]
    assert said.startswith(
        "```python\ndef go(a)\n```\n\nGo.\n\nfunction `go` · complexity 7 · 6 errors"
    )
    assert said.count("- line ") == 5
    assert said.endswith("- and 1 more")
    edited: Json = {"uri": URI, "version": 2}
    whole: Json = {"text": text.replace("os.system", "str")}
    changed: Json = {"textDocument": edited, "contentChanges": [whole]}
    daemon.notify("textDocument/didChange", changed)
    # Nobody has looked at this version, so nothing is said of findings.
    said = daemon.call("textDocument/hover", where)["contents"]["value"]
    assert said.endswith("function `go` · complexity 7")
    daemon.notify("textDocument/didSave", {"textDocument": {"uri": URI}})
    assert _published(daemon)["diagnostics"] == []
    said = daemon.call("textDocument/hover", where)["contents"]["value"]
    assert said.endswith("nothing found inside")


FIXABLE = (
    "import requests\nimport ssl\nrequests.get('https://a', timeout=9, verify=False)\n"
    "c = ssl._create_unverified_context()\n"
)


def test_a_fix_that_only_puts_text_in_has_its_edits(daemon: Daemon) -> None:
    _open(daemon)
    _published(daemon)
    text = TEXT.replace("os.system(command)", "eval(command)")
    daemon.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    assert _published(daemon)["diagnostics"] == []
    daemon.open(text, URI)
    diagnostics = _published(daemon)["diagnostics"]
    where = diagnostics[0]["range"]
    asked: Json = {"textDocument": {"uri": URI}, "range": where}
    actions = daemon.call(
        "textDocument/codeAction", {**asked, "context": {"diagnostics": diagnostics}}
    )
    # Refactorings of what is selected stand below.
    (action,) = [each for each in actions if each.get("kind") == "quickfix" and "edit" in each]
    assert actions[0] == action
    edits = action["edit"]["changes"][URI]
    assert {edit["newText"].strip() for edit in edits} == {"ast.literal_", "import ast"}


def _actions(daemon: Daemon, diagnostics: list[Json], *only: str) -> list[Json]:
    context: Json = {"diagnostics": diagnostics, **({"only": list(only)} if only else {})}
    where = {"start": {"line": 2, "character": 0}, "end": {"line": 2, "character": 3}}
    asked: Json = {"textDocument": {"uri": URI}, "range": where, "context": context}
    return daemon.call("textDocument/codeAction", asked)


def test_fixes_are_offered_for_the_finding_and_for_all(daemon: Daemon) -> None:
    daemon.initialize()
    daemon.notify("initialized", {})
    daemon.open(FIXABLE, URI)
    diagnostics = _published(daemon)["diagnostics"]
    here = [each for each in diagnostics if each["range"]["start"]["line"] == 2]
    actions = _actions(daemon, here)
    preferred = next(each for each in actions if each.get("isPreferred"))
    assert preferred["title"] == "Verify certificates again"
    assert preferred["diagnostics"] == here
    assert preferred["edit"]["changes"][URI]
    (every,) = _actions(daemon, [], "source.fixAll")
    assert every["kind"] == "source.fixAll.coai"
    assert len(every["edit"]["changes"][URI]) >= 2
    assert _actions(daemon, []) == []


def test_a_fix_that_changes_kept_values_is_offered_and_not_preferred(daemon: Daemon) -> None:
    daemon.initialize()
    daemon.notify("initialized", {})
    daemon.open("import hashlib\n\nhashlib.md5(b'x')\n", URI)
    actions = _actions(daemon, _published(daemon)["diagnostics"])
    assert {each["title"] for each in actions if "command" not in each} == {
        "Use SHA-256",
        "Say that this hash is not for security",
    }
    assert not any(each.get("isPreferred") for each in actions)
    assert _actions(daemon, [], "source.fixAll") == []
