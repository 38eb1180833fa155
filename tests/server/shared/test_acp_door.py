"""`coai acp` through the daemon: the official SDK's client, as without it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.server.acp.conftest import Editor, Shop, shop

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["shop"]


def _coai(shop: Shop, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "coai_server", *arguments],
        cwd=shop.folder,
        env=shop.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout


@pytest.fixture
def served(shop: Shop) -> Iterator[Shop]:
    _coai(shop, "daemon", "start")
    yield shop
    _coai(shop, "daemon", "stop")


async def test_an_editor_is_served_by_the_daemon(served: Shop) -> None:
    editor = Editor(served.folder)
    async with served.talk(editor) as talk:
        said = await talk.ask("/security shop.py")
        assert "md5" in said or "hash" in said
    status = json.loads(_coai(served, "daemon", "status", "--json"))
    assert status["served"] == {"acp": 1}


async def test_a_session_is_found_again_without_it(served: Shop) -> None:
    editor = Editor(served.folder)
    async with served.talk(editor) as talk:
        await talk.ask("/security shop.py")
        session = talk.session
    _coai(served, "daemon", "stop")
    async with served.connected(Editor(served.folder)) as agent:
        loaded = await agent.load_session(cwd=str(served.folder), session_id=session)
    assert loaded is not None
