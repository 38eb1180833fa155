"""`coai audit --triage`: what speaks for less severity, after it is decided what is shown.

So that nothing is ever taken away by triage, neither from the report nor from the exit code.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.application.audit.selection import Row


def triaged(rows: Sequence[Row], *, model: bool, alias: str | None) -> tuple[list[Row], list[str]]:
    """Return the same findings, some less severe, and what could not be done."""
    return asyncio.run(_triaged(rows, model=model, alias=alias)) if rows else ([], [])


async def _triaged(
    rows: Sequence[Row], *, model: bool, alias: str | None
) -> tuple[list[Row], list[str]]:
    from coai_agents.specialists.security.triage.agent import triage  # noqa: PLC0415 (where asked)
    from coai_agents.specialists.security.triage.kept import Verdicts, verdicts_path  # noqa: PLC0415
    from coai_server.cli.agents.models import asker  # noqa: PLC0415 (as above)

    by_file: dict[str, list[Row]] = {}
    for row in rows:
        by_file.setdefault(row.source.uri, []).append(row)
    done: dict[int, Row] = {}
    notes: list[str] = []
    kept = Verdicts(verdicts_path())
    first = rows[0].source.path or Path.cwd()
    async with asker(first, wanted=model, alias=alias) as asked:
        for some in by_file.values():
            source = some[0].source
            path = _within_project(source.path)
            found = [row.finding for row in some]
            outcome = await triage(source, found, asked, path=path, kept=kept)
            notes += outcome.notes if model else ()
            for row, each in zip(some, outcome.triaged, strict=True):
                done[id(row)] = replace(row, finding=each.finding, triage=each.as_json())
    return [done[id(row)] for row in rows], list(dict.fromkeys(notes))


def _within_project(path: Path | None) -> str:
    """Return a path as its project has it: folders around that do not speak of the file."""
    if path is None:
        return ""
    roots = (each for each in path.parents if (each / ".git").exists())
    root = next(roots, Path.cwd() if path.is_relative_to(Path.cwd()) else path.parent)
    return path.relative_to(root).as_posix()
