"""Says where a file's time goes and what to do, and tries with the user's command what is faster.

Without a command nothing is changed: what may be slow is said, the hottest first where a profile
tells. With one, every change is run against the version before it, and stays only if the command's
output is the same and it is faster for sure. Rules propose first, then a model, which is given one
function and never sees the figures of others.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.specialists.answers import Origin, Place, Report, Section, Statement
from coai_agents.specialists.asking import NobodyError
from coai_agents.specialists.fixing.checking import sound
from coai_agents.specialists.fixing.rewriting import rewritten
from coai_agents.specialists.performance.bottlenecks import Bottleneck, bottlenecks
from coai_agents.specialists.performance.hot import HotSpots, hot_spots
from coai_agents.specialists.performance.measuring import PAIRS, Comparison, Timing
from coai_agents.specialists.performance.patching import patches
from coai_agents.syntax.definitions import FUNCTIONS, outline
from coai_agents.syntax.tree import parse
from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from coai_agents.source import Source
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.fixing.candidates import Candidate
    from coai_agents.specialists.fixing.tally import Tried
    from coai_agents.specialists.performance.profiles.profile import Profile
    from coai_agents.syntax.definitions import Definition

    Run = Callable[[Source], Awaitable[Tried]]

TASK: Final = (
    "You make code faster. Write the whole function below so that it does the same in less time, "
    "with the same name, the same parameters and the same results, without its documentation, in "
    "one fenced code block, and nothing else."
)

MOST_SAMPLES: Final = 3
MOST_FUNCTIONS: Final = 2
"""Functions that a model is asked about, the hottest first."""
MOST_LISTED: Final = 10


class CommandFailedError(CoaiError):
    """The command that is to become faster fails already."""


@dataclass(frozen=True, slots=True)
class Faster:
    """A change that was measured to be faster."""

    candidate: Candidate
    measured: Comparison


@dataclass
class Tuning:
    """What was done to a file so that a command runs faster."""

    before: Source
    after: Source
    steps: list[Faster] = field(default_factory=list[Faster])
    notes: list[str] = field(default_factory=list[str])
    tried: int = 0
    """Changes that were run."""


# ------------------------------------------------------------------ what is known


def report(source: Source, path: str, profile: Profile | None) -> Report:
    """Say where time goes, and what costs more than it has to; facts alone."""
    found = bottlenecks(source)
    hot = _hot(source, path, profile)
    sections = (
        Section("Where time goes", _time(hot, path)),
        Section("What costs more than it has to", _costs(found, hot, path)),
    )
    notes = () if profile is None or (hot is not None and hot.functions) else (
        f"The profile has nothing of {path}: it is of another program, or the file was moved.",
    )  # fmt: skip
    return Report(f"Performance of {path}", tuple(s for s in sections if s.statements), notes)


def _hot(source: Source, path: str, profile: Profile | None) -> HotSpots | None:
    tree = parse(source)
    return None if tree is None or profile is None else hot_spots(tree, path, profile)


def _time(hot: HotSpots | None, path: str) -> tuple[Statement, ...]:
    if hot is None:
        return ()
    functions = [
        Statement(
            f"{each.name}: {each.own:.0%} itself, {each.total:.0%} with what it calls"
            f"{f', {each.calls:,} calls' if each.calls else ''}.",
            Origin.FACT,
            "the profile",
            (Place(path, each.line),),
        )
        for each in hot.functions[:MOST_LISTED]
    ]
    hottest = sorted(hot.lines.items(), key=lambda each: -each[1])[:MOST_LISTED]
    lines = [
        Statement(f"{share:.0%} in this line.", Origin.FACT, "the profile", (Place(path, line),))
        for line, share in hottest
        if share >= 0.01  # noqa: PLR2004 - a per cent
    ]
    return (*functions, *lines)


def _costs(found: Sequence[Bottleneck], hot: HotSpots | None, path: str) -> tuple[Statement, ...]:
    ranked = sorted(found, key=lambda each: (-_share(each, hot), -each.weight, each.line))
    return tuple(
        Statement(
            f"{each.about.says} {each.about.advice}\n{each.text}",
            Origin.FACT,
            each.kind,
            (Place(path, each.line),),
        )
        for each in ranked
    )


def _share(found: Bottleneck, hot: HotSpots | None) -> float:
    """Return what the function around a bottleneck took, from 0 to 1."""
    if hot is None:
        return 0.0
    return max(
        (each.own for each in hot.functions if each.name.endswith(found.function)), default=0
    )


# ---------------------------------------------------------------------- measuring


async def tune(
    source: Source,
    path: str,
    asker: Asker,
    run: Run,
    *,
    profile: Profile | None = None,
    symbol: str = "",
    pairs: int = PAIRS,
) -> Tuning:
    """Change a file so that the command behind `run` is faster, and does what it did.

    Raises `CommandFailedError` where the command fails with the file as it is.
    """
    state = Tuning(source, source)
    judge = await _Judge.of(state, run, pairs)
    refused: set[str] = set()
    while (
        step := await _by_rules(state, judge, _hot(state.after, path, profile), refused)
    ) is not None:
        state.steps.append(step)
    for name in _functions(state.after, path, profile, symbol)[:MOST_FUNCTIONS]:
        await _by_model(state, judge, asker, name, path)
    return state


class _Judge:
    """Runs versions against one another."""

    def __init__(self, state: Tuning, run: Run, pairs: int, output: str | None) -> None:
        self._state = state
        self._run = run
        self._pairs = pairs
        self._output = output

    @classmethod
    async def of(cls, state: Tuning, run: Run, pairs: int) -> _Judge:
        """Run the command twice as it is: it has to end well, and may say something else."""
        tried = [await run(state.before) for _ in range(2)]
        if not all(each.passed for each in tried):
            raise CommandFailedError(
                "The command fails with the file as it is.",
                remedy="Name one that ends with exit code 0.",
            )
        same = tried[0].output == tried[1].output
        if not same:
            state.notes.append(
                "The command writes something else each time, so only its exit code is compared."
            )
        return cls(state, run, pairs, tried[0].output if same else None)

    async def faster(self, candidate: Candidate) -> Faster | None:
        """Take a change into the file if the command says the same with it, and is faster."""
        before = self._state.after
        analysis = await asyncio.to_thread(analyse, before)
        changed = await asyncio.to_thread(sound, before, candidate.edits, analysis)
        if changed is None:
            return None
        self._state.tried += 1
        if not self._same(await self._run(changed.after)):
            return None
        timings: tuple[list[Timing], list[Timing]] = ([], [])
        for number in range(self._pairs):
            versions = [(0, before), (1, changed.after)]
            for which, version in versions if number % 2 == 0 else versions[::-1]:
                tried = await self._run(version)
                if not self._same(tried):
                    return None
                timings[which].append(Timing(tried.seconds, tried.cpu_seconds))
            measured = Comparison(tuple(timings[0]), tuple(timings[1]))
            if measured.is_hopeless:
                return None
        measured = Comparison(tuple(timings[0]), tuple(timings[1]))
        if not measured.is_faster:
            return None
        self._state.after = changed.after
        return Faster(candidate, measured)

    def _same(self, tried: Tried) -> bool:
        return tried.passed and self._output in (None, tried.output)


async def _by_rules(
    state: Tuning, judge: _Judge, hot: HotSpots | None, refused: set[str]
) -> Faster | None:
    """Return the first change of the rules that is faster; what is not is not tried again."""
    found = bottlenecks(state.after)
    for each in sorted(found, key=lambda each: (-_share(each, hot), -each.weight)):
        for candidate in patches(state.after, each):
            said = f"{each.function} {each.text} {candidate.title}"
            if said in refused:
                continue
            refused.add(said)
            if (step := await judge.faster(candidate)) is not None:
                return step
    return None


async def _by_model(state: Tuning, judge: _Judge, asker: Asker, name: str, path: str) -> None:
    """Have a model write a function anew; keep the first version that is faster."""
    tree = parse(state.after)
    function = None if tree is None else _named(state.after, name)
    if tree is None or function is None:
        return
    slow = [each.about.says for each in bottlenecks(state.after) if each.function == function.name]
    about = "\n".join(dict.fromkeys(slow))
    versions = rewritten(tree, function, about, asker, most=MOST_SAMPLES, path=path, task=TASK)
    try:
        async with aclosing(versions):
            async for candidate in versions:
                if (step := await judge.faster(candidate)) is not None:
                    state.steps.append(step)
                    return
    except NobodyError as error:
        state.notes.append(str(error))


def _functions(source: Source, path: str, profile: Profile | None, symbol: str) -> list[str]:
    """Return the functions that are worth a model's try: the named one, the hot, the suspect."""
    if symbol:
        return [symbol]
    hot = _hot(source, path, profile)
    if hot is not None:
        return [each.name for each in hot.functions if each.definition is not None]
    return list(dict.fromkeys(each.function for each in bottlenecks(source) if each.function))


def _named(source: Source, name: str) -> Definition | None:
    return next(_defined(source, name), None)


def _defined(source: Source, name: str) -> Iterator[Definition]:
    tree = parse(source)
    for each in () if tree is None else outline(tree):
        named = name in (each.name, each.qualified_name)
        if each.kind in FUNCTIONS and named and each.body is not None:
            yield each
