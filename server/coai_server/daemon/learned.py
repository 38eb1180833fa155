"""What the daemon learns of the specialists: which answers were of help, and what solved a problem.

Nothing of it is imported or opened before there is something to keep or to look up, and all files
are read and written in threads.
"""

from __future__ import annotations

import asyncio
import logging
import random
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
        self._dice = random.Random()  # noqa: S311 - a share of requests, not a key
        self._background = Background()
        self.changes = KeptChanges(self._became)
        documents.on_change.append(self.changes.changed)
        documents.on_save.append(self.changes.saved)
        documents.on_close.append(self.changes.closed)

    # -------------------------------------------------------------------- answers

    def answering(self, uri: str, agent: str) -> Answering:
        """Begin an answer; now and then the challenger is asked first, by the settings' share."""
        from coai_agents.specialists.asking import Meter  # noqa: PLC0415 - not at the start

        wanted = self._settings(uri).agents.challenger
        chosen = wanted.model and self._dice.random() < wanted.share
        return Answering(uri, agent, Meter(challenger=wanted.model or "" if chosen else ""))

    async def answered(self, answering: Answering, *, answered: bool) -> str:
        """Keep what an answer took; return what it is called, empty where nothing is recorded."""
        from coai_agents.specialists.choosing.standings import Given  # noqa: PLC0415 - as above

        meter = answering.meter
        given = Given(
            answering.agent,
            meter.capability,
            meter.model,
            time.monotonic() - answering.since,
            meter.usd,
            answered,
            meter.by_challenger,
        )
        return await self._kept(answering.uri, given)

    async def rate(self, name: str | None, *, helpful: bool) -> Given:
        """Say whether an answer was of help; raises `StandingsError`."""
        from coai_agents.specialists.choosing.standings import Standings, location  # noqa: PLC0415 - as above
        from coai_routing.policy.bandit import Verdict  # noqa: PLC0415 - as above

        given = await asyncio.to_thread(Standings(location()).rate, name, helpful=helpful)
        self._note(given, Verdict.ACCEPTED if helpful else Verdict.REJECTED)
        return given

    def _note(self, given: Given, verdict: Verdict) -> None:
        """Tell the router's own standings, by which it chooses among equally suited models."""
        if given.model and given.capability:
            # A later word takes the earlier one's place.
            withdrawn = () if given.verdict is None else (given.verdict,)
            self._models.routing.note(
                Capability(given.capability), given.model, added=(verdict,), withdrawn=withdrawn
            )

    async def _kept(self, uri: str, given: Given) -> str:
        from coai_agents.specialists.choosing.standings import Standings, location  # noqa: PLC0415 - as above

        if not self._settings(uri).ledger.enabled:
            return ""
        try:
            return await asyncio.to_thread(Standings(location()).keep, given)
        except CoaiError as error:
            logger.warning("%s", error)
            return ""

    # -------------------------------------------------------------------- changes

    def _became(self, change: OfferedChange, fate: Fate) -> None:
        self._background.spawn(self._learn(change, fate), name="learn from a change")

    async def _learn(self, change: OfferedChange, fate: Fate) -> None:
        from coai_agents.specialists.choosing.standings import Given  # noqa: PLC0415 - as above
        from coai_routing.policy.bandit import Verdict  # noqa: PLC0415 - as above

        verdict = Verdict.KEPT if fate is Fate.KEPT else Verdict.REJECTED
        model = change.by if change.from_model else ""
        given = Given(
            change.agent,
            Capability.CODE_ANALYSIS.value if model else "",
            model,
            verdict=verdict,
        )
        await self._kept(change.before.uri, given)
        self._note(Given(change.agent, given.capability, model), verdict)
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
