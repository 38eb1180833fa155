"""Runs that go on by themselves: on this machine, or by the workers of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.application.shared.background_runs import BackgroundRuns
from coai_agents.application.shared.kept_models import KeptModels
from coai_agents.workflows.cluster.journal import PostgresJournal
from coai_agents.workflows.journal.journal import Journal
from tests.agents.workflows.cluster.test_worker import worker_at
from tests.agents.workflows.support import plan_of

if TYPE_CHECKING:
    from pathlib import Path

PLAN = "- {kind: agent, name: a, prompt: p}"


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("STATE", "CONFIG", "DATA", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    return tmp_path


async def test_runs_of_this_machine_are_in_its_journal(alone: Path) -> None:
    models = KeptModels()
    runs = BackgroundRuns(models, door="editor")
    run = await runs.start(plan_of(PLAN), "go", alone, models=False)
    await runs.ended(run)
    journal = await runs.journal()
    assert isinstance(journal, Journal)
    row = (await journal.story(run)).row
    assert (row.state, row.facts["door"]) == ("failed", "editor"), "no model may be asked"
    await runs.aclose()
    await models.aclose()


async def test_where_there_is_a_cluster_its_workers_carry_them_out(
    alone: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COAI_CLUSTER__URL", database)
    monkeypatch.setenv("COAI_PRIVACY__MODE", "true")
    models = KeptModels()
    runs = BackgroundRuns(models)
    async with worker_at(database):
        run = await runs.start(plan_of(PLAN), "go", alone)
        await runs.ended(run)
        journal = await runs.journal()
        assert isinstance(journal, PostgresJournal)
        story = await journal.story(run)
        assert [(each.step, each.output) for each in story.steps] == [("a", "a")]
        assert story.row.facts["travelling"]["privacy"]["mode"] is True, "it holds there, too"
        assert [(row.id, last > 0) for row, last in await journal.newest(3)] == [(run, True)]
        assert await runs.take_up() == []
    await runs.aclose()
    await models.aclose()
    assert not (alone / "STATE" / "coai" / "runs.sqlite3").exists()
