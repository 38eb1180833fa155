"""API keys: random, known by their beginning, stored as a hash, with a role and folders.

A key has 256 random bits, so a plain hash of it cannot be guessed back and no slow one is needed.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_routing.errors import CoaiError
from coai_routing.records.private_sqlite import open_private, write_ahead
from coai_server.http.security.principals import OWN_TENANT, Principal, Role

if TYPE_CHECKING:
    import sqlite3

PREFIX: Final = "coai_"
_SHOWN: Final = 8
"""Characters after the prefix by which a key is listed and revoked."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Of a key and of a tenant, which is a folder's name too."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    folders TEXT,
    created TEXT NOT NULL,
    expires TEXT,
    revoked TEXT
)
"""


class KeyNameError(CoaiError):
    """A key cannot be made as wished, or there is none of that name."""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as it is listed: all but the key."""

    id: str
    name: str
    role: Role
    tenant: str
    folders: tuple[Path, ...] | None
    created: str
    expires: str | None
    revoked: str | None

    def is_valid(self, now: datetime) -> bool:
        """Say whether it opens the door."""
        if self.revoked is not None:
            return False
        return self.expires is None or now < datetime.fromisoformat(self.expires)

    def principal(self) -> Principal:
        """Return who has it."""
        return Principal(self.name, self.role, self.tenant, self.folders)


class Keys:
    """The file of keys; for one thread."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it. Raises sqlite3.Error or OSError."""
        self._database = open_private(path, _prepare)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def create(
        self,
        name: str,
        role: Role,
        *,
        tenant: str = OWN_TENANT,
        folders: tuple[Path, ...] | None = None,
        days: float | None = None,
    ) -> tuple[str, KeyRow]:
        """Make a key; it is returned this once. Raises `KeyNameError`."""
        for each in (name, tenant):
            if not _NAME.fullmatch(each):
                raise KeyNameError(
                    f"{each!r} is no name.", remedy="Use letters, digits, dots and dashes."
                )
        key = PREFIX + secrets.token_urlsafe(32)
        now = datetime.now(UTC)
        expires = None if days is None else (now + timedelta(days=days)).isoformat()
        row = KeyRow(
            key[: len(PREFIX) + _SHOWN], name, role, tenant, folders, now.isoformat(), expires, None
        )
        said = None if folders is None else json.dumps([str(each) for each in folders])
        self._database.execute(
            "INSERT INTO keys (id, hash, name, role, tenant, folders, created, expires)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (row.id, _hash(key), name, int(role), tenant, said, row.created, expires),
        )
        return key, row

    def rows(self) -> list[KeyRow]:
        """Return all keys, the newest last."""
        found = self._database.execute(f"{_SELECT} ORDER BY created")
        return [_row(each) for each in found]

    def revoke(self, name: str) -> list[KeyRow]:
        """Take a key back, by its name or its beginning; it counts from the next request on.

        Raises `KeyNameError` where there is none.
        """
        now = datetime.now(UTC)
        which = (name, name[: len(PREFIX) + _SHOWN])
        found = [
            _row(each)
            for each in self._database.execute(f"{_SELECT} WHERE name = ? OR id = ?", which)
        ]
        live = [each for each in found if each.is_valid(now)]
        if not live:
            raise KeyNameError(
                "There is no key of that name that counts.", remedy="`coai http keys list`."
            )
        for each in live:
            self._database.execute(
                "UPDATE keys SET revoked = ? WHERE id = ?", (now.isoformat(), each.id)
            )
        return live

    def holder(self, key: str) -> Principal | None:
        """Return whose key it is; None where it does not count."""
        found = self._database.execute(f"{_SELECT} WHERE hash = ?", (_hash(key),)).fetchone()
        if found is None:
            return None
        row = _row(found)
        return row.principal() if row.is_valid(datetime.now(UTC)) else None


_SELECT: Final = "SELECT id, name, role, tenant, folders, created, expires, revoked FROM keys"


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()


def _row(values: tuple[str, str, int, str, str | None, str, str | None, str | None]) -> KeyRow:
    name, title, role, tenant, folders, created, expires, revoked = values
    named = None if folders is None else tuple(Path(each) for each in json.loads(folders))
    return KeyRow(name, title, Role(role), tenant, named, created, expires, revoked)


def _prepare(database: sqlite3.Connection) -> None:
    write_ahead(database, "FULL")
    database.execute(_SCHEMA)


def keys_file(state: Path) -> Path:
    """Return where the keys are."""
    return state / "keys.sqlite3"
