"""The GGUF header: what is read of sound files, and that nothing else gets through."""

from __future__ import annotations

import contextlib
import os
import struct
import sys
from typing import TYPE_CHECKING

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coai_routing.errors import ModelFileError
from coai_routing.weights.gguf import TENSOR_TYPES, check_file, read_header
from tests.support.tiny_gguf import CONTEXT_TOKENS, write_tiny_gguf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def write(path: Path, fill: Callable[[gguf.GGUFWriter], None], architecture: str = "llama") -> Path:
    writer = gguf.GGUFWriter(path, architecture)
    fill(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", name="Tiny")


def head(version: int = 3, tensors: int = 0, keys: int = 0) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


NAMED = pair("general.architecture", 8, text("llama"))


def test_a_file_that_llama_cpp_loads_is_read(tiny: Path) -> None:
    header = check_file(tiny)
    assert header.version == 3
    assert header.architecture == "qwen2"
    assert header.name == "Tiny"
    assert header.context_tokens == CONTEXT_TOKENS
    assert header.tensors == 3 + 2 * 12
    assert tiny.stat().st_size - 32 < header.length <= tiny.stat().st_size


@pytest.mark.parametrize("missing", [1, 100, 10_000, 300_000])
def test_a_truncated_file_is_refused_without_loading_it(
    tiny: Path, tmp_path: Path, missing: int
) -> None:
    whole = tiny.read_bytes()
    length = read_header(tiny).length
    short = tmp_path / "short.gguf"
    short.write_bytes(whole[: length - missing])
    with pytest.raises(ModelFileError, match=r"truncated: it has .* bytes\..*again"):
        check_file(short)
    short.write_bytes(whole[:length])
    assert check_file(short).length == length


def test_every_kind_of_value_is_read_over(tmp_path: Path) -> None:
    def fill(writer: gguf.GGUFWriter) -> None:
        writer.add_uint8("a.u8", 1)
        writer.add_int8("a.i8", -1)
        writer.add_uint16("a.u16", 1)
        writer.add_int16("a.i16", -1)
        writer.add_uint32("llama.context_length", 4096)
        writer.add_int32("a.i32", -1)
        writer.add_float32("a.f32", 0.5)
        writer.add_bool("a.bool", val=True)
        writer.add_uint64("a.u64", 1)
        writer.add_int64("a.i64", -1)
        writer.add_float64("a.f64", 0.5)
        writer.add_string("a.long", "x" * 100_000)
        writer.add_array("a.strings", ["", "é", "x" * 5000])
        writer.add_array("a.numbers", list(range(5000)))
        writer.add_name("N ä")

    header = check_file(write(tmp_path / "kinds.gguf", fill))
    assert (header.name, header.context_tokens, header.tensors) == ("N ä", 4096, 0)


@pytest.mark.parametrize("alignment", [8, 32, 4096])
@pytest.mark.parametrize(
    "quantization",
    [
        gguf.GGMLQuantizationType.Q4_0,
        gguf.GGMLQuantizationType.Q8_0,
        gguf.GGMLQuantizationType.F16,
    ],
)
def test_the_promised_length_is_exact(
    tmp_path: Path, quantization: gguf.GGMLQuantizationType, alignment: int
) -> None:
    path = tmp_path / "quantized.gguf"
    values = gguf.quants.quantize(np.ones((3, 64), np.float32), quantization)

    def fill(writer: gguf.GGUFWriter) -> None:
        writer.add_custom_alignment(alignment)
        for name in ("first", "last"):
            writer.add_tensor(name, values, raw_dtype=quantization)

    write(path, fill)
    whole = path.read_bytes()
    length = check_file(path).length
    padding = whole[length:]
    assert len(padding) < alignment
    assert not any(padding)


def test_block_sizes_are_those_of_ggml() -> None:
    theirs = {int(kind): sizes for kind, sizes in gguf.GGML_QUANT_SIZES.items()}
    assert {kind: TENSOR_TYPES.get(kind) for kind in theirs} == theirs


def test_a_tensor_type_of_tomorrow_is_no_error(tmp_path: Path) -> None:
    tensor = text("t") + struct.pack("<IQIQ", 1, 64, 999, 0)
    path = tmp_path / "new.gguf"
    path.write_bytes(head(tensors=1, keys=1) + NAMED + tensor + bytes(64))
    assert check_file(path).tensors == 1


HUGE = (1 << 63) + 5

REFUSED: list[tuple[str, bytes, str]] = [
    ("empty", b"", "does not begin with `GGUF`"),
    ("short magic", b"GG", "does not begin with `GGUF`"),
    ("an error page", b"<!DOCTYPE html><html>Please log in", "does not begin with `GGUF`"),
    ("magic only", b"GGUF", "ends within its header"),
    ("version 1", b"GGUF" + struct.pack("<III", 1, 0, 0), "version is 1"),
    ("big-endian", b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
    ("many tensors", head(tensors=HUGE), "claims 9223372036854775813 tensors"),
    ("many keys", head(keys=HUGE), "claims 9223372036854775813 metadata keys"),
    ("long key", head(keys=1) + struct.pack("<Q", HUGE), "a name of 9223372036854775813 bytes"),
    ("missing keys", head(keys=9) + NAMED, "ends within its header"),
    ("no architecture", head(), "names no architecture"),
    (
        "numeric architecture",
        head(keys=1) + pair("general.architecture", 4, bytes(4)),
        "names no architecture",
    ),
    ("unknown type", head(keys=1) + pair("x", 77, b""), "key 'x' is of the unknown type 77"),
    (
        "long value",
        head(keys=1) + pair("x", 8, struct.pack("<Q", HUGE)),
        "ends within its header",
    ),
    (
        "long list of numbers",
        head(keys=1) + pair("x", 9, struct.pack("<IQ", 10, HUGE)),
        "ends within its header",
    ),
    (
        "long list of strings",
        head(keys=1) + pair("x", 9, struct.pack("<IQ", 8, HUGE)),
        "claims 9223372036854775813 strings",
    ),
    (
        "list of lists",
        head(keys=1) + pair("x", 9, struct.pack("<IQ", 9, 1)),
        "a list of the unknown type 9",
    ),
    (
        "no alignment",
        head(keys=2) + NAMED + pair("general.alignment", 4, bytes(4)),
        "alignment is 0",
    ),
    (
        "textual alignment",
        head(keys=2) + NAMED + pair("general.alignment", 12, struct.pack("<d", 0.5)),
        "alignment is 0.5",
    ),
    (
        "tensor with a long name",
        head(tensors=1, keys=1) + NAMED + struct.pack("<Q", HUGE),
        "bytes in a tensor's name",
    ),
    (
        "tensor of many dimensions",
        head(tensors=1, keys=1) + NAMED + text("t") + struct.pack("<I", 400_000_000),
        "a tensor of 400000000 dimensions",
    ),
]


@pytest.mark.parametrize(
    ("content", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_is_no_sound_gguf_is_refused_with_its_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        read_header(path)
    assert reason in caught.value.message
    assert str(path) in caught.value.message
    assert "coai models pull" in caught.value.remedy


def test_a_tensor_beyond_any_disk_is_a_truncated_file(tmp_path: Path) -> None:
    tensor = text("t") + struct.pack("<IQQQQIQ", 4, HUGE, HUGE, HUGE, HUGE, 0, HUGE)
    path = tmp_path / "huge.gguf"
    path.write_bytes(head(tensors=1, keys=1) + NAMED + tensor)
    with pytest.raises(ModelFileError, match="truncated"):
        check_file(path)


def test_a_path_without_a_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be read: No such file"):
        read_header(tmp_path / "none.gguf")
    with pytest.raises(ModelFileError, match="no regular file"):
        read_header(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.gguf"
    os.mkfifo(path)
    with pytest.raises(ModelFileError, match="no regular file"):
        read_header(path)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    draw=st.data(),
    junk=st.one_of(
        st.binary(max_size=12),
        st.integers(0, (1 << 64) - 1).map(lambda number: struct.pack("<Q", number)),
    ),
)
def test_a_damaged_header_is_read_or_refused_and_nothing_else(
    tiny: Path, tmp_path: Path, draw: st.DataObject, junk: bytes
) -> None:
    content = bytearray(tiny.read_bytes()[:12_000])
    at = draw.draw(st.one_of(st.integers(0, 400), st.integers(0, len(content))))
    content[at : at + len(junk)] = junk
    path = tmp_path / "damaged.gguf"
    path.write_bytes(content[: draw.draw(st.integers(0, len(content)))])
    with contextlib.suppress(ModelFileError):
        assert read_header(path).architecture
