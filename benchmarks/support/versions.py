"""A version of a package on its way to the next, edit by edit."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from coai_agents.changes.finding import HERE, Origin, changed, places
from coai_agents.changes.likeness import distance, tokens
from coai_agents.source import Edit, Source, Span
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from coai_agents.changes.finding import Place
    from coai_agents.changes.patterns import Pattern
    from coai_agents.syntax.tree import SyntaxTree

_MADE: Final = frozenset({"dist", "build", "esm", "cjs", "umd", "_esm", "_cjs", "_types"})
"""Folders of what a build made: nobody edits that."""


def written(files: Mapping[str, str]) -> dict[str, str]:
    """Return the files that somebody wrote."""
    return {
        name: text
        for name, text in files.items()
        if not _MADE.intersection(name.split("/")[:-1])
        and not name.endswith((".d.ts", ".d.cts", ".d.mts", ".min.js"))
    }


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines of the old version that became others."""

    start: int
    end: int
    new: tuple[str, ...]


def hunks(old: Sequence[str], new: Sequence[str]) -> list[Hunk]:
    """Return what differs."""
    codes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [Hunk(a, b, tuple(new[c:d])) for what, a, b, c, d in codes if what != "equal"]


def lines_of(hunk: Hunk, old: Sequence[str]) -> list[Hunk]:
    """Return a hunk as edits: lines that were replaced one for one each by itself."""
    if len(hunk.new) != hunk.end - hunk.start:
        return [hunk]
    pairs = enumerate(hunk.new, hunk.start)
    return [Hunk(line, line + 1, (text,)) for line, text in pairs if old[line] != text]


class File:
    """One file on its way from a version to the next."""

    def __init__(self, name: str, old: str, new: str) -> None:
        self.name = name
        self.old = old.split("\n")
        self.blocks = hunks(self.old, new.split("\n"))
        """What differs, each as a whole."""
        self.hunks = [line for block in self.blocks for line in lines_of(block, self.old)]
        """The same as edits."""
        self.lines = list(self.old)
        self.origins: list[int | None] = list(range(len(self.old)))
        self.source = Source(f"file:///{name}", old)
        self._tree: SyntaxTree | None = None

    @property
    def tree(self) -> SyntaxTree | None:
        """The tree of the file as it is now."""
        if self._tree is None or self._tree.source is not self.source:
            self._tree = parse(self.source, self._tree, budget=5.0)
        return self._tree

    def apply(self, hunk: Hunk) -> tuple[SyntaxTree | None, SyntaxTree | None]:
        """Make an edit; return the file before and after it."""
        before = self.tree
        at = next(
            (n for n, line in enumerate(self.origins) if line is not None and line >= hunk.start),
            len(self.lines),
        )
        length = hunk.end - hunk.start
        start, end = self._offset(at), self._offset(at + length)
        text = "".join(f"{line}\n" for line in hunk.new)
        if end == len(self.source.text) and at + length == len(self.lines):
            text = text.removesuffix("\n")
        self.lines[at : at + length] = hunk.new
        self.origins[at : at + length] = [None] * len(hunk.new)
        self.source = self.source.apply(
            Edit(Span(start, end), text), version=self.source.version + 1
        )
        return before, self.tree

    def _offset(self, line: int) -> int:
        source = self.source
        return source.line_start(line) if line < source.line_count else len(source.text)

    def judged(self, place: Place) -> tuple[int | None, bool]:
        """Return the line of the old version that an offer is about, and whether it is right."""
        first = self.source.line_at(place.span.start)
        last = self.source.line_at(place.span.end)
        origins = self.origins[first : last + 1]
        if any(origin is None for origin in origins):
            return None, False
        low, high = origins[0], origins[-1]
        assert low is not None
        assert high is not None
        around = [
            block
            for block in self.blocks
            if block.start <= high and low < max(block.end, block.start + 1)
        ]
        if not around:
            return low, False
        low_all = min(low, around[0].start)
        high_all = max(high + 1, around[-1].end)
        shift = low - first
        start, end = low_all - shift, high_all - shift
        if start < 0 or end > len(self.lines):
            return low, False
        old = tokens("\n".join(self.lines[start:end]))
        grown = place.text.count("\n") - self.source.slice(place.span).count("\n")
        after = changed(self.source, [place]).text.split("\n")
        offered = tokens("\n".join(after[start : end + grown]))
        new = tokens("\n".join(self._new(low_all, high_all)))
        return low, distance(old, new) == distance(old, offered) + distance(offered, new)

    def is_gone(self, line: int | None) -> bool:
        """Say whether nothing in the next version is half like a line that was replaced."""
        if line is None:
            return False
        block = next((b for b in self.blocks if b.start <= line < b.end), None)
        if block is None:
            return False
        old = tokens(self.old[line])
        likest = (
            2 * distance(old, tokens(new)) <= len(old) + len(tokens(new)) for new in block.new
        )
        return not any(likest)

    def _new(self, low: int, high: int) -> list[str]:
        lines: list[str] = []
        at = low
        for hunk in self.blocks:
            if hunk.end < low or hunk.start >= high or hunk.start < low:
                continue
            lines += self.old[at : hunk.start]
            lines += hunk.new
            at = hunk.end
        return lines + self.old[at:high]


def signature(old: str, new: str) -> tuple[tuple[str, str], ...]:
    """Return what tokens of a line became which others."""
    one, other = tokens(old), tokens(new)
    codes = SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
    return tuple(
        (" ".join(one[a:b]), " ".join(other[c:d])) for what, a, b, c, d in codes if what != "equal"
    )


def repeated(files: Iterable[File]) -> set[tuple[str, int]]:
    """Return the lines whose change was that of an earlier line, token by token."""
    groups: dict[object, list[tuple[str, int]]] = defaultdict(list)
    for file in files:
        for hunk in file.hunks:
            if len(hunk.new) == 1 and hunk.end == hunk.start + 1:
                sign = signature(file.old[hunk.start], hunk.new[0])
                if any(re.search(r"\w", "".join(pair)) for pair in sign):
                    groups[sign].append((file.name, hunk.start))
    return {line for group in groups.values() for line in group[1:]}


def offers(pattern: Pattern, file: File, files: Iterable[File]) -> Iterator[tuple[File, Place]]:
    """Yield what a pattern offers, in the edited file and in the others."""
    stem = PurePosixPath(file.name).stem
    if stem == "__init__":
        stem = PurePosixPath(file.name).parent.name
    for other in (file, *(each for each in files if each is not file)):
        if any(key not in other.source.text for key in pattern.keys):
            continue
        tree = other.tree
        if tree is not None:
            origin = HERE if other is file else Origin(stem)
            yield from ((other, place) for place in places(pattern, tree, origin))
