"""Tools that say what is there: findings, explanations, answers, the architecture."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from mcp.server.mcpserver import Context  # noqa: TC002 - the SDK reads the annotations
from pydantic import Field

from coai_agents.analysis.findings.findings import Confidence, Severity
from coai_agents.analysis.run.survey import files_in
from coai_agents.application.ask import about, ask, defining
from coai_agents.application.audit.auditing import audit
from coai_agents.application.audit.request import AuditRequest
from coai_agents.application.audit.wishes import wishes_for
from coai_agents.application.explain import architecture, explain
from coai_agents.application.roots import PathError, Place
from coai_agents.specialists.diagnosing.agent import diagnose
from coai_agents.specialists.diagnosing.resolving import Workspace
from coai_agents.specialists.targets import located
from coai_routing.errors import CoaiError
from coai_server.mcp.answers import Audit, Finding, Statements, statements_of
from coai_server.mcp.tools.toolbox import ModelWish, Toolbox, going_on, tell, told
from coai_server.terminal import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from coai_agents.analysis.run.survey import Audited
    from coai_agents.application.audit.auditing import AuditReport
    from coai_agents.application.audit.selection import Row
    from coai_agents.source import Source

MOST_FILES: Final = 2_000
"""Files of a root that are looked through for what a question names."""
DEAF_SECONDS: Final = 5.0
"""How long a client may take to read how far its audit is."""
MOST_REPORTS: Final = 100
"""Notifications of progress of one audit."""


class NothingKnownError(CoaiError):
    """A text is nothing that can be explained."""


class Looking(Toolbox):
    """What is there in the roots."""

    @told
    async def audit(
        self,
        *,
        ctx: Context[Any, Any],
        path: Annotated[str, Field(description="A file or folder; the root unless given.")] = ".",
        level: Annotated[
            Literal["error", "warning", "information", "hint"],
            Field(description="The least severity that counts."),
        ] = "warning",
        confidence: Annotated[
            Literal["low", "medium", "high"],
            Field(description="How sure a finding is that counts, at least."),
        ] = "low",
        since: Annotated[
            str, Field(description="A git revision: only lines changed since it count.")
        ] = "",
        offset: Annotated[int, Field(ge=0, description="Leave out so many findings.")] = 0,
        limit: Annotated[int, Field(ge=1, le=100, description="Findings at most.")] = 50,
    ) -> Audit:
        """Find bugs and vulnerabilities by static analysis: no model, nothing leaves the machine.

        Follows values from where they come in to where they do harm.
        """
        place = self.roots.place(path)
        request = AuditRequest(
            paths=(place.path,),
            level=Severity(level),
            confidence=Confidence(confidence),
            diff=since,
        )
        here = self.roots.directory

        def audited() -> AuditReport:
            return audit(request, wishes_for(request.paths, here), watched=watch.watched)

        async with self.shared.auditing:
            with _Watch(ctx) as watch:
                report = await asyncio.to_thread(audited)
        rows = report.rows[offset : offset + limit]
        found = [found_in(row, place) for row in rows]
        notes = [*report.problems]
        for each in report.audited:
            notes += [f"{_relative(each.path, place)}: {note}" for note in each.analysis.notes]
        if more := len(report.rows) - offset - len(rows):
            notes.append(f"{more} more findings: ask with offset {offset + len(rows)}.")
        counted = f"{len(report.audited)} files, {len(report.rows)} findings\n"
        lines = [finding_line(each) for each in found]
        said = [f"Note: {one_line(note)}\n" for note in notes]
        return Audit(
            text="".join([counted, *lines, *said]),
            notes=notes,
            findings=found,
            total=len(report.rows),
            files=len(report.audited),
        )

    @told
    async def explain(
        self,
        *,
        ctx: Context[Any, Any],
        what: Annotated[
            str,
            Field(description="PATH, PATH:LINE, PATH:LINE-LINE or PATH:SYMBOL; empty for a trace."),
        ] = "",
        trace: Annotated[
            str, Field(description="Instead: a traceback, or the output of a compiler or a test.")
        ] = "",
        model: ModelWish = True,
    ) -> Statements:
        """Explain code and what was found in it, or why a program failed, with the lines to see."""
        async with going_on(ctx, "Explaining."):
            if not what:
                return await self._diagnose(trace, model=model)
            place, target = self.roots.target(what)
            source = self.roots.source(place)
            await located(source, target)
            asker = await self.asker(place.root, wanted=model)
            return statements_of(await explain(source, target, asker))

    async def _diagnose(self, trace: str, *, model: bool) -> Statements:
        root = self.roots.folders[0]
        asker = await self.asker(root, wanted=model)
        report = await diagnose(trace, Workspace(root), asker)
        if report is None:
            raise NothingKnownError(
                "Nothing in it is a trace or a diagnostic that is known here.",
                remedy="Give `what`, or the whole output as `trace`.",
            )
        return statements_of(report)

    @told
    async def ask(
        self,
        *,
        ctx: Context[Any, Any],
        question: str,
        path: Annotated[
            str, Field(description="PATH, PATH:LINE-LINE or PATH:SYMBOL it is about; else all.")
        ] = "",
        model: ModelWish = True,
    ) -> Statements:
        """Answer a question about code: facts with their places, and a model's words, marked."""
        async with going_on(ctx, "Looking for an answer."):
            if path:
                place, target = self.roots.target(path)
                source, root = self.roots.source(place), place.root
                concerned = [await asyncio.to_thread(about, source, target)]
            else:
                root = self.roots.folders[0]
                concerned = await asyncio.to_thread(lambda: defining(question, self._sources(root)))
            asker = await self.asker(root, wanted=model)
            return statements_of(await ask(question, concerned, asker))

    @told
    async def architecture(
        self,
        *,
        ctx: Context[Any, Any],
        path: Annotated[str, Field(description="A folder; the root unless given.")] = ".",
    ) -> Statements:
        """Show a folder's modules, import cycles, layers, hubs and hot spots; facts alone."""
        place = self.roots.place(path)
        if not place.path.is_dir():
            raise PathError(f"{place.name} is no folder.")

        def seen() -> Statements:
            sources = [source for _, source in self._sources(place.root, place.path, None)]
            return statements_of(architecture(place.path, sources).report())

        async with going_on(ctx, "Reading the folder."):
            return await asyncio.to_thread(seen)

    def _sources(
        self, root: Path, folder: Path | None = None, most: int | None = MOST_FILES
    ) -> Iterator[tuple[str, Source]]:
        """Yield the files of a folder that can be read, and their names."""
        for path in sorted(files_in([folder or root]))[:most]:
            place = Place(root, path)
            try:
                yield place.name, self.roots.source(place)
            except PathError:
                continue


