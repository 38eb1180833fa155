"""The router as the settings describe it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_routing.policy.bandit import Verdict
from coai_routing.request import Capability
from coai_routing.wiring.assembly import open_routing
from tests.support.settings import settings_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("on", [True, False])
async def test_verdicts_count_only_with_routing_learning(
    *, on: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting is `routing.learning`."""
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    settings = settings_of({"routing": {"learning": on}})
    routing = await open_routing(lambda: settings)
    try:
        routing.learning.note(Capability.PERFORMANCE, "good", Verdict.ACCEPTED)
        assert set(routing.learning.standings(Capability.PERFORMANCE)) == (
            {"good"} if on else set()
        )
    finally:
        await routing.aclose()
