"""`coai audit --triage`: what speaks for less severity, after it is decided what is shown.

So that nothing is ever taken away by triage, neither from the report nor from the exit code.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.application.audit.selection import Row


def triaged(rows: Sequence[Row], *, model: bool, alias: str | None) -> tuple[list[Row], list[str]]:
    """Return the same findings, some less severe, and what could not be done."""
    return asyncio.run(_triaged(rows, model=model, alias=alias)) if rows else ([], [])


async def _triaged(
    rows: Sequence[Row], *, model: bool, alias: str | None
) -> tuple[list[Row], list[str]]:
    from coai_agents.application.specialists.triaging import triaged  # noqa: PLC0415 (where asked)
    from coai_server.cli.agents.models import asker  # noqa: PLC0415 (as above)

    here = Path.cwd()
    first = rows[0].source.path or here
    async with asker(first, agent="triage", wanted=model, alias=alias) as asked:
        done, notes = await triaged(rows, asked, here)
    return done, notes if model else []
