from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from coai_routing.settings.loading import LoadedSettings, load
from coai_server.daemon.services import Services
from coai_server.lsp.documents import Documents

if TYPE_CHECKING:
    import pytest


async def test_of_two_changes_of_the_settings_the_later_one_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where reading the earlier one takes longer."""
    services = Services(Documents(), overrides={"engine": {"enabled": False}})
    reading, go_on = threading.Event(), threading.Event()

    def slow_at_first(**layers: Any) -> LoadedSettings:  # noqa: ANN401 (handed on as it is)
        loaded = load(**layers)
        if not reading.is_set():
            reading.set()
            assert go_on.wait(30)
        return loaded

    monkeypatch.setattr("coai_server.daemon.services.load", slow_at_first)
    earlier = asyncio.create_task(services.reconfigure({"completion": {"enabled": True}}))
    await asyncio.to_thread(reading.wait, 30)
    later = asyncio.create_task(services.reconfigure({"completion": {"enabled": False}}))
    # Were the later one read at once, it would have ended by then.
    await asyncio.wait({later}, timeout=0.3)
    go_on.set()
    await asyncio.gather(earlier, later)
    assert not services.settings.completion.enabled
