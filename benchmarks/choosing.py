"""How well the specialists of a free request are chosen.

    python -m benchmarks.choosing             # both halves, and what is taken for what
    python -m benchmarks.choosing --failures  # those of the half that the words were chosen with

The requests in `data/requests.psv` were written and labelled before anybody had looked at the words
that choose. A hash of its text puts each into one half; the words were then chosen with the
training half in view, and those of `data/requests_training.psv`; the failures of the test half were
never looked at. Yet who chose the words had written the test half, too, so its figures are on the
bright side. What to expect of other people's requests is the figure of those held out, which were
written when the words were there, and labelled before anybody saw what is chosen for them. The
labels are judgements of one author.
"""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.support.figures import mean
from benchmarks.support.report import Bar, Report, options_parser
from coai_agents.specialists.choosing.tree import Aspect, choose

if TYPE_CHECKING:
    from collections.abc import Sequence

REQUESTS: Final = Path(__file__).parent / "data" / "requests.psv"
MORE: Final = Path(__file__).parent / "data" / "requests_training.psv"
HELD_OUT: Final = Path(__file__).parent / "data" / "requests_held_out.psv"

EXACT: Final = 0.9
"""The share of the test half whose aspects have to be found exactly."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A request, and what it asks for; the first aspect is what it is mostly about."""

    text: str
    aspects: tuple[Aspect, ...]

    @property
    def is_test(self) -> bool:
        """Whether it belongs to the half that nothing is chosen by."""
        return hashlib.sha256(self.text.encode()).digest()[0] % 2 == 0


@dataclass(frozen=True, slots=True)
class Quality:
    """How well choices fit labels."""

    exact: float
    """Share of requests for which exactly the labelled aspects are chosen."""
    primary: float
    """Share for which what they are mostly about is among the chosen ones, and is the only one
    where one is labelled."""
    taken: Counter[tuple[Aspect, Aspect]]
    """What requests of one aspect are taken for, counted: (labelled, chosen first)."""


def read_requests(path: Path = REQUESTS) -> list[Labelled]:
    """Read the labelled requests; raises ValueError that names the line of a malformed one."""
    read: list[Labelled] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line or line.startswith("# "):
            continue
        try:
            aspects, text = line.split("|", 1)
            said = text.replace("\\n", "\n").replace("\\t", "\t")
            read.append(Labelled(said, tuple(map(Aspect, aspects.split(" ")))))
        except ValueError as error:
            raise ValueError(f"{path}:{number}: {error}") from error
    return read


def halves(requests: Sequence[Labelled]) -> tuple[list[Labelled], list[Labelled]]:
    """Return the requests to choose words by, and those to test on."""
    return [one for one in requests if not one.is_test], [one for one in requests if one.is_test]


def judge(requests: Sequence[Labelled]) -> Quality:
    """Hold choices against labels."""
    chosen = [(one, choose(one.text).aspects) for one in requests]
    return Quality(
        exact=mean([float(set(made) == set(one.aspects)) for one, made in chosen]),
        primary=mean([float(_hits(one, made)) for one, made in chosen]),
        taken=Counter((one.aspects[0], made[0]) for one, made in chosen if len(one.aspects) == 1),
    )


def _hits(one: Labelled, made: tuple[Aspect, ...]) -> bool:
    return made == one.aspects if len(one.aspects) == 1 else one.aspects[0] in made


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    parser = options_parser("choosing", "How well the specialists of a request are chosen.")
    parser.add_argument("--failures", action="store_true", help="list those of the training half")
    options = parser.parse_args(arguments)
    requests, more, held_out = read_requests(), read_requests(MORE), read_requests(HELD_OUT)
    training, test = halves(requests)
    training += more
    report = Report("Specialists of free requests")
    report.say(f"{len(requests) + len(more) + len(held_out)} labelled requests")
    parts = {"training": training, "test": test, "held out": held_out}
    judged = {name: (part, judge(part)) for name, part in parts.items()}
    rows: list[tuple[str, ...]] = []
    for name, (part, quality) in judged.items():
        several = [one for one in part if len(one.aspects) > 1]
        figures = (quality.exact, quality.primary, judge(several).exact)
        rows.append((name, str(len(part)), *(f"{figure:.3f}" for figure in figures)))
        report.keep(name, dict(zip(_COLUMNS[1:], figures, strict=True)))
    report.table("Choices against labels", ("requests of", *_COLUMNS), rows)
    for name, (_, quality) in judged.items():
        table = [
            (each.value, *(str(quality.taken[each, other] or "") for other in Aspect))
            for each in Aspect
        ]
        heading = f"{name.capitalize()}: one aspect labelled (row), chosen first (column)"
        report.table(heading, ("", *(each.value for each in Aspect)), table)
    if options.failures:
        for one in training:
            made = choose(one.text)
            if set(made.aspects) != set(one.aspects):
                report.say(f"{'+'.join(one.aspects)} <- {'+'.join(made.aspects)}: {one.text!r}")
                report.say(f"    {made.why}")
    report.hold(Bar("test half: exact", judged["test"][1].exact, EXACT, at_least=True))
    return report.finish(options)


_COLUMNS: Final = ("requests", "exact", "mostly about", "several: exact")


if __name__ == "__main__":
    sys.exit(main())
