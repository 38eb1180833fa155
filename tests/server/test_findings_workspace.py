"""What is wrong in the whole workspace, pulled; and settings and rules that change meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from coai_agents.source import path_of
from tests.server.test_serve import Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.lsp_client import Json

BAD = "import hashlib\nhashlib.md5(b'x')\n"
RULE = "id: no-print\nlanguage: py\nmessage: Log it.\nseverity: error\nrule: {pattern: print($A)}\n"
CAPABILITIES: Json = {
    "textDocument": {
        "diagnostic": {},
        "codeAction": {"dataSupport": True, "resolveSupport": {"properties": ["edit"]}},
    },
    "workspace": {
        "diagnostics": {"refreshSupport": True},
        "workspaceEdit": {"documentChanges": True},
    },
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace: files that count, and files that git or nobody looks at."""
    root = tmp_path_factory.mktemp("work")
    (root / ".git").mkdir()
    (root / ".gitignore").write_text("build/\n", encoding="utf-8")
    (root / ".coaiignore").write_text("private.py\n", encoding="utf-8")
    for name in (
        *("bad.py", "src/worse.py", "open.py"),
        *("build/made.py", "private.py", "node_modules/x.js", "notes.txt"),
    ):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(BAD, encoding="utf-8")
    (root / "good.py").write_text("x = 1\n", encoding="utf-8")
    (root / "long.py").write_text("#" * 1_000_001, encoding="utf-8")
    rules = root / ".coai" / "rules"
    rules.mkdir(parents=True)
    (rules / "print.yml").write_text(RULE, encoding="utf-8")
    (root / "print.py").write_text("print(1)\n", encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def daemon(home: Path, root: Path) -> Iterator[Daemon]:
    with Daemon(home, COAI_ENGINE__ENABLED="false") as running:
        folders = [{"uri": root.as_uri(), "name": "work"}]
        answer = running.initialize(CAPABILITIES, workspaceFolders=folders)
        assert answer["capabilities"]["diagnosticProvider"]["workspaceDiagnostics"] is True
        assert answer["capabilities"]["codeActionProvider"]["resolveProvider"] is True
        yield running


def uri(root: Path, name: str) -> str:
    return (root / name).as_uri()


def pulled(daemon: Daemon, previous: dict[str, str] | None = None) -> dict[str, Json]:
    """Pull, and return the reports by their URIs."""
    ids = [{"uri": name, "value": value} for name, value in (previous or {}).items()]
    answer = daemon.call("workspace/diagnostic", {"previousResultIds": ids, "identifier": "coai"})
    return {each["uri"]: each for each in answer["items"]}


def codes(report: Json) -> list[str]:
    return [each["code"] for each in report["items"]]


def test_the_files_of_the_workspace_that_nothing_excludes_are_reported(
    daemon: Daemon, root: Path
) -> None:
    daemon.open(BAD + BAD, uri(root, "open.py"))
    reports = pulled(daemon)
    names = ("bad.py", "good.py", "open.py", "print.py", "src/worse.py")
    assert sorted(reports) == sorted(uri(root, name) for name in names)
    assert codes(reports[uri(root, "bad.py")]) == ["weak-hash"]
    assert reports[uri(root, "bad.py")]["version"] is None
    # An open document is what the editor has, not what the disk has.
    assert codes(reports[uri(root, "open.py")]) == ["weak-hash", "weak-hash"]
    assert reports[uri(root, "open.py")]["version"] == 1
    assert codes(reports[uri(root, "good.py")]) == []
    # Nobody said that the workspace is trusted.
    assert codes(reports[uri(root, "print.py")]) == []


def test_what_has_not_changed_is_said_to_be_unchanged(daemon: Daemon, root: Path) -> None:
    first = pulled(daemon)
    known = {name: report["resultId"] for name, report in first.items()}
    (root / "gone.py").write_text(BAD, encoding="utf-8")
    gone = uri(root, "gone.py")
    later = first
    while gone not in later:  # a walk is repeated after a while only
        later = pulled(daemon, known)
    assert {report["kind"] for name, report in later.items() if name != gone} == {"unchanged"}
    (root / "gone.py").unlink()
    time.sleep(0)
    later = pulled(daemon, {gone: "x"})
    while later[gone].get("items") != []:
        later = pulled(daemon, {gone: "x"})
    assert pulled(daemon)[uri(root, "bad.py")] == first[uri(root, "bad.py")]


def test_results_are_sent_as_they_are_found_to_who_wants_that(daemon: Daemon, root: Path) -> None:
    whole = set(pulled(daemon))
    asked: Json = {"previousResultIds": [], "partialResultToken": "part"}
    assert daemon.call("workspace/diagnostic", asked) == {"items": []}
    parts = [each for each in daemon.left_over() if each.get("method") == "$/progress"]
    assert {each["params"]["token"] for each in parts} == {"part"}
    assert {item["uri"] for each in parts for item in each["params"]["value"]["items"]} == whole


def test_a_pull_can_be_cancelled(daemon: Daemon, root: Path) -> None:
    for number in range(40):
        (root / f"many{number}.py").write_text(BAD + f"x = {number}\n", encoding="utf-8")
    daemon.notify("textDocument/didSave", {"textDocument": {"uri": uri(root, "open.py")}})
    number = daemon.start("workspace/diagnostic", {"previousResultIds": []})
    daemon.cancel(number)
    response = daemon.response(number)
    assert response.get("error", {}).get("code") == -32800
    for number in range(40):
        (root / f"many{number}.py").unlink()
    assert uri(root, "bad.py") in pulled(daemon)


def _settings(daemon: Daemon, **static: object) -> None:
    """Change the settings, and wait until the client is told to pull again."""
    daemon.notify("workspace/didChangeConfiguration", {"settings": {"static": static}})
    daemon.answer(daemon.server_request("workspace/diagnostic/refresh"), None)


def pull(daemon: Daemon, document: str, previous: str | None = None) -> Json:
    asked: Json = {"textDocument": {"uri": document}}
    if previous is not None:
        asked["previousResultId"] = previous
    return daemon.call("textDocument/diagnostic", asked)


def test_settings_count_at_once(daemon: Daemon, root: Path) -> None:
    document = uri(root, "open.py")
    first = pull(daemon, document)
    assert {each["severity"] for each in first["items"]} == {2}
    _settings(daemon, severity={"cwe-327": "error"})
    second = pull(daemon, document, first["resultId"])
    assert {each["severity"] for each in second["items"]} == {1}
    assert pulled(daemon)[uri(root, "bad.py")]["items"][0]["severity"] == 1
    _settings(daemon, disabled=["security", "no-such-rule"])
    assert pull(daemon, document)["items"] == []
    assert daemon.wait_for_log("no-such-rule")
    _settings(daemon, workspace=False)
    assert set(pulled(daemon)) == {document}
    _settings(daemon)
    assert len(pull(daemon, document)["items"]) == 2


def test_the_rules_of_a_workspace_count_when_it_is_trusted(daemon: Daemon, root: Path) -> None:
    def refreshed() -> None:
        daemon.answer(daemon.server_request("workspace/diagnostic/refresh"), None)

    def said_of(name: str) -> Json:
        while True:
            params = daemon.notification("textDocument/publishDiagnostics")["params"]
            if params["uri"] == uri(root, name):
                return params

    document, rule = uri(root, "print.py"), ".coai/rules/print.yml"
    daemon.notify("coai/workspaceTrusted", {"trusted": True})
    refreshed()
    (found,) = pulled(daemon)[document]["items"]
    assert (found["code"], found["message"], found["severity"]) == ("no-print", "Log it.", 1)
    # A rule that becomes wrong is told where it stands, and is no more.
    (root / rule).write_text(RULE.replace("pattern", "patern"), encoding="utf-8")
    opened = {"uri": uri(root, rule), "languageId": "yaml", "version": 1, "text": "x"}
    daemon.notify("textDocument/didOpen", {"textDocument": opened})
    daemon.notify("textDocument/didSave", {"textDocument": {"uri": uri(root, rule)}})
    refreshed()
    assert pulled(daemon)[document]["items"] == []
    (problem,) = said_of(rule)["diagnostics"]
    assert problem["range"]["start"]["line"] == 4
    assert "patern" in problem["message"]
    (root / rule).write_text(RULE, encoding="utf-8")
    daemon.notify("textDocument/didSave", {"textDocument": {"uri": uri(root, rule)}})
    refreshed()
    assert len(pulled(daemon)[document]["items"]) == 1
    assert said_of(rule)["diagnostics"] == []
    audit: Json = {"command": "coai.auditWorkspace", "arguments": []}
    # What is remembered for audits knows nothing of rules that count here only.
    trusted_findings = daemon.call("workspace/executeCommand", audit)["findings"]
    daemon.notify("coai/workspaceTrusted", {"trusted": False})
    refreshed()
    assert daemon.call("workspace/executeCommand", audit)["findings"] == trusted_findings - 1
    assert pulled(daemon)[document]["items"] == []
    daemon.notify("textDocument/didClose", {"textDocument": {"uri": uri(root, rule)}})


def test_the_page_of_a_rule_is_a_file_here(daemon: Daemon, root: Path) -> None:
    (first, _) = pull(daemon, uri(root, "open.py"))["items"]
    page = path_of(first["codeDescription"]["href"])
    assert page is not None
    deadline = time.monotonic() + 20
    while not page.exists() and time.monotonic() < deadline:
        daemon.settle()
    assert page.read_text("utf-8").startswith("# Weak hash")


def _actions(daemon: Daemon, document: str, *only: str) -> list[Json]:
    context: Json = {"diagnostics": pull(daemon, document)["items"]}
    if only:
        context["only"] = list(only)
    where = {"start": {"line": 1, "character": 0}, "end": {"line": 1, "character": 3}}
    asked = {"textDocument": {"uri": document}, "range": where, "context": context}
    return daemon.call("textDocument/codeAction", asked)


def test_an_edit_is_made_when_it_is_asked_for_and_for_this_version_only(
    daemon: Daemon, root: Path
) -> None:
    document = uri(root, "open.py")
    (action, *_) = _actions(daemon, document)
    assert "edit" not in action
    assert action["kind"] == "quickfix"
    resolved = daemon.call("codeAction/resolve", action)
    (change,) = resolved["edit"]["documentChanges"]
    assert change["textDocument"] == {"uri": document, "version": 1}
    # An insertion: its span is empty.
    assert change["edits"][0]["newText"] == ", usedforsecurity=False"
    # What changes digests that may be kept is never done unasked.
    assert _actions(daemon, document, "source.fixAll") == []
    assert _actions(daemon, document, "refactor") == []
    edited = {"uri": document, "version": 2}
    daemon.notify(
        "textDocument/didChange",
        {"textDocument": edited, "contentChanges": [{"text": BAD + "x = 1\n"}]},
    )
    for stale in (action, {"title": "x"}):
        assert daemon.error("codeAction/resolve", stale)["code"] == -32801
    unknown = {**_actions(daemon, document)[0], "title": "Something else"}
    assert daemon.error("codeAction/resolve", unknown)["code"] == -32801


def test_a_rule_that_is_off_offers_no_fix(daemon: Daemon, root: Path) -> None:
    document = uri(root, "open.py")
    assert _actions(daemon, document, "quickfix")
    context: Json = {"diagnostics": pull(daemon, document)["items"]}
    _settings(daemon, disabled=["weak-hash"])
    where = {"start": {"line": 1, "character": 0}, "end": {"line": 1, "character": 3}}
    asked = {"textDocument": {"uri": document}, "range": where, "context": context}
    offered = daemon.call("textDocument/codeAction", asked)
    assert [each["title"] for each in offered if "kind" in each] == []
    _settings(daemon)
