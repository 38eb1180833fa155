"""Changes tried by the user's tests: all stay or none does, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coai_agents.workflows.errors import WorkflowError
from coai_agents.workflows.workers import trying
from coai_agents.workflows.workers.proposals import checked, edit
from coai_agents.workflows.workers.trying import recovered, tried

PYTHON = Path(sys.executable).as_posix()
EDITS = [edit("shop.py", "x = 1\n", "x = 2\n"), edit("new/deep/price.py", None, "y = 1\n")]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(trying, "location", lambda: tmp_path / "state" / "runs.sqlite3")
    place = tmp_path / "shop"
    place.mkdir()
    (place / "shop.py").write_text("x = 1\n")
    (place / "check.py").write_text(
        "import pathlib, sys\n"
        "print('saw', pathlib.Path('shop.py').read_text(), pathlib.Path('new').exists())\n"
        "exec(sys.argv[1])\n"
    )
    return place


def as_it_was(shop: Path) -> bool:
    notes = shop.with_name("state") / "trying"
    return (
        (shop / "shop.py").read_text() == "x = 1\n"
        and not (shop / "new").exists()
        and not (notes.is_dir() and any(notes.iterdir()))
    )


@pytest.mark.parametrize(
    ("code", "keep", "passed", "stays"),
    [
        ("pass", True, True, True),
        ("pass", False, True, False),
        ("sys.exit(1)", True, False, False),
        ("raise ValueError('why it fails')", True, False, False),
        ("import os; os.kill(os.getpid(), 9)", True, False, False),
    ],
)
async def test_they_stay_only_if_the_tests_pass(
    shop: Path, code: str, *, keep: bool, passed: bool, stays: bool
) -> None:
    trial = await tried(checked(EDITS, shop), shop, f'{PYTHON} check.py "{code}"', keep=keep)
    assert trial.passed is passed
    assert "saw x = 2" in trial.output
    assert "True" in trial.output
    if "why" in code:
        assert "why it fails" in trial.output
    if stays:
        assert (shop / "shop.py").read_text() == "x = 2\n"
        assert (shop / "new" / "deep" / "price.py").read_text() == "y = 1\n"
    else:
        assert as_it_was(shop)


async def test_tests_that_hang_are_ended_and_all_is_taken_back(shop: Path) -> None:
    command = f'{PYTHON} check.py "import time; time.sleep(600)"'
    trial = await tried(checked(EDITS, shop), shop, command, keep=True, seconds=2)
    assert (trial.passed, trial.timed_out) == (False, True)
    assert "took too long" in trial.sentence
    assert as_it_was(shop)


@pytest.mark.parametrize("command", ["no-such-program-here", "", "'unbalanced"])
async def test_a_command_that_is_none_changes_nothing(shop: Path, command: str) -> None:
    with pytest.raises(WorkflowError):
        await tried(checked(EDITS, shop), shop, command, keep=True)
    assert as_it_was(shop)


async def test_what_somebody_wrote_meanwhile_is_left_and_said(shop: Path) -> None:
    code = (
        "pathlib.Path('shop.py').write_text('mine = 1'); "
        "pathlib.Path('new/deep/notes').write_text(''); sys.exit(1)"
    )
    trial = await tried(checked(EDITS, shop), shop, f'{PYTHON} check.py "{code}"', keep=True)
    assert trial.left == ("shop.py",)
    assert "shop.py" in trial.sentence
    assert (shop / "shop.py").read_text() == "mine = 1"
    assert [each.name for each in (shop / "new" / "deep").iterdir()] == ["notes"]


async def test_who_is_cancelled_takes_them_back(shop: Path) -> None:
    command = f'{PYTHON} check.py "import time; time.sleep(600)"'
    task = asyncio.create_task(tried(checked(EDITS, shop), shop, command, keep=True))
    for _ in range(6_000):
        if (shop / "shop.py").read_text() != "x = 1\n":
            break
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert as_it_was(shop)


async def test_where_it_cannot_be_noted_what_was_there_nothing_changes(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trying, "write_own_file", full)
    with pytest.raises(WorkflowError, match="No space left on device"):
        await tried(checked(EDITS, shop), shop, f"{PYTHON} check.py pass", keep=True)
    assert as_it_was(shop)


VICTIM = """
import asyncio, sys
from pathlib import Path
from coai_agents.workflows.workers import trying
from coai_agents.workflows.workers.proposals import checked, edit

shop = Path(sys.argv[1])
trying.location = lambda: shop.with_name("state") / "runs.sqlite3"
edits = [edit("shop.py", "x = 1\\n", "x = 2\\n"), edit("new/deep/price.py", None, "y = 1\\n")]
command = f'{sys.executable} check.py "import time; time.sleep(600)"'
asyncio.run(trying.tried(checked(edits, shop), shop, command, keep=True))
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is POSIX")
@pytest.mark.parametrize("changed", [False, True])
def test_what_a_killed_process_has_left_is_taken_back_first(shop: Path, *, changed: bool) -> None:
    victim = subprocess.Popen([sys.executable, "-c", VICTIM, str(shop)])
    deadline = time.monotonic() + 60
    while not (shop / "new" / "deep" / "price.py").exists():
        assert time.monotonic() < deadline
        assert victim.poll() is None
        time.sleep(0.01)
    with pytest.raises(WorkflowError, match="another process"):
        recovered(shop)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    if changed:
        (shop / "shop.py").write_text("mine = 1\n")
        with pytest.raises(WorkflowError, match=r"shop\.py"):
            recovered(shop)
        assert (shop / "shop.py").read_text() == "mine = 1\n"
        assert not (shop / "new").exists()
        assert recovered(shop) == ()
    else:
        assert set(recovered(shop)) == {"shop.py", "new/deep/price.py"}
        assert as_it_was(shop)
