"""What the edits of a session say: patterns, the more certain the more edits agree."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from coai_agents.changes.code import Code
from coai_agents.changes.difference import difference
from coai_agents.changes.evidence import outer_name
from coai_agents.changes.finding import changed, places
from coai_agents.changes.generalising import generalise
from coai_agents.changes.patterns import Site
from coai_agents.source import Span, merge
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from coai_agents.changes.patterns import Pattern
    from coai_agents.source import Source
    from coai_agents.syntax.tree import SyntaxTree

REMEMBERED: Final = 24
"""Patterns of the last edits that may turn out to be what the next edit does too."""


class Learner:
    """Turns settled edits into patterns."""

    def __init__(self) -> None:
        self._known: deque[Pattern] = deque(maxlen=REMEMBERED)
        self._last: SyntaxTree | None = None
        """The tree after the last edit, from which the next one's are made where they can be."""

    def settled(self, before: Source, after: Source) -> list[Pattern]:
        """Return the patterns of one settled edit.

        Takes as long as a parse where another document was edited before, else some milliseconds.
        """
        old = parse(before, self._last)
        self._last = new = None if old is None else parse(after, old)
        return [] if old is None or new is None else self.learn(old, new)

    def learn(self, old: SyntaxTree, new: SyntaxTree) -> list[Pattern]:
        """Return the same, where the trees are known."""
        before, after = old.source, new.source
        line = after.line_at(edited_span(before, after).start)
        confirmed = [each for each in self._known if explains(each, old, after)]
        for each in confirmed:
            self._known.remove(each)
        text = before.line_text(line) if line < before.line_count else ""
        site = Site(after.uri, line, text, outer_name(new, line))
        found = [_confirmed(each, new, site) for each in confirmed]
        if not found:
            found = _learned(old, new, site)
        self._known.extend(found)
        return found


def _learned(old: SyntaxTree, new: SyntaxTree, site: Site) -> list[Pattern]:
    """Return what an edit says that nothing before has said."""
    before, after = Code(old), Code(new)
    change = difference(before, after)
    if change is None:
        return []
    done = new.source.line_text(site.line).strip()
    written = " ".join(map(before.text, change.old)), " ".join(map(after.text, change.new))
    return [
        replace(each, sites=(site,), done=done, old=written[0], new=written[1])
        for each in generalise(change)
    ]


def _confirmed(pattern: Pattern, tree: SyntaxTree, site: Site) -> Pattern:
    """Return a pattern that one more edit agrees with.

    Whoever came from one place to the next and left one between as it was does not want it
    everywhere: then it counts as seen once.
    """
    source = tree.source
    sites = (*pattern.sites, site)[-REMEMBERED:]
    evidence = pattern.evidence + 1
    before = [
        each.line
        for each in pattern.sites
        if each.uri == source.uri and each.line < source.line_count
    ]
    if before:
        low, high = sorted((before[-1], site.line))
        between = Span(source.line_start(low), source.line_end(high))
        if places(replace(pattern, unbound=""), tree, within=between):
            evidence = 1
    return replace(pattern, evidence=evidence, sites=sites)


def explains(pattern: Pattern, before: SyntaxTree, after: Source) -> bool:
    """Say whether an edit did, in one place or all along its lines, what a pattern says."""
    source = before.source
    if source.language != pattern.language:
        return False
    edited = edited_span(source, after)
    within = Span(
        source.line_start(source.line_at(edited.start)), source.line_end(source.line_at(edited.end))
    )
    if pattern.keys[0] not in source.slice(within):
        return False
    # A renamed thing is still defined before its definition is changed.
    found = places(replace(pattern, unbound=""), before, within=within)
    return bool(found) and any(
        changed(source, some).text == after.text for some in (found, *([each] for each in found))
    )


def edited_span(before: Source, after: Source) -> Span:
    """Return the span of the text before that an edit replaced."""
    edits = after.edits_since(before)
    if edits:
        edit = merge(edits)
        return Span(edit.start, edit.old_end)
    one, other = before.text, after.text
    most = min(len(one), len(other))
    start = _common(one, other, most)
    end = _common(one[::-1], other[::-1], most - start)
    return Span(start, len(one) - end)


def _common(one: str, other: str, most: int) -> int:
    """Return how long two texts are alike from their beginnings, by halving."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
