"""`textDocument/inlineCompletion`, which editors show as ghost text (LSP 3.18).

The parameters carry no document version, so the snapshot is taken before anything is awaited: it is
then the document that the client saw when it asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from coai_agents.application.complete import edit_of
from coai_agents.completion.outcome import Suggestion, Trigger
from coai_agents.completion.selected import Selected
from coai_agents.source import Position
from coai_server.lsp.features import next_edit, same_change
from coai_server.lsp.features.findings.diagnostic_items import range_of

if TYPE_CHECKING:
    from coai_agents.source import Source
    from coai_server.lsp.documents import Documents
    from coai_server.lsp.server import Server

ACCEPTED = "coai.completionAccepted"
"""The command that the client runs when the user accepted a suggestion whole."""


def register(server: Server) -> None:
    """Answer inline completion requests."""
    documents = server.documents

    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    async def inline_completion(
        params: types.InlineCompletionParams,
    ) -> types.InlineCompletionList:
        completer = server.services.completer
        source = documents.snapshot(params.text_document.uri)
        if source is None or documents.is_out_of_step(params.text_document.uri):
            completer.unknown(params.text_document.uri, params.position.line)
            return types.InlineCompletionList([])
        asked = Position(params.position.line, params.position.character)
        offset = source.offset_at(asked, documents.encoding)
        trigger = (
            Trigger.INVOKED
            if params.context.trigger_kind is types.InlineCompletionTriggerKind.Invoked
            else Trigger.AUTOMATIC
        )
        if (change := await same_change.at_cursor(server, source, offset, trigger)) is not None:
            return types.InlineCompletionList([change])
        if (expected := await next_edit.at_cursor(server, source, offset, trigger)) is not None:
            return types.InlineCompletionList([expected])
        selected = _selected(params.context.selected_completion_info, source, offset, documents)
        outcome = await completer.complete(source, offset, trigger, selected)
        if not isinstance(outcome, Suggestion):
            return types.InlineCompletionList([])
        edit = edit_of(source, offset, outcome, selected)
        assert edit.span is not None
        item = types.InlineCompletionItem(
            insert_text=edit.text,
            range=range_of(source, edit.span, documents.encoding),
            command=types.Command("Accepted", ACCEPTED, arguments=[outcome.identity]),
        )
        return types.InlineCompletionList([item])


def _selected(
    item: types.SelectedCompletionInfo | None, source: Source, offset: int, documents: Documents
) -> Selected | None:
    """Return the item selected in the editor's list; None unless it ends at the cursor."""
    if item is None or "\n" in item.text:
        return None
    first, last = item.range.start, item.range.end
    span = source.span_at(
        Position(first.line, first.character),
        Position(last.line, last.character),
        documents.encoding,
    )
    return Selected(span, item.text) if span.end == offset else None
