"""Snapshots: text, lines and positions after any edits are what a slow reference says."""

from __future__ import annotations

import os
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coai_agents.source import (
    Edit,
    Encoding,
    Position,
    Source,
    Span,
    TextEdit,
    merge,
    normal_language,
    path_of,
    without_surrogates,
)
from tests.support.reference_text import (
    ENCODINGS,
    Change,
    EncodingName,
    ReferenceDocument,
    documents,
    edits,
    lines_of,
    texts,
    width,
)

U8, U16, U32 = Encoding.UTF_8, Encoding.UTF_16, Encoding.UTF_32


def source_of(text: str) -> Source:
    return Source("untitled:x", text)


def changed(source: Source, change: Change, encoding: EncodingName) -> Source:
    span = None
    if change.range is not None:
        start, end = (Position(*position) for position in change.range)
        span = source.span_at(start, end, Encoding(encoding))
    return source.apply(Edit(span, change.text))


def assert_equals_reference(source: Source, reference: ReferenceDocument) -> None:
    assert source.text == reference.text
    lines = lines_of(reference.text)
    assert source.line_count == len(lines)
    assert [source.line_text(n) for n in range(source.line_count)] == [line for line, _ in lines]


# ------------------------------------------------------------------------- edits


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(ENCODINGS), documents(), st.data())
def test_edits_leave_text_and_lines_equal_to_the_reference(
    encoding: EncodingName, text: str, data: st.DataObject
) -> None:
    reference = ReferenceDocument(text, encoding)
    source = source_of(text)
    assert_equals_reference(source, reference)
    for _ in range(data.draw(st.integers(1, 8))):
        change = data.draw(edits(reference))
        reference.apply(change)
        source = changed(source, change, encoding)
        assert_equals_reference(source, reference)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(ENCODINGS), documents(), st.data())
def test_positions_convert_both_ways_as_in_the_reference(
    encoding: EncodingName, text: str, data: st.DataObject
) -> None:
    reference = ReferenceDocument(text, encoding)
    source = changed(source_of("\n"), Change(None, text), encoding)
    for change in (data.draw(edits(reference)), data.draw(edits(reference))):
        reference.apply(change)
        source = changed(source, change, encoding)
    for offset in range(len(source.text) + 1):
        position = source.position_at(offset, Encoding(encoding))
        assert (position.line, position.character) == reference.position(offset)
        found = source.offset_at(position, Encoding(encoding))
        inside_line_end = source.text[offset - 1 : offset + 1] == "\r\n" and offset > 0
        assert found == (offset - 1 if inside_line_end else offset)
    for line, (content, _) in enumerate(lines_of(source.text)):
        for character in range(sum(width(each, encoding) for each in content) + 3):
            found = source.offset_at(Position(line, character), Encoding(encoding))
            assert found == reference.offset(line, character)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from("ab\né😀漢"), min_size=1, max_size=5), st.integers(0, 900))
def test_byte_offsets_are_those_of_the_encoded_text(pieces: list[str], times: int) -> None:
    text = "".join(pieces) * times
    source = source_of(text)
    encoded = text.encode()
    for offset in {0, 1, 255, 256, 257, len(text) // 2, len(text) - 1, len(text)}:
        if 0 <= offset <= len(text):
            byte = len(text[:offset].encode())
            assert source.byte_offset(offset) == byte
            assert source.offset_of_byte(byte) == offset
    for byte in {len(encoded) // 3, len(encoded) // 2, max(0, len(encoded) - 1)}:
        whole = encoded[:byte].decode("utf-8", "ignore")
        assert source.offset_of_byte(byte) == len(whole), "inside a character its start is meant"


@settings(max_examples=100, deadline=None)
@given(documents(), st.data())
def test_the_merged_edit_leads_from_the_first_text_to_the_last(
    text: str, data: st.DataObject
) -> None:
    first = source = source_of(text)
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(source.text)))
        end = data.draw(st.integers(start, len(source.text)))
        source = source.apply(Edit(Span(start, end), data.draw(texts(most=3))))
    made = source.edits_since(first)
    assert made is not None
    edit = merge(made)
    assert first.text[: edit.start] == source.text[: edit.start]
    assert first.text[edit.old_end :] == source.text[edit.new_end :]
    assert edit.new_end - edit.old_end == len(source.text) - len(first.text)


@pytest.mark.parametrize(
    ("before", "span", "text", "lines"),
    [
        ("a\r\nb", Span(2, 2), "x", ["a", "x", "b"]),
        ("a\r\nb", Span(1, 2), "", ["a", "b"]),
        ("a\r\nb", Span(2, 3), "", ["a", "b"]),
        ("a\rb\nc", Span(2, 3), "", ["a", "c"]),
        ("a\rb", Span(2, 2), "\n", ["a", "b"]),
        ("a\nb", Span(1, 1), "\r", ["a", "b"]),
        ("\nb", Span(0, 0), "\r", ["", "b"]),
        ("a\n\nb", Span(2, 2), "\r", ["a", "", "b"]),
        ("a\nb\nc", Span(0, 5), "", [""]),
        ("", Span(0, 0), "\n", ["", ""]),
    ],
)
def test_line_ends_that_meet_or_part(before: str, span: Span, text: str, lines: list[str]) -> None:
    source = source_of(before).apply(Edit(span, text))
    assert [source.line_text(n) for n in range(source.line_count)] == lines
    assert [source.line_text(source.line_at(source.line_start(n))) for n in range(len(lines))] == (
        lines
    )


