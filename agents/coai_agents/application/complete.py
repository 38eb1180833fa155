"""Completion: a snapshot and a cursor in, a suggestion or the reason why there is none out.

Everything that a completion needs is wired here, once. A door that has documents open says so
(`opened`, `changed`, `closed`); one that has only a text to complete calls `complete` with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from coai_agents.completion.completer import Completer
from coai_agents.completion.egress_gate import PrivacyEgressGate
from coai_agents.completion.feedback.tuning import UNTUNED
from coai_agents.completion.gate import CompletionGate
from coai_agents.completion.outcome import Trigger
from coai_agents.completion.prompt.notebook import cells_above
from coai_agents.completion.stop.structure import SyntaxTrees
from coai_agents.context.knowledge import WorkspaceContext
from coai_agents.source import Edit, Span
from coai_routing.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coai_agents.application.document_settings import DocumentSettings
    from coai_agents.completion.feedback.tuning import Tuning
    from coai_agents.completion.outcome import Listener, Outcome, Suggestion
    from coai_agents.completion.selected import Selected
    from coai_agents.source import Source
    from coai_routing.wiring.local import LocalModels


def edit_of(
    source: Source, offset: int, suggestion: Suggestion, selected: Selected | None = None
) -> Edit:
    """Return what accepting a suggestion for an offset of a snapshot changes in it.

    The line ends are the document's. With an item `selected` in an editor's list the edit covers
    what the item does, because editors compare the two.
    """
    begin = offset - suggestion.replaces_before
    text = suggestion.text
    if selected is not None:
        text = source.text[selected.span.start : begin] + text
        begin = selected.span.start
    if "\n" in text and "\r\n" in source.text:
        text = text.replace("\n", "\r\n")
    return Edit(Span(begin, offset + suggestion.replaces), text)


class Documents(Protocol):
    """The newest snapshots of what is open."""

    def snapshot(self, uri: str) -> Source | None:
        """Return a document as it is now, or None if it is not open."""
        ...

    def open_sources(self) -> Sequence[Source]:
        """Return every open document as it is now."""
        ...


class Snapshots:
    """Documents of a door that keeps none itself: the last text of each that was completed."""

    def __init__(self) -> None:
        self._sources: dict[str, Source] = {}

    def snapshot(self, uri: str) -> Source | None:
        """Return a document as it was last."""
        return self._sources.get(uri)

    def open_sources(self) -> Sequence[Source]:
        """Return every document as it was last."""
        return tuple(self._sources.values())

    def take(self, source: Source) -> Source | None:
        """Take a document's newest snapshot; return the one before."""
        before = self._sources.get(source.uri)
        self._sources[source.uri] = source
        return before

    def drop(self, uri: str) -> None:
        """Forget a document."""
        self._sources.pop(uri, None)


class Completions:
    """Completes code in documents. Belongs to one event loop; whoever makes one closes it."""

    def __init__(
        self,
        models: LocalModels,
        settings: DocumentSettings,
        documents: Documents | None = None,
        *,
        listener: Listener | None = None,
        tuning: Callable[[str], Tuning] = lambda _: UNTUNED,
    ) -> None:
        """Take the models, what the settings say, and the open documents, if any are kept.

        `listener` is told of each request's end. `tuning` says what holds for a language at the
        moment, by what became of suggestions.
        """
        self._settings = settings
        self._snapshots = Snapshots()
        known = documents or self._snapshots
        self.trees = SyntaxTrees()
        self.gate = CompletionGate(
            settings=settings.completion,
            exclusions=settings.exclusions,
            in_comment=self.trees.in_comment,
        )
        self.context = WorkspaceContext(settings.exclusions)
        self.egress_gate = PrivacyEgressGate(
            settings.of_names, lambda: settings.exclusions.known_roots
        )
        self.completer = Completer(
            backends=models.backends,
            settings=settings.completion,
            document=known.snapshot,
            gate=self.gate,
            context=self.context,
            syntax=self.trees,
            egress_gate=self.egress_gate,
            listener=listener,
            tuning=tuning,
            above=lambda source: cells_above(source, known.open_sources()),
            strained=Machine().is_strained,
        )

    async def complete(
        self,
        source: Source,
        offset: int,
        trigger: Trigger = Trigger.INVOKED,
        selected: Selected | None = None,
    ) -> Outcome:
        """Return a suggestion for an offset of a text, or the reason why there is none.

        The text becomes the document's newest one. Who has documents open says that by `opened`
        and `changed`, and asks the `completer` itself.
        """
        before = self._snapshots.take(source)
        if before is None:
            self.opened(source)
        elif before is not source:
            self.changed(source)
        return await self.completer.complete(source, offset, trigger, selected)

    def opened(self, source: Source) -> None:
        """Take note of a document that was opened."""
        # Links may lead elsewhere than when it was open before.
        self._settings.forget(source.uri)
        self._settings.exclusions.forget(source.uri)
        self.context.opened(source)
        self.completer.opened(source)

    def changed(self, source: Source) -> None:
        """Take note of a document's newest snapshot."""
        self.context.changed(source)
        self.completer.changed(source)

    def closed(self, uri: str) -> None:
        """Forget a document."""
        self._settings.forget(uri)
        self._snapshots.drop(uri)
        self.context.closed(uri)
        self.completer.closed(uri)
        self.trees.forget(uri)

    async def start(self) -> None:
        """Read what the first completion needs to know of the workspace's folders."""
        await self._settings.exclusions.refresh()
        await self.context.refresh()

    async def aclose(self) -> None:
        """Cancel what runs, and wait until it has closed its connections."""
        await self.completer.aclose()
        await self.context.aclose()
