"""Whoever does the steps of runs that came from elsewhere: with this machine's models and files.

A run says in which folder it works, whether it asks models, and what of its user's privacy settings
holds for it everywhere (`coai_routing.cluster.travelling`). Runs that say the same share models.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from coai_agents.application.models import loaded_models
from coai_agents.plugins.working import workers_of
from coai_agents.specialists.asking import Asker, Wishes
from coai_agents.tools.workspace import rules_of
from coai_agents.workflows.engine.work import StepFailedError
from coai_agents.workflows.workers.profiles import DEFAULT, load_profiles
from coai_routing.cluster.travelling import narrowed_by
from coai_routing.policy.question import Priority
from coai_routing.settings.loading import load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.workflows.definition.schema import Node
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.work import Done, Task, Workers
    from coai_agents.workflows.workers.workers import Places

_SECONDS = 120.0
"""How long one answer may take, where its profile says nothing else."""


@dataclass
class Hands:
    """Gives workers by what runs say; it belongs to one event loop."""

    places: Places
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)
    _made: dict[str, asyncio.Future[Workers]] = field(
        default_factory=dict[str, asyncio.Future["Workers"]]
    )

    def model_of(self, profile: str | None) -> str:
        """Return the name under which what a profile asks is limited."""
        name = profile or DEFAULT
        known = load_profiles(self.places.profiles).get(name)
        return name if known is None or known.alias is None else known.alias

    async def __call__(self, facts: Mapping[str, Json]) -> Workers:
        """Return who does the steps of a run; whoever cannot says so at each step."""
        said = {key: facts.get(key) for key in ("workspace", "models", "alias", "travelling")}
        key = json.dumps(said, sort_keys=True)
        if (made := self._made.get(key)) is None:
            made = self._made[key] = asyncio.ensure_future(self._workers(said))
        try:
            return await asyncio.shield(made)
        except asyncio.CancelledError:
            raise
        except Exception:
            self._made.pop(key, None)
            raise

    async def aclose(self) -> None:
        """Let go of all models."""
        await asyncio.gather(*self._made.values(), return_exceptions=True)
        await self._open.aclose()

    async def _workers(self, said: Mapping[str, Json]) -> Workers:
        workspace = Path(str(said["workspace"] or Path.cwd()))
        if not await asyncio.to_thread(workspace.is_dir):
            return _Absent(f"This worker has no folder {workspace}.")
        travelled: Any = said["travelling"] or {}
        loaded = await asyncio.to_thread(lambda: load(workspace_roots=[workspace]))
        settings = narrowed_by(loaded, travelled)
        asker = Asker()
        if said["models"] is not False:
            models, absent = await self._open.enter_async_context(loaded_models(settings))
            wishes = Wishes(alias=said["alias"], seconds=_SECONDS, priority=Priority.BACKGROUND)
            asker = Asker(await models.routing.router(), why_none=absent, wishes=wishes)
        return workers_of(asker, self.places, workspace, rules=rules_of(settings))


@dataclass(frozen=True, slots=True)
class _Absent:
    """Does nothing, and says why."""

    why: str

    async def do(self, task: Task) -> Done:
        """Raise `StepFailedError`."""
        self._refuse(task)

    def _refuse(self, task: Task) -> NoReturn:
        raise StepFailedError(
            f"{task.step}: {self.why}",
            remedy="Have the same folder under the same path on every worker.",
            again=False,
        )

    def has_effects(self, node: Node) -> bool:
        """Say no."""
        del node
        return False
