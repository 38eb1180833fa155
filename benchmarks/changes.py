"""Whether the same change elsewhere is what the next version of a package did.

    python -m benchmarks.changes --data DIR

DIR has archives of several versions of packages, as `pip download --no-deps --no-binary :all:
NAME==VERSION` leaves them. Of two versions that follow each other, every file's hunks are applied
in order, as if somebody edited one line after the other. What is offered after each edit is held
against the later version: an offer is right if it lies on a shortest way from the old lines to the
new ones, counted in tokens. It is wrong if not, or if the line stayed as it was or went away; of a
line that went away nobody knows what it needed, so a second figure leaves those out. Nothing is
offered twice. Recall counts the lines whose change, token by token, was that of an earlier line.

Packages that are named by `--held` are counted apart: nothing was decided by their figures.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from benchmarks.support.archives import packages, texts
from coai_agents.changes.finding import HERE, Origin, changed, places
from coai_agents.changes.learning import Learner
from coai_agents.changes.policy import is_shown_unasked
from coai_agents.source import Edit, Source, Span
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from coai_agents.changes.finding import Place
    from coai_agents.changes.patterns import Pattern
    from coai_agents.syntax.tree import SyntaxTree

_TOKEN: Final = re.compile(r"\w+|[^\w\s]")


def tokens(text: str) -> list[str]:
    """Return a text's words and signs."""
    return _TOKEN.findall(text)


