"""`coai fix --test`: real commands on real files, which are as before whatever happens."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coai_agents.source import Source
from coai_server.cli.agents.trying import TestCommandError, Trial

if TYPE_CHECKING:
    from tests.server.cli.conftest import Home, InProcess

WRONG = "def total(items):\n    return sum(itms)\n"
TEST = "from a import total\n\nassert total([1, 2]) == 3\n"
PYTHON = shlex.quote(sys.executable)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.py").write_bytes(b"\xef\xbb\xbf" + WRONG.encode())
    (tmp_path / "t.py").write_text(TEST, "utf-8")
    return tmp_path


def source_of(text: str) -> Source:
    return Source("file:///a.py", text, "python")


def trial_of(folder: Path, command: str, seconds: float = 60.0) -> Trial:
    return Trial(folder / "a.py", command, seconds=seconds, directory=folder)


async def test_a_version_is_tried_and_the_file_is_as_before(folder: Path) -> None:
    before = (folder / "a.py").read_bytes()
    trial = trial_of(folder, f"{PYTHON} t.py")
    first = await trial(source_of(WRONG))
    assert not first.passed
    assert first.problem is not None
    assert first.problem.kind == "NameError"
    # Of equal length, within the same second: no bytecode of the other one is run.
    assert not (await trial(source_of(WRONG.replace("sum(itms)", "len(items)")))).passed
    assert (await trial(source_of(WRONG.replace("itms", "items")))).passed
    assert (folder / "a.py").read_bytes() == before
    assert trial.runs == 3


async def test_what_a_command_started_ends_with_its_time(folder: Path) -> None:
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\ntime.sleep(600)\n"
    )
    (folder / "slow.py").write_text(script, "utf-8")
    tried = await trial_of(folder, f"{PYTHON} slow.py", seconds=3.0)(source_of(WRONG))
    assert tried.timed_out
    assert not tried.passed
    child = int(tried.output.split()[0])
    for _ in range(200):
        if not _runs(child):
            break
        await asyncio.sleep(0.05)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def test_a_cancelled_run_puts_the_file_back(folder: Path) -> None:
    before = (folder / "a.py").read_bytes()
    command = f"{PYTHON} -c 'import time; time.sleep(600)'"
    task = asyncio.create_task(trial_of(folder, command)(source_of("x = 1\n")))
    for _ in range(6_000):
        await asyncio.sleep(0.01)
        if (folder / "a.py").read_bytes() != before:
            break
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (folder / "a.py").read_bytes() == before


async def test_output_without_end_is_kept_from_its_end(folder: Path) -> None:
    command = f'{PYTHON} -c \'print("x" * 5_000_000); print("end")\''
    tried = await trial_of(folder, command)(source_of(WRONG))
    assert tried.passed
    assert len(tried.output) <= 200_000
    assert tried.output.endswith("end\n")


@pytest.mark.parametrize("command", ["", "   ", "no-such-program-here", "'unclosed"])
def test_a_command_that_cannot_be_run_is_told(folder: Path, command: str) -> None:
    with pytest.raises(TestCommandError):
        trial_of(folder, command)


def test_a_command_is_given_to_no_shell(folder: Path) -> None:
    command = f"{PYTHON} -c pass ; touch hacked"
    tried = asyncio.run(trial_of(folder, command)(source_of(WRONG)))
    assert tried.passed
    assert not (folder / "hacked").exists()


@pytest.mark.parametrize("write", [False, True])
def test_a_fix_is_shown_or_written(
    coai: InProcess, folder: Path, monkeypatch: pytest.MonkeyPatch, *, write: bool
) -> None:
    monkeypatch.chdir(folder)
    more = ["--write"] if write else []
    ran = coai("fix", "a.py", "--no-model", "--test", f"{PYTHON} t.py", "--json", *more)
    document = json.loads(ran.out)
    assert ran.code == (0 if write else 1)
    assert "+    return sum(items)" in document["changes"][0]["diff"]
    assert document["items"][0]["origin"] == "fact"
    text = (folder / "a.py").read_bytes()
    assert text.startswith(b"\xef\xbb\xbf")
    assert (b"sum(items)" in text) is write


@pytest.mark.parametrize(
    ("text", "command", "code"),
    [
        ("def total(items):\n    return sum(items)\n", "t.py", 0),
        ("def total(items):\n    return len(items)\n", "t.py", 2),
        ("def total(items):\n    return sum(items)\n", None, 0),
        ("def total(items):\n    return sum(itms)\n", None, 1),
    ],
)
def test_the_exit_code_says_how_it_stands(
    coai: InProcess,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    text: str,
    command: str | None,
    code: int,
) -> None:
    monkeypatch.chdir(folder)
    (folder / "a.py").write_text(text, "utf-8")
    test = [] if command is None else ["--test", f"{PYTHON} {command}"]
    ran = coai("fix", "a.py", "--no-model", *test)
    assert ran.code == code
    assert (folder / "a.py").read_text("utf-8") == text
    assert ran.err or ran.out


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize("kind", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_leaves_the_file_as_it_was(home: Home, folder: Path, kind: str) -> None:
    before = (folder / "a.py").read_bytes()
    # It fails by a name the first time, then waits with the changed file in place.
    (folder / "t.py").write_text(
        "import time\nif 'itms' in open('a.py').read():\n    import a\n    a.total([])\n"
        "time.sleep(600)\n",
        "utf-8",
    )
    command = [sys.executable, "-m", "coai_server", "fix", "a.py", "--no-model"]
    process = subprocess.Popen(
        [*command, "--test", f"{PYTHON} t.py"],
        cwd=folder,
        env=home.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while (folder / "a.py").read_bytes() == before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (folder / "a.py").read_bytes() != before
    os.kill(process.pid, getattr(signal, kind))
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0
    assert b"Traceback" not in said
    assert (folder / "a.py").read_bytes() == before


def test_the_users_command_has_the_users_environment(tmp_path: Path) -> None:
    """What keeps our own processes from importing the folder is no business of the user's test."""
    (tmp_path / "a.py").write_text("def total(items):\n    return sum(items)\n")
    (tmp_path / "t.py").write_text("from a import total\n\nassert total([1]) == 1\n")
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("coai"), "fix", "a.py", "--no-model"),
            *("--test", f"{sys.executable} t.py"),
        ],
        cwd=tmp_path,
        env=ours,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
