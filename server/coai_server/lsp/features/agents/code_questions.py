"""`coai.explain`, `coai.document` and `coai.ask`: asked for by the user, with progress and a stop.

Each takes one object: `uri`, optionally `range`, for a question `question`, and `document` where
the client shows the answer itself. The answer is Markdown, `{"markdown": ..., "document": ...}`;
where the client can show virtual documents it is streamed into one meanwhile. What is stopped is
answered with what there is.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from lsprotocol import types

from coai_agents.source import Position, Span
from coai_routing.errors import CoaiError
from coai_server.lsp.features.action_client import Client, workspace_edit
from coai_server.lsp.features.agents import answer_documents, documenting
from coai_server.lsp.features.agents.hover_explanation import meaning_of
from coai_server.lsp.features.work_progress import open_bar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.source import Source
    from coai_agents.specialists.answers import Report, Statement
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.targets import Located
    from coai_server.daemon.learned import Answering
    from coai_server.lsp.features.agents.answer_documents import AnswerDocuments
    from coai_server.lsp.features.findings.diagnostics import Diagnostics
    from coai_server.lsp.server import Server

EXPLAIN: Final = "coai.explain"
DOCUMENT: Final = "coai.document"
ASK: Final = "coai.ask"

STOPPED: Final = "It was stopped before the end."
APPLY_SECONDS: Final = 60.0
"""How long a client may take to apply an edit: it may ask its user first."""

_TEAM: Final = "coai_agents.application.specialists.team"
_HEAVY: Final = (
    "coai_agents.specialists.explaining.agent",
    "coai_agents.specialists.shown",
)


class AskedWronglyError(CoaiError):
    """What a command is asked about is not there."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command was given."""

    source: Source
    span: Span
    path: str
    """The document's, relative to its folder."""
    question: str = ""
    document: str = ""
    """Where the client wants the answer."""
    ranged: bool = False
    """Whether a range was named."""


@dataclass(frozen=True, slots=True)
class Begun:
    """An answer that is being given, and whom its specialist may ask."""

    asker: Asker
    sensitive: bool
    """Whether anything in the document is."""
    answering: Answering


