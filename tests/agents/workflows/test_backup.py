"""Backup and restore of the journal, while it is written to and with what is none."""

from __future__ import annotations

import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest

from coai_agents.workflows.errors import JournalError, RunNotFoundError
from coai_agents.workflows.journal.backup import BEFORE, back_up, restore
from coai_agents.workflows.journal.journal import Journal
from coai_agents.workflows.journal.records import Event, StepEnd
from tests.agents.workflows.support import plan_of

if TYPE_CHECKING:
    from pathlib import Path

PLAN = plan_of("- {kind: agent, name: a, prompt: p}").as_json()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_backup_of_a_journal_in_use_is_whole_and_restored(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "own" / "runs.sqlite3")
    lease = await journal.create("first", PLAN, {"x": "y" * 100_000})
    await journal.append(lease, [Event(1, "ended", "a")], [StepEnd("a", "done", "z", seq=1)])
    copy = tmp_path / "copy.sqlite3"
    mode = mode_of(tmp_path)
    # It is open, with a log that was not written back.
    assert back_up(journal.path, copy) == 1
    assert mode_of(copy) == 0o600
    assert mode_of(tmp_path) == mode, "the folder is the user's"
    later = await journal.create("later", PLAN, "x")
    whole = await journal.story(lease.run)
    await journal.aclose()
    assert restore(copy, journal.path) == 1
    again = Journal(journal.path)
    story = await again.story(lease.run)
    assert (story.input, story.events, story.steps) == (whole.input, whole.events, whole.steps)
    with pytest.raises(RunNotFoundError):
        await again.story(later.run)
    await again.aclose()
    kept = Journal(journal.path.with_name(f"{journal.path.name}{BEFORE}"))
    assert (await kept.story(later.run)).input == "x", "what was replaced is kept"
    await kept.aclose()


def test_into_an_empty_place(tmp_path: Path) -> None:
    with pytest.raises(JournalError):
        back_up(tmp_path / "none", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("kind", ["none", "text", "another database", "cut off"])
async def test_what_is_no_backup_changes_nothing(tmp_path: Path, kind: str) -> None:
    journal = Journal(tmp_path / "own" / "runs.sqlite3")
    lease = await journal.create("first", PLAN, "x" * 200_000)
    await journal.aclose()
    file = tmp_path / "file"
    if kind == "text":
        file.write_text("no database" * 100)
    elif kind == "another database":
        with sqlite3.connect(file) as other:
            other.execute("CREATE TABLE x (y)")
        other.close()
    elif kind == "cut off":
        back_up(journal.path, file)
        file.write_bytes(file.read_bytes()[:-9_000])
    with pytest.raises(JournalError) as refused:
        restore(file, journal.path)
    assert refused.value.remedy or "no journal" in refused.value.message
    again = Journal(journal.path)
    assert (await again.story(lease.run)).row.name == "first"
    await again.aclose()


async def test_a_backup_replaces_no_file(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "own" / "runs.sqlite3")
    await journal.aclose()
    there = tmp_path / "there"
    there.write_text("mine")
    with pytest.raises(JournalError, match="already"):
        back_up(journal.path, there)
    assert there.read_text() == "mine"
