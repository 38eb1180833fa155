"""Tools about a folder's security beside its findings; none of them asks a model."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver import Context  # noqa: TC002 - the SDK reads the annotations
from pydantic import Field

from coai_agents.application.security import compliance_of, threats_in, vulnerable_in
from coai_agents.specialists.security.threats.drawing import as_markdown
from coai_server.mcp.answers import Compliance, Threats, Vulnerabilities
from coai_server.mcp.tools.toolbox import Toolbox, going_on, told
from coai_server.terminal import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_agents.application.roots import Place
    from coai_agents.specialists.security.advisories.matching import Vulnerable

Folder = Annotated[str, Field(description="A file or folder; the root unless given.")]


class Securing(Toolbox):
    """What can be said of the roots' security."""

    @told
    async def vulns(self, *, ctx: Context[Any, Any], path: Folder = ".") -> Vulnerabilities:
        """Find dependencies with known vulnerabilities, by manifests and lock files.

        The database lies on this machine (`coai vulns update`); nothing is installed or sent.
        """
        place = self.roots.place(path)
        async with going_on(ctx, "Matching dependencies."):
            matched = await asyncio.to_thread(vulnerable_in, [place.path])
        named = _named(place)
        rows = [
            (hit, hit.as_json(named(Path(name)), *matched.place(name, hit)))
            for name, hit in matched.hits
        ]
        notes = [one_line(each) for each in dict.fromkeys(matched.found.notes)]
        counted = f"{len(matched.found.packages)} packages in {matched.found.files} files"
        lines = [f"{counted}: {len(rows)} vulnerable\n" if rows else f"{counted}: nothing known\n"]
        lines += [_line(hit, row) for hit, row in rows]
        lines += [f"Note: {note}\n" for note in notes]
        return Vulnerabilities(
            text="".join(lines),
            notes=notes,
            vulnerable=[row for _, row in rows],
            packages=len(matched.found.packages),
        )

    @told
    async def threats(self, *, ctx: Context[Any, Any], path: Folder = ".") -> Threats:
        """Show who can reach what: entry points, assets, trust boundaries, flows, and STRIDE.

        All of it is what the flow engine saw.
        """
        place = self.roots.place(path)
        async with going_on(ctx, "Following values."):
            model, _ = await asyncio.to_thread(threats_in, place.path, _named(place))
        return Threats(text=as_markdown(model), notes=list(model.notes), open=bool(model.open))

    @told
    async def compliance(
        self,
        *,
        ctx: Context[Any, Any],
        path: Folder = ".",
        standards: Annotated[
            list[str], Field(description="Such as asvs-5; all that are known unless given.")
        ] = [],  # noqa: B006 - the SDK makes a schema of it, and nothing changes it
    ) -> Compliance:
        """Show what breaks the controls of OWASP's Top 10, ASVS, SOC 2 and PCI DSS.

        Each control says what was found, and what a static look cannot tell.
        """
        place = self.roots.place(path)
        async with going_on(ctx, "Looking at controls."):
            view, _ = await asyncio.to_thread(compliance_of, place.path, standards, _named(place))
        return Compliance(
            text=view.as_markdown(),
            notes=list(view.notes),
            standards=view.as_json()["standards"],
            broken=bool(view.broken),
        )


def _named(place: Place) -> Callable[[Path], str]:
    """Return how paths are shown: relative to the root."""

    def named(path: Path) -> str:
        inside = path.is_relative_to(place.root)
        return (path.relative_to(place.root) if inside else path).as_posix()

    return named


def _line(hit: Vulnerable, row: dict[str, Any]) -> str:
    known = ", ".join(each.id for each in hit.vulnerabilities)
    place = f"{one_line(row['path'])}:{row['line']}:{row['column']}"
    return f"{place}: {hit.level} {one_line(hit.sentence)} ({one_line(known)})\n"
