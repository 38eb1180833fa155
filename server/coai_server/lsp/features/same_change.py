"""The same change elsewhere, at the cursor as ghost text and everywhere as a code action.

Ghost text that replaces something says in its `filterText` what it replaces, so that a client that
goes by the standard shows it (LSP 3.18, `InlineCompletionItem`). The action's edits carry change
annotations where the client knows them, and those in other files are confirmed one by one; a client
that does not gets the document's own places and those of other files as two actions.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from lsprotocol import types

from coai_agents.completion.cursor import Cursor
from coai_agents.completion.outcome import Event, Suggestion, Trigger
from coai_agents.source import Span
from coai_server.lsp.features.findings.diagnostic_items import range_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coai_agents.changes.finding import Place
    from coai_agents.changes.offers import Everywhere
    from coai_agents.source import Source
    from coai_server.lsp.features.action_client import Client
    from coai_server.lsp.server import Server

AGENT: Final = "sameChange"
"""What tells these actions from others in `data`."""

_HERE: Final = "coai.sameChange"
_OTHERS: Final = "coai.sameChange.otherFiles"

_BACKEND: Final = "your last edit"
"""What is named as the origin of such a suggestion where the user asks why."""


async def at_cursor(
    server: Server, source: Source, offset: int, trigger: Trigger
) -> types.InlineCompletionItem | None:
    """Return the change that the cursor's line needs, if the cursor has only come to it."""
    changes = server.services.changes
    line = source.line_at(offset)
    changes.moved(source.uri, line)
    if not server.services.completion_settings(source.uri).same_change:
        return None
    started = time.perf_counter()
    if changes.left(source.uri, line):
        await changes.learn()
    if not changes.waits or changes.is_editing(source.uri, line):
        return None
    # In a word or a comment nothing is made up here, so only what holds for the file counts.
    cursor = Cursor.at(source, offset)
    if await server.services.gate.refusal(source, cursor, Trigger.INVOKED) is not None:
        return None
    if server.documents.snapshot(source.uri) is not source:
        return None
    tree = server.services.trees.store.tree(source)
    offer = None if tree is None else changes.at_line(tree, line)
    if offer is None:
        return None
    shown = Suggestion(
        text=offer.place.text,
        replaces=0,
        origin="change",
        backend=_BACKEND,
        model=offer.pattern.title,
        elapsed_ms=(time.perf_counter() - started) * 1000,
        identity=0,
    )
    # So that `coai.why` tells what was shown, and from which edit.
    event = Event(time.monotonic(), source.uri, line, trigger, shown, source.language)
    server.services.completer.history.append(event)
    return item_of(server, source, offset, offer.place)


def item_of(
    server: Server, source: Source, offset: int, place: Place
) -> types.InlineCompletionItem:
    """Return ghost text over a range that holds both a place and the cursor."""
    span, text = place.span, place.text
    start, end = min(span.start, offset), max(span.end, offset)
    whole = source.text[start : span.start] + text + source.text[span.end : end]
    return types.InlineCompletionItem(
        insert_text=whole,
        filter_text=source.text[start:end] or None,
        range=range_of(source, Span(start, end), server.documents.encoding),
    )


async def actions(
    server: Server, source: Source, params: types.CodeActionParams, client: Client
) -> list[types.CodeAction]:
    """Return the action for the change that the cursor's line had or needs."""
    changes = server.services.changes
    if not server.services.completion_settings(source.uri).same_change:
        return []
    # Whoever opens the menu is done with the line; an editor that asks by itself need not be.
    invoked = params.context.trigger_kind is not types.CodeActionTriggerKind.Automatic
    line = params.range.start.line
    if changes.left(source.uri, None if invoked else line):
        await changes.learn()
    found = await _everywhere(server, source, line, fresh=not client.lazy)
    if found is None:
        return []
    both = bool(found.others and found.here) and not client.annotates
    made: list[types.CodeAction] = []
    for all_files in (False, True) if both else (True,):
        count = found.count if all_files else len(found.here)
        data = {"agent": AGENT, "uri": source.uri, "version": source.version}
        made.append(
            types.CodeAction(
                title=_title(count, all_files=all_files, others=bool(found.others)),
                kind=types.CodeActionKind.RefactorRewrite,
                edit=None if client.lazy else _edit(source, found, client, all_files=all_files),
                data={**data, "line": line, "allFiles": all_files} if client.lazy else None,
            )
        )
    return made


def _title(count: int, *, all_files: bool, others: bool) -> str:
    places = "1 more place" if count == 1 else f"{count} more places"
    where = " in this file" if others and not all_files else ""
    return f"Apply the same change at {places}{where}"


async def resolved(
    server: Server, source: Source, asked: dict[str, Any], client: Client
) -> types.WorkspaceEdit | None:
    """Return the edit of a chosen action, looked for anew; None if there is nothing any more."""
    found = await _everywhere(server, source, int(asked.get("line", 0)), fresh=True)
    if found is None or server.documents.snapshot(source.uri) is not source:
        return None
    return _edit(source, found, client, all_files=bool(asked.get("allFiles")))


async def _everywhere(
    server: Server, source: Source, line: int, *, fresh: bool
) -> Everywhere | None:
    services = server.services
    if not services.changes.waits:
        return None
    if await services.exclusions.judged(source.uri, "completion") is not None:
        return None
    found = await services.changes.everywhere(source, line, services.surroundings(), fresh=fresh)
    return found if server.documents.snapshot(source.uri) is source else None


def _edit(
    source: Source, found: Everywhere, client: Client, *, all_files: bool
) -> types.WorkspaceEdit:
    """Return the edits of all places, or of the document's alone."""
    files = [(source, found.here), *(found.others if all_files else ())]
    if not client.versioned:
        plain = {each.uri: [*_edits(each, there, client)] for each, there in files if there}
        return types.WorkspaceEdit(changes=plain)
    changes = [
        types.TextDocumentEdit(
            types.OptionalVersionedTextDocumentIdentifier(each.uri, each.version or None),
            [
                _annotated(edit, _HERE if each is source else _OTHERS) if client.annotates else edit
                for edit in _edits(each, there, client)
            ],
        )
        for each, there in files
        if there
    ]
    if not client.annotates:
        return types.WorkspaceEdit(document_changes=changes)
    why = found.pattern.title
    return types.WorkspaceEdit(
        document_changes=changes,
        change_annotations={
            _HERE: types.ChangeAnnotation("The same change", description=why),
            _OTHERS: types.ChangeAnnotation(
                "The same change in other files", needs_confirmation=True, description=why
            ),
        },
    )


def _edits(source: Source, places: Sequence[Place], client: Client) -> Iterator[types.TextEdit]:
    for place in places:
        text = place.text.replace("\n", "\r\n") if "\r\n" in source.text else place.text
        yield types.TextEdit(range_of(source, place.span, client.encoding), text)


def _annotated(edit: types.TextEdit, annotation: str) -> types.AnnotatedTextEdit:
    return types.AnnotatedTextEdit(
        annotation_id=annotation, range=edit.range, new_text=edit.new_text
    )
