"""Holes in programs: rows, programs and what is made of answers."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest
from benchmarks.infilling import Answer, Comparison, Pair, first_line, main, save, saved
from benchmarks.support.infilling_rows import NoDataError, Row, chosen, load_rows, passing

from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from pathlib import Path

ROW = {
    "task_id": "Made/1/L1",
    "prompt": "def double(n):\n",
    "suffix": "    return m\n",
    "canonical_solution": "    m = 2 * n\n",
    "entry_point": "double",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
}


def data_folder(folder: Path, kind: str = "singleline") -> Path:
    rows = [{**ROW, "task_id": f"Made/{number}"} for number in range(3)]
    with gzip.open(folder / f"infilling_{kind}.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_the_line_end_of_a_solution_stays_behind_the_cursor(tmp_path: Path) -> None:
    row = load_rows(data_folder(tmp_path), "singleline")[0]
    assert row.solution == "    m = 2 * n"
    assert row.suffix == "\n    return m\n"
    assert row.filled(row.solution) == "def double(n):\n    m = 2 * n\n    return m\n"


@pytest.mark.parametrize(
    ("solution", "suffix"), [("x", "\ny"), ("x\n", "\ny"), ("x", "y")], ids=repr
)
def test_other_rows_stay_as_they_are(solution: str, suffix: str) -> None:
    row = Row("id", "p", suffix, solution, "f", "")
    assert row.as_edited() == row


def test_a_replaced_end_of_line_is_left_out() -> None:
    row = Row("id", "print(", ")\n", "1", "f", "")
    assert row.filled("1)", replaces=1) == "print(1)\n"


def test_rows_are_chosen_by_the_seed_alone(tmp_path: Path) -> None:
    rows = load_rows(data_folder(tmp_path), "singleline")
    assert chosen(rows, 2, seed=1) == chosen(rows[::-1], 2, seed=1)
    assert len(chosen(rows, None, seed=1)) == 3


def test_missing_data_is_said_clearly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "There is no infilling data" in said
    assert "--data DIR" in said


def test_data_of_another_form_is_refused(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "infilling_multiline.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write('{"task_id": "a"}\n')
    with pytest.raises(NoDataError, match="not in the form expected"):
        load_rows(tmp_path, "multiline")


@pytest.mark.parametrize(
    ("program", "passes"),
    [
        ("assert 1 + 1 == 2", True),
        ("if __name__ == '__main__': raise SystemExit(0)", True),
        ("assert 1 + 1 == 3", False),
        ("syntax error", False),
        ("input()", False),
        ("import os; os._exit(3)", False),
    ],
)
async def test_a_program_passes_if_it_ends_well(program: str, passes: bool) -> None:
    assert await passing([program], seconds=60.0) == [passes]


async def test_a_program_that_does_not_end_is_ended() -> None:
    assert await passing(["while True: pass", "import time; time.sleep(99)"], seconds=0.5) == [
        False,
        False,
    ]


def test_answers_are_kept_and_scored_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data_folder(tmp_path)
    right, wrong = Answer("    m = 2 * n", 10.0), Answer("    m = n\n    junk(", 20.0)
    first_only = Answer("    m = 2 * n\n    junk(", 20.0, ended="limit")
    answers = [
        Pair("Made/0", right, wrong),
        Pair("Made/1", right, first_only),
        Pair("Made/2", Answer("", 5.0, ended="model_said_nothing"), wrong),
        Pair("Of another data set", right, right),
    ]
    file, figures = tmp_path / "answers.jsonl", tmp_path / "figures.json"
    save(file, answers)
    assert saved(file) == answers
    words = ["--data", str(tmp_path), "--rescore", str(file), "--json", str(figures), "--check"]
    assert main(words) == 0
    told = json.loads(figures.read_text(encoding="utf-8"))["figures"]
    assert told["pass@1, bare model"]["coai"] == pytest.approx(2 / 3)
    assert told["pass@1, bare model"]["other"] == 0
    assert told["pass@1, its first line"]["other"] == pytest.approx(1 / 3)
    assert "model_said_nothing 1" in capsys.readouterr().out


def test_answers_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text('{"task_id": "a"}\n', encoding="utf-8")
    with pytest.raises(CoaiError, match="no answers"):
        saved(file)


def test_a_comparison_is_paired() -> None:
    compared = Comparison.of([True, True, False, True], [False, True, True, True], seed=0)
    assert (compared.won, compared.lost) == (1, 1)
    assert compared.low <= 0 <= compared.high


def test_a_bare_answer_can_be_cut_at_its_line() -> None:
    assert first_line(Answer("a\nb", 1.0)).text == "a"
