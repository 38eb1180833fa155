"""`textDocument/codeAction`: fixes that were tried.

Fixes are made and verified in the process that analyses, so an action that is offered holds: its
edit applies, the file still parses, the finding is gone, and nothing new appeared.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from lsprotocol import types

from coai_agents.source import Edit, Position, Span
from coai_agents.static.worker import AnalysisError
from coai_server.features.diagnostics import SOURCE, range_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.fixes.fix import Fix
    from coai_agents.source import Encoding, Source
    from coai_server.features.diagnostics import Diagnostics
    from coai_server.server import Server

logger = logging.getLogger(__name__)

FIX_ALL: Final = "source.fixAll.coai"

OPTIONS: Final = types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix, FIX_ALL])


def register(server: Server, known: Diagnostics) -> None:
    """Offer fixes of the findings in a range."""
    documents = server.documents

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, OPTIONS)
    async def code_action(params: types.CodeActionParams) -> list[types.CodeAction]:
        uri = params.text_document.uri
        source = documents.snapshot(uri)
        wanted = params.context.only
        if source is None or documents.is_out_of_step(uri):
            return []
        every = wanted is not None and any(FIX_ALL.startswith(kind) for kind in wanted)
        quick = wanted is None or types.CodeActionKind.QuickFix in wanted
        ours = [each for each in params.context.diagnostics if each.source == SOURCE]
        if not every and not (quick and ours):
            return []
        encoding = documents.encoding
        span = Span(0, len(source.text)) if every else _span(source, params.range, encoding)
        try:
            fixes = await known.worker.fixes(source, span)
        except AnalysisError as error:
            logger.warning("%s", error)
            return []
        actions = [_quick_fix(source, fix, ours, encoding) for fix in fixes] if quick else []
        if every and (compatible := _compatible(fixes)):
            edit = _workspace_edit(source, compatible, encoding)
            title = "Fix all that COAI can fix"
            actions.append(types.CodeAction(title, kind=FIX_ALL, edit=edit))
        return actions


def _span(source: Source, range_: types.Range, encoding: Encoding) -> Span:
    start = Position(range_.start.line, range_.start.character)
    end = Position(range_.end.line, range_.end.character)
    return source.span_at(start, end, encoding)


def _quick_fix(
    source: Source, fix: Fix, diagnostics: Sequence[types.Diagnostic], encoding: Encoding
) -> types.CodeAction:
    where = range_of(source, fix.span, encoding)
    solved = [each for each in diagnostics if each.code == fix.rule and each.range == where]
    return types.CodeAction(
        title=fix.title,
        kind=types.CodeActionKind.QuickFix,
        diagnostics=solved or None,
        is_preferred=fix.preferred or None,
        edit=_workspace_edit(source, fix.edits, encoding),
    )


def _compatible(fixes: Sequence[Fix]) -> list[Edit]:
    """Return the edits of the preferred fixes, one for each finding, without those that collide.

    Fixes in one place can be meant for each other's text; the first one wins, and the others are
    offered again when it is done.
    """
    chosen: list[Edit] = []
    solved: set[tuple[str, Span]] = set()
    for fix in fixes:
        key = (fix.rule, fix.span)
        if not fix.preferred or key in solved:
            continue
        fresh = [edit for edit in fix.edits if edit not in chosen]
        if any(_collide(edit, other) for edit in fresh for other in chosen):
            continue
        solved.add(key)
        chosen += fresh
    return chosen


def _collide(one: Edit, other: Edit) -> bool:
    if one.span is None or other.span is None:
        return True
    return one.span.start <= other.span.end and other.span.start <= one.span.end


def _workspace_edit(
    source: Source, edits: Sequence[Edit], encoding: Encoding
) -> types.WorkspaceEdit:
    changes = [
        types.TextEdit(range_of(source, edit.span, encoding), edit.text)
        for edit in edits
        if edit.span is not None
    ]
    return types.WorkspaceEdit(changes={source.uri: changes})
