"""`coai http` in a process of its own, and who asks it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Final

import httpx

from tests.server.test_explanations import ALONE

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.support.llama import LlamaServer

SHOP: Final = """\
import hashlib


def signature(data):
    return hashlib.new("md5", data).hexdigest()


def total_of(prices):
    if prices == None:
        return 0
    return sum(prices)
"""
SECRET: Final = "kept_outside_of_the_root"
PATIENCE: Final = 60.0

ASKING: Final = """\
name: asking
description: Asks somebody. The input is a text.
nodes:
  - kind: human
    name: first
    question: Shall it go on?
    choices: ["yes", "no"]
  - kind: tool
    name: seen
    tool: files
    given: {below: "'.'"}
    depends_on: [first]
"""
MANY: Final = """\
name: many
description: Many small steps. The input is a list of paths.
input: [text]
nodes:
  - kind: tool
    name: each
    tool: read
    fan_out: input
    given: {path: item}
"""


@dataclass
class Door:
    """A server that runs, or can be started again."""

    folder: Path
    environment: dict[str, str]
    url: str = ""
    process: subprocess.Popen[str] | None = None
    said: list[str] = field(default_factory=list[str])
    reading: threading.Thread = field(default_factory=threading.Thread)

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "coai_server", "http"]

    def start(self, *options: str) -> None:
        """Start it, and wait until it says where it listens."""
        self.process = subprocess.Popen(
            [*self.command, "--port", "0", *options],
            cwd=self.folder,
            env=self.environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        while "listens at" not in (line := self.process.stderr.readline()):
            self.said.append(line)
            assert line, f"it did not start: {self.said}"
        self.url = line.split()[-1]
        # What it says is read, so that it never waits for somebody to read it.
        self.reading = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self.reading.start()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            self.said.extend(stream)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it; return its exit code."""
        assert self.process is not None
        self.process.send_signal(how)
        code = self.process.wait(PATIENCE)
        self.reading.join()
        self.process = None
        return code

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a subcommand to its end."""
        return subprocess.run(
            [*self.command, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def token(self) -> str:
        """Return the user's own token."""
        return self.run("token").stdout.strip()

    def key(self, name: str, *options: str) -> str:
        """Make a key."""
        made = self.run("keys", "create", name, *options)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    def client(self, token: str | None = None, **headers: str) -> httpx.Client:
        """Return a client that shows a token, the user's own unless given; "" for none."""
        shown = self.token() if token is None else token
        bearer = {"authorization": f"Bearer {shown}"} if shown else {}
        return httpx.Client(
            base_url=self.url, headers={**bearer, **headers}, timeout=PATIENCE, trust_env=False
        )


def environment_of(home: Path, model: LlamaServer | None) -> dict[str, str]:
    """Return the environment of a user who has one model server, or none."""
    bare = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "COAI_"))}
    homes = {name: str(home) for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA")}
    none = {
        f"COAI_ENDPOINTS__{name}__ENABLED": "false"
        for name in ("OLLAMA", "LMSTUDIO", "LLAMA_SERVER", "VLLM")
    }
    known: dict[str, str] = {}
    if model is not None:
        known = {
            "COAI_ENDPOINTS__LLAMA_SERVER__ENABLED": "true",
            "COAI_ENDPOINTS__LLAMA_SERVER__URL": model.base_url,
            "COAI_ENDPOINTS__LLAMA_SERVER__API_KEY": model.api_key or "",
        }
    return {**bare, **homes, **ALONE, **none, **known}


def made_door(folder: Path, model: LlamaServer | None) -> Door:
    """Make a workspace with a file outside of it, and a user; start nothing."""
    shop = folder / "shop"
    shop.mkdir()
    (shop / "shop.py").write_text(SHOP)
    outside = folder / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text(f"def {SECRET}():\n    return 1\n")
    (shop / "link.py").symlink_to(outside / "secret.py")
    ensembles = folder / "home" / ".config" / "coai" / "ensembles"
    ensembles.mkdir(parents=True)
    (ensembles / "asking.yaml").write_text(ASKING)
    (ensembles / "many.yaml").write_text(MANY)
    return Door(shop, environment_of(folder / "home", model))


@contextmanager
def running(folder: Path, model: LlamaServer | None, *options: str) -> Generator[Door]:
    """Run a server."""
    door = made_door(folder, model)
    door.start(*options)
    try:
        yield door
    finally:
        if door.process is not None:
            assert door.stop() == 0


def error_of(response: httpx.Response) -> dict[str, Any]:
    """Return the error of an answer, which is readable and says what kind it is."""
    problem = response.json()["error"]
    assert problem["type"]
    assert problem["message"]
    return problem
