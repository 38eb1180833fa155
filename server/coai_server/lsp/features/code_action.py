"""`textDocument/codeAction` and its resolve: fixes that were tried, and documentation.

Fixes are made and verified in the process that analyses, before they are offered: an action that
the user sees holds. What a client that can resolve actions is spared is the edit, which it asks for
when the user has chosen; `data` says all that is needed to make it again, and a document that was
changed since is answered with an error, never with an edit for another text. Fixing all is tried as
a whole when it is asked for, since fixes that hold one by one may not hold together.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from coai_agents.analysis.run.worker import AnalysisError
from coai_agents.application.fix import Fixes
from coai_agents.source import Position, Span
from coai_routing.errors import CoaiError
from coai_server.lsp.features import next_edit, same_change
from coai_server.lsp.features.action_client import BY_MODEL, Client, workspace_edit
from coai_server.lsp.features.agents import documenting, refactoring
from coai_server.lsp.features.agents.diagnosing import AGENT as DIAGNOSING
from coai_server.lsp.features.findings.diagnostic_items import SOURCE, range_of
from coai_server.lsp.features.findings.diagnostics import CONTENT_MODIFIED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    from coai_agents.fixes.fix import Fix
    from coai_agents.source import Edit, Encoding, Source
    from coai_server.lsp.features.agents.diagnosing import Diagnosing
    from coai_server.lsp.features.findings.diagnostics import Diagnostics
    from coai_server.lsp.server import Server

logger = logging.getLogger(__name__)

FIX: Final = "fix"
"""Whose fixes count as kept: those of rules."""

MENU_SECONDS: Final = 0.5
"""How long a menu waits for the same change elsewhere; what is known is shown without it."""

FIX_ALL: Final = "source.fixAll.coai"

REQUEST_FAILED: Final = -32803
"""LSP's `RequestFailed`: the request was right, and could not be carried out."""

OPTIONS: Final = types.CodeActionOptions(
    code_action_kinds=[
        types.CodeActionKind.QuickFix,
        *refactoring.KINDS,
        FIX_ALL,
        documenting.DOCUMENT_ALL,
    ],
    resolve_provider=True,
)


def register(server: Server, known: Diagnostics, diagnosing: Diagnosing) -> None:
    """Offer what can be done about the findings in a range, and what else can be done there."""
    documents = server.documents
    fixes_of = Fixes(known.analyses)

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, OPTIONS)
    async def code_action(params: types.CodeActionParams) -> list[types.CodeAction]:
        uri = params.text_document.uri
        source = documents.snapshot(uri)
        wanted = params.context.only
        if source is None or documents.is_out_of_step(uri):
            return []
        _hear_of_the_cursor(server, source, params)
        every = wanted is not None and any(_within(FIX_ALL, kind) for kind in wanted)
        quick = wanted is None or any(_within(types.CodeActionKind.QuickFix, k) for k in wanted)
        ours = [each for each in params.context.diagnostics if each.source == SOURCE]
        client = Client.of(server.client_capabilities, documents.encoding)
        actions: list[types.CodeAction] = []
        fixes: Sequence[Fix] = ()
        try:
            if quick and ours:
                fixes = await fixes_of.touching(
                    source, _span(source, params.range, client.encoding)
                )
                actions += [_quick_fix(source, fix, ours, client) for fix in fixes]
            if quick and params.context.diagnostics:
                offered = await diagnosing.offered(
                    source,
                    params.context.diagnostics,
                    lambda range_: _span(source, range_, client.encoding),
                    partial(_rewriting, source, client),
                    frozenset((each.rule, each.span) for each in fixes),
                )
                anything = wanted is None or "" in wanted
                actions += [each for each in offered if each.kind is not None or anything]
            if every and (edits := await fixes_of.of_all(source)):
                actions.append(_fix_all(source, edits, client))
        except AnalysisError as error:
            logger.warning("%s", error)
        if _is_wanted(types.CodeActionKind.RefactorRewrite, wanted):
            with suppress(TimeoutError):
                async with asyncio.timeout(MENU_SECONDS):
                    actions += await same_change.actions(server, source, params, client)
            actions += next_edit.actions(server, source, client)
        is_wanted: Callable[[str], bool] = partial(_is_wanted, wanted=wanted)
        for agent in (documenting, refactoring):
            actions += await agent.offered(
                server,
                source,
                _span(source, params.range, client.encoding),
                wanted=is_wanted,
                make=partial(_rewriting, source, client),
            )
        # What is deterministic stands first, what changes nothing last.
        return sorted(actions, key=_rank)

    _register_resolve(server, fixes_of, diagnosing)


def _register_resolve(server: Server, fixes_of: Fixes, diagnosing: Diagnosing) -> None:
    """Make the edit of an action that was chosen."""
    documents = server.documents

    @server.feature(types.CODE_ACTION_RESOLVE)
    async def resolve(action: types.CodeAction) -> types.CodeAction:
        sent: object = action.data
        asked = cast("dict[str, Any]", sent) if isinstance(sent, dict) else {}
        source = documents.snapshot(str(asked.get("uri", "")))
        if source is None or asked.get("version") != source.version:
            raise _moved_on()
        client = Client.of(server.client_capabilities, documents.encoding)
        if asked.get("agent") == same_change.AGENT:
            action.edit = await same_change.resolved(server, source, asked, client)
            if action.edit is None:
                raise _moved_on()
            return action
        edits, by_model = await _resolved(server, (fixes_of, diagnosing), source, action, asked)
        action.tags = [BY_MODEL] if by_model and client.tags else None
        now = documents.snapshot(source.uri)
        if now is None or now.version != source.version:
            raise _moved_on()
        if not edits:
            raise _moved_on()
        action.edit = workspace_edit(source, edits, client)
        return action


