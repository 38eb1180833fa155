"""Refactorings and reviews as an editor asks for them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.server.test_editor_commands import run
from tests.server.test_explanations import ALONE, explained, local_model, settings_for
from tests.server.test_serve import Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.lsp_client import Json

URI: Final = "file:///work/area.py"
TEXT: Final = "import sys\nimport os\n\n\ndef f(a, b):\n    x = a + b\n    return (a + b) * x\n"
BASE: Final[Json] = {
    "textDocument": {
        "diagnostic": {},
        "codeAction": {
            "dataSupport": True,
            "resolveSupport": {"properties": ["edit"]},
            "tagSupport": {"valueSet": [1]},
        },
    }
}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Run a daemon that finds no model at all."""
    with Daemon(tmp_path_factory.mktemp("home"), **ALONE) as daemon:
        daemon.initialize(BASE)
        daemon.open(TEXT, URI)
        yield daemon


def span(line: int, first: int, last: int) -> Json:
    return {
        "start": {"line": line, "character": first}, "end": {"line": line, "character": last}
    }  # fmt: skip


def actions(daemon: Daemon, where: Json, only: list[str], uri: str = URI) -> list[Json]:
    context: dict[str, Any] = {"diagnostics": [], "only": only}
    asked: Json = {"textDocument": {"uri": uri}, "range": where, "context": context}
    return daemon.call("textDocument/codeAction", asked)


def edits(action: Json, uri: str = URI) -> list[tuple[int, str]]:
    found = action["edit"]["changes"][uri]
    return [(each["range"]["start"]["line"], each["newText"]) for each in found]


def test_a_selection_is_extracted(alone: Daemon) -> None:
    found = actions(alone, span(5, 8, 13), ["refactor.extract"])
    one, both = found[:2]
    assert one["kind"] == "refactor.extract"
    assert "edit" not in one
    assert edits(alone.call("codeAction/resolve", one)) == [
        (5, "total = a + b\n    "),
        (5, "total"),
    ]
    assert len(edits(alone.call("codeAction/resolve", both))) == 3


def test_kinds_are_given_as_they_are_asked_for(alone: Daemon) -> None:
    inlined = actions(alone, span(5, 4, 4), ["refactor.inline"])
    assert [each["title"] for each in inlined] == ["Inline variable x"]
    (sort,) = actions(alone, span(0, 0, 0), ["source.coai.sortImports"])
    assert edits(alone.call("codeAction/resolve", sort)) == [(0, "import os\nimport sys\n")]
    assert actions(alone, span(5, 8, 13), ["quickfix"]) == []


def test_what_a_model_would_make_stands_below_and_is_tagged(alone: Daemon) -> None:
    found = actions(alone, span(5, 4, 4), ["refactor"])
    tags = [bool(each.get("tags")) for each in found]
    assert tags == sorted(tags)
    assert any(tags)
    simplify = next(each for each in found if each["title"].startswith("Simplify"))
    # No model is there: that is an answer, and no edit.
    assert alone.error("codeAction/resolve", simplify)["code"] == -32803


def test_a_client_that_cannot_wait_gets_edits_and_nothing_of_a_model(tmp_path: Path) -> None:
    with Daemon(tmp_path, **ALONE) as daemon:
        daemon.initialize({"textDocument": {"diagnostic": {}}})
        daemon.open(TEXT, URI)
        found = actions(daemon, span(5, 8, 13), ["refactor"])
        assert found
        assert all(each["edit"] and "data" not in each for each in found)


def test_a_models_function_is_checked_and_only_for_its_version(tmp_path: Path) -> None:
    with local_model() as model, Daemon(tmp_path, **settings_for(model)) as daemon:
        daemon.initialize(BASE)
        daemon.open("def g(value):\n    return value\n", "file:///work/g.py")
        model.answer = "It is `value`."
        explained(daemon, 0, "file:///work/g.py")
        daemon.open("def f(a):\n    pass\n", URI)
        found = actions(daemon, span(0, 4, 4), ["refactor"])
        implement = next(each for each in found if each["title"].startswith("Implement"))
        model.answer = "```python\ndef f(a):\n    return missing(a)\n```"
        assert daemon.error("codeAction/resolve", implement)["code"] == -32803
        model.answer = "```python\ndef f(a):\n    return [a]\n```"
        resolved = daemon.call("codeAction/resolve", implement)
        assert resolved["tags"] == [1]
        assert edits(resolved) == [(1, "return [a]")]
        change: Json = {"textDocument": {"uri": URI, "version": 2},
                        "contentChanges": [{"text": "def f(a):\n    return 2\n"}]}  # fmt: skip
        daemon.notify("textDocument/didChange", change)
        assert daemon.error("codeAction/resolve", implement)["code"] == -32801


# --------------------------------------------------------------------- review


def pulled(daemon: Daemon, uri: str) -> list[Json]:
    answer = daemon.call("textDocument/diagnostic", {"textDocument": {"uri": uri}})
    return [each for each in answer["items"] if each.get("source") == "coai review"]


def test_a_function_is_reviewed_as_a_report_and_as_diagnostics(alone: Daemon) -> None:
    uri = "file:///work/debug.py"
    alone.open("def f():\n    breakpoint()\n    return 1\n\n\ndef g():\n    breakpoint()\n", uri)
    answer = run(alone, "coai.review", {"uri": uri, "range": span(1, 4, 4)})
    assert "breakpoint" in answer["markdown"].lower()
    (item,) = pulled(alone, uri)
    assert (item["code"], item["range"]["start"]["line"]) == ("debugger-added", 1)
    change: Json = {"textDocument": {"uri": uri, "version": 2},
                    "contentChanges": [{"text": "\n\ndef f():\n    breakpoint()\n"}]}  # fmt: skip
    alone.notify("textDocument/didChange", change)
    assert pulled(alone, uri) == []


def test_a_file_is_compared_with_the_last_commit(alone: Daemon, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("def f(a):\n    return a\n\n\nf(1)\n", "utf-8")
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    for command in (("init", "-q"), ("add", "-A"), (*who, "commit", "-q", "-m", "x")):
        subprocess.run(("git", "-C", str(tmp_path), *command), check=True, capture_output=True)
    uri = path.as_uri()
    alone.open("def f(a, b):\n    return a\n\n\nf(1)\n", uri)
    answer = run(alone, "coai.review", {"uri": uri})
    assert "callers" in answer["markdown"]
    assert [each["code"] for each in pulled(alone, uri)] == ["caller-broken"]
