"""What is remembered of a folder: kept where it may be, recalled where it helps.

Whether there is a memory at all is the settings' to say (`memory.enabled`), whether a thing may be
kept the user's rules of what is sensitive. What is there can be seen and forgotten always.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

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
    from coai_agents.memory.store import Fact
    from coai_agents.specialists.fixing.agent import Fixing, Recall
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
