"""One server for all tests of the door that do not start their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.http.support import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.server.http.support import Door
    from tests.support.llama import LlamaServer


@pytest.fixture(scope="session")
def door(llama_server: LlamaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Give a server with a real model."""
    with running(tmp_path_factory.mktemp("door"), llama_server, "--rate", "100000") as door:
        yield door


@pytest.fixture(scope="session")
def own_token(door: Door) -> str:
    """Return the user's own token."""
    return door.token()


@pytest.fixture(scope="session")
def own(door: Door) -> Iterator[httpx.Client]:
    """Give a client that shows the user's own token."""
    with door.client() as client:
        yield client
