"""The router of a daemon: built when something is first asked of it, because few ever ask."""

from __future__ import annotations

import asyncio
import logging
from importlib import import_module
from typing import TYPE_CHECKING

from coai_routing.background import Background
from coai_routing.errors import BooksError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from coai_routing.policy.bandit import Verdict
    from coai_routing.pool.place import Place
    from coai_routing.pool.pool import ModelPool
    from coai_routing.providers.discovery import Found
    from coai_routing.request import Capability
    from coai_routing.router.router import Router
    from coai_routing.settings.schema import Settings
    from coai_routing.wiring.assembly import Routing

logger = logging.getLogger(__name__)


class RoutingOnDemand:
    """Builds the router once. It belongs to one event loop."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        *,
        found: Callable[[], Sequence[Found]],
        embedded: Callable[[], Sequence[Place]],
        pool: ModelPool,
    ) -> None:
        self._settings = settings
        self._found = found
        self._embedded = embedded
        self._pool = pool
        self._building = asyncio.Lock()
        self._routing: Routing | None = None
        self._background = Background()

    async def get(self) -> Routing:
        """Return the router with what belongs to it; raises SettingsError for a bad registry."""
        async with self._building:
            if self._routing is None:
                # Imported in a thread, because a keystroke may be waiting for something else.
                await asyncio.to_thread(import_module, "coai_routing.wiring.assembly")
                from coai_routing.wiring.assembly import open_routing  # noqa: PLC0415 - as above

                self._routing = await open_routing(
                    self._settings, found=self._found, embedded=self._embedded, pool=self._pool
                )
        return self._routing

    async def router(self) -> Router:
        """Return the router itself."""
        return (await self.get()).router

    def note(
        self,
        capability: Capability,
        alias: str,
        *,
        added: Iterable[Verdict],
        withdrawn: Iterable[Verdict] = (),
    ) -> None:
        """Remember verdicts on an answer of the router's; they are written in a thread."""
        if self._routing is not None:
            self._background.spawn(
                self._write(self._routing, capability, alias, (*added,), (*withdrawn,)),
                name="keep a verdict",
            )

    async def _write(
        self,
        routing: Routing,
        capability: Capability,
        alias: str,
        added: tuple[Verdict, ...],
        withdrawn: tuple[Verdict, ...],
    ) -> None:
        try:
            await asyncio.to_thread(
                routing.learning.note, capability, alias, *added, withdrawn=withdrawn
            )
        except BooksError as error:
            logger.warning("A verdict was not kept. %s", error)

    async def aclose(self) -> None:
        """Close the router if there is one."""
        await self._background.settle()
        async with self._building:
            if self._routing is not None:
                routing, self._routing = self._routing, None
                await routing.aclose()
