"""What commands over a folder have in common: its files' findings, counted from their paths."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.analysis.run.survey import Audited
    from coai_agents.source import Source
    from coai_agents.specialists.security.dependencies.reading import Dependencies


class NothingThereError(CoaiError):
    """What a command is to look at is not there."""


def looked_at(paths: Sequence[Path]) -> list[Audited]:
    """Return what is found in the files of some folders, in their order.

    Raises `NothingThereError`.
    """
    from coai_agents.analysis.run.remembered import AnalysisCache, cache_path  # noqa: PLC0415 (not for `--help`)
    from coai_agents.analysis.run.survey import files_in, survey  # noqa: PLC0415 (as above)

    for path in paths:
        if not path.exists():
            raise NothingThereError(f"{path} is not there.")
    files = files_in(paths)
    found = survey(files, AnalysisCache(cache_path()), within=list(paths))
    return sorted(found, key=lambda one: one.path)


def shown_path(path: Path) -> str:
    """Return a path as people write it: from here on, if it is below."""
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


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
