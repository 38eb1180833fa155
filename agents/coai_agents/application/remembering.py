"""What a folder's memory says of a document, and what of a change goes into it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coai_agents.memory.episodes import episode_of, remembered
from coai_agents.memory.facts import facts_for
from coai_agents.memory.keeping import Keeper
from coai_agents.memory.store import Memory, location
from coai_agents.specialists.answers import Origin, Place, Statement
from coai_routing.processes import workspace_around
from coai_routing.wiring.configured_routing import sensitivity_rules

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from coai_agents.memory.store import Fact
    from coai_agents.source import Source
    from coai_agents.specialists.diagnosing.problems import Problem
    from coai_agents.specialists.fixing.candidates import Candidate
    from coai_routing.settings.schema import Settings


def folder_of(path: Path, start: Path) -> Path:
    """Return the folder that a file's memories are kept under: its repository, or `start`.

    `start` is where the user works: the current folder, or the workspace's.
    """
    whole = path.absolute()
    here = start if whole.is_relative_to(start) else whole.parent
    found = workspace_around(here)
    return found if found is not None and whole.is_relative_to(found) else here


@dataclass(frozen=True, slots=True)
class FolderMemory:
    """The memory as it concerns one folder; every method reads or writes a file."""

    memory: Memory
    folder: Path
    keeper: Keeper

    @classmethod
    def of(cls, path: Path, start: Path, settings: Settings) -> FolderMemory | None:
        """Return a file's memory; None where its settings have switched it off."""
        if not settings.memory.enabled:
            return None
        memory = Memory(location())
        return cls(memory, folder_of(path, start), Keeper(memory, sensitivity_rules(settings)))

    def recall(self, source: Source, problem: Problem) -> Iterable[Candidate]:
        """Return the changes that solved such a problem here before, each with its proof."""
        return remembered(self.memory, str(self.folder), source, problem)

    def solved(self, problem: Problem, before: Source, after: Source, by: str) -> bool:
        """Remember a change that the user has kept; say whether it is.

        It is not where it is too much for one problem, or where something in it is sensitive.
        """
        path = before.path
        if path is None or not path.is_relative_to(self.folder):
            return False
        where = (str(self.folder), path.relative_to(self.folder).as_posix())
        episode = episode_of(where, problem, (before, after), by, "user")
        return episode is not None and self.keeper.episode(episode)

    def facts(self, question: str) -> list[Statement]:
        """Return what is remembered of the folder that a question touches, with its places."""
        return [_said(fact) for fact in facts_for(self.memory, self.folder, question)]


def _said(fact: Fact) -> Statement:
    origin = Origin.FACT if fact.path else Origin.USER
    places = (Place(fact.path, fact.line),) if fact.path else ()
    return Statement(fact.text, origin, fact.kind, places)
