"""Episodic memory: how problems were solved here, and the same solution tried first next time.

An episode is kept if the user's test passed with the change, or the user had it written. The next
problem of its kind in the same folder gets its lines proposed before any rule or model; the checks
and the test judge it as they do every other.
"""

from __future__ import annotations

import difflib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from coai_agents.fixes.imports import place_of_imports
from coai_agents.memory.store import Episode, Hunk
from coai_agents.source import Edit, Span
from coai_agents.specialists.diagnosing.knowledge import known
from coai_agents.specialists.fixing.candidates import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.memory.store import Judge, Memory
    from coai_agents.source import Source
    from coai_agents.specialists.diagnosing.problems import Problem

MOST_HUNKS: Final = 3
"""Places of one change; what changed more is no solution of one problem."""
MOST_LINES: Final = 12
"""Of one place."""
MOST_TRIED: Final = 3
"""Episodes that are proposed for one problem."""

_QUOTED: Final = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|`[^`\n]*`|\u2018[^\u2019\n]*\u2019|\b\d+\b")
_IMPORT: Final = re.compile(r"(?:import|from|use|using|require|#include|const \w+ = require)\b")


def kind_of(problem: Problem) -> str:
    """Return what kind of problem it is: the same for other names, numbers and places."""
    fact = known(problem)
    kind = problem.kind or (fact.pattern.id if fact is not None else "")
    said = _QUOTED.sub("_", problem.message.split("\n", 1)[0])
    return f"{problem.language}|{kind}|{said}"[:300]


def episode_of(
    where: tuple[str, str], problem: Problem, change: tuple[Source, Source], by: str, judge: Judge
) -> Episode | None:
    """Return what is to be remembered of a change; None where it is too much for one problem.

    `where` is the folder, and the file's path in it; `change` the file before and after.
    """
    before, after = (each.text.splitlines() for each in change)
    hunks: list[Hunk] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, first, last, start, end in matcher.get_opcodes():
        if tag == "equal":
            continue
        if last - first > MOST_LINES or end - start > MOST_LINES:
            return None
        hunks.append(Hunk(_dedented(before[first:last]), _dedented(after[start:end])))
    if not 0 < len(hunks) <= MOST_HUNKS:
        return None
    language = change[0].language
    return Episode(*where, language, kind_of(problem), problem.title, tuple(hunks), by, judge)


def _dedented(lines: list[str]) -> str:
    by = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[by:] for line in lines)


def remembered(
    memory: Memory, folder: str, source: Source, problem: Problem
) -> Iterator[Candidate]:
    """Yield what solved this kind of problem here before, where its lines are in the file."""
    proposed = 0
    for episode in memory.episodes(folder, kind_of(problem)):
        edits = _edits(source, episode, problem)
        if edits and proposed < MOST_TRIED:
            proposed += 1
            when = datetime.fromtimestamp(episode.at, UTC).astimezone().date().isoformat()
            held = "a test passed with it" if episode.judge == "test" else "you kept it"
            by = f"memory: in {episode.path} on {when}, {held}"
            yield Candidate(f"Do again what solved “{episode.title[:80]}”", edits, by)


def _edits(source: Source, episode: Episode, problem: Problem) -> tuple[Edit, ...]:
    """Return an episode's change at the place of a problem; nothing where its lines are not."""
    edits: list[Edit] = []
    for hunk in episode.changes:
        edit = _replaced(source, hunk, problem) if hunk.before.strip() else _added(source, hunk)
        if edit is None:
            return ()
        edits.append(edit)
    return tuple(edits)


def _replaced(source: Source, hunk: Hunk, problem: Problem) -> Edit | None:
    """Return the edit where the lines stand that were replaced, the nearest to the problem."""
    wanted = hunk.before.split("\n")
    lines = [source.line_text(line) for line in range(source.line_count)]
    at = problem.frames[0].line - 1 if problem.frames else 0
    places = [
        first
        for first in range(len(lines) - len(wanted) + 1)
        if _dedented(lines[first : first + len(wanted)]) == hunk.before
    ]
    if not places:
        return None
    first = min(places, key=lambda line: abs(line - at))
    indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
    written = "\n".join(f"{indent}{line}" if line else "" for line in hunk.after.split("\n"))
    span = Span(source.line_start(first), source.line_end(first + len(wanted) - 1))
    if hunk.after:
        return Edit(span, written)
    last = first + len(wanted)
    end = source.line_start(last) if last < source.line_count else len(source.text)
    return Edit(Span(span.start, end), "")


def _added(source: Source, hunk: Hunk) -> Edit | None:
    """Return the edit that adds imports where the file has them; other lines have no place."""
    lines = [line for line in hunk.after.split("\n") if line.strip()]
    if not lines or not all(_IMPORT.match(line) for line in lines):
        return None
    have = {source.line_text(line).strip() for line in range(source.line_count)}
    missing = [line for line in lines if line not in have]
    first = next(
        (
            line
            for line in range(source.line_count)
            if _IMPORT.match(source.line_text(line)) and "__future__" not in source.line_text(line)
        ),
        None,
    )
    if not missing:
        return None
    if first is None:
        at = place_of_imports(source)
        text = "\n".join(missing)
        return None if at is None else Edit(Span(at, at), f"\n{text}" if at else f"{text}\n")
    start = source.line_start(first)
    return Edit(Span(start, start), "".join(f"{line}\n" for line in missing))
