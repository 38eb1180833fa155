"""Going on with runs that a process left behind, as a daemon does when it starts."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_agents.workflows.errors import RunTakenError
from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from coai_agents.workflows.engine.engine import Engine, Outcome
    from coai_agents.workflows.journal.journal import Journal
    from coai_agents.workflows.journal.records import RunRow

logger = logging.getLogger(__name__)

AT_ONCE: Final = 2
"""Runs that are gone on with at a time: they are not what the user waits for."""


async def resume_orphans(
    journal: Journal,
    engine_for: Callable[[RunRow, Path], AbstractAsyncContextManager[Engine]],
    *,
    at_once: int = AT_ONCE,
) -> list[Outcome]:
    """Go on with every run whose process is gone; return how far each one came.

    `engine_for` gives an engine for a run and its workspace. Each run is tried once: one that
    cannot be gone on with is noted in the log and stays as it is, for `coai runs resume`, and a
    step that ended five processes is not tried a sixth time. A run that another process takes
    first is left to it; paused and waiting runs have no orphaned owner and are left alone.
    """
    turns = asyncio.Semaphore(at_once)

    async def go_on(row: RunRow) -> Outcome | None:
        workspace = await asyncio.to_thread(_workspace, row)
        if workspace is None:
            logger.warning("The run %s is left alone: its workspace is gone.", row.id)
            return None
        try:
            async with turns, engine_for(row, workspace) as engine:
                return await engine.resume(row.id)
        except RunTakenError:
            return None
        except CoaiError as error:
            logger.warning("The run %s cannot be gone on with: %s", row.id, error)
            return None

    orphans = [row for row in await journal.orphans() if row.state == "running"]
    outcomes = await asyncio.gather(*map(go_on, orphans))
    return [outcome for outcome in outcomes if outcome is not None]


def _workspace(row: RunRow) -> Path | None:
    """Return the folder that a run looks at; None where it is gone."""
    named = row.facts.get("workspace")
    folder = Path(str(named))
    return folder if named and folder.is_dir() else None
