"""The tool that reviews a change."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from coai_agents.application.review import changed_since, root_of, written
from coai_agents.specialists.reviewing.agent import facts, review
from coai_agents.specialists.reviewing.comments import report_of
from coai_server.mcp.answers import Comment, Review, told
from coai_server.mcp.tools.looking import ModelWish  # noqa: TC001 - the SDK reads the annotations

if TYPE_CHECKING:
    from coai_agents.application.roots import Roots
    from coai_agents.application.shared_models import Models


@dataclass(frozen=True)
class Reviewing:
    """What can be said of changes in the roots."""

    roots: Roots
    models: Models

    @told
    async def review(
        self,
        path: Annotated[str, Field(description="A file or folder; the root unless given.")] = ".",
        since: Annotated[str, Field(description="The git revision to compare with.")] = "HEAD",
        diff: Annotated[
            str, Field(description="Instead: a unified diff, its names relative to `path`.")
        ] = "",
        *,
        model: ModelWish = True,
    ) -> Review:
        """Review a change: the working tree's since a revision, or a given diff.

        A comment rests on a finding on a changed line, a contract that the diff breaks, or two
        passes of a model that agree.
        """
        place = self.roots.place(path)
        folder = root_of(place.path)
        changes = await asyncio.to_thread(
            lambda: written(diff, folder) if diff else changed_since(place.path, since)
        )
        named = replace(changes, folder=folder.relative_to(place.root).as_posix())
        asker = await self.models.asker(place.root, wanted=model and bool(changes.files))
        found = await review(named, asker) if model else facts(named)
        text = report_of(found.comments, found.notes).as_text()
        return Review(
            text=text if found.comments else f"No comments.\n{text}",
            notes=list(found.notes),
            comments=[Comment.model_validate(each.as_json()) for each in found.comments],
        )
