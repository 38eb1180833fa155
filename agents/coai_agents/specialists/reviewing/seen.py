"""Comments that were made before, so that none is made twice; kept by fingerprints alone.

A fingerprint is keyed with a secret of the file's own: who reads the file learns neither code nor
names from it, not even by trying what they might be.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

import platformdirs

from coai_routing.errors import CoaiError
from coai_routing.records.private_sqlite import open_private, transaction, write_ahead

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from coai_agents.specialists.reviewing.comments import Comment

MOST: Final = 50_000
"""Fingerprints that are kept; older ones are forgotten."""

_OWN_KEY: Final = """
CREATE TABLE IF NOT EXISTS secret (one INTEGER PRIMARY KEY CHECK (one = 1), value BLOB NOT NULL)
"""
_SEEN: Final = "CREATE TABLE IF NOT EXISTS seen (id INTEGER PRIMARY KEY, mark BLOB NOT NULL UNIQUE)"


class SeenError(CoaiError):
    """The file with the comments that were made cannot be used."""


def location() -> Path:
    """Return where the user's file is."""
    return platformdirs.user_state_path("coai", appauthor=False) / "reviews.sqlite3"


class Seen:
    """The comments that were made on the code of one folder."""

    def __init__(self, path: Path, folder: Path) -> None:
        self._path = path
        self._folder = str(folder)

    def fresh(self, comments: Sequence[Comment]) -> list[Comment]:
        """Return the comments that were not made before; raises `SeenError`."""
        try:
            with closing(self._opened()) as database:
                key = _key(database)
                known = "SELECT 1 FROM seen WHERE mark = ?"
                return [
                    each
                    for each in comments
                    if database.execute(known, (self._mark(key, each),)).fetchone() is None
                ]
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error

    def keep(self, comments: Sequence[Comment]) -> None:
        """Remember comments that are made now; raises `SeenError`."""
        try:
            with closing(self._opened()) as database:
                key = _key(database)
                with transaction(database):
                    rows = [(self._mark(key, each),) for each in comments]
                    database.executemany("INSERT OR IGNORE INTO seen (mark) VALUES (?)", rows)
                    last = "(SELECT max(id) FROM seen)"
                    database.execute(f"DELETE FROM seen WHERE id <= {last} - ?", (MOST,))  # noqa: S608 - a constant
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error

    def _mark(self, key: bytes, comment: Comment) -> bytes:
        text = f"{self._folder}\0{comment.fingerprint}".encode("utf-8", "surrogateescape")
        return hmac.new(key, text, hashlib.sha256).digest()

    def _opened(self) -> sqlite3.Connection:
        return open_private(self._path, _prepare)

    def _failed(self, error: Exception) -> SeenError:
        return SeenError(
            f"{self._path} cannot be used: {error}.",
            remedy="Use --again, which shows all comments and remembers none.",
        )


def _prepare(database: sqlite3.Connection) -> None:
    write_ahead(database, "NORMAL")
    for statement in (_OWN_KEY, _SEEN):
        database.execute(statement)
    database.execute(
        "INSERT OR IGNORE INTO secret (one, value) VALUES (1, ?)", (secrets.token_bytes(32),)
    )


def _key(database: sqlite3.Connection) -> bytes:
    return bytes(database.execute("SELECT value FROM secret").fetchone()[0])
