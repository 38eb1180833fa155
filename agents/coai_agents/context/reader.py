"""Reads what prompts may show: open documents, and the files that they import.

All of it runs in the background, in one thread. Every file is asked of the exclusions before it is
opened, by the path under which it was found and by the one that it really has, and what was read is
redacted as a whole before it is cut into pieces: a part of a key would not be known for one.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from coai_agents.completion.cursor import unify_line_ends
from coai_agents.completion.gate import MOST_CHARACTERS
from coai_agents.context.chunks import chunks_of
from coai_agents.context.edits import chunk_around
from coai_agents.context.imports import Place, import_paths, sibling_paths
from coai_agents.context.outlines import Code, read_code
from coai_agents.exclusions.decisions import path_to_judge
from coai_agents.source import Source
from coai_routing.errors import CoaiError
from coai_routing.privacy.secrets import redact
from coai_routing.workspace_files import read_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from coai_agents.context.chunks import Chunk
    from coai_agents.context.edits import EditedPlace
    from coai_agents.context.outlines import Imported
    from coai_agents.exclusions.decisions import Exclusions

logger = logging.getLogger(__name__)

MOST_BYTES: Final = 400_000
"""Larger files are not read: their definitions say less than their size costs."""

MOST_FILES: Final = 400
"""Files whose definitions are kept; those used least recently give way."""

MOST_FILES_PER_DIRECTORY: Final = 24
MOST_TOPS: Final = 64
MOST_PATHS_PER_IMPORT: Final = 80
"""Paths that are tried for one import."""

MOST_PLACES: Final = 20_000
"""Imports of which it is remembered where they lead."""

DEADLINE: Final = 1.0
"""Seconds for following one document's imports; what is left is followed the next time."""

_HEAD: Final = re.compile(r"[^\W\d]\w*")
_NOT_TOPS: Final = frozenset({"build", "dist", "node_modules", "out", "target", "vendor", "venv"})


@dataclass(frozen=True, slots=True)
class FileCode:
    """A file's definitions."""

    path: str
    shown: str
    """The path that a prompt shows: relative to the workspace folder."""
    code: Code


@dataclass(frozen=True, slots=True)
class Reached:
    """An import and the files that it may mean."""

    imported: Imported
    files: tuple[str, ...]


def _none() -> dict[str, Reached]:
    return {}


@dataclass(frozen=True, slots=True)
class Document:
    """What is known of an open document."""

    uri: str
    path: str
    """The path by which it is judged; empty if it has none."""
    file: FileCode
    chunks: tuple[Chunk, ...]
    shareable: bool
    """Whether prompts for other documents may show it."""
    imports: tuple[Reached, ...] = ()
    by_local: Mapping[str, Reached] = field(default_factory=_none)
    """The imports by what the document calls them."""
    heads: frozenset[str] = frozenset()
    """The first names of these."""
    siblings: tuple[str, ...] = ()
    """Files that it sees without importing them."""

    @property
    def reached(self) -> tuple[str, ...]:
        """Every file that it sees, once."""
        imported = (path for each in self.imports for path in each.files)
        return tuple(dict.fromkeys((*imported, *self.siblings)))


@dataclass(frozen=True, slots=True)
class _Kept:
    stamp: tuple[int, int]
    file: FileCode


