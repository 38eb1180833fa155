"""A folder's security beside its findings: dependencies, a threat model, standards.

Paths are shown as `Named` says, because doors show them in different ways.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coai_agents.analysis.run.survey import Audited
    from coai_agents.source import Source
    from coai_agents.specialists.security.advisories.matching import Vulnerable
    from coai_agents.specialists.security.compliance.standards import Standard
    from coai_agents.specialists.security.compliance.view import Compliance, Found
    from coai_agents.specialists.security.dependencies.reading import Dependencies
    from coai_agents.specialists.security.threats.model import Flow, ThreatModel

    Named: TypeAlias = Callable[[Path], str]

PARSE_SECONDS = 0.5


class NothingThereError(CoaiError):
    """What is to be looked at is not there, or is not known."""


def looked_at(paths: Sequence[Path]) -> list[Audited]:
    """Return what is found in the files of some folders, in their order.

    Raises `NothingThereError`.
    """
    from coai_agents.analysis.run.remembered import AnalysisCache, cache_path  # noqa: PLC0415 (not for `--help`)
    from coai_agents.analysis.run.survey import files_in, survey  # noqa: PLC0415 (as above)

    _must_be_there(paths)
    files = files_in(paths)
    found = survey(files, AnalysisCache(cache_path()), within=list(paths))
    return sorted(found, key=lambda one: one.path)


def _must_be_there(paths: Sequence[Path]) -> None:
    for path in paths:
        if not path.exists():
            raise NothingThereError(f"{path} is not there.")


# ------------------------------------------------------------------------ dependencies


def dependencies_in(
    paths: Sequence[Path],
) -> tuple[dict[str, Source], Dependencies, bool]:
    """Return the files that name dependencies, what they name, and whether any was unreadable."""
    from coai_agents.analysis.run.gathering import files_in  # noqa: PLC0415 (not for `--help`)
    from coai_agents.source import Source  # noqa: PLC0415 (as above)
    from coai_agents.specialists.security.dependencies.reading import (  # noqa: PLC0415
        MOST_BYTES,
        read_all,
        reader_of,
    )
    from coai_routing.workspace_files import read_file  # noqa: PLC0415 (as above)

    _must_be_there(paths)
    sources: dict[str, Source] = {}
    notes: list[str] = []
    for path in files_in(paths, _may_name):
        name = path.as_posix()
        if reader_of(name) is None:
            if path in [each.absolute() for each in paths]:
                notes.append(f"{name} is no file that is known to name dependencies.")
            continue
        try:
            text = read_file(path, MOST_BYTES, paths).decode("utf-8-sig", "replace")
            sources[name] = Source(path.as_uri(), text)
        except OSError as error:
            notes.append(f"{name} was not read: {error}.")
    found = read_all((name, source.text) for name, source in sources.items())
    failed = bool(notes or found.notes)
    found.notes[:0] = notes
    return sources, found, failed


def _may_name(name: str) -> bool:
    from coai_agents.specialists.security.dependencies.reading import reader_of  # noqa: PLC0415

    return reader_of(name) is not None or name.endswith((".txt", ".in"))


@dataclass(frozen=True, slots=True)
class Matched:
    """What is known against dependencies."""

    hits: list[tuple[str, Vulnerable]]
    """With the paths of the files that name them."""
    sources: dict[str, Source]
    found: Dependencies
    failed: bool
    """Whether anything could not be found out."""

    def place(self, path: str, hit: Vulnerable) -> tuple[int, int]:
        """Return where a dependency is named, line and column counted from 1."""
        source, at = self.sources[path], hit.package.span.start
        line = source.line_at(at)
        return line + 1, at - source.line_start(line) + 1


def vulnerable_in(
    paths: Sequence[Path], database: Callable[[list[str]], Path] | None = None
) -> Matched:
    """Match the packages that manifests and lock files name against the local database.

    `database` returns its file, and may add to the notes. Raises `DatabaseError`.
    """
    from coai_agents.specialists.security.advisories.database import (  # noqa: PLC0415 (not for `--help`)
        Vulnerabilities,
        database_path,
    )
    from coai_agents.specialists.security.advisories.matching import all_vulnerable  # noqa: PLC0415

    sources, found, failed = dependencies_in(paths)
    if not found.packages:
        none = "No package is named there." if sources else "No file there names dependencies."
        found.notes.append(none)
        return Matched([], sources, found, failed=failed)
    known = Vulnerabilities(database_path() if database is None else database(found.notes))
    try:
        missing = {each.ecosystem for _, each in found.packages} - known.ecosystems()
        found.notes += [
            f"The database knows nothing of {each}: `coai vulns update {each}` fetches it."
            for each in sorted(missing)
        ]
        hits = all_vulnerable(found.packages, known)
    finally:
        known.close()
    hits.sort(key=lambda pair: (pair[0], pair[1].package.span.start))
    return Matched(hits, sources, found, failed=failed or bool(found.notes))


# ------------------------------------------------------------------------ threat model


def threats_in(path: Path, named: Named) -> tuple[ThreatModel, bool]:
    """Return the threat model of a file or folder, and whether anything could not be looked at."""
    from coai_agents.source import Source  # noqa: PLC0415 (not for `--help`)
    from coai_agents.specialists.security.threats.model import ThreatModel, flows_of  # noqa: PLC0415
    from coai_agents.specialists.security.triage.following import follow  # noqa: PLC0415
    from coai_agents.syntax.tree import parse  # noqa: PLC0415 (as above)

    flows: list[Flow] = []
    notes: list[str] = []
    audited = looked_at([path])
    for each in audited:
        source = Source(each.path.as_uri(), each.text)
        name = named(each.path)
        tree = parse(source, budget=PARSE_SECONDS)
        followed = None if tree is None else follow(tree)
        flows += flows_of(source, name, followed, each.analysis.findings)
        notes += (f"{name}: {note}" for note in each.analysis.notes)
        if tree is not None and followed is None:
            notes.append(f"{name}: not all values were followed.")
    failed = any(each.analysis.failed for each in audited)
    return ThreatModel(tuple(flows), len(audited), tuple(notes)), failed


# --------------------------------------------------------------------------- standards


def compliance_of(path: Path, standards: Sequence[str], named: Named) -> tuple[Compliance, bool]:
    """Return a folder as security standards see it, and whether anything could not be looked at.

    Without standards by their identifiers it is all of them; raises `NothingThereError` for one
    that is not known.
    """
    from coai_agents.source import Source  # noqa: PLC0415 (as above)
    from coai_agents.specialists.security.compliance.view import Found, compliance  # noqa: PLC0415 (not for `--help`)

    wanted = _standards(standards)
    audited = looked_at([path])
    found: list[Found] = []
    for each in audited:
        if not each.analysis.findings:
            continue
        source = Source(each.path.as_uri(), each.text)
        name = named(each.path)
        found += [
            Found(one.rule, one.cwe, one.severity, name, source.line_at(one.span.start) + 1)
            for one in each.analysis.findings
        ]
    notes = [f"{named(one.path)}: {note}" for one in audited for note in one.analysis.notes]
    found += _of_dependencies(path, notes, named)
    view = compliance(wanted, found, files=len(audited), notes=notes)
    return view, any(one.analysis.failed for one in audited)


def _of_dependencies(path: Path, notes: list[str], named: Named) -> list[Found]:
    """Return what is known of dependencies, where there is a database that knows."""
    from coai_agents.specialists.security.advisories.database import DatabaseError  # noqa: PLC0415
    from coai_agents.specialists.security.compliance.view import Found  # noqa: PLC0415 (as above)
    from coai_agents.specialists.security.findings import CWE, RULE, severity_of  # noqa: PLC0415

    try:
        matched = vulnerable_in([path])
    except DatabaseError as error:
        notes.append(f"Dependencies were not matched. {error.message}")
        return []
    return [
        Found(RULE, CWE, severity_of(hit), named(Path(name)), matched.place(name, hit)[0])
        for name, hit in matched.hits
    ]


def _standards(named: Sequence[str]) -> list[Standard]:
    from coai_agents.specialists.security.compliance.standards import standards  # noqa: PLC0415

    known = {each.id: each for each in standards()}
    for name in named:
        if name not in known:
            raise NothingThereError(
                f"{name} is no standard that is known.", remedy=f"Name {', '.join(known)}."
            )
    return [known[name] for name in named] if named else list(known.values())
