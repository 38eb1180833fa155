from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from coai_server.jsonrpc import Request
from coai_server.lsp.handshake import (
    InvalidInitializeError,
    client_capabilities,
    initialize_answer,
    negotiate_position_encoding,
)
from coai_server.lsp.session import Session
from tests.support.lsp_app import APPLICATION
from tests.support.lsp_client import RecordingWire
from tests.support.lsp_features import build

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ({}, "utf-16"),
        ({"general": {}}, "utf-16"),
        ({"general": None}, "utf-16"),
        ({"general": {"positionEncodings": []}}, "utf-16"),
        ({"general": {"positionEncodings": "utf-8"}}, "utf-16"),
        ({"general": {"positionEncodings": [["utf-8"]]}}, "utf-16"),
        ({"general": {"positionEncodings": ["utf-16"]}}, "utf-16"),
        ({"general": {"positionEncodings": ["utf-8", "utf-16", "utf-32"]}}, "utf-8"),
        ({"general": {"positionEncodings": ["utf-16", "utf-8"]}}, "utf-16"),
        ({"general": {"positionEncodings": ["utf-7", "utf-32", "utf-8"]}}, "utf-32"),
        ({"general": {"positionEncodings": ["ebcdic"]}}, "utf-16"),
    ],
)
def test_position_encoding_is_the_clients_first_that_is_known(
    offered: dict[str, Any], chosen: str
) -> None:
    assert negotiate_position_encoding(offered) == chosen


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"params": None},
        {"params": []},
        {"params": {}},
        {"params": {"capabilities": []}},
        {"params": {"capabilities": {}, "processId": "12"}},
        {"params": {"capabilities": {}, "processId": True}},
    ],
    ids=json.dumps,
)
def test_what_cannot_be_an_initialize_request_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(InvalidInitializeError):
        client_capabilities(message)


def test_capabilities_of_the_caller_are_added_and_win() -> None:
    answer = initialize_answer(
        {}, name="n", version="v", extra={"hoverProvider": True, "inlineCompletionProvider": None}
    )
    assert answer["serverInfo"] == {"name": "n", "version": "v"}
    assert answer["capabilities"]["hoverProvider"] is True
    assert answer["capabilities"]["inlineCompletionProvider"] is None
    assert answer["capabilities"]["executeCommandProvider"] == {"commands": []}


def _without_no(capabilities: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what says nothing: pygls spells out that it has no `willSave` and so on."""
    kept = {
        key: _without_no(cast("dict[str, Any]", value)) if isinstance(value, dict) else value
        for key, value in capabilities.items()
        if value is not False or key == "includeText"
    }
    kept.pop("fileOperations", None) if kept.get("fileOperations") == {} else None
    return kept


_VS_CODE = {
    "workspace": {
        "applyEdit": True,
        "workspaceFolders": True,
        "configuration": True,
        "executeCommand": {"dynamicRegistration": True},
        "fileOperations": {"dynamicRegistration": True, "didCreate": True, "willRename": True},
    },
    "textDocument": {
        "synchronization": {"willSave": True, "willSaveWaitUntil": True, "didSave": True},
        "inlineCompletion": {"dynamicRegistration": True},
        "rename": {"prepareSupport": True},
    },
    "notebookDocument": {"synchronization": {"dynamicRegistration": True}},
    "general": {"positionEncodings": ["utf-16"]},
}


@pytest.mark.parametrize(
    "capabilities",
    [
        {},
        {"general": {"positionEncodings": ["utf-8", "utf-16"]}},
        {"general": {"positionEncodings": ["klingon"]}},
        {"textDocument": {"synchronization": {"willSave": True}}},
        _VS_CODE,
    ],
    ids=["none", "neovim", "unknown encoding", "will save", "vs code"],
)
async def test_the_answer_is_what_pygls_would_have_answered(capabilities: dict[str, Any]) -> None:
    session = Session(APPLICATION, RecordingWire())
    answer = initialize_answer(
        capabilities,
        name=APPLICATION.name,
        version=APPLICATION.version,
        commands=APPLICATION.commands,
    )["capabilities"]
    session.capabilities = answer
    server = build(session)
    params = {"processId": None, "capabilities": capabilities}
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    await server.adopt(Request(1, "initialize", message))
    assert _without_no(server.coai_protocol.advertised()) == answer
    assert server.documents.encoding == answer["positionEncoding"]
