"""Changes that a run proposes as one edit of the workspace, which the client's user looks at."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from lsprotocol import types

from coai_agents.source import Edit, Source, Span
from coai_agents.workflows.errors import WorkflowError
from coai_server.lsp.features.action_client import Client
from coai_server.lsp.features.findings.diagnostic_items import range_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from coai_agents.workflows.workers.proposals import Change
    from coai_server.lsp.documents import Documents

ANNOTATION: Final = "coai.run"
BY_COMMAND: Final = "`coai runs apply` writes them."


def refuse_unsaved(changes: Sequence[Change], snapshot: Callable[[str], Source | None]) -> None:
    """Raise `WorkflowError` for a file that is open and not as it is on disk."""
    for change in changes:
        opened = snapshot(change.path.as_uri())
        if opened is not None and opened.text.encode() != change.before:
            raise WorkflowError(
                f"{change.name} has changes that are not saved.",
                remedy="Save it, and run the plan again if the run has not seen it as it is.",
            )


def edit_of(
    changes: Sequence[Change],
    capabilities: types.ClientCapabilities,
    documents: Documents,
    label: str,
) -> types.WorkspaceEdit:
    """Return changes as one edit; raises `WorkflowError` where the client can make none of them.

    Each part is annotated, where the client shows that, and is to be confirmed.
    """
    about = capabilities.workspace
    can = None if about is None else about.workspace_edit
    if about is None or not about.apply_edit or can is None or not can.document_changes:
        raise WorkflowError("This editor takes no edits of several files.", remedy=BY_COMMAND)
    creates = types.ResourceOperationKind.Create in (can.resource_operations or ())
    if not creates and any(each.before is None for each in changes):
        raise WorkflowError("This editor makes no new files.", remedy=BY_COMMAND)
    client = Client.of(capabilities, documents.encoding)
    parts: list[types.TextDocumentEdit | types.CreateFile] = []
    for change in changes:
        uri = change.path.as_uri()
        opened = documents.snapshot(uri)
        before = opened or Source(uri, (change.before or b"").decode(), "")
        if change.before is None:
            annotation = ANNOTATION if client.annotates else None
            parts.append(types.CreateFile(uri, annotation_id=annotation))
        document = types.OptionalVersionedTextDocumentIdentifier(
            uri, None if opened is None else opened.version
        )
        edits = [_text_edit(before, each, client) for each in _edits(before, change.after.decode())]
        parts.append(types.TextDocumentEdit(document, edits))
    if not client.annotates:
        return types.WorkspaceEdit(document_changes=parts)
    annotation = types.ChangeAnnotation(label, needs_confirmation=True, description="proposed")
    return types.WorkspaceEdit(document_changes=parts, change_annotations={ANNOTATION: annotation})


def _text_edit(
    source: Source, edit: Edit, client: Client
) -> types.TextEdit | types.AnnotatedTextEdit:
    assert edit.span is not None
    where = range_of(source, edit.span, client.encoding)
    if client.annotates:
        return types.AnnotatedTextEdit(ANNOTATION, where, edit.text)
    return types.TextEdit(where, edit.text)


def _edits(before: Source, after: str) -> Iterator[Edit]:
    """Yield the lines that differ, so that what stays is not touched."""
    old = before.text.splitlines(keepends=True)
    new = after.splitlines(keepends=True)
    starts = [0]
    for line in old:
        starts.append(starts[-1] + len(line))
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, first, last, begin, end in matcher.get_opcodes():
        if kind != "equal":
            yield Edit(Span(starts[first], starts[last]), "".join(new[begin:end]))
