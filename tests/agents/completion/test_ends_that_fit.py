"""Of what a model wrote over several lines so much is shown as what stands below belongs to."""

from __future__ import annotations

import pytest

from coai_agents.completion.outcome import Reason
from tests.agents.completion.fitted import fitted

CASES = {
    "what stands below is the other branch": (
        """
        def f(marks):
            depth = 0
        ¦
                else:
                    depth -= 1
            return depth
        """,
        """
            for mark in marks:
                if mark:
                    depth += 1
                elif depth:
                    depth -= 1
            return depth
        """,
        3,
    ),
    "what stands below is the handler": (
        """
        def f():
            try:
        ¦
            except OSError:
                return None
        """,
        """
                text = read()
                return text
            finally:
                close()
        """,
        2,
    ),
    "a block is opened that does not stand below": (
        """
        def f(text, here):
            for mark in text:
        ¦
                else:
                    elsewhere.append(mark)
        """,
        """
                if mark in here:
                    here.append(mark)
                elif mark in elsewhere:
                    elsewhere.append(mark)
            return here
        """,
        2,
    ),
    "the body below belongs to the innermost block": (
        """
        def f(rows):
            n = 0
        ¦
                    n += row
            return n
        """,
        """
            for row in rows:
                if row > 0:
                    n = n + row
            return n
        """,
        2,
    ),
    "the outer function goes on after the inner one": (
        """
        def total(rows):
            def even(row):
                return row % 2 == 0

        ¦
            for row in rows:
                n += row
            return n
        """,
        """
            n = 0
            last = None
            for row in rows:
                n += row
        """,
        2,
    ),
    "an inner function is not all of the outer one": (
        """
        def total(rows):
            def even(row):
        ¦
        """,
        """
                return row % 2 == 0

            return sum(filter(even, rows))

        def main():
            pass
        """,
        2,
    ),
    "a method does not go on with its class": (
        """
        class A:
            def one(self):
        ¦
        """,
        """
                return 1

            def two(self):
                return 2
        """,
        1,
    ),
    "a module goes on after a function": (
        """
        def f():
            pass

        ¦
        """,
        """
        first = f()
        second = f()
        """,
        2,
    ),
    "what stands below is the body of a function that is missing": (
        """
        def f(rows):
            for row in rows:
                n += row

        ¦
                return [f(row) for row in rows]
        """,
        """
        def g(rows):
            if rows:
                return [f(row) for row in rows]
        """,
        2,
    ),
    "what stands below is the end of what is missing": (
        """
        def f(rows):
            for row in rows:
                n += row

        ¦
                return [f(row) for row in rows]
        """,
        """
            n = 0
            if n:
                return [f(row) for row in rows]
        """,
        2,
    ),
    "what is out of its block and does not come to what stands below": (
        """
        def f(rows):
            for row in rows:
                n += row

        ¦
                m += row
        """,
        """
        print(f([]))
        print(f([1]))
        """,
        0,
    ),
    "two functions are one too many": (
        """
        def f():
            pass

        ¦
        """,
        """
        def g():
            return f()

        def h():
            return g()
        """,
        2,
    ),
}
"""Document, what the model says, and how many lines of that are shown (blank ones not counted)."""


@pytest.mark.parametrize("name", CASES)
def test_it_ends_where_what_stands_below_goes_on(name: str) -> None:
    document, says, lines = CASES[name]
    said = _text(says)
    shown = fitted(said, _text(document))
    written = [line for line in said.split("\n") if line.strip()]
    assert not isinstance(shown, Reason) or not lines
    shown_lines = [] if isinstance(shown, Reason) else shown.split("\n")
    assert [line for line in shown_lines if line.strip()] == written[:lines]


def _text(block: str) -> str:
    """Return a block without the indentation of the table around it."""
    return "\n".join(line[8:] for line in block.split("\n"))[1:]
