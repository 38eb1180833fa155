"""Diagnostics of other servers as an editor hands them over: explained, fixed, remembered."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest

from tests.server.test_editor_commands import run
from tests.server.test_explanations import ALONE, explained, local_model, settings_for
from tests.server.test_refactoring_actions import BASE, edits
from tests.server.test_serve import Daemon
from tests.support.engine import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.lsp_client import Json

TEXT: Final = (
    "def load(path):\n    with open(path) as stream:\n        return json.load(stream)\n\n\n"
    "def price(order):\n    return total(order['price'])\n"
)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Run a daemon that finds no model at all."""
    with Daemon(tmp_path_factory.mktemp("home"), **ALONE) as daemon:
        daemon.initialize(BASE)
        yield daemon


def at(line: int, first: int, last: int) -> Json:
    return {
        "start": {"line": line, "character": first}, "end": {"line": line, "character": last}
    }  # fmt: skip


def said(message: str, where: Json, *, code: object = None, by: str = "pyright") -> Json:
    found: Json = {"range": where, "message": message, "severity": 1, "source": by}
    return found if code is None else {**found, "code": code}


def actions(daemon: Daemon, uri: str, *diagnostics: Json) -> list[Json]:
    asked: Json = {
        "textDocument": {"uri": uri},
        "range": diagnostics[0]["range"],
        "context": {"diagnostics": [*diagnostics]},
    }
    offered = daemon.call("textDocument/codeAction", asked)
    # Without those that are for any code, whatever is wrong with it.
    return [each for each in offered if not each.get("kind", "").startswith("refactor")]


def changed(daemon: Daemon, uri: str, text: str, version: int) -> None:
    document: Json = {"uri": uri, "version": version}
    daemon.notify(
        "textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]}
    )


@pytest.mark.parametrize(
    ("message", "code", "by"),
    [
        ('"json" is not defined', "reportUndefinedVariable", "Pyright"),
        ("Undefined name `json`", "F821", "Ruff"),
        ("Undefined variable 'json'", "E0602", "Pylint"),
        ("undefined name 'json'", None, "pyflakes"),
    ],
)
def test_a_known_error_is_fixed_whoever_reports_it(
    alone: Daemon, message: str, code: str | None, by: str
) -> None:
    uri = f"file:///work/{by}.py"
    alone.open(TEXT, uri)
    complaint = said(message, at(2, 15, 19), code=code, by=by)
    first, *others = actions(alone, uri, complaint)
    assert (first["title"], first["kind"]) == ("Import json", "quickfix")
    assert first["diagnostics"] == [complaint]
    assert not first.get("tags")
    assert "edit" not in first
    assert edits(alone.call("codeAction/resolve", first), uri)[0][1].startswith("import json\n")
    # Below it what a model would make, and last what changes nothing.
    *_, model, explain = others
    assert (model["tags"], model["title"][:16]) == ([1], "Fix with a model")
    assert explain["command"]["command"] == "coai.explainDiagnostic"


def test_what_several_servers_say_is_fixed_once(alone: Daemon) -> None:
    uri = "file:///work/twice.py"
    alone.open(TEXT, uri)
    where = at(2, 15, 19)
    found = actions(
        alone, uri, said("Undefined name `json`", where, code="F821", by="Ruff"),
        said('"json" is not defined', where, code="reportUndefinedVariable"),
    )  # fmt: skip
    assert [each["title"] for each in found].count("Import json") == 1


def test_a_typescript_server_s_bare_number_is_its_compiler_s_code(alone: Daemon) -> None:
    uri = "file:///work/a.ts"
    document: Json = {"uri": uri, "languageId": "typescript", "version": 1,
                      "text": "const total = 1;\nconsole.log(totl);\n"}  # fmt: skip
    alone.notify("textDocument/didOpen", {"textDocument": document})
    complaint = said("Cannot find name 'totl'.", at(1, 12, 16), code=2304, by="ts")
    first, *_ = actions(alone, uri, complaint)
    assert edits(alone.call("codeAction/resolve", first), uri) == [(1, "total")]


def explanation(daemon: Daemon, uri: str, complaint: Json) -> Json:
    *_, last = actions(daemon, uri, complaint)
    return run(daemon, last["command"]["command"], *last["command"]["arguments"])


def test_an_explanation_without_a_model_is_what_is_known(alone: Daemon) -> None:
    uri = "file:///work/known.py"
    alone.open(TEXT, uri)
    complaint = said('"json" is not defined', at(2, 15, 19), code="reportUndefinedVariable")
    told = explanation(alone, uri, complaint)["markdown"]
    assert "Root cause" in told
    assert "return json.load(stream)" in told
    unknown = explanation(alone, uri, said("The moon is full.", at(2, 8, 14), by="astro"))
    assert "The moon is full." in unknown["markdown"]


def test_our_own_finding_is_told_with_its_advice(alone: Daemon) -> None:
    uri = "file:///work/own.py"
    alone.open("import os\n\n\ndef f():\n    os.system(input())\n", uri)
    answer = alone.call("textDocument/diagnostic", {"textDocument": {"uri": uri}})
    assert "Instead:" in explanation(alone, uri, answer["items"][0])["markdown"]


@pytest.mark.parametrize(
    "argument",
    [{}, {"uri": "file:///none.py"}, {"uri": "file:///work/own.py", "diagnostic": 3},
     {"uri": "file:///work/own.py", "diagnostic": {"message": " "}}],
)  # fmt: skip
def test_what_is_asked_wrongly_is_told(alone: Daemon, argument: Json) -> None:
    alone.open("a = 1\n", "file:///work/own.py")
    asked: Json = {"command": "coai.explainDiagnostic", "arguments": [argument]}
    assert alone.error("workspace/executeCommand", asked)["message"]


