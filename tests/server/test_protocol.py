from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.lsp_client import Json, ServerProcess

if TYPE_CHECKING:
    from collections.abc import Generator

URI = "file:///work/a.py"
SECRET = "hunter2-in-the-source"


@pytest.fixture(scope="module")
def process() -> Generator[ServerProcess]:
    with ServerProcess() as server:
        server.initialize(initializationOptions={"key": SECRET})
        server.notify(
            "textDocument/didOpen",
            {"textDocument": {"uri": URI, "languageId": "python", "version": 1, "text": SECRET}},
        )
        yield server
        assert SECRET not in server.log()


@pytest.fixture
def server(process: ServerProcess) -> Generator[ServerProcess]:
    """Return a server that is running, and see that nothing unexpected is left of the test."""
    process.call("test/events")
    yield process
    process.settle()
    assert process.left_over() == []


def _request(method: str, params: object, message_id: int | str = "r") -> Json:
    return {"jsonrpc": "2.0", "id": message_id, "method": method, "params": params}


def _text_document(version: int | None = None) -> Json:
    return {"uri": URI} if version is None else {"uri": URI, "version": version}


# The life cycle


def test_requests_before_initialize_are_answered_and_notifications_dropped() -> None:
    with ServerProcess() as server:
        for method in ("test/echo", "textDocument/inlineCompletion", "shutdown", "no/such"):
            assert server.error(method)["code"] == -32002
        server.notify("initialized", {})
        server.notify("textDocument/didOpen", {})
        server.send({"jsonrpc": "2.0", "id": 7, "result": None})
        server.initialize()
        assert server.call("test/text", {"uri": URI}) is None


@pytest.mark.parametrize(("sent_before", "exit_code"), [((), 1), (("shutdown",), 1)])
def test_exit_before_initialize_is_a_failure(sent_before: tuple[str, ...], exit_code: int) -> None:
    with ServerProcess() as server:
        for method in sent_before:
            server.error(method)
        server.notify("exit")
        assert server.exit_code() == exit_code


def test_initialize_that_is_refused_may_be_sent_again_and_a_second_one_is_refused() -> None:
    with ServerProcess() as server:
        assert server.error("initialize", {"processId": None})["code"] == -32600
        assert server.error("test/echo")["code"] == -32002
        server.initialize()
        again = server.error("initialize", {"processId": None, "capabilities": {}})
        assert again == {"code": -32600, "message": "initialize may be sent only once."}
        assert server.call("test/echo", 1) == 1


def test_exit_without_shutdown_is_a_failure() -> None:
    with ServerProcess() as server:
        server.initialize()
        server.notify("exit")
        assert server.exit_code() == 1
        assert "service closed" in server.log()


def test_shutdown_cancels_what_runs_and_lets_nothing_start() -> None:
    with ServerProcess() as server:
        server.initialize()
        slow = server.start("test/slow", {"seconds": 60})
        server.settle()
        assert server.call("shutdown") is None
        # The services were closed before the answer: some editors kill the server right after it.
        assert "service closed" in server.log()
        assert server.response(slow)["error"]["code"] == -32800
        for method in ("test/echo", "shutdown", "no/such"):
            assert server.error(method)["code"] == -32600
        assert server.error("initialize", {"capabilities": {}})["code"] == -32600
        server.notify("textDocument/didOpen", {})
        server.notify("exit")
        assert server.exit_code() == 0


def test_a_request_that_will_not_end_is_answered_at_the_end() -> None:
    with ServerProcess("hurried") as server:
        server.initialize()
        deaf = server.start("test/deaf")
        server.settle()
        server.shut_down()
        assert server.response(deaf)["error"]["code"] == -32800
        assert server.exit_code() == 0
        assert "test/deaf did not end when it was cancelled" in server.log()


# One answer for every request


@pytest.mark.parametrize("message_id", [0, 1, -1, 2**53, "1", "", "ä", "a b"])
def test_the_answer_has_the_requests_id_of_the_same_type(
    server: ServerProcess, message_id: int | str
) -> None:
    server.start("test/echo", "x", message_id=message_id)
    assert server.response(message_id)["result"] == "x"


