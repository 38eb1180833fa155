"""The check that a deterministic refactoring passes before it is offered.

It applies; the file parses as before, and Python would still load it; only what was asked about is
touched, or an insertion; and names resolve as before: an occurrence that was not touched means the
same variable, and a name that was moved means what it meant where it came from.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from coai_agents.specialists.edits import change, parses_no_worse
from coai_agents.specialists.refactoring.names import Names
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.source import Edit, Source, Span
    from coai_agents.specialists.edits import Change
    from coai_agents.specialists.refactoring.names import Binding, Use
    from coai_agents.specialists.refactoring.site import Offer, Site


def verified(site: Site, offer: Offer, allowed: Span | None = None) -> tuple[Change | None, str]:
    """Return the change that an offer is, or None and what is wrong with it."""
    source = site.source
    try:
        changed = change(source, offer.edits)
    except ValueError:
        return None, "Its edits overlap."
    if changed.is_empty:
        return None, "Nothing would change."
    if allowed is not None and not _within(offer.edits, allowed):
        return None, "It would touch more than was asked about."
    if not parses_no_worse(source, changed.after):
        return None, "The file would no longer parse."
    if source.language == "python" and _compiles(source.text) and not _compiles(changed.after.text):
        return None, "Python would not load the file."
    if not _resolves(site, offer, changed.after):
        return None, "A name would mean another variable."
    return changed, ""


def _within(edits: Sequence[Edit], allowed: Span) -> bool:
    """Say whether edits touch a span, or insert without taking anything away."""
    return all(
        edit.span is not None and (allowed.covers(edit.span) or not len(edit.span))
        for edit in edits
    )


def _compiles(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(text, "<refactoring>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            return False
    return True


def _resolves(site: Site, offer: Offer, after: Source) -> bool:
    tree = parse(after)
    if tree is None:
        return False
    old, new = site.names, Names(tree)
    if offer.renaming:
        return _alike(old, new)
    moves = sorted(offer.edits, key=_place)
    at = {tree.start(each.node): each for each in new.uses}
    kept: dict[Binding, Binding | None] = {}
    back: dict[Binding, Binding] = {}
    for each in old.uses:
        place = _moved(site.start(each.node), site.end(each.node), moves)
        if place is None:
            continue
        now = at.get(place)
        if now is None or now.name != each.name:
            return False
        if not _pairs(each, now, kept, back, moved=offer.moved):
            return False
    return _moved_names(site, offer, new, kept, moves)


def _place(edit: Edit) -> tuple[int, int]:
    return (0, 0) if edit.span is None else (edit.span.start, edit.span.end)


def _pairs(
    before: Use,
    now: Use,
    kept: dict[Binding, Binding | None],
    back: dict[Binding, Binding],
    *,
    moved: bool,
) -> bool:
    """Say whether occurrences that meant one variable still mean one, and no other's."""
    if before.binding is None:
        return now.binding is None
    if now.binding is None:
        return False
    if kept.setdefault(before.binding, now.binding) is now.binding:
        return back.setdefault(now.binding, before.binding) is before.binding
    # What was moved into a function of its own is declared there and here.
    return moved and now.binding not in back


def _moved_names(
    site: Site,
    offer: Offer,
    new: Names,
    kept: dict[Binding, Binding | None],
    moves: Sequence[Edit],
) -> bool:
    """Say whether names in new text mean what they meant in the text that was taken away."""
    before: dict[str, set[Binding | None]] = {}
    for edit in moves:
        if edit.span is not None:
            for use in site.names.within(edit.span):
                before.setdefault(use.name, set()).add(use.binding)
    images = {each for each in kept.values() if each is not None}
    shift = 0
    for edit in moves:
        if edit.span is None:
            continue
        start = edit.span.start + shift
        shift += len(edit.text) - len(edit.span)
        for use in _uses_in(new, start, start + len(edit.text)):
            meant = before.get(use.name)
            if use.name in offer.fresh:
                continue
            if meant is None:
                if use.binding in images:
                    return False
            elif not _means(use, meant, kept, images, moved=offer.moved):
                return False
    return True


def _means(
    use: Use,
    meant: set[Binding | None],
    kept: dict[Binding, Binding | None],
    images: set[Binding],
    *,
    moved: bool,
) -> bool:
    """Say whether a name in new text means what it did, or what took all of its places."""
    if use.binding is None:
        return None in meant
    if use.binding in images:
        return any(each is not None and kept.get(each) is use.binding for each in meant)
    return any(each is not None and (moved or each not in kept) for each in meant)


def _alike(old: Names, new: Names) -> bool:
    """Say whether all occurrences of a file mean the same variables, whatever these are called."""
    if len(old.uses) != len(new.uses):
        return False
    there: dict[Binding, Binding] = {}
    back: dict[Binding, Binding] = {}
    for before, now in zip(old.uses, new.uses, strict=True):
        if before.binding is None or now.binding is None:
            if before.binding is not now.binding or before.name != now.name:
                return False
            continue
        one = there.setdefault(before.binding, now.binding)
        other = back.setdefault(now.binding, before.binding)
        if one is not now.binding or other is not before.binding:
            return False
    return True


def _uses_in(names: Names, start: int, end: int) -> list[Use]:
    return [e for e in names.uses if start <= names.tree.start(e.node) < end]


def _moved(start: int, end: int, edits: Sequence[Edit]) -> int | None:
    """Return where text is after edits; None where one of them replaced it."""
    by = 0
    for edit in edits:
        if edit.span is None:
            return None
        if edit.span.end <= start:
            by += len(edit.text) - len(edit.span)
        elif edit.span.start < end:
            return None
    return start + by