class _Watch:
    """Tells a client how far an audit is, and ends it when the client does not want it any more."""

    def __init__(self, ctx: Context[Any, Any]) -> None:
        self._ctx = ctx
        self._loop = asyncio.get_running_loop()
        self._left = threading.Event()
        self._deaf = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()

    def watched(self, audited: Iterable[Audited], total: int) -> Iterator[Audited]:
        """Yield files as they come; called in the thread that looks at them."""
        step = max(1, total // MOST_REPORTS)
        for count, each in enumerate(audited, 1):
            if self._left.is_set():
                return
            if count % step == 0 or count == total:
                self._tell(count, total)
            yield each

    def _tell(self, count: int, total: int) -> None:
        if self._deaf:
            return
        telling = tell(self._ctx, count, total, f"{count} of {total} files")
        told = asyncio.run_coroutine_threadsafe(telling, self._loop)
        try:
            told.result(DEAF_SECONDS)
        except TimeoutError:
            # It reads nothing. Others wait for this audit, so it goes on without telling.
            self._deaf = True
            told.cancel()


def found_in(row: Row, place: Place) -> Finding:
    """Return a finding, its path relative to the root."""
    known = row.as_json()
    path = row.source.path
    name = known["path"] if path is None else _relative(path, place)
    return Finding.model_validate({**known, "path": name})


def finding_line(each: Finding) -> str:
    """Return a finding as a line of text."""
    return (
        f"{one_line(each.path)}:{each.line}:{each.column}: {each.severity} {each.rule} "
        f"({each.confidence} confidence): {one_line(each.message)}\n"
    )


def _relative(path: Path, place: Place) -> str:
    return path.relative_to(place.root).as_posix() if path.is_relative_to(place.root) else str(path)
