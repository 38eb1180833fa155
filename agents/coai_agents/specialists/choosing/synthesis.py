"""The synthesiser: merges what several specialists said into one report, without a word of its own.

Statements that say the same are one, which counts who agrees. Statements that say the opposite, or
the same with another number, stand side by side as a conflict, with both sides: nobody decides
here who is right. Every statement keeps its origin, who said it and what it rests on.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.answers import Origin, Place, Report, Section, Statement
from coai_agents.specialists.choosing.claims import Claim, claim_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

CONFLICTS: Final = "Where they disagree"

_STRENGTH: Final = (Origin.MODEL, Origin.USER, Origin.CHECKED, Origin.FACT)


@dataclass(frozen=True, slots=True)
class Part:
    """What one specialist said."""

    specialist: str
    report: Report


def merge(parts: Sequence[Part]) -> Report:
    """Return one report of what all have said, in the order of the specialists."""
    said = _joined(parts)
    disputed = list(_conflicts(said))
    sides = {id(each) for pair in disputed for each in pair}
    sections: dict[str, list[Statement]] = defaultdict(list)
    several = sum(bool(part.report.statements) for part in parts) > 1
    for each in said:
        title = f"{each.title} ({each.specialists[0]})" if several else each.title
        if id(each) not in sides:
            sections[title].append(each.statement)
    shown = [Section(title, tuple(each)) for title, each in sections.items()]
    if disputed:
        both = tuple(_side(each) for pair in disputed for each in pair)
        shown.insert(0, Section(CONFLICTS, both))
    notes = dict.fromkeys(note for part in parts for note in part.report.notes)
    titles = dict.fromkeys(part.report.title for part in parts if part.report.title)
    return Report(", ".join(titles), tuple(shown), tuple(notes))


@dataclass(slots=True)
class _Said:
    """A statement, under which heading, and which specialists made it."""

    title: str
    statement: Statement
    claim: Claim
    specialists: list[str]


def _joined(parts: Sequence[Part]) -> list[_Said]:
    """Return all statements, each once, with the evidence of all who made it."""
    kept: dict[tuple[str, frozenset[str]], _Said] = {}
    for part in parts:
        for section in part.report.sections:
            for each in section.statements:
                key = (_plain(each.text), frozenset(place.path for place in each.evidence))
                known = kept.get(key) or (kept.get((key[0], frozenset())))
                if known is None:
                    kept[key] = _Said(section.title, each, claim_of(each.text), [part.specialist])
                    continue
                if part.specialist not in known.specialists:
                    known.specialists.append(part.specialist)
                known.statement = _both(known.statement, each, len(known.specialists))
    return list(kept.values())


def _both(one: Statement, other: Statement, agreed: int) -> Statement:
    first, second = sorted((one, other), key=lambda each: -_STRENGTH.index(each.origin))
    by = ", ".join(dict.fromkeys(each.by for each in (first, second) if each.by))
    evidence = dict.fromkeys((*first.evidence, *second.evidence))
    return replace(first, by=by, evidence=tuple(evidence), agreed=agreed)


def _conflicts(said: Sequence[_Said]) -> Iterator[tuple[_Said, ...]]:
    """Yield statements of different specialists of which one says what the other denies."""
    about: dict[frozenset[str], list[_Said]] = defaultdict(list)
    for each in said:
        if each.claim.words:
            about[each.claim.words].append(each)
    for group in about.values():
        sides = [each for each in group if any(_against(each, other) for other in group)]
        if sides:
            # What has the better ground first.
            yield tuple(sorted(sides, key=lambda each: -_STRENGTH.index(each.statement.origin)))


def _against(one: _Said, other: _Said) -> bool:
    if set(one.specialists) & set(other.specialists):
        return False
    places = [each.statement.evidence for each in (one, other)]
    if all(places) and not _overlap(*places):
        return False
    return (one.claim.denied, one.claim.numbers) != (other.claim.denied, other.claim.numbers)


def _overlap(one: Iterable[Place], other: Iterable[Place]) -> bool:
    return any(
        first.path == second.path
        and (
            not first.line
            or not second.line
            or (
                first.line <= max(second.line, second.end_line)
                and second.line <= max(first.line, first.end_line)
            )
        )
        for first in one
        for second in other
    )


def _side(said: _Said) -> Statement:
    whose = " and ".join(said.specialists)
    return replace(said.statement, text=f"{whose}: {said.statement.text}")


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".!")
