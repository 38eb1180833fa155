"""Who is there, and what becomes of the runs of who is not: found out by all workers together.

No clock is compared with another machine's. A worker counts its beats into the database, and who
watches it takes it for dead when the count has stood still for long enough by the watcher's own
monotonic clock, or when it ran on the watcher's machine and that one says so.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from coai_agents.workflows.cluster.names import is_gone
from coai_agents.workflows.cluster.tables import rows
from coai_agents.workflows.journal.records import decoded, encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from coai_agents.workflows.cluster.connection import Connection
    from coai_agents.workflows.cluster.journal import PostgresJournal
    from coai_agents.workflows.definition.types import Json
    from coai_agents.workflows.journal.records import RunRow

_TAKEOVER: Final = 0x434F4149
"""The first half of the advisory locks of takeovers."""

DEAD_SECONDS: Final = 15.0
"""Without a beat, of which there are two a second."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that carries runs out."""

    owner: str
    beat: int
    facts: dict[str, Json]
    """Where it is and what it can do."""


async def register(journal: PostgresJournal, facts: Mapping[str, Json]) -> None:
    """Say that this process carries runs out."""
    said = encoded(dict(facts))

    async def write(database: Connection) -> None:
        await database.execute(
            "INSERT INTO coai.workers (owner, facts) VALUES (%s, %s)"
            " ON CONFLICT (owner) DO UPDATE SET facts = excluded.facts",
            (journal.owner, said),
        )

    await journal.writer.do(write)


async def beat(journal: PostgresJournal) -> bool:
    """Show that this process lives; says whether the others still know it."""

    async def write(database: Connection) -> bool:
        changed = await database.execute(
            "UPDATE coai.workers SET beat = beat + 1 WHERE owner = %s", (journal.owner,)
        )
        return changed.rowcount == 1

    return await journal.writer.do(write)


async def claim(journal: PostgresJournal, owner: str) -> bool:
    """Have the right to take over from a worker, which one process at a time has; see `forget`."""

    async def write(database: Connection) -> bool:
        found = await database.execute(
            "SELECT pg_try_advisory_lock(%s, hashtext(%s))", (_TAKEOVER, owner)
        )
        return bool((await found.fetchone())[0])

    return await journal.writer.do(write)


async def unclaim(journal: PostgresJournal, owner: str) -> None:
    """Give that right back."""

    async def write(database: Connection) -> None:
        await database.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", (_TAKEOVER, owner))

    await journal.writer.do(write)


async def forget(journal: PostgresJournal, owner: str) -> None:
    """Take a worker out, and its runs from it: whatever it still writes is refused."""

    async def write(database: Connection) -> None:
        await database.execute("UPDATE coai.runs SET owner = NULL WHERE owner = %s", (owner,))
        await database.execute("DELETE FROM coai.workers WHERE owner = %s", (owner,))

    await journal.writer.do(write)


async def workers(journal: PostgresJournal) -> list[Worker]:
    """Return who says that it is there."""

    async def read(database: Connection) -> list[Worker]:
        found = await database.execute("SELECT owner, beat, facts FROM coai.workers ORDER BY owner")
        return [
            Worker(owner, beat, decoded(facts)) for owner, beat, facts in await found.fetchall()
        ]

    return await journal.read(read)


async def live(journal: PostgresJournal, wait: Callable[[float], Any]) -> list[Worker]:
    """Return who is there: of those on other machines, who beats while it is waited."""
    before = {each.owner: each.beat for each in await workers(journal)}
    if not before:
        return []
    await wait(1.5)
    return [
        each
        for each in await workers(journal)
        if not is_gone(each.owner) and each.beat != before.get(each.owner)
    ]


@dataclass
class Watch:
    """What one worker has seen of the others."""

    journal: PostgresJournal
    dead_after: float = DEAD_SECONDS
    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, tuple[int, float]] = field(default_factory=dict[str, tuple[int, float]])

    async def dead(self) -> list[str]:
        """Return who is gone: workers, and whoever else had a run."""

        async def read(database: Connection) -> list[tuple[str, int]]:
            found = await database.execute(
                "SELECT owner, beat FROM coai.workers UNION ALL"
                " SELECT DISTINCT owner, -1 FROM coai.runs r WHERE owner IS NOT NULL"
                " AND NOT EXISTS (SELECT 1 FROM coai.workers w WHERE w.owner = r.owner)"
            )
            return await found.fetchall()

        now, dead = self.clock(), list[str]()
        found = [each for each in await self.journal.read(read) if each[0] != self.journal.owner]
        for owner, beat in found:
            known = self._seen.get(owner)
            if known is None or known[0] != beat:
                self._seen[owner] = (beat, now)
            elif now - known[1] >= self.dead_after:
                dead.append(owner)
                continue
            if is_gone(owner):
                dead.append(owner)
        self._seen = {owner: self._seen[owner] for owner, _ in found if owner in self._seen}
        return dead

    async def free(self) -> list[RunRow]:
        """Return runs that are to go on and that nobody has."""

        async def read(database: Connection) -> list[RunRow]:
            return await rows(
                database, "WHERE state = 'running' AND owner IS NULL ORDER BY number LIMIT 500"
            )

        return await self.journal.read(read)
