"""Calculation is exact, knows units and statistics, and nothing that it is given is executed."""

from __future__ import annotations

import statistics
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coai_agents.tools.calculating import calculate
from coai_agents.tools.errors import ToolError
from coai_agents.tools.quantities import units

if TYPE_CHECKING:
    from coai_agents.workflows.definition.types import Json


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("0.1 + 0.2", "0.3"),
        ("2 ^ 10", "1024"),
        ("2 ** 3 ** 2", "512"),
        ("-2 ^ 2", "-4"),
        ("2 ^ -1", "0.5"),
        ("7 % 3", "1"),
        ("1e3 + 1_000", "2000"),
        ("1 / 3 * 3", "1"),
        ("10 - 4 - 3", "3"),
        ("2 ^ 200", str(2**200)),
        ("sqrt(2 ^ 200)", str(2**100)),
        ("sqrt(0.25)", "0.5"),
        ("mean(1, 2, 3, 4)", "2.5"),
        ("median(3, 1, 2)", "2"),
        ("mode(1, 2, 2, 3)", "2"),
        ("max(1, 5) - min(2, 3)", "3"),
        ("pvariance(2, 4, 4, 4, 5, 5, 7, 9)", "4"),
        ("pstdev(2, 4, 4, 4, 5, 5, 7, 9)", "2"),
        ("count(1, 1, 1)", "3"),
        ("floor(2.7) + ceil(2.1) + round(2.5) + abs(-1)", "8"),
        ("5 km + 300 m in m", "5300 m"),
        ("100 km / 2 h in km / h", "50 km / h"),
        ("10 MB / 2 s to MB / s", "5 MB / s"),
        ("1 GiB in MiB", "1024 MiB"),
        ("1 ft in cm", "30.48 cm"),
        ("3 m * 2 m", "6 m^2"),
        ("sqrt(9 m^2)", "3 m"),
        ("90 min in h", "1.5 h"),
        ("2 kW * 3 h in kWh", "6 kWh"),
        ("20 percent * 50", "10"),
        ("mean(1 s, 3 s) in ms", "2000 ms"),
        ("total / n", "2"),
        ("sum(times) + n", "9"),
    ],
)
def test_what_comes_out(expression: str, text: str) -> None:
    found = calculate(expression, {"total": 6, "n": 3, "times": [1, 2, "3"]})
    assert (found["text"], found["exact"]) == (text, True)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "1 +",
        "1 2",
        "(1",
        "1 / 0",
        "0 ^ -1",
        "5 % 0",
        "1 m + 1 s",
        "1 m in s",
        "2 ^ 0.5",
        "2 ^ 99999999",
        "9 ^ 9 ^ 9",
        "1e999999999",
        "sqrt(-1)",
        "sqrt(2 m)",
        "stdev(1)",
        "mean()",
        "sqrt(1, 2)",
        "times",
        "nowhere",
        "flag + 1",
        "exec(1)",
        "__import__('os').system('id')",
        "().__class__",
        "1; 2",
        "[1]",
        "lambda: 1",
        "(" * 5000 + "1" + ")" * 5000,
        "-" * 5000 + "1",
        "1" * 20_000,
        "sum(1 m, 2 s)",
    ],
)
def test_what_is_no_calculation_is_refused_and_nothing_hangs(expression: str) -> None:
    with pytest.raises(ToolError):
        calculate(expression, {"times": [1, 2], "flag": True})


def test_what_has_no_end_says_so() -> None:
    found = calculate("sqrt(2)")
    assert found["exact"] is False
    assert found["text"].startswith("1.41421356237309504880168872")
    assert calculate("1 / 3")["text"].endswith("(1/3)")


NUMBERS = st.lists(st.integers(-10_000, 10_000), min_size=2, max_size=20)


@given(NUMBERS)
def test_statistics_are_those_of_the_standard_library(numbers: list[int]) -> None:
    fractions = [Fraction(each) for each in numbers]
    for name in ("mean", "median", "variance", "pvariance"):
        expected = getattr(statistics, name)(fractions)
        assert Fraction(_exactly(f"{name}(n)", {"n": numbers})) == expected, name


def _exactly(expression: str, given_: Json) -> str:
    """Return a result as a fraction: of 360360 times it if that is whole, as for 20 numbers."""
    found = calculate(f"({expression}) * 232792560 * 232792560", given_)
    return str(Fraction(found["text"]) / 232792560**2)


@given(st.sampled_from(sorted(units())), st.integers(1, 1000))
def test_a_unit_is_one_of_itself(name: str, number: int) -> None:
    if name != "percent":
        assert calculate(f"{number} {name} in {name}")["text"] == f"{number} {name}"


@given(st.text(alphabet="0123456789.+-*/%^() mskgin,e_", max_size=60))
def test_any_text_ends_in_a_number_or_a_refusal(text: str) -> None:
    try:
        found = calculate(text)
    except ToolError:
        return
    assert found["text"]
