"""What an edit means for a suggestion: tables of texts before and after, with a cursor `|`."""

from __future__ import annotations

import pytest

from coai_agents.completion.feedback.following import OnScreen, after_edit, was_taken_back
from coai_agents.source import Edit, Source, Span
from coai_routing.records.usage_rows import Fate

URI = "file:///a.py"
HEAD, TAIL = "x = 1\ntotal = ", "\nprint(total)\n"
TEXT = "sum(items) + 1"

OPEN, PART, TYPED = None, Fate.ACCEPTED_IN_PART, Fate.TYPED
WHOLE, NO = Fate.ACCEPTED, Fate.REJECTED


def begin(
    text: str = TEXT, head: str = HEAD, tail: str = TAIL, replaces: int = 0
) -> tuple[OnScreen, Source]:
    return OnScreen(text, len(head), replaces), Source(URI, head + tail)


def edit(source: Source, start: int, end: int, text: str) -> Source:
    return source.apply(Edit(Span(start, end), text))


def insert(shown: OnScreen, source: Source, text: str, at: int = 0) -> Source:
    return edit(source, shown.cursor + at, shown.cursor + at, text)


@pytest.mark.parametrize(
    ("pieces", "fate", "typed", "taken"),
    [
        ([TEXT], WHOLE, 14, 14),
        (["s"], OPEN, 1, 0),
        (["s", "u", "m"], OPEN, 3, 0),
        (["sum"], OPEN, 3, 3),
        (["sum", "(items)"], OPEN, 10, 10),
        (["s", "um("], OPEN, 4, 4),
        # Within a word nothing is accepted: the editor sent several keystrokes together.
        (["su"], OPEN, 2, 0),
        (["s", "um(items) + 1"], WHOLE, 14, 14),
        (["sum", "x"], PART, 3, 3),
        (["s", "x"], NO, 1, 0),
        (["max"], NO, 0, 0),
        ([*TEXT], TYPED, 14, 0),
        (["sum", *TEXT[3:]], PART, 14, 3),
        # Together with what was typed after it.
        ([f"{TEXT}  # all"], WHOLE, 14, 14),
    ],
)
def test_what_is_inserted_at_the_cursor(
    pieces: list[str], fate: Fate | None, typed: int, taken: int
) -> None:
    shown, source = begin()
    ended: Fate | None = None
    for piece in pieces:
        assert ended is None
        after = insert(shown, source, piece)
        shown, ended = after_edit(shown, source, after)
        source = after
    assert (ended, shown.typed, shown.taken) == (fate, typed, taken)


@pytest.mark.parametrize("single", ["a", ")"])
def test_one_character_is_a_keystroke(single: str) -> None:
    shown, source = begin(text=single)
    assert after_edit(shown, source, insert(shown, source, single))[1] is TYPED


@pytest.mark.parametrize(
    ("text", "piece"), [("()\n", "()"), ("\n    return 1", "\n    "), ('""" text', '""')]
)
def test_what_editors_insert_by_themselves_is_not_accepted(text: str, piece: str) -> None:
    shown, source = begin(text=text)
    shown, fate = after_edit(shown, source, insert(shown, source, piece))
    assert (fate, shown.typed, shown.taken) == (None, len(piece), 0)


def test_the_half_of_a_pair_that_the_editor_adds_is_no_answer() -> None:
    shown, source = begin(text="(items)")
    after = insert(shown, source, "(")
    shown, _ = after_edit(shown, source, after)
    source = insert(shown, after, ")")
    shown, fate = after_edit(shown, after, source)
    assert (fate, shown.typed) == (None, 1)
    both = insert(shown, source, "items")
    shown, fate = after_edit(shown, source, both)
    assert (fate, shown.taken) == (None, 6)
    opened, untouched = begin(text="(items)")
    assert after_edit(opened, untouched, insert(opened, untouched, "()"))[1] is None


def test_what_was_typed_can_be_taken_back_as_far_as_the_beginning() -> None:
    shown, source = begin()
    after = insert(shown, source, "sum(")
    shown, _ = after_edit(shown, source, after)
    shorter = edit(after, shown.cursor - 3, shown.cursor, "")
    shown, fate = after_edit(shown, after, shorter)
    assert (fate, shown.typed, shown.taken) == (None, 1, 1)
    none = edit(shorter, shown.anchor, shown.cursor, "")
    shown, fate = after_edit(shown, shorter, none)
    assert (fate, shown.typed, shown.taken) == (None, 0, 0)
    before = edit(none, shown.anchor - 1, shown.anchor, "")
    assert after_edit(shown, none, before)[1] is NO


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [(0, 0, "import os\n"), (0, 5, ""), (len(HEAD) + 5, len(HEAD) + 5, "x"), (14, 16, "")],
    ids=["above", "another line", "below", "what follows"],
)
def test_an_edit_somewhere_else_ends_it(start: int, end: int, text: str) -> None:
    shown, source = begin()
    assert after_edit(shown, source, edit(source, start, end, text))[1] is NO


def test_an_edit_that_writes_the_line_anew_is_seen_through() -> None:
    # Some editors replace the line up to the cursor, or all of it.
    shown, source = begin(tail=")\n")
    start = len("x = 1\n")
    for end, line in ((shown.cursor, f"total = {TEXT}"), (shown.cursor + 1, f"total = {TEXT})")):
        assert after_edit(shown, source, edit(source, start, end, line))[1] is WHOLE
    other = edit(source, start, shown.cursor, f"tally = {TEXT}")
    assert after_edit(shown, source, other)[1] is NO


def test_what_it_stands_in_for_may_go() -> None:
    shown, source = begin(text="items)", tail=")\n", replaces=1)
    accepted = edit(source, shown.cursor, shown.cursor + 1, "items)")
    assert after_edit(shown, source, accepted)[1] is WHOLE
    too_much = edit(source, shown.cursor, shown.cursor + 2, "items")
    assert after_edit(shown, source, too_much)[1] is NO


def test_text_that_follows_is_not_taken_for_the_suggestion() -> None:
    shown, source = begin(text="f(x)", tail="(x)\n")
    after = insert(shown, source, "f")
    shown, fate = after_edit(shown, source, after)
    assert (fate, shown.typed) == (None, 1)


def test_a_client_that_sends_the_whole_text_is_followed_too() -> None:
    shown, source = begin()
    whole = source.apply(Edit(None, f"{HEAD}{TEXT}{TAIL}"))
    assert after_edit(shown, source, whole)[1] is WHOLE
    other = source.apply(Edit(None, f"# new\n{HEAD}{TAIL}"))
    assert after_edit(shown, source, other)[1] is NO
    shorter = source.apply(Edit(None, HEAD[:-1] + TAIL))
    assert after_edit(shown, source, shorter)[1] is NO


def test_an_edit_of_nothing_changes_nothing() -> None:
    shown, source = begin()
    assert after_edit(shown, source, source) == (shown, None)


def test_taken_back_is_what_is_gone_as_a_whole() -> None:
    source = Source(URI, HEAD + TEXT + TAIL)
    piece = len(HEAD), len(HEAD) + len(TEXT)
    start, end = piece
    assert was_taken_back(piece, source, edit(source, start, end, ""))
    assert was_taken_back(piece, source, edit(edit(source, end, end, "y"), start, end + 1, "max"))
    assert not was_taken_back(piece, source, source)
    assert not was_taken_back(piece, source, edit(source, start, end - 1, ""))
    assert not was_taken_back(piece, source, edit(source, start - 3, end, f"+= {TEXT}"))
    assert not was_taken_back(piece, source, source.apply(Edit(None, "")))
