"""What a plug-in offers, each under a name of its own in one of four groups of entry points.

A plug-in is a program that the user installed: it runs in the process of whoever carries a run out
and may do what that may. What is here keeps it from doing harm by mistake, not by intent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from coai_agents.specialists.asking import NobodyError, Prompt
from coai_agents.workflows.engine.work import StepFailedError
from coai_routing.request import Capability

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.specialists.asking import Asker, Said
    from coai_agents.tools.workspace import Folder
    from coai_agents.workflows.definition.known import Signature
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.engine.work import Done, Task
    from coai_agents.workflows.reports.report import Report
    from coai_routing.privacy.egress import Egress
    from coai_routing.providers.base import Provider


@dataclass(frozen=True)
class Help:
    """What a plug-in's agent or tool has at hand during one attempt at a step."""

    task: Task
    folder: Folder
    """The workspace: files that are read of it count as seen, and their privacy rules hold."""
    _asker: Asker

    async def ask(self, task: str, about: str, *, max_tokens: int = 700) -> Said:
        """Ask a model by the router, which decides what may leave the machine.

        `task` is in the plug-in's words, `about` is data. Raises `StepFailedError` where nobody
        can answer.
        """
        prompt = Prompt(
            Capability.CODE_ANALYSIS,
            task,
            about,
            max_tokens=max_tokens,
            paths=tuple(sorted({*self.task.paths, *self.folder.seen})),
        )
        try:
            return await self._asker.wishing(here=self.task.sensitive).say(prompt)
        except NobodyError as error:
            raise StepFailedError(error.message, remedy=error.remedy) from error


class Agent(Protocol):
    """Does steps of the kind `agent` whose `specialist` is its name (`coai.agents`)."""

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""
        ...

    async def do(self, given: Mapping[str, Json], helping: Help) -> Json | Done:
        """Do a step: JSON, or a `Done` that says more; raises `StepFailedError`.

        It may be cancelled at any time, and is asked again after a crash.
        """
        ...


class Tool(Protocol):
    """Does steps of the kind `tool` whose `tool` is its name (`coai.tools`)."""

    @property
    def signature(self) -> Signature:
        """What it takes and gives, and its effect: `none` or `reads`, as of all tools."""
        ...

    async def do(self, given: Mapping[str, Json], helping: Help) -> Json:
        """Do a step; raises `StepFailedError`."""
        ...


class Formatter(Protocol):
    """Writes the report of a run in a form of its own (`coai.formatters`)."""

    def __call__(self, report: Report) -> str:
        """Return the text. What models and files said stands in the report as it is."""
        ...


class ProviderMaker(Protocol):
    """Makes what speaks to a model server (`coai.providers`).

    Its name is the endpoint of its models in `models.toml`.
    """

    @property
    def base_url(self) -> str:
        """Where the server is; what may go there is decided on it."""
        ...

    def __call__(self, egress: Egress) -> Provider:
        """Return a provider that calls `egress.check` last before bytes go out."""
        ...


Plugin = Any
"""One of these."""
