"""The places that were edited last, as text to show.

A ring of chunks as in llama.vim: sixteen places of up to 64 lines. The place being edited now is
not in it, it is in the prompt anyway; it joins when the user goes on elsewhere. From then on its
text stays as it is, so that the prompt in which it is shown stays the same.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.context.chunks import LONGEST_LINE, Chunk, identifiers, jaccard

if TYPE_CHECKING:
    from collections.abc import Collection

    from coai_agents.source import Source

PLACES: Final = 16
"""Places that are remembered (llama.vim's `ring_n_chunks`)."""

REACH: Final = 32
"""Lines before and after an edit that belong to its place (llama.vim: chunks of 64 lines)."""

SAME: Final = 0.9
"""A place that is so much like a newer one (Jaccard) gives way to it, as in llama.vim."""

OVERLAP: Final = 0.5
"""The same for places of one file that lie within each other's reach."""


@dataclass(frozen=True, slots=True)
class EditedPlace:
    """Where the user has edited, in the last snapshot while they were there."""

    source: Source
    line: int


class EditRing:
    """Remembers edited places; the one being edited now is kept apart."""

    def __init__(self) -> None:
        self._current: EditedPlace | None = None
        self._chunks: deque[Chunk] = deque(maxlen=PLACES)

    def edited(self, source: Source, line: int) -> EditedPlace | None:
        """Note an edit; return the place that the user has left by it, if any.

        Its text must come back by `add`, which happens in the background.
        """
        current = self._current
        self._current = EditedPlace(source, line)
        if current is None or (
            current.source.uri == source.uri and abs(current.line - line) <= REACH
        ):
            return None
        return current

    def left(self, uri: str) -> EditedPlace | None:
        """Note that a document is closed; return the place that was being edited in it."""
        current = self._current
        if current is None or current.source.uri != uri:
            return None
        self._current = None
        return current

    def add(self, chunk: Chunk) -> None:
        """Take the text of a place that was left; older ones that say the same give way."""
        kept = [each for each in self._chunks if not _replaces(chunk, each)]
        self._chunks.clear()
        self._chunks.extend((*kept, chunk))

    def forget(self, paths: Collection[str]) -> None:
        """Drop the places in files that must not be shown any more."""
        kept = [chunk for chunk in self._chunks if chunk.path not in paths]
        self._chunks.clear()
        self._chunks.extend(kept)

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """The places, the one left last first."""
        return tuple(reversed(self._chunks))


def _replaces(newer: Chunk, older: Chunk) -> bool:
    likeness = jaccard(newer.names, older.names)
    near = newer.uri == older.uri and abs(newer.line - older.line) <= 2 * REACH
    return likeness > (OVERLAP if near else SAME)


def chunk_around(uri: str, path: str, shown: str, text: str, line: int) -> Chunk | None:
    r"""Return the lines around an edited one; `text` has `\n` line ends. None if none says much."""
    lines = text.split("\n")
    start = max(0, line - REACH)
    end = min(len(lines), line + REACH)
    while start < end and not lines[start].strip():
        start += 1
    body = "\n".join(lines[start:end]).rstrip()
    if not body or max(map(len, lines[start:end])) > LONGEST_LINE:
        return None
    return Chunk(uri, path, shown, start, body, identifiers(body))