def test_a_models_fix_is_checked_for_its_version_alone(tmp_path: Path) -> None:
    uri = "file:///work/price.py"
    with local_model() as model, Daemon(tmp_path, **settings_for(model)) as daemon:
        daemon.initialize(BASE)
        daemon.open("def g(value):\n    return value\n", "file:///work/g.py")
        model.answer = "It is `value`."
        explained(daemon, 0, "file:///work/g.py")
        daemon.open("def half(number):\n    return number / '2'\n", uri)
        complaint = said("Operator / is not for int and str", at(1, 11, 23), code="operator")
        fix = next(
            each for each in actions(daemon, uri, complaint) if "with a model" in each["title"]
        )
        for wrong in ("return missing(number)", "return eval(input())", "return ("):
            model.answer = f"```python\ndef half(number):\n    {wrong}\n```"
            assert daemon.error("codeAction/resolve", fix)["code"] == -32803
        model.answer = "```python\ndef half(number):\n    return number / 2\n```"
        made = daemon.call("codeAction/resolve", fix)
        assert (made["tags"], edits(made, uri)) == ([1], [(1, "return number / 2")])
        told = explanation(daemon, uri, complaint)
        assert told["answer"]
        changed(daemon, uri, "def half(number):\n    return 0\n", 2)
        assert daemon.error("codeAction/resolve", fix)["code"] == -32801


def test_what_the_user_kept_is_offered_first_for_the_next_of_its_kind(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / ".git").mkdir()
    first, second = folder / "a.py", folder / "b.py"
    with Daemon(tmp_path / "home", **ALONE) as daemon:
        daemon.initialize(BASE, workspaceFolders=[{"uri": folder.as_uri(), "name": "shop"}])
        where = at(2, 15, 19)
        message = '"json" is not defined'
        for path in (first, second):
            path.write_text(TEXT, "utf-8")
            daemon.open(TEXT, path.as_uri())
        uri = first.as_uri()
        fix = actions(daemon, uri, said(message, where, code="reportUndefinedVariable"))[0]
        ((_, added),) = edits(daemon.call("codeAction/resolve", fix), uri)
        changed(daemon, uri, added + TEXT, 2)
        # What a formatter does to it when it is saved says nothing against it.
        changed(daemon, uri, f"{added.strip()}\n\n\n\n\n{TEXT}", 3)
        daemon.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        deadline = time.monotonic() + PATIENCE
        while not (remembered := run(daemon, "coai.memory", {"uri": uri})):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        (solution,) = remembered
        assert (solution["kind"], solution["place"]) == ("solution", "a.py")
        other = said('"json" is not defined', where, code="reportUndefinedVariable")
        found = actions(daemon, second.as_uri(), other)
        assert found[0]["title"].startswith("Do again what solved")
        assert "you kept it" in found[0]["title"]
        assert (
            "import json"
            in edits(daemon.call("codeAction/resolve", found[0]), second.as_uri())[0][1]
        )
        assert run(daemon, "coai.forget", {"ids": [solution["id"]]}) == {"forgotten": 1}
        assert actions(daemon, second.as_uri(), other)[0]["title"] == "Import json"
        (kept,) = (tmp_path / "home" / "state").rglob("standings.sqlite3")
        assert kept.stat().st_mode & 0o777 == 0o600


def test_an_answer_is_rated_once_or_again(tmp_path: Path) -> None:
    with Daemon(tmp_path, **ALONE) as daemon:
        daemon.initialize(BASE)
        daemon.open(TEXT, "file:///work/a.py")
        said_of = run(daemon, "coai.explain", {"uri": "file:///work/a.py", "range": at(0, 4, 4)})
        for helpful in (True, False):
            rated = run(daemon, "coai.rate", {"answer": said_of["answer"], "helpful": helpful})
            assert rated["agents"] == ["explain"]
        assert run(daemon, "coai.rate", {"helpful": True})["answer"] == said_of["answer"]
        for wrong in ({"answer": "none", "helpful": True}, {"answer": said_of["answer"]}):
            asked: Json = {"command": "coai.rate", "arguments": [wrong]}
            assert daemon.error("workspace/executeCommand", asked)["message"]


def test_nothing_is_recorded_where_the_ledger_is_off(tmp_path: Path) -> None:
    with Daemon(tmp_path, **ALONE, COAI_LEDGER__ENABLED="false") as daemon:
        daemon.initialize(BASE)
        daemon.open(TEXT, "file:///work/a.py")
        told = run(daemon, "coai.explain", {"uri": "file:///work/a.py", "range": at(0, 4, 4)})
        assert told["answer"] == ""
        assert not [*(tmp_path / "state").rglob("standings.sqlite3")]


def test_a_client_that_opens_files_alone_is_shown_one_that_cannot_be_written(
    tmp_path: Path,
) -> None:
    capabilities: Json = {**BASE, "window": {"showDocument": {"support": True}}}
    with Daemon(tmp_path, **ALONE) as daemon:
        daemon.initialize(capabilities)
        daemon.open(TEXT, "file:///work/a.py")
        where: Json = {"uri": "file:///work/a.py", "range": at(0, 4, 4)}
        asked = daemon.start(
            "workspace/executeCommand", {"command": "coai.explain", "arguments": [where]}
        )
        shown = daemon.server_request("window/showDocument")
        daemon.answer(shown, {"success": True})
        answer = daemon.response(asked)["result"]
        assert answer["document"] == shown["params"]["uri"]
        (path,) = [*tmp_path.rglob("*Explanation-of-load.md")]
        assert path.read_text("utf-8") == answer["markdown"]
        assert path.stat().st_mode & 0o777 == 0o400