class CodeQuestions:
    """Carries the commands out."""

    def __init__(self, server: Server, known: Diagnostics, answers: AnswerDocuments) -> None:
        self._server = server
        self._known = known
        self._answers = answers

    async def explain(self, asked: Asked) -> dict[str, Any]:
        """Explain the function, class or lines that are asked about."""
        await _imported()
        from coai_agents.specialists.explaining.agent import (  # noqa: PLC0415 - see _imported
            explaining,
            prompt_of,
        )
        from coai_agents.specialists.words import spoken  # noqa: PLC0415 - as above

        located = await _located(asked)
        if located is None:
            raise AskedWronglyError("Nothing is known of this document's language.")
        begun = await self.begin(asked, "explain")
        prompt = prompt_of(located, asked.path)
        name, said = "code", spoken(prompt, begun.asker)
        if len(located.definitions) == 1:
            (definition,) = located.definitions
            name = definition.name
            key = f"{meaning_of(self._server, located.tree, definition)}-full"
            kept = await self._server.services.specialists.explanations()
            said = kept.spoken(key, prompt, begun.asker, sensitive=begun.sensitive)
        findings = self._findings(asked.source)
        reports = explaining(located, said, findings=findings, path=asked.path)
        return await self.answered(f"Explanation of {name}", asked, reports, begun)

    async def ask(self, asked: Asked) -> dict[str, Any]:
        """Answer a question about a selection, or about the function at the cursor."""
        for module in (*_HEAVY, _TEAM):
            await asyncio.to_thread(import_module, module)
        from coai_agents.application.specialists.team import (  # noqa: PLC0415 - see _imported
            Asked as Wanted,
        )
        from coai_agents.application.specialists.team import (  # noqa: PLC0415 - as above
            asking_whoever_knows,
        )
        from coai_agents.specialists.answering.agent import About  # noqa: PLC0415 - as above

        if not asked.question.strip():
            raise AskedWronglyError("There is no question.")
        located = await _located(asked)
        one = None if located is None or len(located.definitions) != 1 else located.definitions[0]
        span = asked.span if len(asked.span) or one is None else one.full_span
        whole = span if len(span) else Span(0, len(asked.source.text))
        findings = self._findings(asked.source)
        about = About(asked.source, whole, asked.path, located, findings)
        begun = await self.begin(asked, "ask")
        learned = self._server.services.learned
        memory = await learned.memory(asked.source)
        remembered: list[Statement] = []
        if memory is not None:
            remembered = await asyncio.to_thread(memory.facts, asked.question)
        wanted = Wanted(
            asked.question,
            (about,),
            self._folder(asked.source),
            begun.asker,
            tuple(remembered),
            await learned.past(asked.source.uri),
        )
        return await self.answered("Answer", asked, asking_whoever_knows(wanted), begun)

    def _folder(self, source: Source) -> Path:
        """Return the folder whose structure a question may be about."""
        folder = self._server.documents.folder_of(source.uri)
        if folder is not None and folder.path is not None:
            return folder.path
        return Path() if source.path is None else source.path.parent

    async def document(self, asked: Asked) -> dict[str, Any]:
        """Document the function at the cursor in the client's document, with a model's words."""
        await _imported()
        begun = await self.begin(asked, "document")
        reports = self._documented(asked, begun.asker)
        return await self.answered("Documentation", asked, reports, begun)

    async def _documented(self, asked: Asked, asker: Asker) -> AsyncGenerator[Report]:
        from coai_agents.specialists.answers import (  # noqa: PLC0415 - see _imported
            Origin,
            Report,
            Section,
            Statement,
        )
        from coai_agents.specialists.documentation.agent import Documented  # noqa: PLC0415 - as above

        tree = await documenting.tree_of(self._server, asked.source)
        found = None if tree is None else documenting.function_at(tree, asked.span.start)
        if tree is None or found is None:
            raise AskedWronglyError("There is no function here.")
        yield Report("", ())
        async for answer in documenting.documented(tree, found.span.start, asker):
            if not isinstance(answer, Documented):
                yield Report("", (), (answer.why,))
                continue
            by_model = answer.origin is Origin.CHECKED
            how = "Its words are a model's, checked against the code." if by_model else ""
            notes = () if by_model or not answer.by else (answer.by,)
            done = await self._applied(asked.source, [answer.edit])
            told = "Documented." if done else "This could not be written into the document."
            text = " ".join(filter(None, (told, how)))
            said = Statement(text, answer.origin, answer.by if by_model else "")
            lines = tuple(
                Statement(line, answer.origin)
                for line in answer.edit.text.strip().splitlines()
                if line.strip() and not done
            )
            yield Report("", (Section(f"`{answer.name}`", (said, *lines)),), notes)

    async def _applied(self, source: Source, edits: list[Any]) -> bool:
        """Have the client change the document, if it is still the one that was looked at."""
        capabilities = self._server.client_capabilities
        now = self._server.documents.snapshot(source.uri)
        can = capabilities.workspace is not None and capabilities.workspace.apply_edit
        if not can or now is None or now.version != source.version:
            return False
        client = Client.of(capabilities, self._server.documents.encoding)
        params = types.ApplyWorkspaceEditParams(
            edit=workspace_edit(source, edits, client), label="Document this function"
        )
        async with asyncio.timeout(APPLY_SECONDS):
            answer = await self._server.workspace_apply_edit_async(params)
        return answer.applied

    async def begin(self, asked: Asked, agent: str) -> Begun:
        """Begin an answer of an agent: say whom it may ask, and see what that takes."""
        services = self._server.services
        asker, sensitive = await services.specialists.asker(asked.source)
        answering = services.learned.answering(asked.source.uri, agent)
        return Begun(asker.metered(answering.meter), sensitive, answering)

    async def answered(
        self, title: str, asked: Asked, reports: AsyncGenerator[Report], begun: Begun
    ) -> dict[str, Any]:
        """Show reports as they come, in a virtual document where there is one; return the last.

        `answer` in it is what `coai.rate` takes to say whether it was of help.
        """
        from coai_agents.specialists.answers import Report  # noqa: PLC0415 - see _imported
        from coai_agents.specialists.shown import as_markdown  # noqa: PLC0415 - as above

        bar = await open_bar(self._server, f"COAI: {title}")
        report, stopped = Report("", ()), False
        try:
            uri = await self._answers.open(title, asked.document)
            async with aclosing(reports):
                while not stopped:
                    step = asyncio.ensure_future(anext(reports, None))
                    await asyncio.wait({step, bar.stopped}, return_when=asyncio.FIRST_COMPLETED)
                    if not step.done():
                        step.cancel()
                        await asyncio.gather(step, return_exceptions=True)
                        stopped = True
                        break
                    if (each := step.result()) is None:
                        break
                    report = replace(each, title=title)
                    bar.report(f"{len(report.statements)} statements", 0)
                    if uri is not None:
                        self._answers.grow(uri, as_markdown(report))
        finally:
            bar.finish()
        if stopped:
            report = replace(report, title=title, notes=(*report.notes, STOPPED))
        markdown = as_markdown(report)
        if uri is not None:
            self._answers.grow(uri, markdown)
        else:
            uri = await self._answers.show_file(title, markdown)
        learned = self._server.services.learned
        said = bool(report.statements)
        answer = "" if stopped else await learned.answered(begun.answering, answered=said)
        return {"markdown": markdown, "document": uri, "stopped": stopped, "answer": answer}

    def _findings(self, source: Source) -> tuple[Finding, ...]:
        analysis = self._known.analyses.of(source)
        return () if analysis is None else analysis.findings


