"""How much of an accepted text is still there: as a table of what happened to the document."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coai_agents.completion.feedback.survival import Taken, kept_share
from coai_agents.source import Source

BEFORE = "import os\n\n\ndef mean(items):\n    if not items:\n        return 0\n"
BLOCK = "    total = 0\n    for item in items:\n        total += item.price\n    return total / 2"
AFTER = "\n\n\ndef main():\n    print(mean([1, 2]))\n"


def taken(text: str = BLOCK, before: str = BEFORE, after: str = AFTER) -> Taken:
    return Taken.of(text, Source("file:///a.py", before + text + after), len(before))


def indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else line for line in text.split("\n"))


WHOLE = BEFORE + BLOCK + AFTER


@pytest.mark.parametrize(
    ("now", "low", "high"),
    [
        (WHOLE, 1.0, 1.0),
        (WHOLE.replace("\n", "\r\n"), 1.0, 1.0),
        ("# one more line\n" * 40 + WHOLE, 1.0, 1.0),
        (WHOLE.removeprefix("import os\n\n\n"), 1.0, 1.0),
        ("class A:\n" + indented(WHOLE), 1.0, 1.0),
        (WHOLE.replace("    ", "\t"), 1.0, 1.0),
        (AFTER + BEFORE + BLOCK, 1.0, 1.0),
        (WHOLE.replace("return total / 2", "return total / len(items)"), 0.9, 0.99),
        (WHOLE.replace("for item in items:\n        total += item.price", "pass"), 0.3, 0.6),
        (WHOLE.replace("    for item", "    # all of them\n    for item"), 0.97, 1.0),
        (BEFORE + AFTER, 0.0, 0.25),
        ("", 0.0, 0.0),
        ("something\nelse\n" * 20, 0.0, 0.1),
    ],
    ids=[
        "untouched",
        "other line ends",
        "lines above",
        "lines above gone",
        "indented",
        "tabs",
        "moved",
        "its end changed",
        "its middle gone",
        "a line in between",
        "deleted",
        "an empty document",
        "another document",
    ],
)
def test_the_share_that_is_left(now: str, low: float, high: float) -> None:
    assert low <= kept_share(taken(), now) <= high


@pytest.mark.parametrize(
    ("line", "share"),
    [
        ("    total = sum(items) + 1\n", 1.0),
        ("    tally = sum(items)\n", 1.0),
        ("    total = sum(item for item in items)\n", 0.8),
        ("    total = 0\n", 0.0),
        ("", 0.0),
    ],
)
def test_a_piece_of_a_line_is_found_in_its_line(line: str, share: float) -> None:
    before, after = BEFORE + "    total = ", "\n    return total\n"
    piece = taken("sum(items)", before, after)
    now = "# moved\n" * 7 + BEFORE + line + after[1:]
    assert kept_share(piece, now) == pytest.approx(share, abs=0.21)
    assert (kept_share(piece, now) == 1.0) is (share == 1.0)


def test_the_same_text_elsewhere_is_not_mistaken_for_it() -> None:
    others = "\n".join(f"value_{number} = {number}" for number in range(30))
    before = "first = sum(items)\n" + others + "\nsecond = "
    piece = taken("sum(items)", before, "\nprint(second)\n")
    gone = before + "0\nprint(second)\n"
    assert kept_share(piece, gone) < 0.5


def test_white_space_alone_is_always_there() -> None:
    assert kept_share(taken("\n    "), "") == 1.0


def test_a_long_text_is_compared_in_part() -> None:
    long = "\n".join(f"    name_{number} = call({number})" for number in range(1000))
    changed = long.replace("call", "made")
    assert 0.0 <= kept_share(taken(long), BEFORE + changed + AFTER) < 1.0


@given(st.text(max_size=60), st.text(max_size=200), st.integers(0, 200))
def test_it_is_a_share_whatever_the_texts(text: str, document: str, at: int) -> None:
    source = Source("file:///a.py", document)
    offset = min(at, len(source.text))
    share = kept_share(Taken.of(text, source, offset), source.text)
    assert 0.0 <= share <= 1.0
