"""The vulnerabilities that are known on this machine: advisories in a database of ours.

Advisories come from files in OSV's form: one advisory or a list of them as JSON, and zips of such
files, as OSV publishes one for each ecosystem. What is in the files is data of strangers: each is
validated and bounded, and one that is wrong costs itself alone.
"""

from __future__ import annotations

import json
import sqlite3
import zipfile
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any, Final, cast

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from coai_agents.specialists.security.advisories.osv import Advisory, Range, base_ecosystem
from coai_agents.specialists.security.dependencies.packages import ECOSYSTEMS, normal_name
from coai_routing.errors import CoaiError
from coai_routing.records.private_sqlite import open_private, open_read_only, transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

VERSION: Final = 1
"""Of the tables; a database of another one is made anew from files."""

MOST_BYTES: Final = 16 * 1024 * 1024
"""Of one advisory; the largest, with every version of a large package, have some 1 MB."""

MOST_MEMBERS: Final = 2_000_000
"""Of one zip; npm's, the largest, has some 230,000."""

BATCH: Final = 1_000
"""Advisories that are written at a time."""

_TABLES: Final = f"""
CREATE TABLE IF NOT EXISTS advisories (id TEXT PRIMARY KEY, modified TEXT NOT NULL,
  withdrawn INTEGER NOT NULL, title TEXT NOT NULL, level TEXT NOT NULL, aliases TEXT NOT NULL,
  url TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS affected (advisory TEXT NOT NULL, ecosystem TEXT NOT NULL,
  name TEXT NOT NULL, ranges TEXT NOT NULL, versions TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS affected_package ON affected (ecosystem, name);
CREATE INDEX IF NOT EXISTS affected_advisory ON affected (advisory);
CREATE TABLE IF NOT EXISTS updates (at TEXT NOT NULL, source TEXT NOT NULL, count INTEGER NOT NULL);
PRAGMA user_version = {VERSION};
"""


class DatabaseError(CoaiError):
    """The database of vulnerabilities is not there or cannot be used."""


class Row(BaseModel):
    """What one advisory says of one package."""

    model_config = ConfigDict(frozen=True)

    advisory: str
    title: str
    level: str
    aliases: tuple[str, ...]
    url: str
    ranges: tuple[Range, ...]
    versions: tuple[str, ...]


@dataclass
class Imported:
    """What came of some files."""

    advisories: int = 0
    notes: list[str] = field(default_factory=list[str])


def database_path() -> Path:
    """Return where it is, unless somebody says otherwise."""
    return platformdirs.user_data_path("coai", appauthor=False) / "vulnerabilities.sqlite"


def installed_zips() -> list[Path]:
    """Return the databases that osv-scanner has fetched on this machine for offline use."""
    import os  # noqa: PLC0415 - only where there is no database of ours
    from pathlib import Path  # noqa: PLC0415 - as above

    named = os.environ.get("OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY")
    base = Path(named) if named else platformdirs.user_cache_path(appauthor=False)
    return sorted((base / "osv-scanner").glob("*/all.zip"))


class Vulnerabilities:
    """Reads what is known of packages."""

    def __init__(self, path: Path) -> None:
        """Open a database to read it; raises `DatabaseError`."""
        if not path.exists():
            raise DatabaseError(
                "No database of vulnerabilities is here yet.",
                remedy="Fetch one with `coai vulns update`, or name files of OSV's with --from.",
            )
        try:
            self._database = open_read_only(path)
            self._database.execute("PRAGMA query_only = ON")
            version = self._database.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error as error:
            raise _damaged(path) from error
        if version != VERSION:
            self._database.close()
            raise _damaged(path)
        self._path = path
        self._about = lru_cache(maxsize=4096)(self._read)

    def about(self, ecosystem: str, name: str) -> tuple[Row, ...]:
        """Return what advisories say of a package, withdrawn ones left out."""
        return self._about(ecosystem, normal_name(ecosystem, name))

    def _read(self, ecosystem: str, name: str) -> tuple[Row, ...]:
        try:
            rows = self._database.execute(
                "SELECT a.id, a.title, a.level, a.aliases, a.url, f.ranges, f.versions"
                " FROM affected f JOIN advisories a ON a.id = f.advisory"
                " WHERE f.ecosystem = ? AND f.name = ? AND NOT a.withdrawn ORDER BY a.id",
                (ecosystem, name),
            ).fetchall()
        except sqlite3.Error as error:
            raise _damaged(self._path) from error
        return tuple(
            Row(
                advisory=each[0],
                title=each[1],
                level=each[2],
                aliases=tuple(json.loads(each[3])),
                url=each[4],
                ranges=tuple(Range.model_validate(one) for one in json.loads(each[5])),
                versions=tuple(json.loads(each[6])),
            )
            for each in rows
        )

    def ecosystems(self) -> frozenset[str]:
        """Return the ecosystems of which anything is known."""
        rows = self._database.execute("SELECT DISTINCT ecosystem FROM affected").fetchall()
        return frozenset(str(each[0]) for each in rows)

    def updated(self) -> str:
        """Return when it was last added to, in ISO 8601; empty if never."""
        row = self._database.execute("SELECT max(at) FROM updates").fetchone()
        return str(row[0] or "")

    def close(self) -> None:
        """Close it."""
        self._database.close()


def _damaged(path: Path) -> DatabaseError:
    return DatabaseError(
        f"{path} is no database of vulnerabilities of this version.",
        remedy="Delete it and make a new one with `coai vulns update`.",
    )


