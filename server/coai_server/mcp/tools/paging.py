"""The tool that gives the further pages of a long answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from coai_server.mcp.answers import Answer
from coai_server.mcp.tools.toolbox import Toolbox, following, told


class Paging(Toolbox):
    """What is left of long answers."""

    @told
    async def read_more(
        self,
        answer: Annotated[str, Field(description="What the first page calls it, as `more`.")],
        page: Annotated[int, Field(ge=1, description="The page, counted from 1.")] = 2,
    ) -> Answer:
        """Read a further page of an answer that was too long for one."""
        found = self.shared.pages.page(answer, page)
        more = "" if found.is_last else following(answer, found.number, found.count)
        return Answer(
            text=found.text + more, more="" if found.is_last else answer, pages=found.count
        )
