"""A llama.cpp server of a benchmark's own, in a child process, with its counters switched on."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import httpx

from coai_routing.engine.threads import default_threads
from coai_routing.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

LOAD_SECONDS: Final = 120.0

_PROMPT_TOKENS: Final = "llamacpp:prompt_tokens_total"
_COUNTER_SECONDS: Final = 60.0

# It ends with its standard input, so it does not outlive this process, whatever happens.
_PROGRAM: Final = """
import json, sys
import xllamacpp
wanted = json.loads(sys.argv[1])
params = xllamacpp.CommonParams()
params.model.path = wanted["model"]
params.model_alias = {wanted["alias"]}
params.n_parallel = wanted["slots"]
params.n_ctx = wanted["slots"] * wanted["context_tokens"]
params.n_batch = wanted["batch_tokens"]
params.n_ubatch = min(512, wanted["batch_tokens"])
params.cpuparams.n_threads = wanted["threads"]
params.hostnames = ["127.0.0.1"]
params.port = 0
params.n_gpu_layers = wanted["gpu_layers"]
params.fit_params = False
params.ui = False
params.endpoint_metrics = True
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How the server runs: llama-server's defaults where nothing speaks against them."""

    model: str
    """The path of its weights."""
    alias: str
    """What it calls itself; by this the daemon knows how to ask."""
    slots: int = 3
    context_tokens: int = 4096
    """Of each slot."""
    batch_tokens: int = 2048
    """llama-server's default; `/infill` cuts its prompt to this size."""
    threads: int = 0
    """0 for as many as suit the machine."""
    gpu_layers: int = 0


@asynccontextmanager
async def llama_server(options: ServerOptions) -> AsyncGenerator[str]:
    """Start a server and yield its address; raises EngineError if it does not come up."""
    wanted = {**asdict(options), "threads": options.threads or default_threads()}
    with tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _PROGRAM, json.dumps(wanted)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(LOAD_SECONDS):
                address = (await process.stdout.readline()).decode().strip()
            if not address:
                log.seek(0)
                said = log.read().decode("utf-8", "replace")[-1000:]
                raise EngineError(f"llama.cpp did not start:\n{said}")
            yield address
        except TimeoutError as error:
            raise EngineError(f"llama.cpp did not start in {LOAD_SECONDS:.0f} s.") from error
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def evaluated_tokens(url: str) -> int:
    """Return how many prompt tokens a server has evaluated since it started.

    This is its own counter, and the truth: it knows of tokens of requests whose client went away
    in the middle of the prompt, too, which no answer tells of. Raises EngineError.
    """
    try:
        async with httpx.AsyncClient(timeout=_COUNTER_SECONDS, trust_env=False) as client:
            text = (await client.get(f"{url}/metrics")).raise_for_status().text
    except httpx.HTTPError as error:
        raise EngineError(f"llama.cpp does not tell its counters: {error!r}.") from error
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == _PROMPT_TOKENS:
            return int(float(value))
    raise EngineError(f"llama.cpp has no counter {_PROMPT_TOKENS}.")


def alias_for(model: Path, default: str) -> str:
    """Return the name under which a file is served: its own unless that says too little."""
    return model.name if "coder" in model.name.lower() else default
