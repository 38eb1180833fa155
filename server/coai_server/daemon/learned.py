"""What the daemon learns of the specialists: which answers were of help, and what solved a problem.

Nothing of it is imported or opened before there is something to keep or to look up, and all files
are read and written in threads.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coai_agents.application.specialists.kept_changes import Fate, KeptChanges
from coai_routing.background import Background
from coai_routing.errors import CoaiError
from coai_routing.request import Capability

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coai_agents.application.specialists.kept_changes import OfferedChange
    from coai_agents.application.specialists.remember import FolderMemory
    from coai_agents.source import Source
    from coai_agents.specialists.asking import Meter
    from coai_agents.specialists.choosing.standings import Given
    from coai_routing.policy.bandit import Verdict
    from coai_routing.settings.schema import Settings
    from coai_routing.wiring.local import LocalModels
    from coai_server.daemon.open_documents import OpenDocuments

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Answering:
    """An answer that is being given: what is told of it when it is there."""

    uri: str
    agent: str
    meter: Meter
    since: float = field(default_factory=time.monotonic)


class Learned:
    """Owns what is learned of agents, and the way to what is remembered of a folder."""

    def __init__(
        self,
        documents: OpenDocuments,
        models: LocalModels,
        settings: Callable[[str], Settings],
    ) -> None:
        """Take the settings of a document by its URI; they must be at hand."""
        self._documents = documents
        self._models = models
        self._settings = settings
        self._background = Background()
        self.changes = KeptChanges(self._became)
        documents.on_change.append(self.changes.changed)
        documents.on_save.append(self.changes.saved)
        documents.on_close.append(self.changes.closed)

    # -------------------------------------------------------------------- answers

    def answering(self, uri: str, agent: str) -> Answering:
        """Begin an answer of an agent."""
        from coai_agents.application.specialists.standing import meter_of  # noqa: PLC0415 - not at the start

        return Answering(uri, agent, meter_of(self._settings(uri)))

    async def answered(self, answering: Answering, *, answered: bool) -> str:
        """Keep what an answer took; return what it is called, empty where nothing is recorded."""
        from coai_agents.application.specialists.standing import keep  # noqa: PLC0415 - as above

        settings = self._settings(answering.uri)
        seconds = time.monotonic() - answering.since
        agent, meter = answering.agent, answering.meter
        try:
            return await asyncio.to_thread(keep, agent, meter, seconds, settings, answered=answered)
        except CoaiError as error:
            logger.warning("%s", error)
            return ""

    async def rate(self, name: str | None, *, helpful: bool) -> list[Given]:
        """Say whether an answer was of help; return it as it was. Raises `StandingsError`."""
        from coai_agents.application.specialists.standing import rate  # noqa: PLC0415 - as above
        from coai_routing.policy.bandit import Verdict  # noqa: PLC0415 - as above

        rated = await asyncio.to_thread(rate, name, helpful=helpful)
        verdict = Verdict.ACCEPTED if helpful else Verdict.REJECTED
        for each in rated:
            # A later word takes the earlier one's place.
            before = () if each.verdict is None else (each.verdict,)
            self._note(each.capability, each.model, verdict, before)
        return rated

    async def past(self, uri: str) -> tuple[Given, ...]:
        """Return the earlier answers by which a team is chosen."""
        from coai_agents.application.specialists.standing import past  # noqa: PLC0415 - as above

        try:
            return await asyncio.to_thread(past, self._settings(uri))
        except CoaiError as error:
            logger.warning("%s", error)
            return ()

    def _note(
        self, capability: str, model: str, verdict: Verdict, before: tuple[Verdict, ...] = ()
    ) -> None:
        """Tell the router's own standings, by which it chooses among equally suited models."""
        if model and capability:
            self._models.routing.note(
                Capability(capability), model, added=(verdict,), withdrawn=before
            )

    # -------------------------------------------------------------------- changes

    def _became(self, change: OfferedChange, fate: Fate) -> None:
        self._background.spawn(self._learn(change, fate), name="learn from a change")

    async def _learn(self, change: OfferedChange, fate: Fate) -> None:
        from coai_agents.application.specialists.standing import keep_fate  # noqa: PLC0415 - as above
        from coai_routing.policy.bandit import Verdict  # noqa: PLC0415 - as above

        verdict = Verdict.KEPT if fate is Fate.KEPT else Verdict.REJECTED
        model = change.by if change.from_model else ""
        capability = (change.capability or Capability.CODE_ANALYSIS.value) if model else ""
        settings = self._settings(change.before.uri)
        try:
            await asyncio.to_thread(keep_fate, change.agent, model, capability, verdict, settings)
        except CoaiError as error:
            logger.warning("%s", error)
        self._note(capability, model, verdict)
        if fate is not Fate.KEPT or change.problem is None:
            return
        memory = await self.memory(change.before)
        if memory is None:
            return
        by = change.by.partition(":")[0]
        try:
            await asyncio.to_thread(memory.solved, change.problem, change.before, change.after, by)
        except CoaiError as error:
            logger.warning("%s", error)

    # --------------------------------------------------------------------- memory

    async def memory(self, source: Source) -> FolderMemory | None:
        """Return what is remembered of a document's folder; None where nothing is to be."""
        if source.path is None:
            return None
        return await asyncio.to_thread(self._memory, source.path, source.uri)

    def _memory(self, path: Path, uri: str) -> FolderMemory | None:
        from coai_agents.application.specialists.remember import memory_of  # noqa: PLC0415 - as above

        around = [
            each.path
            for each in self._documents.folders
            if each.path is not None and path.is_relative_to(each.path)
        ]
        start = max(around, key=lambda each: len(each.parts), default=path.parent)
        return memory_of(path, start, self._settings(uri))

    async def aclose(self) -> None:
        """Wait for what is being written: it is small, and would be lost."""
        await self._background.settle()
