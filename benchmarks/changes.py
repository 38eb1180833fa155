"""Whether the same change elsewhere is what the next version of a package did.

    python -m benchmarks.changes --data DIR

DIR has archives of several versions of packages, as `pip download --no-deps NAME==VERSION` and
`npm pack NAME@VERSION` leave them. Of two versions that follow each other, every file's hunks are
applied in order, as if somebody edited one line after the other. What is offered after each edit is
held against the later version: an offer is right if it lies on a shortest way from the old lines to
the new ones, counted in tokens. It is wrong if not, or if the line stayed as it was or went away;
of a line that went away nobody knows what it needed, so these are counted too. Nothing is offered
twice, and whoever was shown something wrong has passed it by, which counts against that change.
Recall counts the lines whose change, token by token, was that of an earlier line.

`--held` packages, or all, are counted apart: nothing was decided by their figures. `--fit` fits the
weights of `policy.toml` to the others and prints them.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.support.archives import packages, texts
from benchmarks.support.fitting import Sample, Shown, as_toml, fitted, shown
from benchmarks.support.versions import File, offers, repeated, written
from coai_agents.changes.evidence import evidence_at
from coai_agents.changes.learning import Learner
from coai_agents.changes.policy import own_policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.changes.finding import Place
    from coai_agents.changes.patterns import Pattern
    from coai_agents.changes.policy import Policy

THRESHOLDS: Final = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


@dataclass(slots=True)
class Tally:
    """What the menu had, and what there was to offer."""

    right: Counter[str] = field(default_factory=Counter[str])
    wrong: Counter[str] = field(default_factory=Counter[str])
    found: int = 0
    expected: int = 0
    edits: int = 0
    runs: list[list[Sample]] = field(default_factory=list[list[Sample]])
    """What could have been shown unasked, of each pair of versions."""

    def add(self, other: Tally) -> None:
        """Count another's too."""
        self.right += other.right
        self.wrong += other.wrong
        self.found += other.found
        self.expected += other.expected
        self.edits += other.edits
        self.runs += other.runs

    @property
    def precision(self) -> float:
        """The share of right offers of the menu."""
        offered = self.right.total() + self.wrong.total()
        return self.right.total() / offered if offered else 1.0

    def shown(self, policy: Policy, threshold: float | None = None) -> Shown:
        """Return what a policy shows unasked."""
        total = Shown()
        for samples in self.runs:
            total.add(shown(samples, policy, threshold))
        return total


class Replay:
    """One version on its way to the next, edit by edit, and what is offered meanwhile."""

    def __init__(self, old: Mapping[str, str], new: Mapping[str, str]) -> None:
        pairs = ((name, text, new.get(name, text)) for name, text in sorted(old.items()))
        self._files = [File(*pair) for pair in pairs]
        self._learner = Learner()
        self._expected = repeated(self._files)
        self._seen: set[object] = set()
        self._offered: set[tuple[str, int]] = set()
        self._samples: list[Sample] = []
        self.tally = Tally(runs=[self._samples])

    def run(self) -> Tally:
        """Make every edit; return what was offered."""
        for file in self._files:
            for hunk in file.hunks:
                before, after = file.apply(hunk)
                self.tally.edits += 1
                if before is None or after is None:
                    continue
                for pattern in self._learner.learn(before, after):
                    self._offer(pattern, file)
        self.tally.expected = len(self._expected)
        self.tally.found = len(self._expected & self._offered)
        return self.tally

    def _offer(self, pattern: Pattern, file: File) -> None:
        for other, place in offers(pattern, file, self._files):
            self._judge(pattern, other, place)

    def _judge(self, pattern: Pattern, other: File, place: Place) -> None:
        line, right = other.judged(place)
        where = (other.name, line, place.text)
        key = (*where, pattern.evidence, pattern.title)
        tree = other.tree
        if key in self._seen or tree is None:
            return
        self._seen.add(key)
        counter = self.tally.right if right else self.tally.wrong
        counter[f"{pattern.kind} ({min(pattern.evidence, 3)})"] += 1
        if right:
            self._offered.add((other.name, line or 0))
        if "\n" in place.text:
            return  # for the menu only
        text = other.source.line_text(other.source.line_at(place.span.start)).strip()
        self._samples.append(
            Sample(
                evidence=evidence_at(pattern, tree, place),
                change=(pattern.root, pattern.rewrite, pattern.title),
                edits=pattern.evidence,
                place=where,
                right=right,
                gone=not right and other.is_gone(line),
                repeated=(other.name, line or 0) in self._expected,
                told=f"({pattern.evidence}) {pattern.title} | {other.name} | {text} | "
                f"{place.text} | {_became(other, line)}",
            )
        )


