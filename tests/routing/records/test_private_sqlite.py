"""Databases of the user's own: who may read them, and that there is one way to open them."""

from __future__ import annotations

import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest

from coai_routing.records.private_sqlite import (
    SET_ASIDE_KEPT,
    open_private,
    open_read_only,
    set_aside,
    transaction,
    write_ahead,
)

ROOT = Path(__file__).parents[3]


def prepare(database: sqlite3.Connection) -> None:
    write_ahead(database, "NORMAL")
    database.execute("CREATE TABLE IF NOT EXISTS kept (what TEXT)")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no modes")
def test_every_file_of_a_database_is_the_users_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "a.sqlite3"
    path.parent.mkdir()
    path.touch(mode=0o644)
    with closing(open_private(path, prepare)) as database, transaction(database):
        database.execute("INSERT INTO kept VALUES ('x')")
        files = [*path.parent.iterdir()]
        assert len(files) == 3, "a write-ahead log and its index"
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_who_reads_changes_nothing_and_makes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite3"
    with pytest.raises(sqlite3.OperationalError):
        open_read_only(path).execute("SELECT 1")
    assert not path.exists()
    open_private(path, prepare).close()
    with closing(open_read_only(path)) as database:
        assert database.execute("SELECT * FROM kept").fetchall() == []
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            database.execute("INSERT INTO kept VALUES ('x')")


def test_a_transaction_is_done_whole_or_not_at_all(tmp_path: Path) -> None:
    with closing(open_private(tmp_path / "a", prepare)) as database:

        def half() -> None:
            with transaction(database):
                database.execute("INSERT INTO kept VALUES ('x')")
                raise LookupError

        with pytest.raises(LookupError):
            half()
        assert database.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_what_could_not_be_prepared_is_closed(tmp_path: Path) -> None:
    opened: list[sqlite3.Connection] = []

    def fail(database: sqlite3.Connection) -> None:
        opened.append(database)
        raise LookupError

    with pytest.raises(LookupError):
        open_private(tmp_path / "a", fail)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")


def test_of_those_that_were_set_aside_a_few_are_kept_with_their_logs(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite3"
    for number in range(SET_ASIDE_KEPT + 2):
        path.write_text(str(number))
        path.with_name("a.sqlite3-wal").write_text(str(number))
        assert set_aside(path).read_text() == str(number)
    logs = sorted(tmp_path.glob("*-wal"))
    assert [log.read_text() for log in logs] == ["2", "3", "4"]
    assert len(sorted(tmp_path.iterdir())) == 2 * SET_ASIDE_KEPT


def test_no_other_module_opens_a_database() -> None:
    opening = [
        str(file.relative_to(ROOT))
        for floor in ("routing", "agents", "server")
        for file in (ROOT / floor).rglob("*.py")
        if "sqlite3.connect(" in file.read_text(encoding="utf-8")
    ]
    assert opening == ["routing/coai_routing/records/private_sqlite.py"]
