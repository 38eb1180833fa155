"""The editors that the tests need: where they are, and for VS Code how it gets there.

`python -m tests.e2e.tools` installs VS Code (code-server, which serves it to a browser) and the
Node.js that it needs into the user's cache, as `tools/package-lock.json` pins them. Chromium and
Neovim come from the system's packages. The tests in a browser run where E2E_TESTS is set, because
they take minutes; then a missing tool is a failure. Else tests are skipped with the reason.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import platformdirs
import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
EXTENSION: Final = ROOT / "editor-extension"

_PINS: Final = Path(__file__).with_name("tools")
_WANTED: Final = "E2E_TESTS"
_INSTALL: Final = "Run `python -m tests.e2e.tools`."
_ATTEMPTS: Final = 3
"""A registry that does not answer for a moment need not end the installation."""
_PAUSE_SECONDS: Final = 5.0
_NATIVE: Final = ("@vscode/spdlog", "node-pty", "@vscode/native-watchdog")
"""Native modules without which the editor's server does not start. They are compiled here, because
their ready-made binaries are not in the registry."""


@dataclass(frozen=True)
class VsCode:
    """VS Code as a web application."""

    node: Path
    server: Path
    chromium: Path


def missing(reason: str) -> NoReturn:
    """Skip the test because a tool is missing; where it has to be there, fail."""
    if os.environ.get(_WANTED):
        pytest.fail(reason)
    pytest.skip(reason)


def vs_code() -> VsCode:
    """Return VS Code and a browser for it, or skip the test."""
    if not os.environ.get(_WANTED):
        pytest.skip(f"It takes minutes: set {_WANTED}=1 to have it run.")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        missing("There is no Chromium: install the package chromium.")
    folder = _folder()
    if not (folder / "complete").is_file():
        missing(f"code-server is not installed. {_INSTALL}")
    return VsCode(_node(folder), _code_server(folder) / "out" / "node" / "entry.js", Path(chromium))


def program(name: str, package: str) -> Path:
    """Return a program of the system's packages, or skip the test."""
    found = shutil.which(name)
    if found is None:
        missing(f"There is no {name}: install the package {package}.")
    return Path(found)


def _folder() -> Path:
    pins = hashlib.sha256((_PINS / "package-lock.json").read_bytes())
    return platformdirs.user_cache_path("coai-e2e", appauthor=False) / pins.hexdigest()[:12]


def _node(folder: Path) -> Path:
    return folder / "node_modules" / "node" / "bin" / "node"


def _code_server(folder: Path) -> Path:
    return folder / "node_modules" / "code-server"


def install() -> None:
    """Install code-server, unless what is pinned is there already."""
    folder = _folder()
    if (folder / "complete").is_file():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(_PINS / name, folder)
    # Only Node.js may run its script: those of code-server want to build far more than is needed.
    _npm(folder, ["ci", "--ignore-scripts"])
    _npm(folder, ["rebuild", "node"])
    path = f"{_node(folder).parent}{os.pathsep}{os.environ['PATH']}"
    # node-gyp would fetch the headers from Node.js's own site; its package brings them.
    headers = next((folder / "node_modules" / "node" / "node_modules").glob("node-*/include"))
    variables = {**os.environ, "PATH": path, "npm_config_nodedir": str(headers.parent)}
    editor = _code_server(folder) / "lib" / "vscode"
    _npm(editor, ["install", "--omit=dev", "--ignore-scripts"], variables)
    _npm(editor, ["rebuild", *_NATIVE], variables)
    _npm(editor / "extensions", ["install", "--omit=dev", "--ignore-scripts"], variables)
    (folder / "complete").touch()


def _npm(
    folder: Path, arguments: Sequence[str], variables: Mapping[str, str] | None = None
) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("There is no npm: install Node.js 20 or newer.")
    command = [npm, "--no-audit", "--no-fund", "--loglevel=error", *arguments]
    said = ""
    for attempt in range(1, _ATTEMPTS + 1):
        ended = subprocess.run(command, cwd=folder, env=variables, check=False)
        if ended.returncode == 0:
            return
        said = f"`npm {' '.join(arguments)}` in {folder} ended with code {ended.returncode}"
        if attempt < _ATTEMPTS:
            sys.stderr.write(f"{said}; once more.\n")
            time.sleep(_PAUSE_SECONDS)
    raise SystemExit(
        f"{said}, {_ATTEMPTS} times. The tests in a browser need it: they need a package registry, "
        "and a C++ compiler, make and Python for the native modules."
    )


if __name__ == "__main__":
    install()
    sys.stdout.write(f"code-server is in {_folder()}.\n")
