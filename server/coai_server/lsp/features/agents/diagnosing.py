"""Diagnostics of any server: explained, and fixed where a fix passes the checks.

A request for code actions carries the diagnostics of all servers at the cursor, each with a message
that is data here. What solved such a problem before, or what is known of the error, is made and
checked before it is offered; a model's fix is made and checked when the user has chosen it, for the
version that it was offered for. An explanation is a command, which answers as `coai.explain` does.
"""

from __future__ import annotations

import asyncio
import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

from lsprotocol import types

from coai_agents.source import Span
from coai_routing.errors import CoaiError
from coai_server.lsp.features.agents.code_questions import AskedWronglyError, asked_of
from coai_server.lsp.features.agents.reviewing import SOURCE as REVIEW
from coai_server.lsp.features.findings.diagnostic_items import INCOMPLETE, SOURCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.application.specialists.remember import FolderMemory
    from coai_agents.source import Edit, Source
    from coai_agents.specialists.diagnosing.diagnostics import Diagnostic
    from coai_agents.specialists.fixing.candidates import Candidate
    from coai_server.lsp.features.agents.code_questions import CodeQuestions
    from coai_server.lsp.features.findings.diagnostics import Diagnostics
    from coai_server.lsp.server import Server

logger = logging.getLogger(__name__)

AGENT: Final = "diagnose"
"""What tells these actions from others in `data`."""

EXPLAIN: Final = "coai.explainDiagnostic"
MOST: Final = 5
"""Diagnostics at one place that are looked at; some servers report a fault five times."""

_QUICK: Final = types.CodeActionKind.QuickFix
_HEAVY: Final = (
    "coai_agents.specialists.diagnosing.diagnostics",
    "coai_agents.application.specialists.remember",
)


class Diagnosing:
    """Offers what can be done about diagnostics."""

    def __init__(self, server: Server, known: Diagnostics) -> None:
        self._server = server
        self._known = known

    async def offered(
        self,
        source: Source,
        diagnostics: Sequence[types.Diagnostic],
        span_of: Callable[[types.Range], Span],
        make: Callable[..., types.CodeAction],
        fixed: frozenset[tuple[str, Span]] = frozenset(),
    ) -> list[types.CodeAction]:
        """Return the actions for diagnostics; raises `AnalysisError`.

        `fixed` are our own findings, by rule and place, that a fixer has a fix for.
        """
        about = [each for each in diagnostics if each.code != INCOMPLETE][:MOST]
        if not about:
            return []
        for module in _HEAVY:
            await asyncio.to_thread(import_module, module)
        memory = await self._server.services.learned.memory(source)
        actions: list[types.CodeAction] = []
        offered: set[tuple[Edit, ...]] = set()
        for each in about:
            diagnostic = _diagnostic(each, span_of(each.range))
            for candidate in await self._fixes(source, diagnostic, memory):
                if candidate.edits in offered:
                    continue
                offered.add(candidate.edits)
                data = _data(diagnostic, candidate.title)
                action = make(_title(candidate), _QUICK, data=data)
                if action.data is None:
                    action = make(_title(candidate), _QUICK, data=data, edits=candidate.edits)
                action.diagnostics = [each]
                actions.append(action)
            ours = self._finding(source, diagnostic) if each.source == SOURCE else None
            repairable = ours is not None and (ours.rule, ours.span) not in fixed
            if repairable or each.source not in (SOURCE, REVIEW):
                actions += _by_model(each, diagnostic, make)
            actions.append(_explained(source, each, diagnostic))
        return actions

    def _finding(self, source: Source, diagnostic: Diagnostic) -> Finding | None:
        """Return the weakness of our own that a diagnostic shows."""
        analysis = self._known.analyses.of(source)
        return next(
            (
                each
                for each in (() if analysis is None else analysis.findings)
                if each.cwe and (each.rule, each.span) == (diagnostic.code, diagnostic.span)
            ),
            None,
        )

    async def _fixes(
        self, source: Source, diagnostic: Diagnostic, memory: FolderMemory | None
    ) -> list[Candidate]:
        from coai_agents.specialists.diagnosing.diagnostics import checked, proposed  # noqa: PLC0415 - see _HEAVY
        from coai_agents.specialists.fixing.agent import nothing  # noqa: PLC0415 - as above

        path = self._server.documents.path_in_folder(source.uri)
        recall = nothing if memory is None else memory.recall
        try:
            found = await asyncio.to_thread(proposed, source, diagnostic, path, recall)
        except CoaiError as error:
            # A memory that cannot be read takes nothing else away.
            logger.warning("%s", error)
            found = await asyncio.to_thread(proposed, source, diagnostic, path, nothing)
        return await checked(source, found, self._known.analyses.worker.harmless)

    async def resolved(self, source: Source, asked: dict[str, Any]) -> tuple[Sequence[Edit], bool]:
        """Return the edits of a chosen action, and whether a model made them; none if it is gone.

        Raises `NobodyError` with what is wrong with a model's answers.
        """
        for module in _HEAVY:
            await asyncio.to_thread(import_module, module)
        from coai_agents.specialists.diagnosing.diagnostics import (  # noqa: PLC0415 - see _HEAVY
            Diagnostic,
            by_model,
        )

        start, end = (int(each) for each in asked["span"])
        named = (str(asked.get(key, "")) for key in ("message", "code", "server"))
        message, code, server = named
        diagnostic = Diagnostic(message, Span(start, end), code, server)
        learned = self._server.services.learned
        if not asked.get("model"):
            fixes = await self._fixes(source, diagnostic, await learned.memory(source))
            chosen = next((each for each in fixes if each.title == asked.get("title")), None)
        else:
            answering = learned.answering(source.uri, AGENT)
            asker, _ = await self._server.services.specialists.asker(source)
            path, worker = (
                self._server.documents.path_in_folder(source.uri),
                self._known.analyses.worker,
            )
            finding = self._finding(source, diagnostic) if server == SOURCE else None
            asker = asker.metered(answering.meter)
            if finding is not None:
                from coai_agents.specialists.security.repairing import repaired  # noqa: PLC0415 - not before it is chosen

                chosen = await repaired(source, finding, path, asker, worker.solves)
            else:
                chosen = await by_model(source, diagnostic, path, asker, worker.harmless)
            await learned.answered(answering, answered=True)
        if chosen is None:
            return (), False
        self._follow(source, diagnostic, chosen)
        return chosen.edits, chosen.from_model

    def _follow(self, source: Source, diagnostic: Diagnostic, chosen: Candidate) -> None:
        """See what becomes of a change, to remember what solved the problem."""
        from coai_agents.specialists.diagnosing.diagnostics import problem_of  # noqa: PLC0415 - see _HEAVY

        path = self._server.documents.path_in_folder(source.uri)
        problem = problem_of(source, diagnostic, path)
        changes = self._server.services.learned.changes
        changes.offer(
            source, chosen.edits, AGENT, by=chosen.by, from_model=chosen.from_model, problem=problem
        )


