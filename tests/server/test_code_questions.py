"""`coai.explain`, `coai.document`, `coai.ask` and the actions that document: asked by an editor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import pytest

from tests.server.test_editor_commands import run
from tests.server.test_explanations import ALONE, explained, local_model, settings_for
from tests.server.test_serve import Daemon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.cloud_server import CloudServer
    from tests.support.lsp_client import Json

URI: Final = "file:///work/shop.py"
TEXT: Final = (
    "def total(prices, *, rate=1.0):\n    if not prices:\n        raise ValueError(prices)\n"
    "    return sum(prices) * rate\n\n\ndef show(prices):\n    print(total(prices))\n"
)
START: Final = {"line": 0, "character": 4}
HERE: Final = {"start": START, "end": START}
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
SHOWS: Final[Json] = {
    **BASE,
    "window": {"workDoneProgress": True},
    "workspace": {"textDocumentContent": {"dynamicRegistration": True}, "applyEdit": True},
}
SLOTS: Final = (
    '{"summary": "Add prices up.", "prices": "What each costs.", "rate": "The tax.", '
    '"returns": "What is to be paid.", "raises ValueError": "Without a price."}'
)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Run a daemon that finds no model at all."""
    with Daemon(tmp_path_factory.mktemp("home"), **ALONE) as daemon:
        daemon.initialize(BASE)
        daemon.open(TEXT, URI)
        yield daemon


@pytest.fixture
def model() -> Iterator[CloudServer]:
    with local_model() as server:
        yield server


def actions(daemon: Daemon, only: list[str] | None = None) -> list[Json]:
    context: dict[str, Any] = {"diagnostics": []} if only is None else {
        "diagnostics": [], "only": only
    }  # fmt: skip
    asked: Json = {"textDocument": {"uri": URI}, "range": HERE, "context": context}
    return documenting(daemon.call("textDocument/codeAction", asked))


def documenting(found: list[Json]) -> list[Json]:
    """Leave out refactorings, which stand beside what documents."""
    return [each for each in found if "ocument" in each["title"]]


def new_texts(action: Json) -> str:
    return "".join(edit["newText"] for edit in action["edit"]["changes"][URI])


def test_a_function_is_documented_by_its_signature_without_a_model(alone: Daemon) -> None:
    first, second = actions(alone)
    assert (first["title"], first["kind"]) == ("Document this function", "refactor.rewrite")
    assert "tags" not in first
    assert second["tags"] == [1]
    assert "edit" not in first
    text = new_texts(alone.call("codeAction/resolve", first))
    for said in ('"""Total.', "prices: The prices.", "rate: The rate. Defaults", "ValueError: "):
        assert said in text
    # No model answers, so what is resolved is the skeleton, and nobody says it was a model's.
    resolved = alone.call("codeAction/resolve", second)
    assert new_texts(resolved) == text
    assert "tags" not in resolved


def test_all_functions_of_a_file_are_documented_when_asked_for(alone: Daemon) -> None:
    (action,) = actions(alone, ["source.coai"])
    assert action["kind"] == "source.coai.document"
    assert new_texts(alone.call("codeAction/resolve", action)).count('"""') == 4
    assert actions(alone, ["quickfix"]) == []


def test_where_nothing_can_be_documented_nothing_is_offered(alone: Daemon) -> None:
    texts = {
        "whole": ('def f():\n    """Do."""\n', "python"),
        "sh": ("f() { ls; }\n", "shellscript"),
    }
    for name, (text, language) in texts.items():
        uri = f"file:///work/{name}"
        item = {"uri": uri, "languageId": language, "version": 1, "text": text}
        alone.notify("textDocument/didOpen", {"textDocument": item})
        for only in (None, ["source"]):
            context: Json = (
                {"diagnostics": []} if only is None else {"diagnostics": [], "only": only}
            )
            asked: Json = {"textDocument": {"uri": uri}, "range": HERE, "context": context}
            assert documenting(alone.call("textDocument/codeAction", asked)) == []


def test_facts_are_the_answer_where_no_model_is(alone: Daemon) -> None:
    where: Json = {"uri": URI, "range": HERE}
    for command, more in (("coai.explain", {}), ("coai.ask", {"question": "What does it raise?"})):
        answer = run(alone, command, {**where, **more})
        assert "- It raises `ValueError` itself." in answer["markdown"]
        assert "- It is used by `show` in this file." in answer["markdown"]
        assert "No model" in answer["markdown"].splitlines()[-1]
        assert answer["document"] is None
    answer = run(alone, "coai.document", where)
    assert "prices: The prices." in answer["markdown"], "this client applies no edits"


@pytest.mark.parametrize(
    ("command", "argument"),
    [
        ("coai.explain", {"uri": "file:///none.py"}),
        ("coai.explain", {"uri": URI, "range": {"start": 1}}),
        ("coai.ask", {"uri": URI}),
        ("coai.document", {"uri": URI, "range": {"start": {"line": 5, "character": 0},
                                                 "end": {"line": 5, "character": 0}}}),
    ],
)  # fmt: skip
def test_what_is_asked_wrongly_is_told(alone: Daemon, command: str, argument: Json) -> None:
    asked = {"command": command, "arguments": [argument]}
    assert alone.error("workspace/executeCommand", asked)["code"] == -32803


