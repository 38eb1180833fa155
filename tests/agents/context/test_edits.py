"""Edited places: they join the ring when they are left, and make room for newer ones."""

from __future__ import annotations

from coai_agents.context.chunks import LONGEST_LINE, Chunk
from coai_agents.context.edits import PLACES, REACH, EditedPlace, EditRing, chunk_around
from coai_agents.source import Source

A = Source("file:///a.py", "x\n" * 500)
B = Source("file:///b.py", "y\n" * 500)


def chunk(line: int, *names: str, uri: str = A.uri) -> Chunk:
    return Chunk(uri, f"/{uri[-4:]}", uri[-4:], line, " ".join(names), frozenset(names))


def test_a_place_is_left_by_editing_elsewhere() -> None:
    ring = EditRing()
    assert ring.edited(A, 10) is None
    assert ring.edited(A, 10 + REACH) is None
    assert ring.edited(A, 200) == EditedPlace(A, 10 + REACH)
    assert ring.edited(B, 200) == EditedPlace(A, 200)
    assert ring.left(A.uri) is None
    assert ring.left(B.uri) == EditedPlace(B, 200)
    assert ring.left(B.uri) is None


def test_the_place_left_last_comes_first_and_old_ones_are_forgotten() -> None:
    ring = EditRing()
    for number in range(PLACES + 4):
        ring.add(chunk(1000 * number, f"name{number}"))
    lines = [each.line for each in ring.chunks]
    assert lines == [1000 * number for number in range(PLACES + 3, 3, -1)]


def test_a_newer_text_of_the_same_place_takes_its_place() -> None:
    ring = EditRing()
    ring.add(chunk(100, "a", "b", "c"))
    ring.add(chunk(110, "a", "b", "c", "d"))
    ring.add(chunk(900, "a", "b", "c", "e"))
    assert [each.line for each in ring.chunks] == [900, 110]
    ring.add(chunk(0, "a", "b", "c", "e", uri=B.uri))
    assert [each.uri for each in ring.chunks] == [B.uri, A.uri]


def test_places_of_refused_files_are_dropped() -> None:
    ring = EditRing()
    ring.add(chunk(0, "a"))
    ring.add(chunk(0, "b", uri=B.uri))
    ring.forget({"/a.py"})
    assert [each.uri for each in ring.chunks] == [B.uri]


def around(text: str, line: int) -> Chunk | None:
    return chunk_around("file:///a.py", "/a.py", "a.py", text, line)


def test_a_place_has_the_lines_around_the_edit() -> None:
    text = "\n".join(f"line_{number}" for number in range(200))
    found = around(text, 100)
    assert found is not None
    lines = found.text.split("\n")
    assert (found.line, lines[0], lines[-1]) == (68, "line_68", "line_131")
    assert "line_100" in found.names
    near_the_start = around(f"\n\n{text}\n\n", 3)
    assert near_the_start is not None
    assert (near_the_start.line, near_the_start.text[:6]) == (2, "line_0")


def test_blank_places_and_those_of_machines_say_nothing() -> None:
    assert around("\n\n\n", 1) is None
    assert around("x" * (LONGEST_LINE + 1), 0) is None
    assert around("x\n", 50) is None
