"""Verdicts that were given, by the meaning of the code: a probability and a name, no code."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

import platformdirs

from coai_routing.records.private_sqlite import open_private, open_read_only

if TYPE_CHECKING:
    from pathlib import Path

_TABLE: Final = """CREATE TABLE IF NOT EXISTS verdicts
  (key TEXT PRIMARY KEY, chance REAL NOT NULL, model TEXT NOT NULL)"""


def verdicts_path() -> Path:
    """Return where verdicts are kept."""
    return platformdirs.user_cache_path("coai", appauthor=False) / "verdicts.sqlite"


class Verdicts:
    """A store of verdicts; what cannot be kept is asked again."""

    def __init__(self, path: Path | None) -> None:
        """Touch nothing yet. Without a path nothing is kept."""
        self._path = path

    def get(self, key: str) -> tuple[float, str] | None:
        """Return a verdict and whose it is."""
        if self._path is None or not key or not self._path.exists():
            return None
        try:
            with closing(open_read_only(self._path)) as database:
                row = database.execute(
                    "SELECT chance, model FROM verdicts WHERE key = ?", (key,)
                ).fetchone()
        except sqlite3.Error:
            return None
        return None if row is None else (float(row[0]), str(row[1]))

    def put(self, key: str, chance: float, model: str) -> None:
        """Keep a verdict."""
        if self._path is None or not key:
            return
        try:
            with closing(open_private(self._path, _prepare)) as database:
                database.execute(
                    "INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?)", (key, chance, model)
                )
        except (sqlite3.Error, OSError):
            return


def _prepare(database: sqlite3.Connection) -> None:
    database.execute(_TABLE)
