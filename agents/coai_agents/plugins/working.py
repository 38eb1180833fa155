"""Steps that plug-ins do, beside those of ours: what a plan may name, and who does it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from coai_agents.plugins.finding import PluginError, Plugins, Signatures
from coai_agents.plugins.interfaces import Help
from coai_agents.tools.errors import ToolError
from coai_agents.tools.workspace import NOTHING_MORE, Folder
from coai_agents.workflows.definition.schema import AgentNode, ToolNode
from coai_agents.workflows.engine.work import Done, StepFailedError
from coai_agents.workflows.workers.specialists import SPECIALISTS
from coai_agents.workflows.workers.tools import TOOLS, failed
from coai_agents.workflows.workers.workers import LocalWorkers
from coai_routing.pool.place import Place
from coai_routing.privacy.egress import is_loopback, is_trusted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coai_agents.exclusions.decisions import ExclusionRules
    from coai_agents.plugins.finding import Group
    from coai_agents.specialists.asking import Asker
    from coai_agents.workflows.definition.known import Known
    from coai_agents.workflows.definition.schema import Node
    from coai_agents.workflows.engine.work import Task, Workers
    from coai_agents.workflows.reports.report import Report
    from coai_agents.workflows.workers.workers import Places
    from coai_routing.privacy.egress import Egress
    from coai_routing.web.pages import WebPages


def extended(known: Known, plugins: Plugins) -> Known:
    """Return what a plan may name with what plug-ins add; loads none of them."""
    return replace(
        known,
        specialists=Signatures(known.specialists, plugins, "coai.agents"),
        tools=Signatures(known.tools, plugins, "coai.tools"),
    )


def places_of(
    plugins: Plugins, egress: Egress, tell: Callable[[PluginError], None] | None = None
) -> tuple[Place, ...]:
    """Return the model servers that plug-ins speak to; loads those plug-ins.

    One that cannot be loaded is told of and left out; raises its `PluginError` if nobody is told.
    """
    places: list[Place] = []
    for name in plugins.names("coai.providers"):
        try:
            maker = plugins.get("coai.providers", name)
        except PluginError as error:
            if tell is None:
                raise
            tell(error)
            continue
        url = maker.base_url
        local = is_loopback(url) or is_trusted(url, egress.trusted_hosts)
        places.append(Place(name, url, local, connect=partial(maker, egress), bound=(name, egress)))
    return tuple(places)


def formatted(report: Report, plugins: Plugins, name: str) -> str:
    """Return a report in a form of a plug-in's; raises `PluginError`."""
    return str(plugins.get("coai.formatters", name)(report))


@dataclass(frozen=True)
class PluginWorkers:
    """Does the steps of plug-ins; all others do those that did them before."""

    workers: Workers
    plugins: Plugins
    asker: Asker
    workspace: Path
    rules: ExclusionRules = NOTHING_MORE
    """What the settings exclude from all that steps look at."""

    async def do(self, task: Task) -> Done:
        """Do a step; raises `StepFailedError`."""
        match task.node:
            case AgentNode(specialist=str(name)) if name not in SPECIALISTS:
                return await self._done("coai.agents", name, task)
            case ToolNode(tool=name) if name not in TOOLS:
                return await self._done("coai.tools", name, task)
            case _:
                return await self.workers.do(task)

    async def _done(self, group: Group, name: str, task: Task) -> Done:
        if name not in self.plugins.names(group):
            raise StepFailedError(
                f"No installed package offers {name} in {group}.",
                remedy="Install its package here.",
                again=False,
            )
        folder = Folder(self.workspace, self.rules)
        try:
            given = await self.plugins.get(group, name).do(
                dict(task.given), Help(task, folder, self.asker)
            )
        except ToolError as error:
            raise failed(error) from error
        done = given if isinstance(given, Done) else Done(given)
        return replace(done, paths=tuple(sorted({*done.paths, *folder.seen})))

    def has_effects(self, node: Node) -> bool:
        """Say whether doing a node changes something: what a plug-in's agent does, it says."""
        if isinstance(node, AgentNode) and node.specialist and node.specialist not in SPECIALISTS:
            return self.plugins.get("coai.agents", node.specialist).signature.effect == "runs"
        return self.workers.has_effects(node)


def workers_of(
    asker: Asker,
    places: Places,
    workspace: Path,
    *,
    rules: ExclusionRules,
    plugins: Plugins | None = None,
    web: WebPages | None = None,
) -> PluginWorkers:
    """Return who does the steps of runs in a folder, plug-ins that are installed among them.

    `rules` are what the settings exclude: `coai_agents.tools.workspace.rules_of`.
    """
    own = LocalWorkers(asker, places, workspace, web, rules)
    return PluginWorkers(own, plugins or Plugins(workspace), asker, workspace, rules)
