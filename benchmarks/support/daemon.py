"""The real daemon in a process of its own, with this process as its editor."""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from coai_server.cli.readiness import wait_until_ready
from coai_server.editor import daemon_command, launched

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping

    from coai_server.editor import Answer, Editor

NO_ENGINE: Final[Mapping[str, str]] = {"engine.enabled": "false"}

NO_SERVERS: Final[Mapping[str, str]] = {
    "endpoints.ollama.enabled": "false",
    "endpoints.lmstudio.enabled": "false",
    "endpoints.vllm.enabled": "false",
    "endpoints.llama_server.enabled": "false",
}
"""Nothing that happens to run on this machine takes part in a measurement."""


def only_server(url: str) -> dict[str, str]:
    """Return settings by which the daemon asks one llama.cpp server and nothing else."""
    return {
        **NO_ENGINE,
        **NO_SERVERS,
        "endpoints.llama_server.enabled": "true",
        "endpoints.llama_server.url": url,
    }


def assignments(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Return settings as options of `coai serve`."""
    return tuple(word for key, value in settings.items() for word in ("--set", f"{key}={value}"))


@contextmanager
def empty_workspace() -> Generator[Path]:
    """Make a folder for a daemon to work in, and remove it in the end."""
    with tempfile.TemporaryDirectory(prefix="coai-benchmark-", ignore_cleanup_errors=True) as name:
        yield Path(name).resolve()


@asynccontextmanager
async def editing(
    settings: Mapping[str, str],
    *,
    wait: bool = True,
    patience: float = 120.0,
    answers: Mapping[str, Answer] | None = None,
) -> AsyncGenerator[Editor]:
    """Start the daemon on an empty workspace, and with `wait` return when a model is ready.

    `answers` are `launched`'s. Raises EditorError, and NotReadyError after so many seconds of
    patience.
    """
    command = daemon_command(*assignments(settings))
    with empty_workspace() as folder:
        async with launched(folder, command=command, answers=answers) as editor:
            if wait:
                await wait_until_ready(editor, seconds=patience)
            yield editor


def resident_mb(editor: Editor) -> float:
    """Return the daemon's resident memory in MB (10^6 bytes)."""
    return psutil.Process(editor.process.pid).memory_info().rss / 1e6


def cpu_seconds(editor: Editor) -> float:
    """Return the CPU time that the daemon has used; not that of processes which it started."""
    used = psutil.Process(editor.process.pid).cpu_times()
    return used.user + used.system
