"""JSON-RPC on a byte stream: frames, and what kind of message a frame holds.

Everything here is pure and imports the standard library only: it runs before `initialize` is
answered. Frames are the base protocol's
(https://microsoft.github.io/language-server-protocol/specifications/lsp/3.18/specification/#baseProtocol),
messages JSON-RPC 2.0's (https://www.jsonrpc.org/specification).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MessageId: TypeAlias = str | int

MAX_BODY_BYTES = 64 * 1024 * 1024
"""A body that is longer is read past and refused. Editors send whole files, so it is generous."""

MAX_HEADER_BYTES = 8 * 1024

_HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*")
"""A header field as RFC 9110 (section 5.6.2) spells its name. An HTTP request line is none."""

_LENGTH = re.compile(rb"[0-9]{1,10}")
_CHARSET = re.compile(rb"charset\s*=\s*\"?([^\s\";]+)", re.IGNORECASE)


class ErrorCode(IntEnum):
    """The codes of JSON-RPC 2.0 and of LSP."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    SERVER_NOT_INITIALIZED = -32002
    REQUEST_CANCELLED = -32800
    REQUEST_FAILED = -32803


class FramingError(Exception):
    """The bytes are no frames, and where the next frame begins cannot be known."""


@dataclass(frozen=True, slots=True)
class Request:
    """A message that must be answered exactly once. `message` is the whole of it."""

    id: MessageId
    method: str
    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Notification:
    """A message that is never answered. `message` is the whole of it."""

    method: str
    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Response:
    """The client's answer to a request of the server's; `error` is None if it succeeded."""

    id: MessageId | None
    message: Mapping[str, Any]
    error: object


@dataclass(frozen=True, slots=True)
class Malformed:
    """Something that cannot be handled but must be answered, with id null if it has none."""

    code: ErrorCode
    reason: str
    id: MessageId | None = None


Incoming: TypeAlias = Request | Notification | Response | Malformed