async def _imported() -> None:
    # In a thread, because a keystroke may be waiting for something else.
    for module in _HEAVY:
        await asyncio.to_thread(import_module, module)


async def _located(asked: Asked) -> Located | None:
    """Return what is asked about in its document; None where no grammar knows the language."""
    from coai_agents.specialists.targets import Target, TargetError, locate  # noqa: PLC0415 - see above

    source = asked.source
    first, last = source.line_at(asked.span.start), source.line_at(asked.span.end)
    target = Target(asked.path, first + 1, last + 1)
    try:
        return await asyncio.to_thread(locate, source, target)
    except TargetError:
        return None


def register(server: Server, known: Diagnostics) -> CodeQuestions:
    """Register the commands; return what carries them out."""
    questions = CodeQuestions(server, known, answer_documents.register(server))

    # pygls passes on what it is given; `asked_of` looks at it.
    @server.command(EXPLAIN)
    async def explain(*arguments: object) -> dict[str, Any]:
        return await questions.explain(asked_of(server, arguments))

    @server.command(DOCUMENT)
    async def document(*arguments: object) -> dict[str, Any]:
        return await questions.document(asked_of(server, arguments))

    @server.command(ASK)
    async def ask(*arguments: object) -> dict[str, Any]:
        return await questions.ask(asked_of(server, arguments))

    return questions


def asked_of(server: Server, arguments: tuple[object, ...]) -> Asked:
    """Read a command's argument; raises `AskedWronglyError`."""
    given = cast("dict[str, Any]", arguments[0]) if arguments else {}
    documents = server.documents
    source = documents.snapshot(str(given.get("uri", ""))) if isinstance(given, dict) else None  # pyright: ignore[reportUnnecessaryIsInstance] - it is a client's
    if source is None or documents.is_out_of_step(source.uri):
        raise AskedWronglyError("The document is not open.", remedy="Open it, and ask again.")
    path = documents.path_in_folder(source.uri)
    try:
        span = _span(given.get("range"), source, server)
    except (KeyError, TypeError, ValueError) as error:
        raise AskedWronglyError("The range is none.") from error
    question, document = str(given.get("question", "")), str(given.get("document") or "")
    return Asked(source, span, path, question, document, ranged=given.get("range") is not None)


def _span(given: Any, source: Source, server: Server) -> Span:  # noqa: ANN401 - a client's
    if given is None:
        return Span(0, 0)
    start, end = (
        Position(int(given[side]["line"]), int(given[side]["character"]))
        for side in ("start", "end")
    )
    return source.span_at(start, end, server.documents.encoding)
