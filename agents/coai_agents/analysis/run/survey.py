"""Many files: what is known of them already, and the rest on all cores."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Analysis
from coai_agents.analysis.run.gathering import files_in
from coai_agents.analysis.run.project import Project, Table
from coai_agents.analysis.run.remembered import AnalysisCache
from coai_agents.analysis.run.resolution import Index
from coai_routing.processes import pool
from coai_routing.workspace_files import UnsafeFileError, read_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from coai_agents.analysis.dataflow.linking.outline import Outline

    _Work = tuple[Path, str, "Table | None"]
    """A file, its text, and what is known of the functions of others."""

__all__ = ["AnalysisCache", "Audited", "files_in", "read", "survey"]

MOST_BYTES: Final = 5_000_000
"""Larger files are left out."""

BATCH: Final = 16
"""Files that a process is given at a time."""

WORTH_PROCESSES: Final = 48
"""With fewer files than this, starting processes costs more than it saves."""


MOST_ROUNDS: Final = 3
"""So often files are looked at again for what is known of others by then."""

_TEXTUAL: Final = frozenset({".go", ".rb", ".php"})
"""Suffixes of files whose text says what they import in a way that no path does."""


@dataclass(frozen=True, slots=True)
class Audited:
    """A file and what was found in it."""

    path: Path
    analysis: Analysis
    held: str | None = field(default=None, compare=False, repr=False)
    """The text that was analysed, if it was read."""
    within: tuple[Path, ...] = field(default=(), compare=False, repr=False)
    """What the file has to be in to be read; see `workspace_files.read_file`."""

    @property
    def text(self) -> str:
        """The file's text, of one that is gone since nothing."""
        if self.held is not None:
            return self.held
        return read(self.path, self.within) or ""


def read(path: Path, within: Sequence[Path] = ()) -> str | None:
    """Return a file's text, what is no UTF-8 replaced; None if it cannot or must not be read."""
    try:
        return _text(path, within)
    except OSError:
        return None


def _text(path: Path, within: Sequence[Path]) -> str:
    content = read_file(path, MOST_BYTES, within)
    return content.decode("utf-8", "replace").removeprefix("\ufeff")


def survey(
    paths: Sequence[Path],
    cache_: AnalysisCache,
    *,
    jobs: int = 0,
    rules: Sequence[str] = (),
    within: Sequence[Path] = (),
) -> Iterator[Audited]:
    """Yield what is found in each file, those that are known already first.

    `jobs` is how many processes are used, all cores for 0. `rules` are folders and files with rules
    of the user's own, which this process has already (`user_rules.use`) and others are told of.
    `within` are the folders and files that were asked for: what leads out of them is not read. A
    file that is not read has a note that says why.
    """
    asked = tuple(within)
    unchanged = cache_.unchanged(paths)
    done = [Audited(path, analysis, within=asked) for path, analysis in unchanged.items()]
    texts: dict[Path, str] = {}
    for path in paths:
        if path in unchanged:
            continue
        try:
            texts[path] = _text(path, asked)
        except OSError as error:
            yield _unread(path, error)
    keys = {path: cache_.key_of(path, text) for path, text in texts.items()}
    known = cache_.known(keys.values())
    rest: list[tuple[Path, str]] = []
    for path, text in texts.items():
        analysis = known.get(keys[path])
        if analysis is None:
            rest.append((path, text))
        else:
            done.append(Audited(path, analysis, text, asked))
    fresh: dict[str, Analysis] = {}
    alone = [each for each in done if each.analysis.outline is None]
    yield from alone
    done = [each for each in done if each.analysis.outline is not None]
    for path, analysis in _analysed([(*each, None) for each in rest], jobs, rules):
        fresh[keys[path]] = analysis
        audited = Audited(path, analysis, texts[path], asked)
        if analysis.outline is None:
            yield audited
        else:
            done.append(audited)
    cache_.keep(fresh, keys)
    yield from _linked(done, cache_, jobs, rules)


