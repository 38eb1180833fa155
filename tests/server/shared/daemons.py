"""A daemon in a process of its own, for a user of a test's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coai_server.shared.place import Place
from tests.server.test_explanations import ALONE

if TYPE_CHECKING:
    from collections.abc import Generator

NO_SERVERS = {
    f"COAI_ENDPOINTS__{name}__ENABLED": "false"
    for name in ("OLLAMA", "LMSTUDIO", "LLAMA_SERVER", "VLLM")
}


_HOMES = ("USERPROFILE", "APPDATA", "LOCALAPPDATA") if os.name == "nt" else ("HOME",)
"""What says where a user's files are; a daemon and its clients have to agree on it."""


@dataclass
class User:
    """A home, a workspace, and the commands of a user without any model."""

    home: Path
    folder: Path
    settings: dict[str, str] = field(default_factory=lambda: {**ALONE, **NO_SERVERS})

    @property
    def environment(self) -> dict[str, str]:
        return {**self.settings, **dict.fromkeys(_HOMES, str(self.home))}

    @property
    def place(self) -> Place:
        return Place(self.home / ".local" / "state" / "coai" / "daemon")

    def coai(
        self, *arguments: str, given: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "coai_server", *arguments],
            input=given,
            cwd=self.folder,
            env={**os.environ, **self.environment, **environment},
            capture_output=True,
            timeout=60,
            check=False,
            text=True,
        )

    def status(self) -> dict[str, Any]:
        return json.loads(self.coai("daemon", "status", "--json").stdout)

    @contextmanager
    def daemon(self, *options: str) -> Generator[int]:
        """Give the process of a daemon that runs."""
        started = self.coai("daemon", "start", "--json", *options)
        assert started.returncode == 0, started.stdout + started.stderr
        pid = json.loads(started.stdout)["pid"]
        try:
            yield pid
        finally:
            self.coai("daemon", "stop")
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def some_user() -> Generator[User]:
    """Give a user whose paths are short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="coai") as name:
        base = Path(os.path.realpath(name))
        user = User(base / "home", base / "shop")
        for each in (user.home, user.folder):
            each.mkdir()
        yield user