def begun(daemon: Daemon, capabilities: Json = BASE) -> None:
    """Open the document and wait until a model is found."""
    daemon.initialize(capabilities)
    daemon.open("def f(value):\n    return value\n", "file:///work/f.py")
    explained(daemon, 0, "file:///work/f.py")
    daemon.open(TEXT, URI)


def test_a_models_words_are_tagged_and_never_for_another_version(
    tmp_path: Path, model: CloudServer
) -> None:
    model.answer = "It is `value`."
    with Daemon(tmp_path, **settings_for(model)) as daemon:
        begun(daemon)
        model.answer = SLOTS
        _, by_model = actions(daemon)
        resolved = daemon.call("codeAction/resolve", by_model)
        assert resolved["tags"] == [1]
        assert "prices: What each costs." in new_texts(resolved)
        change: Json = {"textDocument": {"uri": URI, "version": 2},
                        "contentChanges": [{"text": f"\n{TEXT}"}]}  # fmt: skip
        daemon.notify("textDocument/didChange", change)
        assert daemon.error("codeAction/resolve", by_model)["code"] == -32801


class Reader:
    """A client that shows answers: it reads one again whenever it is told that there is more."""

    def __init__(self, daemon: Daemon, uri: str) -> None:
        self.daemon, self.uri = daemon, uri
        self.text = ""
        self.token = ""
        self.answer: Json | None = None

    def until(self, done: Callable[[], bool]) -> None:
        """Go on until the reader has seen what it waits for."""
        while not done():
            self.take(self.daemon.receive())

    def take(self, message: Json) -> None:
        method = message.get("method")
        if method == "window/workDoneProgress/create":
            self.token = message["params"]["token"]
        if method == "workspace/textDocumentContent/refresh":
            assert message["params"]["uri"] == self.uri
            # As VS Code sends addresses back.
            encoded = quote(self.uri, safe=":/")
            self.daemon.start("workspace/textDocumentContent", {"uri": encoded})
        if method is not None and "id" in message:
            self.daemon.answer(message, None)
        elif "markdown" in message.get("result", {}):
            self.answer = message["result"]
        elif method is None:
            self.text = message["result"]["text"]


def test_an_answer_grows_in_a_document_until_it_is_stopped(
    tmp_path: Path, model: CloudServer
) -> None:
    model.answer = "It is `value`."
    with Daemon(tmp_path, **settings_for(model)) as daemon:
        begun(daemon, SHOWS)
        said = "See ![x](https://example.org/x.png) and `total`. It <b>sums</b> `prices`. "
        model.answer, model.first = f"{said}Nobody ever reads this sentence.", len(said)
        model.hold.clear()
        reader = Reader(daemon, "coai-answer:/what's (mine) is: 'x'.md")
        asked: Json = {"uri": URI, "range": HERE, "question": "What?", "document": reader.uri}
        daemon.start("workspace/executeCommand", {"command": "coai.ask", "arguments": [asked]})
        reader.until(lambda: "See" in reader.text)
        assert "It raises `ValueError` itself." in reader.text
        assert "says, unchecked:" in reader.text
        assert "![" not in reader.text
        assert "<b>" not in reader.text.replace("\\<b>", "")
        daemon.notify("window/workDoneProgress/cancel", {"token": reader.token})
        reader.until(lambda: reader.answer is not None and reader.text == reader.answer["markdown"])
        assert reader.answer is not None
        assert reader.answer["stopped"] is True
        assert reader.answer["document"] == reader.uri
        assert "stopped before the end" in reader.text
        assert "Nobody" not in reader.text
        model.hold.set()
        progress = {each["method"] for each in daemon.left_over()}
        assert progress <= {"$/progress"}


def test_a_document_is_written_into_the_editors_text(tmp_path: Path, model: CloudServer) -> None:
    model.answer = "It is `value`."
    with Daemon(tmp_path, **settings_for(model)) as daemon:
        begun(daemon, {**SHOWS, "window": {}, "workspace": {"applyEdit": True}})
        model.answer = SLOTS
        asked: Json = {"command": "coai.document", "arguments": [{"uri": URI, "range": HERE}]}
        command = daemon.start("workspace/executeCommand", asked)
        request = daemon.server_request("workspace/applyEdit")
        (edit,) = request["params"]["edit"]["changes"][URI]
        assert "rate: The tax." in edit["newText"]
        daemon.answer(request, {"applied": True})
        markdown = daemon.response(command)["result"]["markdown"]
        assert "Documented. Its words are a model's, checked against the code." in markdown


def test_what_was_explained_once_is_explained_to_the_hover_too(
    tmp_path: Path, model: CloudServer
) -> None:
    model.answer = "It is `value`."
    with Daemon(tmp_path, **settings_for(model)) as daemon:
        begun(daemon)
        asked = len(model.requests)
        model.answer = "It sums `prices`."
        for _ in range(2):
            answer = run(daemon, "coai.explain", {"uri": URI, "range": HERE})
            assert "- It sums `prices`." in answer["markdown"]
        assert "It sums `prices`." in explained(daemon, 0, URI)
        assert len(model.requests) == asked + 1
