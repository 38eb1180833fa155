"""`pprof` profiles: Go's, and those of many others.

A profile is one protocol buffer message, gzipped or not, whose fields `profile.proto` of the pprof
project numbers; the wire format is that of the protocol buffers' documentation. Four message types
are read here, which needs no library.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from coai_agents.specialists.performance.profiles.profile import (
    MOST_DEPTH,
    Frame,
    Profile,
    ProfileError,
    Stack,
    from_stacks,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES: Final = 500_000_000
"""Of a profile that was unpacked."""

GZIP: Final = b"\x1f\x8b"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SIGN: Final = 1 << 63
_SECONDS: Final = {"nanoseconds": 1e-9, "microseconds": 1e-6, "milliseconds": 1e-3, "seconds": 1.0}


class _Field(NamedTuple):
    number: int
    value: int
    content: bytes
    """The value of a field that has a length; empty for numbers."""


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows
            return value, at
        shift += 7


def _fields(content: bytes) -> Iterator[_Field]:
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(content, at)
            yield _Field(number, value, b"")
        elif wire == _BYTES:
            length, at = _varint(content, at)
            if at + length > len(content):
                raise ProfileError("The profile ends within a value.")
            yield _Field(number, 0, content[at : at + length])
            at += length
        elif wire in (_FIXED64, _FIXED32):
            at += 8 if wire == _FIXED64 else 4
        else:
            raise ProfileError(f"The profile has a field of the unknown wire type {wire}.")


def _numbers(each: _Field) -> Iterator[int]:
    """Yield the numbers of a repeated field, packed or not."""
    if not each.content:
        yield each.value
        return
    at = 0
    while at < len(each.content):
        value, at = _varint(each.content, at)
        yield value


@dataclass
class _Message:
    """The tables of a profile."""

    texts: list[str] = field(default_factory=list[str])
    kinds: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """What each value of a sample is: indices of its name and its unit."""
    samples: list[bytes] = field(default_factory=list[bytes])
    locations: dict[int, list[tuple[int, int]]] = field(
        default_factory=dict[int, list[tuple[int, int]]]
    )
    """Functions and lines of an address, what is inlined into it first."""
    functions: dict[int, tuple[int, int, int]] = field(
        default_factory=dict[int, tuple[int, int, int]]
    )
    """Indices of name and file, and the first line."""
    wanted: int = 0
    """Index of the name of the value that is meant."""


def _read(content: bytes) -> _Message:
    message = _Message()
    for each in _fields(content):
        match each.number:
            case 1:
                message.kinds.append(_pair(each.content, 1, 2))
            case 2:
                message.samples.append(each.content)
            case 4:
                number, lines = _location(each.content)
                message.locations[number] = lines
            case 5:
                parts = {one.number: one.value for one in _fields(each.content)}
                message.functions[parts.get(1, 0)] = (
                    parts.get(2, 0),
                    parts.get(4, 0),
                    parts.get(5, 0),
                )
            case 6:
                message.texts.append(each.content.decode("utf-8", "replace"))
            case 14:
                message.wanted = each.value
            case _:
                pass
    return message


def _pair(content: bytes, first: int, second: int) -> tuple[int, int]:
    parts = {each.number: each.value for each in _fields(content)}
    return parts.get(first, 0), parts.get(second, 0)


def _location(content: bytes) -> tuple[int, list[tuple[int, int]]]:
    number = 0
    lines: list[tuple[int, int]] = []
    for each in _fields(content):
        if each.number == 1:
            number = each.value
        elif each.number == 4:  # noqa: PLR2004 - `line` in profile.proto
            lines.append(_pair(each.content, 1, 2))
    return number, lines


def read_pprof(content: bytes) -> Profile:
    """Read a pprof profile; raises `ProfileError`."""
    try:
        message = _read(_unpacked(content))
        if not message.samples or not message.kinds or message.texts[:1] != [""]:
            raise ProfileError("The file is no pprof profile, or one without samples.")
        chosen = _chosen(message)
        unit = message.texts[message.kinds[chosen][1]]
        scale = _SECONDS.get(unit, 1.0)
        stacks = (_stack(message, sample, chosen, scale) for sample in message.samples)
        return from_stacks("seconds" if unit in _SECONDS else unit, stacks)
    except (IndexError, zlib.error) as error:
        raise ProfileError(f"The file is no pprof profile: {error}.") from error


def _chosen(message: _Message) -> int:
    """Return which value of a sample is meant: the one that the profile says, or the last."""
    names = [name for name, _ in message.kinds]
    return names.index(message.wanted) if message.wanted in names else len(names) - 1


def _unpacked(content: bytes) -> bytes:
    if not content.startswith(GZIP):
        return content
    unpacking = zlib.decompressobj(wbits=31)
    unpacked = unpacking.decompress(content, MOST_BYTES)
    if unpacking.unconsumed_tail:
        raise ProfileError(f"The profile is larger than {MOST_BYTES:,} bytes.")
    return unpacked


def _stack(message: _Message, sample: bytes, chosen: int, scale: float) -> Stack:
    addresses: list[int] = []
    values: list[int] = []
    for each in _fields(sample):
        if each.number == 1:
            addresses.extend(_numbers(each))
        elif each.number == 2:  # noqa: PLR2004 - `value` in profile.proto
            values.extend(_numbers(each))
    lines = [line for address in addresses for line in message.locations.get(address, [])]
    frames = [_frame(message, function) for function, _ in lines[:MOST_DEPTH]]
    value = values[chosen]
    weight = (value - 2 * _SIGN if value >= _SIGN else value) * scale
    return Stack(frames[::-1], weight, lines[0][1] if lines else 0)


def _frame(message: _Message, number: int) -> Frame:
    name, file, line = message.functions.get(number, (0, 0, 0))
    return Frame(message.texts[name], message.texts[file], line)