def _title(candidate: Candidate) -> str:
    """Return what an action is called; one from the memory says what it stands on."""
    from coai_agents.specialists.untrusted import one_line  # noqa: PLC0415 - see _HEAVY

    proof = candidate.by.partition("memory: ")[2]
    return one_line(f"{candidate.title} ({proof})" if proof else candidate.title, 200)


def _by_model(
    shown: types.Diagnostic, diagnostic: Diagnostic, make: Callable[..., types.CodeAction]
) -> Iterator[types.CodeAction]:
    """Yield what a model is asked for only if the user wants it, where the client can wait."""
    data = _data(diagnostic, f"Fix with a model: {diagnostic.title}", model=True)
    action = make(data["title"], _QUICK, data=data)
    if action.data is not None:
        action.diagnostics = [shown]
        yield action


def _explained(source: Source, shown: types.Diagnostic, diagnostic: Diagnostic) -> types.CodeAction:
    """Return the command that explains a diagnostic."""
    title = f"Explain: {diagnostic.title}"
    asked = {
        "uri": source.uri,
        "range": {
            side: {"line": at.line, "character": at.character}
            for side, at in (("start", shown.range.start), ("end", shown.range.end))
        },
        "diagnostic": {
            "message": diagnostic.message,
            "code": diagnostic.code,
            "source": diagnostic.server,
        },
    }
    return types.CodeAction(
        title=title,
        # No kind: it fixes nothing.
        diagnostics=[shown],
        command=types.Command(title=title, command=EXPLAIN, arguments=[asked]),
    )


def _data(diagnostic: Diagnostic, title: str, *, model: bool = False) -> dict[str, Any]:
    return {
        "agent": AGENT,
        "message": diagnostic.message,
        "code": diagnostic.code,
        "server": diagnostic.server,
        "span": [diagnostic.span.start, diagnostic.span.end],
        "title": title,
        "model": model,
    }


def _diagnostic(shown: types.Diagnostic, span: Span) -> Diagnostic:
    from coai_agents.specialists.diagnosing.diagnostics import (  # noqa: PLC0415 - see _HEAVY
        MOST_CHARACTERS,
        Diagnostic,
    )

    code = "" if shown.code is None else str(shown.code)
    return Diagnostic(shown.message[:MOST_CHARACTERS], span, code, shown.source or "")


def register(server: Server, known: Diagnostics, questions: CodeQuestions) -> Diagnosing:
    """Register the command that explains a diagnostic; return what offers actions."""

    @server.command(EXPLAIN)
    async def explain(*arguments: object) -> dict[str, Any]:
        asked = asked_of(server, arguments)
        given = cast("dict[str, Any]", arguments[0]).get("diagnostic")
        said = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
        if not str(said.get("message", "")).strip():
            raise AskedWronglyError("There is no diagnostic.")
        await asyncio.to_thread(import_module, "coai_agents.application.specialists.diagnose")
        from coai_agents.application.specialists.diagnose import explain_diagnostic  # noqa: PLC0415 - as above
        from coai_agents.specialists.diagnosing.diagnostics import Diagnostic  # noqa: PLC0415 - as above

        message, code, by = (str(said.get(key) or "") for key in ("message", "code", "source"))
        diagnostic = Diagnostic(message, asked.span, code, by)
        analysis = known.analyses.of(asked.source)
        begun = await questions.begin(asked, AGENT)
        reports = explain_diagnostic(
            asked.source, diagnostic, asked.path, begun.asker, analysis=analysis
        )
        title = f"Explanation: {diagnostic.title}"
        return await questions.answered(title, asked, reports, begun)

    return Diagnosing(server, known)
