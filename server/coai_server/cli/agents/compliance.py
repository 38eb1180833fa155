"""`coai compliance`: a folder as security standards see it."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coai_routing.errors import CoaiError
from coai_server.cli.agents.looking import (
    NothingThereError,
    dependencies_in,
    looked_at,
    shown_path,
)
from coai_server.cli.console import error_document, report, write_json
from coai_server.terminal import printable

if TYPE_CHECKING:
    from coai_agents.specialists.security.compliance.standards import Standard
    from coai_agents.specialists.security.compliance.view import Compliance, Found


class Form(StrEnum):
    """How a view is written."""

    MARKDOWN = "markdown"
    JSON = "json"


def compliance(
    path: Annotated[Path, typer.Argument(metavar="[PATH]", help="A folder or a file.")] = Path(),
    *,
    standard: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Only this standard, such as asvs-5; may come again."),
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="How it is written.")] = Form.MARKDOWN,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Ask no model; this never asks one.")
    ] = False,
) -> None:
    """Show what breaks the controls of OWASP's Top 10, ASVS, SOC 2 and PCI DSS in a folder.

    Each control has what was found, which rules looked, and what a static look cannot tell. Exit
    code 0 if nothing was found, 1 if something was, 2 if it could not be looked at.
    """
    del no_model
    chosen = Form.JSON if as_json else form
    try:
        view, failed = _view(path, standard or [])
    except CoaiError as error:
        if chosen is Form.JSON:
            write_json(error_document(error))
        else:
            report(error)
        raise typer.Exit(2) from error
    if chosen is Form.JSON:
        write_json({"ok": True, **view.as_json()})
    else:
        text = view.as_markdown()
        sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    raise typer.Exit(1 if view.broken else 2 if failed else 0)


def _view(path: Path, named: list[str]) -> tuple[Compliance, bool]:
    from coai_agents.source import Source  # noqa: PLC0415 (as above)
    from coai_agents.specialists.security.compliance.view import Found, compliance  # noqa: PLC0415 (not for `--help`)

    wanted = _standards(named)
    audited = looked_at([path])
    found: list[Found] = []
    for each in audited:
        if not each.analysis.findings:
            continue
        source = Source(each.path.as_uri(), each.text)
        name = shown_path(each.path)
        found += [
            Found(one.rule, one.cwe, one.severity, name, source.line_at(one.span.start) + 1)
            for one in each.analysis.findings
        ]
    notes = [f"{shown_path(one.path)}: {note}" for one in audited for note in one.analysis.notes]
    found += _of_dependencies(path, notes)
    view = compliance(wanted, found, files=len(audited), notes=notes)
    return view, any(one.analysis.failed for one in audited)


def _of_dependencies(path: Path, notes: list[str]) -> list[Found]:
    """Return what is known of dependencies, where there is a database that knows."""
    from coai_agents.specialists.security.advisories.database import (  # noqa: PLC0415 (as above)
        DatabaseError,
        Vulnerabilities,
        database_path,
    )
    from coai_agents.specialists.security.advisories.matching import all_vulnerable  # noqa: PLC0415
    from coai_agents.specialists.security.compliance.view import Found  # noqa: PLC0415 (as above)
    from coai_agents.specialists.security.findings import CWE, RULE, severity_of  # noqa: PLC0415

    sources, named, _ = dependencies_in([path])
    if not named.packages:
        return []
    try:
        known = Vulnerabilities(database_path())
    except DatabaseError as error:
        notes.append(f"Dependencies were not matched. {error.message}")
        return []
    try:
        hits = all_vulnerable(named.packages, known)
    finally:
        known.close()
    return [
        Found(
            RULE,
            CWE,
            severity_of(hit),
            shown_path(Path(name)),
            sources[name].line_at(hit.package.span.start) + 1,
        )
        for name, hit in hits
    ]


def _standards(named: list[str]) -> list[Standard]:
    from coai_agents.specialists.security.compliance.standards import standards  # noqa: PLC0415

    known = {each.id: each for each in standards()}
    for name in named:
        if name not in known:
            raise NothingThereError(
                f"{name} is no standard that is known.", remedy=f"Name {', '.join(known)}."
            )
    return [known[name] for name in named] if named else list(known.values())
