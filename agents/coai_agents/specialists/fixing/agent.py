"""Fixes a file: by rules, by what is known of errors, and by a model, each change checked.

With a test of the user's every change is tried, and only one with which it goes better is offered.
Without one the static checks decide, and a model is asked only about the place that is named.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.fixes.equivalence.queries import RULE, keeps_queries
from coai_agents.fixes.fixers import fixes_for
from coai_agents.specialists.asking import NobodyError
from coai_agents.specialists.fixing.candidates import Candidate, known_fixes
from coai_agents.specialists.fixing.checking import problems_in, same_functions, sound
from coai_agents.specialists.fixing.places import (
    named_function,
    same_file,
    target_function,
    target_functions,
)
from coai_agents.specialists.fixing.rewriting import WRONG_CHARACTERS, rewritten
from coai_agents.specialists.fixing.tally import Tried, brings_something, is_better
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.source import Source
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.diagnosing.problems import Problem
    from coai_agents.specialists.edits import Change
    from coai_agents.specialists.targets import Target

    Try = Callable[[Source], Awaitable[Tried]]
    Recall = Callable[[Source, Problem], Iterable[Candidate]]

MOST_ROUNDS: Final = 3
"""Rounds in which a model is told how the test went; later ones lose more than they win."""
MOST_SAMPLES: Final = 4
"""Of one function in one round."""
MOST_TARGETS: Final = 3
"""Functions that a model may rewrite in one round."""
MOST_STEPS: Final = 20
"""Changes without a model, one after the other."""


def nothing(source: Source, problem: Problem) -> Iterable[Candidate]:
    """Remember nothing of a problem."""
    del source, problem
    return ()


@dataclass
class Fixing:
    """What was done to a file, and how it stands."""

    before: Source
    after: Source
    steps: list[Candidate] = field(default_factory=list[Candidate])
    tried: Tried | None = None
    notes: list[str] = field(default_factory=list[str])
    left: str = ""
    """What is still wrong; empty where nothing is known to be."""
    problem: Problem | None = None
    """What was wrong at first, where that is one problem that can be named."""

    def take(self, candidate: Candidate, after: Source) -> None:
        """Count a change in."""
        self.steps.append(candidate)
        self.after = after


# ---------------------------------------------------------------- without a test


async def fix_findings(
    source: Source, target: Target, asker: Asker, path: str = "", recall: Recall = nothing
) -> Fixing:
    """Fix what can be told to be wrong without running anything.

    `recall` gives what solved such a problem before, which is tried first.
    """
    state = Fixing(source, source)
    # A door that serves several at once goes on meanwhile.
    wrong = await asyncio.to_thread(_fix_certain, state, target, recall)
    named = bool(target.first or target.symbol)
    if named and (wrong or not state.steps):
        await _rewrite_named(state, target, wrong, asker, path)
        wrong = await asyncio.to_thread(_wrong, state.after, target)
    state.left = "\n".join(wrong)
    gone = await asyncio.to_thread(_gone, source, state.after)
    state.problem = gone[0] if len(gone) == 1 else None
    return state


def _fix_certain(state: Fixing, target: Target, recall: Recall) -> list[str]:
    """Make the changes that need no model; return what is still wrong."""
    for _ in range(MOST_STEPS):
        step = next(_certain(state.after, target, recall), None)
        if step is None:
            break
        state.take(*step)
    return _wrong(state.after, target)


def _gone(before: Source, after: Source) -> list[Problem]:
    known = _titles(after)
    return [each for each in problems_in(before) if each.title not in known]


def _certain(source: Source, target: Target, recall: Recall) -> Iterator[tuple[Candidate, Source]]:
    """Yield changes that need no model and that hold by themselves."""
    analysis = analyse(source)
    before = problems_in(source)
    for problem in before:
        if not _meant(source, target, problem.frames[0].line):
            continue
        for candidate in chain(recall(source, problem), known_fixes(source, problem)):
            changed = sound(source, candidate.edits, analysis)
            if changed is not None and problem.title not in _titles(changed.after):
                yield candidate, changed.after
    for finding in _findings(source, target, analysis.findings):
        for fix in fixes_for(source, [finding], analysis):
            if fix.preferred and (changed := sound(source, fix.edits, analysis)) is not None:
                yield Candidate(fix.title, fix.edits, fix.rule), changed.after


def _titles(source: Source) -> set[str]:
    return {each.title for each in problems_in(source)}


def _meant(source: Source, target: Target, line: int) -> bool:
    """Say whether a line, from 1, is among those that are to be fixed."""
    if target.first:
        return target.first <= line <= target.last
    function = named_function(source, target.symbol) if target.symbol else None
    if function is None:
        return not target.symbol
    first, last = (source.line_at(at) + 1 for at in (function.span.start, function.span.end))
    return first <= line <= last


def _findings(
    source: Source, target: Target, findings: tuple[Finding, ...] | list[Finding]
) -> list[Finding]:
    return [
        each for each in findings if _meant(source, target, source.line_at(each.span.start) + 1)
    ]


def _wrong(source: Source, target: Target) -> list[str]:
    """Return what is still wrong at the place that is meant."""
    problems = [each for each in problems_in(source) if _meant(source, target, each.frames[0].line)]
    findings = _findings(source, target, analyse(source).findings)
    return [
        *(f"line {each.frames[0].line}: {each.title}" for each in problems),
        *(f"line {source.line_at(each.span.start) + 1}: {each.message}" for each in findings),
    ]


async def _rewrite_named(
    state: Fixing, target: Target, wrong: list[str], asker: Asker, path: str
) -> None:
    source = state.after
    tree = parse(source)
    function = None if tree is None else target_function(tree, target)
    if tree is None or function is None:
        state.notes.append("No function is there that a model could rewrite.")
        return
    versions = rewritten(tree, function, "\n".join(wrong), asker, most=MOST_SAMPLES, path=path)
    refused = 0
    try:
        async with aclosing(versions):
            async for candidate in versions:
                changed = await asyncio.to_thread(_checked, source, candidate)
                if changed is not None and (
                    not wrong or await asyncio.to_thread(_fewer, source, changed.after, target)
                ):
                    state.take(candidate, changed.after)
                    return
                refused += 1
    except NobodyError as error:
        state.notes.append(str(error))
    if refused:
        state.notes.append(f"{refused} of a model's versions did not pass the checks.")


def _fewer(before: Source, after: Source, target: Target) -> bool:
    """Say whether something that was wrong is not any more."""
    count = [
        Counter(each.rule for each in _findings(one, target, analyse(one).findings))
        + Counter(_titles(one))
        for one in (before, after)
    ]
    gone = count[0] - count[1]
    return bool(gone) and (RULE not in gone or keeps_queries(before, after))


# ------------------------------------------------------------------- with a test


async def fix_by_test(
    source: Source,
    target: Target,
    asker: Asker,
    attempt: Try,
    path: str = "",
    *,
    recall: Recall = nothing,
) -> Fixing:
    """Change a file until the user's test passes, or nothing makes it go better any more.

    `recall` gives what solved such a problem before, which is tried first.
    """
    first = await attempt(source)
    state = Fixing(source, source, tried=first)
    if first.problem is not None:
        state.problem = first.problem.root
    if first.passed:
        return state
    best = (source, 0, first)
    rounds = 0
    for _ in range(MOST_STEPS):
        if not await _by_rules(state, attempt, path, recall):
            rounds += 1
            if rounds > MOST_ROUNDS or not await _by_model(state, target, asker, attempt, path):
                break
        assert state.tried is not None
        if is_better(state.tried, first) or _came_further(state, first):
            best = (state.after, len(state.steps), state.tried)
        if state.tried.passed:
            break
    # What came after the best version brought something that nobody has counted, or nothing.
    state.after, count, state.tried = best
    del state.steps[count:]
    state.left = "" if state.tried.passed else _said(state.tried)
    return state


def _came_further(state: Fixing, first: Tried) -> bool:
    """Say whether what is known to be an error is gone, and nothing but that was changed."""
    now = state.tried
    if now is None or any(each.from_model for each in state.steps):
        return False
    fewer = now.stage == first.stage and len(now.titles) < len(first.titles)
    return now.stage > first.stage or fewer


async def _by_rules(state: Fixing, attempt: Try, path: str, recall: Recall) -> bool:
    """Try what is known of the error; say whether something of it helped."""
    assert state.tried is not None
    start = state.tried
    analysis = await asyncio.to_thread(analyse, state.after)
    here = [each for problem in start.problems for each in _here(problem, path)]
    for each in (*here, *problems_in(state.after)):
        helped: tuple[Candidate, Source, Tried] | None = None
        for candidate in chain(recall(state.after, each), known_fixes(state.after, each)):
            changed = await asyncio.to_thread(sound, state.after, candidate.edits, analysis)
            if changed is None:
                continue
            tried = await attempt(changed.after)
            gone = each.title not in tried.titles and len(tried.titles) <= len(start.titles)
            helps = brings_something(tried, start) or (gone and tried.stage > 0)
            if tried.passed or (helps and helped is None):
                helped = (candidate, changed.after, tried)
            if tried.passed:
                break
        if helped is not None:
            state.take(*helped[:2])
            state.tried = helped[2]
            return True
    return False


def _here(problem: Problem, path: str) -> Iterator[Problem]:
    """Yield the chain's problems with only their frames in the file, the root first."""
    for each in reversed(problem.chain):
        frames = tuple(frame for frame in each.frames if same_file(frame, path))
        if frames:
            yield replace(each, frames=frames)


