"""`coai vulns`: dependencies with known vulnerabilities, and the database that knows them."""

from __future__ import annotations

import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperGroup

from coai_routing.errors import CoaiError
from coai_server.cli.console import error_document, notices, report, run, say, write_json
from coai_server.terminal import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.application.security import Matched
    from coai_agents.specialists.security.advisories.database import Imported
    from coai_agents.specialists.security.advisories.matching import Vulnerable

BUCKET: Final = "https://osv-vulnerabilities.storage.googleapis.com"
"""Where OSV publishes all advisories of an ecosystem as one zip
(https://google.github.io/osv.dev/data/)."""

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
    from coai_agents.application.specialists.advisories import database_of  # noqa: PLC0415 (as above)

    return database_of(database, notes, _say_imported)


def _say_imported(imported: Imported) -> None:
    notices().print(f"Took {imported.advisories:,} advisories from what osv-scanner has fetched.")


def _write(form: Form, matched: Matched) -> None:
    found = matched.found
    if form is Form.SARIF:
        from coai_agents.application.audit.sarif import document  # noqa: PLC0415 (as above)
        from coai_agents.application.specialists.advisories import rows  # noqa: PLC0415 (only where asked for)

        write_json(document(rows(matched), []))
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
    from coai_agents.application.specialists.advisories import (  # noqa: PLC0415 (as above)
        ecosystems_wanted,
        import_advisories,
    )

    if files:
        # A shell's pattern behind --from has its further files where ecosystems stand.
        return import_advisories([*files, *map(Path, ecosystems)], database, _progress)
    wanted = ecosystems_wanted(ecosystems, Path())
    with tempfile.TemporaryDirectory(prefix="coai-osv-") as folder:
        fetched = run(_fetch(wanted, url, Path(folder)))
        return import_advisories(fetched, database, _progress)


def _progress(count: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{count:,} advisories")


async def _fetch(ecosystems: Sequence[str], url: str, folder: Path) -> list[Path]:
    from coai_agents.application.specialists.advisories import fetch_advisories  # noqa: PLC0415 (as above)
    from coai_server.cli.settings import load_settings  # noqa: PLC0415 (as above)

    settings = load_settings(Path.cwd()).settings
    fetched: list[Path] = []
    for ecosystem in ecosystems:
        notices().print(f"Fetching what is known of {ecosystem} packages")
        fetched.append(await fetch_advisories(ecosystem, url, folder, settings))
    return fetched
