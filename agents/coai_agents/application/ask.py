"""Questions about code: a question and what it is about in, facts and a model's words out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.application.analyse import analyse
from coai_agents.source import Span
from coai_agents.specialists.answering import agent
from coai_agents.specialists.answering.agent import About
from coai_agents.specialists.targets import Target, locate
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from coai_agents.source import Source
    from coai_agents.specialists.answers import Report, Statement
    from coai_agents.specialists.asking import Asker

MOST_ABOUT: Final = 3
"""Files that define what a question names, and are part of its answer."""


async def ask(
    question: str, about: Sequence[About], asker: Asker, remembered: Sequence[Statement] = ()
) -> Report:
    """Return an answer: facts from the code, and a model's words, marked.

    `remembered` is what is known of the project that the question touches.
    """
    return await agent.answer(question, about, asker, remembered)


def about(source: Source, target: Target) -> About:
    """Return a place of a document as what a question is about; raises `TargetError`.

    A file of any kind can be asked about: where no grammar knows it, only facts are wanting.
    """
    if parse(source) is None:
        return About(source, Span(0, len(source.text)), target.file)
    located = locate(source, target)
    return About(source, located.span, target.file, located, analyse(source).findings)


def defining(question: str, sources: Iterable[tuple[str, Source]]) -> list[About]:
    """Return the places that define what a question names; `sources` with what they are called.

    No more sources are taken than that needs, and none where the question names nothing.
    """
    names = agent.names_asked(question)
    found: list[About] = []
    for name, source in sources if names else ():
        if not any(each in source.text for each in names) or parse(source) is None:
            continue
        located = locate(source, Target(name))
        whole = About(source, located.span, name, located)
        if defined := agent.definitions_named(whole, names):
            found.append(About(source, defined[0].full_span, name, located))
        if len(found) == MOST_ABOUT:
            break
    return found
