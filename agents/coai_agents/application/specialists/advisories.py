"""The database of known vulnerabilities: files or an address in; hits as rows of an audit out."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from coai_agents.application.audit.selection import Row
from coai_agents.application.security import dependencies_in
from coai_agents.specialists.security.advisories import database as kept
from coai_agents.specialists.security.advisories.database import DatabaseError
from coai_agents.specialists.security.dependencies.packages import ECOSYSTEMS
from coai_agents.specialists.security.findings import as_finding
from coai_routing.fetching import fetch
from coai_routing.privacy.egress import Egress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coai_agents.application.security import Matched
    from coai_agents.specialists.security.advisories.database import Imported
    from coai_routing.settings.schema import Settings

MOST_DOWNLOADED: Final = 2 * 1024**3
"""Bytes of one ecosystem's zip; npm's, the largest, has some 150 MB."""


def database_of(
    named: Path | None, notes: list[str], imported: Callable[[Imported], None] = lambda _: None
) -> Path:
    """Return the database to use: the one that is named, or COAI's own.

    Where there is none yet it is made of what osv-scanner has fetched, and `imported` is told.
    Raises `DatabaseError`.
    """
    path = named or kept.database_path()
    zips = kept.installed_zips() if named is None and not path.exists() else []
    if zips:
        done = kept.import_files(path, zips)
        notes += done.notes
        imported(done)
    return path


def import_advisories(
    files: Sequence[Path],
    database: Path | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Imported:
    """Add advisories from files, zips or folders in OSV's form; raises `DatabaseError`."""
    for each in files:
        if not each.exists():
            raise DatabaseError(f"{each} is not there.")
    return kept.import_files(database or kept.database_path(), files, progress=progress)


def ecosystems_wanted(named: Sequence[str], folder: Path) -> list[str]:
    """Return the ecosystems of these names, else of a folder's packages; raises `DatabaseError`."""
    by_name = {each.lower(): each for each in ECOSYSTEMS}
    if unknown := [each for each in named if each.lower() not in by_name]:
        raise DatabaseError(
            f"{unknown[0]} is no ecosystem that is read.", remedy=f"Name {', '.join(ECOSYSTEMS)}."
        )
    if named:
        return [by_name[each.lower()] for each in named]
    _, found, _ = dependencies_in([folder])
    used = sorted({each.ecosystem for _, each in found.packages})
    if not used:
        raise DatabaseError(
            "This folder names no dependencies.",
            remedy=f"Name the ecosystems to fetch: {', '.join(ECOSYSTEMS)}.",
        )
    return used


async def fetch_advisories(ecosystem: str, url: str, to: Path, settings: Settings) -> Path:
    """Fetch what is known of an ecosystem into a folder; raises `CoaiError`.

    `url` has a zip for each ecosystem, as OSV publishes them
    (https://google.github.io/osv.dev/data/). Who calls this asks for it; the mode in which nothing
    leaves this machine holds all the same.
    """
    file = to / f"{ecosystem}.zip"
    address = f"{url.rstrip('/')}/{quote(ecosystem)}/all.zip"
    egress = Egress(allow=not settings.privacy.mode)
    await fetch(address, file, egress=egress, most=MOST_DOWNLOADED)
    return file


def rows(matched: Matched) -> list[Row]:
    """Return vulnerable dependencies as rows of an audit."""
    made: list[Row] = []
    for path, hit in matched.hits:
        package, source = hit.package, matched.sources[path]
        what = f"{Path(path).name}\0{package.ecosystem}\0{package.plain_name}\0{package.version}"
        digest = sha256(what.encode("utf-8", "replace")).hexdigest()[:20]
        made.append(Row(source, as_finding(source, hit), digest))
    return made
