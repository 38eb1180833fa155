"""MCP over HTTP, behind the gate of `coai http`: the SDK's own client, and who may not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.types import TextContent

from tests.server.http.support import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.http.support import Door

LISTING: Final[dict[str, Any]] = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
ACCEPT: Final = {"accept": "application/json, text/event-stream"}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with running(tmp_path_factory.mktemp("mcp"), None) as door:
        yield door


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_its_tools_are_used_over_http(door: Door, mode: Literal["auto", "legacy"]) -> None:
    bearer = {"Authorization": f"Bearer {door.token()}"}
    async with (
        create_mcp_http_client(headers=bearer) as http,
        Client(streamable_http_client(f"{door.url}/mcp", http_client=http), mode=mode) as client,
    ):
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert names[0] == "audit"
        assert "run_workflow" in names
        found = await client.call_tool("audit", {"path": "shop.py"})
        assert not found.is_error
        (said, *_) = found.content
        assert isinstance(said, TextContent)
        assert "weak-hash" in said.text
        outside = await client.call_tool("audit", {"path": "../outside/secret.py"})
        assert outside.is_error


def test_only_who_may_all_of_it_may_use_it(door: Door) -> None:
    viewer = door.key("watcher", "--role", "viewer")
    narrow = door.key("narrow", "--role", "runner", "--folder", str(door.folder))
    guest = door.key("guest", "--role", "admin", "--tenant", "others")
    runner = door.key("runner", "--role", "runner")
    for token, status in [("", 401), (viewer, 403), (narrow, 403), (guest, 403), ("coai_no", 401)]:
        with door.client(token, **ACCEPT) as client:
            refused = client.post("/mcp", json=LISTING)
            assert (refused.status_code, set(refused.json())) == (status, {"error"})
    with door.client(runner, **ACCEPT) as client:
        assert client.post("/mcp", json=LISTING).status_code not in (401, 403)


@pytest.mark.parametrize(
    "header", [{"host": "attacker.example"}, {"origin": "https://attacker.example"}]
)
def test_the_gate_stands_before_it(door: Door, header: dict[str, str]) -> None:
    with door.client(None, **ACCEPT, **header) as client:
        refused = client.post("/mcp", json=LISTING)
    assert refused.status_code == 403
    assert refused.json()["error"]["type"] in ("wrong_host", "cross_site")
