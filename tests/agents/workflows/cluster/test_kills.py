"""Workers are killed: every run ends right, on another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.agents.workflows.cluster.killing import killed

if TYPE_CHECKING:
    from pathlib import Path


async def test_killed_again_and_again(tmp_path: Path, database: str) -> None:
    figures = await killed(database, tmp_path, kills=2, runs=2, workers=2)
    assert (figures.kills, figures.runs, figures.twice) == (2, 2, 0)
