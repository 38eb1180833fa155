"""Real PostgreSQL and Redis for tests: servers of their own, on free ports, in temporary folders.

PostgreSQL does not run for root, so for root both run as `nobody`. Where the programs are not
installed the tests are skipped, but not in CI.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

USER = "coai"
PASSWORD = "s3cret-of-the-test"
"""Nothing may ever show it."""


@dataclass(frozen=True)
class Server:
    """A server under way."""

    host: str
    port: int
    folder: Path
    user: str = USER

    def url(self, name: str = "") -> str:
        """Return an address with the password."""
        scheme = "postgresql" if (self.folder / "postgresql.conf").exists() else "redis"
        return f"{scheme}://{self.user}:{PASSWORD}@{self.host}:{self.port}/{name}"


def _program(name: str) -> str:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    if found is None:
        why = f"{name} is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    return found


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _begin(command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    root = os.geteuid() == 0
    return subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user="nobody" if root else None,
        group="nogroup" if root else None,
        extra_groups=[] if root else None,
    )


@contextmanager
def _folder() -> Generator[Path]:
    # Not pytest's own, which only its user may enter.
    with tempfile.TemporaryDirectory(prefix="coai-db-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody", "nogroup")
        folder.chmod(0o700)
        yield folder


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if ready():
            return
        if process.poll() is not None:
            pytest.fail(f"The server ended with {process.returncode}.")
        time.sleep(0.05)
    pytest.fail("The server did not begin.")


class Postgres:
    """A PostgreSQL that can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self.server = Server("127.0.0.1", free_port(), folder / "data")
        self._process: subprocess.Popen[bytes] | None = None
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            shutil.chown(secret, "nobody", "nogroup")
        command = [
            *(_program("initdb"), "-D", str(self.server.folder), "-U", USER, "--no-sync"),
            *(f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
        ]
        if _begin(command, folder).wait(timeout=120) != 0:
            pytest.fail("initdb failed")

    def start(self, *options: str) -> None:
        """Start it."""
        settings = [
            *(f"port={self.server.port}", "listen_addresses=127.0.0.1", "fsync=off"),
            *("unix_socket_directories=", "max_connections=200", "shared_buffers=32MB", *options),
        ]
        given = [word for each in settings for word in ("-c", each)]
        command = [_program("postgres"), "-D", str(self.server.folder), *given]
        self._process = _begin(command, self.server.folder)
        _wait(self._ready, self._process)

    def _ready(self) -> bool:
        import psycopg  # noqa: PLC0415 - only where it is used

        with suppress(psycopg.OperationalError):
            psycopg.connect(self.server.url("postgres"), connect_timeout=2).close()
            return True
        return False

    def stop(self) -> None:
        """Stop it as an administrator does who does not wait (SIGINT)."""
        if self._process is not None:
            self._process.send_signal(2)
            self._process.wait(timeout=60)
            self._process = None

    def database(self) -> str:
        """Make a new database; returns its address."""
        import psycopg  # noqa: PLC0415 - as above

        name = f"t{time.monotonic_ns()}"
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.server.url(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL that all tests share; each makes a database of its own."""
    pytest.importorskip("psycopg")
    with _folder() as folder:
        server = Postgres(folder)
        server.start()
        yield server
        server.stop()


@pytest.fixture
def database(postgres: Postgres) -> str:
    """Return the address of an empty database."""
    return postgres.database()


@contextmanager
def own_postgres(*options: str) -> Generator[Postgres]:
    """Give a PostgreSQL that a test may stop, or that has options of its own."""
    with _folder() as folder:
        server = Postgres(folder)
        server.start(*options)
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def redis_server(*options: str) -> Generator[Server]:
    """Give a Redis with a password."""
    with _folder() as folder:
        server = Server("127.0.0.1", free_port(), folder, "default")
        command = [
            *(_program("redis-server"), "--port", str(server.port), "--bind", "127.0.0.1"),
            *("--requirepass", PASSWORD, "--save", "", "--dir", str(folder), *options),
        ]
        process = _begin(command, folder)
        try:
            _wait(lambda: _listens(server.port), process)
            yield server
        finally:
            process.terminate()
            process.wait(timeout=30)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
