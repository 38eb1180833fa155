"""What the client can do with code actions and their edits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lsprotocol import types

if TYPE_CHECKING:
    from coai_agents.source import Encoding

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
