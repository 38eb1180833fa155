"""How the engine's process is started."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from coai_routing.engine.launch import spawn_host
from coai_routing.engine.record import HostFiles, HostSpec
from coai_routing.engine.state import EngineOptions

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import Popen


def _environment(child: Popen[bytes]) -> dict[str, str]:
    """A process's variables, which Linux shows as none while it is still being set up."""
    process = psutil.Process(child.pid)
    while child.poll() is None:
        if variables := process.environ():
            return variables
    raise AssertionError(f"The process ended with {child.returncode} before it could be looked at.")


@pytest.mark.skipif(sys.platform != "linux", reason="libgomp is only there")
@pytest.mark.parametrize(("chosen", "policy"), [(None, "passive"), ("active", "active")])
def test_its_threads_sleep_while_they_wait_unless_the_user_says_otherwise(
    chosen: str | None, policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if chosen is None:
        monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    else:
        monkeypatch.setenv("OMP_WAIT_POLICY", chosen)
    spec = HostSpec(
        model=tmp_path / "none.gguf", options=EngineOptions(), directory=tmp_path, key="k"
    )
    child = spawn_host(spec, HostFiles(tmp_path, spec.key))
    try:
        assert _environment(child)["OMP_WAIT_POLICY"] == policy
    finally:
        child.kill()
        child.wait()
