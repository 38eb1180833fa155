"""The ledger's file: where it is, how it is opened, what its tables are, and when it is set aside.

One SQLite database for all daemons of a user. `synchronous = NORMAL` may lose the last commits when
the machine loses power, never the database.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Final

import platformdirs

from coai_routing.errors import EngineError, LedgerError
from coai_routing.own_files import FILE_MODE, own_file
from coai_routing.records.private_sqlite import (
    BUSY_SECONDS,
    open_private,
    open_read_only,
    set_aside,
    transaction,
    write_ahead,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator
    from pathlib import Path

logger = logging.getLogger(__name__)

APPLICATION_ID: Final = 0x434F4149
"""`COAI`, in the file's header: what tells the ledger from somebody else's database."""

WAL_BYTES: Final = 4 * 1024 * 1024
"""The write-ahead log is cut to this size when it has been taken into the database."""

MIGRATIONS: Final = (
    (
        """CREATE TABLE requests (
            id INTEGER PRIMARY KEY,
            run INTEGER NOT NULL,
            at INTEGER NOT NULL,
            uri TEXT NOT NULL,
            line INTEGER NOT NULL,
            trigger TEXT NOT NULL,
            language TEXT NOT NULL,
            elapsed_ms REAL NOT NULL,
            origin TEXT NOT NULL,
            backend TEXT NOT NULL,
            model TEXT NOT NULL,
            identity INTEGER,
            reason TEXT NOT NULL,
            detail TEXT NOT NULL,
            evaluated_tokens INTEGER NOT NULL,
            cached_tokens INTEGER NOT NULL,
            output_tokens INTEGER NOT NULL
        )""",
        "CREATE INDEX requests_at ON requests (at)",
        """CREATE TABLE suggestions (
            id INTEGER PRIMARY KEY,
            run INTEGER NOT NULL,
            shown_at INTEGER NOT NULL,
            identity INTEGER NOT NULL,
            uri TEXT NOT NULL,
            language TEXT NOT NULL,
            backend TEXT NOT NULL,
            model TEXT NOT NULL,
            characters INTEGER NOT NULL,
            lines INTEGER NOT NULL,
            fate TEXT NOT NULL,
            taken INTEGER NOT NULL,
            kept_30s REAL,
            kept_5min REAL,
            UNIQUE (run, identity)
        )""",
        "CREATE INDEX suggestions_shown_at ON suggestions (shown_at)",
    ),
)
"""The statements that lead from each version of the schema to the next. Never change one that was
released: add another."""


class UnusableFileError(LedgerError):
    """The file is damaged, or not a ledger; it has to make room for one."""


class RefusedRowsError(LedgerError):
    """The file is fine, and does not take these rows; trying again would not help."""


def location() -> Path:
    """Return where the user's ledger is."""
    return platformdirs.user_state_path("coai", appauthor=False) / "ledger.sqlite3"


def open_ledger(path: Path, *, suspect: bool = False) -> sqlite3.Connection:
    """Open the ledger to write to it; make it, or bring it up to date, where that is needed.

    A file that is damaged or is no ledger is set aside under another name; one that is `suspect`
    is looked at more closely. Raises `LedgerError` where no ledger can be had.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 (not before there is a ledger)

    from coai_routing.engine.record import secure_directory  # noqa: PLC0415 (as above)

    _require_sqlite()
    try:
        secure_directory(path.parent)
        own_file(path.with_name(f"{path.name}.lock"))
        with FileLock(f"{path}.lock", mode=FILE_MODE, timeout=BUSY_SECONDS):
            try:
                return _opened(path, "integrity_check" if suspect else "quick_check")
            except UnusableFileError as error:
                _set_aside(path, error.message)
                return _opened(path, "quick_check")
    except EngineError as error:
        raise LedgerError(error.message, remedy=error.remedy) from error
    except Timeout as error:
        raise LedgerError(
            f"Another process holds {path}.lock.", remedy="It is tried again by itself."
        ) from error
    except OSError as error:
        raise LedgerError(
            f"The ledger {path} cannot be opened: {error.strerror or error}.",
            remedy=_WRITABLE,
        ) from error


def _opened(path: Path, check: str) -> sqlite3.Connection:
    with translated(path):
        return open_private(path, lambda database: _prepare(database, path, check))


def _require_sqlite() -> None:
    try:
        import_module("sqlite3")
    except ImportError as error:
        raise LedgerError(
            "This Python was built without SQLite, so nothing is recorded.",
            remedy="Install COAI with a complete Python.",
        ) from error


@contextmanager
def translated(path: Path) -> Generator[None]:
    """Turn SQLite's errors into `LedgerError`s."""
    import sqlite3  # noqa: PLC0415 (native code, not needed before the first row)

    try:
        yield
    except sqlite3.Error as error:
        raise told(error, path) from error