@pytest.mark.parametrize(
    "params",
    [
        None,
        [1, {"a": [None]}],
        {"jsonrpc": "2.0", "id": 1, "method": "initialize"},
        {"a": {"jsonrpc": "2.0", "error": {}}},
        {"type_name": "X", "class": 1, "_private": 2, "0": 3},
        {"lone surrogate": "\ud800", "text": "ä😀"},
    ],
)
def test_params_of_methods_that_lsp_does_not_define_stay_what_they_are(
    server: ServerProcess, params: object
) -> None:
    assert server.call("test/echo", params) == params


@pytest.mark.parametrize(
    ("method", "params", "where"),
    [
        ("textDocument/inlineCompletion", None, "message.params"),
        ("textDocument/inlineCompletion", {}, "message.params.text_document"),
        ("textDocument/inlineCompletion", [], "message.params"),
        (
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": URI},
                "position": {"line": "x", "character": 0},
                "context": {"triggerKind": 1},
            },
            "message.params.position.line",
        ),
        (
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": URI},
                "position": {"line": -1, "character": 0},
                "context": {"triggerKind": 1},
            },
            "message.params.position",
        ),
        ("workspace/executeCommand", {"arguments": []}, "message.params.command"),
    ],
)
def test_params_that_cannot_be_decoded_are_answered_with_where(
    server: ServerProcess, method: str, params: object, where: str
) -> None:
    error = server.error(method, params)
    assert error["code"] == -32602
    assert f"@ {where}" in error["message"]
    assert "Traceback" not in str(error)


@pytest.mark.parametrize(
    "method", ["no/such", "$/unknown", "textDocument/hover", "", "exit/", "lsp_shutdown"]
)
def test_unknown_requests_are_answered(server: ServerProcess, method: str) -> None:
    assert server.error(method, {"a": 1})["code"] == -32601


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("$/unknown", None),
        ("$/setTrace", {"value": "verbose"}),
        ("$/setTrace", {"value": 17}),
        ("no/such", [1]),
        ("notebookDocument/didOpen", {}),
        ("textDocument/didOpen", None),
        ("textDocument/didOpen", {"textDocument": 5}),
        ("textDocument/didClose", {"textDocument": {}}),
        ("window/workDoneProgress/cancel", {"token": "nobody's"}),
        ("test/failSilently", "defect"),
        ("test/fail", "defect"),
        ("workspace/didChangeWorkspaceFolders", {"event": {}}),
    ],
)
def test_notifications_are_never_answered_whatever_is_wrong_with_them(
    server: ServerProcess, method: str, params: object
) -> None:
    server.notify(method, params)
    server.settle()


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ([], -32600),
        ([_request("test/echo", 1), _request("test/echo", 2)], -32600),
        ("hello", -32600),
        ({"jsonrpc": "2.0", "id": None, "method": "test/echo"}, -32600),
        ({"jsonrpc": "2.0", "id": True, "method": "test/echo"}, -32600),
    ],
)
def test_what_is_no_message_is_answered_without_an_id(
    server: ServerProcess, message: object, code: int
) -> None:
    server.send(message)
    assert server.response(None)["error"]["code"] == code


@pytest.mark.parametrize("method", ["test/fail", "test/failSilently"])
def test_failures_are_answered_as_what_they_are(server: ServerProcess, method: str) -> None:
    assert server.error(method, "coai") == {
        "code": -32803,
        "message": "The engine is out. Start it.",
    }
    assert server.error(method, "json-rpc") == {
        "code": -32801,
        "message": "Edited meanwhile",
        "data": {"version": 3},
    }


@pytest.mark.parametrize(
    ("method", "params", "logged"),
    [
        ("test/fail", "defect", "RuntimeError: a secret of the handler's"),
        ("test/failSilently", "defect", "RuntimeError: a secret of the handler's"),
        ("test/fail", "undecodable", "TypeError: object is not JSON"),
        ("test/outcome", "nan", "ValueError: Out of range float values"),
        ("test/outcome", "object", "TypeError: object is not JSON"),
    ],
)
def test_of_a_defect_the_client_gets_an_id_and_the_log_everything(
    server: ServerProcess, method: str, params: str, logged: str
) -> None:
    error = server.error(method, params)
    assert error["code"] == -32603
    assert error.keys() == {"code", "message"}
    assert "secret" not in error["message"]
    error_id = error["message"].rpartition("error ")[2].rstrip(".")
    of_this_error = server.log().partition(f"(error {error_id})")[2]
    assert logged in of_this_error.partition("\n\n")[0]


