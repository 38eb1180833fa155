"""`coai perf`: real commands on real files, which are as before whatever happens."""

from __future__ import annotations

import cProfile
import shlex
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.cli.conftest import InProcess

# Each look at the numbers waits, so that one look is faster than thirty on any machine.
TEXT = """\
import time


class Slow(list):
    def __iter__(self):
        time.sleep(0.02)
        return super().__iter__()


def above(numbers, limits):
    found = 0
    for limit in limits:
        if limit > sum(numbers):
            found += 1
    return found


print(above(Slow([1, 2]), range(30)))
"""
RUN = f"{shlex.quote(sys.executable)} a.py"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.py"
    path.write_text(TEXT, "utf-8")
    return path


@pytest.mark.parametrize("write", [False, True])
def test_what_is_faster_is_shown_or_written(coai: InProcess, file: Path, *, write: bool) -> None:
    more = ["--write"] if write else []
    ran = coai("perf", "a.py", "--run", RUN, "--no-model", "--pairs", "3", "--json", *more)
    assert ran.code == (0 if write else 1)
    (item,) = ran.document["items"]
    assert item["ratio"][1] < 1
    assert "+    sum_numbers = sum(numbers)" in ran.document["changes"][0]["diff"]
    assert ("sum_numbers" in file.read_text("utf-8")) is write
    if not write:
        assert file.read_text("utf-8") == TEXT


def test_without_a_command_what_is_known_is_said(coai: InProcess, file: Path) -> None:
    measured = cProfile.Profile()
    code = compile(TEXT.replace("0.02", "0"), str(file), "exec")
    measured.runctx("exec(code, {})", {}, {"code": code})
    measured.dump_stats(file.with_name("p"))
    ran = coai("perf", "a.py", "--profile", "p")
    assert ran.code == 1
    assert "Slow.__iter__" in ran.out
    assert "computed anew in each round" in ran.out
    assert coai("perf", "a.py", "--json").document["sections"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.py", "--run", f"{shlex.quote(sys.executable)} -c 1/0"], "fails"),
        (["a.py", "--run", "no-such-program-here"], "no program"),
        (["a.py", "--profile", "a.py"], "none of the known profiles"),
        (["a.py", "--profile", "none"], "cannot be read"),
        (["a.py:nothing", "--run", RUN], "defines no nothing"),
        (["none.py"], "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_told(
    coai: InProcess, file: Path, arguments: list[str], said: str
) -> None:
    ran = coai("perf", *arguments, "--no-model")
    assert ran.code != 0
    assert said in " ".join(ran.err.split())
    assert file.read_text("utf-8") == TEXT


def test_a_file_without_anything_slow_has_exit_code_0(coai: InProcess, file: Path) -> None:
    file.write_text("print(1)\n", "utf-8")
    ran = coai("perf", "a.py")
    assert ran.code == 0
    assert "Nothing slow" in ran.out
