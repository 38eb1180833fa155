"""Runs in an editor: listed, watched, answered, stopped, and their changes made by the client."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from coai_agents.workflows.definition.known import Known
from coai_agents.workflows.definition.loading import load_text
from coai_agents.workflows.engine.engine import Engine
from coai_agents.workflows.journal.journal import Journal
from coai_agents.workflows.workers.proposals import edit
from coai_agents.workflows.workers.tools import TOOLS
from tests.agents.workflows.support import Scripted
from tests.server.test_serve import Daemon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.lsp_client import Json

ASKING = """
name: asking
nodes:
  - {kind: tool, name: code, tool: read, given: {path: input}}
  - {kind: human, name: ok, question: Shall it go on?, choices: [yes, no], depends_on: [code]}
  - {kind: tool, name: found, tool: findings, given: {path: input}, when: ok == 'yes'}
"""
BEFORE = "import os\n\n\ndef größe(x):\n    return x\n"
AFTER = "import os\n\n\ndef größe(x):\n    # 🎉\n    return x + 1\n"
PROPOSING = "name: proposing\nnodes: [{kind: tool, name: files, tool: files}]\n"
ANNOTATING: Json = {
    "applyEdit": True,
    "workspaceEdit": {
        "documentChanges": True,
        "resourceOperations": ["create"],
        "changeAnnotationSupport": {"groupsOnLabel": False},
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder and plans of the user's, in a home of its own."""
    place = tmp_path / "project"
    place.mkdir()
    (place / "shop.py").write_text(BEFORE)
    own = tmp_path / "config" / "coai" / "ensembles"
    own.mkdir(parents=True)
    (own / "asking.yaml").write_text(ASKING)
    (own / "broken.yaml").write_text("name: broken\nnodes: 3\n")
    return place


@pytest.fixture
def serve(tmp_path: Path, folder: Path) -> Iterator[Callable[..., Daemon]]:
    """Give daemons with a folder open; all end with the test."""
    begun: list[Daemon] = []

    def begin(workspace: Json | None = None, *, trusted: bool = True, **settings: str) -> Daemon:
        daemon = Daemon(tmp_path, COAI_ENGINE__ENABLED="false", **settings)
        daemon.__enter__()
        begun.append(daemon)
        capabilities = {
            "workspace": workspace or ANNOTATING,
            "experimental": {"coaiWorkspaceTrusted": trusted},
        }
        daemon.initialize(
            capabilities, workspaceFolders=[{"uri": folder.as_uri(), "name": "project"}]
        )
        return daemon

    yield begin
    for each in begun:
        do(each, "coai.watchRuns", on=False)
        # Nobody says how often a view is told.
        left = [one for one in each.left_over() if one.get("method") != "coai/runsChanged"]
        assert left == []
        each.__exit__(None, None, None)


def do(daemon: Daemon, command: str, **given: object) -> Any:  # noqa: ANN401 (any JSON)
    return daemon.call("workspace/executeCommand", {"command": command, "arguments": [given]})


def refused(daemon: Daemon, command: str, **given: object) -> str:
    asked = daemon.start("workspace/executeCommand", {"command": command, "arguments": [given]})
    return daemon.response(asked)["error"]["message"]


def until(daemon: Daemon, run: str, state: str) -> Json:
    """Wait, as a view does, until a run that is watched has a state."""
    while (told := do(daemon, "coai.run", run=run))["state"] != state:
        daemon.receive(lambda each: each.get("method") == "coai/runsChanged")
    return told


async def proposed(home: Path, folder: Path, edits: list[Any]) -> str:
    """Keep a run that proposes changes; returns its name."""
    path = home / "state" / "coai" / "runs.sqlite3"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    journal = Journal(path)
    engine = Engine(journal, Scripted(lambda _: {"edits": edits, "summary": ""}))
    plan = load_text(PROPOSING, Known(tools=TOOLS), "plan")
    outcome = await engine.start(plan, "", facts={"workspace": str(folder)})
    await engine.aclose()
    await journal.aclose()
    return outcome.run


