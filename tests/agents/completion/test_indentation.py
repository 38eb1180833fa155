"""A suggestion is indented as the file is, and not twice."""

from __future__ import annotations

import pytest

from tests.agents.completion.fitted import MARK, shown

TABS = "def g():\n\treturn 2\n\n"
BLANKS = "def g():\n    return 2\n\n"


@pytest.mark.parametrize(
    ("says", "marked", "expected", "language"),
    [
        ("    x = 1\n    return x", TABS + "def f():\n¦", "\tx = 1\n\treturn x", "python"),
        ("    x = 1\n    return x", TABS + "def f():\n\t¦", "x = 1\n\treturn x", "python"),
        ("  if x:\n    go()", TABS + "def f(x):\n\t¦", "if x:\n\t\tgo()", "python"),
        (
            "if x {\n        go()\n    }",
            "func f(x bool) {\n\t¦\n}\n",
            "if x {\n\t\tgo()\n\t}",
            "go",
        ),
        ("\tx = 1\n\treturn x", BLANKS + "def f():\n¦", "    x = 1\n    return x", "python"),
        ("    return 1", BLANKS + "def f():\n    ¦", "return 1", "python"),
        ("    return 1", BLANKS + "def f():\n    if x:\n    ¦", "    return 1", "python"),
        ("x = 1\n    return x", BLANKS + "def f():\n    ¦", "x = 1\n    return x", "python"),
        ("\treturn 1", TABS + "def f():\n¦", "\treturn 1", "python"),
    ],
)
def test_a_suggestion_is_indented_as_the_file(
    says: str, marked: str, expected: str, language: str
) -> None:
    for size in (2, 300):
        assert shown(says, marked, language, piece=size) == marked.replace(MARK, expected)
