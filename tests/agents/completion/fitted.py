"""What the tests of fitting share: an answer that streams into a place of a document."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from coai_agents.completion.cursor import Cursor
from coai_agents.completion.in_flight import InFlightCompletion
from coai_agents.completion.outcome import Reason
from coai_agents.completion.stop.cleaning import clean
from coai_agents.completion.stop.structure import SyntaxTrees
from coai_agents.source import Source
from coai_routing.request import Delta

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

MARK = "¦"


def fitted(
    says: str, marked: str, language: str = "python", *, piece: int = 3, single_line: bool = False
) -> str | Reason:
    """Return what is shown at the mark when a model says something, so many characters a piece."""
    before, _, after = marked.partition(MARK)
    source = Source("file:///case", before + after, language)
    cursor = Cursor.at(source, len(before))
    trees = SyntaxTrees()
    in_flight = InFlightCompletion(cursor, single_line=single_line, patient=True)
    in_flight.look = lambda: trees.ground(source, cursor)

    async def stream() -> AsyncGenerator[Delta]:
        for start in range(0, len(says), piece):
            yield Delta(text=says[start : start + piece])

    asyncio.run(in_flight.receive(stream(), None))
    assert in_flight.extent is not None
    return clean(in_flight.text, in_flight.extent, cursor, in_flight.ground, ())


def shown(says: str, marked: str, language: str = "python", *, piece: int = 3) -> str:
    """Return the document with what is shown, or as it is if that is nothing."""
    answer = fitted(says, marked, language, piece=piece)
    return marked.replace(MARK, "" if isinstance(answer, Reason) else answer)
