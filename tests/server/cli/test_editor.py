"""The editor without a screen, with real daemon processes, well-behaved and not."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from coai_agents.source import Encoding, Span
from coai_server import editor as module
from coai_server.editor import (
    DaemonEndedError,
    RequestFailedError,
    RequestTimeoutError,
    Trigger,
    launched,
)
from tests.support.lsp_client import APP

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from coai_server.editor import Editor

# One loop, because one daemon serves most of these tests.
pytestmark = pytest.mark.asyncio(loop_scope="module")

TEST_APP = (sys.executable, str(APP))
SETTINGS = {"completion": {"maxTokens": 64}}

ANSWERING = """
import json, sys
def receive():
    length = int(sys.stdin.buffer.readline().split(b":")[1])
    sys.stdin.buffer.readline()
    return json.loads(sys.stdin.buffer.read(length))
def send(result):
    body = json.dumps({"jsonrpc": "2.0", "id": receive()["id"], "result": result}).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\\r\\n\\r\\n%b" % (len(body), body))
    sys.stdout.buffer.flush()
"""


@asynccontextmanager
async def editing(
    folder: Path, program: str | None = None, encoding: Encoding = Encoding.UTF_16
) -> AsyncGenerator[Editor]:
    command = TEST_APP if program is None else (sys.executable, "-c", ANSWERING + program)
    async with launched(folder, command=command, settings=SETTINGS, encoding=encoding) as editor:
        yield editor


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Editor]:
    """Give an editor with the small server that tests talk to; UTF-16 unless a test needs more."""
    async with editing(tmp_path_factory.mktemp("workspace")) as editor:
        yield editor


async def text_of(editor: Editor, uri: str) -> str:
    return (await editor.request("test/text", {"uri": uri}))["text"]


@pytest.mark.parametrize("encoding", list(Encoding))
async def test_what_is_typed_is_what_the_daemon_has(tmp_path: Path, encoding: Encoding) -> None:
    async with editing(tmp_path, encoding=encoding) as editor:
        assert editor.capabilities["positionEncoding"] == encoding.value
        buffer = editor.open("notes.py", "# 😀nicode é\r\nx = 1\n")
        buffer.cursor = 4
        for character in "🎉b":
            buffer.insert(character)
        buffer.replace(Span(buffer.text.index("x"), buffer.text.index("\n", 15)), "y")
        assert buffer.text == "# 😀n🎉bicode é\r\ny\n"
        assert await text_of(editor, buffer.source.uri) == buffer.text
        buffer.close()
        assert await editor.request("test/text", {"uri": buffer.source.uri}) is None


async def test_a_suggestion_without_a_range_stands_at_the_cursor(shared: Editor) -> None:
    buffer = shared.open("x.py", "one\ntwo")
    buffer.cursor = 5
    (ghost,) = await buffer.ask(Trigger.AUTOMATIC)
    assert (ghost.text, ghost.span, ghost.command) == ("two", Span(5, 5), None)
    await buffer.accept(ghost)
    assert (buffer.text, buffer.cursor) == ("one\nttwowo", 8)


ITEM = {
    "insertText": "new",
    "range": {"start": {"line": 0, "character": 2}, "end": {"line": 0, "character": 4}},
    "command": {"title": "Accepted", "command": "test.accepted", "arguments": [7]},
}


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ({"items": [ITEM]}, [Span(1, 3)]),
        ([ITEM, ITEM], [Span(1, 3)] * 2),
        ({"items": []}, []),
        (None, []),
    ],
)
async def test_every_form_of_an_answer_is_understood(
    tmp_path: Path, answer: object, shown: list[Span]
) -> None:
    program = f"send({{'capabilities': {{}}}}); receive(); receive(); send({answer!r}); receive()"
    async with editing(tmp_path, program) as editor:
        ghosts = await editor.open("x.py", "😀abc").ask()
    assert [ghost.span for ghost in ghosts] == shown


async def test_accepting_runs_the_command_that_goes_with_it(tmp_path: Path) -> None:
    program = (
        "send({'capabilities': {}}); receive(); receive();"
        f"send([{ITEM!r}]); change = receive(); send([change['params'], 'done']); receive()"
    )
    async with editing(tmp_path, program) as editor:
        buffer = editor.open("x.py", "😀abc")
        (ghost,) = await buffer.ask()
        await buffer.accept(ghost)
        assert buffer.text == "😀newc"


async def test_the_daemon_may_ask_what_an_editor_knows(shared: Editor) -> None:
    assert await shared.request("test/ask") == [SETTINGS]
    assert await shared.request("test/progress") == [1, 0]
    with pytest.raises(RequestFailedError):
        await shared.request("test/askForUnknown")
    told = {each.method for each in shared.notifications}
    assert "$/progress" in told


async def test_an_error_is_an_error_with_its_code(shared: Editor) -> None:
    with pytest.raises(RequestFailedError, match=r"test/fail .*The engine is out") as caught:
        await shared.request("test/fail", "coai")
    assert caught.value.code == -32803


async def test_what_takes_too_long_is_cancelled(shared: Editor) -> None:
    with pytest.raises(RequestTimeoutError, match=r"test/slow within 0\.05 s"):
        await shared.request("test/slow", {"seconds": 60}, seconds=0.05)
    asking = asyncio.create_task(shared.request("test/slow", {"seconds": 60}))
    await shared.request("test/echo", 1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    events = await shared.request("test/events")
    assert events == ["started", "cancelled"] * 2


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("sys.exit('no engine')", "ended with exit code 1. Its last words:\nno engine"),
        ("sys.stderr.write('x' * 9000 + 'end'); receive(); sys.exit(3)", "xxxend"),
        ("print('hello'); sys.stdout.flush(); receive()", "wrote what is not LSP"),
        ("print('Content-Length: 2\\n\\n[]', end=''); sys.stdout.flush(); receive()", "not LSP"),
    ],
)
async def test_a_daemon_that_fails_is_quoted(tmp_path: Path, program: str, said: str) -> None:
    with pytest.raises(DaemonEndedError) as caught:
        async with editing(tmp_path, program):
            pass
    assert said in caught.value.message
    assert "coai serve" in caught.value.remedy
    assert len(caught.value.message) < 4200


async def test_after_its_end_every_request_fails(tmp_path: Path) -> None:
    async with editing(tmp_path, "send({'capabilities': {}}); receive(); receive()") as editor:
        with pytest.raises(DaemonEndedError):
            await editor.request("test/echo")
        with pytest.raises(DaemonEndedError):
            await editor.request("test/echo")
        editor.notify("test/echo", {})


async def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DaemonEndedError, match="nowhere cannot be started"):
        async with launched(tmp_path, command=(str(tmp_path / "nowhere"),)):
            pass


async def test_a_daemon_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STOP_SECONDS", 0.2)
    program = "import time; send({'capabilities': {}}); time.sleep(600)"
    async with editing(tmp_path, program) as editor:
        pass
    assert editor.process.returncode not in (None, 0)


async def test_an_editor_that_leaves_in_order_ends_the_daemon_with_0(tmp_path: Path) -> None:
    async with editing(tmp_path) as editor:
        pass
    assert editor.process.returncode == 0
    assert "service closed" in editor.log
