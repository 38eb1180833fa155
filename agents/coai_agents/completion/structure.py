"""What the syntax tree adds to a completion: comments are recognised, blocks end where they end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.syntax.extent import completion_extent
from coai_agents.syntax.places import in_comment
from coai_agents.syntax.store import SyntaxStore

if TYPE_CHECKING:
    from coai_agents.completion.cursor import Cursor
    from coai_agents.completion.flight import WholeBlock
    from coai_agents.source import Source


class SyntaxTrees:
    """Answers completion's questions from the trees of the open documents."""

    def __init__(self, store: SyntaxStore | None = None) -> None:
        self.store = store or SyntaxStore()

    def in_comment(self, source: Source, offset: int) -> bool:
        """Say whether what is typed at an offset becomes part of a comment."""
        tree = self.store.tree(source)
        return tree is not None and in_comment(tree, offset)

    def whole_block(self, source: Source, cursor: Cursor) -> WholeBlock | None:
        """Return what finds the end of the statement that a suggestion begins.

        None where there is no tree, or where the suggestion is for a later state of the document
        than the snapshot shows.
        """
        if "\r" in source.text or not source.text.startswith(cursor.prefix):
            return None
        tree = self.store.tree(source)
        if tree is None:
            return None

        def end(text: str) -> int | None:
            verdict = completion_extent(tree, len(cursor.prefix), text)
            return None if verdict is None else verdict.statement

        return end

    def forget(self, uri: str) -> None:
        """Drop a closed document's tree."""
        self.store.forget(uri)
