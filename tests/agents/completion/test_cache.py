"""The suggestion cache finds an entry wherever its text still fits, and only there."""

from __future__ import annotations

import pytest

from coai_agents.completion.cursor import Cursor
from coai_agents.completion.suggestion_cache import PER_SUFFIX, WINDOW, Entry, SuggestionCache

URI = "file:///a.py"


def entry(text: str, identity: int = 1) -> Entry:
    return Entry(text=text, backend="b", model="m", identity=identity)


def rest(cache: SuggestionCache, prefix: str, suffix: str = "\n", uri: str = URI) -> str | None:
    found = cache.find(Cursor(uri, prefix, suffix))
    return None if found is None else found.rest


@pytest.mark.parametrize(
    ("prefix", "suffix", "uri", "expected"),
    [
        ("x = ", "\n", URI, "f(1)"),
        ("x = f", "\n", URI, "(1)"),
        ("x = f(1", "\n", URI, ")"),
        ("x = f(1)", "\n", URI, None),
        ("x = g", "\n", URI, None),
        ("x =", "\n", URI, None),
        ("y = ", "\n", URI, None),
        ("x = ", ")\n", URI, None),
        ("x = ", "\n", "file:///b.py", None),
    ],
)
def test_an_entry_answers_along_its_own_text(
    prefix: str, suffix: str, uri: str, expected: str | None
) -> None:
    cache = SuggestionCache(10)
    cache.put(Cursor(URI, "x = ", "\n"), entry("f(1)"))
    assert rest(cache, prefix, suffix, uri) == expected


def test_the_longest_prefix_wins() -> None:
    cache = SuggestionCache(10)
    cache.put(Cursor(URI, "x = ", "\n"), entry("f(1)"))
    cache.put(Cursor(URI, "x = f", "\n"), entry("oo()"))
    assert rest(cache, "x = f") == "oo()"
    assert rest(cache, "x = f(") == "1)"


def test_an_entry_for_the_same_place_is_replaced() -> None:
    cache = SuggestionCache(10)
    cache.put(Cursor(URI, "x = ", "\n"), entry("f(1)"))
    cache.put(Cursor(URI, "x = ", "\n"), entry("g(2)"))
    assert rest(cache, "x = ") == "g(2)"
    assert len(cache) == 1


@pytest.mark.parametrize(
    ("text", "prefix", "suffix", "expected", "replaces"),
    [
        ("f(1)", "x = f(", ")\n", "1", 0),
        ("f([1])", "x = f([", "])\n", "1", 0),
        ("f(1) + 2", "x = f(", ")\n", "1) + 2", 1),
        ('f("a")', 'x = f("', '")\n', "a", 0),
        ("f(1)", "x = f(1", ")\n", None, 0),  # nothing is left
        ("f(1, [", "x = f(", ")\n", None, 0),  # the closer belongs to something else
        ("f(1)", "x = ", ")\n", None, 0),
        ("f(1)", "x = f(", ");\n", None, 0),
    ],
)
def test_a_bracket_that_the_editor_closed_is_no_other_place(
    text: str, prefix: str, suffix: str, expected: str | None, replaces: int
) -> None:
    cache = SuggestionCache(10)
    cache.put(Cursor(URI, "x = ", "\n"), entry(text))
    found = cache.find(Cursor(URI, prefix, suffix))
    assert (found and found.rest) == expected
    assert (found.replaces if found else 0) == replaces


def test_an_edit_far_above_does_not_lose_an_entry() -> None:
    cache = SuggestionCache(10)
    text = "a = 1\n" * 1000
    cache.put(Cursor(URI, "import os\n" + text + "x = ", "\n"), entry("f(1)"))
    assert rest(cache, "import sys, os\n" + text + "x = f") == "(1)"


def test_the_beginning_of_a_document_counts() -> None:
    cache = SuggestionCache(10)
    cache.put(Cursor(URI, "x = ", "\n"), entry("f(1)"))
    assert rest(cache, "maximum = ") is None
    assert len("x = ") < WINDOW


def test_old_entries_give_way() -> None:
    cache = SuggestionCache(3)
    for number in range(5):
        cache.put(Cursor(URI, "x = ", f"{number}\n"), entry(f"f({number})"))
    assert len(cache) == 3
    assert rest(cache, "x = ", "1\n") is None
    assert rest(cache, "x = ", "4\n") == "f(4)"


def test_one_suffix_does_not_grow_without_bound() -> None:
    cache = SuggestionCache(1000)
    for number in range(3 * PER_SUFFIX):
        cache.put(Cursor(URI, f"x{number} = ", "\n"), entry("f()"))
    assert len(cache) == PER_SUFFIX


def test_a_closed_document_is_forgotten() -> None:
    cache = SuggestionCache(10)
    cache.put(Cursor(URI, "x = ", "\n"), entry("f(1)"))
    cache.put(Cursor("file:///b.py", "x = ", "\n"), entry("f(1)"))
    cache.forget(URI)
    assert rest(cache, "x = ") is None
    assert len(cache) == 1
    cache.clear()
    assert len(cache) == 0
