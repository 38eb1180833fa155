"""What the engine and the commands ask of a journal, whatever keeps it: SQLite or PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.journal.records import (
        Event,
        Lease,
        RunRow,
        RunState,
        StepEnd,
        Story,
    )


class RunJournal(Protocol):
    """Keeps runs: what happened in them is on the disk before it counts.

    Whoever writes to a run says with which lease; what somebody still writes after another one took
    the run over is refused with `RunTakenError`. All methods may raise `JournalError`, and those
    that take a run's name `RunNotFoundError`.
    """

    async def create(
        self,
        name: str,
        plan: str,
        given: Json,
        *,
        facts: Mapping[str, Json] | None = None,
        parent: str | None = None,
        steps: Sequence[StepEnd] = (),
    ) -> Lease:
        """Store a run with its plan and take it; `steps` are another run's that count here too."""
        ...

    async def take(self, run: str, *, ended: bool = False) -> Lease:
        """Take a run whose owner is gone, or that has none; raises `RunTakenError` otherwise.

        Raises `WorkflowError` for one that has ended, unless `ended` ones are wanted.
        """
        ...

    async def release(self, lease: Lease, state: RunState, event: Event) -> None:
        """Give a run back in a state, with the event that says why; raises `RunTakenError`."""
        ...

    async def append(
        self, lease: Lease, events: Sequence[Event], steps: Sequence[StepEnd] = ()
    ) -> None:
        """Add what happened; when this returns it is on the disk. Raises `RunTakenError`."""
        ...

    def append_soon(
        self, lease: Lease, events: Sequence[Event], steps: Sequence[StepEnd] = ()
    ) -> None:
        """Add what happened before whatever is added next, without waiting for it."""
        ...

    async def wish(self, run: str, wish: str) -> RunRow:
        """Have the owner of a run pause or cancel it; returns the run as it was."""
        ...

    async def beat(self) -> dict[str, str]:
        """Show that this process lives; return what others wish of its runs, by their names."""
        ...

    async def story(self, run: str) -> Story:
        """Return all of a run."""
        ...

    async def runs(self, most: int = 100) -> list[RunRow]:
        """Return the newest runs, the last one first."""
        ...

    async def newest(self, most: int) -> list[tuple[RunRow, int]]:
        """Return the newest runs, each with the number of its last event, the last run first."""
        ...

    async def orphans(self) -> list[RunRow]:
        """Return runs that are under way and that nobody carries out."""
        ...

    async def kept(self, key: bytes) -> tuple[Json] | None:
        """Return what was kept under a key, in a tuple; None where nothing was."""
        ...

    def keep(self, key: bytes, output: Json) -> None:
        """Keep what a step gave, for whoever does the very same again."""
        ...

    async def aclose(self) -> None:
        """Write what is under way and close it."""
        ...
