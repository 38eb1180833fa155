# ruff: noqa: A005 - it is run as a module of its package, as its neighbours are
"""How many secrets are found, how many of what is none is taken for one, and how fast.

    python -m benchmarks.secrets                       # generated samples, the standard library
    python -m benchmarks.secrets --packages DIR ...    # false alarms in unpacked packages

Samples are drawn for each format within its own alphabet and put through every form of assignment
of `tests/support/secret_texts.py`; none is written down. A find in the standard library counts as
false: it has no secret in it.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Final

from tests.support.secret_texts import (
    ASSIGNMENTS,
    PASSWORD_NAMES,
    SECRET_NAMES,
    VALUES,
    assigned,
    password,
)

from benchmarks.support.report import Bar, Report, options_parser, quantity
from coai_routing.privacy.personal import find_personal
from coai_routing.privacy.secrets import built_in, find_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SEED: Final = 23
FORMS: Final = 0.98
GENERIC: Final = 0.9
FALSE_ALARMS: Final = 3.0
PER_LINES: Final = 300_000
A_PACKAGE: Final = 1.0
HELD_BACK: Final = 1.0
"""What is promised: recall, false alarms a so many lines or a package, per cent of files."""

TEXTS: Final = frozenset({".json", ".yaml", ".yml", ".lock", ".toml"})
_TESTS: Final = frozenset({"test", "tests", "idle_test", "site-packages", "lib2to3_tests"})
_APART: Final = frozenset(" \n\t\"'`<&;\\")
"""What no form of assignment takes as it is."""


class Recall:
    """Counts what was found of what there was, by two things."""

    def __init__(self) -> None:
        self.all: Counter[str] = Counter()
        self.found: Counter[str] = Counter()

    def count(self, name: str, text: str) -> None:
        """Search a text that has a secret in it."""
        self.all[name] += 1
        self.found[name] += bool(find_secrets(text))

    @property
    def share(self) -> float:
        """The share of what was found."""
        return self.found.total() / self.all.total()

    def rows(self) -> list[tuple[str, str, str]]:
        """Return what was missed most, and how many there are of each."""
        names = sorted(self.all, key=lambda name: (self.found[name] / self.all[name], name))
        return [
            (name, str(self.all[name]), f"{self.found[name] / self.all[name]:.3f}")
            for name in names
        ]


def by_form(draw: random.Random) -> Recall:
    """Put samples of each format through each form of assignment, to a name that says nothing."""
    recall = Recall()
    for rule in built_in().rules:
        for form in ASSIGNMENTS:
            secret = rule.sample(draw)
            if _APART.isdisjoint(secret):
                recall.count(rule.kind, assigned(form, "value_of_it", secret))
    return recall


def by_assignment(draw: random.Random) -> Recall:
    """Put random values and passwords through each form, to names that say what they are."""
    recall = Recall()
    for form in ASSIGNMENTS:
        for name in SECRET_NAMES:
            for make in VALUES.values():
                recall.count(form, assigned(form, name, make(draw)))
        for name in PASSWORD_NAMES:
            for _ in range(8):
                recall.count(form, assigned(form, name, password(draw)))
    return recall


def standard_library() -> Iterator[tuple[Path, str]]:
    """Return the modules of Python's standard library without its tests."""
    root = Path(random.__file__).parent
    for path in sorted(root.rglob("*.py")):
        if _TESTS.isdisjoint(path.relative_to(root).parts):
            yield path, path.read_text(encoding="utf-8", errors="replace")


def alarms(texts: Iterable[tuple[Path, str]]) -> list[str]:
    """Return where something was found, without what it was."""
    return [
        f"{path}:{text.count(chr(10), 0, secret.start) + 1} {secret.kind} {secret.confidence.name}"
        for path, text in texts
        for secret in find_secrets(text)
    ]


def _library(report: Report) -> None:
    texts = list(standard_library())
    lines = sum(text.count("\n") for _, text in texts)
    characters = sum(len(text) for _, text in texts)
    find_secrets("")
    begun = process_time()
    found = alarms(texts)
    seconds = process_time() - begun
    held = sum(bool(find_personal(text)) for _, text in texts)
    for alarm in found:
        report.say(f"  {alarm}")
    report.say(
        f"standard library: {len(texts)} files, {lines:,} lines, {len(found)} alarms, "
        f"{quantity(1e6 * seconds / (characters / 1000))} us of CPU a 1,000 characters"
    )
    report.keep("us a 1,000 characters", 1e6 * seconds / (characters / 1000))
    report.hold(
        Bar("false alarms in 300,000 lines", PER_LINES * len(found) / lines, FALSE_ALARMS),
        Bar("files held back for personal data", 100 * held / len(texts), HELD_BACK, "%"),
    )


def _packages(report: Report, folders: Sequence[Path]) -> None:
    worst = 0
    for folder in folders:
        paths = [p for p in sorted(folder.rglob("*")) if p.suffix in TEXTS and p.is_file()]
        found = alarms((p, p.read_text(encoding="utf-8", errors="replace")) for p in paths)
        worst = max(worst, len(found))
        report.say(f"{folder.name}: {len(paths)} files, {len(found)} alarms")
        for alarm in found:
            report.say(f"  {alarm}")
    report.hold(Bar("false alarms in one package's data", worst, A_PACKAGE))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    parser = options_parser("secrets", "How many secrets are found, and how many false ones.")
    parser.add_argument("--packages", nargs="*", type=Path, default=[], metavar="DIR")
    options = parser.parse_args(arguments)
    report = Report("Secrets")
    draw = random.Random(SEED)
    forms, generic = by_form(draw), by_assignment(draw)
    report.table("Formats, in every assignment", ("format", "samples", "recall"), forms.rows())
    report.table("Assignments, of any value", ("form", "samples", "recall"), generic.rows())
    report.keep("formats", {name: float(recall) for name, _, recall in forms.rows()})
    report.keep("assignments", {name: float(recall) for name, _, recall in generic.rows()})
    report.hold(
        Bar("recall of formats", forms.share, FORMS, at_least=True),
        Bar("recall of assignments", generic.share, GENERIC, at_least=True),
    )
    _library(report)
    if options.packages:
        _packages(report, options.packages)
    return report.finish(options)


if __name__ == "__main__":
    sys.exit(main())
