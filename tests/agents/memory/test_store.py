"""The memory's file: what is kept, found, forgotten, and what happens when it is damaged."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from coai_agents.memory import store
from coai_agents.memory.store import Episode, Fact, Hunk, Memory, MemoryFileError

if TYPE_CHECKING:
    from pathlib import Path


def episode(title: str = "a title", *, folder: str = "/w", after: str = "b") -> Episode:
    return Episode(folder, "a.py", "python", "a kind", title, (Hunk("a", after),), "a rule", "test")


def fact(text: str, folder: str = "/w") -> Fact:
    return Fact(folder, "decision", text, "a.py", 1, "x = 1")


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "own" / "memory.sqlite3")


def test_nothing_is_made_before_something_is_remembered(memory: Memory) -> None:
    assert memory.episodes() == []
    assert memory.facts() == []
    assert memory.facts_about("/w", "anything at all", 5) == []
    assert memory.forget(episodes=[1], facts=[1]) == 0
    assert memory.forget_folder(None) == 0
    assert not memory.path.exists()


def test_the_same_solution_again_counts_as_used(memory: Memory) -> None:
    memory.add_episode(episode(after="b"))
    memory.add_episode(episode(after="c"))
    memory.add_episode(episode(after="c"))
    assert [(each.changes[0].after, each.used) for each in memory.episodes()] == [
        ("c", 1),
        ("b", 0),
    ]
    assert memory.episodes("/other") == []
    assert len(memory.episodes("/w", "a kind")) == 2
    assert memory.episodes("/w", "another kind") == []


def test_what_is_too_long_is_not_remembered(memory: Memory) -> None:
    memory.add_episode(episode(after="x" * (store.MOST_TEXT + 1)))
    memory.add_facts([fact("x" * (store.MOST_TEXT + 1))])
    assert memory.episodes() == []
    assert memory.facts() == []


def test_the_oldest_that_were_of_no_use_make_room(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_EPISODES", 3)
    memory.add_episode(episode("used"))
    memory.add_episode(episode("used"))
    for number in range(5):
        memory.add_episode(episode(f"title {number}", after=str(number)))
    assert [each.title for each in memory.episodes()] == ["used", "title 4", "title 3"]


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("how are prices stored?", ["Prices are integers of cents."]),
        ("which database has the prices", ["Prices are integers of cents.", "The database is X."]),
        ("nothing of it", []),
        ('"; DROP TABLE facts; --', []),
        ("prices* OR ^NEAR(", ["Prices are integers of cents."]),
        ("a b", []),
    ],
)
def test_facts_are_found_by_words_whatever_a_question_has_in_it(
    memory: Memory, question: str, found: list[str]
) -> None:
    memory.add_facts([fact("Prices are integers of cents."), fact("The database is X.")])
    memory.add_facts([fact("Prices are floats here.", "/other")])
    assert sorted(each.text for each in memory.facts_about("/w", question, 5)) == found


def test_a_fact_that_is_known_gets_its_new_place(memory: Memory) -> None:
    memory.add_facts([fact("one"), Fact("/w", "decision", "one", "b.py", 7, "y")])
    (known,) = memory.facts("/w")
    assert (known.path, known.line) == ("b.py", 7)


def test_what_is_forgotten_is_gone_from_the_disk(memory: Memory) -> None:
    memory.add_episode(episode("PECULIAR-TITLE"))
    memory.add_facts([fact("PECULIAR-FACT"), fact("other")])
    numbers = [each.id for each in memory.facts() if each.text != "other"]
    assert memory.forget(episodes=[memory.episodes()[0].id], facts=numbers) == 2
    assert memory.facts_about("/w", "PECULIAR-FACT", 5) == []
    assert [each.text for each in memory.facts()] == ["other"]
    assert memory.forget_folder("/w") == 1
    left = b"".join(path.read_bytes() for path in memory.path.parent.iterdir())
    assert b"PECULIAR" not in left


@pytest.mark.skipif(os.name == "nt", reason="there are no modes")
def test_nobody_else_can_read_it(memory: Memory) -> None:
    memory.add_episode(episode())
    for path in memory.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(memory.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_damaged_file_is_set_aside_and_named(memory: Memory, content: bytes) -> None:
    memory.path.parent.mkdir()
    memory.path.write_bytes(content)
    memory.add_episode(episode())
    assert memory.set_aside is not None
    assert memory.set_aside.read_bytes() == content
    assert len(memory.episodes()) == 1


def test_a_file_of_another_version_is_kept(memory: Memory) -> None:
    memory.add_episode(episode())
    with sqlite3.connect(memory.path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    memory.add_episode(episode("new"))
    assert memory.set_aside is not None
    assert [each.title for each in memory.episodes()] == ["new"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(MemoryFileError):
        Memory(tmp_path / "a" / "memory.sqlite3").add_episode(episode())


def test_what_was_remembered_survives_a_kill(memory: Memory) -> None:
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from coai_agents.memory.store import Fact, Memory\n"
        "memory = Memory(Path(sys.argv[1]))\n"
        "for number in range(20):\n"
        "    memory.add_facts([Fact('/w', 'decision', f'fact {number}')])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(memory.path)], check=False, timeout=60)
    assert len(memory.facts("/w")) == 20
