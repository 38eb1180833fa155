"""Explains code: the facts first, then what a model says, as far as it holds against the code.

The check: every name that a sentence puts in backticks has to be in the code that was shown. A
sentence that speaks of a name that is not there is left out, and it is said how many were.
"""

from __future__ import annotations

import re
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.answers import Origin, Report, Section, Statement
from coai_agents.specialists.asking import NobodyError, Prompt
from coai_agents.specialists.explaining.facts import facts_of, place_of
from coai_agents.specialists.untrusted import one_line
from coai_routing.request import Capability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.source import Source, Span
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.targets import Located

VERSION: Final = "1"
"""Raise it when the prompt or the check changes: what was kept by another one is asked anew."""

TASK: Final = (
    "You explain code to a developer who knows the language. In at most five short sentences say "
    "what the code does, how, and what is easily missed: edge cases, side effects, what can fail. "
    "Write names from the code in backticks. Do not repeat the code and do not praise it."
)

MOST_TOKENS: Final = 220
MOST_SENTENCES: Final = 6
CODE_CHARACTERS: Final = 6_000
SENTENCE_CHARACTERS: Final = 320

_QUOTED: Final = re.compile(r"`([^`\n]+)`")
_NAME: Final = re.compile(r"[^\W\d]\w*")
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z`])|\n+")
_LIST: Final = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+")
_FENCE: Final = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)


async def explain(
    located: Located, asker: Asker, *, findings: Sequence[Finding] = (), path: str = ""
) -> Report:
    """Return what is known of the code that is asked about, and what a model says of it."""
    source = located.source
    sections = [facts_of(located.tree, each, findings, path) for each in located.definitions]
    shown = located.definitions[0].full_span if len(located.definitions) == 1 else located.span
    report = Report("", tuple(section for section in sections if section.statements))
    if asker.absent is not None:
        return replace(report, notes=(asker.absent,))
    text, model, notes = "", "", list[str]()
    try:
        async with aclosing(asker.stream(prompt_for(source, shown, path))) as pieces:
            async for piece in pieces:
                text, model = text + piece.text, piece.model or model
    except NobodyError as error:
        # On a busy machine some sentences are better than none; the last one may be half of one.
        text = "\n".join(_SENTENCE.split(text)[:-1])
        notes.append(str(error))
    section, dropped = checked(text, source, shown, model, path)
    if dropped:
        notes.append(f"{dropped} of the model's sentences spoke of what is not there.")
    kept = (section,) if section.statements else ()
    return Report("", (*kept, *report.sections), tuple(notes))


def prompt_for(source: Source, shown: Span, path: str) -> Prompt:
    """Return what a model is asked about a part of a document."""
    code = source.slice(shown)[:CODE_CHARACTERS]
    return Prompt(
        Capability.CODE_ANALYSIS,
        TASK,
        f"{source.language}:\n{code}",
        max_tokens=MOST_TOKENS,
        paths=(path,) if path else (),
    )


def checked(text: str, source: Source, shown: Span, model: str, path: str) -> tuple[Section, int]:
    """Return a model's sentences that hold, and how many were left out."""
    known = set(_NAME.findall(source.text))
    where = place_of(source, shown, path)
    kept: list[Statement] = []
    dropped = 0
    for raw in _SENTENCE.split(_FENCE.sub("", text)):
        sentence = one_line(_LIST.sub("", raw), SENTENCE_CHARACTERS)
        if not _NAME.search(sentence):
            continue
        quoted = {name for part in _QUOTED.findall(sentence) for name in _NAME.findall(part)}
        if quoted <= known:
            kept.append(Statement(sentence, Origin.MODEL, model, (where,)))
        else:
            dropped += 1
    return Section("Explanation", tuple(kept[:MOST_SENTENCES])), dropped
