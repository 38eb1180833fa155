"""Pieces of open files, and which of them are like the lines around a cursor.

Likeness is Jaccard's: the share of identifiers that two pieces have in common. It needs no model,
and it finds what a completion can be copied from: the sibling of what is being written.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

CHUNK_LINES: Final = 40
"""Lines of a chunk; it may end earlier, at a blank line."""

SHORTEST_CHUNK: Final = 24
"""Lines after which a blank line before a new top-level block ends a chunk."""

MOST_CHUNKS: Final = 60
"""Chunks of one file: those of its first 2,400 lines."""

LONGEST_LINE: Final = 400
"""A file with a longer line in a chunk has none there: it was made by a machine."""

COMMON: Final = 0.3
"""An identifier that is in more than this share of all chunks tells nothing about any."""

FEW: Final = 8
"""With fewer chunks than this, nothing counts as common."""

SHORTEST: Final = 3
"""Letters of a name that says something."""

_IDENTIFIER: Final = re.compile(rf"[^\W\d]\w{{{SHORTEST - 1},}}")


def identifiers(text: str) -> frozenset[str]:
    """Return the words that code may have as names, but for very short ones."""
    return frozenset(_IDENTIFIER.findall(text))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some lines of a file."""

    uri: str
    path: str
    """The path by which its file is judged; empty if it has none."""
    shown: str
    """The path that a prompt shows."""
    line: int
    """Its first line."""
    text: str
    """Its lines, without a line end at the end."""
    names: frozenset[str]


def chunks_of(uri: str, path: str, shown: str, text: str) -> tuple[Chunk, ...]:
    r"""Cut a text with `\n` line ends into chunks; blank lines at their ends are left out."""
    lines = text.split("\n")
    found: list[Chunk] = []
    start = 0
    for end in _cuts(lines):
        while start < end and not lines[start].strip():
            start += 1
        body = "\n".join(lines[start:end]).rstrip()
        if body and max(map(len, lines[start:end])) <= LONGEST_LINE:
            found.append(Chunk(uri, path, shown, start, body, identifiers(body)))
            if len(found) == MOST_CHUNKS:
                break
        start = end
    return tuple(found)


def _cuts(lines: list[str]) -> Iterable[int]:
    """Yield where chunks end: before a line that is not indented and comes after a blank one."""
    start = 0
    for number in range(1, len(lines)):
        length = number - start
        begins_block = not lines[number - 1].strip() and lines[number][:1] not in ("", " ", "\t")
        if length >= CHUNK_LINES or (length >= SHORTEST_CHUNK and begins_block):
            yield number
            start = number
    yield len(lines)


class ChunkIndex:
    """All chunks that may be shown, by the identifiers in them. It does not change."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._chunks = tuple(chunks)
        places: dict[str, list[int]] = {}
        for number, chunk in enumerate(self._chunks):
            for name in chunk.names:
                places.setdefault(name, []).append(number)
        count = len(self._chunks)
        most = count if count < FEW else max(1, int(count * COMMON))
        self._common = frozenset(name for name, numbers in places.items() if len(numbers) > most)
        self._places: Mapping[str, list[int]] = {
            name: numbers for name, numbers in places.items() if name not in self._common
        }
        telling = Counter(number for numbers in self._places.values() for number in numbers)
        self._sizes = [telling[number] for number in range(count)]

    def like(
        self, names: Collection[str], *, least: float, shared: int
    ) -> list[tuple[float, Chunk]]:
        """Return the chunks with at least a likeness and so many shared names, the likest first."""
        counts: Counter[int] = Counter()
        telling = 0
        for name in names:
            telling += name not in self._common
            counts.update(self._places.get(name, ()))
        found = [
            (common / (telling + self._sizes[number] - common), self._chunks[number])
            for number, common in counts.items()
            if common >= shared
        ]
        found.sort(key=lambda each: (-each[0], each[1].uri, each[1].line))
        return [each for each in found if each[0] >= least]


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of names that two sets have in common; 0 if both are empty."""
    common = len(one & other)
    together = len(one) + len(other) - common
    return common / together if together else 0.0
