"""COAI's own graph for a request: analyse it, route it, ask in stages, put together, and learn.

Analysing and routing are pure. Facts need no model and are there in a moment, so where the words of
a request build on what is found ("which is worst", "how do I fix them") they are asked first, and
whoever speaks with a model is told what they found. Else all answer side by side.
"""

from __future__ import annotations

import re
from contextlib import aclosing
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.answers import Origin, Report, Section
from coai_agents.specialists.choosing.claims import claim_of
from coai_agents.specialists.choosing.clauses import read_request
from coai_agents.specialists.choosing.synthesis import Part, merge
from coai_agents.specialists.choosing.team import speaking
from coai_agents.specialists.choosing.tree import choose
from coai_routing.registry.complexity import RequestFeatures, complexity

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence

    from coai_agents.specialists.answers import Statement
    from coai_agents.specialists.choosing.tree import Choice
    from coai_routing.registry.complexity import Level

    Ask = Callable[[str, Sequence[Statement]], AsyncGenerator[Report]]
    """Has a specialist, who is told what others found, say what it knows: each time all of it."""

MOST_HANDED_ON: Final = 20
"""Facts that the next stage is told."""

SPEAKS: Final = "answer"
"""Who speaks with a model, and is always asked."""

_BUILDS: Final = re.compile(
    r"\b(?:then|them|those|these|why|worst|first|most (?:important|urgent|serious|dangerous)|"
    r"prioriti[sz]e|summari[sz]e|in total|overall|how (?:do|can|could|should|would) (?:i|we|one)|"
    r"(?:and|,) (?:explain|tell|say|suggest|propose|recommend|what|how|which))\b",
    re.IGNORECASE,
)
"""Words by which one part of a request builds on what another one brings to light."""


class Mode(StrEnum):
    """How the members of a team are asked."""

    SINGLE = "single"
    SEQUENTIAL = "sequential"
    PARALLEL = "parallel"


@dataclass(frozen=True, slots=True)
class Route:
    """Who is asked, in which order, and why."""

    choice: Choice
    level: Level
    parts: tuple[str, ...]
    """What the request asks for, one by one."""
    mode: Mode
    stages: tuple[tuple[str, ...], ...]
    """Those of one stage are asked at once."""
    left_out: tuple[str, ...] = ()
    """Members that would be asked, had they been of any help lately."""

    @property
    def note(self) -> str:
        """What was decided, for whoever asks."""
        asked = ", ".join(name for stage in self.stages for name in stage)
        how = f"{self.level.value}, {self.mode.value}"
        out = f" Not asked: {', '.join(self.left_out)}." if self.left_out else ""
        return f"Asked: {asked}. Why: {self.choice.why} ({how}).{out}"


@dataclass(frozen=True, slots=True)
class Worked:
    """An answer, how it came about, and who had a part in it: what a team is composed by next."""

    report: Report
    route: Route
    helped: frozenset[str]
    """Members of whom a statement is in the answer."""


def route(
    request: str,
    members: Sequence[str],
    *,
    choice: Choice | None = None,
    lines: int = 0,
    files: int = 0,
    left_out: frozenset[str] = frozenset(),
) -> Route:
    """Return who of a team is asked and in which order; `lines` and `files` it is about.

    `left_out` were of no help lately: they are not asked, unless nobody else would be.
    """
    chosen = choice or choose(request)
    kept = [name for name in members if name == SPEAKS or name not in left_out] or [*members]
    facts = tuple(name for name in kept if name != SPEAKS)
    features = RequestFeatures(
        kind="code_analysis", question=request, span_lines=lines, files=files
    )
    parts = tuple(clause.text for clause in read_request(request).clauses)
    if len(kept) < 2:  # noqa: PLR2004 - two are several
        mode, stages = Mode.SINGLE, (tuple(kept),)
    elif SPEAKS in kept and facts and _BUILDS.search(request):
        mode, stages = Mode.SEQUENTIAL, (facts, (SPEAKS,))
    else:
        mode, stages = Mode.PARALLEL, (tuple(kept),)
    out = tuple(name for name in members if name not in kept)
    return Route(chosen, complexity(features).level, parts, mode, stages, out)


async def working(
    way: Route, ask: Ask, *, shown: frozenset[str] = frozenset()
) -> AsyncGenerator[Worked]:
    """Ask along a route, and yield what is put together of all that was said so far.

    Raises nothing that a specialist raises. `shown` are the paths of the files that may be shown to
    whoever speaks with a model: only what is found in them is handed on. In the end a part of the
    request that nobody speaks of is a note.
    """
    said: dict[str, Report] = {}
    found: list[Statement] = []
    for stage in way.stages:
        known = tuple(found)
        before = dict(said)
        team = {name: partial(ask, name, known) for name in stage}
        async with aclosing(speaking(team)) as heard:
            async for each in heard:
                said = before | {name: _without(report, known) for name, report in each.items()}
                yield _together(way, said)
        found += [*_to_hand_on(said, stage, shown)][: MOST_HANDED_ON - len(found)]
    yield _together(way, said, ended=True)


async def work(way: Route, ask: Ask, *, shown: frozenset[str] = frozenset()) -> Worked:
    """Return what `working` yields last."""
    worked = _together(way, {})
    async with aclosing(working(way, ask, shown=shown)) as steps:
        async for each in steps:
            worked = each
    return worked


def _together(way: Route, said: Mapping[str, Report], *, ended: bool = False) -> Worked:
    # Whoever speaks comes last, wherever it was asked: facts go before words.
    report = merge([Part(name, each) for name, each in said.items()])
    missing = unanswered(way.parts, report) if ended else []
    notes = (way.note, *report.notes, *(f"Nobody spoke of “{part}”." for part in missing))
    helped = frozenset(name for name, each in said.items() if each.statements)
    return Worked(replace(report, notes=notes), way, helped)


def unanswered(parts: Sequence[str], report: Report) -> list[str]:
    """Return the parts of a request that nothing speaks of, where something speaks of others."""
    wanted = {part: _words(part) for part in parts}
    spoken = frozenset[str]().union(
        *(_words(each.text) | _words(each.by) for each in report.statements),
        *(_words(f"{section.title}") for section in report.sections),
        *(_words(note) for note in report.notes),
    )
    missing = [part for part, words in wanted.items() if words and not words & spoken]
    # Where nothing speaks of any part, words are no way to tell.
    return missing if len(missing) < len([part for part in parts if wanted[part]]) else []


def _without(report: Report, found: Sequence[Statement]) -> Report:
    """Return a report without what its specialist had been told."""
    known = set(found)
    sections = tuple(
        Section(section.title, kept)
        for section in report.sections
        if (kept := tuple(each for each in section.statements if each not in known))
    )
    return replace(report, sections=sections)


def _to_hand_on(
    said: dict[str, Report], stage: Sequence[str], shown: frozenset[str]
) -> Iterator[Statement]:
    for name in stage:
        for each in said[name].statements:
            places = {place.path for place in each.evidence}
            if each.origin is Origin.FACT and places and places <= shown:
                yield each


def _words(text: str) -> frozenset[str]:
    return frozenset(word[:5] for word in claim_of(text).words if len(word) > 3)  # noqa: PLR2004 - letters
