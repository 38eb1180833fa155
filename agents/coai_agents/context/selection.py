"""Which pieces go into a prompt, and in which order.

What is shown first in a prompt is read first, and a backend that keeps what it has read begins anew
where a prompt differs from the one before. So a selection is held on to: pieces stay where they
are, what is new goes behind them, and only when other pieces would be better by a margin, or one
that is shown is no longer true, is everything put in order anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

MARGIN: Final = 1.4
"""Other pieces must be so many times as relevant for those that are shown to give way."""

ENTRY: Final = 2
"""Characters that naming another file costs beside its path; its control tokens are few."""


class Steadiness(IntEnum):
    """What kind of piece it is, the kind that changes least first."""

    DEFINITION = 0
    NEIGHBOUR = 1
    EDIT = 2
    OUTLINE = 3


@dataclass(frozen=True, slots=True)
class Piece:
    """Something that a prompt could show."""

    key: Hashable
    """What it is, whatever it says."""
    path: str
    """The file that it is from, as a prompt shows it."""
    text: str
    score: float
    """How relevant it is where the cursor is, from 0 to about 1."""
    steadiness: Steadiness
    smallest: int
    """Characters of it that must have room for it to be of use."""
    line: int = 0
    """Where it stands in its file; pieces of one file are shown in this order."""
    origin: str = ""
    """The URI or the path of its file."""


class ContextFile(NamedTuple):
    """What a prompt shows of another file."""

    path: str
    """As the prompt names it: relative to its workspace folder."""
    text: str
    origin: str
    """The file's URI or whole path: whether it may leave is judged by this."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Pieces made to fit a budget."""

    files: tuple[ContextFile, ...]
    pieces: int
    """How many of the pieces are in it."""
    score: float
    characters: int


def pack(pieces: Sequence[Piece], budget: int) -> Packed:
    """Fit pieces into so many characters, paths included, up to the first that has no room.

    A smaller budget shows a beginning of what a larger one shows.
    """
    files: list[tuple[Piece, list[str]]] = []
    left = budget
    score = 0.0
    count = 0
    for piece in pieces:
        follows = bool(files) and _same_file(files[-1][0], piece)
        room = left - (1 if follows else len(piece.path) + ENTRY)
        text = _cut(piece, room)
        if not text:
            break
        if follows:
            files[-1][1].append(text)
        else:
            files.append((piece, [text]))
        left = room - len(text)
        score += piece.score * len(text) / len(piece.text)
        count += 1
        if len(text) < len(piece.text):
            break
    shown = tuple(ContextFile(piece.path, "\n".join(texts), piece.origin) for piece, texts in files)
    return Packed(shown, count, score, budget - left)


def _same_file(one: Piece, other: Piece) -> bool:
    return (one.path, one.origin) == (other.path, other.origin)


def _cut(piece: Piece, room: int) -> str:
    """Return as many whole lines of a piece as have room; nothing if they are too few."""
    if len(piece.text) <= room:
        return piece.text
    end = piece.text.rfind("\n", 0, room + 1) if room > 0 else -1
    return piece.text[:end] if end >= piece.smallest else ""


def select(
    shown: Sequence[Piece],
    candidates: Iterable[Piece],
    budget: int,
    *,
    text_of: Callable[[Hashable], str | None],
) -> tuple[Piece, ...]:
    """Return the pieces to show, the steadiest first: those shown before, unless others are better.

    `text_of` returns what a piece that is shown says now, or None if it is not there any more or
    must not be shown.
    """
    ranked = sorted(candidates, key=lambda piece: (-piece.score, piece.path, piece.line))
    fresh = _in_order(_affordable(ranked, budget))
    if not all(text_of(piece.key) == piece.text for piece in shown):
        return fresh
    scores = {piece.key: piece.score for piece in ranked}
    kept = [replace(piece, score=scores.get(piece.key, 0.0)) for piece in shown]
    if not pack(kept, budget).score:
        return fresh
    known = {piece.key for piece in kept}
    for piece in fresh:
        if piece.key in known:
            continue
        if pack([*kept, piece], budget).pieces <= len(kept):
            break
        kept.append(piece)
    if pack(fresh, budget).score > MARGIN * pack(kept, budget).score:
        return fresh
    return tuple(kept)


def _affordable(ranked: Sequence[Piece], budget: int) -> list[Piece]:
    """Return the most relevant pieces that fit together; only the last one may be cut."""
    chosen: list[Piece] = []
    left = budget
    paths: set[str] = set()
    for piece in ranked:
        room = left - (1 if piece.path in paths else len(piece.path) + ENTRY)
        text = _cut(piece, room)
        if not text:
            continue
        chosen.append(piece)
        if len(text) < len(piece.text):
            break
        paths.add(piece.path)
        left = room - len(text)
    return chosen


def _in_order(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Put the steadiest first, files by their most relevant piece, pieces as in their file.

    The piece that comes last by relevance may have to be cut, so it stays last.
    """
    best: dict[tuple[Steadiness, str], float] = {}
    for piece in pieces:
        place = (piece.steadiness, piece.path)
        best[place] = max(piece.score, best.get(place, 0.0))
    last = pieces[-1:]
    ordered = sorted(
        pieces[:-1],
        key=lambda piece: (
            piece.steadiness,
            -best[piece.steadiness, piece.path],
            piece.path,
            piece.line,
        ),
    )
    return (*ordered, *last)
