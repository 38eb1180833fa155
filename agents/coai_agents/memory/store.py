"""The memory's file: SQLite with full-text search, readable by the user alone.

Ranking is SQLite's BM25 (https://sqlite.org/fts5.html#the_bm25_function).
"""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import platformdirs

from coai_routing.errors import CoaiError
from coai_routing.records.private_sqlite import (
    make_tables,
    open_private,
    set_aside,
    transaction,
    write_ahead,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

VERSION: Final = 1
"""Of the tables, kept in SQLite's `user_version`."""
MOST_EPISODES: Final = 5_000
"""Of all folders; the oldest that were of no use make room."""
MOST_TEXT: Final = 2_000
"""Characters of a fact or of one side of a change; what is longer is not remembered."""

_TABLES: Final = (
    """CREATE TABLE episodes (
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        folder TEXT NOT NULL,
        path TEXT NOT NULL,
        language TEXT NOT NULL,
        problem TEXT NOT NULL,
        title TEXT NOT NULL,
        changes TEXT NOT NULL,
        by TEXT NOT NULL,
        judge TEXT NOT NULL,
        used INTEGER NOT NULL DEFAULT 0,
        UNIQUE (folder, problem, changes)
    )""",
    "CREATE INDEX episodes_problem ON episodes (folder, problem)",
    """CREATE TABLE facts (
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        folder TEXT NOT NULL,
        kind TEXT NOT NULL,
        text TEXT NOT NULL,
        path TEXT NOT NULL,
        line INTEGER NOT NULL,
        seen TEXT NOT NULL,
        UNIQUE (folder, kind, text)
    )""",
    "CREATE VIRTUAL TABLE words USING fts5(text, content='facts', content_rowid='id')",
    """CREATE TRIGGER facts_new AFTER INSERT ON facts BEGIN
        INSERT INTO words (rowid, text) VALUES (new.id, new.text);
    END""",
    """CREATE TRIGGER facts_gone AFTER DELETE ON facts BEGIN
        INSERT INTO words (words, rowid, text) VALUES ('delete', old.id, old.text);
    END""",
)

Judge = Literal["test", "user"]
"""What said that a change holds: the user's test, or the user, who kept it."""


class MemoryFileError(CoaiError):
    """The memory cannot be read or written."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines that were replaced, without their common indentation."""

    before: str
    """Empty where lines were only added."""
    after: str


@dataclass(frozen=True, slots=True)
class Episode:
    """A problem, and the change that solved it."""

    folder: str
    path: str
    """Relative to the folder."""
    language: str
    problem: str
    """What kind of problem it was, without the names in it: see `episodes.kind_of`."""
    title: str
    """What the problem said."""
    changes: tuple[Hunk, ...]
    by: str
    """Who proposed the change: a rule, a known error, a model."""
    judge: Judge
    at: float = 0.0
    """Seconds since 1970."""
    used: int = 0
    """How often it was proposed again and held."""
    id: int = 0


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that holds in a project."""

    folder: str
    kind: str
    """`convention`, `decision`, `glossary`."""
    text: str
    path: str = ""
    """Relative to the folder; empty for what the user said."""
    line: int = 0
    """From 1."""
    seen: str = ""
    """The line as it was, by which the fact is checked when it is used."""
    at: float = 0.0
    id: int = 0


def location() -> Path:
    """Return where the user's memory is."""
    return platformdirs.user_state_path("coai", appauthor=False) / "memory.sqlite3"


class Memory:
    """Opens the file for each use, so that it can be shared by processes and deleted at any time.

    A file that is damaged is set aside, and named, at the next use that writes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.set_aside: Path | None = None
        """What a damaged file is called now."""

    # -------------------------------------------------------------------- episodes

    def add_episode(self, episode: Episode) -> None:
        """Remember how a problem was solved; the same again counts as used."""
        texts = [
            episode.title,
            *(side for each in episode.changes for side in (each.before, each.after)),
        ]
        if any(len(text) > MOST_TEXT for text in texts):
            return
        changes = json.dumps([asdict(each) for each in episode.changes])
        with self._written() as database:
            database.execute(
                "INSERT INTO episodes"
                " (at, folder, path, language, problem, title, changes, by, judge)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET"
                " used = used + 1, at = excluded.at, judge = excluded.judge",
                (
                    episode.at or _now(),
                    episode.folder,
                    episode.path,
                    episode.language,
                    episode.problem,
                    episode.title,
                    changes,
                    episode.by,
                    episode.judge,
                ),
            )
            database.execute(
                "DELETE FROM episodes WHERE id NOT IN"
                " (SELECT id FROM episodes ORDER BY used DESC, at DESC LIMIT ?)",
                (MOST_EPISODES,),
            )

    def episodes(self, folder: str | None = None, problem: str | None = None) -> list[Episode]:
        """Return what solved problems, what held most often first; of a folder or of all."""
        rows = self._rows(
            "SELECT folder, path, language, problem, title, changes, by, judge, at, used, id"
            " FROM episodes WHERE (?1 IS NULL OR folder = ?1) AND (?2 IS NULL OR problem = ?2)"
            " ORDER BY used DESC, at DESC",
            (folder, problem),
        )
        return [_episode(row) for row in rows]

    # ----------------------------------------------------------------------- facts

    def add_facts(self, facts: Sequence[Fact]) -> None:
        """Remember facts; one that is known gets its place anew."""
        with self._written() as database:
            for fact in facts:
                if len(fact.text) <= MOST_TEXT:
                    database.execute(
                        "INSERT INTO facts (at, folder, kind, text, path, line, seen)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?)"
                        " ON CONFLICT DO UPDATE SET at = excluded.at, path = excluded.path,"
                        " line = excluded.line, seen = excluded.seen",
                        (
                            fact.at or _now(),
                            fact.folder,
                            fact.kind,
                            fact.text,
                            fact.path,
                            fact.line,
                            fact.seen,
                        ),
                    )

    def facts(self, folder: str | None = None) -> list[Fact]:
        """Return the facts of a folder, or of all, the newest first."""
        return self._facts("(?1 IS NULL OR folder = ?1) ORDER BY at DESC, id DESC", (folder,))

    def facts_about(self, folder: str, question: str, most: int) -> list[Fact]:
        """Return the facts of a folder that share words with a question, the nearest first."""
        words = dict.fromkeys(re.findall(r"\w{3,}", question))
        if not words:
            return []
        match = " OR ".join(f'"{word}"' for word in words)
        return self._facts(
            "folder = ?1 AND id IN (SELECT rowid FROM words WHERE words MATCH ?2)"
            " ORDER BY (SELECT rank FROM words WHERE words MATCH ?2 AND rowid = facts.id) LIMIT ?3",
            (folder, match, most),
        )

    def _facts(self, condition: str, values: tuple[object, ...]) -> list[Fact]:
        rows = self._rows(
            f"SELECT folder, kind, text, path, line, seen, at, id FROM facts WHERE {condition}",  # noqa: S608 - conditions of this file
            values,
        )
        return [Fact(*row) for row in rows]

    # --------------------------------------------------------------------- forgetting

    def forget(self, *, episodes: Sequence[int] = (), facts: Sequence[int] = ()) -> int:
        """Delete by number; return how many there were."""
        if not self.path.exists():
            return 0
        with self._written() as database:
            gone = 0
            for table, numbers in (("episodes", episodes), ("facts", facts)):
                for number in numbers:
                    statement = f"DELETE FROM {table} WHERE id = ?"  # noqa: S608 - two names, above
                    gone += database.execute(statement, (number,)).rowcount
        return gone

    def forget_folder(self, folder: str | None) -> int:
        """Delete all of a folder, or all; what is deleted is overwritten."""
        if not self.path.exists():
            return 0
        with self._written() as database:
            gone = 0
            for table in ("episodes", "facts"):
                statement = f"DELETE FROM {table} WHERE (?1 IS NULL OR folder = ?1)"  # noqa: S608 - as above
                gone += database.execute(statement, (folder,)).rowcount
        return gone

    # ----------------------------------------------------------------------- the file

    def _rows(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        if not self.path.exists():
            return []
        with self._opened() as database:
            return database.execute(statement, values).fetchall()

    @contextmanager
    def _written(self) -> Generator[sqlite3.Connection]:
        with self._opened() as database, transaction(database):
            yield database

    @contextmanager
    def _opened(self) -> Generator[sqlite3.Connection]:
        try:
            database = self._open()
        except OSError as error:
            raise MemoryFileError(
                f"The memory {self.path} cannot be opened: {error.strerror or error}.",
                remedy="See that you may write to its folder.",
            ) from error
        try:
            yield database
        except sqlite3.Error as error:
            raise MemoryFileError(
                f"The memory {self.path} cannot be used: {error}.",
                remedy="Free space on its disk, or delete it: `coai memory forget --all`.",
            ) from error
        finally:
            database.close()

    def _open(self) -> sqlite3.Connection:
        try:
            return open_private(self.path, _prepare)
        except sqlite3.OperationalError as error:
            raise MemoryFileError(
                f"The memory {self.path} cannot be opened: {error}.",
                remedy="See that you may write to its folder, and that its disk is not full.",
            ) from error
        except sqlite3.DatabaseError:
            self.set_aside = set_aside(self.path)
            return open_private(self.path, _prepare)


def _episode(row: tuple[Any, ...]) -> Episode:
    folder, path, language, problem, title, changes, by, judge, at, used, number = row
    hunks = tuple(Hunk(**each) for each in json.loads(changes))
    return Episode(folder, path, language, problem, title, hunks, by, judge, at, used, number)


def _now() -> float:
    return datetime.now(UTC).timestamp()


def _prepare(database: sqlite3.Connection) -> None:
    """Make the tables; raises `sqlite3.DatabaseError` for what is no memory."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version not in (0, VERSION):
        raise sqlite3.DatabaseError(f"it has version {version}")
    write_ahead(database, "NORMAL")
    # What the user has forgotten is to be gone from the disk.
    database.execute("PRAGMA secure_delete = ON")
    if version != VERSION:
        make_tables(database, VERSION, _TABLES)
