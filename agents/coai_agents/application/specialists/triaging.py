"""What speaks for less severity, after it is decided what is shown: rows in, the same rows out.

So that nothing is ever taken away by triage, neither from the report nor from the exit code.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from coai_agents.specialists.security.triage.agent import triage
from coai_agents.specialists.security.triage.kept import Verdicts, verdicts_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from coai_agents.application.audit.selection import Row
    from coai_agents.specialists.asking import Asker


async def triaged(rows: Sequence[Row], asker: Asker, here: Path) -> tuple[list[Row], list[str]]:
    """Return the same findings, some less severe, and what a model could not be asked."""
    by_file: dict[str, list[Row]] = {}
    for row in rows:
        by_file.setdefault(row.source.uri, []).append(row)
    done: dict[int, Row] = {}
    notes: list[str] = []
    kept = Verdicts(verdicts_path())
    for some in by_file.values():
        source = some[0].source
        path = _within_project(source.path, here)
        outcome = await triage(source, [row.finding for row in some], asker, path=path, kept=kept)
        notes += outcome.notes
        for row, each in zip(some, outcome.triaged, strict=True):
            done[id(row)] = replace(row, finding=each.finding, triage=each.as_json())
    return [done[id(row)] for row in rows], list(dict.fromkeys(notes))


def _within_project(path: Path | None, here: Path) -> str:
    """Return a path as its project has it: folders around that do not speak of the file."""
    if path is None:
        return ""
    roots = (each for each in path.parents if (each / ".git").exists())
    root = next(roots, here if path.is_relative_to(here) else path.parent)
    return path.relative_to(root).as_posix()
