"""How often a document is in memory while it comes in, is kept, is edited and is analysed."""

from __future__ import annotations

import gc
import json
import tracemalloc
from typing import TYPE_CHECKING, Final

import pytest

from coai_agents.analysis.run.worker import PIECE, line_of
from coai_agents.completion.gate import MOST_CHARACTERS
from coai_agents.context.reader import Reader
from coai_agents.exclusions.decisions import ExclusionRules, Exclusions
from coai_agents.source import Edit, Source, Span
from coai_server.jsonrpc import FrameParser, Malformed, Notification, encode_frame, read_message

if TYPE_CHECKING:
    from collections.abc import Callable

LINE: Final = "value = compute(alpha, beta, gamma)  # one of many\n"

LINES: Final = 40_000

SIZE: Final = len(LINE) * LINES
"""Two megabytes: enough that everything else does not count."""

CHUNK: Final = 64 * 1024


def peak(act: Callable[[], object]) -> float:
    """Return how many times a document's size was taken at once, beyond what was there before."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept = act()
        _, most = tracemalloc.get_traced_memory()
        assert kept is not None
    finally:
        tracemalloc.stop()
    return (most - before) / SIZE


def received(frame: bytes) -> Notification:
    """Return the message of a frame that comes in as from a pipe."""
    parser = FrameParser()
    read: list[Notification] = []
    for start in range(0, len(frame), CHUNK):
        for body in parser.feed(frame[start : start + CHUNK]):
            assert not isinstance(body, Malformed)
            message = read_message(body)
            assert not body
            assert isinstance(message, Notification)
            read.append(message)
    (message,) = read
    return message


def opened() -> Notification:
    document = {"uri": "file:///x", "languageId": "python", "version": 1, "text": LINE * LINES}
    return Notification("textDocument/didOpen", {"params": {"textDocument": document}})


def test_a_document_that_comes_in_is_there_as_bytes_or_twice_as_text() -> None:
    message = {"jsonrpc": "2.0", "method": "textDocument/didOpen", **opened().message}
    frame = encode_frame(message)
    # The bytes and the text that they are; then that and the pieces of the string in it.
    assert peak(lambda: received(frame)) < 6


def test_a_body_that_ends_with_a_chunk_is_what_was_gathered() -> None:
    body = json.dumps({"jsonrpc": "2.0", "method": "m", "params": "x" * SIZE}).encode()
    frame = b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    parser = FrameParser()
    assert list(parser.feed(frame[:-CHUNK])) == []
    # The buffer may have to grow, which can move it; nothing else may copy it.
    assert peak(lambda: [*parser.feed(frame[-CHUNK:])]) < 1.2


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_snapshot_takes_little_besides_its_text(line_end: str) -> None:
    text = LINE.replace("\n", line_end) * LINES
    assert peak(lambda: Source("file:///x", text, "python")) < 0.2


def test_an_edit_takes_the_new_text_and_the_pieces_that_it_is_made_of() -> None:
    source = Source("file:///x", LINE * LINES, "python")
    for span in (Span(0, 0), Span(SIZE // 2, SIZE // 2 + 1), Span(SIZE, SIZE)):
        assert peak(lambda span=span: source.apply(Edit(span, "x\n"))) < 2.2


def test_a_question_about_a_document_is_written_in_pieces() -> None:
    text = LINE * LINES + 'é😀\u2028\\"\n' * 3
    assert peak(lambda: sum(map(len, line_of({"uri": "x"}, text)))) < 6 * PIECE / SIZE + 0.1
    for short in (text, "", "x", "\n"):
        line = b"".join(line_of({"uri": "x"}, short))
        assert line.endswith(b"}\n")
        assert line.count(b"\n") == 1
        assert json.loads(line) == {"uri": "x", "text": short}


def test_of_a_document_that_is_never_completed_in_no_context_is_read() -> None:
    long = Source("untitled:x", LINE * (MOST_CHARACTERS // len(LINE) + 1), "python")
    reader = Reader(Exclusions(lambda _: ExclusionRules(), roots=()))
    assert reader.document(Source("untitled:x", LINE * 50, "python")).chunks
    assert reader.document(long).chunks == ()
