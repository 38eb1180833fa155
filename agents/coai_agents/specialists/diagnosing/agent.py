"""The diagnostic agent: what went wrong, where in the user's own code, and what to do about it.

Everything but the model's sentences is read from the output, the files and what is known of errors.
"""

from __future__ import annotations

import re
from contextlib import aclosing
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from coai_agents.source import Source, Span
from coai_agents.specialists.answers import Origin, Place, Report, Section, Statement
from coai_agents.specialists.asking import Prompt
from coai_agents.specialists.diagnosing.knowledge import known
from coai_agents.specialists.diagnosing.reading import read_output, worst
from coai_agents.specialists.explaining.agent import checked
from coai_agents.specialists.untrusted import from_model, one_line
from coai_agents.specialists.words import Words, spoken
from coai_agents.syntax.definitions import enclosing_function
from coai_agents.syntax.tree import parse
from coai_routing.request import Capability

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Sequence

    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.diagnosing.problems import Problem
    from coai_agents.specialists.diagnosing.resolving import Own, Workspace

VERSION: Final = "1"
"""Raise it when the prompt or the check changes."""

TASK: Final = (
    "You explain an error to a developer. In at most four short sentences say why this code raises "
    "it and which line has to change. Write names from the code in backticks. "
    "Speak only of what is shown. Do not repeat the code."
)

MOST_TOKENS: Final = 200
MOST_FRAMES: Final = 4
MOST_OTHERS: Final = 8
AROUND: Final = 2
"""Lines of code above and below the one that matters."""
CODE_CHARACTERS: Final = 4_000
LINE_CHARACTERS: Final = 240
SIMILAR: Final = 0.75
"""How alike two names have to be, by difflib's ratio, for one to be the other misspelt."""

_WORD: Final = re.compile(r"[^\W\d]\w*")


async def diagnose(text: str, workspace: Workspace, asker: Asker) -> Report | None:
    """Explain a trace or a tool's output; None where nothing in it complains."""
    problems = read_output(text)
    problem = worst(problems)
    if problem is None:
        return None
    own = [each for one in reversed(problem.chain) for each in workspace.own_frames(one)]
    own = list({(each.path, each.frame.line): each for each in own if each.is_there}.values())
    report = Report("", ())
    async with aclosing(diagnosing(problem, own, asker, others=problems)) as reports:
        async for each in reports:
            report = each
    return report


async def diagnosing(
    problem: Problem, own: Sequence[Own], asker: Asker, *, others: Sequence[Problem] = ()
) -> AsyncGenerator[Report]:
    """Yield what is known of a problem at once, then the same with what a model says so far.

    `own` are its frames in files that may be shown, `others` what else was complained about.
    """
    cause, *rest = (_cause(problem, own), _lines(own), _remedy(problem, own))
    rest.append(_others(problem, others))
    notes = () if own else ("No frame is in a file of this folder, so no code is shown.",)
    facts = tuple(each for each in (cause, *rest) if each.statements)
    report = Report("", facts, notes)
    yield report
    prompt = prompt_for(problem, own)
    async with aclosing(spoken(prompt, asker)) as pieces:
        async for words in pieces:
            said, more = _said(prompt, own, words)
            kept = tuple(each for each in (cause, said, *rest) if each.statements)
            yield replace(report, sections=kept, notes=(*notes, *more))


def _cause(problem: Problem, own: Sequence[Own]) -> Section:
    root = problem.root
    place = _places(own[:1])
    said = [Statement(_shown(root.title), Origin.FACT, "the output", place)]
    fact = known(root)
    if fact is not None:
        said.append(Statement(fact.cause, Origin.FACT, f"known error {fact.pattern.id}"))
    said += [
        Statement(f"It led to {_shown(each.title)}", Origin.FACT, "the output")
        for each in reversed(problem.chain[:-1])
    ]
    return Section("Root cause", tuple(said))


def _lines(own: Sequence[Own]) -> Section:
    said: list[Statement] = []
    for each in own[:MOST_FRAMES]:
        within = f" in {_shown(each.frame.function)}" if each.frame.function else ""
        code = "\n".join(_code(each.source, each.frame.line))
        text = f"{each.path}:{each.frame.line}{within}\n{code}"
        said.append(Statement(text, Origin.FACT, "the file"))
    return Section("The lines that matter", tuple(said))


