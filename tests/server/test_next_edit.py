"""The next edit by a model of the user's, through the real `coai serve` and a server's protocol."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.server.test_explanations import ALONE
from tests.server.test_serve import AUTOMATIC, INVOKED, PATIENCE, Daemon
from tests.support.next_edit_server import EditServer, edit_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.lsp_client import Json

TEXT: Final = """import shop


def first(cart):
    return shop.total(cart)


def second(cart):
    return shop.total(cart)


last = second
"""
AFTER: Final = TEXT.replace("total(cart)", "total(cart, tax=True)", 1)
WANTED: Final = AFTER.replace("total(cart)", "total(cart, tax=True)", 1)
CAPABILITIES: Final[Json] = {
    "textDocument": {
        "codeAction": {"tagSupport": {"valueSet": [1]}},
        "diagnostic": {},
    },
    "workspace": {"workspaceEdit": {"documentChanges": True}},
}

SWEEP: Final = "sweep-next-edit-1.5b"


class Project(Daemon):
    """A daemon whose only model predicts edits."""

    def __init__(self, home: Path, model: EditServer | None, **settings: str) -> None:
        if model is not None:
            name = "OLLAMA" if model.ollama else "LLAMA_SERVER"
            settings = {
                f"COAI_ENDPOINTS__{name}__ENABLED": "true",
                f"COAI_ENDPOINTS__{name}__URL": model.url,
                **settings,
            }
        patient = {"COAI_COMPLETION__PATIENCE_MS": "10000", "COAI_COMPLETION__DEBOUNCE_MS": "0"}
        super().__init__(home, **{**ALONE, **patient, **settings})
        folder = home / "work"
        folder.mkdir(exist_ok=True)
        self.folder, self.number, self.uri = folder, 0, ""

    def begin_in(self) -> None:
        folders = [{"uri": self.folder.as_uri(), "name": "work"}]
        self.initialize(CAPABILITIES, workspaceFolders=folders)

    def start_document(self, text: str = TEXT) -> None:
        """Open a document of its own for a test; what was edited in others is passed on."""
        self.number += 1
        path = self.folder / f"app{self.number}.py"
        path.write_text(text)
        self.uri = path.as_uri()
        self.open(text, self.uri)

    def until_model(self, *, there: bool = True) -> Json:
        """Wait until a model is asked for the next edit, or none any more."""
        deadline = time.monotonic() + PATIENCE
        while ((found := self.status()["nextEdit"]) is not None) != there:
            assert time.monotonic() < deadline, self.status()
            time.sleep(0.05)
        return found

    def edit(self) -> None:
        """Make the first call tax-aware."""
        at = {"line": 4, "character": 26}
        change = {"range": {"start": at, "end": at}, "text": ", tax=True"}
        document = {"uri": self.uri, "version": 2}
        self.notify(
            "textDocument/didChange", {"textDocument": document, "contentChanges": [change]}
        )

    def ghost(self, line: int = 8, character: int = 4, trigger: int = AUTOMATIC) -> list[Json]:
        return self.complete(trigger, self.uri, line=line, character=character)

    def actions(self, line: int) -> list[Json]:
        at = {"line": line, "character": 0}
        asked: dict[str, Any] = {
            "textDocument": {"uri": self.uri},
            "range": {"start": at, "end": at},
            "context": {"diagnostics": [], "only": ["refactor.rewrite"], "triggerKind": 1},
        }
        found = self.call("textDocument/codeAction", asked)
        return [each for each in found if "expects next" in each["title"]]


@pytest.fixture(scope="module")
def beside_llama(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Project, EditServer]]:
    home = tmp_path_factory.mktemp("llama")
    with edit_server(SWEEP, lambda _: "") as server, Project(home, server) as project:
        project.begin_in()
        project.until_model()
        yield project, server


@pytest.fixture
def both(beside_llama: tuple[Project, EditServer]) -> tuple[Project, EditServer]:
    """Return a daemon and its model, with a new document open."""
    project, server = beside_llama
    server.answer, server.finish = lambda _: f"\n{WANTED}", "stop"
    server.asked.clear()
    project.start_document()
    return project, server


def expects_the_same_change(item: Json) -> None:
    assert item["insertText"] == "return shop.total(cart, tax=True"
    assert item["range"] == {
        "start": {"line": 8, "character": 4},
        "end": {"line": 8, "character": 26},
    }
    assert item["filterText"] == "return shop.total(cart"


def test_what_the_model_expects_is_ghost_text_on_the_line(
    both: tuple[Project, EditServer],
) -> None:
    project, server = both
    project.edit()
    (item,) = project.ghost()
    expects_the_same_change(item)
    (asked,) = server.edits
    assert ", tax=True" in asked["prompt"]
    assert asked["prompt"].endswith(f"<|file_sep|>updated/app{project.number}.py")
    assert "<|file_sep|>" in asked["stop"]
    assert (project.last()["backend"], project.last()["model"]) == ("llama_server", SWEEP)


def test_nobody_is_asked_the_same_twice_nor_where_one_types(
    both: tuple[Project, EditServer],
) -> None:
    project, server = both
    project.edit()
    assert project.ghost(line=4, character=30) == []  # on the line that is being edited
    assert server.edits == []
    first, second = project.ghost(), project.ghost()
    assert first == second != []
    assert len(server.edits) == 1


def test_what_is_expected_on_another_line_is_an_action(both: tuple[Project, EditServer]) -> None:
    project, server = both
    project.edit()
    assert project.actions(11) == []
    assert project.ghost(line=11, character=0) == []
    (action,) = project.actions(11)
    assert action["title"] == f"Make the edit that {SWEEP} expects next, in line 9"
    assert action["tags"] == [1]
    (change,) = action["edit"]["documentChanges"]
    assert change["textDocument"] == {"uri": project.uri, "version": 2}
    assert change["edits"][0]["newText"] == "    return shop.total(cart, tax=True)"
    assert len(server.edits) == 1


@pytest.mark.parametrize(
    ("answer", "finish"),
    [
        (AFTER, "stop"),
        (TEXT, "stop"),
        (WANTED, "length"),
        (WANTED.replace("True)\n\n\nlast", "True\n\n\nlast"), "stop"),
        ("I am sorry, I cannot do that.", "stop"),
        ("", "stop"),
    ],
)
def test_an_answer_that_does_not_hold_is_not_shown(
    both: tuple[Project, EditServer], answer: str, finish: str
) -> None:
    project, server = both
    server.answer, server.finish = lambda _: answer, finish
    project.edit()
    assert project.ghost() == []
    assert len(server.edits) == 1
    assert project.actions(8) == []


def test_a_model_that_breaks_off_is_lived_with(both: tuple[Project, EditServer]) -> None:
    project, server = both

    def fail(_: str) -> str:
        raise ConnectionError

    server.answer = fail
    project.edit()
    assert project.ghost() == []
    assert project.ghost(line=0, character=0, trigger=INVOKED) == []


def test_words_that_speak_to_the_model_keep_it_unasked(both: tuple[Project, EditServer]) -> None:
    project, server = both
    project.start_document(TEXT.replace("last = second", 'last = "<|file_sep|>"'))
    project.edit()
    assert project.ghost() == []
    assert server.edits == []


def test_ollamas_protocol_and_that_it_can_be_switched_off(tmp_path: Path) -> None:
    answer = f"{WANTED}>>>>>>> UPDATED\n"
    serving = edit_server("zeta-2:latest", lambda _: answer, ollama=True)
    with serving as server, Project(tmp_path, server) as project:
        project.begin_in()
        assert project.until_model()["family"] == "Zeta 2"
        project.start_document()
        assert project.ghost() == []  # before any edit
        assert server.edits == []
        project.edit()
        (item,) = project.ghost()
        expects_the_same_change(item)
        (asked,) = server.edits
        assert asked["raw"] is True
        assert asked["prompt"].endswith("=======\n<[fim-middle]>")
        off = {"settings": {"completion.nextEdit": False}}
        project.notify("workspace/didChangeConfiguration", off)
        project.until_model(there=False)
        assert project.ghost() == []
        assert len(server.edits) == 1


@pytest.mark.parametrize("context", ["true", "false"])
def test_edits_of_other_files_are_shown_only_where_those_may_be_in_a_prompt(
    tmp_path: Path, context: str
) -> None:
    with (
        edit_server(SWEEP, lambda _: "") as server,
        Project(tmp_path, server, COAI_COMPLETION__CONTEXT=context) as project,
    ):
        project.begin_in()
        project.until_model()
        project.start_document()
        project.edit()
        project.start_document()
        project.ghost()
        assert ["app1.py" in each["prompt"] for each in server.edits] == (
            [True] if context == "true" else []
        )


def test_the_protocol_holds_with_a_real_engine_on_a_file_of_the_users(
    tmp_path: Path, tiny_gguf: Path
) -> None:
    """A model with random weights says nothing that holds; it is asked, and it ends."""
    weights = tmp_path / "sweep-next-edit-tiny.gguf"
    shutil.copy(tiny_gguf, weights)
    settings = {
        "COAI_ENGINE__ENABLED": "true",
        "COAI_ENGINE__MODEL": str(weights),
        "COAI_ENGINE__CONTEXT_TOKENS": "4096",
    }
    with Project(tmp_path, None, **settings) as project:
        project.begin_in()
        told = project.until_model()
        assert (told["backend"], told["family"]) == ("embedded", "Sweep Next-Edit")
        project.start_document()
        project.edit()
        assert isinstance(project.ghost(), list)
        assert project.status()["nextEdit"] == told
