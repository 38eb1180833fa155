"""Which keystrokes are an edit, and what several edits say together."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from coai_agents.changes import learning
from coai_agents.changes.bursts import MOST_CHARACTERS, Bursts
from coai_agents.changes.learning import Learner
from coai_agents.changes.offers import SameChange
from coai_agents.source import Edit, Source, Span
from coai_agents.syntax.tree import SyntaxTree, parse

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


def renamed(changes: SameChange, lines: range) -> Source:
    """Rename what is called on some lines of a class, and leave them."""
    calls = "".join(f"    x.fetch({number})\n" for number in range(12))
    source = Source(URI, f"class A:\n{calls}", "python")
    for line in lines:
        steps = typed(source, line, "fetch", "fetch_all")
        for before, after in pairwise(steps):
            changes.changed(before, after)
        source = steps[-1]
    assert changes.left(URI, lines.stop + 1)
    return source


async def test_what_is_done_is_learned_though_the_next_keystroke_cancels_who_waits() -> None:
    changes = SameChange()
    renamed(changes, range(1, 2))
    waiting = asyncio.create_task(changes.learn())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await changes.learn()
    assert changes.waits


async def test_what_is_taken_back_while_it_is_learned_is_not_offered() -> None:
    changes = SameChange()
    source = renamed(changes, range(1, 2))
    waiting = asyncio.create_task(changes.learn())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    before = source.text.replace("fetch_all", "fetch")
    changes.changed(source, source.apply(Edit(None, before), version=99))
    await waiting
    assert not changes.waits


def test_the_next_edit_of_a_document_is_parsed_from_the_last_ones_tree(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known: list[bool] = []

    def counted(source: Source, previous: SyntaxTree | None = None) -> SyntaxTree | None:
        known.append(previous is not None and source.edits_since(previous.source) is not None)
        return parse(source, previous)

    monkeypatch.setattr(learning, "parse", counted)
    learner = Learner()
    source = Source(URI, TEXT, "python")
    for line in range(3):
        source = settle(learner, source, line, "fetch", "request")
    assert known == [False, True, True, True, True, True]


async def test_a_place_that_was_passed_by_is_dismissed() -> None:
    changes = SameChange()
    source = renamed(changes, range(1, 6))
    await changes.learn()
    tree = parse(source)
    assert tree is not None
    shown = changes.at_line(tree, 7)
    assert shown is not None
    assert shown == changes.at_line(tree, 7)
    changes.moved(URI, 8)
    assert changes.at_line(tree, 7) is None
    assert changes.at_line(tree, 8) is not None
