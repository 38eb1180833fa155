"""Read the header of a GGUF file: what model it is, and whether the file is whole.

The format is https://github.com/ggml-org/ggml/blob/master/docs/gguf.md: metadata, then a table of
tensors with their types, dimensions and offsets, then the tensors. The table tells how long the
file must be, so that a truncated download is seen in a tenth of a second and without loading it
into native code, which would end the process.

The file may be anything, so every count and size is checked against what the file can hold before
anything is allocated, and no more than a few scalars of it are kept.
"""

from __future__ import annotations

import stat
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coai_routing.errors import ModelFileError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

MAGIC = b"GGUF"
VERSIONS = (2, 3)

TENSOR_TYPES: dict[int, tuple[int, int]] = {
    0: (1, 4),  # F32
    1: (1, 2),  # F16
    2: (32, 18),  # Q4_0
    3: (32, 20),  # Q4_1
    6: (32, 22),  # Q5_0
    7: (32, 24),  # Q5_1
    8: (32, 34),  # Q8_0
    9: (32, 40),  # Q8_1
    10: (256, 84),  # Q2_K
    11: (256, 110),  # Q3_K
    12: (256, 144),  # Q4_K
    13: (256, 176),  # Q5_K
    14: (256, 210),  # Q6_K
    15: (256, 292),  # Q8_K
    16: (256, 66),  # IQ2_XXS
    17: (256, 74),  # IQ2_XS
    18: (256, 98),  # IQ3_XXS
    19: (256, 50),  # IQ1_S
    20: (32, 18),  # IQ4_NL
    21: (256, 110),  # IQ3_S
    22: (256, 82),  # IQ2_S
    23: (256, 136),  # IQ4_XS
    24: (1, 1),  # I8
    25: (1, 2),  # I16
    26: (1, 4),  # I32
    27: (1, 8),  # I64
    28: (1, 8),  # F64
    29: (256, 56),  # IQ1_M
    30: (1, 2),  # BF16
    34: (256, 54),  # TQ1_0
    35: (256, 66),  # TQ2_0
    39: (32, 17),  # MXFP4
    40: (64, 36),  # NVFP4
    41: (128, 18),  # Q1_0
}
"""Elements and bytes of one block, by ggml's type number."""

# The largest files that are published have some hundreds of keys, some thousands of tensors, and
# vocabularies and merge lists of under a million entries.
_MAX_KEYS = 1 << 16
_MAX_TENSORS = 1 << 16
_MAX_STRINGS = 1 << 22
_MAX_NAME = 1 << 16
_MAX_DIMENSIONS = 4
_DEFAULT_ALIGNMENT = 32

