"""Many files: which ones, what is known of them already, and the rest on all cores."""

from __future__ import annotations

import gc
import hashlib
import json
import multiprocessing
import os
import sqlite3
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_agents.exclusions import ExclusionRules, Exclusions, Ground
from coai_agents.source import Source, normal_language
from coai_agents.static.encoding import from_document, to_document
from coai_agents.static.rules import FOLDER
from coai_agents.syntax.language import GRAMMARS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from coai_agents.static.findings import Analysis

TEXTS: Final = frozenset(
    {".env", ".json", ".toml", ".yaml", ".yml", ".ini", ".cfg", ".conf", ".properties", ".xml"}
)
"""Suffixes of files that are no code and may hold secrets."""

SKIPPED: Final = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".mypy_cache"}
)
"""Folders that hold nothing of the user's own."""

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
    text: str
    analysis: Analysis


def files_in(paths: Iterable[Path]) -> list[Path]:
    """Return the files to look at, without those that git ignores; named ones always."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_file():
            found[path.absolute()] = None
            continue
        root = path.absolute()
        exclusions = Exclusions(lambda _: ExclusionRules(), roots=(root,))
        for file in sorted(_walk(root)):
            refusal = exclusions.refusal(file, "context")
            if refusal is None or refusal.reason not in (Ground.GITIGNORE, Ground.COAIIGNORE):
                found[file] = None
    return list(found)


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIPPED]
        for name in names:
            path = Path(folder, name)
            language = normal_language("", path)
            if language in GRAMMARS or path.suffix.lower() in TEXTS or name.startswith(".env"):
                yield path


def read(path: Path) -> str | None:
    """Return a file's text, what is no UTF-8 replaced; None if it cannot be read or is too long."""
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        return path.read_bytes().decode("utf-8", "replace").removeprefix("\ufeff")
    except OSError:
        return None


@cache
def _rules_digest() -> bytes:
    """Return what changes whenever a rule or the engine does."""
    digest = hashlib.sha256()
    for path in sorted((*FOLDER.rglob("*.toml"), *FOLDER.parent.rglob("*.py"))):
        digest.update(path.read_bytes())
    return digest.digest()


def key_of(path: Path, text: str) -> str:
    """Return the key under which what is found in a file of this text is kept."""
    digest = hashlib.sha256(_rules_digest())
    digest.update(normal_language("", path).encode() + b"\0" + text.encode("utf-8", "replace"))
    return digest.hexdigest()


class AnalysisCache:
    """What was found in files, by their content; a file of SQLite, or nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def known(self, keys: Iterable[str]) -> dict[str, Analysis]:
        """Return what is known of some of the keys; of a file that is damaged, nothing."""
        if self._path is None or not self._path.exists():
            return {}
        wanted = list(keys)
        known: dict[str, Analysis] = {}
        try:
            with closing(sqlite3.connect(self._path)) as connection:
                for start in range(0, len(wanted), 500):
                    some = wanted[start : start + 500]
                    marks = ",".join("?" * len(some))
                    query = f"SELECT key, found FROM analyses WHERE key IN ({marks})"  # noqa: S608 - only question marks
                    for key, found in connection.execute(query, some):
                        known[str(key)] = from_document(json.loads(found))
        except (sqlite3.Error, ValueError, KeyError, TypeError):
            # A cache that cannot be read is worth nothing: it is made anew.
            self._path.unlink(missing_ok=True)
            return {}
        return known

    def keep(self, analyses: Mapping[str, Analysis]) -> None:
        """Remember what was found; a cache that cannot be written is done without."""
        if self._path is None or not analyses:
            return
        rows = [(key, json.dumps(to_document(each))) for key, each in analyses.items()]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with closing(sqlite3.connect(self._path)) as connection, connection:
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS analyses (key TEXT PRIMARY KEY, found TEXT)"
                )
                connection.executemany("INSERT OR REPLACE INTO analyses VALUES (?, ?)", rows)
        except (sqlite3.Error, OSError):
            return


def survey(paths: Sequence[Path], cache_: AnalysisCache, *, jobs: int = 0) -> Iterator[Audited]:
    """Yield what is found in each file, those that are known already first.

    `jobs` is how many processes are used, all cores for 0.
    """
    texts: dict[Path, str] = {}
    keys: dict[Path, str] = {}
    for path in paths:
        text = read(path)
        if text is not None:
            texts[path] = text
            keys[path] = key_of(path, text)
    known = cache_.known(keys.values())
    rest: list[Path] = []
    for path, text in texts.items():
        analysis = known.get(keys[path])
        if analysis is None:
            rest.append(path)
        else:
            yield Audited(path, text, analysis)
    fresh: dict[str, Analysis] = {}
    for path, analysis in _analysed([(path, texts[path]) for path in rest], jobs):
        fresh[keys[path]] = analysis
        yield Audited(path, texts[path], analysis)
    cache_.keep(fresh)


def _analysed(files: Sequence[tuple[Path, str]], jobs: int) -> Iterator[tuple[Path, Analysis]]:
    workers = jobs or os.cpu_count() or 1
    if len(files) < WORTH_PROCESSES or workers == 1:
        for path, text in files:
            yield path, _analyse(path, text)
        return
    batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
    # Started anew and not forked: the parent may have threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare) as pool:
        for batch, analyses in zip(batches, pool.map(_analyse_batch, batches), strict=True):
            for (path, _), analysis in zip(batch, analyses, strict=True):
                yield path, analysis


def _prepare() -> None:
    # An analysis makes many objects and no cycles that matter while it lasts.
    gc.set_threshold(100_000, 50, 50)


def _analyse_batch(batch: Sequence[tuple[Path, str]]) -> list[Analysis]:
    return [_analyse(path, text) for path, text in batch]


def _analyse(path: Path, text: str) -> Analysis:
    from coai_agents.static.analyzer import analyse  # noqa: PLC0415 - not if all is known already

    return analyse(Source(path.as_uri(), text))
