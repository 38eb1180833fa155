"""Weaknesses in the editor: repaired by a model where no fixer does, and told how they are used."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

from tests.server.test_explanations import explained, local_model, settings_for
from tests.server.test_other_diagnostics import changed
from tests.server.test_refactoring_actions import BASE, edits
from tests.server.test_serve import Daemon
from tests.support.engine import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.lsp_client import Json

URI: Final = "file:///work/show.py"
FLAW: Final = (
    "from flask import redirect, request\n\n\ndef show(table):\n"
    "    name = request.args['name']\n    return redirect(name)\n"
)
VERSION: Final = "```python\ndef show(table):\n    {}\n```"


def weakness(daemon: Daemon) -> Json:
    """Return what is shown of the flaw, as soon as it was found."""
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = daemon.call("textDocument/diagnostic", {"textDocument": {"uri": URI}})
        for each in answer["items"]:
            if each["code"] == "open-redirect":
                return each
        assert time.monotonic() < deadline, answer


def offered(daemon: Daemon, shown: Json) -> list[Json]:
    asked: Json = {
        "textDocument": {"uri": URI}, "range": shown["range"], "context": {"diagnostics": [shown]}
    }  # fmt: skip
    return daemon.call("textDocument/codeAction", asked)


def kept(state: Path, agent: str) -> list[tuple[str, str]]:
    """Return the model and the verdict of an agent's changes, once there is one."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for path in state.rglob("standings.sqlite3"):
            rows = []
            # The file is there a moment before its table.
            with closing(sqlite3.connect(path)) as database, suppress(sqlite3.OperationalError):
                rows = database.execute(
                    "SELECT model, verdict FROM answers WHERE agent = ? AND verdict != ''", (agent,)
                ).fetchall()
            if rows:
                return rows
        time.sleep(0.05)
    return []


def test_a_weakness_is_repaired_told_and_counted(tmp_path: Path) -> None:
    with local_model() as model, Daemon(tmp_path, **settings_for(model)) as daemon:
        daemon.initialize(BASE, workspaceFolders=[{"uri": "file:///work", "name": "work"}])
        daemon.open("def g(value):\n    return value\n", "file:///work/g.py")
        model.answer = "It is `value`."
        explained(daemon, 0, "file:///work/g.py")
        daemon.open(FLAW, URI)
        shown = weakness(daemon)

        # How it would be exploited, below the finding.
        model.answer = "Somebody sends an address as `name`. It calls `os.fork`."
        deadline = time.monotonic() + PATIENCE
        where: Json = {"textDocument": {"uri": URI}, "position": shown["range"]["start"]}
        told = ""
        while "How it would be exploited" not in told:
            assert time.monotonic() < deadline, told
            told = daemon.call("textDocument/hover", where)["contents"]["value"]
        assert "Somebody sends an address as `name`." in told
        assert "os.fork" not in told

        # Repaired on resolve, tagged, checked, and for its version alone.
        found = offered(daemon, shown)
        repair = next(each for each in found if each["title"].startswith("Fix with a model"))
        assert (repair["kind"], repair["tags"], "edit" in repair) == ("quickfix", [1], False)
        for wrong in ("return redirect(request.args['name'])", "return (", "return missing()"):
            model.answer = VERSION.format(wrong)
            assert daemon.error("codeAction/resolve", repair)["code"] == -32803
        model.answer = VERSION.format("return redirect(table['show'])")
        made = daemon.call("codeAction/resolve", repair)
        assert (made["tags"], edits(made, URI)) == (
            [1],
            [(4, "return redirect(table['show'])")],
        )

        # What the user keeps counts by itself, also after an edit of something else.
        after = FLAW[: FLAW.index("name =")] + "return redirect(table['show'])\n"
        changed(daemon, URI, after, 2)
        changed(daemon, URI, f"# Mine.\n{after}", 3)
        daemon.notify("textDocument/didSave", {"textDocument": {"uri": URI}})
        ((by, verdict),) = kept(tmp_path, "diagnose")
        assert (bool(by), verdict) == (True, "kept")
        assert daemon.error("codeAction/resolve", repair)["code"] == -32801


def test_documentation_and_refactorings_that_are_kept_or_undone_count(tmp_path: Path) -> None:
    text = "def area(width, height):\n    result = width * height\n    return result\n"
    with Daemon(tmp_path, COAI_ENGINE__ENABLED="false") as daemon:
        daemon.initialize(BASE)
        daemon.open(text, URI)
        asked: Json = {
            "textDocument": {"uri": URI},
            "range": {side: {"line": 1, "character": 6} for side in ("start", "end")},
            "context": {"diagnostics": [], "only": ["refactor"]},
        }
        found = daemon.call("textDocument/codeAction", asked)
        by_title = {each["title"]: each for each in found}
        document = by_title["Document this function"]
        daemon.call("codeAction/resolve", document)
        inline = next(each for each in found if each["kind"] == "refactor.inline")
        daemon.call("codeAction/resolve", inline)
        ((line, added),) = edits(daemon.call("codeAction/resolve", document), URI)
        assert line <= 1
        body = text.split("\n", 1)
        documented = f"{body[0]}\n    {added.strip()}\n{body[1]}"
        if documented.count(added) != 1:
            documented = text.replace("    result =", f"{added}    result =", 1)
        changed(daemon, URI, documented, 2)
        changed(daemon, URI, text, 3)
        verdicts = kept(tmp_path, "document")
        assert verdicts == [("", "rejected")]
