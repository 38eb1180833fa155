"""A real llama.cpp server in a child process, for tests that need one to talk to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support.tiny_gguf import write_tiny_gguf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

API_KEY = "test-key"

# The server ends with its standard input: whatever becomes of the tests, it does not outlive them.
_PROGRAM = """
import json, sys
import xllamacpp
wanted = json.loads(sys.argv[1])
params = xllamacpp.CommonParams()
params.model.path = wanted["model"]
params.n_ctx = wanted["slots"] * wanted["context_tokens"]
params.n_parallel = wanted["slots"]
params.hostnames = ["127.0.0.1"]
params.port = 0
params.api_keys = [wanted["api_key"]] if wanted["api_key"] else []
params.n_gpu_layers = 0
params.cpuparams.n_threads = 1  # two would wait for each other on a busy machine
params.cache_ram_mib = 64
params.fit_params = False
params.ui = False
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class LlamaServer:
    """A llama.cpp server that listens on loopback."""

    base_url: str
    """Without a slash at its end and without `/v1`."""
    api_key: str | None
    model: Path
    slots: int
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """End it without warning, in mid-sentence if need be, and wait until it is gone."""
        self.process.kill()
        self.process.wait(timeout=10)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def start_llama_server(
    model: Path, *, api_key: str | None = API_KEY, slots: int = 4, context_tokens: int = 4096
) -> LlamaServer:
    """Start a server of `slots` slots with `context_tokens` each; return when it is ready."""
    wanted = {
        "model": str(model),
        "api_key": api_key,
        "slots": slots,
        "context_tokens": context_tokens,
    }
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        # The child of a coverage run is no part of what is measured.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, json.dumps(wanted)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            text=True,
        )
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            process.wait(timeout=10)
            log.seek(0)
            pytest.fail(f"llama.cpp did not start:\n{log.read()[-2000:]}")
    return LlamaServer(address, api_key, model, slots, process)


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a random-weight model that llama.cpp loads in a tenth of a second."""
    return write_tiny_gguf(tmp_path_factory.mktemp("weights") / "tiny-random-coder.gguf")


@pytest.fixture(scope="session")
def llama_server(tiny_gguf: Path) -> Iterator[LlamaServer]:
    """Run one llama.cpp server for all tests. A test that kills it starts one of its own."""
    server = start_llama_server(tiny_gguf)
    yield server
    server.kill()