async def _resolved(
    server: Server,
    makers: tuple[Fixes, Diagnosing],
    source: Source,
    action: types.CodeAction,
    asked: dict[str, Any],
) -> tuple[Sequence[Edit], bool]:
    """Return the edits of an action, and whether a model had a part in them."""
    fixes_of, diagnosing = makers
    agent = {each.AGENT: each for each in (documenting, refactoring)}.get(asked.get("agent", ""))
    try:
        if agent is not None:
            return await _by_agent(server, agent, source, asked)
        if asked.get("agent") == DIAGNOSING:
            return await diagnosing.resolved(source, asked)
    except CoaiError as error:
        raise JsonRpcException(message=str(error), code=REQUEST_FAILED) from error
    changes = server.services.learned.changes
    if action.kind == FIX_ALL:
        return await fixes_of.of_all(source), False
    start, end = asked["span"]
    span = Span(int(start), int(end))
    fixes = await fixes_of.touching(source, span)
    same = (
        fix.edits
        for fix in fixes
        if (fix.rule, fix.span, fix.title) == (asked["rule"], span, action.title)
    )
    edits = next(same, ())
    if edits:
        changes.offer(source, edits, FIX, by=str(asked["rule"]))
    return edits, False


async def _by_agent(
    server: Server, agent: ModuleType, source: Source, asked: dict[str, Any]
) -> tuple[Sequence[Edit], bool]:
    """Return an agent's edits and whether a model made them; what becomes of them is followed."""
    learned = server.services.learned
    answering = learned.answering(source.uri, agent.AGENT)
    meter = answering.meter
    edits, by_model = await agent.resolved(server, source, asked, meter)
    if asked.get("model"):
        await learned.answered(answering, answered=by_model)
    if edits:
        learned.changes.offer(
            source,
            edits,
            agent.AGENT,
            by=meter.model if by_model else str(asked.get("kind") or agent.AGENT),
            from_model=by_model,
            capability=meter.capability,
        )
    return edits, by_model


def _rank(action: types.CodeAction) -> int:
    """Return where an action stands: 0 without a model, 1 with one, 2 if it changes nothing."""
    if action.command is not None:
        return 2
    data: object = action.data
    return int(isinstance(data, dict) and bool(cast("dict[str, Any]", data).get("model")))


def _tells_the_cursor(params: types.CodeActionParams) -> bool:
    """Say whether an editor asks of itself, because the cursor has come to rest somewhere."""
    asked = params.context.trigger_kind is types.CodeActionTriggerKind.Invoked
    return not asked and params.range.start == params.range.end


def _hear_of_the_cursor(server: Server, source: Source, params: types.CodeActionParams) -> None:
    """Take the only word of where the cursor is that editors say when nothing is completed."""
    if _tells_the_cursor(params):
        cursor = _span(source, params.range, server.documents.encoding).end
        server.services.completer.rested(source, cursor)


def _moved_on() -> JsonRpcException:
    return JsonRpcException(
        message="The document has changed since this was offered.", code=CONTENT_MODIFIED
    )


def _within(kind: str, wanted: str) -> bool:
    """Say whether a kind of actions is one of the wanted ones: kinds are hierarchical."""
    return wanted in ("", kind) or kind.startswith(f"{wanted}.")


def _is_wanted(kind: str, wanted: Sequence[str] | None) -> bool:
    """Say whether a kind is asked for; actions for a whole file only by name."""
    if wanted is None:
        return not kind.startswith("source.")
    return any(_within(kind, each) for each in wanted)


def _rewriting(
    source: Source,
    client: Client,
    title: str,
    kind: str,
    *,
    data: dict[str, Any],
    edits: Sequence[Edit] = (),
) -> types.CodeAction:
    """Return an action that fixes nothing; what needs a model is tagged from the beginning."""
    return types.CodeAction(
        title=title,
        kind=kind,
        edit=workspace_edit(source, edits, client) if edits else None,
        data=_data(source, **data) if client.lazy else None,
        tags=[BY_MODEL] if data["model"] and client.tags else None,
    )


def _span(source: Source, range_: types.Range, encoding: Encoding) -> Span:
    start = Position(range_.start.line, range_.start.character)
    end = Position(range_.end.line, range_.end.character)
    return source.span_at(start, end, encoding)


def _quick_fix(
    source: Source, fix: Fix, diagnostics: Sequence[types.Diagnostic], client: Client
) -> types.CodeAction:
    where = range_of(source, fix.span, client.encoding)
    solved = [each for each in diagnostics if each.code == fix.rule and each.range == where]
    data = _data(source, rule=fix.rule, span=[fix.span.start, fix.span.end])
    return types.CodeAction(
        title=fix.title,
        kind=types.CodeActionKind.QuickFix,
        diagnostics=solved or None,
        is_preferred=fix.preferred or None,
        edit=None if client.lazy else workspace_edit(source, fix.edits, client),
        data=data if client.lazy else None,
    )


def _fix_all(source: Source, edits: Sequence[Edit], client: Client) -> types.CodeAction:
    return types.CodeAction(
        "Fix all that COAI can fix",
        kind=FIX_ALL,
        edit=None if client.lazy else workspace_edit(source, edits, client),
        data=_data(source) if client.lazy else None,
    )


def _data(source: Source, **more: object) -> dict[str, object]:
    return {"uri": source.uri, "version": source.version, **more}