_STRING = 8
_ARRAY = 9
_SCALARS: dict[int, struct.Struct] = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    7: struct.Struct("<?"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
_U32 = _SCALARS[4]
_U64 = _SCALARS[10]

_Value = int | float | str
"""A kept value; booleans are integers."""


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a GGUF file says of itself."""

    version: int
    architecture: str
    """`general.architecture`, llama.cpp's name of it."""
    name: str | None
    """`general.name`, as its maker called it."""
    context_tokens: int | None
    """The context window that the model was trained with."""
    tensors: int
    length: int
    """Bytes that the file must have at least."""


class _Broken(Exception):  # noqa: N818 - a note from the parser to `read_header`, never seen outside
    """What is wrong with the file."""


class _Reader:
    """Reads little-endian values and never further than the file's end."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self.position = 0

    def left(self) -> int:
        return self._size - self.position

    def take(self, count: int) -> bytes:
        taken = self._file.read(count) if count <= self.left() else b""
        if len(taken) != count:
            raise _Broken("it ends within its header")
        self.position += count
        return taken

    def skip(self, count: int) -> None:
        if count > self.left():
            raise _Broken("it ends within its header")
        if count < 1 << 12:
            self._file.read(count)
        else:
            self._file.seek(count, 1)
        self.position += count

    def u32(self) -> int:
        return int(_U32.unpack(self.take(4))[0])

    def u64(self) -> int:
        return int(_U64.unpack(self.take(8))[0])

    def text(self, limit: int = _MAX_NAME) -> str:
        length = self.u64()
        if length > limit:
            raise _Broken(f"it has a name of {length} bytes")
        return self.take(length).decode("utf-8", errors="replace")

    def count(self, limit: int, what: str) -> int:
        count = self.u64()
        if count > limit:
            raise _Broken(f"it claims {count} {what}")
        return count


def read_header(path: Path) -> GgufHeader:
    """Read the header of the file at `path`; raises `ModelFileError` if it is no sound GGUF.

    Blocks on the disk for up to some tenths of a second.
    """
    return _read(path)[0]


def check_file(path: Path) -> GgufHeader:
    """Read the header and make sure that the file has all the bytes which it promises.

    Raises `ModelFileError`; blocks as `read_header` does.
    """
    header, size = _read(path)
    if size < header.length:
        raise ModelFileError(
            f"{path} is truncated: it has {size:,} of {header.length:,} bytes.",
            remedy="Fetch or copy it again.",
        )
    return header


def _read(path: Path) -> tuple[GgufHeader, int]:
    try:
        size = _size(path)
        with path.open("rb", buffering=1 << 18) as file:
            return _header(_Reader(file, size)), size
    except OSError as error:
        raise ModelFileError(
            f"{path} cannot be read: {error.strerror or error}.",
            remedy="Check the path and its permissions.",
        ) from error
    except _Broken as error:
        raise ModelFileError(
            f"{path} is no model file that can be used: {error}.",
            remedy="Give a GGUF file of version 2 or 3, or fetch a model: `coai models pull`.",
        ) from error


def _size(path: Path) -> int:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        # A pipe would be waited for, and a directory says different things on different systems.
        raise _Broken("it is no regular file")
    return status.st_size


def _header(reader: _Reader) -> GgufHeader:
    if reader.left() < len(MAGIC) or reader.take(len(MAGIC)) != MAGIC:
        raise _Broken("it does not begin with `GGUF`")
    version = reader.u32()
    if version not in VERSIONS:
        if int.from_bytes(version.to_bytes(4, "little"), "big") in VERSIONS:
            raise _Broken("it is big-endian")
        raise _Broken(f"its version is {version}, not 2 or 3")
    tensors = reader.count(_MAX_TENSORS, "tensors")
    metadata = _metadata(reader, reader.count(_MAX_KEYS, "metadata keys"))
    architecture = metadata.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        raise _Broken("it names no architecture")
    alignment = metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or not 0 < alignment <= 1 << 20:
        raise _Broken(f"its alignment is {alignment}")
    end = _end_of_tensors(reader, tensors)
    data_start = -(-reader.position // alignment) * alignment
    name = metadata.get("general.name")
    context = metadata.get(f"{architecture}.context_length")
    return GgufHeader(
        version=version,
        architecture=architecture,
        name=name if isinstance(name, str) and name else None,
        context_tokens=context if isinstance(context, int) and context > 0 else None,
        tensors=tensors,
        length=data_start + end if tensors else reader.position,
    )


def _metadata(reader: _Reader, count: int) -> dict[str, _Value]:
    """Read the metadata and return the few values that are wanted."""
    kept: dict[str, _Value] = {}
    for _ in range(count):
        key = reader.text()
        kind = reader.u32()
        wanted = key.startswith("general.") or key.endswith(".context_length")
        if kind in _SCALARS:
            scalar = _SCALARS[kind]
            value: _Value = scalar.unpack(reader.take(scalar.size))[0]
            if wanted:
                kept[key] = value
        elif kind == _STRING:
            if key in {"general.architecture", "general.name"}:
                kept[key] = reader.text()
            else:
                reader.skip(reader.u64())
        elif kind == _ARRAY:
            _skip_array(reader)
        else:
            raise _Broken(f"its key {key!r} is of the unknown type {kind}")
    return kept


def _skip_array(reader: _Reader) -> None:
    kind = reader.u32()
    if kind in _SCALARS:
        reader.skip(reader.u64() * _SCALARS[kind].size)
    elif kind == _STRING:
        for _ in range(reader.count(_MAX_STRINGS, "strings in one list")):
            reader.skip(reader.u64())
    else:
        # The format allows lists of lists, llama.cpp does not read them.
        raise _Broken(f"it has a list of the unknown type {kind}")


def _end_of_tensors(reader: _Reader, count: int) -> int:
    """Return where the last tensor ends, in bytes from the beginning of the tensors."""
    end = 0
    for _ in range(count):
        reader.skip(reader.count(_MAX_NAME, "bytes in a tensor's name"))
        dimensions = reader.u32()
        if dimensions > _MAX_DIMENSIONS:
            raise _Broken(f"it has a tensor of {dimensions} dimensions")
        elements = 1
        for _ in range(dimensions):
            elements *= reader.u64()
        # A type that is newer than this table still has at least one byte.
        block_elements, block_bytes = TENSOR_TYPES.get(reader.u32(), (max(elements, 1), 1))
        offset = reader.u64()
        end = max(end, offset + -(-elements // block_elements) * block_bytes)
    return end
