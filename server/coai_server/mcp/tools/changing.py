"""Tools that propose changes: each returns a diff, and writes nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final

from mcp.server.mcpserver import Context  # noqa: TC002 - the SDK reads the annotations
from pydantic import Field

from coai_agents.analysis.run.survey import files_in
from coai_agents.application.document import document
from coai_agents.application.roots import PathError, Place
from coai_agents.source import Edit, Span
from coai_agents.specialists.documentation.agent import Documented
from coai_agents.specialists.edits import change
from coai_agents.specialists.fixing.agent import fix_findings
from coai_agents.specialists.refactoring.agent import (
    Request,
    kind_named,
    make,
    needs_model,
    summary,
)
from coai_agents.specialists.targets import TargetError, located
from coai_server.mcp.answers import Answer, Changes, changes_of
from coai_server.mcp.tools.toolbox import ModelWish, Toolbox, going_on, told

if TYPE_CHECKING:
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.targets import Target

MOST_FILES: Final = 20
"""Files of a folder that are documented in one call."""


class Changing(Toolbox):
    """What could be changed in the roots."""

    @told
    async def fix(
        self,
        *,
        ctx: Context[Any, Any],
        what: Annotated[str, Field(description="PATH, PATH:LINE or PATH:SYMBOL.")],
        model: ModelWish = True,
    ) -> Changes:
        """Propose fixes of a file's findings and errors: by rules first, then by a model, checked.

        Nothing is written.
        """
        place, target = self.roots.target(what)
        source = self.roots.source(place)
        await located(source, target)
        async with going_on(ctx, "Looking for fixes."):
            asker = await self.asker(place.root, wanted=model)
            state = await fix_findings(source, target, asker, target.file)
        notes = [*state.notes, *(f"{each.title} ({each.by})." for each in state.steps)]
        notes += [f"Left: {each}" for each in state.left.splitlines()]
        if state.after.text == state.before.text:
            return changes_of({}, notes)
        whole = change(state.before, [Edit(None, state.after.text)])
        return changes_of({place.name: whole.diff(place.name)}, notes)

    @told
    async def document(
        self,
        *,
        ctx: Context[Any, Any],
        what: Annotated[
            str, Field(description="A file or folder, or PATH:SYMBOL to document it once more.")
        ],
        model: ModelWish = True,
    ) -> Changes:
        """Propose documentation comments for functions that have none, in the file's convention.

        Nothing is written.
        """
        place, target = self.roots.target(what)
        async with going_on(ctx, "Documenting."):
            asker = await self.asker(place.root, wanted=model)
            if not place.path.is_dir():
                diff, notes = await self._documented(place, target, asker)
                return changes_of(diff, notes)
            files = sorted(await asyncio.to_thread(files_in, [place.path]))
            diffs: dict[str, str] = {}
            notes: list[str] = []
            for path in files[:MOST_FILES]:
                try:
                    one = Place(place.root, path)
                    named = replace(target, file=one.name)
                    diff, more = await self._documented(one, named, asker)
                except (PathError, TargetError) as error:
                    diff, more = {}, [str(error)]
                diffs |= diff
                notes += more
        if len(files) > MOST_FILES:
            notes.append(f"Only the first {MOST_FILES} of {len(files)} files were looked at.")
        return changes_of(diffs, notes)

    async def _documented(
        self, place: Place, target: Target, asker: Asker
    ) -> tuple[dict[str, str], list[str]]:
        source = self.roots.source(place)
        answers = await document(source, target, asker)
        if answers is None:
            return {}, [f"{place.name}: no convention is known for {source.language}."]
        made = [each for each in answers if isinstance(each, Documented)]
        notes = [
            f"{place.name}: {each.name}: {each.why}"
            for each in answers
            if not isinstance(each, Documented)
        ]
        # Why it is no model's, where one was wanted or not.
        notes += sorted({each.by for each in made if each.origin == "fact" and each.by})
        diff = change(source, [each.edit for each in made]).diff(place.name) if made else ""
        return ({place.name: diff} if diff else {}), notes

    @told
    async def refactorings(self) -> Answer:
        """List the refactorings that `refactor` can make."""
        lines = [
            f"{name}: {title}{' (a model)' if by_model else ''}\n"
            for name, title, by_model in summary()
        ]
        return Answer(text="".join(lines))

    @told
    async def refactor(
        self,
        *,
        ctx: Context[Any, Any],
        kind: Annotated[str, Field(description="The refactoring; `refactorings` lists them.")],
        what: Annotated[str, Field(description="PATH:LINE, PATH:LINE-LINE or PATH:SYMBOL.")],
        code: Annotated[str, Field(description="The code on those lines that is meant.")] = "",
        name: Annotated[str, Field(description="The name of what is made, or the new name.")] = "",
        model: ModelWish = True,
    ) -> Changes:
        """Propose a refactoring whose meaning was checked to stay. Nothing is written."""
        place, target = self.roots.target(what)
        source = self.roots.source(place)
        span = (await located(source, target)).span
        if code:
            at = source.slice(span).find(code)
            if at < 0:
                raise TargetError("That code does not stand on these lines.")
            span = Span(span.start + at, span.start + at + len(code))
        request = Request(
            kind_named(kind), source, span, name=name, lines=not code, path=place.name
        )
        async with going_on(ctx, "Refactoring."):
            asker = await self.asker(place.root, wanted=model and needs_model(request))
            made = await make(request, asker)
        notes = [f"{made.title} ({made.by}).", *filter(None, [made.note])]
        return changes_of({place.name: made.change.diff(place.name)}, notes)