def test_a_null_result_is_sent_as_such(server: ServerProcess) -> None:
    asked = server.start("test/outcome", "null")
    assert server.response(asked) == {"jsonrpc": "2.0", "id": asked, "result": None}


def test_typed_results_are_sent_as_lsp_spells_them(server: ServerProcess) -> None:
    completion = server.call(
        "textDocument/inlineCompletion",
        {
            "textDocument": {"uri": URI},
            "position": {"line": 0, "character": 0},
            "context": {"triggerKind": 1},
        },
    )
    assert completion == {"items": [{"insertText": SECRET}]}


def test_an_id_that_is_in_use_is_refused_without_disturbing_its_owner(
    server: ServerProcess,
) -> None:
    server.start("test/slow", {"seconds": 60}, message_id="twice")
    server.start("test/echo", 1, message_id="twice")
    refused = server.response(None)["error"]
    assert (refused["code"], "'twice'" in refused["message"]) == (-32600, True)
    server.cancel("twice")
    assert server.response("twice")["error"]["code"] == -32800
    server.start("test/echo", 1, message_id="twice")
    assert server.response("twice")["result"] == 1


def test_only_a_parameter_of_that_name_is_given_the_server(server: ServerProcess) -> None:
    assert server.call("test/name", "x") == "test app x"
    assert server.call("test/echo", "x") == "x"


# Cancelling


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("test/slow", {"seconds": 60}),
        ("workspace/executeCommand", {"command": "test.slow", "arguments": [60]}),
    ],
)
@pytest.mark.parametrize("message_id", [4711, "4711"])
def test_cancelling_a_request_cancels_what_it_runs(
    server: ServerProcess, method: str, params: Json, message_id: int | str
) -> None:
    server.start(method, params, message_id=message_id)
    server.cancel(message_id)
    assert server.response(message_id)["error"]["code"] == -32800
    assert server.call("test/events") == ["started", "cancelled"]


@pytest.mark.parametrize(
    "params",
    [
        {"id": "unknown"},
        {"id": 4712.5},
        {"id": None},
        {"id": [1]},
        {"id": {}},
        {},
        [],
        None,
        "4712",
    ],
)
def test_cancelling_nothing_disturbs_nobody(server: ServerProcess, params: object) -> None:
    slow = server.start("test/slow", {"seconds": 0.05}, message_id=4712)
    server.notify("$/cancelRequest", params)
    server.cancel("4712")
    assert server.response(slow)["result"] == "slept"
    server.cancel(slow)
    assert server.call("test/events") == ["started", "finished"]


def test_cancelling_a_threaded_request_answers_it_at_once(server: ServerProcess) -> None:
    finished = server.start("test/thread", {"seconds": 0})
    assert server.response(finished)["result"] == "slept"
    cancelled = server.start("test/thread", {"seconds": 0.2})
    server.cancel(cancelled)
    assert server.response(cancelled)["error"]["code"] == -32800


# Commands


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"command": "test.add", "arguments": [1, 2]}, {"result": 3}),
        ({"command": "test.add", "arguments": [1]}, {"code": -32602}),
        ({"command": "test.add", "arguments": [1, 2, 3]}, {"code": -32602}),
        ({"command": "test.add", "arguments": [1, "x"]}, {"code": -32602}),
        ({"command": "no.such"}, {"code": -32602}),
    ],
)
def test_commands_get_their_arguments_or_the_client_an_error(
    server: ServerProcess, params: Json, expected: Json
) -> None:
    response = server.response(server.start("workspace/executeCommand", params))
    found = {"result": response["result"]} if "result" in response else response["error"]
    assert expected.items() <= found.items()


# Order