def _linked(
    audited: Sequence[Audited], cache_: AnalysisCache, jobs: int, rules: Sequence[str]
) -> list[Audited]:
    """Return what is found where the functions of the other files are known.

    Files are looked at again whose calls lead to functions of which something matters is known,
    and those that call these, so many times as functions call one another through files.
    """
    state = cache_.state_of(each.path for each in audited)
    kept = cache_.links(state) if state else None
    if kept is not None:
        known = cache_.known(kept.values())
        if len(known) == len(set(kept.values())):
            return [
                replace(each, analysis=known[kept[name]])
                if (name := str(each.path)) in kept
                else each
                for each in audited
            ]
    first = {str(each.path): each for each in audited}
    now = dict(first)

    def outline_of(name: str) -> Outline | None:
        return now[name].analysis.outline if name in now else None

    index = Index.of([each.path for each in audited], lambda name: read(Path(name)) or "")
    project = Project(index, outline_of)
    for each in audited:
        if each.analysis.outline is not None:
            project.defines(each.path, each.analysis.outline)
    keys: dict[str, str] = {}
    for _ in range(MOST_ROUNDS):
        project.forget()
        tables = _tables(project, first, now, cache_)
        changed = {name: table for name, (table, key) in tables.items() if keys.get(name) != key}
        if not changed:
            break
        keys |= {name: tables[name][1] for name in changed}
        known = cache_.known(keys[name] for name in changed)
        work = [
            (first[name].path, first[name].text, table)
            for name, table in changed.items()
            if keys[name] not in known
        ]
        fresh = {keys[str(path)]: found for path, found in _analysed(work, jobs, rules)}
        cache_.keep(fresh)
        known |= fresh
        now |= {name: replace(first[name], analysis=known[keys[name]]) for name in changed}
    if state:
        cache_.keep_links(state, keys)
    return list(now.values())


def _tables(
    project: Project,
    first: Mapping[str, Audited],
    now: Mapping[str, Audited],
    cache_: AnalysisCache,
) -> dict[str, tuple[Table, str]]:
    """Return what files have to know of one another, and under which keys the outcome is kept."""
    found: dict[str, tuple[Table, str]] = {}
    for name, each in first.items():
        links = project.links(each.path, each.text if each.path.suffix in _TEXTUAL else "")
        table = None if links is None else links.table(now[name].analysis)[0]
        if table is not None and table.functions:
            found[name] = table, f"{cache_.key_of(each.path, each.text)}:{table.digest}"
    return found


def _unread(path: Path, error: OSError) -> Audited:
    """Return what there is to say of a file that is not read."""
    why = error.message if isinstance(error, UnsafeFileError) else error.strerror or str(error)
    # What is not the folder's own is left out; its own that cannot be read is missing.
    missing = not isinstance(error, UnsafeFileError | FileNotFoundError)
    analysis = Analysis(path.as_uri(), 0, (), (f"It was not read: {why}.",), failed=missing)
    return Audited(path, analysis, "")


def _analysed(
    files: Sequence[_Work], jobs: int, rules: Sequence[str]
) -> Iterator[tuple[Path, Analysis]]:
    workers = jobs or os.cpu_count() or 1
    if len(files) < WORTH_PROCESSES or workers == 1:
        for path, text, table in files:
            yield path, _analyse(path, text, table)
        return
    from concurrent.futures import BrokenExecutor  # noqa: PLC0415 - only where there is much to do

    batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
    done = 0
    try:
        with pool(workers, _prepare, (tuple(rules),)) as processes:
            for batch, analyses in zip(
                batches, processes.map(_analyse_batch, batches), strict=True
            ):
                done += len(batch)
                yield from (
                    (path, found) for (path, *_), found in zip(batch, analyses, strict=True)
                )
    except BrokenExecutor:
        yield from _one_by_one(files[done:], rules)


def _one_by_one(files: Sequence[_Work], rules: Sequence[str]) -> Iterator[tuple[Path, Analysis]]:
    """Analyse what is left after a process died: each file that another one dies of has a note."""
    from concurrent.futures import BrokenExecutor  # noqa: PLC0415 - as above

    waiting = iter(files)
    died = True
    while died:
        died = False
        with pool(1, _prepare, (tuple(rules),)) as processes:
            for file in waiting:
                path, *_ = file
                try:
                    (analysis,) = processes.submit(_analyse_batch, [file]).result()
                except BrokenExecutor:
                    died = True
                    note = "The analysis ended its process; please report it."
                    analysis = Analysis(path.as_uri(), 0, (), (note,), hurried=True, failed=True)
                yield path, analysis
                if died:
                    break


def _prepare(rules: Sequence[str]) -> None:
    import gc  # noqa: PLC0415 - for processes of many files only

    from coai_agents.analysis.rules import user_rules  # noqa: PLC0415 - as above

    user_rules.use(rules)

    # An analysis makes many objects and no cycles that matter while it lasts.
    gc.set_threshold(100_000, 50, 50)


def _analyse_batch(batch: Sequence[_Work]) -> list[Analysis]:
    return [_analyse(path, text, table) for path, text, table in batch]


def _analyse(path: Path, text: str, table: Table | None) -> Analysis:
    from coai_agents.analysis.run.analyzer import analyse  # noqa: PLC0415 - as above
    from coai_agents.source import Source  # noqa: PLC0415 - not if all is known already

    return analyse(Source(path.as_uri(), text), linked=table)
