"""The command line with a home of its own: nothing of the developer's is seen or touched."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from coai_server import serve
from coai_server.acp import start as acp
from coai_server.cli import app
from coai_server.mcp import start as mcp
from tests.support.tiny_gguf import write_tiny_gguf

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Json: TypeAlias = Any

SECONDS = 120.0

# No server that the developer runs may answer in place of the tests' own.
NO_ENDPOINTS = {
    f"COAI_ENDPOINTS__{name}__ENABLED": "false"
    for name in ("OLLAMA", "LMSTUDIO", "LLAMA_SERVER", "VLLM")
}

# As the command itself puts the two together.
app.add_server("serve", serve.SUMMARY, serve.main)
app.add_server("mcp", mcp.SUMMARY, mcp.main)
app.add_server("acp", acp.SUMMARY, acp.main)


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Json:
        """Its output as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Home:
    """A user's home, as environment variables, and commands that run in it."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict[str, str])

    def __call__(self, *arguments: str, **variables: str) -> Ran:
        """Run `coai` in a process of its own; variables are added to the environment."""
        done = subprocess.run(
            [sys.executable, "-m", "coai_server", *arguments],
            env={**self.environment, **variables},
            cwd=self.folder,
            capture_output=True,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        code = done.returncode
        return Ran(code, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def popen(self, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
        """Start `coai` in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "coai_server", *arguments],
            env={**self.environment, **variables},
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


def home_environment(folder: Path) -> dict[str, str]:
    places = ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA")
    places += tuple(f"XDG_{kind}_HOME" for kind in ("CONFIG", "DATA", "STATE", "CACHE"))
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COAI_", "XDG_", "FORCE_COLOR", "NO_COLOR"))
        and not name.endswith("_API_KEY")
        and name not in ("GITHUB_ACTIONS", "PY_COLORS")
    }
    return {
        **kept,
        **NO_ENDPOINTS,
        **dict.fromkeys(places, str(folder)),
        "COLUMNS": "100",
        "PYTHONUTF8": "1",
    }


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Give a home whose engine runs a model of random weights that looks like Qwen2.5-Coder."""
    folder = tmp_path_factory.mktemp("home")
    # The family is told by the name.
    model = write_tiny_gguf(folder / "qwen2.5-coder-tiny.gguf")
    environment = {
        **home_environment(folder),
        "COAI_ENGINE__MODEL": str(model),
        "COAI_ENGINE__THREADS": "1",
        "COAI_ENGINE__SLOTS": "2",
    }
    return Home(folder, environment)


@pytest.fixture
def own_home(tmp_path: Path) -> Home:
    """Give a home that nobody has used, without a model."""
    return Home(tmp_path, home_environment(tmp_path))


@dataclass
class InProcess:
    """Commands that run in this process, which is quicker where nothing is started."""

    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Ran:
        """Run `coai` here."""
        try:
            code = app.main(arguments)
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        captured = self.capture.readouterr()
        return Ran(code, captured.out, captured.err)


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make this process see an empty home, and be in it."""
    see_only(monkeypatch, home_environment(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def see_only(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    """Make these the environment for a test."""
    for name in [*os.environ]:
        if name not in variables:
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """Give the root logger, and take away what a test adds to it."""
    root = logging.getLogger()
    before, level = [*root.handlers], root.level
    yield root
    for handler in [*root.handlers]:
        if handler not in before:
            root.removeHandler(handler)
            handler.close()
    root.setLevel(level)


@pytest.fixture
def coai(
    empty_home: Path, root_logger: logging.Logger, capfd: pytest.CaptureFixture[str]
) -> InProcess:
    """Run commands in this process, in an empty home."""
    return InProcess(capfd)


@pytest.fixture
def coai_at_home(
    home: Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> InProcess:
    """Run commands in this process, in the home that has an engine; daemons are real processes."""
    see_only(monkeypatch, home.environment)
    monkeypatch.chdir(home.folder)
    return InProcess(capfd)
