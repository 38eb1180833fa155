"""`coai vulns`: dependencies with known vulnerabilities, and the database that knows them."""

from __future__ import annotations

import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import typer
from typer.core import TyperGroup

from coai_routing.errors import CoaiError
from coai_server.cli.console import error_document, notices, report, run, say, write_json
from coai_server.terminal import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.application.security import Matched
    from coai_agents.source import Source
    from coai_agents.specialists.security.advisories.database import Imported
    from coai_agents.specialists.security.advisories.matching import Vulnerable

BUCKET: Final = "https://osv-vulnerabilities.storage.googleapis.com"
"""Where OSV publishes all advisories of an ecosystem as one zip
(https://google.github.io/osv.dev/data/)."""

MOST_DOWNLOADED: Final = 2 * 1024**3
"""Bytes of one ecosystem's zip; npm's, the largest, has some 150 MB."""

FAILED: Final = 2


class Form(StrEnum):
    """How vulnerabilities are written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


class _Default(TyperGroup):
    """A group of which the first command is meant where none is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's own copy of click's
        if not args or (args[0] not in self.commands and args[0] not in {"-h", "--help"}):
            args = ["check", *args]
        return super().parse_args(ctx, args)


commands = typer.Typer(
    cls=_Default,
    help="Find dependencies with known vulnerabilities; `coai vulns [DIR]` checks a folder.",
)

Database = Annotated[
    Path | None,
    typer.Option("--database", metavar="FILE", help="The database; COAI's own unless given."),
]


@commands.command()
def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[DIR|FILE]...", help="What to look at; here unless given."),
    ] = None,
    *,
    form: Annotated[Form, typer.Option("--format", help="How it is written.")] = Form.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Ask no model; this never asks one.")
    ] = False,
    database: Database = None,
) -> None:
    """Match the packages that manifests and lock files name against the local database.

    Nothing is run, installed or sent. Exit code 0 if nothing is known against any of them, 1 if
    something is, 2 if it could not be found out.
    """
    del no_model
    chosen = Form.JSON if as_json else form
    try:
        code = _check(paths or [Path()], chosen, database)
    except CoaiError as error:
        _failed(error, as_json=chosen is not Form.TEXT)
        code = FAILED
    raise typer.Exit(code)


def _failed(error: CoaiError, *, as_json: bool) -> None:
    if as_json:
        write_json(error_document(error))
    else:
        report(error)


def _check(paths: Sequence[Path], form: Form, database: Path | None) -> int:
    from coai_agents.application.security import vulnerable_in  # noqa: PLC0415 (not for `--help`)

    matched = vulnerable_in(paths, lambda notes: _chosen(database, notes))
    _write(form, matched)
    if matched.hits:
        return 1
    return FAILED if matched.failed else 0


def _chosen(database: Path | None, notes: list[str]) -> Path:
    """Return the database to use; where there is none yet, one made of what is installed."""
    from coai_agents.specialists.security.advisories import database as kept  # noqa: PLC0415

    path = database or kept.database_path()
    zips = kept.installed_zips() if database is None and not path.exists() else []
    if zips:
        imported = kept.import_files(path, zips)
        notes += imported.notes
        notices().print(
            f"Took {imported.advisories:,} advisories from what osv-scanner has fetched."
        )
    return path


def _write(form: Form, matched: Matched) -> None:
    found = matched.found
    if form is Form.SARIF:
        from coai_agents.application.audit.sarif import document  # noqa: PLC0415 (only where asked for)

        write_json(document(_rows(matched.hits, matched.sources), []))
    elif form is Form.JSON:
        write_json(
            {
                "ok": True,
                "vulnerable": [
                    hit.as_json(path, *matched.place(path, hit)) for path, hit in matched.hits
                ],
                "packages": len(found.packages),
                "files": found.files,
                "notes": found.notes,
            }
        )
    else:
        for path, hit in matched.hits:
            line, column = matched.place(path, hit)
            say(_told(f"{path}:{line}:{column}", hit))
        counted = f"{len(found.packages)} packages in {found.files} files"
        known = f"{len(matched.hits)} vulnerable" if matched.hits else "nothing known"
        say(f"{counted}: {known}\n")
    if form is not Form.JSON:
        for note in dict.fromkeys(found.notes):
            say(f"Note: {one_line(note)}\n", sys.stderr)


def _told(place: str, hit: Vulnerable) -> str:
    lines = [f"{one_line(place)} {hit.level} {one_line(hit.sentence)}"]
    if len(hit.package.via) > 1:
        lines.append(f"  by way of {one_line(' > '.join(hit.package.via))}")
    for each in hit.vulnerabilities:
        names = f"{each.id} ({', '.join(each.aliases[:3])})" if each.aliases else each.id
        fixed = f"fixed in {each.fixed}" if each.fixed else "no fix known"
        lines.append(f"  {one_line(names)}: {one_line(each.title) or 'no summary'}; {fixed}")
    return "\n".join(lines) + "\n"