def distance(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many tokens have to go and come (Hyyro's bit-parallel longest common part)."""
    masks: dict[str, int] = {}
    for place, token in enumerate(one):
        masks[token] = masks.get(token, 0) | 1 << place
    whole = (1 << len(one)) - 1
    row = whole
    for token in other:
        met = row & masks.get(token, 0)
        row = ((row + met) | (row - met)) & whole
    common = len(one) - row.bit_count()
    return len(one) + len(other) - 2 * common


# -------------------------------------------------------------------- replay


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


@dataclass(slots=True)
class Tally:
    """What was offered and what there was to offer."""

    right: Counter[str] = field(default_factory=Counter[str])
    wrong: Counter[str] = field(default_factory=Counter[str])
    unasked: int = 0
    unasked_right: int = 0
    unasked_gone: int = 0
    """Offers on lines that have no counterpart in the next version."""
    found: int = 0
    shown: int = 0
    expected: int = 0
    edits: int = 0
    examples: list[str] = field(default_factory=list[str])
    missed: list[str] = field(default_factory=list[str])
    """What was shown unasked and wrong."""

    def add(self, other: Tally) -> None:
        """Count another's too."""
        self.right += other.right
        self.wrong += other.wrong
        self.found += other.found
        self.shown += other.shown
        self.unasked += other.unasked
        self.unasked_right += other.unasked_right
        self.unasked_gone += other.unasked_gone
        self.expected += other.expected
        self.edits += other.edits
        self.examples += other.examples
        self.missed += other.missed

    @property
    def precision(self) -> float:
        """The share of offers that are right."""
        offers = self.right.total() + self.wrong.total()
        return self.right.total() / offers if offers else 1.0

    @property
    def recall(self) -> float:
        """The share of repeated changes that were offered."""
        return self.found / self.expected if self.expected else 1.0


def signature(old: str, new: str) -> tuple[tuple[str, str], ...]:
    """Return what tokens of a line became which others."""
    one, other = tokens(old), tokens(new)
    codes = SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
    return tuple(
        (" ".join(one[a:b]), " ".join(other[c:d])) for what, a, b, c, d in codes if what != "equal"
    )


class Replay:
    """One version on its way to the next, edit by edit, and what is offered meanwhile."""

    def __init__(self, old: Mapping[str, str], new: Mapping[str, str]) -> None:
        pairs = ((name, text, new.get(name, text)) for name, text in sorted(old.items()))
        self._files = [File(*pair) for pair in pairs]
        self._learner = Learner()
        self._seen: set[tuple[str, int | None, str, int]] = set()
        self._unasked: set[tuple[str, int | None, str]] = set()
        self._offered: set[tuple[str, int]] = set()
        self._shown: set[tuple[str, int]] = set()
        self.tally = Tally()

    def run(self) -> Tally:
        """Make every edit; return what was offered."""
        expected = repeated(self._files)
        for file in self._files:
            for hunk in file.hunks:
                before, after = file.apply(hunk)
                self.tally.edits += 1
                if before is None or after is None:
                    continue
                for pattern in self._learner.learn(before, after):
                    for other, place in offers(pattern, file, self._files):
                        self._judge(pattern, file, other, place)
        self.tally.expected = len(expected)
        self.tally.found = len(expected & self._offered)
        self.tally.shown = len(expected & self._shown)
        return self.tally

    def _judge(self, pattern: Pattern, file: File, other: File, place: Place) -> None:
        line, right = other.judged(place)
        key = (other.name, line, place.text)
        level = min(pattern.evidence, 3)
        where = (other.name, line or 0)
        if (*key, level) not in self._seen:
            self._seen.add((*key, level))
            self._count(pattern, file, other, place, right=right)
            if right:
                self._offered.add(where)
        if not is_shown_unasked(pattern, other.source.uri):
            return
        if right:
            self._shown.add(where)
        if key not in self._unasked:
            self._unasked.add(key)
            self.tally.unasked += 1
            self.tally.unasked_right += right
            self.tally.unasked_gone += not right and other.is_gone(line)
            if not right:
                self.tally.missed.append(f"({pattern.evidence}) {pattern.title} | {other.name}")

    def _count(
        self, pattern: Pattern, file: File, other: File, place: Place, *, right: bool
    ) -> None:
        where = "" if other is file else " in other files"
        counter = self.tally.right if right else self.tally.wrong
        counter[f"{pattern.kind}{where} ({min(pattern.evidence, 3)})"] += 1
        if not right:
            line = other.source.line_text(other.source.line_at(place.span.start)).strip()
            self.tally.examples.append(f"{pattern.title} | {other.name} | {line} | {place.text}")


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


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder of archives")
    parser.add_argument("--only", default="", help="packages, separated by commas")
    parser.add_argument("--examples", type=int, default=0, help="wrong offers that are printed")
    parser.add_argument("--pairs", type=int, default=100, help="pairs of versions, the last ones")
    parser.add_argument(
        "--held",
        default="",
        help="packages that nothing is decided by, separated by commas, or all",
    )
    arguments = parser.parse_args()
    held = set(arguments.held.split(","))
    halves = {"development": Tally(), "held": Tally()}
    for name, archives in packages(arguments.data).items():
        half = "held" if name in held or "all" in held else "development"
        if arguments.only and name not in arguments.only.split(","):
            continue
        of_package = Tally()
        versions = [texts(archive) for archive in archives]
        for old, new in list(pairwise(versions))[-arguments.pairs :]:
            of_package.add(Replay(old, new).run())
        halves[half].add(of_package)
        print(line_of(f"{half} {name}", of_package), flush=True)
    for half, tally in halves.items():
        print(f"\n{line_of(half, tally)}")
        for kind in sorted(tally.right | tally.wrong):
            right, wrong = tally.right[kind], tally.wrong[kind]
            print(f"  {kind:<44} {right:5} right {wrong:5} wrong {right / (right + wrong):6.2f}")
        for missed, times in Counter(tally.missed).most_common(arguments.examples):
            print(f"    {times:4} unasked, wrong: {missed}")
        for example in tally.examples[: arguments.examples]:
            print("   ", example[:230])
    sys.exit(0)


def line_of(name: str, tally: Tally) -> str:
    """Return a line of the table."""
    unasked = tally.unasked_right / tally.unasked if tally.unasked else 1.0
    there = tally.unasked - tally.unasked_gone
    kept = tally.unasked_right / there if there else 1.0
    return (
        f"{name:<26} edits {tally.edits:5}  unasked {tally.unasked:5} precision {unasked:.3f} "
        f"({kept:.3f} of lines still there) "
        f"recall {tally.shown / max(1, tally.expected):.3f}  menu "
        f"{tally.right.total() + tally.wrong.total():5} precision {tally.precision:.3f} "
        f"recall {tally.recall:.3f} of {tally.expected}"
    )


if __name__ == "__main__":
    main()
