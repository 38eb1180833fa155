"""Vulnerable dependencies as findings beside all others, and the newer version as their fix."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Confidence, Finding, Severity
from coai_agents.fixes.fix import Fix
from coai_agents.source import Edit
from coai_agents.specialists.security.advisories.database import (
    DatabaseError,
    Vulnerabilities,
    database_path,
)
from coai_agents.specialists.security.advisories.matching import Vulnerable, all_vulnerable
from coai_agents.specialists.security.dependencies.reading import read, reader_of
from coai_routing.workspace_files import read_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from coai_agents.analysis.findings.findings import Analysis
    from coai_agents.source import Source
    from coai_agents.specialists.security.dependencies.packages import Package

RULE: Final = "vulnerable-dependency"

CWE: Final = (1395,)
"""Dependency on a vulnerable third-party component."""

MOST_CHARACTERS: Final = 4_000_000
"""Of a lock file in the editor; it is read within the time of an analysis."""

_SEVERITIES: Final = {
    "critical": Severity.ERROR,
    "high": Severity.ERROR,
    "medium": Severity.WARNING,
    "low": Severity.INFORMATION,
    "unknown": Severity.WARNING,
}

_opened = threading.local()


def _known(path: Path) -> Vulnerabilities | None:
    """Return the database as it is now; None where there is none that can be read."""
    try:
        status = path.stat()
    except OSError:
        return None
    stamp = (path, status.st_mtime_ns, status.st_ino)
    kept: tuple[object, Vulnerabilities] | None = getattr(_opened, "kept", None)
    if kept is not None:
        if kept[0] == stamp:
            return kept[1]
        kept[1].close()
        _opened.kept = None
    try:
        known = Vulnerabilities(path)
    except DatabaseError:
        return None
    _opened.kept = (stamp, known)
    return known


def severity_of(vulnerable: Vulnerable) -> Severity:
    """Return how severe a finding is: of a range, whose lowest may not be installed, less."""
    severity = _SEVERITIES[vulnerable.level]
    return severity if vulnerable.package.exact else max(severity, Severity.INFORMATION, key=_rank)


def _rank(severity: Severity) -> int:
    return severity.rank


def as_finding(source: Source, vulnerable: Vulnerable) -> Finding:
    """Return what is wrong with a dependency as a finding at its version."""
    package = vulnerable.package
    return Finding(
        rule=RULE,
        span=package.span,
        message=vulnerable.sentence,
        severity=severity_of(vulnerable),
        uri=source.uri,
        version=source.version,
        cwe=CWE,
        confidence=Confidence.HIGH if package.exact else Confidence.MEDIUM,
    )


def _vulnerable(
    source: Source, database: Path | None, *, locks: bool = True
) -> Iterator[Vulnerable]:
    if source.path is None or reader_of(source.path.as_posix()) is None:
        return
    known = None if len(source.text) > MOST_CHARACTERS else _known(database or database_path())
    if known is None:
        return
    path = source.path.as_posix()
    named = read(path, source.text).packages
    if locks and not all(each.exact for each in named):
        named = _as_locked(named, source.path.parent)
    packages = ((path, each) for each in named)
    try:
        for _, each in all_vulnerable(packages, known):
            yield each
    except DatabaseError:
        return


def _as_locked(packages: Sequence[Package], folder: Path) -> list[Package]:
    """Return a manifest's packages with the versions that lock files beside it hold."""
    versions: dict[tuple[str, str], str] = {}
    for name in LOCKS:
        path = folder / name
        if path.is_file():
            with suppress(OSError):
                text = read_file(path, MOST_CHARACTERS, (folder,)).decode("utf-8", "replace")
                for each in read(path.as_posix(), text).packages:
                    if len(each.via) <= 1:
                        versions.setdefault((each.ecosystem, each.plain_name), each.version)
    return [
        replace(each, version=versions[key], exact=True)
        if not each.exact and (key := (each.ecosystem, each.plain_name)) in versions
        else each
        for each in packages
    ]


LOCKS: Final = (
    *("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "package-lock.json", "yarn.lock"),
    *("pnpm-lock.yaml", "Cargo.lock", "composer.lock", "Gemfile.lock", "packages.lock.json"),
)
"""Lock files that stand beside the manifest that they are made of."""


def with_dependencies(source: Source, analysis: Analysis, database: Path | None = None) -> Analysis:
    """Return an analysis with what is known of the dependencies that the document names."""
    found = [as_finding(source, each) for each in _vulnerable(source, database)]
    if not found:
        return analysis
    findings = sorted((*analysis.findings, *found), key=lambda each: each.span.start)
    return replace(analysis, findings=tuple(findings))


def dependency_fixes_for(
    source: Source, findings: Sequence[Finding], database: Path | None = None
) -> Iterator[Fix]:
    """Yield the fixes of vulnerable dependencies: the version is written over, nothing else.

    What a tool writes, such as a lock file, has none. Each was tried: no advisory is about the new
    version, and reading the file then finds it.
    """
    wanted = {each.span for each in findings if each.rule == RULE}
    if not wanted:
        return
    for each in _vulnerable(source, database):
        edit, fixed = each.package.edit, each.fixed
        if each.package.span not in wanted or edit is None or fixed is None:
            continue
        change = Edit(edit, fixed)
        after = source.apply(change)
        still = {
            (one.package.name, one.package.version)
            for one in _vulnerable(after, database, locks=False)
        }
        now = {(one.name, one.version) for one in read(str(source.path), after.text).packages}
        name = each.package.name
        if (name, fixed) in now and (name, fixed) not in still:
            title = f"Use {name} {fixed}"
            yield Fix(title, RULE, each.package.span, (change,), preferred=True)
