"""`coai.review`: a function or a file is reviewed, as a report and as diagnostics of their own.

With a range, the innermost function in it is looked at as if it were new. Without one, the document
is compared with what the last commit has of it, or is new as a whole where git knows it not. The
comments stand beside the findings until the document changes: then their lines are no longer true.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from lsprotocol import types

from coai_server.lsp.features.agents.code_questions import asked_of
from coai_server.lsp.features.findings.diagnostic_items import severity_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from coai_agents.source import Source
    from coai_agents.specialists.answers import Report
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.reviewing.comments import Comment
    from coai_agents.specialists.reviewing.diffs import Diff
    from coai_server.lsp.features.agents.code_questions import Asked, CodeQuestions
    from coai_server.lsp.features.findings.diagnostics import Diagnostics
    from coai_server.lsp.server import Server

REVIEW: Final = "coai.review"
SOURCE: Final = "coai review"
"""Whose diagnostics these are."""

_HEAVY: Final = ("coai_agents.specialists.reviewing.agent", "coai_agents.specialists.shown")


class Reviews:
    """Carries the command out."""

    def __init__(self, server: Server, known: Diagnostics, questions: CodeQuestions) -> None:
        self._server = server
        self._known = known
        self._questions = questions

    async def review(self, asked: Asked) -> dict[str, Any]:
        """Review what is asked about; the answer is as that of the other commands."""
        for module in _HEAVY:
            await asyncio.to_thread(import_module, module)
        begun = await self._questions.begin(asked, "review")
        reports = self._reports(asked, begun.asker)
        return await self._questions.answered("Review", asked, reports, begun)

    async def _reports(self, asked: Asked, asker: Asker) -> AsyncGenerator[Report]:
        """Yield what is known at once, then what a model says too."""
        from coai_agents.specialists.answers import Report  # noqa: PLC0415 - see _HEAVY
        from coai_agents.specialists.reviewing.agent import facts, review  # noqa: PLC0415 - as above
        from coai_agents.specialists.reviewing.comments import report_of  # noqa: PLC0415 - as above

        diff = await asyncio.to_thread(_diff, asked)
        known = await asyncio.to_thread(facts, diff)
        self._show(asked.source, known.comments)
        yield report_of(known.comments, known.notes)
        whole = await review(diff, asker)
        self._show(asked.source, whole.comments)
        if whole.comments:
            yield report_of(whole.comments, whole.notes)
        else:
            yield Report("Review", (), ("There is nothing to say.", *whole.notes))

    def _show(self, source: Source, comments: Sequence[Comment]) -> None:
        """Show comments as diagnostics, if the document is still what was reviewed."""
        now = self._server.documents.snapshot(source.uri)
        if now is None or now.version != source.version:
            return
        items = [_diagnostic(source, each) for each in comments if not each.removed]
        self._known.beside(source, items)


def _diff(asked: Asked) -> Diff:
    """Return what is reviewed: a function as new, or what the last commit does not have."""
    from coai_agents.specialists.reviewing.diffs import (  # noqa: PLC0415 - see _HEAVY
        Diff,
        FileChange,
        Line,
        between,
    )
    from coai_agents.syntax.tree import parse  # noqa: PLC0415 - as above
    from coai_server.lsp.features.agents.documenting import function_at  # noqa: PLC0415 - as above

    source = asked.source
    if asked.ranged:
        tree = parse(source)
        function = None if tree is None else function_at(tree, asked.span.start)
        span = asked.span if function is None else function.full_span
        numbers = range(source.line_at(span.start), source.line_at(span.end) + 1)
        lines = tuple(Line(at + 1, source.line_text(at)) for at in numbers)
        return Diff((FileChange(asked.path, lines, (), None, source.text),))
    before = None if source.path is None else _committed(source.path)
    return Diff((between(asked.path, before, source.text),))


def _committed(path: Path) -> str | None:
    """Return what the last commit has of a file; None where there is none, or it has none."""
    from coai_agents.git import content_at  # noqa: PLC0415 - see _HEAVY
    from coai_agents.git_repository import GitError  # noqa: PLC0415 - as above

    try:
        content = content_at("HEAD", path)
    except GitError:
        return None
    return None if content is None else content.decode("utf-8", "replace").removeprefix("\ufeff")


def _diagnostic(source: Source, comment: Comment) -> types.Diagnostic:
    line = min(max(comment.line - 1, 0), source.line_count - 1)
    text = source.line_text(line)
    start = len(text) - len(text.lstrip())
    units = len(text.encode("utf-16-le")) // 2
    where = types.Range(types.Position(line, start), types.Position(line, units))
    said = f"{comment.text} ({comment.by}, unchecked)" if comment.rule == "model" else comment.text
    return types.Diagnostic(
        where, said, severity=severity_of(comment.severity), code=comment.rule, source=SOURCE
    )


def register(server: Server, known: Diagnostics, questions: CodeQuestions) -> None:
    """Register the command."""
    reviews = Reviews(server, known, questions)

    @server.command(REVIEW)
    async def review(*arguments: object) -> dict[str, Any]:
        return await reviews.review(asked_of(server, arguments))
