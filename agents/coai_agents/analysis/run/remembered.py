"""What was found in files before: by their content, and by when they were last written.

A file that has the size and the time it had is not even read. A time is trusted only if it was old
when it was noted: two writes within one tick of a file system's clock look the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

from coai_agents.analysis.findings.encoding import from_document, to_document
from coai_agents.source import normal_language
from coai_routing.own_files import own_file
from coai_routing.records.private_sqlite import open_private, open_read_only, transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from coai_agents.analysis.findings.findings import Analysis

TICK: Final = 2_000_000_000
"""Nanoseconds: the coarsest clock of a file system in use, FAT's."""

_MOST: Final = 500
"""Names in one question; SQLite takes 999 at least."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS analyses (key TEXT PRIMARY KEY, found TEXT);
CREATE TABLE IF NOT EXISTS written
  (path TEXT PRIMARY KEY, time INTEGER, size INTEGER, rules TEXT, key TEXT);
"""

_UNCHANGED: Final = (
    "SELECT w.path, w.time, w.size, w.rules, a.found FROM written w JOIN analyses a USING (key)"
    " WHERE w.path IN"
)


def cache_path() -> Path:
    """Return where analyses are remembered, by the editor's audit and the command line's."""
    return platformdirs.user_cache_path("coai", appauthor=False) / "audit.sqlite"


@cache
def rules_digest() -> str:
    """Return what changes whenever a rule or the engine does."""
    digest = hashlib.sha256()
    folder = Path(__file__).parents[1]
    for around, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if name.endswith((".py", ".toml")):
                status = os.stat(os.path.join(around, name))  # noqa: PTH116, PTH118 - many of them
                digest.update(f"{around}/{name}:{status.st_size}:{status.st_mtime_ns}".encode())
    return digest.hexdigest()


def key_of(path: Path, text: str, own: str = "") -> str:
    """Return the key under which what is found in a file of this text is kept.

    `own` is the digest of the user's own rules if there are any; these may ask for a file's name.
    """
    digest = hashlib.sha256(_digest_with(own).encode())
    if own:
        digest.update(str(path).encode("utf-8", "replace") + b"\0")
    # What no language tells, such as a workflow, is told by the name and the folders around it.
    kind = normal_language("", path) or "/".join(path.parts[-3:])
    digest.update(kind.encode("utf-8", "replace") + b"\0" + text.encode("utf-8", "replace"))
    return digest.hexdigest()


def _digest_with(own: str) -> str:
    return f"{rules_digest()} {own}" if own else rules_digest()


class AnalysisCache:
    """What was found in files; a file of SQLite, or nothing.

    `own` is the digest of the user's own rules: what was found with other ones is not known.
    """

    def __init__(self, path: Path | None, own: str = "") -> None:
        self._path = path
        self._own = own

    def key_of(self, path: Path, text: str) -> str:
        """Return the key under which what is found in a file of this text is kept."""
        return key_of(path, text, self._own)

    def unchanged(self, paths: Sequence[Path]) -> dict[Path, Analysis]:
        """Return what is known of files that nobody has written to since."""
        rows = self._rows(_UNCHANGED, [str(path) for path in paths])
        known: dict[Path, Analysis] = {}
        for name, written, size, rules, found in rows:
            try:
                status = os.stat(name)  # noqa: PTH116 - for each of thousands
            except OSError:
                continue
            noted = (written, size, rules)
            if (status.st_mtime_ns, status.st_size, _digest_with(self._own)) == noted:
                analysis = _decoded(found)
                if analysis is not None:
                    known[Path(name)] = analysis
        return known

    def known(self, keys: Iterable[str]) -> dict[str, Analysis]:
        """Return what is known of some of the keys; of a file that is damaged, nothing."""
        rows = self._rows("SELECT key, found FROM analyses WHERE key IN", list(keys))
        known = {str(key): _decoded(found) for key, found in rows}
        return {key: analysis for key, analysis in known.items() if analysis is not None}

    def links(self, state: str) -> dict[str, str] | None:
        """Return under which keys it is kept what was found in files that lead to others.

        By their names, for files as they were all together; None if that is not known.
        """
        rows = self._rows("SELECT found FROM analyses WHERE key IN", [f"links {state}"])
        try:
            return dict(json.loads(rows[0][0])) if rows else None
        except (ValueError, TypeError):
            return None

    def keep_links(self, state: str, keys: Mapping[str, str]) -> None:
        """Remember what `links` returns."""
        self._write([(f"links {state}", json.dumps(keys))], [])

    def state_of(self, paths: Iterable[Path]) -> str:
        """Return what changes whenever a file or a rule does; nothing if that cannot be told."""
        digest = hashlib.sha256(_digest_with(self._own).encode())
        for path in paths:
            written = _written(path)
            if written is None:
                return ""
            digest.update(f"{path}:{written}".encode("utf-8", "replace"))
        return digest.hexdigest()

    def _rows(self, query: str, wanted: Sequence[str]) -> list[tuple[str, ...]]:
        if self._path is None or not wanted or not self._path.exists():
            return []
        rows: list[tuple[str, ...]] = []
        try:
            own_file(self._path)
            with closing(open_read_only(self._path)) as connection:
                for start in range(0, len(wanted), _MOST):
                    some = wanted[start : start + _MOST]
                    marks = ",".join("?" * len(some))
                    rows += connection.execute(f"{query} ({marks})", some).fetchall()
        except (sqlite3.OperationalError, OSError):
            # Another version's tables, or another process is writing: it is done without.
            return []
        except sqlite3.DatabaseError:
            # A cache that cannot be read is worth nothing: it is made anew.
            self._path.unlink(missing_ok=True)
            return []
        return rows

    def keep(
        self, analyses: Mapping[str, Analysis], files: Mapping[Path, str] | None = None
    ) -> None:
        """Remember what was found by key, and the keys of files as they are on disk now.

        An analysis that ran out of time is not kept: the next one may find more. A cache that
        cannot be written is done without.
        """
        rules = _digest_with(self._own)
        found = ((path, key, _written(path)) for path, key in (files or {}).items())
        written = [(str(path), *when, rules, key) for path, key, when in found if when]
        if self._path is None or not (analyses or written):
            return
        rows = [
            (key, json.dumps(to_document(each, outlined=True)))
            for key, each in analyses.items()
            if not each.hurried
        ]
        self._write(rows, written)

    def _write(
        self, rows: Sequence[tuple[str | int, ...]], written: Sequence[tuple[str | int, ...]]
    ) -> None:
        """Write rows of both tables; a cache that cannot be written is done without."""
        if self._path is None:
            return
        try:
            with (
                closing(open_private(self._path, _prepare)) as connection,
                transaction(connection),
            ):
                connection.executemany("INSERT OR REPLACE INTO analyses VALUES (?, ?)", rows)
                connection.executemany(
                    "INSERT OR REPLACE INTO written VALUES (?, ?, ?, ?, ?)", written
                )
        except (sqlite3.Error, OSError):
            return


def _prepare(database: sqlite3.Connection) -> None:
    database.executescript(_TABLES)


def _decoded(found: str) -> Analysis | None:
    try:
        return from_document(json.loads(found))
    except (ValueError, KeyError, TypeError):
        return None


def _written(path: Path) -> tuple[int, int] | None:
    """Return when a file was written, and its size, if the time can be trusted."""
    try:
        status = path.stat()
    except OSError:
        return None
    if status.st_mtime_ns > time.time_ns() - TICK:
        return None
    return status.st_mtime_ns, status.st_size
