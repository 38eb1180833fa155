"""Answers a question: with what the code itself says, and with a model's words, marked as such.

The facts are those of the place that the question is about and of whatever it names. They are
shown to the model too, and they are the whole answer where no model can be asked.
"""

from __future__ import annotations

import re
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.answers import Origin, Report, Section, Statement
from coai_agents.specialists.asking import Prompt
from coai_agents.specialists.explaining.facts import facts_of, place_of
from coai_agents.specialists.words import names_in, sentences, spoken
from coai_agents.syntax.definitions import outline
from coai_routing.request import Capability

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.source import Source, Span
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.targets import Located
    from coai_agents.specialists.words import Words
    from coai_agents.syntax.definitions import Definition

TASK: Final = (
    "You answer a developer's question about the code below, and nothing else. Use at most six "
    "short sentences. Write names from the code in backticks. Where the code does not tell, say "
    "that it does not."
)
MOST_TOKENS: Final = 320
MOST_SENTENCES: Final = 8
CODE_CHARACTERS: Final = 6_000
COMPLEXITY: Final = 0.4
MOST_NAMED: Final = 4
"""Definitions that a question names and whose facts are told."""

NO_FACTS: Final = (
    "Nothing that the question names is defined here: name a file, lines of it, or a function."
)

_CODE_NAME: Final = re.compile(
    r"`([^`\n]+)`|\b([A-Za-z]\w*_\w+|[a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*|\w+(?=\(\)))"
)


@dataclass(frozen=True, slots=True)
class About:
    """A part of a document that a question is about."""

    source: Source
    span: Span
    path: str
    located: Located | None = None
    """What is defined there; None where no grammar knows the language."""
    findings: Sequence[Finding] = ()


def names_asked(question: str) -> set[str]:
    """Return the words of a question that look like names of code, not of a language."""
    found = (match[1] or match[2] for match in _CODE_NAME.finditer(question))
    return {name for text in found for name in names_in(text)}


async def answering(
    question: str, about: Sequence[About], asker: Asker, remembered: Sequence[Statement] = ()
) -> AsyncGenerator[Report]:
    """Yield the facts at once, then the same with more and more of a model's answer before them.

    `remembered` is what is known of the project that the question touches.
    """
    sections = [section for each in about for section in _facts(question, each)]
    if remembered:
        sections.append(Section("Remembered of this project", tuple(remembered)))
    notes = () if sections else (NO_FACTS,)
    facts = Report("", tuple(sections), notes)
    yield facts
    async with aclosing(spoken(_prompt(question, about, remembered), asker)) as pieces:
        async for words in pieces:
            yield _answered(question, about, facts, words)


async def answer(
    question: str, about: Sequence[About], asker: Asker, remembered: Sequence[Statement] = ()
) -> Report:
    """Return the whole answer."""
    report = Report("", ())
    async with aclosing(answering(question, about, asker, remembered)) as reports:
        async for each in reports:
            report = each
    return report


def definitions_named(about: About, names: set[str]) -> list[Definition]:
    """Return what a document defines of some names."""
    known = () if about.located is None else outline(about.located.tree)
    return [each for each in known if each.name in names][:MOST_NAMED]


def _facts(question: str, about: About) -> list[Section]:
    if about.located is None:
        return []
    names = names_asked(question) or names_in(question)
    known = about.located.definitions
    more = definitions_named(about, names)
    # Who names a file and nothing in it asks about the file.
    here = [*known][: MOST_NAMED if not more and about.span.start == 0 else 1]
    here = here if len(known) == 1 or not more else []
    more = [each for each in more if each not in here]
    sections = (
        facts_of(about.located.tree, each, about.findings, about.path) for each in (*here, *more)
    )
    return [section for section in sections if section.statements]


def _prompt(question: str, about: Sequence[About], remembered: Sequence[Statement] = ()) -> Prompt:
    room = CODE_CHARACTERS // max(1, len(about))
    shown = [f"{each.path or each.source.language}:\n{_code(each)[:room]}" for each in about]
    if remembered:
        facts = "\n".join(f"- {each.text}" for each in remembered)
        shown.append(f"Known of this project:\n{facts}")
    return Prompt(
        Capability.CODE_ANALYSIS,
        TASK,
        "\n\n".join((*shown, f"Question: {question}")),
        max_tokens=MOST_TOKENS,
        complexity=COMPLEXITY,
        paths=tuple(each.path for each in about if each.path),
    )


def _code(about: About) -> str:
    return about.source.slice(about.span)


def _answered(question: str, about: Sequence[About], facts: Report, words: Words) -> Report:
    known = names_in(" ".join([question, *(each.source.text for each in about)]))
    kept, dropped = sentences(words, known if about else None, MOST_SENTENCES)
    notes = [*facts.notes, *([words.why] if words.why else [])]
    if dropped:
        notes.append(f"{dropped} of the model's sentences spoke of what is not there.")
    places = tuple(place_of(each.source, each.span, each.path) for each in about)
    said = tuple(Statement(each, Origin.MODEL, words.model, places) for each in kept)
    answered = (Section("Answer", said),) if said else ()
    return replace(facts, sections=(*answered, *facts.sections), notes=tuple(notes))
