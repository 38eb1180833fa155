"""A model server that completes, for doors that are no editor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.llama import start_llama_server
from tests.support.tiny_gguf import write_tiny_gguf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.llama import LlamaServer


@pytest.fixture(scope="package")
def coder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    """Run a server whose model's name says that it fills in."""
    folder = tmp_path_factory.mktemp("coder")
    server = start_llama_server(write_tiny_gguf(folder / "qwen2.5-coder-tiny.gguf"))
    yield server
    server.kill()


def only(server: LlamaServer) -> dict[str, Any]:
    """Return the settings with which nobody but this server is asked."""
    return {
        **{f"endpoints.{name}.enabled": False for name in ("ollama", "lmstudio", "vllm")},
        "engine.enabled": False,
        "endpoints.llama_server.url": server.base_url,
        "endpoints.llama_server.api_key": server.api_key,
    }
