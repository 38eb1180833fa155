"""What is remembered of a folder: kept where it may be, recalled where it helps.

Whether there is a memory at all is the settings' to say (`memory.enabled`), whether a thing may be
kept the user's rules of what is sensitive. What is there can be seen and forgotten always.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from coai_agents.application.sources import files_of, readable
from coai_agents.memory.episodes import episode_of, remembered
from coai_agents.memory.facts import facts_for, gathered, user_s
from coai_agents.memory.keeping import Keeper
from coai_agents.memory.store import Memory, location
from coai_agents.specialists.answers import Origin, Place, Statement
from coai_agents.specialists.fixing.agent import nothing
from coai_routing.errors import CoaiError
from coai_routing.processes import workspace_around
from coai_routing.wiring.configured_routing import sensitivity_rules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coai_agents.memory.store import Fact
    from coai_agents.source import Source
    from coai_agents.specialists.diagnosing.problems import Problem
    from coai_agents.specialists.fixing.agent import Fixing, Recall
    from coai_agents.specialists.fixing.candidates import Candidate
    from coai_agents.specialists.targets import Target
    from coai_routing.settings.schema import Settings

MOST_FILES: Final = 2_000
"""Files of a folder that conventions and words are read from."""


def folder_of(path: Path, here: Path) -> Path:
    """Return the folder that a file's memories are kept under: its repository, or this one."""
    whole = path.absolute()
    start = here if whole.is_relative_to(here) else whole.parent
    found = workspace_around(start)
    return found if found is not None and whole.is_relative_to(found) else start


def memory() -> Memory:
    """Return all that is remembered, whether or not anything is added to it now."""
    return Memory(location())


def recall(folder: Path, settings: Settings) -> Recall:
    """Return what gives the changes that solved problems before, in a folder."""
    if not settings.memory.enabled:
        return nothing
    kept = memory()
    return lambda source, problem: remembered(kept, str(folder), source, problem)


def facts_about(folder: Path, question: str, settings: Settings) -> list[Statement]:
    """Return what is remembered of a folder that a question touches, with its places."""
    if not settings.memory.enabled:
        return []
    return [
        Statement(
            fact.text,
            Origin.FACT if fact.path else Origin.USER,
            fact.kind,
            (Place(fact.path, fact.line),) if fact.path else (),
        )
        for fact in facts_for(memory(), folder, question)
    ]


@dataclass(frozen=True, slots=True)
class FolderMemory:
    """What is remembered of one folder, for an editor; every method reads or writes a file."""

    folder: Path
    settings: Settings

    def recall(self, source: Source, problem: Problem) -> Iterable[Candidate]:
        """Return the changes that solved such a problem here before, each with its proof."""
        return recall(self.folder, self.settings)(source, problem)

    def facts(self, question: str) -> list[Statement]:
        """Return what is remembered of the folder that a question touches, with its places."""
        return facts_about(self.folder, question, self.settings)

    def solved(self, problem: Problem, before: Source, after: Source, by: str) -> bool:
        """Remember a change that the user has kept; say whether it is. Raises `CoaiError`.

        It is not where it is too much for one problem, or where something in it is sensitive.
        """
        path = before.path
        if path is None or not path.is_relative_to(self.folder):
            return False
        where = (str(self.folder), path.relative_to(self.folder).as_posix())
        episode = episode_of(where, problem, (before, after), by, "user")
        keeper = Keeper(memory(), sensitivity_rules(self.settings))
        return episode is not None and keeper.episode(episode)


def memory_of(path: Path, start: Path, settings: Settings) -> FolderMemory | None:
    """Return what is remembered where a file is; None where its settings have switched it off."""
    return FolderMemory(folder_of(path, start), settings) if settings.memory.enabled else None


def listed(folder: str | None) -> list[dict[str, Any]]:
    """Return what is remembered of a folder, or of all, what held most often first."""
    kept = memory()
    solutions = (("e", each, "solution", each.title, each.used) for each in kept.episodes(folder))
    facts = (("f", each, each.kind, each.text, 0) for each in kept.facts(folder))
    return [
        {
            "id": f"{letter}{each.id}",
            "kind": kind,
            "text": text,
            "place": each.path,
            "at": datetime.fromtimestamp(each.at, UTC).isoformat(timespec="seconds"),
            "used": used,
        }
        for letter, each, kind, text, used in (*solutions, *facts)
    ]


def forget(names: Iterable[str]) -> int:
    """Delete what is named as `listed` has it; return how many there were."""
    numbers = {
        kind: [int(each[1:]) for each in names if each[:1] == kind and each[1:].isdecimal()]
        for kind in "ef"
    }
    return memory().forget(episodes=numbers["e"], facts=numbers["f"])


def keep_facts(facts: list[Fact], settings: Settings) -> list[Fact]:
    """Remember facts; return those that may be kept, which what is sensitive may not.

    Raises `CoaiError` where nothing is remembered.
    """
    if not settings.memory.enabled:
        raise CoaiError(
            "Nothing is remembered, because `memory.enabled` is off.",
            remedy="Switch it on: `coai config show memory.enabled` says where it is set.",
        )
    return Keeper(memory(), sensitivity_rules(settings)).facts(facts)


def keep_solution(
    path: Path, folder: Path, state: Fixing, settings: Settings, *, written: bool
) -> None:
    """Remember what a test passed with, or what the user has written; raises `CoaiError`."""
    passed = state.tried is not None and state.tried.passed
    if state.problem is None or not state.steps or not (passed or written):
        return
    name = path.absolute().relative_to(folder).as_posix()
    by = ", ".join(dict.fromkeys(each.by.partition(":")[0] for each in state.steps))
    change, judge = (state.before, state.after), "test" if passed else "user"
    episode = episode_of((str(folder), name), state.problem, change, by, judge)
    if settings.memory.enabled and episode is not None:
        Keeper(memory(), sensitivity_rules(settings)).episode(episode)


def stated(folder: Path, kind: str, text: str, at: Target | None) -> Fact:
    """Return what the user says of a folder, with the line where it can be read.

    Raises `CoaiError` where that is no line of a file of the folder.
    """
    path = Path(at.file).absolute() if at else None
    name = path.relative_to(folder).as_posix() if path and path.is_relative_to(folder) else ""
    line = at.first if at else 0
    if at and not (name and line):
        place = f"{at.file}:{line}" if line else at.file
        raise CoaiError(f"{place} is no line of a file of {folder}.", remedy="Write FILE:LINE.")
    fact = user_s(folder, kind, text, name, line)
    if at and not fact.path:
        raise CoaiError(f"{at.file}:{line} cannot be read, or has nothing in it.")
    return fact


def learned(folder: Path, where: Path, notes: list[str]) -> list[Fact]:
    """Return conventions, decisions and words that a folder's files show; no model takes part."""
    return gathered(folder, list(readable(files_of(where)[:MOST_FILES], notes)))
