"""What the client can do with code actions and their edits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lsprotocol import types

from coai_server.lsp.features.findings.diagnostic_items import range_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.source import Edit, Encoding, Source

BY_MODEL: Final = types.CodeActionTag.LlmGenerated
"""What tells that a model had a part in an action."""


@dataclass(frozen=True, slots=True)
class Client:
    """What the client can do with actions."""

    encoding: Encoding
    lazy: bool
    """Whether it asks for an action's edit when it needs it."""
    versioned: bool
    """Whether it takes edits that name the version that they are for."""
    tags: bool = False
    """Whether it shows that a model had a part in an action."""
    annotates: bool = False
    """Whether it shows what edits are for, and asks before it makes some of them."""

    @classmethod
    def of(cls, capabilities: types.ClientCapabilities, encoding: Encoding) -> Client:
        """Read a client's capabilities."""
        about = capabilities.text_document and capabilities.text_document.code_action
        support = about and about.resolve_support
        edits = capabilities.workspace and capabilities.workspace.workspace_edit
        return cls(
            encoding,
            lazy=bool(about and about.data_support and support and "edit" in support.properties),
            versioned=bool(edits and edits.document_changes),
            tags=bool(about and about.tag_support and BY_MODEL in about.tag_support.value_set),
            annotates=bool(edits and edits.change_annotation_support),
        )


def workspace_edit(source: Source, edits: Sequence[Edit], client: Client) -> types.WorkspaceEdit:
    """Return edits of a document as LSP has them, with its version where the client takes that."""
    changes = [
        types.TextEdit(range_of(source, edit.span, client.encoding), edit.text)
        for edit in edits
        if edit.span is not None
    ]
    if not client.versioned:
        return types.WorkspaceEdit(changes={source.uri: changes})
    document = types.OptionalVersionedTextDocumentIdentifier(source.uri, source.version)
    return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(document, changes)])