async def _by_model(state: Fixing, target: Target, asker: Asker, attempt: Try, path: str) -> bool:
    """Have a model rewrite what the test points at; say whether it brought something."""
    source, start = state.after, state.tried
    tree = parse(source)
    assert start is not None
    functions = (
        [] if tree is None else list(target_functions(tree, target, start, path))[:MOST_TARGETS]
    )
    if tree is None or not functions:
        state.notes.append("No function is there that a model could rewrite.")
        return False
    wrong = _said(start)
    best: tuple[Candidate, Change, Tried] | None = None
    try:
        for function in functions:
            versions = rewritten(tree, function, wrong, asker, most=MOST_SAMPLES, path=path)
            async for candidate, changed, tried in _attempts(source, versions, attempt):
                if brings_something(tried, start if best is None else best[2]):
                    best = (candidate, changed, tried)
                if tried.passed:
                    break
            if best is not None:
                break
    except NobodyError as error:
        state.notes.append(str(error))
    if best is None:
        return False
    state.take(best[0], best[1].after)
    state.tried = best[2]
    return True


async def _attempts(
    source: Source, versions: AsyncGenerator[Candidate], attempt: Try
) -> AsyncGenerator[tuple[Candidate, Change, Tried]]:
    async with aclosing(versions):
        async for candidate in versions:
            changed = await asyncio.to_thread(_checked, source, candidate)
            if changed is not None:
                yield candidate, changed, await attempt(changed.after)


def _checked(source: Source, candidate: Candidate) -> Change | None:
    """Return a model's change that is sound, or None."""
    changed = sound(source, candidate.edits, analyse(source))
    if changed is None or not same_functions(source, changed.after):
        return None
    return changed


def _said(tried: Tried | None) -> str:
    """Return what a test said, from its end."""
    if tried is None:
        return ""
    said = "It took too long and was ended.\n" if tried.timed_out else ""
    return said + tried.output.strip()[-WRONG_CHARACTERS:]
