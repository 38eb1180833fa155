"""The item that is selected in the editor's list of completions.

The editor shows the document as if the item were taken, so a suggestion has to begin with it (LSP
3.18, `selectedCompletionInfo`). It is asked for where the item would end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from coai_agents.completion.outcome import Suggestion
from coai_agents.source import Edit, Source, Span

if TYPE_CHECKING:
    from coai_agents.completion.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Selected:
    """An item, and what of the document it stands in for."""

    span: Span
    text: str

    def taken(self, source: Source) -> tuple[Source, int]:
        """Return the document with the item, and the offset at which it ends."""
        with_item = source.apply(Edit(self.span, self.text))
        return with_item, self.span.start + len(self.text)

    def begins(self, outcome: Outcome, source: Source) -> Outcome:
        """Return a suggestion that was made after the item as one that begins with it."""
        if not isinstance(outcome, Suggestion):
            return outcome
        typed = source.slice(self.span)
        if self.text.startswith(typed):
            return replace(outcome, text=self.text[len(typed) :] + outcome.text)
        return replace(outcome, text=self.text + outcome.text, replaces_before=len(typed))