def test_lines_below_one_that_is_typed_in_move_along() -> None:
    typed = source_of("one\ntwo\nthree\n")
    for letter in "abc":
        at = typed.line_end(1)
        typed = typed.apply(Edit(Span(at, at), letter))
    assert typed.text == "one\ntwoabc\nthree\n"
    elsewhere = typed.apply(Edit(Span(0, 0), "zero"))
    assert [elsewhere.line_start(n) for n in range(4)] == [0, 8, 15, 21]
    assert [elsewhere.line_at(offset) for offset in (7, 8, 14, 15, 99)] == [0, 1, 1, 2, 3]


def test_a_snapshot_is_not_changed_by_an_edit_nor_by_hand() -> None:
    source = Source("file:///a.py", "x = 1\n", "python", 3)
    after = source.apply(Edit(Span(4, 5), "2"), version=4)
    assert (source.text, source.version) == ("x = 1\n", 3)
    assert (after.text, after.version, after.language, after.uri) == (
        *("x = 2\n", 4, "python", "file:///a.py"),
    )
    assert after.apply(Edit(None, "y"), version=7).version == 7
    assert after.apply(Edit(None, "y")).version == 4
    with pytest.raises(FrozenInstanceError):
        source.text = "other"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue] - what is tested


@pytest.mark.parametrize("span", [(-1, 0), (2, 1)])
def test_a_span_that_is_none_is_refused(span: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="a span runs from 0 up"):
        Span(*span)


def test_an_edit_beyond_the_text_is_refused() -> None:
    with pytest.raises(ValueError, match="the edit ends at 4, the text at 3"):
        source_of("abc").apply(Edit(Span(0, 4), ""))


def test_spans_know_what_they_hold() -> None:
    span = Span(2, 5)
    assert len(span) == 3
    assert [span.contains(offset) for offset in (1, 2, 5, 6)] == [False, True, True, False]
    assert span.covers(Span(2, 3))
    assert not span.covers(Span(4, 6))
    assert source_of("abcdef").slice(span) == "cde"


# ------------------------------------------------------------------------ history


def test_edits_since_an_earlier_snapshot() -> None:
    first = source_of("abc")
    second = first.apply(Edit(Span(1, 2), "xy"))
    third = second.apply(Edit(Span(0, 0), "-"))
    assert third.edits_since(third) == ()
    assert third.edits_since(second) == (TextEdit(0, 0, 1),)
    assert third.edits_since(first) == (TextEdit(1, 2, 3), TextEdit(0, 0, 1))
    assert merge((TextEdit(1, 2, 3), TextEdit(0, 0, 1))) == TextEdit(0, 2, 4)


def test_edits_since_a_branch_a_replacement_or_long_ago_are_not_known() -> None:
    first = source_of("abc")
    second = first.apply(Edit(Span(3, 3), "d"))
    assert second.edits_since(first.apply(Edit(Span(3, 3), "d"))) is None, "another branch"
    assert first.edits_since(second) is None, "the future"
    assert second.apply(Edit(None, "new")).edits_since(second) is None
    later = first
    for _ in range(64):
        later = later.apply(Edit(Span(0, 0), "."))
    known = later.edits_since(first)
    assert known is not None
    assert len(known) == 64
    assert later.apply(Edit(Span(0, 0), ".")).edits_since(first) is None


# ---------------------------------------------------------------------- positions


@pytest.mark.parametrize(
    ("text", "position", "encoding", "offset"),
    [
        ("a😀b", (0, 1), U16, 1),
        ("a😀b", (0, 2), U16, 1),
        ("a😀b", (0, 3), U16, 2),
        ("a😀b", (0, 3), U8, 1),
        ("a😀b", (0, 5), U8, 2),
        ("a😀b", (0, 2), U32, 2),
        ("é", (0, 1), U8, 0),
        ("é", (0, 2), U8, 1),
        ("é", (0, 1), U16, 1),
        ("ab\r\ncd", (0, 9), U16, 2),
        ("ab\r\nçd", (0, 3), U16, 2),
        ("ab\r\ncd", (1, 1), U16, 5),
        ("ab\rcd", (1, 0), U8, 3),
        ("ab\u2028cd", (0, 4), U16, 4),
        ("ab\n", (1, 0), U16, 3),
        ("ab\n", (1, 7), U16, 3),
        ("ab\n", (9, 0), U16, 3),
        ("ab\n", (0, -1), U16, 0),
        ("ab\ncd", (1, -1), U16, 3),
        ("ab\n", (-1, 5), U16, 0),
        ("", (0, 0), U16, 0),
        ("", (3, 3), U8, 0),
    ],
)
def test_offset_of_a_position(
    text: str, position: tuple[int, int], encoding: Encoding, offset: int
) -> None:
    assert source_of(text).offset_at(Position(*position), encoding) == offset


