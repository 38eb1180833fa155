"""How relevant what is known of the workspace is where the cursor is.

Everything here is looked up in what was prepared in the background; nothing is read or parsed. Most
of the time nothing is relevant, and then nothing is shown: a small model is distracted by what it
does not need, and every token costs time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from coai_agents.context.chunks import SHORTEST, Chunk, jaccard
from coai_agents.context.nearby import NAME, WINDOW, Nearby
from coai_agents.context.selection import Piece, Steadiness

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

    from coai_agents.completion.cursor import Cursor
    from coai_agents.context.chunks import ChunkIndex
    from coai_agents.context.outlines import Imported, Symbol
    from coai_agents.context.reader import Document, FileCode

LEAST_SCORE: Final = 0.35
"""Definitions that are less relevant are not shown."""

MOST_DEFINITIONS: Final = 24

BRIEF_BUDGET: Final = 400
"""With fewer characters for other files, definitions are shown without the comments above them, and
their files by the last part of their path."""

CHUNK_BUDGET: Final = 600
"""With fewer characters for other files, pieces of them are not shown: they would be too short."""

SMALLEST_CHUNK: Final = 240
"""Characters of a piece of a file that say something."""

LIKE: Final = 0.25
"""Jaccard's likeness from which a piece of another file is shown. Unrelated code of one language
has about 0.1, siblings 0.4 and more."""

LIKE_EDIT: Final = 0.12
"""The same for a place that was edited shortly before: that it was is half of the reason."""

SHARED: Final = 6
"""Names that such a piece has in common with the lines around the cursor at least."""

MOST_CHUNKS: Final = 3

OUTLINE_BUDGET: Final = 1_200
"""With fewer characters, the file's own outline is not shown."""

OWN: Final = 0.9
STAR: Final = 0.9
SIBLING: Final = 0.7
EDITED: Final = 0.3
NEIGHBOUR: Final = 0.25
OUTLINE: Final = 0.2
"""How much the kinds of pieces are worth beside a definition that is imported and used next to the
cursor, which is worth 1. What is called where the cursor is in the brackets is worth more, and
likeness adds up to one half to the pieces of files."""

_PARTS: Final = re.compile(r"\.|::|->|\\")
_IMPLICIT: Final = frozenset({"c", "cpp", "csharp", "go", "java", "php", "ruby", "shellscript"})
"""Languages in which code can use what it did not import by name."""


@dataclass(frozen=True, slots=True)
class View:
    """All that is known of the workspace; replaced as a whole when it changes."""

    documents: Mapping[str, Document]
    """Open documents by URI."""
    open_paths: Mapping[str, Document]
    """The same by path."""
    files: Mapping[str, FileCode]
    """Files that are not open, by path."""
    neighbours: Mapping[str, ChunkIndex]
    """Pieces of open documents, by family of languages."""
    edits: Sequence[Chunk]
    """Places that were edited, the latest first."""

    def file(self, path: str) -> FileCode | None:
        """Return what a file defines, if it may be shown."""
        document = self.open_paths.get(path)
        if document is not None:
            return document.file if document.shareable else None
        return self.files.get(path)


@dataclass(frozen=True, slots=True)
class Brief:
    """The key of a definition that is shown without what is written above it."""

    of: Hashable


def family(language: str) -> str:
    """Return the family of languages whose files are alike."""
    if language.startswith(("javascript", "typescript")):
        return "ecmascript"
    return "c" if language == "cpp" else language


def pieces(view: View, document: Document, cursor: Cursor, budget: int) -> list[Piece]:
    """Return what could be shown in a prompt for a document, with how relevant it is."""
    around = Nearby.around(cursor, budget)
    found = _definitions(view, document, around, brief=budget < BRIEF_BUDGET)
    if budget >= CHUNK_BUDGET:
        found += _chunks(view, document, around)
    if budget >= OUTLINE_BUDGET and len(cursor.prefix) > WINDOW * budget:
        found += _outline(document)
    return found


def text_now(view: View, key: Hashable) -> tuple[str, str] | None:
    """Return the path and the text that a piece has now; None if it is gone."""
    match key:
        case Brief():
            found = _symbol(view, key.of)
            return None if found is None else (found[0], found[1].brief.text)
        case ("chunk", Chunk() as chunk):
            document = view.documents.get(chunk.uri)
            there = document is not None and chunk in document.chunks
            return (chunk.path, chunk.text) if there else None
        case ("edit", Chunk() as chunk):
            return (chunk.path, chunk.text) if chunk in view.edits else None
        case ("outline", str(uri)):
            document = view.documents.get(uri)
            return None if document is None else ("", document.file.code.outline)
        case _:
            found = _symbol(view, key)
            return None if found is None else (found[0], found[1].text)


def _symbol(view: View, key: Hashable) -> tuple[str, Symbol] | None:
    """Return the path and the definition that a key means now; None if it is gone."""
    match key:
        case ("definition", str(path), str(name), int(number)):
            file = view.file(path)
            symbols = () if file is None else file.code.by_name.get(name, ())
        case ("own", str(uri), str(name), int(number)):
            path, document = "", view.documents.get(uri)
            symbols = () if document is None else document.file.code.by_name.get(name, ())
        case ("member", str(uri), str(name), int(number)):
            path, document = "", view.documents.get(uri)
            symbols = () if document is None else document.file.code.members.get(name, ())
        case _:
            return None
    return (path, symbols[number]) if number < len(symbols) else None


# ------------------------------------------------------------------------------------ definitions


