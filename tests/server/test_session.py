from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from pygls.protocol import default_converter

from coai_server.jsonrpc import Notification, Request, Response, classify
from coai_server.lsp.decoding import UndecodableError, decode_initialize, prune
from coai_server.lsp.enums import EnumReader
from coai_server.lsp.protocol import CoaiLanguageServer
from coai_server.lsp.session import Application, EndOfInput, Session
from tests.support.lsp_client import SECONDS, Json, RecordingWire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from cattrs import Converter


class _Endpoint:
    """Notes what it is given, and stumbles over methods called `stumble`."""

    def __init__(self) -> None:
        self.given: list[str] = []

    async def adopt(self, request: Request) -> None:
        self.given.append("adopt")

    def handle_request(self, request: Request) -> None:
        self._handle(request.method)

    def handle_notification(self, notification: Notification) -> None:
        self._handle(notification.method)

    def handle_response(self, response: Response) -> None:
        self._handle(f"response {response.id}")

    def _handle(self, method: str) -> None:
        if method == "stumble":
            raise RuntimeError("a secret")
        self.given.append(method)

    async def aclose(self) -> None:
        self.given.append("aclose")


class _Running:
    """A session that runs, what it sends, and what its endpoint is given."""

    def __init__(self) -> None:
        self.endpoint = _Endpoint()
        self.wire = RecordingWire()
        application = Application(name="n", version="v", build=lambda _: self.endpoint)
        self.session = Session(application, self.wire)
        self.ending = asyncio.create_task(self.session.run())

    async def receive(self, *messages: Json) -> None:
        """Deliver messages and let them be handled."""
        for message in messages:
            self.session.deliver(classify({"jsonrpc": "2.0", **message}))
        for _ in range(3 * len(messages) + 3):
            await asyncio.sleep(0)

    async def exit_code(self) -> int:
        async with asyncio.timeout(SECONDS):
            return await self.ending


@pytest.fixture
async def running() -> AsyncGenerator[_Running]:
    held = _Running()
    params: Json = {"capabilities": {}}
    await held.receive({"id": 0, "method": "initialize", "params": params})
    assert held.endpoint.given.pop() == "adopt"
    assert "result" in held.wire.sent.pop()
    yield held
    held.session.stop(99)
    await held.exit_code()
    await held.session.aclose()


async def test_messages_reach_the_endpoint_in_order(running: _Running) -> None:
    await running.receive(
        {"id": 1, "method": "a"},
        {"method": "b"},
        {"id": 2, "result": None},
        {"id": 3, "method": "shutdown"},
        {"method": "dropped"},
        {"id": 4, "error": {}},
        {"id": 5, "method": "refused"},
    )
    assert running.endpoint.given == ["a", "b", "response 2", "shutdown", "response 4"]
    assert [(answer["id"], answer["error"]["code"]) for answer in running.wire.sent] == [
        (5, -32600)
    ]


async def test_a_message_that_meets_a_defect_ends_nothing(
    running: _Running, caplog: pytest.LogCaptureFixture
) -> None:
    await running.receive(
        {"id": 1, "method": "stumble"}, {"method": "stumble"}, {"id": 2, "method": "a"}
    )
    assert running.endpoint.given == ["a"]
    (answer,) = running.wire.sent
    assert (answer["id"], answer["error"]["code"]) == (1, -32603)
    assert "a secret" not in answer["error"]["message"]
    assert caplog.text.count("RuntimeError: a secret") == 2


async def test_the_first_reason_to_end_counts(running: _Running) -> None:
    running.session.stop(3)
    running.session.stop(4)
    running.session.deliver(EndOfInput())
    assert await running.exit_code() == 3


async def test_services_close_once_last_first_whatever_happens_to_one(
    running: _Running, caplog: pytest.LogCaptureFixture
) -> None:
    closed: list[str] = []

    async def first() -> None:
        closed.append("first")

    async def failing() -> None:
        raise RuntimeError("would not close")

    async def stuck() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            closed.append("stuck")

    running.session.on_stop(first)
    running.session.on_stop(failing)
    running.session.on_stop(stuck, seconds=0.01)
    impatient = asyncio.create_task(running.session.close_services())
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.gather(running.session.close_services(), running.session.close_services())
    assert closed == ["stuck", "first"]
    assert "RuntimeError: would not close" in caplog.text
    assert "stuck did not end within 0.01 s" in caplog.text


async def test_background_tasks_end_with_the_session_and_their_failures_are_logged(
    running: _Running, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise RuntimeError("no disk")

    failed = running.session.spawn(fail(), name="watch the disk")
    endless = running.session.spawn(asyncio.sleep(60), name="sleep")
    await asyncio.wait({failed})
    await asyncio.sleep(0)
    assert "The background task watch the disk failed." in caplog.text
    assert not endless.done()
    await running.session.aclose()
    assert endless.cancelled()


async def test_a_message_that_cannot_be_encoded_is_not_sent_at_all() -> None:
    wire = RecordingWire()
    session = Session(Application(name="n", version="v", build=CoaiLanguageServer), wire)
    server = CoaiLanguageServer(session)
    with pytest.raises(TypeError):
        server.protocol.notify("test/x", object())
    with pytest.raises(TypeError):
        await server.protocol.send_request_async("test/x", object())
    future = server.protocol.send_request("test/x", [1], msg_id="mine")
    assert [message["method"] for message in wire.sent] == ["test/x"]
    await server.aclose()
    assert future.cancelled()


# Decoding


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("message.params.trace", {"capabilities": {"a": {"b": [1, 2]}}}),
        ("message.params.capabilities.a.b[0]", {"trace": 1, "capabilities": {"a": {"b": [2]}}}),
        ("message.params.capabilities.a.b[7]", {"trace": 1, "capabilities": {"a": {}}}),
        ("message.params.capabilities.a.b.c", {"trace": 1, "capabilities": {"a": {}}}),
        ("message.params.capabilities.a.no_such", {"trace": 1, "capabilities": {}}),
        ("message.params.capabilities.no_such", None),
        ("message.params.capabilities", None),
        ("message.params.no_such", None),
        ("message.params", None),
        ("message.id", None),
        ("", None),
    ],
)
def test_what_cannot_be_decoded_is_taken_out_but_never_all(path: str, left: Json | None) -> None:
    params: Json = {"trace": 1, "capabilities": {"a": {"b": [1, 2]}}}
    message: dict[str, Any] = {"id": 1, "params": params}
    assert prune(message, path) is (left is not None)
    expected = {"trace": 1, "capabilities": {"a": {"b": [1, 2]}}} if left is None else left
    assert message == {"id": 1, "params": expected}


def _strict() -> tuple[Converter, EnumReader]:
    converter = default_converter()
    return converter, EnumReader(converter)


def test_initialize_without_anything_usable_is_an_error() -> None:
    with pytest.raises(UndecodableError):
        decode_initialize(*_strict(), {"id": 1, "params": {"capabilities": 5}})


def test_decoding_initialize_leaves_the_message_alone() -> None:
    sent: Json = {"capabilities": {}, "processId": None, "trace": "odd"}
    message: Json = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": sent}
    assert decode_initialize(*_strict(), message).trace is None
    assert sent["trace"] == "odd"
