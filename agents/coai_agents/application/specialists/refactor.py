"""Refactorings: a kind and what is selected in, a checked change out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.source import Span
from coai_agents.specialists.refactoring import agent
from coai_agents.specialists.refactoring.agent import Made, Request
from coai_agents.specialists.refactoring.site import RefusalError
from coai_agents.specialists.targets import TargetError, locate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.source import Source
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.targets import Target

__all__ = [
    "Made",
    "RefusalError",
    "Request",
    "kinds",
    "needs_model",
    "refactor",
    "selected",
    "selected_exactly",
]


def kinds() -> Iterator[tuple[str, str, bool]]:
    """Yield each refactoring's name and title, and whether a model has a part in it."""
    return agent.summary()


def selected(
    source: Source,
    target: Target,
    kind: str,
    *,
    code: str | None = None,
    name: str = "",
    every: bool = False,
) -> Request:
    """Return what is to be refactored: the lines or the symbol of a target, or `code` on them.

    `name` is that of what is made, or the new one; `every` extracts all equal places. Raises
    `TargetError` where nothing is there, `RefusalError` where no refactoring is called so.
    """
    span = locate(source, target).span
    if code is not None:
        at = source.slice(span).find(code)
        if at < 0:
            raise TargetError("That code does not stand on these lines.")
        span = Span(span.start + at, span.start + at + len(code))
    return Request(
        agent.kind_named(kind),
        source,
        span,
        name=name,
        lines=code is None,
        every=every,
        path=target.file,
    )


def selected_exactly(
    source: Source, span: Span, kind: str, *, name: str = "", every: bool = False, path: str = ""
) -> Request:
    """Return what is to be refactored where it is known to the character."""
    return Request(agent.kind_named(kind), source, span, name=name, every=every, path=path)


def needs_model(request: Request) -> bool:
    """Say whether a model is asked at all: most refactorings are made by syntax."""
    return agent.needs_model(request)


async def refactor(request: Request, asker: Asker) -> Made:
    """Return the change, whose meaning was checked to stay; raises `RefusalError`."""
    return await agent.make(request, asker)