class FrameParser:
    """Cuts a byte stream into bodies, however it was cut into chunks.

    Header names may be of any case, fields other than `Content-Length` and `Content-Type` are
    skipped, a line may end in a bare line feed, and empty lines between frames mean nothing.
    Anything else than a header is an error for good: guessing where the next frame begins would
    let a web page that posts to a TCP port of ours hide a message in its body.
    """

    def __init__(self, *, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._max_body_bytes = max_body_bytes
        self._buffer = bytearray()
        self._length: int | None = None
        self._refusal: Malformed | None = None
        self._wanted: int | None = None
        self._in_headers = False

    @property
    def inside_frame(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._buffer) or self._wanted is not None or self._in_headers

    @property
    def unread(self) -> bytes:
        """What was fed and no body has been made of."""
        return bytes(self._buffer)

    def feed(self, chunk: bytes) -> Iterator[bytearray | Malformed]:
        """Yield every body that the chunk completes, or why it is refused.

        A body is the caller's, who may clear it. One that ends with the chunk, as long ones do, is
        what was gathered, and no copy of it.

        Raises `FramingError` when the stream cannot be read on.
        """
        self._buffer += chunk
        while True:
            if self._wanted is None and not self._read_headers():
                return
            assert self._wanted is not None
            if self._refusal is not None:
                # Not to be kept, so let go of what is here before the rest has come.
                skipped = min(self._wanted, len(self._buffer))
                del self._buffer[:skipped]
                self._wanted -= skipped
                if self._wanted:
                    return
                yield self._refusal
            else:
                if len(self._buffer) < self._wanted:
                    return
                yield self._cut(self._wanted)
            self._wanted = self._length = self._refusal = None

    def _cut(self, length: int) -> bytearray:
        """Take so many bytes off the buffer."""
        if len(self._buffer) == length:
            body, self._buffer = self._buffer, bytearray()
        else:
            body = self._buffer[:length]
            del self._buffer[:length]
        return body

    def _read_headers(self) -> bool:
        """Take header lines off the buffer; return whether the block is whole."""
        while (end := self._buffer.find(b"\n", 0, MAX_HEADER_BYTES)) >= 0:
            line = bytes(self._buffer[:end]).removesuffix(b"\r")
            del self._buffer[: end + 1]
            if line:
                self._in_headers = True
                self._read_field(line)
            elif self._length is not None:
                self._wanted = self._length
                self._in_headers = False
                return True
            elif self._in_headers:
                raise FramingError("a header block without Content-Length")
        if len(self._buffer) >= MAX_HEADER_BYTES:
            raise FramingError(f"a header of more than {MAX_HEADER_BYTES} bytes")
        return False

    def _read_field(self, line: bytes) -> None:
        match = _HEADER.fullmatch(line)
        if match is None:
            raise FramingError(f"not a header: {line[:60]!r}")
        name, value = match[1].lower(), match[2]
        if name == b"content-length":
            if not _LENGTH.fullmatch(value) or self._length not in (None, int(value)):
                raise FramingError(f"not a content length: {line[:60]!r}")
            self._length = int(value)
            if self._length > self._max_body_bytes:
                self._refusal = Malformed(
                    ErrorCode.INVALID_REQUEST,
                    f"The message has {self._length} bytes; at most {self._max_body_bytes} are "
                    "read.",
                )
        elif name == b"content-type":
            charset = _CHARSET.search(value)
            if charset is not None and charset[1].lower() not in (b"utf-8", b"utf8"):
                self._refusal = Malformed(
                    ErrorCode.INVALID_REQUEST, "The message is not in UTF-8, the only charset."
                )


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def read_message(body: bytearray) -> Incoming:
    """Decode a frame's body and say what kind of message it is; the body is empty then.

    Raises nothing. Only the top level is looked at: what `params` holds, a key `jsonrpc` say, means
    nothing here.
    """
    try:
        text = body.decode("utf-8")
        # A document's text is here a third time soon; its bytes are no longer needed.
        body.clear()
        message = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return Malformed(ErrorCode.PARSE_ERROR, f"The message is not JSON: {error}.")
    return classify(message)


def classify(message: object) -> Incoming:
    """Say what kind of message a decoded body is. Raises nothing."""
    if not isinstance(message, dict):
        batch = isinstance(message, list)
        reason = "Batches are not part of LSP." if batch else "A message is a JSON object."
        return Malformed(ErrorCode.INVALID_REQUEST, reason)
    fields = cast("dict[str, Any]", message)
    message_id = _id_of(fields)
    reason = _fault_of(fields, message_id)
    if reason is not None:
        return Malformed(ErrorCode.INVALID_REQUEST, reason, message_id)
    if "method" not in fields:
        return Response(message_id, fields, fields.get("error"))
    if message_id is None:
        return Notification(fields["method"], fields)
    return Request(message_id, fields["method"], fields)


def _id_of(fields: Mapping[str, Any]) -> MessageId | None:
    """Return the id if it is one that LSP knows. True is an int in Python, but no id."""
    message_id: object = fields.get("id")
    usable = isinstance(message_id, str | int) and not isinstance(message_id, bool)
    return cast("MessageId", message_id) if usable else None


def _fault_of(fields: Mapping[str, Any], message_id: MessageId | None) -> str | None:
    """Return what keeps a JSON object from being a message, or None."""
    if fields.get("jsonrpc") != "2.0":
        return 'The member "jsonrpc" is not "2.0".'
    if "method" not in fields:
        answers = "result" in fields or "error" in fields
        return None if answers else "The message has no method."
    if not isinstance(fields["method"], str):
        return "The method is not a string."
    if "id" in fields and message_id is None:
        return "The id is neither a string nor an integer."
    return None


def encode_frame(
    message: Mapping[str, Any], *, default: Callable[[Any], Any] | None = None
) -> bytes:
    """Encode one message with its header; `default` turns what is not JSON into what is.

    Raises `TypeError` or `ValueError` for what cannot be encoded.
    """
    # ASCII only: a lone surrogate of the client's then goes back as it came.
    body = json.dumps(message, separators=(",", ":"), default=default, allow_nan=False).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def error_message(
    message_id: MessageId | None, code: int, reason: str, details: object = None
) -> dict[str, Any]:
    """Return an error response; `details` is its `data`, left out when None."""
    error: dict[str, Any] = {"code": int(code), "message": reason}
    if details is not None:
        error["data"] = details
    return {"jsonrpc": "2.0", "id": message_id, "error": error}


def success_message(message_id: MessageId, outcome: object) -> dict[str, Any]:
    """Return a response that carries what was asked for, null included."""
    return {"jsonrpc": "2.0", "id": message_id, "result": outcome}
