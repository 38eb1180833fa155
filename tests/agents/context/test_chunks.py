"""Pieces of files, and which are alike."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coai_agents.context.chunks import (
    CHUNK_LINES,
    LONGEST_LINE,
    MOST_CHUNKS,
    Chunk,
    ChunkIndex,
    chunks_of,
    identifiers,
    jaccard,
)


def cut(text: str) -> tuple[Chunk, ...]:
    return chunks_of("file:///a.py", "/a.py", "a.py", text)


def chunk(number: int, *names: str) -> Chunk:
    return Chunk(
        f"file:///{number}", f"/{number}", str(number), 0, " ".join(names), frozenset(names)
    )


@given(st.lists(st.sampled_from(["x = 1", "", "    y = 2", "def f():"]), max_size=200))
def test_chunks_hold_every_line_that_is_not_blank_once(lines: list[str]) -> None:
    found = cut("\n".join(lines))
    kept = [line for each in found for line in each.text.split("\n") if line.strip()]
    assert kept == [line for line in lines if line.strip()]
    assert all(len(each.text.split("\n")) <= CHUNK_LINES for each in found)
    for each in found:
        assert each.text.split("\n") == lines[each.line : each.line + each.text.count("\n") + 1]


def test_chunks_end_before_a_new_block_where_they_can() -> None:
    block = "def f():\n" + "    x = 1\n" * 25 + "\n"
    assert [each.line for each in cut(block * 3)] == [0, 27, 54]


def test_what_a_machine_made_has_no_chunks_and_long_files_have_an_end() -> None:
    assert cut("x" * (LONGEST_LINE + 1)) == ()
    assert len(cut("value = 1\n" * CHUNK_LINES * 2 * MOST_CHUNKS)) == MOST_CHUNKS
    assert cut("") == cut("\n\n  \n") == ()


def test_identifiers_are_words_of_some_length() -> None:
    assert identifiers("ab abc _x1 1abc été x.long_name") == {"abc", "_x1", "été", "long_name"}


def test_jaccard() -> None:
    assert jaccard(frozenset("abc"), frozenset("bcd")) == 0.5
    assert jaccard(frozenset(), frozenset()) == 0.0


def test_the_likest_comes_first_and_too_little_is_nothing() -> None:
    index = ChunkIndex([chunk(1, "a", "b", "c"), chunk(2, "a", "b", "c", "d"), chunk(3, "x", "y")])
    found = index.like({"a", "b", "c", "d"}, least=0.5, shared=2)
    assert [(likeness, each.shown) for likeness, each in found] == [(1.0, "2"), (0.75, "1")]
    assert index.like({"a", "b", "c", "d"}, least=0.8, shared=5) == []
    assert index.like({"a", "e", "f", "g", "h", "i"}, least=0.5, shared=1) == []


def test_what_is_everywhere_says_nothing() -> None:
    everywhere = [chunk(number, "self", f"own{number}") for number in range(20)]
    index = ChunkIndex(everywhere)
    assert index.like({"self"}, least=0.0, shared=1) == []
    assert [each.shown for _, each in index.like({"self", "own7"}, least=0.5, shared=1)] == ["7"]


@given(
    st.lists(st.frozensets(st.sampled_from("abcdef"), min_size=1), max_size=6),
    st.frozensets(st.sampled_from("abcdefgh")),
)
def test_likeness_is_that_of_the_sets_where_nothing_is_common(
    sets: list[frozenset[str]], names: frozenset[str]
) -> None:
    index = ChunkIndex(chunk(number, *found) for number, found in enumerate(sets))
    likeness = {each.shown: like for like, each in index.like(names, least=0.0, shared=1)}
    assert likeness == {
        str(number): jaccard(found, names) for number, found in enumerate(sets) if found & names
    }
