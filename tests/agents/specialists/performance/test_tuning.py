"""Only what is faster for sure and says the same stays; runs are counted, never timed."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

import pytest

from coai_agents.source import Source
from coai_agents.specialists.asking import Asker, NobodyError, Prompt, Said
from coai_agents.specialists.fixing.tally import Tried
from coai_agents.specialists.performance.agent import CommandFailedError, report, tune
from coai_agents.specialists.performance.measuring import PAIRS, Comparison, Timing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

TEXT = """\
def above(numbers):
    found = 0
    for number in numbers:
        if number > sum(numbers) / len(numbers):
            found += 1
    return found
"""
FASTER = TEXT.replace("    found = 0\n", "    found = 0\n    total = sum(numbers)\n").replace(
    "sum(numbers) /", "total /"
)


def timings(*seconds: float, cpu: float = 0.0) -> tuple[Timing, ...]:
    return tuple(Timing(each, each * cpu) for each in seconds)


class Runs:
    """A command whose time and output depend on the text alone; it counts its runs."""

    def __init__(self, seconds: Callable[[str], float], output: Callable[[str], str]) -> None:
        self._seconds = seconds
        self._output = output
        self._noise = cycle((1.0, 1.02, 0.98))
        self.texts: list[str] = []

    async def __call__(self, source: Source) -> Tried:
        self.texts.append(source.text)
        taken = self._seconds(source.text) * next(self._noise)
        output = self._output(source.text)
        return Tried(output != "fails", output, seconds=taken, cpu_seconds=taken)


class Model(Asker):
    """A model that writes what it is told to."""

    def __init__(self, *answers: str) -> None:
        super().__init__()
        self._answers = answers
        self.prompts: list[Prompt] = []

    async def samples(self, prompt: Prompt, most: int) -> AsyncGenerator[Said]:
        self.prompts.append(prompt)
        if not self._answers:
            raise NobodyError("Nobody is there.")
        for answer in self._answers[:most]:
            yield Said(f"```python\n{answer}```", "a model", local=True)


def source() -> Source:
    return Source("file:///a.py", TEXT, "python")


async def test_a_rule_s_change_stays_where_it_is_faster() -> None:
    run = Runs(lambda text: 1.0 if "> sum(numbers)" in text else 0.5, lambda _: "7\n")
    state = await tune(source(), "a.py", Model(), run)
    (step,) = state.steps
    assert "sum_numbers = sum(numbers)" in state.after.text
    assert step.measured.shown.median == pytest.approx(0.5, rel=0.1)
    # Twice as it is, once to see what it says, then in pairs.
    assert len(run.texts) == 2 + 1 + 2 * PAIRS
    assert run.texts.count(TEXT) == 2 + PAIRS


@pytest.mark.parametrize("ratio", [1.0, 1.3, 0.99])
async def test_what_is_no_faster_is_given_up_early(ratio: float) -> None:
    run = Runs(lambda text: 1.0 if "> sum(numbers)" in text else ratio, lambda _: "7\n")
    state = await tune(source(), "a.py", Model(), run)
    assert state.after.text == TEXT
    assert state.steps == []
    assert len(run.texts) < 2 + 1 + 2 * PAIRS


async def test_what_says_something_else_is_refused_however_fast() -> None:
    run = Runs(lambda _: 0.1, lambda text: "7\n" if "> sum(numbers)" in text else "8\n")
    state = await tune(source(), "a.py", Model(), run)
    assert state.after.text == TEXT
    assert len(run.texts) == 3


async def test_a_command_that_says_another_thing_each_time_is_judged_by_its_exit_code() -> None:
    numbers = iter(range(1000))
    run = Runs(lambda text: 1.0 if "> sum(" in text else 0.5, lambda _: str(next(numbers)))
    state = await tune(source(), "a.py", Model(), run)
    assert len(state.steps) == 1
    assert any("exit code" in note for note in state.notes)


async def test_a_command_that_fails_is_told_before_anything_is_changed() -> None:
    run = Runs(lambda _: 1.0, lambda _: "fails")
    with pytest.raises(CommandFailedError):
        await tune(source(), "a.py", Model(), run)
    assert set(run.texts) == {TEXT}


async def test_a_model_s_version_is_measured_like_any_other() -> None:
    text = TEXT.replace("sum(numbers)", "total(numbers)")
    wrong = text.replace("found += 1", "found += 2")
    right = text.replace("    found = 0\n", "    found = 0\n    whole = total(numbers)\n")
    right = right.replace("> total(numbers)", "> whole")
    text = f"def total(numbers):\n    return sum(numbers)\n\n\n{text}"
    run = Runs(
        lambda text: 0.3 if "> whole" in text else 1.0,
        lambda text: "8" if "+= 2" in text else "7",
    )
    model = Model(wrong, right)
    state = await tune(Source("file:///a.py", text, "python"), "a.py", model, run, symbol="above")
    (step,) = state.steps
    assert step.candidate.from_model
    assert "> whole" in state.after.text
    assert state.after.text.startswith("def total(numbers):\n    return sum(numbers)\n\n\n")
    assert "faster" in model.prompts[0].system


async def test_without_a_model_the_reason_is_said() -> None:
    run = Runs(lambda _: 1.0, lambda _: "7")
    state = await tune(source(), "a.py", Model(), run, symbol="above")
    assert state.notes == ["Nobody is there."]


@pytest.mark.parametrize(
    ("before", "after", "faster"),
    [
        (timings(1, 1, 1), timings(0.5, 0.5, 0.5), True),
        (timings(1, 1), timings(0.5, 0.5), False),
        (timings(1, 1, 1, 1, 1), timings(0.9, 1.2, 0.8, 1.3, 0.7), False),
        (timings(1, 2, 9, 1), timings(0.5, 1, 4, 0.5), True),
        (timings(1, 1, 1), timings(0.99, 0.99, 0.99), False),
        # The clock of a busy machine, and processors that did less.
        (timings(1, 3, 1, cpu=0.3), timings(1.05, 3, 1.0, cpu=0.1), True),
        # Less computing, but it takes longer.
        (timings(1, 1, 1, cpu=0.9), timings(2, 2, 2, cpu=0.1), False),
        # As much computing, less waiting.
        (timings(1, 1, 1, cpu=0.1), timings(0.5, 0.5, 0.5, cpu=0.2), True),
    ],
)
def test_faster_is_what_is_so_in_pairs(
    before: tuple[Timing, ...], after: tuple[Timing, ...], *, faster: bool
) -> None:
    assert Comparison(before, after).is_faster is faster


def test_without_a_profile_the_costs_are_said_and_with_none_nothing() -> None:
    told = report(source(), "a.py", None)
    (section,) = told.sections
    assert str(section.statements[0].evidence[0]) == "a.py:4"
    assert report(Source("file:///a.py", "x = 1\n", "python"), "a.py", None).sections == ()
