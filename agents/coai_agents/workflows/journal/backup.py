"""Backup and restore of a journal, while others write to it (https://sqlite.org/backup.html)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

from coai_agents.workflows.errors import JournalError
from coai_agents.workflows.journal.tables import is_journal, open_tables
from coai_routing.own_files import own_folder
from coai_routing.records.private_sqlite import open_beside, open_read_only

if TYPE_CHECKING:
    from pathlib import Path

BEFORE: Final = ".before-restore"
"""What the journal that a restore replaces is called after."""


def back_up(journal: Path, to: Path) -> int:
    """Write a journal as it is at one moment to a new file; return how many runs are in it.

    Raises `JournalError` where there is no journal, or the file is there or cannot be written.
    """
    if to.exists():
        raise JournalError(f"{to} is there already.", remedy="Name a new file.")
    try:
        with closing(open_read_only(journal)) as source:
            _expect(source, journal)
            return _copied(source, to)
    except (sqlite3.Error, OSError) as error:
        to.unlink(missing_ok=True)
        raise JournalError(
            f"The journal {journal} could not be backed up to {to}: {error}.",
            remedy="See that there is a journal, and room where the backup goes.",
        ) from error


def restore(backup: Path, journal: Path) -> int:
    """Put a backup in a journal's place; return how many runs are in it.

    What was there is kept beside it. Processes that carry runs out have to have ended: what they
    still write is refused. Raises `JournalError`, and then nothing was changed.
    """
    try:
        with closing(open_read_only(backup)) as source:
            _expect(source, backup)
            (problem,) = source.execute("PRAGMA quick_check(1)").fetchone()
            if problem != "ok":
                raise sqlite3.DatabaseError(str(problem))
            own_folder(journal.parent)
            if journal.exists():
                kept = journal.with_name(f"{journal.name}{BEFORE}")
                kept.unlink(missing_ok=True)
                back_up(journal, kept)
            count = _copied(source, journal)
        # An older one is brought up to date, as it is whenever it is opened.
        open_tables(journal)[0].close()
        return count
    except (sqlite3.Error, OSError) as error:
        raise JournalError(
            f"{backup} could not be restored: {error}.", remedy="Name a file of `coai runs backup`."
        ) from error


def _expect(database: sqlite3.Connection, path: Path) -> None:
    if not is_journal(database):
        raise JournalError(f"{path} is no journal of runs.")


def _copied(source: sqlite3.Connection, to: Path) -> int:
    with closing(open_beside(to)) as target:
        source.backup(target)
        return int(target.execute("SELECT count(*) FROM runs").fetchone()[0])
