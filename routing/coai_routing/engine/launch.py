"""Find the host that serves a model with given options, or start the one, whoever races."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING

from coai_routing.engine.record import HostFiles, HostRecord, HostSpec, log_tail, read_record
from coai_routing.errors import EngineError
from coai_routing.own_files import FILE_MODE, own_file
from coai_routing.processes import python_command, start_detached

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import Popen  # noqa: TID251 - for the type alone

    from filelock import BaseFileLock

START_SECONDS = 30.0
"""How long a host may take to listen (not to load), a leaving one to leave, a starter to start."""

_POLL_SECONDS = 0.02

_PATIENT_THREADS = {"OMP_WAIT_POLICY": "passive"}
"""Threads sleep while they wait for one another, unless the user has set otherwise. By default
libgomp's spin, so that on a busy machine each one takes the time that the others need: two threads
on two cores wrote 0.6 tokens a second beside other programs, and 17.6 so (Qwen2.5-Coder 0.5B)."""

_children: list[Popen[bytes]] = []
_children_guard = threading.Lock()


def _lock(path: Path) -> BaseFileLock:
    from filelock import FileLock  # noqa: PLC0415 - not at server start

    own_file(path)
    return FileLock(path, mode=FILE_MODE, thread_local=False)


def hold_alive_lock(files: HostFiles, seconds: float) -> BaseFileLock | None:
    """Take the lock that says that a host lives, in the host; None if it stays taken."""
    from filelock import Timeout  # noqa: PLC0415 - not at server start

    lock = _lock(files.alive_lock)
    try:
        lock.acquire(timeout=seconds, poll_interval=_POLL_SECONDS)
    except Timeout:
        return None
    return lock


def _is_alive(files: HostFiles) -> bool:
    lock = hold_alive_lock(files, seconds=0)
    if lock is None:
        return True
    lock.release()
    return False


def reap_children() -> None:
    """Collect the exit codes of hosts that this process started and that have ended."""
    with _children_guard:
        _children[:] = [child for child in _children if child.poll() is None]


def spawn_host(spec: HostSpec, files: HostFiles) -> Popen[bytes]:
    """Start a host that is independent of this process, its standard output and its terminal."""
    with contextlib.suppress(FileNotFoundError):
        files.log.replace(files.previous_log)
    descriptor = os.open(files.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        child = start_detached(
            python_command("coai_routing.engine", spec.model_dump_json()),
            directory=files.directory,
            log=descriptor,
            defaults=_PATIENT_THREADS,
        )
    finally:
        os.close(descriptor)
    with _children_guard:
        _children.append(child)
    return child


def find_or_start(
    spec: HostSpec, files: HostFiles, abandoned: threading.Event, seconds: float = START_SECONDS
) -> HostRecord:
    """Return the record of the living host, after starting one if there is none. Blocks.

    A record is looked at only while a host lives, which its lock says and not the record, its
    process id or its port: those may all be someone else's by now.

    Raises EngineError when no host came up in time; its message ends with the host's last words.
    """
    from filelock import Timeout  # noqa: PLC0415 - not at server start

    reap_children()
    lock = _lock(files.start_lock)
    deadline = time.monotonic() + seconds
    try:
        with lock.acquire(timeout=seconds, poll_interval=_POLL_SECONDS):
            return _find_or_start(spec, files, abandoned, deadline)
    except Timeout as error:
        raise EngineError(
            "Another process has been starting the engine for too long.",
            remedy=f"End the process that holds {files.start_lock}.",
        ) from error


def _find_or_start(
    spec: HostSpec, files: HostFiles, abandoned: threading.Event, deadline: float
) -> HostRecord:
    child: Popen[bytes] | None = None
    while time.monotonic() < deadline and not abandoned.is_set():
        if _is_alive(files):
            record = read_record(files.record)
            if record is not None:
                return record
        elif child is None:
            files.record.unlink(missing_ok=True)
            child = spawn_host(spec, files)
        elif child.poll() is not None:
            raise EngineError(
                f"The engine's process ended at once with exit code {child.returncode}."
                f"\n{log_tail(files.log)}",
                remedy=f"Its log is {files.log}.",
            )
        time.sleep(_POLL_SECONDS)
    raise EngineError(
        f"The engine's process did not come up in time.\n{log_tail(files.log)}",
        remedy=f"Its log is {files.log}.",
    )
