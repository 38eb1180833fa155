"""A repository whose owner wants to harm who opens it, and the commands as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS = 120.0

COAI = Path(sys.executable).with_name("coai.exe" if sys.platform == "win32" else "coai")
"""The command as it is installed."""

BAD = "import os\nfrom flask import request\n\nc = request.args['c']\nos.system('ls ' + c)\n"
"""A file that has a finding."""


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str


class HostileRepository:
    """A folder to which traps are added; whatever of it is run leaves its name in `sprung`."""

    def __init__(self, around: Path) -> None:
        self.folder = around / "repository"
        self.folder.mkdir()
        self.home = around / "home"
        self.home.mkdir()
        self._mark = around / "sprung"

    @property
    def sprung(self) -> set[str]:
        """The traps that were run."""
        return set(self._mark.read_text().split()) if self._mark.exists() else set()

    def write(self, name: str, text: str = BAD) -> Path:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def trap_modules(self, *but: str) -> None:
        """Add a module for each one that Python or an installed package has, but for some."""
        ours = {"coai_server", "coai_agents", "coai_routing", "sitecustomize", "usercustomize"}
        installed = {*sys.stdlib_module_names, *packages_distributions(), *ours}
        for name in installed - set(but):
            if not name.isidentifier():
                continue
            trap = f"with open({str(self._mark)!r}, 'a') as f:\n    f.write('{name}\\n')\n"
            # Both forms: a package comes before a module of the same name.
            self.write(f"{name}/__init__.py", trap)
            self.write(f"{name}.py", trap)

    def command(self, name: str) -> str:
        """Return a shell command that is a trap."""
        return f"echo {name} >> '{self._mark}'; cat"

    def program(self, path: str) -> Path:
        """Add a program that is a trap."""
        script = self.write(path, f"#!/bin/sh\n{self.command(path)}\n")
        script.chmod(0o755)
        return script

    def environment(self, **more: str) -> dict[str, str]:
        """Return a user's environment with a home of its own."""
        places = ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA")
        places += tuple(f"XDG_{kind}_HOME" for kind in ("CONFIG", "DATA", "STATE", "CACHE"))
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("COAI_", "GIT_", "PYTHONSAFEPATH"))
        }
        return {
            **kept,
            **dict.fromkeys(places, str(self.home)),
            "COAI_ENGINE__ENABLED": "false",
            **more,
        }

    def coai(self, *arguments: str, **environment: str) -> Ran:
        """Run `coai` in the repository, as who has installed it does."""
        return self.run((str(COAI), *arguments), **environment)

    def run(self, command: Sequence[str], **environment: str) -> Ran:
        """Run a command in the repository."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode("utf-8", "replace"))