def _code(source: Source, line: int) -> Iterator[str]:
    first, last = max(1, line - AROUND), min(source.line_count, line + AROUND)
    width = len(str(last))
    for number in range(first, last + 1):
        mark = ">" if number == line else " "
        text = from_model(source.line_text(number - 1))[:LINE_CHARACTERS]
        yield f"{mark} {number:>{width}} | {text}".rstrip()


def _remedy(problem: Problem, own: Sequence[Own]) -> Section:
    said: list[Statement] = []
    for each in reversed(problem.chain):
        fact = known(each)
        if fact is not None:
            by = f"known error {fact.pattern.id}"
            said.append(Statement(f"Look at {fact.look}.", Origin.FACT, by))
            said.append(Statement(fact.remedy, Origin.FACT, by))
            said += _similar(fact.names.get("name", ""), own)
            break
    return Section("What to do", tuple(said))


def _similar(name: str, own: Sequence[Own]) -> Iterator[Statement]:
    """Name what the file has that is spelt nearly as a name that is not there."""
    if not own or not name:
        return
    words = set(_WORD.findall(own[0].source.text)) - {name}
    near = get_close_matches(name, sorted(words), n=2, cutoff=SIMILAR)
    if near:
        names = " and ".join(f"`{each}`" for each in near)
        yield Statement(f"{own[0].path} has {names}.", Origin.FACT, "the file")


def _others(problem: Problem, problems: Sequence[Problem]) -> Section:
    others = [each for each in problems if each is not problem]
    said = [
        Statement(
            _shown(each.title),
            Origin.FACT,
            "the output",
            tuple(Place(frame.path, frame.line) for frame in each.frames[:1]),
        )
        for each in others[:MOST_OTHERS]
    ]
    more = len(others) - MOST_OTHERS
    if more > 0:
        said.append(Statement(f"And {more} more.", Origin.FACT, "the output"))
    return Section("Also in the output", tuple(said))


def _said(prompt: Prompt, own: Sequence[Own], words: Words) -> tuple[Section, list[str]]:
    """Return a model's sentences that hold against the code and the output, and what to note."""
    notes = [words.why] if words.why else []
    shown = own[0].source if own else Source("untitled:output", prompt.about)
    line = max(0, own[0].frame.line - 1) if own else 0
    span = Span(shown.line_start(line), shown.line_end(line))
    path = own[0].path if own else ""
    section, dropped = checked(words, shown, span, path, also=prompt.about)
    if dropped:
        notes.append(f"{dropped} of the model's sentences spoke of what is not there.")
    return Section("What a model says", section.statements), notes


def prompt_for(problem: Problem, own: Sequence[Own]) -> Prompt:
    """Return what a model is asked: the chain, and the function of the innermost own frame."""
    chain = "\n".join(f"caused by {each.title}" for each in problem.chain).removeprefix(
        "caused by "
    )
    parts = [f"Error:\n{chain}"]
    for each in own[:1]:
        code = function_around(each.source, each.frame.line)
        parts.append(
            f"Line {each.frame.line}: {each.source.line_text(each.frame.line - 1).strip()}"
        )
        parts.append(f"Code:\n{code}")
    return Prompt(
        Capability.CODE_ANALYSIS,
        TASK,
        "\n\n".join(parts),
        max_tokens=MOST_TOKENS,
        paths=tuple(each.path for each in own[:1]),
    )


def function_around(source: Source, line: int) -> str:
    """Return the text of the function around a line, or the lines around it; line from 1."""
    tree = parse(source)
    start = source.line_start(line - 1)
    text = source.line_text(line - 1)
    offset = start + len(text) - len(text.lstrip())
    function = None if tree is None else enclosing_function(tree, offset)
    if function is not None and len(function.span) <= CODE_CHARACTERS:
        return source.slice(function.span)
    first, last = max(0, line - 15), min(source.line_count - 1, line + 15)
    return source.slice(Span(source.line_start(first), source.line_end(last)))[:CODE_CHARACTERS]


def _places(own: Sequence[Own]) -> tuple[Place, ...]:
    return tuple(Place(each.path, each.frame.line, each.frame.line) for each in own)


def _shown(text: str) -> str:
    return one_line(text, LINE_CHARACTERS)