def _became(file: File, line: int | None) -> str:
    """Return what the next version made of a line, for who judges what was wrong."""
    block = next((b for b in file.blocks if line is not None and b.start <= line < b.end), None)
    return "as it was" if block is None else " ".join(each.strip() for each in block.new[:4])


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder of archives")
    parser.add_argument("--only", default="", help="packages, separated by commas")
    parser.add_argument("--examples", type=int, default=0, help="wrong offers that are printed")
    parser.add_argument("--pairs", type=int, default=100, help="pairs of versions, the last ones")
    parser.add_argument("--fit", action="store_true", help="fit the weights, and print them")
    parser.add_argument(
        "--held",
        default="",
        help="packages that nothing is decided by, separated by commas, or all",
    )
    arguments = parser.parse_args()
    held = set(arguments.held.split(","))
    policy = own_policy()
    halves = {"development": Tally(), "held": Tally()}
    for name, archives in packages(arguments.data).items():
        half = "held" if name in held or "all" in held else "development"
        if arguments.only and name not in arguments.only.split(","):
            continue
        of_package = Tally()
        versions = [written(texts(archive)) for archive in archives]
        for old, new in list(pairwise(versions))[-arguments.pairs :]:
            of_package.add(Replay(old, new).run())
        halves[half].add(of_package)
        print(line_of(f"{half} {name}", of_package, policy), flush=True)
    if arguments.fit:
        policy = fitted(halves["development"].runs, policy)
        print(f"\n{as_toml(policy)}")
    for half, tally in halves.items():
        if tally.runs:
            print_half(half, tally, policy, arguments.examples)
    sys.exit(0)


def print_half(half: str, tally: Tally, policy: Policy, examples: int) -> None:
    """Print a half's figures."""
    print(f"\n{line_of(half, tally, policy)}")
    for threshold in THRESHOLDS:
        found = tally.shown(policy, threshold)
        print(
            f"  at {threshold:.2f}: {found.offers:5} offers, precision {found.precision:.3f}, "
            f"recall {found.found / max(1, tally.expected):.3f}"
        )
    found = tally.shown(policy)
    for kind in sorted({kind for kind, _ in found.kinds}):
        right, wrong = found.kinds[kind, True], found.kinds[kind, False]
        print(f"  {kind:<24} {right:5} right {wrong:5} wrong {right / (right + wrong):6.2f}")
    for wrong in found.wrong[:examples]:
        print(f"    wrong: {wrong[:330]}")
    for kind in sorted(tally.right | tally.wrong) if examples else ():
        right, wrong = tally.right[kind], tally.wrong[kind]
        print(f"  menu: {kind:<32} {right:5} right {wrong:5} wrong {right / (right + wrong):6.2f}")


def line_of(name: str, tally: Tally, policy: Policy) -> str:
    """Return a line of the table."""
    found = tally.shown(policy)
    return (
        f"{name:<26} edits {tally.edits:5}  unasked {found.offers:5} precision "
        f"{found.precision:.3f} ({found.gone} on lines that are gone) "
        f"recall {found.found / max(1, tally.expected):.3f}  menu "
        f"{tally.right.total() + tally.wrong.total():5} precision {tally.precision:.3f} "
        f"recall {tally.found / max(1, tally.expected):.3f} of {tally.expected}"
    )


if __name__ == "__main__":
    main()
