"""The edit that a model expects next: ghost text on the cursor's line, a code action elsewhere.

Ghost text has to begin and end on the cursor's line (LSP 3.18, `InlineCompletionItem`). What the
model expects on another line waits in the menu of actions until the document changes.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from lsprotocol import types

from coai_agents.completion.cursor import Cursor
from coai_agents.completion.outcome import Event, Suggestion, Trigger
from coai_agents.source import Edit
from coai_server.lsp.features.action_client import BY_MODEL, workspace_edit
from coai_server.lsp.features.same_change import item_of

if TYPE_CHECKING:
    from coai_agents.changes.prediction.predicting import Prediction
    from coai_agents.source import Source
    from coai_server.lsp.features.action_client import Client
    from coai_server.lsp.server import Server

PAUSE_MS: Final = 120
"""How long the cursor has to stay where it is, where `completion.debounce_ms` does not say."""


async def at_cursor(
    server: Server, source: Source, offset: int, trigger: Trigger
) -> types.InlineCompletionItem | None:
    """Return what a model expects on the line that the cursor has come to after an edit.

    Where one is typing, the line is completed instead.
    """
    services = server.services
    settings = services.completion_settings(source.uri)
    changes, line = services.changes, source.line_at(offset)
    if not settings.next_edit or services.predictor.editor is None:
        return None
    changes.left(source.uri, line)
    if not changes.history or changes.is_editing(source.uri, line):
        return None
    started = time.perf_counter()
    # In a word or a comment nothing is made up at the cursor, so only what holds for the file
    # counts.
    cursor = Cursor.at(source, offset)
    if await services.gate.refusal(source, cursor, Trigger.INVOKED) is not None:
        return None
    if trigger is Trigger.AUTOMATIC:
        pause = PAUSE_MS if settings.debounce_ms is None else settings.debounce_ms
        await asyncio.sleep(pause / 1000)
    if server.documents.snapshot(source.uri) is not source:
        return None
    edits = [each for each in changes.history if settings.context or each.after.uri == source.uri]
    found = await services.predictor.predict(
        source, offset, edits, seconds=settings.patience_ms / 1000
    )
    if found is None or server.documents.snapshot(source.uri) is not source:
        return None
    place = found.on_line(line)
    if place is None:
        return None
    elapsed_ms = (time.perf_counter() - started) * 1000
    shown = Suggestion(
        text=place.text,
        replaces=0,
        origin="prediction",
        backend=found.backend,
        model=found.model,
        elapsed_ms=elapsed_ms,
        identity=0,
    )
    event = Event(time.monotonic(), source.uri, line, trigger, shown, source.language)
    services.completer.history.append(event)
    return item_of(server, source, offset, place)


def actions(server: Server, source: Source, client: Client) -> list[types.CodeAction]:
    """Return the action for what was expected last, while the document is as it was then."""
    services = server.services
    if not services.completion_settings(source.uri).next_edit:
        return []
    found = services.predictor.known(source)
    return [] if found is None else [_action(source, found, client)]


def _action(source: Source, found: Prediction, client: Client) -> types.CodeAction:
    line = source.line_at(found.place.span.start) + 1
    action = types.CodeAction(
        f"Make the edit that {found.model} expects next, in line {line}",
        kind=types.CodeActionKind.RefactorRewrite,
        edit=workspace_edit(source, (Edit(found.place.span, found.place.text),), client),
    )
    action.tags = [BY_MODEL] if client.tags else None
    return action
