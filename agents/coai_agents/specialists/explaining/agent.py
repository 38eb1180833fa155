"""Explains code: the facts first, then what a model says, as far as it holds against the code."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from coai_agents.source import Span
from coai_agents.specialists.answers import Origin, Report, Section, Statement
from coai_agents.specialists.asking import Prompt
from coai_agents.specialists.explaining.facts import facts_of, place_of
from coai_agents.specialists.words import Words, names_in, sentences, spoken
from coai_routing.request import Capability

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.source import Source
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.targets import Located
    from coai_agents.syntax.definitions import Definition

VERSION: Final = "3"
"""Raise it when the prompt changes: what was kept by another one is asked anew."""

TASK: Final = (
    "You explain code to a developer who knows the language. In at most four short sentences say "
    "what the code does, how, and what is easily missed: edge cases, side effects, what can fail. "
    "Write names from the code in backticks. Do not repeat the code and do not praise it."
)

MOST_TOKENS: Final = 160
MOST_SENTENCES: Final = 5
CODE_CHARACTERS: Final = 6_000


async def explain(
    located: Located, asker: Asker, *, findings: Sequence[Finding] = (), path: str = ""
) -> Report:
    """Return what is known of the code that is asked about, and what a model says of it."""
    report = Report("", ())
    said = spoken(prompt_of(located, path), asker)
    async with aclosing(explaining(located, said, findings=findings, path=path)) as reports:
        async for each in reports:
            report = each
    return report


async def explaining(
    located: Located,
    said: AsyncGenerator[Words],
    *,
    findings: Sequence[Finding] = (),
    path: str = "",
) -> AsyncGenerator[Report]:
    """Yield what is known at once, then the same with more and more of what a model says."""
    facts = facts_about(located, findings, path)
    yield facts
    async with aclosing(said) as pieces:
        async for words in pieces:
            yield explained(located, facts, words, path)


def facts_about(located: Located, findings: Sequence[Finding], path: str) -> Report:
    """Return what the code itself says of what is asked about."""
    sections = [facts_of(located.tree, each, findings, path) for each in located.definitions]
    return Report("", tuple(section for section in sections if section.statements))


def explained(located: Located, facts: Report, words: Words, path: str) -> Report:
    """Return facts with those of a model's words before them that hold."""
    section, dropped = checked(words, located.source, shown_of(located), path)
    notes = [words.why] if words.why else []
    if dropped:
        notes.append(f"{dropped} of the model's sentences spoke of what is not there.")
    kept = (section,) if section.statements else ()
    return replace(facts, sections=(*kept, *facts.sections), notes=tuple(notes))


def shown_of(located: Located) -> Span:
    """Return the part of the document that a model is shown."""
    return located.definitions[0].full_span if len(located.definitions) == 1 else located.span


def prompt_of(located: Located, path: str) -> Prompt:
    """Return what a model is asked about what was located."""
    if len(located.definitions) == 1:
        return prompt_for(located.source, located.definitions[0], path)
    return _prompt(located.source, located.source.slice(located.span), path)


def prompt_for(source: Source, definition: Definition, path: str) -> Prompt:
    """Return what a model is asked about a definition.

    It does not see the documentation: a reader has that already, a model repeats it and believes
    it, and what is kept of an explanation is kept by the code alone.
    """
    whole, documentation = definition.span, definition.documentation
    if documentation is None or not whole.covers(documentation):
        return _prompt(source, source.slice(whole), path)
    before = source.slice(Span(whole.start, documentation.start)).rstrip()
    after = source.slice(Span(documentation.end, whole.end))
    return _prompt(source, before + after, path)


def _prompt(source: Source, code: str, path: str) -> Prompt:
    return Prompt(
        Capability.CODE_ANALYSIS,
        TASK,
        f"{source.language}:\n{code[:CODE_CHARACTERS]}",
        max_tokens=MOST_TOKENS,
        paths=(path,) if path else (),
    )


def checked(
    words: Words, source: Source, shown: Span, path: str, *, also: str = ""
) -> tuple[Section, int]:
    """Return a model's sentences that hold, and how many were left out.

    `also` is what else was shown and may be spoken of: an error message, a trace.
    """
    where = place_of(source, shown, path)
    kept, dropped = sentences(words, names_in(source.text) | names_in(also), MOST_SENTENCES)
    said = (Statement(each, Origin.MODEL, words.model, (where,)) for each in kept)
    return Section("Explanation", tuple(said)), dropped
