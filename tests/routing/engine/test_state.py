"""What hosts and their users agree on: options, keys, files, and how many threads."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from coai_routing.engine.client import RestartPolicy
from coai_routing.engine.record import (
    HostFiles,
    HostRecord,
    host_key,
    log_tail,
    read_record,
    secure_directory,
)
from coai_routing.engine.state import EngineEndpoint, EngineOptions
from coai_routing.engine.threads import MOST_THREADS, choose_threads, default_threads, parse_quota
from coai_routing.errors import EngineError
from coai_routing.own_files import write_own_file

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("physical", "usable", "quota", "expected"),
    [
        (4, 8, None, 4),
        (4, 2, None, 2),
        (4, 8, 1.5, 1),
        (4, 8, 0.5, 1),
        (64, 128, None, MOST_THREADS),
        (None, 6, None, 6),
        (6, None, None, 6),
        (None, None, None, MOST_THREADS),
    ],
)
def test_one_thread_for_each_physical_core_that_may_be_used(
    physical: int | None, usable: int | None, quota: float | None, expected: int
) -> None:
    assert choose_threads(physical=physical, usable=usable, quota=quota) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max 100000\n", None),
        ("150000 100000\n", 1.5),
        ("50000 100000", 0.5),
        ("5 0", None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_a_containers_share_is_read_from_its_cgroup(text: str, expected: float | None) -> None:
    assert parse_quota(text) == expected


def test_this_machine_gets_a_sensible_number_of_threads() -> None:
    assert 1 <= default_threads() <= min(MOST_THREADS, os.cpu_count() or 1)


def test_threads_are_chosen_where_none_are_set() -> None:
    assert EngineOptions().settled().threads == default_threads()
    assert EngineOptions(threads=3).settled().threads == 3


def test_daemons_share_a_host_when_model_and_options_are_the_same(tmp_path: Path) -> None:
    model = tmp_path / "a.gguf"
    model.write_bytes(b"weights")
    other = tmp_path / "b.gguf"
    other.write_bytes(b"weights")
    options = EngineOptions(threads=2)
    key = host_key(model, options)

    assert host_key(model, EngineOptions(threads=2)) == key
    assert host_key(model, EngineOptions(threads=2, linger_seconds=1, measure_speed=False)) == key
    assert host_key(Path(os.path.relpath(model)), options) == key
    for different in (
        EngineOptions(threads=3),
        EngineOptions(threads=2, slots=2),
        EngineOptions(threads=2, context_tokens=8192),
        EngineOptions(threads=2, gpu_layers=0),
        EngineOptions(threads=2, idle_unload_seconds=5),
    ):
        assert host_key(model, different) != key
    assert host_key(other, options) != key
    model.write_bytes(b"other weights")
    assert host_key(model, options) != key


@pytest.mark.parametrize(
    "wrong", [{"threads": 0}, {"slots": 0}, {"context_tokens": 1}, {"gpu_layers": -2}, {"slot": 1}]
)
def test_senseless_options_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        EngineOptions.model_validate(wrong)


def test_secrets_are_not_shown() -> None:
    secret = "0123456789abcdef" * 4
    assert secret not in repr(HostRecord(pid=1, port=1, token=secret))
    assert secret not in repr(EngineEndpoint(base_url="http://127.0.0.1:1", api_key=secret))


@posix_only
def test_state_is_written_as_a_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("old and readable by all")
    path.chmod(0o644)
    write_own_file(path, "new")
    assert path.read_text() == "new"
    assert mode_of(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_state_that_cannot_be_replaced_leaves_no_draft(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    target.mkdir()
    with pytest.raises(OSError, match=r"state\.json"):
        write_own_file(target, "new")
    assert list(tmp_path.iterdir()) == [target]


@posix_only
@pytest.mark.parametrize("mode", [None, 0o755, 0o700])
def test_the_directory_is_the_users_alone(tmp_path: Path, mode: int | None) -> None:
    directory = tmp_path / "state" / "engine"
    if mode is not None:
        directory.mkdir(parents=True)
        directory.chmod(mode)
    secure_directory(directory)
    assert mode_of(directory) == 0o700


@posix_only
def test_a_directory_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "engine"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EngineError, match="not a directory of yours"):
        secure_directory(link)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"\xff\xfe",
        b"{}",
        b'{"pid": 1, "port": 70000, "token": "0123456789abcdef0123456789abcdef"}',
        b'{"pid": 1, "port": 80, "token": ""}',
    ],
)
def test_a_state_file_without_sense_is_as_good_as_none(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "engine.json"
    if content is not None:
        path.write_bytes(content)
    assert read_record(path) is None


def test_a_state_file_is_read_back(tmp_path: Path) -> None:
    record = HostRecord(pid=12, port=3456, token="t" * 64)
    path = HostFiles(tmp_path, "key").record
    write_own_file(path, record.model_dump_json())
    assert read_record(path) == record


def test_the_last_lines_of_a_log_are_what_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert log_tail(log) == ""
    log.write_bytes(b"x" * 20000 + b"\nfirst\n\nsecond\xff\nthird\n")
    assert log_tail(log, 2) == "second\N{REPLACEMENT CHARACTER}\nthird"


@pytest.mark.parametrize(("crashes", "seconds"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 3.0), (9, 3.0)])
def test_restarts_come_more_and_more_slowly(crashes: int, seconds: float) -> None:
    assert RestartPolicy(first_delay=0.5, longest_delay=3.0).delay(crashes) == seconds