def test_a_run_is_begun_watched_answered_and_reported(serve: Callable[..., Daemon]) -> None:
    daemon = serve()
    known = {each["name"]: each for each in do(daemon, "coai.ensembles")["ensembles"]}
    assert (known["asking"]["origin"], known["asking"]["input"]) == ("user", "text")
    assert "problem" in known["broken"]
    assert do(daemon, "coai.runs") == {"runs": []}
    do(daemon, "coai.watchRuns", on=True)
    run = do(daemon, "coai.startRun", ensemble="asking", input="shop.py")["run"]
    told = until(daemon, run, "waiting")
    assert {each["step"]: (each["kind"], each["state"]) for each in told["steps"]} == {
        "code": ("tool", "done"),
        "ok": ("human", "waiting"),
        "found": ("tool", "pending"),
    }
    assert told["questions"] == [
        {"step": "ok", "question": "Shall it go on?", "choices": ["yes", "no"]}
    ]
    assert "One of yes, no" in refused(
        daemon, "coai.answerRun", run=run, step="ok", answer="perhaps"
    )
    do(daemon, "coai.answerRun", run=run, step="ok", answer="yes")
    done = until(daemon, run, "done")
    assert {each["state"] for each in done["steps"]} == {"done"}
    assert done["questions"] == done["edits"] == done["left"] == []
    report = do(daemon, "coai.runReport", run=run[:6])["markdown"]
    assert report.startswith("# asking: done")
    assert [each["run"] for each in do(daemon, "coai.runs")["runs"]] == [run]


def test_a_run_that_waits_is_cancelled_and_goes_on_no_more(serve: Callable[..., Daemon]) -> None:
    daemon = serve()
    do(daemon, "coai.watchRuns", on=True)
    run = do(daemon, "coai.startRun", ensemble="asking", input="shop.py")["run"]
    until(daemon, run, "waiting")
    do(daemon, "coai.cancelRun", run=run)
    told = until(daemon, run, "cancelled")
    assert told["questions"] == []
    assert {each["step"]: each["state"] for each in told["steps"]} == {
        "code": "done",
        "ok": "stopped",
    }
    assert "has ended: cancelled" in refused(daemon, "coai.resumeRun", run=run)


WRONG: list[tuple[str, Json, str]] = [
    ("coai.run", {}, "`run` has to be said"),
    ("coai.run", {"run": 3}, "`run` has to be said"),
    ("coai.run", {"run": "nothing"}, "There is no run nothing"),
    ("coai.runReport", {"run": "'; DROP TABLE runs"}, "There is no run"),
    ("coai.startRun", {"ensemble": "nothing"}, "There is no ensemble nothing"),
    ("coai.startRun", {"ensemble": "asking", "input": 3}, "asking takes text"),
    ("coai.startRun", {"ensemble": "broken"}, "nodes"),
    ("coai.startRun", {"ensemble": "asking", "uri": "file:///elsewhere"}, "none of the folders"),
    ("coai.answerRun", {"run": "x", "step": "ok"}, "There is no answer"),
    ("coai.applyRun", {"run": "nothing"}, "There is no run nothing"),
    ("coai.cancelRun", {"run": "nothing"}, "There is no run nothing"),
]


def test_what_is_asked_wrongly_says_why(serve: Callable[..., Daemon]) -> None:
    daemon = serve()
    for command, given, said in WRONG:
        assert said in refused(daemon, command, **given), (command, given)


async def test_only_runs_of_the_folders_are_seen(
    serve: Callable[..., Daemon], tmp_path: Path, folder: Path
) -> None:
    inner, beside = folder / "inner", tmp_path / "project-2"
    for each in (inner, beside):
        each.mkdir()
    names = [await proposed(tmp_path, each, []) for each in (folder, inner, beside)]
    daemon = serve()
    listed = [each["run"] for each in do(daemon, "coai.runs")["runs"]]
    assert listed == [names[1], names[0]]
    assert "There is no run" in refused(daemon, "coai.run", run=names[2])


def applied(daemon: Daemon, run: str, *, accept: bool = True) -> tuple[Json, Json]:
    """Apply a run as a client does; returns the edit that it was asked for, and the answer."""
    asked = daemon.start(
        "workspace/executeCommand", {"command": "coai.applyRun", "arguments": [{"run": run}]}
    )
    request = daemon.receive(lambda each: each.get("method") == "workspace/applyEdit")
    daemon.send({"jsonrpc": "2.0", "id": request["id"], "result": {"applied": accept}})
    return request["params"]["edit"], daemon.response(asked)["result"]


