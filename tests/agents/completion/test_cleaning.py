"""What comes from the model is cleaned, or refused with a reason."""

from __future__ import annotations

import pytest

from coai_agents.completion.cursor import Cursor
from coai_agents.completion.outcome import Reason
from coai_agents.completion.stop.cleaning import clean
from coai_agents.completion.stop.fitting import Ground
from coai_agents.completion.stop.line_extent import find_end

TOKENS = ("<|fim_middle|>", "<|endoftext|>")


@pytest.mark.parametrize(
    ("before", "text", "after", "expected"),
    [
        ("x = ", "1  \n\n", "\n", "1"),
        ("x = ", "1 ", "+ y\n", "1 "),
        ("x = ", "f(<|endoftext|>a)", "\n", "f("),
        ("def f():\n", "    return 1", "\n", "    return 1"),
        ("def f():\n    ", "\n    return 1", "\n", "return 1"),
        ("def f():\n    x = 1", "\n    return 1", "\n", "\n    return 1"),
        ("x = ", "", "\n", Reason.MODEL_SAID_NOTHING),
        ("x = ", "  \n", "\n", Reason.FILTERED_BLANK),
        ("x = 1\n", "y = 2\n", "\ny = 2\n", Reason.FILTERED_COPY_OF_NEXT_LINE),
        ("x = 1\n", "x = 1\n", "\ny = 2\n", Reason.FILTERED_REPETITION),
        ("    done()\n    }", "\n", "", Reason.FILTERED_BLANK),
        ("f(", ")", ")\n", Reason.FILTERED_COPY_OF_NEXT_LINE),
    ],
)
def test_a_suggestion_is_clean_or_has_a_reason(
    before: str, text: str, after: str, expected: str | Reason
) -> None:
    cursor = Cursor("file:///a.py", before, after)
    extent = find_end(text, cursor.around, whole=True)
    assert extent is not None
    assert clean(text, extent, cursor, Ground(), TOKENS) == expected


def test_every_reason_has_a_meaning() -> None:
    for reason in Reason:
        assert reason.meaning.endswith(".")
