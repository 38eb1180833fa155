"""What solved a problem is proposed for the next of its kind, where its lines are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.memory.episodes import episode_of, kind_of, remembered
from coai_agents.memory.store import Memory
from coai_agents.source import Source
from coai_agents.specialists.asking import Asker
from coai_agents.specialists.diagnosing.problems import Frame, Problem
from coai_agents.specialists.edits import change
from coai_agents.specialists.fixing.agent import fix_by_test, fix_findings
from coai_agents.specialists.fixing.tally import Tried
from coai_agents.specialists.targets import Target

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "/w"


def problem(message: str, line: int = 1, kind: str = "NameError") -> Problem:
    return Problem("python", kind, message, (Frame("a.py", line),))


def source(text: str) -> Source:
    return Source("file:///w/a.py", text, "python")


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "memory.sqlite3")


def keep(memory: Memory, before: str, after: str, of: Problem) -> None:
    episode = episode_of((FOLDER, "a.py"), of, (source(before), source(after)), "a model", "test")
    assert episode is not None
    memory.add_episode(episode)


def proposed(memory: Memory, text: str, of: Problem) -> list[str]:
    return [
        change(source(text), each.edits).after.text
        for each in remembered(memory, FOLDER, source(text), of)
    ]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (problem("name 'a' is not defined"), problem("name 'b' is not defined", 9), True),
        (problem("expected 2 arguments, got 3"), problem("expected 1 arguments, got 0"), True),
        (problem("name 'a' is not defined"), problem("name 'a' is not defined", 1, "X"), False),
        (problem("one thing"), problem("another thing"), False),
    ],
)
def test_a_kind_is_the_same_for_other_names(one: Problem, other: Problem, *, same: bool) -> None:
    assert (kind_of(one) == kind_of(other)) is same


@pytest.mark.parametrize(
    ("before", "after", "text", "expected"),
    [
        # The same line elsewhere, with its own indentation.
        ("x = f(1)\n", "x = f(1, 2)\n", "def g():\n    x = f(1)\n", "def g():\n    x = f(1, 2)\n"),
        # Several lines, several places.
        ("a\nb\nc\n", "a\nB1\nB2\nc\n", "z\nb\n", "z\nB1\nB2\n"),
        ("a\nb\nc\nd\n", "A\nb\nc\nD\n", "d\na\n", "D\nA\n"),
        # Lines that go, and imports that come.
        ("keep()\nx = f(1)\n", "keep()\n", "x = f(1)\ny = 2\n", "y = 2\n"),
        (
            "import os\nf()\n",
            "import os\nimport re\nf()\n",
            "import sys\nf()\n",
            "import re\nimport sys\nf()\n",
        ),
        ("import os\n", "import os\nimport re\n", "f()\n", "import re\nf()\n"),
    ],
)
def test_a_change_is_done_again(
    memory: Memory, before: str, after: str, text: str, expected: str
) -> None:
    keep(memory, before, after, problem("name 'f' is wrong"))
    assert proposed(memory, text, problem("name 'g' is wrong")) == [expected]


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("x = f(1)\n", "x = f(1, 2)\n", "x = f(2)\n"),
        ("a\nb\nc\nd\n", "A\nb\nc\nD\n", "a\n"),
        ("import os\n", "import os\nimport re\n", "import re\nimport os\n"),
        ("f()\n", "f()\ng()\n", "f()\n"),
    ],
)
def test_where_its_lines_are_not_it_is_not(
    memory: Memory, before: str, after: str, text: str
) -> None:
    keep(memory, before, after, problem("name 'f' is wrong"))
    assert proposed(memory, text, problem("name 'g' is wrong")) == []


def test_the_place_nearest_to_the_problem_is_meant(memory: Memory) -> None:
    keep(memory, "x = 1\n", "x = 2\n", problem("bad"))
    text = "x = 1\n\n\nx = 1\n"
    assert proposed(memory, text, problem("bad", 4)) == ["x = 1\n\n\nx = 2\n"]


def test_what_was_kept_in_another_folder_is_not_proposed(memory: Memory) -> None:
    keep(memory, "x = 1\n", "x = 2\n", problem("bad"))
    assert list(remembered(memory, "/other", source("x = 1\n"), problem("bad"))) == []


@pytest.mark.parametrize("count", [1, 3, 4])
def test_a_change_of_many_places_is_no_solution_of_one_problem(count: int) -> None:
    lines = [f"line {number}\n" for number in range(20)]
    after = [
        f"other {n}\n" if n % 4 == 0 and n < 4 * count else line for n, line in enumerate(lines)
    ]
    change = (source("".join(lines)), source("".join(after)))
    kept = episode_of((FOLDER, "a.py"), problem("bad"), change, "a rule", "test")
    assert (kept is not None) is (count <= 3)


async def test_what_is_remembered_is_tried_first_and_says_so(memory: Memory) -> None:
    wrong = "def total(items):\n    return sum(itms)\n"
    mine = wrong.replace("sum(itms)", "sum(items, 0)")
    said = "name 'itms' is not defined. Did you mean: 'items'?"
    where = 'Traceback (most recent call last):\n  File "/w/a.py", line 2, in total\n'
    trace = f"{where}NameError: {said}\n"
    tried: list[str] = []

    async def attempt(version: Source) -> Tried:
        tried.append(version.text)
        return Tried("itms" not in version.text, "" if "itms" not in version.text else trace)

    def recall(version: Source, of: Problem) -> list[object]:
        return list(remembered(memory, FOLDER, version, of))

    first = await fix_by_test(
        source(wrong),
        Target("a.py"),
        Asker(),
        attempt,
        "/w/a.py",
        recall=recall,  # pyright: ignore[reportArgumentType] - lists do
    )
    assert "sum(items)" in first.after.text
    assert first.problem is not None
    keep(memory, wrong, mine, first.problem)
    again = await fix_by_test(
        source(wrong),
        Target("a.py"),
        Asker(),
        attempt,
        "/w/a.py",
        recall=recall,  # pyright: ignore[reportArgumentType] - as above
    )
    assert again.after.text == mine
    assert tried[-1] == mine
    assert again.steps[0].by.startswith("memory: in a.py on ")


async def test_a_remembered_change_passes_the_same_checks(memory: Memory) -> None:
    wrong = "def total(items):\n    return sum(itms)\n"
    state = await fix_findings(source(wrong), Target("a.py"), Asker())
    assert state.problem is not None
    keep(memory, wrong, wrong.replace("itms", "other_name"), state.problem)
    again = await fix_findings(
        source(wrong),
        Target("a.py"),
        Asker(),
        recall=lambda version, of: remembered(memory, FOLDER, version, of),
    )
    assert again.after.text == wrong.replace("itms", "items")
