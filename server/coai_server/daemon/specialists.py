"""What the editor's features ask specialists by: a way to a model, and explanations that are kept.

Nothing of it is imported or built before somebody asks: most hovers, and all completions, need no
specialist.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING

from coai_agents.exclusions.decisions import path_to_judge
from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_agents.completion.egress_gate import PrivacyEgressGate
    from coai_agents.exclusions.decisions import Exclusions
    from coai_agents.source import Source
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.explaining.kept import Explanations
    from coai_routing.settings.schema import Settings
    from coai_routing.wiring.local import LocalModels

_HEAVY = (
    "coai_agents.specialists.asking",
    "coai_agents.specialists.explaining.kept",
    "coai_routing.wiring.assembly",
)


class Specialists:
    """Owns the explanations, and says whom a specialist may ask about a document."""

    def __init__(
        self,
        models: LocalModels,
        egress_gate: PrivacyEgressGate,
        exclusions: Exclusions,
        settings: Callable[[str], Settings],
    ) -> None:
        """Take the models, what judges documents, and a document's settings by its URI."""
        self._models = models
        self._egress_gate = egress_gate
        self._exclusions = exclusions
        self._settings = settings
        self._explanations: Explanations | None = None
        self._building = asyncio.Lock()

    async def asker(
        self, source: Source, *, here: bool = False, background: bool = False
    ) -> tuple[Asker, bool]:
        """Return whom to ask about a document, and whether anything in it is sensitive.

        With `here`, and for whatever the document's own settings keep on this machine, that is
        nobody elsewhere. In the background, whoever waits for an answer goes first.
        """
        await self._imported()
        from coai_agents.specialists.asking import Asker, Wishes  # noqa: PLC0415 - not at the start
        from coai_routing.policy.question import Priority  # noqa: PLC0415 - as above

        if (refused := self._refusal(source)) is not None:
            return Asker(why_none=f"No model may see this file. {refused}"), True
        sensitive = bool(await self._egress_gate.sensitivity(source))
        stays = here or sensitive or not self._settings(source.uri).routing.allow_cloud
        wishes = Wishes(
            priority=Priority.BACKGROUND if background else Priority.INTERACTIVE, here=stays
        )
        try:
            router = await self._models.routing.router()
        except CoaiError as error:
            return Asker(why_none=str(error)), sensitive
        return Asker(router, wishes=wishes), sensitive

    def _refusal(self, source: Source) -> str | None:
        """Return why no model may see a document, not even one on this machine."""
        path = path_to_judge(source.uri)
        refusal = None if path is None else self._exclusions.refusal(path, "completion")
        # Who does not want completions somewhere may still want to understand what is there.
        if refusal is None or refusal.file == "completion.exclude":
            return None
        return refusal.sentence

    async def explanations(self) -> Explanations:
        """Return the explanations that are kept."""
        async with self._building:
            if self._explanations is None:
                await self._imported()
                from coai_agents.specialists.explaining.kept import (  # noqa: PLC0415 - as above
                    Explanations,
                )
                from coai_routing.wiring.assembly import (  # noqa: PLC0415 - as above
                    explanation_store,
                )

                self._explanations = Explanations(explanation_store(self._settings("")))
        return self._explanations

    async def _imported(self) -> None:
        # In a thread, because a keystroke may be waiting for something else.
        for module in _HEAVY:
            await asyncio.to_thread(import_module, module)

    async def aclose(self) -> None:
        """Stop what is under way."""
        if self._explanations is not None:
            await self._explanations.aclose()
