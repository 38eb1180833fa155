"""The router of a daemon: built when something is first asked of it, because few ever ask."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coai_routing.assembly import Routing
    from coai_routing.books import Spending
    from coai_routing.discovery import Found
    from coai_routing.fleet import Place
    from coai_routing.router import Router
    from coai_routing.settings import Settings


class RoutingOnDemand:
    """Builds the router once. It belongs to one event loop."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        *,
        found: Callable[[], Sequence[Found]],
        embedded: Callable[[], Sequence[Place]],
    ) -> None:
        self._settings = settings
        self._found = found
        self._embedded = embedded
        self._building = asyncio.Lock()
        self._routing: Routing | None = None

    @property
    def spending(self) -> Spending | None:
        """What was spent as it was last looked at; None where no router was needed yet."""
        return None if self._routing is None else self._routing.books.known

    async def get(self) -> Routing:
        """Return the router with what belongs to it; raises SettingsError for a bad registry."""
        async with self._building:
            if self._routing is None:
                # Imported in a thread, because a keystroke may be waiting for something else.
                await asyncio.to_thread(import_module, "coai_routing.assembly")
                from coai_routing.assembly import open_routing  # noqa: PLC0415 - as above

                self._routing = await open_routing(
                    self._settings, found=self._found, embedded=self._embedded
                )
        return self._routing

    async def router(self) -> Router:
        """Return the router itself."""
        return (await self.get()).router

    async def aclose(self) -> None:
        """Close the router if there is one."""
        async with self._building:
            if self._routing is not None:
                routing, self._routing = self._routing, None
                await routing.aclose()
