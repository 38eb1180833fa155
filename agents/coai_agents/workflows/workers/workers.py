"""Whoever does the steps of runs: models through the router, specialists, tools, scripts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from coai_agents.tools.errors import ToolError
from coai_agents.tools.tool import Bench
from coai_agents.tools.web import RoutedWeb
from coai_agents.tools.workspace import NOTHING_MORE, Folder
from coai_agents.workflows.definition.known import Known
from coai_agents.workflows.definition.schema import AgentNode, DispatchNode, ScriptNode, ToolNode
from coai_agents.workflows.engine.work import Done, StepFailedError
from coai_agents.workflows.workers.agents import ask
from coai_agents.workflows.workers.profiles import DEFAULT, load_profiles
from coai_agents.workflows.workers.roles import roles
from coai_agents.workflows.workers.scripts import run_script, scripts_in
from coai_agents.workflows.workers.specialists import SPECIALISTS, consult
from coai_agents.workflows.workers.tools import TOOLS, failed, use_tool

if TYPE_CHECKING:
    from pathlib import Path

    from coai_agents.exclusions.decisions import ExclusionRules
    from coai_agents.specialists.asking import Asker
    from coai_agents.workflows.definition.schema import Node
    from coai_agents.workflows.engine.work import Task
    from coai_routing.web.pages import WebPages


@dataclass(frozen=True, slots=True)
class Places:
    """Where the user's own things are: beside the user's settings file."""

    own: Path

    @property
    def profiles(self) -> Path:
        """The user's model profiles."""
        return self.own / "profiles.toml"

    @property
    def scripts(self) -> Path:
        """The user's scripts."""
        return self.own / "scripts"

    @property
    def ensembles(self) -> Path:
        """The user's plans."""
        return self.own / "ensembles"


def known_of(places: Places) -> Known:
    """Return all that a plan of this user may name, but other plans."""
    return Known(
        profiles=frozenset(load_profiles(places.profiles)),
        roles=frozenset(roles()),
        specialists=SPECIALISTS,
        tools=TOOLS,
        scripts=scripts_in(places.scripts),
    )


@dataclass
class LocalWorkers:
    """Does steps in this process; models are asked where the router says."""

    asker: Asker
    places: Places
    workspace: Path
    web: WebPages | None = None
    """None where the user has not switched the web on."""
    rules: ExclusionRules = NOTHING_MORE
    """What the settings exclude from all that steps look at."""

    def __post_init__(self) -> None:
        """Read the user's profiles; raises SettingsError for wrong ones."""
        self._profiles = load_profiles(self.places.profiles)

    async def do(self, task: Task) -> Done:
        """Do a step; raises `StepFailedError`."""
        folder = Folder(self.workspace, self.rules)
        try:
            done = await self._done(task, folder)
        except ToolError as error:
            raise failed(error) from error
        return replace(done, paths=tuple(sorted(folder.seen)))

    async def _done(self, task: Task, folder: Folder) -> Done:
        node = task.node
        match node:
            case AgentNode(specialist=str(name)):
                profile = self._profiles[task.profile or DEFAULT]
                wishing = self.asker.wishing(here=task.sensitive, tier=profile.tier)
                return await consult(name, task.given, folder, wishing)
            case AgentNode() | DispatchNode():
                return await ask(task, self._profiles, folder, self.asker)
            case ToolNode():
                command = str(task.facts.get("test") or "")
                bench = Bench(folder, command, self._web(task))
                return Done(await use_tool(node.tool, task.given, bench))
            case ScriptNode():
                if node.script not in scripts_in(self.places.scripts):
                    raise StepFailedError(f"There is no script {node.script}.", again=False)
                path = self.places.scripts / node.script
                return await run_script(path, task.given, key=task.key, seconds=node.timeout)
            case _:
                raise StepFailedError(f"A {node.kind} is no work.", again=False)

    def _web(self, task: Task) -> RoutedWeb | None:
        """Return the web for a step: what its run has looked at decides what may leave."""
        if self.web is None:
            return None
        from coai_routing.web.pages import Asking  # noqa: PLC0415 - not where the web is off

        return RoutedWeb(self.web, Asking(tuple(sorted(task.paths)), task.sensitive))

    def has_effects(self, node: Node) -> bool:
        """Say whether doing a node changes something: what a script does, nobody knows."""
        if isinstance(node, ToolNode):
            return node.tool in TOOLS and TOOLS[node.tool].effect in ("runs", "sends")
        return isinstance(node, ScriptNode)
