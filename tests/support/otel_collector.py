"""A real OpenTelemetry collector: the one on the path, or one that is built once from its modules.

`collector/` beside this has its few lines and the pinned modules. Building it takes minutes, so it
is done where E2E_TESTS is set, as in CI, and kept in the user's cache by its sources' hash.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import platformdirs
import pytest

SOURCES: Final = Path(__file__).with_name("collector")
_BUILD_SECONDS: Final = 1_200


def collector_program() -> Path:
    """Return the collector's program, or skip the test."""
    if (found := shutil.which("otelcol")) is not None:
        return Path(found)
    digest = hashlib.sha256()
    for path in sorted(SOURCES.iterdir()):
        digest.update(path.read_bytes())
    folder = platformdirs.user_cache_path("coai-e2e", appauthor=False)
    program = folder / f"otelcol-{digest.hexdigest()[:12]}"
    if program.is_file():
        return program
    if not os.environ.get("E2E_TESTS"):
        pytest.skip("otelcol is not on the path, and building one takes minutes: set E2E_TESTS=1")
    if (go := shutil.which("go")) is None:
        pytest.skip("otelcol is not on the path, and there is no Go to build one")
    folder.mkdir(parents=True, exist_ok=True)
    draft = program.with_suffix(f".{os.getpid()}")
    built = subprocess.run(
        [go, "build", "-trimpath", "-ldflags=-s -w", "-o", str(draft), "."],
        cwd=SOURCES,
        capture_output=True,
        text=True,
        timeout=_BUILD_SECONDS,
        check=False,
    )
    if built.returncode:
        # Its modules come from the network, which no test of ours is about.
        pytest.skip(f"otelcol could not be built: {built.stderr.strip()[-200:]}")
    draft.replace(program)
    return program
