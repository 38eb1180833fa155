"""A diagnostic of any language server: explained, and fixed as far as that can be checked.

Its words are another program's, so they are data: they name a known error or they do not, they are
shown as text, and whatever they ask for, a fix is what passes the checks of every fix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.diagnosing.problems import Frame, Problem
from coai_agents.specialists.diagnosing.resolving import Own
from coai_agents.specialists.fixing.accepting import accepted
from coai_agents.specialists.fixing.candidates import known_fixes
from coai_agents.specialists.fixing.checking import problems_in, sensible
from coai_agents.specialists.fixing.places import target_function
from coai_agents.specialists.targets import Target
from coai_agents.specialists.untrusted import from_model, one_line
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from coai_agents.source import Edit, Source, Span
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.edits import Change
    from coai_agents.specialists.fixing.candidates import Candidate

    Harmless = Callable[[Source, Sequence[Edit]], Awaitable[bool]]
    """Says whether edits do no harm, as `fixes.verifier` does."""
    Recall = Callable[[Source, Problem], Iterable[Candidate]]
    """Gives what solved such a problem before."""

MOST_CHARACTERS: Final = 2_000
"""Of a message; some servers write whole types into theirs."""
TITLE_CHARACTERS: Final = 60
MOST_FIXES: Final = 4
"""Of one diagnostic, beside the one that a model would make."""

_NUMBER: Final = re.compile(r"\d+")
_TYPESCRIPT: Final = frozenset({"ts", "typescript", "js", "javascript"})


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """What a language server says of a place, as its client hands it over."""

    message: str
    span: Span
    code: str = ""
    server: str = ""
    """Who says it, as `pyright`; empty where that is not told."""

    @property
    def title(self) -> str:
        """The message as a short line that can be shown anywhere."""
        line = one_line(self.message, TITLE_CHARACTERS)
        cut = len(line) < len(one_line(self.message, MOST_CHARACTERS))
        return f"{line}..." if cut else line


def problem_of(source: Source, diagnostic: Diagnostic, path: str) -> Problem:
    """Return a diagnostic as a problem with the place that it is about."""
    code = diagnostic.code
    if diagnostic.server in _TYPESCRIPT and _NUMBER.fullmatch(code):
        # Its compiler writes the code so, and its server the bare number.
        code = f"TS{code}"
    at = source.line_at(diagnostic.span.start)
    column = diagnostic.span.start - source.line_start(at) + 1
    message = from_model(diagnostic.message[:MOST_CHARACTERS]).strip()
    frame = Frame(path, at + 1, column)
    return Problem(source.language, one_line(code, TITLE_CHARACTERS), message, (frame,))


def own_of(source: Source, diagnostic: Diagnostic, path: str) -> Own:
    """Return the place of a diagnostic, to be shown and explained."""
    return Own(problem_of(source, diagnostic, path).frames[0], source, path)


def proposed(source: Source, diagnostic: Diagnostic, path: str, recall: Recall) -> list[Candidate]:
    """Return what may fix a diagnostic without a model: what did so before, then known errors.

    All that an analysis is not needed for is checked: see `checked`.
    """
    found: list[Candidate] = []
    for each in _candidates(source, problem_of(source, diagnostic, path), recall):
        if len(found) < MOST_FIXES and each.edits not in [one.edits for one in found]:
            changed = sensible(source, each.edits)
            if changed is not None and _helps(source, changed.after, diagnostic):
                found.append(each)
    return found


def _candidates(source: Source, problem: Problem, recall: Recall) -> Iterator[Candidate]:
    # The same fault in the words of who checks names here has another kind to be remembered by.
    line = problem.frames[0].line
    same = (
        replace(each, frames=problem.frames)
        for each in problems_in(source)
        if each.frames[0].line == line and _names(each.message) & _names(problem.message)
    )
    for each in (problem, *same):
        yield from chain(recall(source, each), known_fixes(source, each))


def _names(text: str) -> set[str]:
    return set(re.findall(r"['\"`\u2018]([^\W\d]\w*)['\"`\u2019]", text))


def _helps(before: Source, after: Source, diagnostic: Diagnostic) -> bool:
    """Say whether a fault that can be told without the other server is gone, if it is one."""
    line = before.line_at(diagnostic.span.start) + 1
    known = {each.title for each in problems_in(before) if each.frames[0].line == line}
    return not known or bool(known - {each.title for each in problems_in(after)})


async def checked(
    source: Source, candidates: Iterable[Candidate], harmless: Harmless
) -> list[Candidate]:
    """Return the candidates that do no harm."""
    return [each for each in candidates if await harmless(source, each.edits)]


async def by_model(
    source: Source, diagnostic: Diagnostic, path: str, asker: Asker, harmless: Harmless
) -> Candidate:
    """Return the first of a model's versions of the function that passes the checks.

    Raises `NobodyError` where no model can be asked, `UnfixedError` where no version passes.
    """
    problem = problem_of(source, diagnostic, path)
    tree, line = parse(source), problem.frames[0].line
    function = None if tree is None else target_function(tree, Target(path, line, line))

    async def holds(changed: Change) -> bool:
        return _helps(source, changed.after, diagnostic) and await harmless(source, changed.edits)

    wrong = f"line {line}: {problem.title}"
    return await accepted(tree, function, wrong, asker, holds, path=path)
