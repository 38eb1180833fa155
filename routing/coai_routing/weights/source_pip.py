"""Ask pip where wheels are, because pip knows the user's package index, proxy and credentials.

pip only looks: nothing is installed, and no code from a wheel is run.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from coai_routing.processes import child_environment, python_command, start_async
from coai_routing.weights.source_http import SourceError
from coai_routing.weights.store_files import in_thread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LOCATE_DEADLINE = 300.0
"""Seconds. Long, because an index without separate metadata makes pip read every wheel."""
_DOWNLOAD_DEADLINE = 900.0
"""Seconds for one wheel of some tens of megabytes, whose progress is not seen."""

_LOOK_INTERVAL = 0.2
"""Seconds between two looks at how much pip has fetched."""

_QUIET = ("--disable-pip-version-check", "--no-cache-dir", "--no-input", "--quiet")
_LAZILY = "--use-feature=fast-deps"
_WHEELS_ONLY = ("--no-deps", "--only-binary", ":all:")
# Options that a user's environment sets for real installations and that break a look-up.
_FOREIGN_OPTIONS = (
    "PIP_CONSTRAINT",
    "PIP_DRY_RUN",
    "PIP_NO_BINARY",
    "PIP_PREFIX",
    "PIP_REPORT",
    "PIP_REQUIREMENT",
    "PIP_REQUIRE_HASHES",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
    "PIP_VERBOSE",
)


@dataclass(frozen=True, slots=True)
class WheelPlace:
    """Where pip would take a wheel from."""

    url: str
    """May hold credentials: not for messages."""
    sha256: str
    """What the index says of it; empty where it says nothing."""


async def locate(
    requirements: Mapping[str, str],
    directory: Path,
    *,
    most: int,
    python: str = sys.executable,
    deadline: float = _LOCATE_DEADLINE,
) -> dict[str, WheelPlace]:
    """Return where the wheel of each distribution is, by name; `requirements` has the versions.

    `directory` is where pip runs: one that nobody else writes to. An index without separate
    metadata may make pip fetch wheels, of which it keeps no more than `most` bytes at a time.
    Raises `SourceError`.
    """
    pins = [f"{name}=={version}" for name, version in requirements.items()]
    look = ["install", "--dry-run", "--ignore-installed", "--report", "-", *_WHEELS_ONLY]
    look += [*_patience(os.environ), *pins]
    try:
        # An index without separate metadata is asked for a few bytes of each wheel, not for all.
        report = await _pip(
            [*look, _LAZILY], directory, most=most, python=python, deadline=deadline
        )
    except SourceError as error:
        if "fast-deps" not in error.message:
            raise
        # It is an experiment of pip's, which another version may have ended.
        report = await _pip(look, directory, most=most, python=python, deadline=deadline)
    return read_report(report, list(requirements))


async def fetch_wheel(
    name: str, version: str, directory: Path, *, most: int, python: str = sys.executable
) -> Path:
    """Have pip put a wheel into `directory`, with the credentials that only pip has.

    Raises `SourceError`, also when it is longer than `most` bytes.
    """
    await _pip(
        ["download", "--dest", str(directory), *_WHEELS_ONLY, f"{name}=={version}"],
        directory,
        most=most,
        python=python,
        deadline=_DOWNLOAD_DEADLINE,
    )
    fetched = await in_thread(_wheel_in, directory, name)
    if fetched is None:
        raise SourceError(f"pip fetched no wheel of {name}")
    return fetched


def _wheel_in(directory: Path, name: str) -> Path | None:
    for path in directory.glob("*.whl"):
        if canonicalize_name(path.name.partition("-")[0]) == canonicalize_name(name):
            return path
    return None


def read_report(report: str, names: Sequence[str]) -> dict[str, WheelPlace]:
    """Read pip's installation report; raises `SourceError` unless it has all the names."""
    found: dict[str, WheelPlace] = {}
    try:
        for item in cast("dict[str, Any]", json.loads(report))["install"]:
            origin = item["download_info"]
            archive = origin.get("archive_info", {})
            sha256 = archive.get("hashes", {}).get("sha256", "")
            place = WheelPlace(url=str(origin["url"]), sha256=str(sha256).lower())
            found[canonicalize_name(item["metadata"]["name"])] = place
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"pip's report cannot be read ({type(error).__name__})") from error
    if missing := [name for name in names if canonicalize_name(name) not in found]:
        raise SourceError(f"pip's report does not have {', '.join(missing)}")
    return {name: found[canonicalize_name(name)] for name in names}


