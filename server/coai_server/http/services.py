"""What lives as long as the server: folders, and for each tenant its models and runs.

Tenants share nothing that is kept: each has a journal of its own, and only the user's own answers
are cached, so that no tenant can find out by how soon an answer comes what another one asked.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from coai_agents.application.roots import Roots
from coai_agents.application.shared.shared_models import Models
from coai_agents.workflows.journal.tables import location
from coai_routing.background import Background
from coai_server.http.problems import RefusedError
from coai_server.http.runs.running import Runs
from coai_server.http.security.principals import OWN_TENANT

if TYPE_CHECKING:
    from coai_server.http.config import Config
    from coai_server.http.security.access_log import AccessLog
    from coai_server.http.security.doorkeeper import Doorkeeper
    from coai_server.http.security.principals import Principal

SETTINGS_SECONDS: Final = 1.0
"""How old settings may be: what the user forbids holds a second later, and reading them costs 7 ms
(benchmarks/http.py)."""
_UNCACHED: Final = {"cache": {"enabled": False}}


class Tenant:
    """What belongs to one tenant."""

    def __init__(self, name: str, config: Config, models: Models) -> None:
        """Open nothing yet."""
        own = name == OWN_TENANT
        journal = location() if own else config.state / "tenants" / name / "runs.sqlite3"
        self.models = models
        self.runs = Runs(journal, models)


class Services:
    """Everything that requests share. Belongs to one event loop."""

    def __init__(self, config: Config, doorkeeper: Doorkeeper, log: AccessLog) -> None:
        """Open nothing yet; raises `PathError` for a root that is no folder."""
        self.config = config
        self.doorkeeper = doorkeeper
        self.log = log
        self.roots = Roots(config.roots)
        self.background = Background()
        self.draining = False
        self._own_models = Models(settings_seconds=SETTINGS_SECONDS)
        # Others may share them, because nothing is kept there: tenants cost a journal each.
        self._guest_models = Models(_UNCACHED, settings_seconds=SETTINGS_SECONDS)
        self._tenants: dict[str, Tenant] = {}

    def tenant(self, name: str) -> Tenant:
        """Return what belongs to a tenant."""
        if name not in self._tenants:
            models = self._own_models if name == OWN_TENANT else self._guest_models
            self._tenants[name] = Tenant(name, self.config, models)
        return self._tenants[name]

    def roots_of(self, principal: Principal) -> Roots:
        """Return the folders that somebody may have looked at; raises `RefusedError` for none."""
        if principal.folders is None:
            return self.roots
        served = self.roots.folders
        mine = [
            each
            for each in principal.folders
            if each.is_dir() and any(each.resolve().is_relative_to(root) for root in served)
        ]
        if not mine:
            raise RefusedError(
                403,
                "no_folder",
                "None of the folders of this key is served.",
                remedy="Start with --root FOLDER, or make a key for a folder that is served.",
            )
        return Roots(mine)

    async def begin(self) -> None:
        """Go on with the runs of the user's own that a killed server left."""
        await self.tenant(OWN_TENANT).runs.take_up_orphans(self.roots.folders)

    def drain(self) -> None:
        """Take note that the server ends: streams end, and their clients go on elsewhere."""
        self.draining = True
        for tenant in self._tenants.values():
            tenant.runs.feeds.end()

    async def aclose(self) -> None:
        """Close everything."""
        self.drain()
        await self.background.settle()
        await asyncio.gather(*(each.runs.aclose() for each in self._tenants.values()))
        await asyncio.gather(self._own_models.aclose(), self._guest_models.aclose())
        self.doorkeeper.close()
        await asyncio.to_thread(self.log.close)
