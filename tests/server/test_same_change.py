"""The same change elsewhere, through the real `coai serve`: ghost text and the code action."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.server.test_explanations import ALONE
from tests.server.test_serve import AUTOMATIC, Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.lsp_client import Json

TEXT: Final = """import client


class Pages:
    def first(self, url):
        return client.fetch(url, 1)

    def second(self, url):
        return client.fetch(url, 2)

    def third(self, url):
        value = client.fetch(url, 3)
        return value

    def fourth(self, url):
        return client.fetch(url, 4)
"""
OTHER: Final = """import client

client.fetch("a", 5)
"""
ANNOTATING: Final[Json] = {
    "textDocument": {
        "diagnostic": {},
        "codeAction": {"dataSupport": True, "resolveSupport": {"properties": ["edit"]}},
    },
    "workspace": {
        "workspaceEdit": {
            "documentChanges": True,
            "changeAnnotationSupport": {"groupsOnLabel": True},
        }
    },
}
PLAIN: Final[Json] = {"textDocument": {"diagnostic": {}}}


class Project(Daemon):
    """A daemon with a document of a real folder open."""

    def __init__(self, folder: Path, home: Path, **settings: str) -> None:
        super().__init__(home, **{**ALONE, **settings})
        self.folder = folder
        self.uri = (folder / "main.py").as_uri()
        self.version = 1

    def start_with(self, capabilities: Json) -> None:
        folders = [{"uri": self.folder.as_uri(), "name": "work"}]
        self.initialize(capabilities, workspaceFolders=folders)
        self.open(TEXT, self.uri)

    def type(self, line: int, start: int, end: int, text: str) -> None:
        """Replace something, then type the new text letter by letter."""
        self._change(line, start, end, "")
        for number, letter in enumerate(text):
            self._change(line, start + number, start + number, letter)

    def _change(self, line: int, start: int, end: int, text: str) -> None:
        self.version += 1
        where = {
            "start": {"line": line, "character": start},
            "end": {"line": line, "character": end},
        }
        self.notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": self.uri, "version": self.version},
                "contentChanges": [{"range": where, "text": text}],
            },
        )

    def ghost(self, line: int, character: int) -> list[Json]:
        return self.complete(AUTOMATIC, self.uri, line=line, character=character)

    def actions(self, line: int) -> list[Json]:
        at = {"line": line, "character": 0}
        asked: dict[str, Any] = {
            "textDocument": {"uri": self.uri},
            "range": {"start": at, "end": at},
            "context": {"diagnostics": [], "only": ["refactor.rewrite"], "triggerKind": 1},
        }
        found = self.call("textDocument/codeAction", asked)
        return [each for each in found if "same change" in each["title"]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    (work / "main.py").write_text(TEXT)
    (work / "other.py").write_text(OTHER)
    (work / "private.py").write_text(OTHER)
    (work / ".coaiignore").write_text("private.py\n")
    return work


@pytest.fixture
def project(folder: Path, tmp_path: Path) -> Iterator[Project]:
    with Project(folder, tmp_path) as server:
        server.start_with(ANNOTATING)
        yield server


FETCH: Final = (22, 27)
NEW: Final = "fetch_json"


def rename(project: Project, line: int, *, shift: int = 0) -> None:
    project.type(line, FETCH[0] + shift, FETCH[1] + shift, NEW)


def test_the_cursor_comes_to_a_line_that_needs_what_two_lines_had(project: Project) -> None:
    rename(project, 5)
    rename(project, 8)
    (item,) = project.ghost(11, 8)
    assert item["filterText"] == "value = client.fetch"
    assert item["insertText"] == "value = client.fetch_json"
    assert item["range"] == {
        "start": {"line": 11, "character": 8},
        "end": {"line": 11, "character": 28},
    }
    assert project.ghost(11, 8) == [item]
    last = project.last()
    assert (last["origin"], last["model"]) == ("change", "call renamed: fetch -> fetch_json")


def test_a_line_without_the_old_code_is_left_to_the_model(project: Project) -> None:
    rename(project, 5)
    rename(project, 8)
    assert project.ghost(12, 8) == []
    assert project.last()["reason"] == "no_backend"


def test_what_was_passed_by_is_not_shown_again(project: Project) -> None:
    rename(project, 5)
    rename(project, 8)
    assert project.ghost(11, 8)
    project.ghost(15, 8)
    assert project.ghost(11, 8) == []
    assert project.actions(11)


def test_a_line_that_is_being_typed_in_has_no_change_to_show(project: Project) -> None:
    rename(project, 5)
    rename(project, 8)
    project.type(11, 8, 13, "other")
    assert project.ghost(11, 13) == []


def test_what_is_undone_is_no_edit(project: Project) -> None:
    rename(project, 5)
    rename(project, 8)
    project.type(8, FETCH[0], FETCH[0] + len(NEW), "fetch")
    project.type(5, FETCH[0], FETCH[0] + len(NEW), "fetch")
    assert project.ghost(11, 8) == []
    assert project.actions(11) == []


def test_the_action_changes_all_places_and_asks_before_it_changes_other_files(
    project: Project,
) -> None:
    rename(project, 5)
    (action,) = project.actions(5)
    assert action["title"] == "Apply the same change at 4 more places"
    assert "edit" not in action
    resolved = project.call("codeAction/resolve", action)["edit"]
    here, other = resolved["documentChanges"]
    assert here["textDocument"] == {"uri": project.uri, "version": project.version}
    assert [edit["range"]["start"]["line"] for edit in here["edits"]] == [8, 11, 15]
    assert other["textDocument"]["uri"].endswith("/other.py")
    assert other["textDocument"]["version"] is None
    annotations = resolved["changeAnnotations"]
    (mark,) = {edit["annotationId"] for edit in other["edits"]}
    assert annotations[mark]["needsConfirmation"] is True
    (own,) = {edit["annotationId"] for edit in here["edits"]}
    assert not annotations[own].get("needsConfirmation")


def test_a_client_without_annotations_chooses_between_the_file_and_all_files(
    folder: Path, tmp_path: Path
) -> None:
    with Project(folder, tmp_path) as project:
        project.start_with(PLAIN)
        rename(project, 5)
        first, second = project.actions(5)
        assert first["title"] == "Apply the same change at 3 more places in this file"
        assert list(first["edit"]["changes"]) == [project.uri]
        assert second["title"] == "Apply the same change at 4 more places"
        assert [uri.rsplit("/", 1)[1] for uri in second["edit"]["changes"]] == [
            "main.py",
            "other.py",
        ]


def test_an_action_for_an_older_text_is_refused(project: Project) -> None:
    rename(project, 5)
    (action,) = project.actions(5)
    project.type(0, 0, 0, "#")
    assert project.error("codeAction/resolve", action)["code"] == -32801


def test_it_is_switched_off_by_a_setting(folder: Path, tmp_path: Path) -> None:
    with Project(folder, tmp_path, COAI_COMPLETION__SAME_CHANGE="false") as project:
        project.start_with(ANNOTATING)
        rename(project, 5)
        rename(project, 8)
        assert project.ghost(11, 8) == []
        assert project.actions(5) == []