async def _pip(
    arguments: Sequence[str], directory: Path, *, most: int, python: str, deadline: float
) -> str:
    """Run pip and return what it printed; raises `SourceError` with its own words."""
    with TemporaryDirectory(prefix="pip-", dir=directory, ignore_cleanup_errors=True) as folder:
        # pip itself has no limit for what an index sends. It goes where it can be measured.
        scratch = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder)
        command = (python, *python_command("pip", *arguments, *_QUIET)[1:])
        try:
            process = await start_async(
                command,
                directory=directory,
                environment={**pip_environment(child_environment()), **scratch},
                stdin=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise SourceError(f"pip cannot be started: {error}") from error
        try:
            async with asyncio.timeout(deadline):
                printed, complaints = await _watched(process, Path(folder), most)
        except TimeoutError as error:
            raise SourceError(f"pip found nothing within {deadline:g} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode:
        raise SourceError(complaint(complaints.decode(errors="replace")))
    return printed.decode(errors="replace")


async def _watched(
    process: asyncio.subprocess.Process, folder: Path, most: int
) -> tuple[bytes, bytes]:
    """Return what a process prints; raise `SourceError` once its folder has too many bytes."""
    talking = asyncio.create_task(process.communicate())
    try:
        while not talking.done():
            await asyncio.wait({talking}, timeout=_LOOK_INTERVAL)
            if await in_thread(_bytes_in, folder) > most:
                raise SourceError(f"the package index sent more than {most:,} bytes")
        return talking.result()
    finally:
        talking.cancel()


def _bytes_in(folder: Path) -> int:
    """Return how many bytes the files of a folder have; they come and go meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.lstat().st_size
    return total


def complaint(text: str) -> str:
    """Return what matters of pip's complaints: its last error, in one line."""
    if "No module named pip" in text:
        return "pip is missing in COAI's Python: install it there, for example with ensurepip"
    offline = "no connection to the package index; " if "connection broken by" in text else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    reason = (errors or lines or ["no reason given"])[-1]
    return f"pip: {offline}{_without_passwords(reason)[:300]}"


def _without_passwords(text: str) -> str:
    """Hide the user part of every address in a line of pip's."""
    words = text.split(" ")
    for index, word in enumerate(words):
        if "://" in word and "@" in urlsplit(word).netloc:
            scheme, _, rest = word.partition("://")
            words[index] = f"{scheme}://***@{rest.rpartition('@')[2]}"
    return " ".join(words)


def _patience(environ: Mapping[str, str]) -> list[str]:
    """Return options that make pip give up in seconds, unless the user chose otherwise."""
    options: list[str] = []
    if not environ.keys() & {"PIP_TIMEOUT", "PIP_DEFAULT_TIMEOUT"}:
        options += ["--timeout", "10"]
    if "PIP_RETRIES" not in environ:
        options += ["--retries", "1"]
    return options


def pip_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for pip: the user's, with the indexes that only uv was told of."""
    own = {key: value for key, value in environ.items() if key not in _FOREIGN_OPTIONS}
    own["PYTHONUTF8"] = "1"
    if "PIP_INDEX_URL" not in own and (
        index := own.get("UV_DEFAULT_INDEX") or own.get("UV_INDEX_URL")
    ):
        own["PIP_INDEX_URL"] = _without_name(index)
    if "PIP_EXTRA_INDEX_URL" not in own and (
        more := f"{own.get('UV_INDEX', '')} {own.get('UV_EXTRA_INDEX_URL', '')}".split()
    ):
        own["PIP_EXTRA_INDEX_URL"] = " ".join(map(_without_name, more))
    if "PIP_FIND_LINKS" not in own and (links := own.get("UV_FIND_LINKS")):
        own["PIP_FIND_LINKS"] = links.replace(",", " ")
    return own


def _without_name(index: str) -> str:
    """Return the address of an index that uv may have been given as `name=address`."""
    name, equals, address = index.partition("=")
    return address if equals and "/" not in name else index
