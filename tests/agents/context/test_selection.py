"""Choosing pieces: within the budget, the same again, and in the same place while they are good."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from coai_agents.context.selection import MARGIN, Packed, Piece, Steadiness, pack, select

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence


def piece(
    name: str,
    score: float = 0.5,
    *,
    path: str = "a.py",
    text: str | None = None,
    steadiness: Steadiness = Steadiness.DEFINITION,
    smallest: int = 0,
    line: int = 0,
) -> Piece:
    return Piece(
        name, path, f"def {name}()" if text is None else text, score, steadiness, smallest, line
    )


def choose(
    shown: Sequence[Piece], candidates: Sequence[Piece], budget: int, gone: Sequence[str] = ()
) -> tuple[Piece, ...]:
    texts = {each.key: each.text for each in (*shown, *candidates) if each.key not in gone}
    return select(shown, candidates, budget, text_of=texts.get)


def said(packed: Packed) -> list[tuple[str, str]]:
    return [(file.path, file.text) for file in packed.files]


def names(pieces: Sequence[Piece]) -> list[Hashable]:
    return [each.key for each in pieces]


lines = st.text("abc ", min_size=1, max_size=30)


@st.composite
def pieces_of_any_kind(draw: st.DrawFn) -> Piece:
    number = draw(st.integers(0, 1000))
    text = draw(st.lists(lines, min_size=1, max_size=6))
    return piece(
        f"p{number}",
        draw(st.floats(0.01, 1.0)),
        path=draw(st.sampled_from(["a.py", "long/path/b.py", "c"])),
        text="\n".join(text),
        steadiness=draw(st.sampled_from(Steadiness)),
        smallest=min(draw(st.integers(0, 60)), len(text[0])),
        line=number,
    )


many = st.lists(pieces_of_any_kind(), max_size=10, unique_by=lambda each: each.key)


@given(many, st.integers(0, 400))
def test_the_budget_is_never_exceeded(candidates: list[Piece], budget: int) -> None:
    packed = pack(choose((), candidates, budget), budget)
    length = sum(len(file.path) + len(file.text) for file in packed.files)
    assert length <= packed.characters <= budget


@given(many, st.integers(0, 400), st.integers(0, 400))
def test_a_smaller_budget_shows_a_beginning(pieces: list[Piece], one: int, other: int) -> None:
    small, large = sorted((one, other))
    few = "".join(file.path + file.text for file in pack(pieces, small).files)
    more = "".join(file.path + file.text for file in pack(pieces, large).files)
    assert more.startswith(few)


@given(many, st.integers(0, 400))
def test_the_same_question_gets_the_same_answer(candidates: list[Piece], budget: int) -> None:
    first = choose((), candidates, budget)
    second = choose(first, candidates, budget)
    assert pack(second, budget).files == pack(first, budget).files
    assert choose(second, list(reversed(candidates)), budget) == second


@given(many, many, st.integers(0, 400))
def test_what_is_shown_is_relevant_or_nothing(
    shown: list[Piece], candidates: list[Piece], budget: int
) -> None:
    relevant = {each.key for each in candidates}
    chosen = choose(shown, candidates, budget)
    assert not chosen or relevant & set(names(chosen))


def test_the_steadiest_come_first_and_then_the_most_relevant_files() -> None:
    chosen = choose(
        (),
        [
            piece("outline", 0.2, path="self", steadiness=Steadiness.OUTLINE),
            piece("edit", 0.9, path="e", steadiness=Steadiness.EDIT),
            piece("b2", 0.5, path="b", line=9),
            piece("b1", 0.7, path="b", line=3),
            piece("a1", 0.6, path="a"),
        ],
        500,
    )
    assert names(chosen) == ["b1", "b2", "a1", "edit", "outline"]


def test_pieces_of_one_file_are_shown_together() -> None:
    packed = pack([piece("f"), piece("g"), piece("h", path="b.py")], 100)
    assert said(packed) == [("a.py", "def f()\ndef g()"), ("b.py", "def h()")]


def test_files_of_one_name_in_two_folders_are_told_apart() -> None:
    pieces = [replace(piece(name), origin=f"/{name}/a.py") for name in ("f", "g")]
    assert [file.origin for file in pack(pieces, 100).files] == ["/f/a.py", "/g/a.py"]


def test_what_does_not_fit_is_cut_at_a_line_or_left_out() -> None:
    long = piece("f", path="a", text="12345\n67890\nabc", smallest=5)
    assert said(pack([long], 8)) == [("a", "12345")]
    assert said(pack([long], 14)) == [("a", "12345\n67890")]
    assert pack([long], 7).files == ()
    assert pack([piece("f", path="a", text="12345\n67890", smallest=11)], 10).files == ()


def test_what_has_no_room_makes_room_for_what_has() -> None:
    large = piece("large", 0.9, text="x" * 200, smallest=200)
    assert names(choose((), [large, piece("small", 0.5)], 50)) == ["small"]


def test_what_is_new_goes_behind_what_is_shown() -> None:
    shown = choose((), [piece("late", 0.5, path="z")], 100)
    chosen = choose(shown, [piece("late", 0.5, path="z"), piece("early", 0.6, path="a")], 100)
    assert names(chosen) == ["late", "early"]


def test_a_little_better_changes_nothing_and_much_better_everything() -> None:
    shown = choose((), [piece("old", 0.5, path="o")], 12)
    little = [piece("old", 0.5, path="o"), piece("new", 0.5 * MARGIN, path="n")]
    assert names(choose(shown, little, 12)) == ["old"]
    much = [piece("old", 0.5, path="o"), piece("new", 0.51 * MARGIN, path="n")]
    assert names(choose(shown, much, 12)) == ["new"]


def test_what_is_not_relevant_any_more_stays_while_the_rest_is() -> None:
    shown = choose((), [piece("a"), piece("b", path="b")], 100)
    assert names(choose(shown, [piece("b", path="b")], 100)) == ["a", "b"]
    assert choose(shown, [], 100) == ()


def test_what_says_something_else_now_is_never_shown() -> None:
    shown = choose((), [piece("a"), piece("b", path="b")], 100)
    changed = [piece("a", text="def a(x)"), piece("b", path="b")]
    texts = {each.key: each.text for each in changed}
    assert select(shown, changed, 100, text_of=texts.get) == tuple(changed)
    assert names(choose(shown, [piece("b", path="b")], 100, gone=["a"])) == ["b"]