def _definitions(view: View, document: Document, around: Nearby, *, brief: bool) -> list[Piece]:
    best: dict[Hashable, Piece] = {}
    for score, file, symbol, key in _used(view, document, around):
        known = best.get(key)
        if score < LEAST_SCORE or (known is not None and known.score >= score):
            continue
        if file is document.file and symbol.head in around.visible:
            continue
        piece = Piece(
            key=key,
            path=file.shown,
            text=symbol.text,
            score=score,
            steadiness=Steadiness.DEFINITION,
            smallest=symbol.smallest,
            line=symbol.line,
            origin=document.uri if file is document.file else file.path,
        )
        best[key] = _abridged(piece, symbol.brief) if brief else piece
    return sorted(best.values(), key=lambda piece: -piece.score)[:MOST_DEFINITIONS]


def _abridged(piece: Piece, symbol: Symbol) -> Piece:
    """Return what little of a definition says how it is used."""
    return replace(
        piece,
        key=Brief(piece.key),
        path=piece.path.rpartition("/")[2],
        text=symbol.text,
        smallest=symbol.smallest if symbol.is_type else len(symbol.first_line),
    )


_Use = tuple[float, "FileCode", "Symbol", "Hashable"]
"""How relevant a definition is, the file that has it, the definition, and its key as a piece."""


def _used(view: View, document: Document, around: Nearby) -> Iterator[_Use]:
    """Yield definitions that the lines around the cursor use."""
    own = document.file
    for name, weight in around.names.items():
        for number, symbol in enumerate(own.code.by_name.get(name, ())):
            yield OWN * weight, own, symbol, ("own", document.uri, name, number)
        for number, symbol in enumerate(own.code.members.get(name, ())):
            yield OWN * weight, own, symbol, ("member", document.uri, name, number)
    for chain, weight in around.chains.items():
        head = NAME.match(chain)
        if head is None or head[0] not in document.heads:
            continue
        parts = _PARTS.split(chain)
        for count in range(len(parts), 0, -1):
            reached = document.by_local.get(_beginning(chain, count))
            if reached is not None:
                wanted = _wanted(reached.imported, parts[count:])
                yield from _named(_files(view, reached.files), wanted, weight)
                break
    stars = [
        path
        for each in document.imports
        if each.imported.name == "*" or own.code.language in _IMPLICIT
        for path in each.files
    ]
    for worth, paths in ((STAR, stars), (SIBLING, document.siblings)):
        for file in _files(view, paths):
            for name in around.words & file.code.by_name.keys():
                yield from _named([file], [name], worth * around.names[name])


def _files(view: View, paths: Iterable[str]) -> list[FileCode]:
    return [file for path in paths if (file := view.file(path)) is not None]


def _beginning(chain: str, count: int) -> str:
    """Return the first parts of a chain, with what is between them."""
    for number, match in enumerate(_PARTS.finditer(chain), 1):
        if number == count:
            return chain[: match.start()]
    return chain


def _wanted(imported: Imported, rest: Sequence[str]) -> list[str]:
    """Return the definitions that an imported name and what follows it may mean."""
    if imported.name is None or imported.name == "*":
        return list(rest[:1]) or [imported.local]
    # A name may also be a module, and what follows it a definition in there.
    return [imported.name, *rest[:1]]


def _named(files: Iterable[FileCode], names: Sequence[str], weight: float) -> Iterator[_Use]:
    for file in files:
        for name in names:
            if len(name) < SHORTEST:
                continue
            for number, symbol in enumerate(file.code.by_name.get(name, ())):
                yield weight, file, symbol, ("definition", file.path, name, number)


# ----------------------------------------------------------------------------- pieces of files


def _chunks(view: View, document: Document, around: Nearby) -> list[Piece]:
    visible = {line for line in around.visible.split("\n") if line.strip()}
    found: list[Piece] = []
    for chunk in view.edits:
        likeness = jaccard(chunk.names, around.words)
        shared = len(chunk.names & around.words)
        if likeness >= LIKE_EDIT and shared >= SHARED and not _mostly_in(chunk, visible):
            found.append(_piece_of(chunk, EDITED + likeness / 2, Steadiness.EDIT))
            if len(found) == MOST_CHUNKS:
                break
    edited = {piece.path for piece in found}
    neighbours = view.neighbours.get(family(document.file.code.language))
    like = [] if neighbours is None else neighbours.like(around.words, least=LIKE, shared=SHARED)
    others = (each for each in like if each[1].uri != document.uri and each[1].shown not in edited)
    found += (
        _piece_of(chunk, NEIGHBOUR + likeness / 2, Steadiness.NEIGHBOUR)
        for likeness, chunk in islice(others, MOST_CHUNKS)
    )
    return found


def _mostly_in(chunk: Chunk, visible: set[str]) -> bool:
    lines = [line for line in chunk.text.split("\n") if line.strip()]
    return sum(line in visible for line in lines) * 2 > len(lines)


def _piece_of(chunk: Chunk, score: float, steadiness: Steadiness) -> Piece:
    return Piece(
        key=("edit" if steadiness is Steadiness.EDIT else "chunk", chunk),
        path=chunk.shown,
        text=chunk.text,
        score=score,
        steadiness=steadiness,
        smallest=SMALLEST_CHUNK,
        line=chunk.line,
        origin=chunk.uri,
    )


def _outline(document: Document) -> list[Piece]:
    """Return what the file defines, for one of which the prompt shows only a part."""
    text = document.file.code.outline
    if "\n" not in text:
        return []
    return [
        Piece(
            key=("outline", document.uri),
            path=document.file.shown,
            text=text,
            score=OUTLINE,
            steadiness=Steadiness.OUTLINE,
            smallest=SMALLEST_CHUNK,
            origin=document.uri,
        )
    ]
