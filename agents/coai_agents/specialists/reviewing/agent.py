"""Review a diff: what syntax and the analysis prove of it, and what a model says twice.

Silent by default: a comment is made where something shows that it is so. It is a finding on a line
that was changed, a contract that the diff breaks, or what two passes of a model agree on.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Confidence, Severity
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.specialists.answers import Origin, Place
from coai_agents.specialists.asking import NobodyError, Prompt
from coai_agents.specialists.reviewing.additions import left_behind
from coai_agents.specialists.reviewing.comments import Comment, ordered
from coai_agents.specialists.reviewing.contracts import broken_contracts
from coai_agents.specialists.reviewing.summary import summary_of
from coai_agents.specialists.untrusted import one_line
from coai_agents.specialists.words import names_in
from coai_routing.request import Capability

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.source import Source
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.reviewing.diffs import Diff, FileChange

VERSION: Final = "1"
"""Raise it when the prompt or the check changes."""

TASK: Final = (
    "You review a change of code. Below are its files, what is known of it, and its changed lines "
    "with their numbers, + for added and - for removed. Name only defects that you are sure of: "
    "wrong results, crashes, leaks. Say nothing of style, and nothing that is known already. "
    "Write one line for each, as path:line: what is wrong. If there is none, write NONE."
)
PASSES: Final = 2
MOST_BY_MODEL: Final = 5
NEAR: Final = 2
"""Lines that two passes may differ by and still mean one place."""
ALIKE: Final = 0.2
"""The share of words that two passes have to have in common for one comment."""
_COMMENT_CHARACTERS: Final = 240
_SAID: Final = re.compile(
    r"^\s*[-*]?\s*`?(?P<path>[^\s:`]+):(?P<line>\d+)(?:-\d+)?`?:?\s+(?P<text>\S.*)$"
)
_QUOTED: Final = re.compile(r"`([^`\n]+)`")
_SMALL: Final = frozenset(
    [
        "the",
        "a",
        "an",
        "of",
        "is",
        "are",
        "be",
        "to",
        "in",
        "on",
        "and",
        "or",
        "it",
        "this",
        "that",
        "not",
        "with",
        "for",
        "if",
        "when",
        "may",
    ]
)


@dataclass(frozen=True, slots=True)
class Review:
    """What a review found, and what it could not look at."""

    comments: tuple[Comment, ...]
    notes: tuple[str, ...] = ()


def facts(diff: Diff) -> Review:
    """Return what can be said of a diff without a model."""
    comments: list[Comment] = []
    notes = list(diff.notes)
    for change in diff.files:
        comments += left_behind(change)
        found, said = _findings(change)
        comments += found
        notes += said
    comments += broken_contracts(diff)
    return Review(tuple(ordered(_without_doubles(comments))), tuple(dict.fromkeys(notes)))


async def review(diff: Diff, asker: Asker) -> Review:
    """Return what can be said of a diff, with what two passes of a model agree on."""
    known = facts(diff)
    if asker.absent is not None:
        return Review(known.comments, (*known.notes, asker.absent))
    if not diff.files:
        return known
    prompt = Prompt(
        Capability.CODE_ANALYSIS,
        TASK,
        summary_of(diff, known.comments),
        max_tokens=320,
        complexity=0.7,
        paths=diff.named,
    )
    passes: list[list[Comment]] = []
    try:
        passes = [
            list(_said(said.text, said.model, diff, prompt.about))
            async for said in asker.samples(prompt, PASSES)
        ]
    except NobodyError as error:
        return Review(known.comments, (*known.notes, str(error)))
    agreed = [] if len(passes) < PASSES else _agreed(passes[0], passes[1])
    taken = {(each.path, each.line) for each in known.comments}
    fresh = [each for each in agreed if (each.path, each.line) not in taken][:MOST_BY_MODEL]
    left = sum(map(len, passes)) - len(agreed) * PASSES
    notes = list(known.notes)
    if left > 0:
        notes.append(
            f"{left} remarks of the model were left out: only one of its passes made them."
        )
    return Review(tuple(ordered([*known.comments, *fresh])), tuple(notes))


# ------------------------------------------------------------------- findings


def _findings(change: FileChange) -> tuple[list[Comment], list[str]]:
    """Return the findings on a file's changed lines that were not there before."""
    if change.after is None:
        return [], []
    source = change.source(change.after)
    now = analyse(source)
    before = Counter[tuple[str, str]]()
    if change.before is not None:
        old = change.source(change.before)
        before.update((each.rule, _line_text(old, each)) for each in analyse(old).findings)
    comments: list[Comment] = []
    for finding in now.findings:
        first, last = (source.line_at(each) + 1 for each in (finding.span.start, finding.span.end))
        touched = any(at in change.added_lines for at in range(first, last + 1))
        # Documentation becomes wrong by what changed below it.
        touched |= finding.rule == "stale-documentation" and bool(change.added or change.removed)
        touched |= any(source.line_at(e.span.start) + 1 in change.added_lines for e in finding.path)
        key = (finding.rule, _line_text(source, finding))
        if before[key] > 0:
            before[key] -= 1
            continue
        if (
            touched
            and finding.confidence is not Confidence.LOW
            and finding.severity.rank < Severity.HINT.rank
        ):
            comments.append(_of_finding(change, source, finding, first))
    notes = [f"{change.path}: {each}" for each in now.notes]
    return comments, notes