def test_a_handler_sees_the_document_as_it_was_when_its_request_came(
    server: ServerProcess,
) -> None:
    version = server.call("test/text", {"uri": URI})["version"]
    change = {
        "jsonrpc": "2.0",
        "method": "textDocument/didChange",
        "params": {
            "textDocument": _text_document(version + 1),
            "contentChanges": [{"text": "changed meanwhile"}],
        },
    }
    params = {"uri": URI, "seconds": 0.3}
    server.send(
        _request("test/versions", params, "before"), change, _request("test/text", params, "after")
    )
    assert server.response("before")["result"] == [version, version + 1]
    assert server.response("after")["result"]["version"] == version + 1


def test_a_threaded_request_does_not_delay_others(server: ServerProcess) -> None:
    threads = [server.start("test/thread", {"seconds": 1}) for _ in range(4)]
    assert server.call("test/echo", "first") == "first"
    assert not [message for message in server.left_over() if message.get("id") in threads]
    for thread in threads:
        assert server.response(thread)["result"] == "slept"


# Asking the client


def test_progress_tokens_are_freed_at_the_end(server: ServerProcess) -> None:
    for _ in range(2):
        done = server.start("test/progress")
        asked = server.server_request("window/workDoneProgress/create")
        server.send({"jsonrpc": "2.0", "id": asked["id"], "result": None})
        kinds = [server.notification("$/progress")["params"]["value"]["kind"] for _ in range(2)]
        assert kinds == ["begin", "end"]
        assert server.response(done)["result"] == [1, 0]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"result": [{"a": 1}]}, {"result": [{"a": 1}]}),
        ({"result": 5}, {"code": -32603}),
        (
            {"error": {"code": -32001, "message": "no such section", "data": 1}},
            {"code": -32001, "message": "no such section", "data": 1},
        ),
        ({"error": "no object"}, {"code": -32603, "message": "no object"}),
        ({"error": {"code": "x"}}, {"code": -32603}),
    ],
)
def test_the_clients_answer_reaches_who_asked(
    server: ServerProcess, answer: Json, expected: Json
) -> None:
    asking = server.start("test/ask")
    asked = server.server_request("workspace/configuration")
    server.send({"jsonrpc": "2.0", "id": asked["id"], **answer})
    response = server.response(asking)
    found: dict[str, Any] = response.get("error", response)
    assert expected.items() <= found.items()


def test_the_clients_answer_to_a_method_of_our_own_stays_what_it_is(
    server: ServerProcess,
) -> None:
    asking = server.start("test/askForUnknown")
    asked = server.server_request("test/unknown")
    assert asked["params"] == {"class": 1}
    server.send({"jsonrpc": "2.0", "id": asked["id"], "result": {"type_name": "X", "class": 2}})
    assert server.response(asking)["result"] == {"type_name": "X", "class": 2}


def test_answers_that_nobody_waits_for_are_ignored(server: ServerProcess) -> None:
    asking = server.start("test/ask")
    asked = server.server_request("workspace/configuration")
    server.cancel(asking)
    assert server.response(asking)["error"]["code"] == -32800
    for message_id in (asked["id"], asked["id"], "never asked", None):
        server.send({"jsonrpc": "2.0", "id": message_id, "result": []})
    server.send({"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "what?"}})


# A client that knows more than lsprotocol


def test_capabilities_from_the_future_do_not_keep_the_server_from_starting() -> None:
    with ServerProcess() as server:
        server.initialize(
            {
                "workspace": {
                    "symbol": {"symbolKind": {"valueSet": [1, 99, 100]}},
                    "workspaceEdit": {"resourceOperations": ["create", "teleport"]},
                },
                "general": {"positionEncodings": ["utf-64", "utf-8"]},
                "textDocument": {"telepathy": {"range": 5}},
            },
            trace="deafening",
            clientInfo={"version": "no name"},
            workspaceFolders=[{"uri": "file:///work", "name": "work"}, {"name": "no uri"}],
            rootUri=None,
        )
        assert server.call("test/folders") == ["file:///work"]
        log = server.log()
        assert log.count("symbol.symbol_kind.value_set[1]") == 2
        for ignored in ("resource_operations[1]", ".trace", ".client_info", "folders[1].uri"):
            assert log.count(ignored) == 1