@pytest.mark.parametrize(
    ("text", "offset", "encoding", "position"),
    [
        ("a😀b", 2, U16, (0, 3)),
        ("a😀b", 2, U8, (0, 5)),
        ("a😀b", 2, U32, (0, 2)),
        ("ab\r\ncd", 3, U16, (0, 2)),
        ("ab\r\ncd", 4, U16, (1, 0)),
        ("ab\n", 99, U16, (1, 0)),
        ("ab\n", -1, U16, (0, 0)),
    ],
)
def test_position_of_an_offset(
    text: str, offset: int, encoding: Encoding, position: tuple[int, int]
) -> None:
    assert source_of(text).position_at(offset, encoding) == Position(*position)


def test_a_range_that_runs_backwards_is_turned_round() -> None:
    source = source_of("ab\ncd\n")
    assert source.span_at(Position(1, 1), Position(0, 1), U16) == Span(1, 4)


def test_there_is_no_line_beyond_the_last_one() -> None:
    source = source_of("a\nb")
    for line in (-1, 2):
        with pytest.raises(IndexError):
            source.line_text(line)


def test_prefix_and_suffix_are_cut_to_their_limits() -> None:
    source = source_of("abcdef")
    assert (source.prefix(3), source.suffix(3)) == ("abc", "def")
    assert (source.prefix(3, 2), source.suffix(3, 2)) == ("bc", "de")
    assert (source.prefix(3, 9), source.suffix(3, 0)) == ("abc", "")


# --------------------------------------------------------------------- surrogates


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("abc", "abc"),
        ("aé", "aé"),
        ("\ud800", "\ufffd"),
        ("\udc00\ud800", "\ufffd\ufffd"),
        ("a\ud83d\ude00b", "a😀b"),
        ("\ud83d\ud83d\ude00", "\ufffd😀"),
        ("\ud83d😀", "\ufffd😀"),
    ],
)
def test_surrogates_are_joined_or_replaced_one_by_one(text: str, clean: str) -> None:
    assert without_surrogates(text) == clean
    source = source_of(text)
    assert source.text == clean
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    assert source.position_at(len(clean), U16).character == units, "as the editor counts"
    assert source_of("").apply(Edit(Span(0, 0), text)).text == clean


# ------------------------------------------------------------ language and path


@pytest.mark.parametrize(
    ("identifier", "uri", "language"),
    [
        ("python", "untitled:a", "python"),
        ("Python", "untitled:a", "python"),
        ("typescript.tsx", "untitled:a", "typescriptreact"),
        ("jsx", "untitled:a", "javascriptreact"),
        ("sh", "untitled:a", "shellscript"),
        ("Shell Script", "untitled:a", "shellscript"),
        ("C++", "untitled:a", "cpp"),
        ("cs", "untitled:a", "csharp"),
        ("objc", "untitled:a", "objective-c"),
        ("", "file:///a/b.TSX", "typescriptreact"),
        ("plaintext", "file:///a/b.rs", "rust"),
        ("plaintext", "file:///a/b.txt", "plaintext"),
        ("", "untitled:a.py", ""),
        ("haskell", "file:///a.py", "haskell"),
    ],
)
def test_languages_have_one_name(identifier: str, uri: str, language: str) -> None:
    source = Source(uri, "", identifier)
    assert source.language == language
    assert normal_language(source.language, source.path) == language


@pytest.mark.parametrize(
    ("uri", "windows", "path"),
    [
        ("file:///home/a%20b/c.py", False, "/home/a b/c.py"),
        ("file:///home/%C3%A9.py", False, "/home/é.py"),
        ("file://localhost/x.py", False, "/x.py"),
        ("file://host/share/x.py", False, "//host/share/x.py"),
        ("file:///c%3A/x.py", True, "c:/x.py"),
        ("file:///C:/x.py", True, "C:/x.py"),
        ("file:///c%3A/x.py", False, "/c:/x.py"),
        ("untitled:Untitled-1", False, None),
        ("vscode-notebook-cell:/a.ipynb#1", False, None),
        ("git:/a.py?x", False, None),
        ("file:///a%00b", False, None),
        ("file:", False, None),
        ("file://[broken/x", False, None),
        ("", False, None),
    ],
)
def test_path_of_a_uri(uri: str, windows: bool, path: str | None) -> None:
    found = path_of(uri, windows=windows)
    assert found == (None if path is None else Path(path))


@pytest.mark.skipif(os.name == "nt", reason="Windows names are text, not bytes")
def test_a_path_that_is_not_utf_8_is_kept() -> None:
    path = path_of("file:///a%ffb", windows=False)
    assert path is not None
    assert os.fsencode(path) == b"/a\xffb"
