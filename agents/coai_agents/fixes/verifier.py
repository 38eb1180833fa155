"""The one door that every change has to pass, whoever wrote it: a rule, a function or a model.

A change does no harm if it applies, the file still parses as well as before, nothing new is found
and no comment was added that only silences something. A fix is one after which, besides, the
finding is gone.
"""

from __future__ import annotations

import warnings
from collections import Counter
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.fixes.equivalence.behaviour import MEANT, same_results
from coai_agents.fixes.equivalence.queries import RULE, keeps_queries
from coai_agents.source import Edit, Span
from coai_agents.syntax.tree import broken_places, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.analysis.findings.findings import Analysis, Finding
    from coai_agents.source import Source

MOST_APART: Final = 64
"""Edits that are made one by one, which lets a later parse take what did not change."""


def applied(source: Source, edits: Sequence[Edit]) -> Source:
    """Return the document after edits that do not touch each other, whatever their order.

    Raises ValueError if one reaches beyond the text or two overlap.
    """
    after = source
    ordered = sorted(edits, key=lambda edit: (0, 0) if edit.span is None else _key(edit.span))
    limit = len(source.text)
    for edit in ordered[::-1]:
        if edit.span is not None:
            if edit.span.end > limit:
                raise ValueError("edits that overlap")
            limit = edit.span.start
        if len(ordered) <= MOST_APART:
            after = after.apply(edit)
    return (
        after if len(ordered) <= MOST_APART else source.apply(Edit(None, _at_once(source, ordered)))
    )


def _at_once(source: Source, ordered: Sequence[Edit]) -> str:
    """Return the text after many edits: for each by itself all of it would be copied again."""
    pieces: list[str] = []
    at = 0
    for edit in ordered:
        # An empty span is false, too.
        span = Span(0, len(source.text)) if edit.span is None else edit.span
        pieces += (source.text[at : span.start], edit.text)
        at = span.end
    return "".join((*pieces, source.text[at:]))


def _key(span: Span) -> tuple[int, int]:
    return span.start, span.end


def harmless(
    source: Source, edits: Sequence[Edit], before: Analysis | None = None
) -> Analysis | None:
    """Return the analysis of the document after edits that do no harm, None if they do.

    `before` is the analysis of the same snapshot, as it was made, if there is one already. What no
    grammar reads cannot be judged, so nothing there is harmless.
    """
    try:
        after = applied(source, edits)
    except ValueError:
        return None
    old, new = parse(source), parse(after)
    if old is None or new is None or broken_places(new) > broken_places(old):
        return None
    if source.language == "python" and _compiles(source.text) and not _compiles(after.text):
        return None
    before = before or analyse(source)
    then = Counter(each.rule for each in before.findings)
    analysis = analyse(after)
    now = Counter(each.rule for each in analysis.findings)
    # What was not looked at any more may hide what is new.
    worse = len(analysis.notes) > len(before.notes) or analysis.suppressed > before.suppressed
    return None if worse or now - then else analysis


def verify(
    source: Source, finding: Finding, edits: Sequence[Edit], before: Analysis | None = None
) -> bool:
    """Say whether a fix does what it should.

    `before` is the analysis of the same snapshot, if there is one already.
    """
    before = before or analyse(source)
    after = harmless(source, edits, before)
    if after is None:
        return False
    then, now = (sum(each.rule == finding.rule for each in one.findings) for one in (before, after))
    if now >= then or _still_there(finding, edits, after):
        return False
    return means_the_same(source, edits, finding.rule)


def means_the_same(source: Source, edits: Sequence[Edit], rule: str) -> bool:
    """Say whether what a fix of a rule must not change is what it was, as far as that is told.

    That is what each query asks, tried with values that do harm and with others, and what pure
    functions of Python give. Nothing of the program is run.
    """
    after = applied(source, edits)
    if rule == RULE and not keeps_queries(source, after):
        return False
    return rule in MEANT or same_results(source, after)


def _compiles(text: str) -> bool:
    """Say whether this Python would load a text; nothing of it is run.

    The tree's grammar takes what Python does not, such as `await` outside of a coroutine.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(text, "<fix>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            return False
    return True


def _still_there(finding: Finding, edits: Sequence[Edit], analysis: Analysis) -> bool:
    """Say whether the same rule still shows at the place that the finding has moved to."""
    start = _moved(finding.span.start, edits, end=False)
    end = _moved(finding.span.end, edits, end=True)
    return any(
        each.rule == finding.rule and (each.span.start, each.span.end) == (start, end)
        for each in analysis.findings
    )


def _moved(offset: int, edits: Sequence[Edit], *, end: bool) -> int:
    """Return where an offset is after edits; one within an edit is at that side of what it put."""
    by = 0
    for edit in edits:
        if edit.span is None:
            continue
        grown = len(edit.text) - len(edit.span)
        if edit.span.end < offset or (edit.span.end == offset and (end or len(edit.span))):
            by += grown
        elif edit.span.start < offset:
            by += edit.span.start - offset + (len(edit.text) if end else 0)
    return offset + by
