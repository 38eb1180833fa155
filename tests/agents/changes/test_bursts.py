"""Which keystrokes are an edit, and what several edits say together."""

from __future__ import annotations

from itertools import pairwise

import pytest

from coai_agents.changes.bursts import MOST_CHARACTERS, Bursts
from coai_agents.changes.learning import Learner
from coai_agents.changes.offers import SameChange
from coai_agents.source import Edit, Source, Span
from coai_agents.syntax.tree import parse

URI = "file:///work/a.py"
TEXT = "".join(f"x.fetch({number})\n" for number in range(8))


def typed(source: Source, line: int, old: str, new: str) -> list[Source]:
    """Return the snapshots of replacing something on a line letter by letter."""
    at = source.text.index(old, source.line_start(line))
    found = [source, source.apply(Edit(Span(at, at + len(old)), ""), version=source.version + 1)]
    for number, letter in enumerate(new):
        place = Span(at + number, at + number)
        found.append(found[-1].apply(Edit(place, letter), version=found[-1].version + 1))
    return found


def feed(bursts: Bursts, snapshots: list[Source]) -> None:
    for before, after in pairwise(snapshots):
        bursts.changed(before, after)


def test_the_letters_of_a_line_are_one_edit() -> None:
    bursts = Bursts()
    steps = typed(Source(URI, TEXT, "python"), 2, "fetch", "request")
    feed(bursts, steps)
    assert bursts.settle(line=2) is None
    settled = bursts.settle(line=5)
    assert settled is not None
    assert (settled.before, settled.after) == (steps[0], steps[-1])
    assert bursts.settle() is None


def test_a_change_elsewhere_ends_an_edit() -> None:
    bursts = Bursts()
    steps = typed(Source(URI, TEXT, "python"), 2, "fetch", "request")
    feed(bursts, steps)
    other = typed(steps[-1], 6, "fetch", "x")
    settled, undone = bursts.changed(other[0], other[1])
    assert settled is not None
    assert settled.after is steps[-1]
    assert not undone


@pytest.mark.parametrize("settled", [False, True])
def test_what_is_taken_back_is_no_edit(settled: bool) -> None:
    bursts = Bursts()
    steps = typed(Source(URI, TEXT, "python"), 2, "fetch", "request")
    feed(bursts, steps)
    if settled:
        assert bursts.settle() is not None
    _, undone = bursts.changed(steps[-1], steps[-1].apply(Edit(None, TEXT), version=99))
    assert undone is settled  # nothing was learned of what was not done yet
    assert bursts.settle() is None


def test_what_is_pasted_is_no_edit() -> None:
    bursts = Bursts()
    before = Source(URI, TEXT, "python")
    after = before.apply(Edit(Span(0, 0), "y = 1\n" * MOST_CHARACTERS), version=1)
    bursts.changed(before, after)
    assert bursts.settle() is None


def settle(learner: Learner, source: Source, line: int, old: str, new: str) -> Source:
    after = typed(source, line, old, new)[-1]
    learner.settled(source, after)
    return after


def test_a_second_edit_that_says_the_same_makes_it_more_certain() -> None:
    learner = Learner()
    source = settle(learner, Source(URI, "x = a.colour()\n" * 5, "python"), 0, "colour", "color")
    after = typed(source, 1, "colour", "color")[-1]
    (pattern,) = learner.settled(source, after)
    assert pattern.evidence == 2
    assert [site.line for site in pattern.sites] == [0, 1]


def test_whoever_leaves_one_out_does_not_want_it_everywhere() -> None:
    learner = Learner()
    source = settle(learner, Source(URI, "x = a.colour()\n" * 5, "python"), 0, "colour", "color")
    after = typed(source, 3, "colour", "color")[-1]
    (pattern,) = learner.settled(source, after)
    assert pattern.evidence == 1


async def test_typing_past_the_old_name_takes_nothing_back() -> None:
    changes, source = SameChange(), Source(URI, TEXT, "python")
    for line in (0, 1):
        steps = typed(source, line, "fetch", "fetch_all")
        for before, after in pairwise(steps):
            changes.changed(before, after)
        source = steps[-1]
        changes.left(URI, line + 1)
    assert [each.after.line_text(number) for number, each in enumerate(changes.history)] == [
        "x.fetch_all(0)",
        "x.fetch_all(1)",
    ]


async def test_a_place_that_was_passed_by_is_dismissed() -> None:
    changes = SameChange()
    lines = "".join(f"    x.fetch({number})\n" for number in range(12))
    source = Source(URI, f"class A:\n{lines}", "python")
    for line in range(1, 6):
        steps = typed(source, line, "fetch", "fetch_all")
        for before, after in pairwise(steps):
            changes.changed(before, after)
        source = steps[-1]
    assert changes.left(URI, 7)
    await changes.learn()
    tree = parse(source)
    assert tree is not None
    shown = changes.at_line(tree, 7)
    assert shown is not None
    assert shown == changes.at_line(tree, 7)
    changes.moved(URI, 8)
    assert changes.at_line(tree, 7) is None
    assert changes.at_line(tree, 8) is not None
