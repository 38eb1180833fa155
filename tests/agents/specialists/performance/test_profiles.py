"""Profiles of every kind are read into one form, and hostile ones give an error."""

from __future__ import annotations

import cProfile
import gzip
import json
import pstats
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from coai_agents.source import Source
from coai_agents.specialists.performance.hot import hot_spots
from coai_agents.specialists.performance.profiles.profile import ProfileError
from coai_agents.specialists.performance.profiles.reading import read_profile
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coai_agents.specialists.performance.hot import HotSpots
    from coai_agents.syntax.tree import SyntaxTree

PROGRAM = """\
def busy(count):
    total = 0
    for number in range(count):
        total += len(str(number))
    return total


class Work:
    def again(self, depth):
        return busy(20000) if not depth else self.again(depth - 1)


def main():
    Work().again(3)
    busy(10)


main()
"""

FRAMES = ["main", "busy", "len"]
FILE = "/build/app/work.py"


def tree_of(text: str, language: str = "python") -> SyntaxTree:
    tree = parse(Source("file:///work", text, language))
    assert tree is not None
    return tree


def hot(content: bytes, path: str = "app/work.py") -> HotSpots:
    return hot_spots(tree_of(PROGRAM), path, read_profile(content))


def shares(found: HotSpots) -> dict[str, tuple[float, float]]:
    return {each.name: (round(each.own, 2), round(each.total, 2)) for each in found.functions}


# ------------------------------------------------------------------------- Python


def test_python_s_own_profiles_say_what_pstats_says(tmp_path: Path) -> None:
    path = tmp_path / "work.py"
    measured = cProfile.Profile()
    code = compile(PROGRAM, str(path), "exec")
    measured.runctx("exec(code, {})", {}, {"code": code})
    measured.dump_stats(tmp_path / "p")
    read = read_profile((tmp_path / "p").read_bytes())
    told: Any = pstats.Stats(str(tmp_path / "p"))
    expected: dict[tuple[str, int], tuple[int, float, float]] = {
        (name, line): tuple(figures[1:4]) for (_, line, name), figures in told.stats.items()
    }
    assert {
        (frame.name, frame.line): (cost.calls, cost.own, cost.total)
        for frame, cost in read.costs.items()
    } == expected
    found = hot_spots(tree_of(PROGRAM), str(path), read)
    assert found.functions[0].name == "busy"
    assert {each.name: each.calls for each in found.functions}["Work.again"] >= 4


# -------------------------------------------------------------------- JSON formats


def speedscope(**profile: object) -> bytes:
    frames = [{"name": name, "file": "" if name == "len" else FILE} for name in FRAMES]
    return json.dumps({"shared": {"frames": frames}, "profiles": [profile]}).encode()


SAMPLED = speedscope(
    type="sampled", unit="milliseconds", samples=[[0, 1], [0, 1, 2], [0]], weights=[60, 30, 10]
)
EVENTED = speedscope(
    type="evented",
    unit="seconds",
    startValue=0,
    events=[
        {"type": "O", "frame": 0, "at": 0},
        {"type": "O", "frame": 1, "at": 1},
        {"type": "O", "frame": 2, "at": 4},
        {"type": "C", "frame": 2, "at": 7},
        {"type": "C", "frame": 1, "at": 10},
        {"type": "C", "frame": 0, "at": 10},
    ],
)
PYINSTRUMENT = json.dumps(
    {
        "root_frame": {
            "function": "main", "file_path": FILE, "line_no": 13, "time": 10.0,
            "children": [
                {"function": "[self]", "file_path": FILE, "time": 1.0, "children": []},
                {
                    "function": "busy", "file_path": FILE, "line_no": 1, "time": 9.0,
                    "children": [
                        {"function": "len", "file_path": "", "time": 3.0, "children": []},
                    ],
                },
            ],
        }
    }
).encode()  # fmt: skip


def chrome(*, samples: bool) -> bytes:
    call = {"url": f"file://{FILE}", "columnNumber": 0}
    document: dict[str, Any] = {
        "startTime": 0,
        "endTime": 10,
        "nodes": [
            {"id": 1, "callFrame": {"functionName": "(root)", "url": ""}, "children": [2]},
            {"id": 2, "callFrame": {**call, "functionName": "main", "lineNumber": 12},
             "hitCount": 1, "children": [3]},
            {"id": 3, "callFrame": {**call, "functionName": "busy", "lineNumber": 0},
             "hitCount": 6, "children": [4],
             "positionTicks": [{"line": 3, "ticks": 2}, {"line": 4, "ticks": 4}]},
            {"id": 4, "callFrame": {"functionName": "len", "url": "", "lineNumber": -1},
             "hitCount": 3},
        ],
    }  # fmt: skip
    if samples:
        document |= {"samples": [2, 3, 4], "timeDeltas": [100, 600, 300]}
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "content",
    [SAMPLED, EVENTED, PYINSTRUMENT, chrome(samples=True), chrome(samples=False)],
    ids=["sampled", "evented", "pyinstrument", "cpuprofile", "cpuprofile-hits"],
)
def test_each_format_tells_the_same_shares(content: bytes) -> None:
    assert shares(hot(content)) == {"busy": (0.6, 0.9), "main": (0.1, 1.0)}


