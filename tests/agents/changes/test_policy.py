"""When a change is shown to somebody who did not ask: what speaks for it, and what against it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import pytest

from coai_agents.changes.evidence import evidence_at, outer_name
from coai_agents.changes.finding import places
from coai_agents.changes.learning import Learner
from coai_agents.changes.likeness import are_akin, likeness
from coai_agents.changes.offers import SameChange
from coai_agents.changes.patterns import Kind
from coai_agents.changes.policy import own_policy
from coai_agents.source import Edit, Source, Span
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from coai_agents.changes.patterns import Pattern
    from coai_agents.syntax.tree import SyntaxTree

URI: Final = "file:///work/a.py"
POLICY: Final = own_policy()


def tree_of(text: str, uri: str = URI) -> SyntaxTree:
    tree = parse(Source(uri, text, "python"))
    assert tree is not None
    return tree


def learned(text: str, old: str, new: str, edits: int = 1) -> tuple[Pattern, SyntaxTree]:
    """Return the pattern of so many edits of a text, each of the first place left, and the text."""
    learner, source = Learner(), Source(URI, text, "python")
    found: list[Pattern] = []
    for _ in range(edits):
        at = source.text.index(old)
        after = source.apply(Edit(Span(at, at + len(old)), new), version=source.version + 1)
        found = learner.settled(source, after)
        source = after
    tree = parse(source)
    assert tree is not None
    return found[0], tree


def likelihood(pattern: Pattern, tree: SyntaxTree, passed: int = 0) -> float:
    found = places(pattern, tree)
    return POLICY.likelihood(evidence_at(pattern, tree, found[0], passed))


CALLS: Final = "x = a.colour(1)\n" * 6


def test_every_kind_and_figure_has_a_weight() -> None:
    pattern, tree = learned(CALLS, "colour", "color")
    evidence = evidence_at(pattern, tree, places(pattern, tree)[0])
    assert set(POLICY.weights) == set(evidence.figures)
    assert set(POLICY.kinds) == set(Kind)


def test_the_more_edits_agree_the_likelier_it_is() -> None:
    told = [likelihood(*learned(CALLS, "colour", "color", edits)) for edits in (1, 2, 3, 4)]
    assert all(one < other for one, other in pairwise(told))


def test_each_place_passed_by_counts_against_it() -> None:
    pattern, tree = learned(CALLS, "colour", "color", 2)
    told = [likelihood(pattern, tree, passed) for passed in (0, 1, 2, 3)]
    assert all(one > other for one, other in pairwise(told))
    assert told[-1] < POLICY.threshold


def test_a_line_like_an_edited_one_is_likelier() -> None:
    same, tree = learned(CALLS, "colour", "color", 2)
    text = "x = a.colour(1)\n" * 2 + "for each in others: print(each, a.colour(each + 2), 7)\n" * 4
    other, other_tree = learned(text, "colour", "color", 2)
    assert likelihood(other, other_tree) < likelihood(same, tree)


def test_another_file_takes_more() -> None:
    pattern, tree = learned(CALLS, "colour", "color", 2)
    assert likelihood(pattern, tree_of(CALLS, "file:///work/b.py")) < likelihood(pattern, tree)


def test_one_edit_of_a_call_is_not_enough() -> None:
    for old, new in (("colour", "color"), ("(1)", "(1, 2)"), ("a.", "b.")):
        pattern, tree = learned(CALLS, old, new)
        evidence = evidence_at(pattern, tree, places(pattern, tree)[0])
        assert not POLICY.shows(evidence), (old, new)


def test_one_edit_of_a_definition_is_enough() -> None:
    text = "def load_all(x):\n    return x\n\n\na = load_all(1)\nb = load_all(2)\n"
    pattern, tree = learned(text, "load_all", "load_each")
    assert pattern.kind is Kind.DEFINITION_RENAMED
    found = places(pattern, tree)
    assert POLICY.shows(evidence_at(pattern, tree, found[0]))


def test_a_kind_that_is_seldom_right_takes_more_than_one_that_is() -> None:
    pattern, tree = learned(CALLS, "colour", "color", 2)
    seldom = replace(pattern, kind=Kind.TYPE_CHANGED)
    often = replace(pattern, kind=Kind.DEFINITION_RENAMED)
    assert likelihood(seldom, tree) < likelihood(often, tree)


async def test_what_is_passed_by_again_and_again_is_not_shown_any_more() -> None:
    text = "class A:\n" + "    x = a.colour(1)\n" * 30
    changes, source = SameChange(), Source(URI, text, "python")
    for line in range(1, 6):
        at = source.text.index("colour")
        after = source.apply(Edit(Span(at, at + 6), "color"), version=source.version + 1)
        changes.changed(source, after)
        source = after
        changes.left(URI, line + 1)
    await changes.learn()
    tree = parse(source)
    assert tree is not None
    shown = 0
    for line in range(6, 30):
        changes.moved(URI, line)
        shown += changes.at_line(tree, line) is not None
    assert 1 <= shown <= 4


@pytest.mark.parametrize(
    ("one", "other", "akin"),
    [
        ("fetch_all", "fetchEach", True),
        ("LazyFile", "_LazyFile", True),
        ("HTTPError", "http_failure", True),
        ("contextlib", "sys", False),
        ("cast", "ClassVar", False),
        ("a_b", "a_c", False),
    ],
)
def test_names_are_akin_by_a_part_that_tells(one: str, other: str, akin: bool) -> None:
    assert are_akin(one, other) is akin


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [("f(a, b)", "f(a, b)", 1.0), ("", "", 1.0), ("a", "b", 0.0), ("f(a)", "f(b)", 0.75)],
)
def test_lines_are_alike_by_their_tokens(one: str, other: str, share: float) -> None:
    assert likeness(one, other) == pytest.approx(share)


def test_the_outermost_definition_counts() -> None:
    tree = tree_of("class A:\n    def f(self):\n        return 1\n\n\nx = 1\n")
    assert [outer_name(tree, line) for line in (0, 1, 2, 5)] == ["A", "A", "A", ""]