class Reader:
    """Reads documents and files. Belongs to one thread."""

    def __init__(self, exclusions: Exclusions) -> None:
        self._exclusions = exclusions
        self._files: OrderedDict[str, _Kept] = OrderedDict()
        self._found: dict[tuple[str, str, Imported | None], tuple[str, ...]] = {}
        self._tops: dict[str, tuple[str, ...]] = {}

    def forget_places(self) -> None:
        """Look for imported files anew: files may have come or gone."""
        self._found.clear()
        self._tops.clear()

    # -------------------------------------------------------------- documents

    def document(self, source: Source) -> Document:
        """Read an open document, and find what it imports."""
        path = path_to_judge(source.uri)
        shareable = path is None or not self._is_refused_document(source.uri, path)
        text = _shareable_text(source)
        name = "" if path is None else os.fspath(path)
        root = None if path is None else self._root(name)
        shown = _shown(path, root)
        code = _code_of(source, text)
        document = Document(
            uri=source.uri,
            path=name,
            file=FileCode(name, shown, code),
            chunks=chunks_of(source.uri, name, shown, text) if shareable else (),
            shareable=shareable,
        )
        return document if root is None else self._reaching(document, root)

    def _reaching(self, document: Document, root: str) -> Document:
        language = document.file.code.language
        place = self._place(document.path, root, language)
        reached: list[Reached] = []
        for imported in document.file.code.imports:
            paths = self._look_up(root, document.path, language, imported, place)
            if paths:
                reached.append(Reached(imported, paths))
        by_local = {each.imported.local: each for each in reached}
        return Document(
            uri=document.uri,
            path=document.path,
            file=document.file,
            chunks=document.chunks,
            shareable=document.shareable,
            imports=tuple(reached),
            by_local=by_local,
            heads=frozenset(found[0] for local in by_local if (found := _HEAD.match(local))),
            siblings=self._look_up(root, document.path, language, None, place),
        )

    def edited_place(self, place: EditedPlace) -> Chunk | None:
        """Return the lines around a place that was edited; None if they may not be shown."""
        source = place.source
        path = path_to_judge(source.uri)
        if path is not None and self._is_refused_document(source.uri, path):
            return None
        name = "" if path is None else os.fspath(path)
        shown = _shown(path, self._root(name) if name else None)
        text = _shareable_text(source)
        return chunk_around(source.uri, name, shown, text, place.line)

    def _is_refused_document(self, uri: str, path: Path) -> bool:
        # By the path too, under which it is asked about once more when it is shown.
        refused = self._exclusions.refusal(uri, "context") is not None
        return self.is_refused(os.fspath(path)) or refused

    def is_refused(self, path: str) -> bool:
        """Say whether prompts must not show a file."""
        return self._exclusions.refusal(Path(path), "context") is not None

    # ------------------------------------------------------------------ files

    def reached_files(self, document: Document, open_paths: frozenset[str]) -> Iterator[FileCode]:
        """Yield the definitions of the files that a document reaches, but for open ones."""
        until = time.monotonic() + DEADLINE
        for path in document.reached:
            if time.monotonic() > until:
                logger.debug("Not all that %s imports was read in time.", document.uri)
                return
            if path in open_paths:
                continue
            file = self._file(path)
            if file is not None:
                yield file

    def _file(self, path: str) -> FileCode | None:
        """Return a file's definitions, read again if it has changed; None if it may not be read."""
        real = os.path.realpath(path)
        if self.is_refused(path) or self.is_refused(real):
            self._files.pop(path, None)
            return None
        try:
            status = os.stat(real)  # noqa: PTH116 - the same path is opened below
            stamp = (status.st_mtime_ns, status.st_size)
            kept = self._files.get(path)
            if kept is not None and kept.stamp == stamp:
                self._files.move_to_end(path)
                return kept.file
            text = _read(real)
        except (OSError, ValueError) as error:
            logger.debug("%s was not read: %s", path, error)
            return None
        uri = Path(path).as_uri()
        text = redact(unify_line_ends(text))
        code = _code_of(Source(uri, text), text)
        file = FileCode(path, _shown(Path(path), self._root(path)), code)
        self._files[path] = _Kept(stamp, file)
        while len(self._files) > MOST_FILES:
            self._files.popitem(last=False)
        return file

    # ----------------------------------------------------------------- places

    def _root(self, path: str) -> str | None:
        roots = [root for root in self._exclusions.roots if Path(path).is_relative_to(root)]
        return max(map(os.fspath, roots), key=len, default=None)

    def _place(self, path: str, root: str, language: str) -> Place:
        file = PurePosixPath(Path(path).relative_to(root).as_posix())
        module = self._go_module(root, file) if language == "go" else None
        return Place(file, self._top_directories(root), module)

    def _top_directories(self, root: str) -> tuple[str, ...]:
        if root not in self._tops:
            names = (name for name in _names_in(root, directories=True) if name not in _NOT_TOPS)
            self._tops[root] = tuple(name for name in names if name[0] != ".")[:MOST_TOPS]
        return self._tops[root]

    def _go_module(self, root: str, file: PurePosixPath) -> tuple[str, PurePosixPath] | None:
        for folder in file.parents:
            path = Path(root, folder, "go.mod")
            if self._exclusions.refusal(path, "context") is not None:
                continue
            try:
                text = _read(os.fspath(path))
            except (OSError, ValueError):
                continue
            for line in text.splitlines():
                if line.startswith("module "):
                    return line.removeprefix("module ").split("//")[0].strip(" \"'"), folder
        return None

    def _look_up(
        self, root: str, path: str, language: str, imported: Imported | None, place: Place
    ) -> tuple[str, ...]:
        """Return the files that an import means, or those seen without one; remembered."""
        key = (path, language, imported)
        if len(self._found) >= MOST_PLACES:
            self._found.clear()
        if key not in self._found:
            if imported is None:
                paths = sibling_paths(language, place)
            else:
                paths = import_paths(language, imported, place)[:MOST_PATHS_PER_IMPORT]
            self._found[key] = tuple(_existing(root, paths))
        return tuple(found for found in self._found[key] if found != path)


def _existing(root: str, paths: Sequence[str]) -> list[str]:
    """Return the file at the first path that there is, or the files of the first directory."""
    for path in paths:
        whole = Path(root, path)
        try:
            if whole.name.startswith("*"):
                suffix = whole.name[1:]
                names = _names_in(os.fspath(whole.parent), directories=False)
                files = [os.fspath(whole.parent / name) for name in names if name.endswith(suffix)]
                files = [file for file in files if not file.endswith(f"_test{suffix}")]
                if files:
                    return files[:MOST_FILES_PER_DIRECTORY]
            elif whole.is_file():
                return [os.fspath(whole)]
        except (OSError, ValueError):
            continue
    return []


def _names_in(folder: str, *, directories: bool) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() == directories)
    except OSError:
        return []


def _read(path: str) -> str:
    """Return a file's text. Raises OSError, or ValueError if it is no text of a bearable size."""
    # The path was judged with its links followed: it must not have become one since.
    content = read_file(path, MOST_BYTES, follow=False)
    if b"\0" in content:
        raise ValueError("no text")
    return content.decode("utf-8", "replace")


def _shareable_text(source: Source) -> str:
    """Return an open document's text without secrets; nothing of one that is never completed in."""
    return "" if len(source.text) > MOST_CHARACTERS else redact(unify_line_ends(source.text))


def _code_of(source: Source, text: str) -> Code:
    """Return the definitions in a document's redacted text."""
    redacted = source if source.text == text else Source(source.uri, text, source.language)
    try:
        return read_code(redacted)
    except CoaiError as error:
        logger.warning("The definitions of %s are not known: %s", source.uri, error)
        return Code(source.language)


def _shown(path: Path | None, root: str | None) -> str:
    if path is None:
        return "untitled"
    return path.name if root is None else path.relative_to(root).as_posix()
