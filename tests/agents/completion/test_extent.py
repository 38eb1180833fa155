"""Where a suggestion ends, as tables of what the model wrote and what is kept of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coai_agents.completion.stop.line_extent import End, find_end
from coai_agents.completion.stop.surroundings import Surroundings, indentation

FUNCTION = "def f(items):\n    total = 0\n"


def cut(before: str, text: str, after: str, **how: bool) -> tuple[str, End]:
    extent = find_end(text, Surroundings.around(before, after), whole=True, **how)
    assert extent is not None
    return text[: extent.length], extent.end


@pytest.mark.parametrize(
    ("before", "text", "after", "kept", "end"),
    [
        # The next line of the document is reached, exactly or nearly.
        (
            FUNCTION + "    ",
            "for item in items:\n        total += item\n    return total\n\nprint(f([1]))\n",
            "\n    return total\n",
            "for item in items:\n        total += item",
            End.SUFFIX,
        ),
        (
            FUNCTION,
            "    for item in items:\n        total += item * weight\n    return totals\n",
            "\n        total += item * weights\n    return total\n",
            "    for item in items:",
            End.SUFFIX,
        ),
        # Short lines that only look alike are different lines.
        (
            FUNCTION + "    ",
            "depth += 1\n    depth += 2\n",
            "\n    depth -= 1\n",
            "depth += 1\n    depth += 2\n",
            End.MODEL,
        ),
        # The text falls out of its block, or out of the function.
        (
            FUNCTION + "    while items:\n        ",
            "items.pop()\n    print(total)\n",
            "\n",
            "items.pop()",
            End.DEDENT,
        ),
        (
            FUNCTION + "    ",
            "return total\n\n# Test the function\nprint(f([1]))\n",
            "\n",
            "return total\n",
            End.FUNCTION,
        ),
        # What follows would never run.
        (
            FUNCTION + "    ",
            "total += 1\n    return total\n",
            "\n    total *= 2\n    return total\n",
            "total += 1",
            End.UNREACHABLE,
        ),
        (
            FUNCTION + "    if items:\n        ",
            "return total\n",
            "\n    else:\n        total = 1\n",
            "return total\n",
            End.MODEL,
        ),
        # Nor is a control token.
        ("", "<|im_start|>assistant\n", "", "", End.PROSE),
        # Closing brackets may stand further left than what they close.
        (
            "x = call(\n    ",
            "one,\n    two,\n)\nprint(x)\n",
            "\n",
            "one,\n    two,\n)",
            End.BLOCK,
        ),
        (
            "x = call(\n    ",
            "[\n        1,\n    ],\n    two,\n)\n",
            "\n)\n",
            "[\n        1,\n    ],\n    two,",
            End.SUFFIX,
        ),
    ],
)
def test_lines_that_belong_are_kept(
    before: str, text: str, after: str, kept: str, end: End
) -> None:
    assert cut(before, text, after) == (kept, end)


@pytest.mark.parametrize(
    ("before", "text", "after", "kept", "end"),
    [
        ("print(f(", "items))\nprint(2)", "))\n", "items))", End.SUFFIX),
        ("print(f(", "g(items)))\n", "))\n", "g(items)))", End.SUFFIX),
        ('name = "', 'value"\nother', '"\n', 'value"', End.SUFFIX),
        ("x = [", "1, 2]  # list\nx", "]\n", "1, 2]  # list", End.LINE),
        ("if ", "x > 0:\n    pass\n", ":\n    pass\n", "x > 0:", End.SUFFIX),
        ("return ", "a if b else None\n", " if b else None\n", "a if b else None", End.SUFFIX),
        # The rest of the line is never reached: one line only, or it would be torn apart.
        ("x = ", "1\ny = 2\n", "  + z\n", "1", End.LINE),
        ("x = f(", "1,\n  2\n", ") + z\n", "1,", End.LINE),
        # A bracket that the text opens itself is waited for.
        ("f(", "[\n  1,\n]\ng()\n", ")\n", "[\n  1,\n]", End.LINE),
        ("f(", "[\n  1,\n])\ng()\n", ")\n", "[\n  1,\n])", End.SUFFIX),
    ],
)
def test_a_text_before_a_rest_ends_with_the_rest_or_the_line(
    before: str, text: str, after: str, kept: str, end: End
) -> None:
    assert cut(before, text, after) == (kept, end)


def test_a_single_line_ends_with_its_line() -> None:
    assert cut("x = ", "1\ny = 2\n", "\n", single_line=True) == ("1", End.LINE)


def test_a_leading_line_end_is_no_single_line() -> None:
    kept, _ = cut(FUNCTION, "\n    return total\n", "\n", single_line=True)
    assert kept == "\n    return total\n"


def test_a_patient_reader_passes_the_block_on_the_way_to_the_suffix() -> None:
    before = "def f(xs):\n    for x in xs:\n"
    text = "        if x:\n            even += 1\n    if even:\n        return 1\n    return 0\n"
    after = "\n        return 1\n    return 0\n"
    assert cut(before, text, after)[0] == "        if x:\n            even += 1"
    patient = cut(before, text, after, patient=True)
    assert patient == ("        if x:\n            even += 1\n    if even:", End.SUFFIX)


def test_a_patient_reader_comes_back_to_the_block_if_the_suffix_never_comes() -> None:
    before = "def f(xs):\n    for x in xs:\n        "
    text = "print(x)\n    print(1)\n\nprint(f([]))\n"
    assert cut(before, text, "\n    done()\n", patient=True) == ("print(x)", End.DEDENT)


@pytest.mark.parametrize(
    "loop", ["x = 1\n" * 9, "x = 1\ny = 2\n" * 5, "a()\nb()\nc()\n" * 4], ids=["1", "2", "3"]
)
def test_a_loop_is_cut_after_its_first_turn(loop: str) -> None:
    kept, end = cut("", loop, "")
    assert end is End.REPETITION
    assert 0 < kept.count("\n") + 1 <= 3


def test_an_unfinished_line_is_not_judged() -> None:
    around = Surroundings.around(FUNCTION + "    ", "\n    return total\n")
    assert find_end("total += 1\n    retur", around, whole=False) is None
    assert find_end("total += 1\n    return total\n", around, whole=False) is not None


@pytest.mark.parametrize(("line", "column"), [("x", 0), ("  x", 2), ("\tx", 8), ("  \tx", 8)])
def test_indentation_counts_tabs_to_multiples_of_eight(line: str, column: int) -> None:
    assert indentation(line) == column


def test_the_surroundings_are_the_nearest_lines_that_are_not_blank() -> None:
    around = Surroundings.around("def f():\n    a\n\n    b = ", "1\n\n\n    c\n\n    d\n")
    assert around.line_prefix == "    b = "
    assert around.line_suffix == "1"
    assert around.previous_line == "    a"
    assert around.next_lines == ("    c", "    d")
    assert not around.adjoining
    assert around.floor(4) == 0


LINES = st.lists(
    st.sampled_from(
        [
            "",
            "x = 1",
            "    y()",
            "        z",
            "return",
            "}",
            ")",
            "```",
            "    return x",
            "\té\U0001d4b3",
        ]
    ),
    max_size=8,
).map("\n".join)


@given(before=LINES, text=LINES, after=LINES, single=st.booleans(), patient=st.booleans())
def test_what_is_kept_is_a_beginning_of_the_text(
    before: str, text: str, after: str, single: bool, patient: bool
) -> None:
    around = Surroundings.around(before, after)
    extent = find_end(text, around, whole=True, single_line=single, patient=patient)
    assert extent is not None
    assert 0 <= extent.length <= len(text)


@given(before=LINES, text=LINES, after=LINES, single=st.booleans())
def test_streaming_comes_to_the_same_end(before: str, text: str, after: str, single: bool) -> None:
    around = Surroundings.around(before, after)
    whole = find_end(text, around, whole=True, single_line=single)
    for length in range(len(text) + 1):
        early = find_end(text[:length], around, whole=False, single_line=single)
        if early is not None and around.at_line_end:
            assert early == whole
            break
