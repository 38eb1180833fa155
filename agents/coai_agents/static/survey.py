"""Many files: what is known of them already, and the rest on all cores."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from coai_agents.static.gathering import files_in
from coai_agents.static.remembered import AnalysisCache

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from coai_agents.static.findings import Analysis

__all__ = ["AnalysisCache", "Audited", "files_in", "read", "survey"]

MOST_BYTES: Final = 5_000_000
"""Larger files are left out."""

BATCH: Final = 16
"""Files that a process is given at a time."""

WORTH_PROCESSES: Final = 48
"""With fewer files than this, starting processes costs more than it saves."""


@dataclass(frozen=True, slots=True)
class Audited:
    """A file and what was found in it."""

    path: Path
    analysis: Analysis
    held: str | None = field(default=None, compare=False, repr=False)
    """The text that was analysed, if it was read."""

    @property
    def text(self) -> str:
        """The file's text, of one that is gone since nothing."""
        return (read(self.path) or "") if self.held is None else self.held


def read(path: Path) -> str | None:
    """Return a file's text, what is no UTF-8 replaced; None if it cannot be read or is too long."""
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        return path.read_bytes().decode("utf-8", "replace").removeprefix("\ufeff")
    except OSError:
        return None


def survey(
    paths: Sequence[Path], cache_: AnalysisCache, *, jobs: int = 0, rules: Sequence[str] = ()
) -> Iterator[Audited]:
    """Yield what is found in each file, those that are known already first.

    `jobs` is how many processes are used, all cores for 0. `rules` are folders and files with rules
    of the user's own, which this process has already (`user_rules.use`) and others are told of.
    """
    unchanged = cache_.unchanged(paths)
    for path, analysis in unchanged.items():
        yield Audited(path, analysis)
    texts = {
        path: text for path in paths if path not in unchanged and (text := read(path)) is not None
    }
    keys = {path: cache_.key_of(path, text) for path, text in texts.items()}
    known = cache_.known(keys.values())
    rest: list[tuple[Path, str]] = []
    for path, text in texts.items():
        analysis = known.get(keys[path])
        if analysis is None:
            rest.append((path, text))
        else:
            yield Audited(path, analysis, text)
    fresh: dict[str, Analysis] = {}
    for path, analysis in _analysed(rest, jobs, rules):
        fresh[keys[path]] = analysis
        yield Audited(path, analysis, texts[path])
    cache_.keep(fresh, keys)


def _analysed(
    files: Sequence[tuple[Path, str]], jobs: int, rules: Sequence[str]
) -> Iterator[tuple[Path, Analysis]]:
    workers = jobs or os.cpu_count() or 1
    if len(files) < WORTH_PROCESSES or workers == 1:
        for path, text in files:
            yield path, _analyse(path, text)
        return
    # Only where there is much to do: both cost some hundredths of a second to load.
    import multiprocessing  # noqa: PLC0415
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415

    batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
    # Started anew and not forked: the parent may have threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_prepare, initargs=(tuple(rules),)
    ) as pool:
        for batch, analyses in zip(batches, pool.map(_analyse_batch, batches), strict=True):
            for (path, _), analysis in zip(batch, analyses, strict=True):
                yield path, analysis


def _prepare(rules: Sequence[str]) -> None:
    import gc  # noqa: PLC0415 - for processes of many files only

    from coai_agents.static import user_rules  # noqa: PLC0415 - as above

    user_rules.use(rules)

    # An analysis makes many objects and no cycles that matter while it lasts.
    gc.set_threshold(100_000, 50, 50)


def _analyse_batch(batch: Sequence[tuple[Path, str]]) -> list[Analysis]:
    return [_analyse(path, text) for path, text in batch]


def _analyse(path: Path, text: str) -> Analysis:
    from coai_agents.source import Source  # noqa: PLC0415 - not if all is known already
    from coai_agents.static.analyzer import analyse  # noqa: PLC0415 - as above

    return analyse(Source(path.as_uri(), text))