def _rows(hits: Sequence[tuple[str, Vulnerable]], sources: dict[str, Source]) -> list[Any]:
    from hashlib import sha256  # noqa: PLC0415 (only where asked for)

    from coai_agents.application.audit.selection import Row  # noqa: PLC0415 (as above)
    from coai_agents.specialists.security.findings import as_finding  # noqa: PLC0415 (as above)

    rows: list[Row] = []
    for path, hit in hits:
        package = hit.package
        what = f"{Path(path).name}\0{package.ecosystem}\0{package.plain_name}\0{package.version}"
        digest = sha256(what.encode("utf-8", "replace")).hexdigest()[:20]
        rows.append(Row(sources[path], as_finding(sources[path], hit), digest))
    return rows


@commands.command()
def update(
    ecosystems: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ECOSYSTEM]...",
            help="Such as PyPI or npm; those of this folder's dependencies unless given.",
        ),
    ] = None,
    *,
    from_files: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            metavar="PATH",
            help="Take these files, zips or folders in OSV's form instead; may come again.",
        ),
    ] = None,
    url: Annotated[
        str, typer.Option(metavar="URL", help="Where advisories are fetched from.")
    ] = BUCKET,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
    database: Database = None,
) -> None:
    """Add advisories to the local database: from files, or fetched from OSV's public bucket.

    All that leaves this machine is the names of ecosystems, and with `privacy.mode` nothing.
    """
    try:
        imported = _update(ecosystems or [], from_files or [], url, database)
    except CoaiError as error:
        _failed(error, as_json=as_json)
        raise typer.Exit(FAILED) from error
    if as_json:
        write_json({"ok": True, "advisories": imported.advisories, "notes": imported.notes})
    else:
        say(f"{imported.advisories:,} advisories were added or replaced.\n")
        for note in imported.notes:
            say(f"Note: {one_line(note)}\n", sys.stderr)
    raise typer.Exit(0 if imported.advisories or not imported.notes else FAILED)


def _update(
    ecosystems: Sequence[str], files: Sequence[Path], url: str, database: Path | None
) -> Imported:
    from coai_agents.specialists.security.advisories.database import (  # noqa: PLC0415 (as above)
        DatabaseError,
        database_path,
        import_files,
    )

    path = database or database_path()
    if files:
        # A shell's pattern behind --from has its further files where ecosystems stand.
        more = [Path(each) for each in ecosystems]
        for each in (*files, *more):
            if not each.exists():
                raise DatabaseError(f"{each} is not there.")
        return import_files(path, [*files, *more], progress=_progress)
    wanted = _wanted(ecosystems)
    with tempfile.TemporaryDirectory(prefix="coai-osv-") as folder:
        fetched = run(_fetch(wanted, url, Path(folder)))
        return import_files(path, fetched, progress=_progress)


def _progress(count: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{count:,} advisories")


def _wanted(named: Sequence[str]) -> list[str]:
    from coai_agents.specialists.security.advisories.database import DatabaseError  # noqa: PLC0415
    from coai_agents.specialists.security.dependencies.packages import ECOSYSTEMS  # noqa: PLC0415

    by_name = {each.lower(): each for each in ECOSYSTEMS}
    if unknown := [each for each in named if each.lower() not in by_name]:
        raise DatabaseError(
            f"{unknown[0]} is no ecosystem that is read.", remedy=f"Name {', '.join(ECOSYSTEMS)}."
        )
    if named:
        return [by_name[each.lower()] for each in named]
    from coai_agents.application.security import dependencies_in  # noqa: PLC0415 (as above)

    _, found, _ = dependencies_in([Path()])
    used = sorted({each.ecosystem for _, each in found.packages})
    if not used:
        raise DatabaseError(
            "This folder names no dependencies.",
            remedy=f"Name the ecosystems to fetch: {', '.join(ECOSYSTEMS)}.",
        )
    return used


async def _fetch(ecosystems: Sequence[str], url: str, folder: Path) -> list[Path]:
    from coai_routing.fetching import fetch  # noqa: PLC0415 (only where something is fetched)
    from coai_routing.privacy.egress import Egress  # noqa: PLC0415 (as above)
    from coai_server.cli.settings import load_settings  # noqa: PLC0415 (as above)

    settings = load_settings(Path.cwd()).settings
    # Who calls this asks for it; the mode in which nothing leaves holds all the same.
    egress = Egress(allow=not settings.privacy.mode)
    fetched: list[Path] = []
    for ecosystem in ecosystems:
        notices().print(f"Fetching what is known of {ecosystem} packages")
        to = folder / f"{ecosystem}.zip"
        address = f"{url.rstrip('/')}/{quote(ecosystem)}/all.zip"
        await fetch(address, to, egress=egress, most=MOST_DOWNLOADED)
        fetched.append(to)
    return fetched