def _prepare(database: sqlite3.Connection, path: Path, check: str) -> None:
    ours = number(database, "PRAGMA application_id") == APPLICATION_ID
    empty = number(database, "SELECT count(*) FROM sqlite_master") == 0
    if not ours and not empty:
        raise UnusableFileError(f"{path} is a database, but not COAI's ledger.")
    version = number(database, "PRAGMA user_version")
    if version > len(MIGRATIONS):
        raise LedgerError(
            f"A newer COAI wrote {path}, so this one leaves it alone.",
            remedy="Use one version of COAI everywhere, or delete the file.",
        )
    (damage,) = database.execute(f"PRAGMA {check}(1)").fetchone()
    if damage != "ok":
        raise UnusableFileError(f"{path} is damaged: {damage}.")
    if empty:
        # Only before there is a table: it lets the file shrink when old rows go.
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")
    write_ahead(database, "NORMAL")
    database.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
    for reached, statements in enumerate(MIGRATIONS[version:], version + 1):
        with transaction(database):
            for statement in statements:
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {reached}")


def number(database: sqlite3.Connection, question: str) -> int:
    """Return the one number that a query answers."""
    (answer,) = database.execute(question).fetchone()
    return int(answer)


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open the ledger to read it, also while daemons write; raises `LedgerError`.

    It makes no file and repairs none.
    """
    if not path.is_file():
        raise LedgerError(f"There is no ledger at {path}.")
    _require_sqlite()
    with translated(path):
        database = open_read_only(path)
        try:
            _check_readable(database, path)
        except BaseException:
            database.close()
            raise
    return database


def _check_readable(database: sqlite3.Connection, path: Path) -> None:
    if number(database, "PRAGMA application_id") != APPLICATION_ID:
        raise UnusableFileError(
            f"{path} is not COAI's ledger.", remedy="The next daemon sets it aside."
        )
    if number(database, "PRAGMA user_version") > len(MIGRATIONS):
        raise LedgerError(f"A newer COAI wrote {path}.", remedy="Read it with that version.")


def _set_aside(path: Path, why: str) -> None:
    aside = set_aside(path)
    logger.warning(
        "%s It was set aside as %s, and a new ledger begins. Nothing else is needed; delete the"
        " file if you do not miss what it recorded.",
        why,
        aside,
    )


_WRITABLE: Final = "Make its folder writable for you, or set `ledger.enabled` to false."


def told(error: sqlite3.Error, path: Path) -> LedgerError:
    """Return what an error of SQLite's means for the user (https://sqlite.org/rescode.html)."""
    import sqlite3  # noqa: PLC0415 (native code, not needed before the first row)

    # The lower eight bits are the primary code. Errors of Python's own module have none.
    code = getattr(error, "sqlite_errorcode", -1) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return UnusableFileError(f"{path} is damaged or no database: {error}.")
    if code == sqlite3.SQLITE_FULL:
        return LedgerError(
            f"The disk has no room for the ledger {path}.", remedy="Free some space on it."
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LedgerError(
            f"Another process keeps the ledger {path} busy.", remedy="It is tried again by itself."
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return LedgerError(f"The ledger {path} cannot be written to: {error}.", remedy=_WRITABLE)
    if isinstance(error, sqlite3.OperationalError):
        return LedgerError(f"The ledger {path} failed: {error}.", remedy=_WRITABLE)
    return RefusedRowsError(f"The ledger {path} did not take some rows: {error}.")