def _line_text(source: Source, finding: Finding) -> str:
    return source.line_text(source.line_at(finding.span.start)).strip()


def _of_finding(change: FileChange, source: Source, finding: Finding, line: int) -> Comment:
    way = tuple(Place(change.path, source.line_at(each.span.start) + 1) for each in finding.path)
    steps = tuple(f"{place}: {step.words}" for place, step in zip(way, finding.path, strict=True))
    return Comment(
        finding.rule,
        change.path,
        line,
        finding.message,
        finding.severity,
        steps or (f"{finding.origin} finds {finding.rule} on a line of the diff.",),
        _line_text(source, finding),
        by=finding.origin,
        places=way,
    )


def _without_doubles(comments: Sequence[Comment]) -> Iterator[Comment]:
    """Yield comments, of those of our own checks none that a finding makes at its line."""
    found = {(each.path, each.line) for each in comments if each.by}
    for each in comments:
        if (
            each.by
            or each.removed
            or (each.path, each.line) not in found
            or "-" not in each.rule
            or each.rule not in ("debug-print-added", "debugger-added", "task-added")
        ):
            yield each


# ----------------------------------------------------------------- two passes


def _said(text: str, model: str, diff: Diff, shown: str) -> Iterator[Comment]:
    """Yield what one pass says of lines that were changed, in names that it was shown."""
    files = {each.path: each for each in diff.files}
    known = names_in(shown)
    for line in text.splitlines():
        match = _SAID.match(line)
        change = None if match is None else files.get(match["path"])
        if match is None or change is None:
            continue
        at = int(match["line"])
        near = sorted(change.added_lines, key=lambda number: abs(number - at))[:1]
        if not near or abs(near[0] - at) > NEAR:
            continue
        said = one_line(match["text"], _COMMENT_CHARACTERS)
        quoted = {name for part in _QUOTED.findall(said) for name in names_in(part)}
        if not quoted <= known:
            continue
        about = next(each.text for each in change.added if each.number == near[0])
        yield Comment(
            "model",
            change.path,
            near[0],
            said,
            Severity.INFORMATION,
            ("Two passes of the model say so.",),
            about,
            origin=Origin.MODEL,
            by=model,
        )


def _agreed(first: Sequence[Comment], second: Sequence[Comment]) -> list[Comment]:
    """Return the comments of one pass that another one makes too, at its place and in its words."""
    left = list(second)
    agreed: list[Comment] = []
    for each in first:
        for other in left:
            same_place = each.path == other.path and abs(each.line - other.line) <= NEAR
            if same_place and _alike(each.text, other.text):
                agreed.append(each)
                left.remove(other)
                break
    return agreed


def _alike(one: str, other: str) -> bool:
    words = [{w.lower() for w in re.findall(r"\w+", text)} - _SMALL for text in (one, other)]
    union = words[0] | words[1]
    return bool(union) and len(words[0] & words[1]) / len(union) >= ALIKE
