"""What SQL does, tried in a database in memory that is made of the statement's own names.

The statement may be a stranger's: it can reach no file and no other database, it makes no tables,
and its time and memory are bounded. What SQLite does not know of another database's SQL is not
tried.
"""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

from coai_routing.records.private_sqlite import open_scratch, undone

if TYPE_CHECKING:
    from collections.abc import Sequence

    Statement = tuple[str, Sequence[str | int]]
    Outcome = tuple[object, ...]

MOST_NAMES: Final = 60
"""Tables, columns and functions of one statement at most."""
MOST_ROWS: Final = 125
"""Rows of a made-up table at most: all combinations of five values in three columns."""
MOST_READ: Final = 500
"""Rows that are compared at most."""
MOST_SECONDS: Final = 2.0
"""For all that is tried in one database; some milliseconds are usual."""

_TABLE: Final = re.compile(r"no such table: ([\w$ ]+)$")
_COLUMN: Final = re.compile(r"no such column: (?:([\w$ ]+)\.)?([\w$ ]+)$")
_NO_COLUMN: Final = re.compile(r"table ([\w$ ]+) has no column named ([\w$ ]+)$")
_WIDTH: Final = re.compile(r"table ([\w$ ]+) has (\d+) columns but (\d+) values were supplied$")
_FUNCTION: Final = re.compile(r"no such function: (\w+)$")
_STRIDE: Final = 7919
"""A prime beside which no number of combinations here has a divisor: it visits them all."""


class UntriedError(Exception):
    """SQLite cannot try the statement: it is another database's SQL, or too much."""


class Rows:
    """A database in which a statement's tables and columns are, filled with combinations."""

    def __init__(self, statement: str, words: Sequence[str]) -> None:
        """Make what `statement` names, and fill it with these words; raises `UntriedError`."""
        self._database = open_scratch()
        self._tables: dict[str, list[str]] = {}
        self._until = time.monotonic() + MOST_SECONDS
        try:
            self._make(statement)
            self._fill(list(dict.fromkeys(words)))
        except sqlite3.Error as error:
            self.close()
            raise UntriedError(str(error)) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def outcome(self, statement: Statement) -> Outcome:
        """Return the rows that a statement finds and those that are there after it.

        What it changed is undone. An error is an outcome, too; raises `UntriedError` for what takes
        too long, as nobody knows what that would have found.
        """
        text, values = statement
        if time.monotonic() > self._until:
            raise UntriedError("too much")
        with undone(self._database), closing(self._database.cursor()) as cursor:
            try:
                found = cursor.execute(text, values).fetchmany(MOST_READ)
            except (sqlite3.Error, sqlite3.Warning, OverflowError) as error:
                if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                    raise UntriedError(str(error)) from error
                return (type(error).__name__,)
            left = tuple(
                tuple(cursor.execute(f"SELECT * FROM {_quoted(table)}").fetchmany(MOST_READ))  # noqa: S608 - quoted
                for table in self._tables
            )
            return (tuple(found), left)

    def _make(self, statement: str) -> None:
        for _ in range(MOST_NAMES):
            try:
                with undone(self._database):
                    self._database.execute(f"EXPLAIN {statement}").close()
            except (sqlite3.Error, sqlite3.Warning) as error:
                if not self._mended(str(error), statement):
                    raise UntriedError(str(error)) from error
            else:
                return
        raise UntriedError("too many names")

    def _mended(self, error: str, statement: str) -> bool:
        """Make what an error says is missing; say whether there was something to make."""
        if match := _TABLE.search(error):
            self._table(match[1])
        elif match := _NO_COLUMN.search(error):
            self._column(match[1], match[2])
        elif match := _COLUMN.search(error):
            table = self._meant(match[1], statement)
            if table is None or match[2] in self._tables[table]:
                return False
            self._column(table, match[2])
        elif match := _WIDTH.search(error):
            if int(match[3]) <= int(match[2]) or int(match[3]) > MOST_NAMES:
                return False
            self._column(match[1], f"column {match[2]}")
        elif match := _FUNCTION.search(error):
            # Whatever it does, it does so for both statements.
            self._database.create_function(match[1], -1, _first, deterministic=True)
        else:
            return False
        return True

    def _meant(self, alias: str | None, statement: str) -> str | None:
        """Return the table that a column is of, by the name that the statement gave the table."""
        if alias in self._tables or not self._tables:
            return alias if alias in self._tables else None
        for table in self._tables:
            if alias is None:
                return table
            named = rf"\b{re.escape(table)}[\"`]?\s+(?:as\s+)?{re.escape(alias)}\b"
            if re.search(named, statement, re.IGNORECASE):
                return table
        return None

    def _table(self, name: str) -> None:
        # A column that takes numbers finds what is written as a number and as a text.
        self._database.execute(f'CREATE TABLE {_quoted(name)} ("column 0" NUMERIC)')
        self._tables[name] = ["column 0"]

    def _column(self, table: str, name: str) -> None:
        self._database.execute(f"ALTER TABLE {_quoted(table)} ADD COLUMN {_quoted(name)} NUMERIC")
        self._tables.setdefault(table, []).append(name)

    def _fill(self, words: list[str]) -> None:
        for table, columns in self._tables.items():
            # What has no name in the statement is the same in all rows.
            named = [each for each in columns if not each.startswith("column ")]
            combinations: int = len(words) ** max(1, len(named))
            places: list[int] = [
                len(words) ** named.index(each) if each in named else combinations
                for each in columns
            ]
            rows = [
                tuple(
                    words[index * _STRIDE % combinations // place % len(words)] for place in places
                )
                for index in range(min(MOST_ROWS, combinations))
            ]
            marks = ", ".join("?" * len(columns))
            self._database.executemany(f"INSERT INTO {_quoted(table)} VALUES ({marks})", rows)  # noqa: S608 - quoted


def _first(*values: str) -> str | int:
    return values[0] if values else 1


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