def import_files(
    path: Path, files: Iterable[Path], *, progress: Callable[[int], None] = lambda _: None
) -> Imported:
    """Add the advisories of files, and of files in folders, to a database; make it if need be.

    A newer word on an advisory takes the place of an older one. `progress` is told how many were
    taken so far. Raises `DatabaseError` where the database cannot be written.
    """
    imported = Imported()
    try:
        with closing(open_private(path, _prepare)) as database:
            for file in files:
                before = imported.advisories
                _import(database, file, imported, progress)
                database.execute(
                    "INSERT INTO updates VALUES (?, ?, ?)",
                    (
                        datetime.now(UTC).isoformat(timespec="seconds"),
                        file.name,
                        imported.advisories - before,
                    ),
                )
    except (sqlite3.Error, OSError) as error:
        raise DatabaseError(f"{path} cannot be written: {error}.") from error
    return imported


def _prepare(database: sqlite3.Connection) -> None:
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, VERSION):
        for table in ("advisories", "affected", "updates"):
            database.execute(f"DROP TABLE IF EXISTS {table}")
    database.executescript(_TABLES)


def _import(
    database: sqlite3.Connection,
    file: Path,
    imported: Imported,
    progress: Callable[[int], None],
) -> None:
    waiting: list[Advisory] = []
    for advisory in _advisories(file, imported.notes):
        waiting.append(advisory)
        if len(waiting) >= BATCH:
            imported.advisories += _write(database, waiting)
            waiting = []
            progress(imported.advisories)
    imported.advisories += _write(database, waiting)
    progress(imported.advisories)


def _advisories(file: Path, notes: list[str]) -> Iterator[Advisory]:
    """Yield the advisories of a file or a folder; what is wrong with any is a note."""
    wrong = 0
    for name, documents in _documents(file, notes):
        for document in documents:
            try:
                yield Advisory.model_validate(document)
            except ValidationError as error:
                wrong += 1
                if wrong == 1:
                    problem = error.errors(include_url=False, include_input=False)[0]
                    where = ".".join(map(str, problem["loc"]))
                    notes.append(f"{name} has an advisory that is not of OSV's form: {where}.")
    if wrong > 1:
        notes.append(f"{file.name} has {wrong:,} advisories that are not of OSV's form.")


def _documents(file: Path, notes: list[str]) -> Iterator[tuple[str, list[Any]]]:
    try:
        if file.is_dir():
            for inner in sorted(file.rglob("*")):
                if inner.suffix in {".json", ".zip"} and inner.is_file():
                    yield from _documents(inner, notes)
        elif zipfile.is_zipfile(file):
            yield from _of_zip(file, notes)
        else:
            with file.open("rb") as stream:
                yield file.name, _parsed(stream, file.name, notes)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        notes.append(f"{file} cannot be read: {error}.")


def _of_zip(file: Path, notes: list[str]) -> Iterator[tuple[str, list[Any]]]:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > MOST_MEMBERS:
            notes.append(f"{file.name} holds too many files and was not read.")
            return
        for member in members:
            if member.filename.endswith(".json"):
                with archive.open(member) as stream:
                    yield member.filename, _parsed(stream, member.filename, notes)


def _parsed(stream: IO[bytes], name: str, notes: list[str]) -> list[Any]:
    """Read at most `MOST_BYTES`, whatever the file says of its size."""
    content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        notes.append(f"{name} has more than {MOST_BYTES:,} bytes and was not read.")
        return []
    try:
        document: Any = json.loads(content)
    except (ValueError, RecursionError):
        notes.append(f"{name} is no JSON and was not read.")
        return []
    return cast("list[Any]", document) if isinstance(document, list) else [document]


def _write(database: sqlite3.Connection, advisories: list[Advisory]) -> int:
    written = 0
    with transaction(database):
        for advisory in advisories:
            known = database.execute(
                "SELECT modified FROM advisories WHERE id = ?", (advisory.id,)
            ).fetchone()
            if known is not None and known[0] > advisory.modified:
                continue
            written += 1
            _replace(database, advisory)
    return written


def _replace(database: sqlite3.Connection, advisory: Advisory) -> None:
    database.execute("DELETE FROM affected WHERE advisory = ?", (advisory.id,))
    database.execute(
        "INSERT OR REPLACE INTO advisories VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            advisory.id,
            advisory.modified,
            int(advisory.withdrawn is not None),
            advisory.title[:MOST_TITLE],
            advisory.level(),
            json.dumps(advisory.aliases),
            _page_of(advisory),
        ),
    )
    for affected in advisory.affected:
        ecosystem = base_ecosystem(affected.package.ecosystem)
        if ecosystem in ECOSYSTEMS and affected.package.name:
            database.execute(
                "INSERT INTO affected VALUES (?, ?, ?, ?, ?)",
                (
                    advisory.id,
                    ecosystem,
                    normal_name(ecosystem, affected.package.name),
                    json.dumps([each.model_dump(exclude_none=True) for each in affected.ranges]),
                    json.dumps(affected.versions),
                ),
            )


MOST_TITLE: Final = 500
"""Characters of an advisory's title that are kept."""


def _page_of(advisory: Advisory) -> str:
    """Return the page of an advisory: its own, else OSV's."""
    for each in advisory.references:
        if each.type == "ADVISORY" and each.url.startswith("https://"):
            return each.url
    return f"https://osv.dev/vulnerability/{advisory.id}"
