from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coai_server.jsonrpc import (
    MAX_HEADER_BYTES,
    ErrorCode,
    FrameParser,
    FramingError,
    Malformed,
    Notification,
    Request,
    Response,
    encode_frame,
    read_message,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


def _bodies(parser: FrameParser, chunks: Iterable[bytes]) -> list[bytearray | Malformed]:
    return [body for chunk in chunks for body in parser.feed(chunk)]


def _frame(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


@pytest.mark.parametrize(
    ("stream", "bodies"),
    [
        (b"Content-Length: 2\r\n\r\n{}", [b"{}"]),
        (b"Content-Length: 2\r\n\r\n{}Content-Length: 1\r\n\r\n1", [b"{}", b"1"]),
        (b"content-length:2\r\n\r\n{}", [b"{}"]),
        (b"CONTENT-LENGTH:\t 2 \r\n\r\n{}", [b"{}"]),
        (b"Content-Length: 2\n\n{}", [b"{}"]),
        (b"Content-Length: 0\r\n\r\n", [b""]),
        (b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", [b"{}"]),
        (b"X-Anything: yes\r\nContent-Length: 2\r\n\r\n{}", [b"{}"]),
        (b"\r\n\nContent-Length: 2\r\n\r\n{}\r\n", [b"{}"]),
        (
            b"Content-Type: x/y; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}",
            [b"{}"],
        ),
        (b'Content-Length: 2\r\nContent-Type: x; charset="UTF8"\r\n\r\n{}', [b"{}"]),
        (b"Content-Length: 2\r\nContent-Type: x\r\n\r\n{}", [b"{}"]),
        (b"Content-Length: 4\r\n\r\n\r\n\r\n", [b"\r\n\r\n"]),
    ],
)
def test_frames_are_read_in_every_spelling(stream: bytes, bodies: list[bytes]) -> None:
    parser = FrameParser()
    assert _bodies(parser, [stream]) == bodies
    assert not parser.inside_frame


@pytest.mark.parametrize(
    "stream",
    [
        b"hello\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        b"GET http://127.0.0.1: HTTP/1.1\r\n",
        b"{}\n",
        b": 2\r\n",
        b"X-Nothing: yes\r\n\r\n",
        b"Content-Length: two\r\n\r\n",
        b"Content-Length: -2\r\n\r\n",
        b"Content-Length: 2.0\r\n\r\n",
        b"Content-Length: \r\n\r\n",
        b"Content-Length: 99999999999\r\n\r\n",
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n",
        b"Content-Length : 2\r\n\r\n",
        b"X: " + b"x" * MAX_HEADER_BYTES,
        b"X: " + b"x" * MAX_HEADER_BYTES + b"\r\n",
    ],
)
def test_what_is_no_header_ends_the_stream(stream: bytes) -> None:
    with pytest.raises(FramingError):
        _bodies(FrameParser(), [stream])
    one_byte_each = (bytes([byte]) for byte in stream)
    with pytest.raises(FramingError):
        _bodies(FrameParser(), one_byte_each)


def test_a_header_cannot_be_split_so_that_its_length_escapes_the_limit() -> None:
    parser = FrameParser()
    with pytest.raises(FramingError):
        _bodies(parser, [b"x" * 100] * (MAX_HEADER_BYTES // 100 + 1))


@given(
    bodies=st.lists(st.binary(max_size=40), max_size=5),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
def test_frames_are_the_same_however_the_stream_is_cut(
    bodies: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(map(_frame, bodies))
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[start:end] for start, end in itertools.pairwise(places)]
    parser = FrameParser()
    assert _bodies(parser, chunks) == bodies
    assert not parser.inside_frame


@pytest.mark.parametrize("cut", range(1, 22))
def test_a_frame_that_has_begun_is_known_as_such(cut: int) -> None:
    parser = FrameParser()
    assert _bodies(parser, [b"Content-Length: 2\r\n\r\n{}"[:cut]]) == []
    assert parser.inside_frame


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (_frame(b"x" * 11), "The message has 11 bytes; at most 10 are read."),
        (
            b"Content-Type: x; charset=utf-16\r\nContent-Length: 4\r\n\r\n{ } ",
            "The message is not in UTF-8, the only charset.",
        ),
    ],
    ids=["too long", "charset"],
)
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_refused_body_is_read_past(stream: bytes, reason: str, step: int) -> None:
    stream += _frame(b"{}")
    chunks = [stream[at : at + step] for at in range(0, len(stream), step)]
    refused, next_body = _bodies(FrameParser(max_body_bytes=10), chunks)
    assert refused == Malformed(ErrorCode.INVALID_REQUEST, reason)
    assert next_body == b"{}"


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ({"id": 1, "method": "m"}, Request),
        ({"id": "1", "method": "m", "params": {"jsonrpc": "1.0"}}, Request),
        ({"id": 0, "method": "m", "params": None}, Request),
        ({"method": "m"}, Notification),
        ({"id": 1, "result": None}, Response),
        ({"id": "x", "error": {"code": 1, "message": ""}}, Response),
        ({"id": None, "error": {"code": 1, "message": ""}}, Response),
    ],
    ids=str,
)
def test_messages_are_told_apart_by_their_members(message: dict[str, Any], kind: type) -> None:
    read = read_message(bytearray(json.dumps({"jsonrpc": "2.0", **message}).encode()))
    assert type(read) is kind


@pytest.mark.parametrize(
    ("body", "code", "message_id"),
    [
        (b"", ErrorCode.PARSE_ERROR, None),
        (b"{", ErrorCode.PARSE_ERROR, None),
        (b'{"jsonrpc": "2.0", "id": 1, "method": NaN}', ErrorCode.PARSE_ERROR, None),
        (b'"\xff"', ErrorCode.PARSE_ERROR, None),
        (b"[" * 200_000, ErrorCode.PARSE_ERROR, None),
        (b'{"id": ' + b"1" * 10_000 + b"}", ErrorCode.PARSE_ERROR, None),
        (b"[]", ErrorCode.INVALID_REQUEST, None),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "m"}]', ErrorCode.INVALID_REQUEST, None),
        (b"null", ErrorCode.INVALID_REQUEST, None),
        (b'"initialize"', ErrorCode.INVALID_REQUEST, None),
        (b'{"id": 1, "method": "m"}', ErrorCode.INVALID_REQUEST, 1),
        (b'{"jsonrpc": "1.0", "id": "a", "method": "m"}', ErrorCode.INVALID_REQUEST, "a"),
        (b'{"jsonrpc": "2.0", "id": 1}', ErrorCode.INVALID_REQUEST, 1),
        (b'{"jsonrpc": "2.0"}', ErrorCode.INVALID_REQUEST, None),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 5}', ErrorCode.INVALID_REQUEST, 1),
        (b'{"jsonrpc": "2.0", "id": null, "method": "m"}', ErrorCode.INVALID_REQUEST, None),
        (b'{"jsonrpc": "2.0", "id": true, "method": "m"}', ErrorCode.INVALID_REQUEST, None),
        (b'{"jsonrpc": "2.0", "id": 1.5, "method": "m"}', ErrorCode.INVALID_REQUEST, None),
        (b'{"jsonrpc": "2.0", "id": [1], "method": "m"}', ErrorCode.INVALID_REQUEST, None),
    ],
)
def test_what_is_no_message_gets_the_specifications_error(
    body: bytes, code: ErrorCode, message_id: int | str | None
) -> None:
    read = read_message(bytearray(body))
    assert isinstance(read, Malformed)
    assert (read.code, read.id) == (code, message_id)
    assert read.reason


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none(), max_size=4))
def test_what_is_encoded_is_read_back(params: dict[str, Any]) -> None:
    message = {"jsonrpc": "2.0", "method": "m", "params": params}
    (body,) = _bodies(FrameParser(), [encode_frame(message)])
    assert isinstance(body, bytearray)
    assert read_message(body) == Notification("m", message)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_what_is_not_json_is_not_encoded(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        encode_frame({"params": value})
