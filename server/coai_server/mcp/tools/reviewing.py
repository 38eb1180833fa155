"""The tool that reviews a change."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated, Any

from mcp.server.mcpserver import Context  # noqa: TC002 - the SDK reads the annotations
from pydantic import Field

from coai_agents.application.review import changed_since, root_of, written
from coai_agents.specialists.reviewing.agent import facts, review
from coai_agents.specialists.reviewing.comments import report_of
from coai_server.mcp.answers import Comment, Review
from coai_server.mcp.tools.toolbox import ModelWish, Toolbox, going_on, told


class Reviewing(Toolbox):
    """What can be said of changes in the roots."""

    @told
    async def review(
        self,
        *,
        ctx: Context[Any, Any],
        path: Annotated[str, Field(description="A file or folder; the root unless given.")] = ".",
        since: Annotated[str, Field(description="The git revision to compare with.")] = "HEAD",
        diff: Annotated[
            str, Field(description="Instead: a unified diff, its names relative to `path`.")
        ] = "",
        model: ModelWish = True,
    ) -> Review:
        """Review a change: the working tree's since a revision, or a given diff.

        A comment rests on a finding on a changed line, a contract that the diff breaks, or two
        passes of a model that agree.
        """
        place = self.roots.place(path)
        folder = root_of(place.path)
        async with going_on(ctx, "Reviewing."):
            changes = await asyncio.to_thread(
                lambda: written(diff, folder) if diff else changed_since(place.path, since)
            )
            named = replace(changes, folder=folder.relative_to(place.root).as_posix())
            asker = await self.asker(place.root, wanted=model and bool(changes.files))
            found = await review(named, asker) if model else await asyncio.to_thread(facts, named)
        text = report_of(found.comments, found.notes).as_text()
        return Review(
            text=text if found.comments else f"No comments.\n{text}",
            notes=list(found.notes),
            comments=[Comment.model_validate(each.as_json()) for each in found.comments],
        )
