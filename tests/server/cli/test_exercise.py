"""Where the demo types: what is held out of which file, and what is typed there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.application.sources import SourceFileError
from coai_routing.errors import CoaiError
from coai_server.cli.demo.exercise import (
    Exercise,
    exercise_in,
    exercise_of,
    samples,
)

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = '''\
def short(x):
    return x


class Basket:
    def total(self, items):
        """Add up."""
        cost = sum(items)
        return cost * self.rate


def empty():
    """Nothing yet."""
'''

SCRIPT = """\
const twice = (x: number) => x * 2;

function nested(x: number) {
    if (x) {
        log(x);
    }
}

function later() {}
"""


def shown(exercise: Exercise) -> str:
    """Return the text with what is typed as `<typed|>`."""
    at = exercise.offset
    return f"{exercise.text[:at]}<{exercise.typed}|>{exercise.text[at:]}"


@pytest.mark.parametrize(
    ("name", "text", "function", "line"),
    [
        # The first function with a line before the last one.
        ("x.py", PYTHON, None, "        <return |>\n"),
        ("x.py", PYTHON, "Basket.total", "        <return |>\n"),
        ("x.py", PYTHON, "short", "    <return |>\n"),
        ("x.py", PYTHON, "empty", '    """Nothing yet."""<\n    |>\n'),
        ("x.ts", SCRIPT, None, "        <log(|>\n"),
        ("x.ts", SCRIPT, "twice", "=> <x |>;\n"),
        ("x.ts", SCRIPT, "later", "function later() {<\n    |>}\n"),
        # No function, or no grammar: the file's last line.
        ("x.py", "a = 1\nprint(a)\n\n\n", None, "a = 1\n<print(|>\n\n\n"),
        ("notes.xyz", "first\nsecond line\n", None, "first\n<second |>\n"),
        ("x.py", "import os\nimport sys", None, "import os\n<import |>"),
        # One word is all there is.
        ("x.py", "a = 1\nbreak\n", None, "a = 1\n<|>\n"),
        # Somebody stopped writing here.
        ("x.py", "def f(a):\n    ", None, "def f(a):\n    <|>"),
        ("x.py", "", None, "<|>"),
        ("x.py", "\n\n", None, "\n\n<|>"),
    ],
)
def test_the_place_in_a_file(
    tmp_path: Path, name: str, text: str, function: str | None, line: str
) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8", newline="")
    exercise = exercise_in(file, function)
    assert line in shown(exercise)
    assert exercise.path == file
    assert file.read_text(encoding="utf-8") == text


def test_an_exercise_is_named_after_its_place(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text(PYTHON)
    assert exercise_in(file, None).name == "x.py: Basket.total"
    file.write_text("a = 1\n")
    assert exercise_in(file, None).name == "x.py"


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_bytes(b"\xef\xbb\xbfdef f(a):\r\n    b = a\r\n    return b\r\n")
    assert shown(exercise_in(file, None)) == "def f(a):\r\n    b = a\r\n    <return |>\r\n"


@pytest.mark.parametrize(
    ("text", "function", "message", "remedy"),
    [
        (b"\xff\xfe", None, "is not text in UTF-8", "Convert it"),
        (PYTHON.encode(), "totl", "no function 'totl'", "Did you mean total?"),
        (PYTHON.encode(), "zzz", "no function 'zzz'", "It has short, Basket.total, empty."),
        (b"a = 1\n", "f", "no function 'f'", "Leave --function out"),
        (
            "".join(f"def q{n}(): ...\n" for n in range(12)).encode(),
            "x",
            "no function 'x'",
            "q9 and more.",
        ),
    ],
)
def test_what_cannot_be_shown_is_said(
    tmp_path: Path, text: bytes, function: str | None, message: str, remedy: str
) -> None:
    file = tmp_path / "x.py"
    file.write_bytes(text)
    with pytest.raises(CoaiError) as caught:
        exercise_in(file, function)
    assert message in caught.value.message
    assert remedy in caught.value.remedy


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceFileError, match=r"gone\.py cannot be read"):
        exercise_in(tmp_path / "gone.py", None)


def test_the_samples_are_in_two_languages_and_lack_a_body() -> None:
    assert {sample.language for sample in samples()} >= {"python", "typescript"}
    for sample in samples():
        exercise = exercise_of(sample)
        line = shown(exercise).splitlines()
        (at,) = [number for number, text in enumerate(line) if "|>" in text]
        assert line[at].strip() == f"<{sample.typed}|>"
        # The signature or its documentation stands right above it.
        assert sample.function in line[at - 1] + line[at - 2]
