"""Virtual environments of frameworks, each with its own locked requirements, made by uv.

They are kept in `.integrations/` of the checkout, and made anew where their lock has changed. After
a change of `environments/NAME.in`:

    python3 -m uv pip compile NAME.in --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --exclude-newer DATE --output-file NAME.txt
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

LOCKS: Final = Path(__file__).with_name("environments")
KEPT: Final = Path(__file__).parents[2] / ".integrations"


def python_of(name: str) -> Path:
    """Return the Python of an environment, which is made if it is not there as its lock says."""
    lock = LOCKS / f"{name}.txt"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    folder = KEPT / name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    made = folder / "lock.sha256"
    if made.is_file() and made.read_text() == digest:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    uv = _uv()
    subprocess.run([*uv, "venv", "--quiet", "--python", "3.11", str(folder)], check=True)
    install = ["pip", "install", "--quiet", "--require-hashes", "--python", str(python)]
    subprocess.run([*uv, *install, "-r", str(lock)], check=True)
    made.write_text(digest)
    return python


def _uv() -> list[str]:
    if found := shutil.which("uv"):
        return [found]
    # In CI it is a package of the Python that made this project's environment.
    for name in ("python3", "python"):
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            python = Path(folder, name)
            if (
                python.is_file()
                and subprocess.run(
                    [python, "-m", "uv", "--version"], capture_output=True, check=False
                ).returncode
                == 0
            ):
                return [str(python), "-m", "uv"]
    if os.environ.get("CI") == "true":
        raise FileNotFoundError("uv is not there, and makes the environments")
    pytest.skip("uv is not there, and makes the environments")
