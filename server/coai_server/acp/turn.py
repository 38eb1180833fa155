"""One turn: what was asked, whom it may be asked of, and how a change gets to be written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from acp import helpers

from coai_agents.specialists.answers import Origin, Report, Section, Statement
from coai_routing.errors import CoaiError
from coai_server.acp.files import FileError
from coai_server.terminal import one_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from acp.schema import PermissionOptionKind, PlanEntryStatus

    from coai_agents.source import Source
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.targets import Target
    from coai_server.acp.client import ClientSession
    from coai_server.acp.files import Proposed, SessionFiles
    from coai_server.acp.prompts import Asked

ALWAYS: Final = "always"

_CHOICES: Final[tuple[tuple[str, str, PermissionOptionKind], ...]] = (
    ("once", "Write it", "allow_once"),
    (ALWAYS, "Write it, and all changes of this session", "allow_always"),
    ("reject", "Do not write it", "reject_once"),
)


@dataclass
class Consent:
    """What a person has permitted for the rest of a session; never kept on the disk."""

    writes: bool = False


@dataclass(frozen=True)
class Turn:
    """What an agent has for one prompt."""

    editor: ClientSession
    files: SessionFiles
    asked: Asked
    asker: Asker
    consent: Consent

    async def sources(self) -> tuple[list[tuple[Target, Source]], list[str]]:
        """Return the files that are meant, and what cannot be read of them."""
        found: list[tuple[Target, Source]] = []
        notes: list[str] = []
        for target in self.asked.targets:
            path = self.files.folder / target.file
            try:
                async with self.editor.tool(f"Read {target.file}", "read", [path]):
                    found.append((target, await self.files.source(path)))
            except CoaiError as error:
                notes.append(str(error))
        return found, notes

    async def of_each(
        self, say: Callable[[Source, Target], Awaitable[Report]], nothing: str
    ) -> Report:
        """Return what is said of each file that is meant, in one report; `nothing` where none is.

        What cannot be said of one is a note, and the others stand.
        """
        sources, notes = await self.sources()
        sections: list[Section] = []
        for target, source in sources:
            try:
                report = await say(source, target)
            except CoaiError as error:
                notes.append(str(error))
                continue
            sections += report.sections
            notes += report.notes
        if not sources and not notes:
            notes.append(nothing)
        return Report("", tuple(sections), tuple(dict.fromkeys(notes)))

    async def propose(self, change: Proposed, title: str) -> str:
        """Show a change, ask whether to write it, write it; returns what became of it."""
        name = one_line(self.files.name(change.path))
        try:
            async with self.editor.tool(title, "edit", [change.path]) as tool:
                await tool.show(change)
                if why := self.files.refused(change.path):
                    raise FileError(f"{name} is not written: {why}.")
                chosen = ALWAYS if self.consent.writes else await tool.choose(title, _CHOICES)
                if chosen not in ("once", ALWAYS):
                    await tool.end("failed", "It was not permitted.")
                    return f"{name} was not written."
                self.consent.writes = self.consent.writes or chosen == ALWAYS
                await self.files.write(change)
        except CoaiError as error:
            return str(error)
        return f"{name} was written."


def told(*sentences: str, notes: Sequence[str] = ()) -> Report:
    """Return a report of what the program itself says."""
    said = tuple(Statement(each, Origin.FACT) for each in sentences)
    sections = (Section("", said),) if said else ()
    return Report("", sections, tuple(dict.fromkeys(notes)))


class Plan:
    """The steps of a turn as a client shows them."""

    def __init__(self, editor: ClientSession, steps: Sequence[str]) -> None:
        """Take what is to be done, in order."""
        self._editor = editor
        self._steps: dict[str, PlanEntryStatus] = dict.fromkeys(steps, "pending")

    async def mark(self, step: str, status: PlanEntryStatus) -> None:
        """Tell how far a step is; one that is not known yet is added."""
        self._steps[step] = status
        entries = [
            helpers.plan_entry(one_line(each), status=now) for each, now in self._steps.items()
        ]
        await self._editor.update(helpers.update_plan(entries))
