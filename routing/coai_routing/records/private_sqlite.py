"""SQLite databases that only the user can read: the one way to open, read, and set one aside.

SQLite itself is native code and is imported when the first one is opened.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from coai_routing.own_files import own_file, own_folder

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

BUSY_SECONDS: Final = 5.0
"""How long to wait while another process writes."""

BUSY_AGAIN_SECONDS: Final = 0.005
"""How soon to try again where SQLite does not wait by itself."""

SET_ASIDE_KEPT: Final = 3
"""Files that were set aside and are kept; on a failing disk there would be ever more."""

SCRATCH_STEPS: Final = 400_000
"""Instructions of SQLite's machine for what is tried at a time; about 20 ms."""

SCRATCH_SECONDS: Final = 0.25
"""The same, where single instructions take long, as `instr` of long texts does."""

SCRATCH_ROUND: Final = 1_000
"""Instructions after which it is looked whether that is too much."""

SCRATCH_BYTES: Final = 10_000
"""Of a value, and of a statement."""

_UNSAFE: Final = frozenset({"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"})
"""Functions that reach beyond the database, in builds of SQLite that have them."""


def open_private(
    path: Path, prepare: Callable[[sqlite3.Connection], None], *, any_thread: bool = False
) -> sqlite3.Connection:
    """Open a database to write to it, making the file and its folder where they are not there.

    `prepare` checks what is in the file and makes what is missing; it decides how durable commits
    are by `write_ahead`. With `any_thread` whoever uses it sees to it that one does so at a time.
    Every statement commits by itself; see `transaction`. Raises sqlite3.Error or OSError.
    """
    own_folder(path.parent)
    # SQLite would give it the mode that the umask leaves; its other files take this one's.
    own_file(path)
    database = _connected(str(path), any_thread=any_thread)
    try:
        prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def open_beside(path: Path) -> sqlite3.Connection:
    """Open a database where the user wants it: the file is its user's alone, the folder stays.

    Raises sqlite3.Error or OSError.
    """
    own_file(path)
    return _connected(str(path))


def open_scratch() -> sqlite3.Connection:
    """Open an empty database in memory, to try in it what somebody else has written.

    It reaches no file and no other database, changes no settings, and defines nothing but tables;
    what takes longer than `SCRATCH_STEPS` or `SCRATCH_SECONDS`, or gets larger than
    `SCRATCH_BYTES`, ends in sqlite3.Error. See `undone`.
    """
    import sqlite3  # noqa: PLC0415 - see above

    database = sqlite3.connect(":memory:", isolation_level=None)
    database.execute("PRAGMA temp_store = MEMORY")
    database.execute("PRAGMA trusted_schema = OFF")
    for limit, most in (
        (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
        (sqlite3.SQLITE_LIMIT_LENGTH, SCRATCH_BYTES),
        (sqlite3.SQLITE_LIMIT_SQL_LENGTH, SCRATCH_BYTES),
        (sqlite3.SQLITE_LIMIT_COLUMN, 200),
        (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 100),
        (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 20),
        (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 200),
        (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 0),
    ):
        database.setlimit(limit, most)
    return database


@contextmanager
def undone(database: sqlite3.Connection) -> Generator[None]:
    """Have a stranger's statement read and write rows inside, and take all of it back."""
    import sqlite3  # noqa: PLC0415 - see above

    rows = {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_INSERT,
        sqlite3.SQLITE_UPDATE,
        sqlite3.SQLITE_DELETE,
        sqlite3.SQLITE_RECURSIVE,
    }

    def allowed(action: int, _first: str | None, second: str | None, *_: object) -> int:
        if action == sqlite3.SQLITE_FUNCTION:
            return sqlite3.SQLITE_DENY if second in _UNSAFE else sqlite3.SQLITE_OK
        return sqlite3.SQLITE_OK if action in rows else sqlite3.SQLITE_DENY

    rounds = iter(range(SCRATCH_STEPS // SCRATCH_ROUND))
    until = time.monotonic() + SCRATCH_SECONDS
    database.execute("BEGIN")
    database.set_authorizer(allowed)
    database.set_progress_handler(
        lambda: next(rounds, None) is None or time.monotonic() > until, SCRATCH_ROUND
    )
    try:
        yield
    finally:
        database.set_progress_handler(None, 0)
        database.set_authorizer(None)
        if database.in_transaction:
            database.execute("ROLLBACK")


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open a database to read it, also while others write; makes and repairs nothing.

    Raises sqlite3.Error.
    """
    return _connected(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _connected(name: str, *, uri: bool = False, any_thread: bool = False) -> sqlite3.Connection:
    import sqlite3  # noqa: PLC0415 - see above

    return sqlite3.connect(
        name,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        uri=uri,
        check_same_thread=not any_thread,
    )


def write_ahead(database: sqlite3.Connection, synchronous: Literal["FULL", "NORMAL"]) -> None:
    """Use a write-ahead log, so that who reads never waits for who writes.

    A process that is killed loses only what it had not committed (https://sqlite.org/wal.html).
    `NORMAL` may lose the last commits when the machine loses power, never the database.
    """
    _switch_to_log(database)
    database.execute(f"PRAGMA synchronous = {synchronous}")


def _switch_to_log(database: sqlite3.Connection) -> None:
    """Switch a new file over; SQLite does not wait by itself where two do so at a time."""
    import sqlite3  # noqa: PLC0415 - see above

    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(BUSY_AGAIN_SECONDS)
        else:
            return


@contextmanager
def transaction(database: sqlite3.Connection) -> Generator[None]:
    """Commit what is done inside, or nothing of it."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def make_tables(database: sqlite3.Connection, version: int, statements: Sequence[str]) -> None:
    """Make the tables of an empty database, unless somebody else does so at the same time.

    `version` is kept in SQLite's `user_version`, which says of a database that it has them.
    """
    with transaction(database):
        if database.execute("PRAGMA user_version").fetchone() == (version,):
            return
        for statement in statements:
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {version}")


def set_aside(path: Path) -> Path:
    """Give a database another name, with its write-ahead log; return the name. Raises OSError.

    Of those that were set aside before, the oldest are deleted.
    """
    stem = f"{path.name}.set-aside-"
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    aside = path.with_name(f"{stem}{stamp}")
    path.replace(aside)
    log = path.with_name(f"{path.name}-wal")
    if log.exists():
        log.replace(aside.with_name(f"{aside.name}-wal"))
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    kept = sorted(each for each in path.parent.glob(f"{stem}*") if each.suffix[-4:] != "-wal")
    for old in kept[:-SET_ASIDE_KEPT]:
        old.unlink(missing_ok=True)
        old.with_name(f"{old.name}-wal").unlink(missing_ok=True)
    return aside
