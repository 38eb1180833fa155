"""Weighing statements: which are the same, which contradict one another, and who has better ground.

Nothing is decided that the voices' grounds do not decide: what a tool found in the code outweighs
what is only said, what is refuted is outweighed, more voices outweigh fewer; else both sides stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.specialists.answers import Place
    from coai_agents.specialists.choosing.claims import Claim
    from coai_agents.tools.synthesis.statements import Statement
    from coai_agents.workflows.definition.types import Json

ALIKE: Final = 0.75
"""The share of the words of two statements (Jaccard index) from which on they say the same."""

FEWEST_WORDS: Final = 2
"""Statements of fewer are the same only word for word."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Statements of which one says what the other denies."""

    one: Statement
    other: Statement
    kept: Statement | None
    """The one with the better ground; None where neither has it."""
    why: str

    def as_json(self) -> dict[str, Json]:
        """Return both sides, and what became of them."""
        return {
            "sides": [self.one.as_json(), self.other.as_json()],
            "kept": None if self.kept is None else self.kept.text,
            "why": self.why,
        }


def joined(said: Sequence[Statement]) -> list[Statement]:
    """Return statements, each once, with all who make it and all that they rest on."""
    kept: list[Statement] = []
    for each in said:
        same = next((other for other in kept if _same(each, other)), None)
        if same is None:
            kept.append(each)
            continue
        same.by = list(dict.fromkeys((*same.by, *each.by)))
        same.evidence = tuple(dict.fromkeys((*same.evidence, *each.evidence)))
        if each.ground == "fact" and same.ground != "fact":
            same.text, same.ground = each.text, each.ground
    return kept


def conflicts(said: Sequence[Statement]) -> list[Conflict]:
    """Return the pairs that contradict one another, with the better ground where there is one."""
    found: list[Conflict] = []
    for number, one in enumerate(said):
        for other in said[number + 1 :]:
            if _against(one, other):
                kept, why = _better(one, other)
                found.append(Conflict(one, other, kept, why))
    return found


def _same(one: Statement, other: Statement) -> bool:
    if " ".join(one.text.casefold().split()) == " ".join(other.text.casefold().split()):
        return True
    first, second = one.claim, other.claim
    if (first.denied, first.numbers) != (second.denied, second.numbers):
        return False
    return _likeness(first, second) >= ALIKE and _near(one.evidence, other.evidence)


def _against(one: Statement, other: Statement) -> bool:
    first, second = one.claim, other.claim
    differ = first.denied != second.denied or (
        first.numbers != second.numbers and len(first.numbers) == len(second.numbers)
    )
    return differ and _likeness(first, second) >= ALIKE and _near(one.evidence, other.evidence)


def _likeness(one: Claim, other: Claim) -> float:
    first, second = _stems(one), _stems(other)
    if min(len(first), len(second)) < FEWEST_WORDS:
        return float(bool(first) and first == second)
    return len(first & second) / len(first | second)


def _stems(claim: Claim) -> frozenset[str]:
    return frozenset(map(stem, claim.words))


def stem(word: str) -> str:
    """Return a word without the endings of plurals and of verbs, as far as two can be the same."""
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:  # noqa: PLR2004 - letters
            return word[: -len(ending)]
    return word


def _near(one: Sequence[Place], other: Sequence[Place]) -> bool:
    """Say whether statements can be about one place: one of theirs is, or one names none."""
    if not one or not other:
        return True
    return any(
        first.path == second.path and (not first.line or not second.line or _overlap(first, second))
        for first in one
        for second in other
    )


def _overlap(one: Place, other: Place) -> bool:
    return one.line <= max(other.line, other.end_line) and other.line <= max(one.line, one.end_line)


def _better(one: Statement, other: Statement) -> tuple[Statement | None, str]:
    if bool(one.refuted) != bool(other.refuted):
        kept, gone = (other, one) if one.refuted else (one, other)
        return kept, f"the other does not hold: {gone.refuted}"
    if one.ground != other.ground:
        kept = one if one.ground == "fact" else other
        return kept, "it was found in the code"
    if len(one.by) != len(other.by):
        kept, less = (one, other) if len(one.by) > len(other.by) else (other, one)
        return kept, f"{len(kept.by)} say so and {len(less.by)} the opposite"
    return None, "nothing decides it"
