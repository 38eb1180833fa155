"""What else a prompt should show: definitions that the code uses, edited places, like pieces.

The work is done in the background, in one thread: when a document was opened, or changed and then
left alone for a moment, it is read anew, and the files that it imports are looked for within the
workspace. What comes of it is a `View`, replaced as a whole. Choosing from it when a prompt is
frozen looks at the lines around the cursor and at this view, and never at the disk.

Three rules hold for everything that is shown: secrets are redacted; a file that the exclusions
refuse for context is not in it, and they are asked once more at the last moment; and where nothing
is relevant, nothing is shown.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from coai_agents.context.chunks import Chunk, ChunkIndex
from coai_agents.context.edits import EditedPlace, EditRing
from coai_agents.context.reader import Document, FileCode, Reader
from coai_agents.context.relevance import View, family, pieces, text_now
from coai_agents.context.selection import pack, select

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from coai_agents.completion.cursor import Cursor
    from coai_agents.context.selection import ContextFile, Piece
    from coai_agents.exclusions.decisions import Exclusions
    from coai_agents.source import Source

logger = logging.getLogger(__name__)

QUIET: Final = 0.8
"""Seconds without a change after which documents are read anew."""

PATIENCE: Final = 8.0
"""Seconds after which they are read even while the user types on."""

LEAST_BUDGET: Final = 80
"""Characters below which no definition has room."""

SELECTIONS: Final = 64
"""Documents for which it is remembered what was shown; those used least recently give way."""

NEIGHBOURS: Final = 16
"""Open documents whose pieces are compared, the ones opened or changed last."""


@dataclass(slots=True)
class _Work:
    """What waits to be done in the background."""

    sources: dict[str, Source] = field(default_factory=dict[str, "Source"])
    places: list[EditedPlace] = field(default_factory=list[EditedPlace])
    afresh: bool = False
    """Whether imports lead elsewhere than they did."""

    def __bool__(self) -> bool:
        return bool(self.sources or self.places or self.afresh)


@dataclass(frozen=True, slots=True)
class _Findings:
    """What the background brings back."""

    documents: tuple[Document, ...]
    files: dict[str, FileCode]
    edits: tuple[Chunk, ...]
    refused: frozenset[str]
    """Paths of files whose edited places must not be shown any more."""
    neighbours: dict[str, ChunkIndex]


class WorkspaceContext:
    """Chooses what a prompt shows of other files. Belongs to one event loop."""

    def __init__(self, exclusions: Exclusions, *, quiet: float = QUIET) -> None:
        self._exclusions = exclusions
        self._quiet = quiet
        self._reader = Reader(exclusions)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="coai-context")
        self._sources: OrderedDict[str, Source] = OrderedDict()
        self._ring = EditRing()
        self._work = _Work()
        self._wake = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._worker: asyncio.Task[None] | None = None
        self._closed = False
        self._view = View({}, {}, {}, {}, ())
        self._shown: OrderedDict[str, tuple[Piece, ...]] = OrderedDict()

    # ---------------------------------------------------------------- documents

    def opened(self, source: Source) -> None:
        """Take note of a document that the editor opened."""
        self._sources[source.uri] = source
        self._sources.move_to_end(source.uri)
        self._later(source)

    def changed(self, source: Source) -> None:
        """Take note of a document's newest snapshot, and of the place that was edited."""
        before = self._sources.get(source.uri)
        self._sources[source.uri] = source
        self._sources.move_to_end(source.uri)
        edits = None if before is None else source.edits_since(before)
        if edits:
            left = self._ring.edited(source, source.line_at(edits[-1].new_end))
            if left is not None:
                self._work.places.append(left)
        self._later(source)

    def closed(self, uri: str) -> None:
        """Take note that a document is not open any more."""
        left = self._ring.left(uri)
        if left is not None:
            self._work.places.append(left)
        self._sources.pop(uri, None)
        self._work.sources.pop(uri, None)
        self._shown.pop(uri, None)
        # What other documents import from it is on the disk now.
        self._work.sources.update(self._sources)
        self._awake()

    async def refresh(self) -> None:
        """Read everything that is known anew, now: at the start, and when files came or went."""
        self._work.afresh = True
        self._work.sources.update(self._sources)
        await self._catch_up()

    async def aclose(self) -> None:
        """End the work in the background."""
        self._closed = True
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        async with self._one_at_a_time:
            await asyncio.to_thread(self._executor.shutdown)

    # --------------------------------------------------------------- background

    def _later(self, source: Source) -> None:
        self._work.sources[source.uri] = source
        self._awake()

    def _awake(self) -> None:
        if self._closed:
            return
        self._wake.set()
        if self._worker is None:
            self._worker = asyncio.create_task(self._work_on())

    async def _work_on(self) -> None:
        while True:
            await self._wake.wait()
            await self._rest()
            try:
                await self._catch_up()
            except Exception:
                # Prompts go on with what is known; the next change brings the next attempt.
                logger.exception("What prompts may show of other files could not be prepared.")

    async def _rest(self) -> None:
        """Wait until nothing changes for a moment, or for too long."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        while self._wake.is_set() and loop.time() < until:
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._quiet):
                    await self._wake.wait()
        self._wake.clear()

    async def _catch_up(self) -> None:
        async with self._one_at_a_time:
            if not self._work or self._closed:
                return
            work, self._work = self._work, _Work()
            loop = asyncio.get_running_loop()
            recent = tuple(self._sources)[-NEIGHBOURS:]
            findings = await loop.run_in_executor(
                self._executor, self._read, work, self._view, frozenset(self._sources), recent
            )
            self._ring.forget(findings.refused)
            for chunk in findings.edits:
                self._ring.add(chunk)
            documents = {each.uri: each for each in findings.documents if each.uri in self._sources}
            self._view = View(
                documents=documents,
                open_paths=_by_path(documents.values()),
                files=findings.files,
                neighbours=findings.neighbours,
                edits=self._ring.chunks,
            )

    def _read(
        self, work: _Work, view: View, still_open: frozenset[str], recent: Sequence[str]
    ) -> _Findings:
        """Read what waits; in the background's thread."""
        if work.afresh:
            self._reader.forget_places()
        documents = {uri: each for uri, each in view.documents.items() if uri in still_open}
        for uri, source in work.sources.items():
            documents[uri] = self._reader.document(source)
        open_paths = frozenset(_by_path(documents.values()))
        files: dict[str, FileCode] = {}
        for document in documents.values():
            if document.uri in work.sources:
                reached = self._reader.reached_files(document, open_paths)
            else:
                reached = (view.files[path] for path in document.reached if path in view.files)
            files.update((file.path, file) for file in reached)
        edits = (self._reader.edited_place(place) for place in work.places)
        edited = {chunk.path for chunk in view.edits if chunk.path}
        return _Findings(
            documents=tuple(documents.values()),
            files=files,
            edits=tuple(chunk for chunk in edits if chunk is not None),
            refused=frozenset(filter(self._reader.is_refused, edited)),
            neighbours=_indices([documents[uri] for uri in recent if uri in documents]),
        )

    # ------------------------------------------------------------------ prompts

    def files(self, source: Source, cursor: Cursor, budget: int) -> Sequence[ContextFile]:
        """Return pieces of other files, the most stable first.

        Their paths and texts have at most so many characters together. The same question gets the
        same answer, byte for byte, until something relevant changes. A smaller budget gets a
        beginning of what a larger one does. Empty where nothing is relevant.
        """
        document = self._view.documents.get(source.uri)
        if document is None or budget < LEAST_BUDGET:
            return ()
        found = [
            piece
            for piece in pieces(self._view, document, cursor, budget)
            if self._text_of(piece.key) == piece.text
        ]
        shown = select(self._shown.get(source.uri, ()), found, budget, text_of=self._text_of)
        self._shown[source.uri] = shown
        self._shown.move_to_end(source.uri)
        if len(self._shown) > SELECTIONS:
            self._shown.popitem(last=False)
        return pack(shown, budget).files

    def _text_of(self, key: Hashable) -> str | None:
        """Return what a piece says now; None if it is gone or must not be shown."""
        found = text_now(self._view, key)
        if found is None:
            return None
        path, text = found
        if path and self._exclusions.known_refusal(path, "context") is not None:
            # Nobody may have judged it since the exclusions changed: that is done in a moment.
            self._work.sources.update(self._sources)
            self._awake()
            return None
        return text


def _by_path(documents: Iterable[Document]) -> dict[str, Document]:
    return {each.path: each for each in documents if each.path}


def _indices(documents: Sequence[Document]) -> dict[str, ChunkIndex]:
    """Index the pieces of documents by their family of languages."""
    families: dict[str, list[Chunk]] = {}
    for document in documents:
        families.setdefault(family(document.file.code.language), []).extend(document.chunks)
    return {name: ChunkIndex(chunks) for name, chunks in families.items()}