def made(text: str, edits: list[Json]) -> str:
    """Return a text with edits made, as a client that counts in UTF-16 makes them."""
    lines: list[str] = text.splitlines(keepends=True) or [""]

    def offset(at: Json) -> int:
        line, character = int(at["line"]), int(at["character"])
        units = "".join(lines[line : line + 1]).encode("utf-16-le")
        return len("".join(lines[:line])) + len(units[: 2 * character].decode("utf-16-le"))

    for each in reversed(edits):
        start, end = offset(each["range"]["start"]), offset(each["range"]["end"])
        text = text[:start] + each["newText"] + text[end:]
    return text


async def test_changes_are_one_annotated_edit(
    serve: Callable[..., Daemon], tmp_path: Path, folder: Path
) -> None:
    run = await proposed(
        tmp_path, folder, [edit("shop.py", BEFORE, AFTER), edit("new/price.py", None, "x = 1\n")]
    )
    daemon = serve()
    assert do(daemon, "coai.run", run=run)["edits"] == [
        {"path": "shop.py", "isNew": False},
        {"path": "new/price.py", "isNew": True},
    ]
    change, answer = applied(daemon, run)
    assert answer["applied"] is True
    assert answer["tested"] is None
    shop, create, price = change["documentChanges"]
    assert made(BEFORE, shop["edits"]) == AFTER
    assert create == {
        "kind": "create",
        "uri": (folder / "new" / "price.py").as_uri(),
        "annotationId": "coai.run",
    }
    assert made("", price["edits"]) == "x = 1\n"
    assert {each["annotationId"] for each in (*shop["edits"], *price["edits"])} == {"coai.run"}
    (annotation,) = change["changeAnnotations"].values()
    assert annotation["needsConfirmation"] is True
    assert (folder / "shop.py").read_text() == BEFORE, "the client makes them, not the server"
    assert applied(daemon, run, accept=False)[1]["applied"] is False


NO_CREATING: Json = {"applyEdit": True, "workspaceEdit": {"documentChanges": True}}


REFUSED: list[tuple[Json, Any, str]] = [
    ({"applyEdit": False}, edit("shop.py", BEFORE, AFTER), "no edits of several files"),
    (NO_CREATING, edit("new.py", None, AFTER), "makes no new files"),
    (ANNOTATING, edit("shop.py", "other\n", AFTER), "has changed since"),
    (ANNOTATING, edit("../shop.py", None, AFTER), "out of the workspace"),
    (ANNOTATING, edit(".git/hooks/pre-commit", None, AFTER), ".git is run or obeyed"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case[2])
async def test_what_cannot_be_applied_says_why(
    serve: Callable[..., Daemon], tmp_path: Path, folder: Path, case: tuple[Json, Any, str]
) -> None:
    workspace, change, said = case
    run = await proposed(tmp_path, folder, [change])
    assert said in refused(serve(workspace), "coai.applyRun", run=run)


async def test_a_file_with_unsaved_changes_is_not_written_over(
    serve: Callable[..., Daemon], tmp_path: Path, folder: Path
) -> None:
    run = await proposed(tmp_path, folder, [edit("shop.py", BEFORE, AFTER)])
    daemon = serve()
    daemon.open(f"{BEFORE}typed = 1\n", (folder / "shop.py").as_uri())
    assert "not saved" in refused(daemon, "coai.applyRun", run=run)


CHECK = "import pathlib, sys; sys.exit('x + 1' {} in pathlib.Path('shop.py').read_text())"


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("passes", [True, False])
async def test_the_users_tests_have_a_say_where_the_folder_is_trusted(
    serve: Callable[..., Daemon], tmp_path: Path, folder: Path, *, trusted: bool, passes: bool
) -> None:
    run = await proposed(tmp_path, folder, [edit("shop.py", BEFORE, AFTER)])
    (folder / "check.py").write_text(CHECK.format("not" if passes else ""))
    command = f"{Path(sys.executable).as_posix()} check.py"
    daemon = serve(trusted=trusted, COAI_AGENTS__TEST_COMMAND=command)
    if trusted and not passes:
        answer = do(daemon, "coai.applyRun", run=run)
        assert (answer["applied"], answer["tested"]) == (False, False)
        assert "nothing of it was kept" in answer["said"]
    else:
        _, answer = applied(daemon, run)
        assert (answer["applied"], answer["tested"]) == (True, True if trusted else None)
    assert (folder / "shop.py").read_text() == BEFORE