def test_lines_are_told_where_the_profile_has_them() -> None:
    assert hot(chrome(samples=True)).lines == pytest.approx({3: 0.2, 4: 0.4})


def test_a_function_that_calls_itself_is_counted_once() -> None:
    content = speedscope(type="sampled", unit="none", samples=[[1, 1, 1], [1]], weights=[1, 1])
    assert shares(hot(content)) == {"busy": (1.0, 1.0)}


# --------------------------------------------------------------------------- pprof


def varint(value: int) -> bytes:
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    return bytes([*written, value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def pprof(*, default: int = 0) -> bytes:
    """Two values a sample, times in nanoseconds last; samples as in the formats above."""
    texts = ["", "samples", "count", "cpu", "nanoseconds", *FRAMES, FILE]
    message = b"".join(field(6, text.encode()) for text in texts)
    message += field(1, field(1, 1) + field(2, 2)) + field(1, field(1, 3) + field(2, 4))
    for number, (name, line) in enumerate([(5, 13), (6, 1), (7, 0)], start=1):
        file = 8 if number < 3 else 0
        function = field(1, number) + field(2, name) + field(4, file) + field(5, line)
        message += field(5, function)
        message += field(4, field(1, number) + field(4, field(1, number) + field(2, line + 1)))
    for stack, value in (([2, 1], 60), ([3, 2, 1], 30), ([1], 10)):
        packed = b"".join(map(varint, stack))
        message += field(2, field(1, packed) + field(2, varint(1) + varint(value * 1_000_000)))
    return message + (field(14, default) if default else b"")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_pprof_is_read_packed_and_not(pack: Callable[[bytes], bytes]) -> None:
    found = hot(pack(pprof()))
    assert shares(found) == {"busy": (0.6, 0.9), "main": (0.1, 1.0)}
    assert found.unit == "seconds"
    assert found.whole == pytest.approx(0.1)
    assert found.lines[2] == pytest.approx(0.6)


def test_pprof_s_own_choice_of_a_value_counts() -> None:
    found = hot(pprof(default=1))
    assert found.unit == "count"
    assert shares(found)["busy"] == (0.33, 0.67)


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node")
def test_a_profile_of_node_s_is_read(tmp_path: Path) -> None:
    text = (
        "function busy(count) { let t = 0; for (let i = 0; i < count; i++) t += String(i).length;"
        " return t }\nfor (let k = 0; k < 5; k++) busy(300000)\n"
    )
    path = tmp_path / "a.js"
    path.write_text(text, "utf-8")
    subprocess.run(
        ["node", "--cpu-prof", f"--cpu-prof-dir={tmp_path}", "--cpu-prof-name=p", str(path)],
        check=True,
        timeout=60,
    )
    found = hot_spots(
        tree_of(text, "javascript"), str(path), read_profile((tmp_path / "p").read_bytes())
    )
    assert "busy" in shares(found)


# ---------------------------------------------------------------- which file is meant


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("work.py", True),
        ("app/work.py", True),
        ("/build/app/work.py", True),
        ("other/work.py", False),
        ("ework.py", False),
        ("app/work.pyc", False),
    ],
)
def test_a_file_is_known_by_the_end_of_its_path(path: str, *, meant: bool) -> None:
    assert bool(hot(SAMPLED, path).functions) is meant


# -------------------------------------------------------------------------- hostile


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a profile",
        b"{",
        b"{}",
        b"[]",
        b'{"shared": {}, "profiles": []}',
        speedscope(type="sampled", samples=[[7]], weights=[1]),
        b'{"nodes": [{"id": 1}], "startTime": 0}',
        b'{"root_frame": {"function": 1}}',
        b'{"root_frame": {"time": "x", "children": 3}}',
        # marshal: endless nesting, a tuple of 4 billion, a reference to nothing, code.
        b"{" * 100,
        b"{(" + b"\xff" * 4,
        b"{r" + b"\xff" * 4,
        b"{c" + b"\0" * 64,
        b"{z\x04abcd" + b"N0",
        # protocol buffers: a length beyond the end, an endless number, a bomb.
        b"\x12\xff\xff\xff\x7f",
        b"\x08" + b"\xff" * 64,
        gzip.compress(b"\0" * 1_000_000),
        gzip.compress(pprof())[:-20],
    ],
)
def test_what_is_no_profile_gives_an_error(content: bytes) -> None:
    with pytest.raises(ProfileError):
        read_profile(content)


def test_code_in_a_marshalled_file_is_never_run(tmp_path: Path) -> None:
    script = (
        "import marshal, sys\n"
        "marshal.dump({('f', 1, 'g'): compile('print(1)', 'x', 'exec')}, open(sys.argv[1], 'wb'))\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "p")], check=True)
    with pytest.raises(ProfileError, match="holds code"):
        read_profile((tmp_path / "p").read_bytes())
