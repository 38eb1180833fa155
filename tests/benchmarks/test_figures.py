"""What is computed from measurements: percentiles, intervals, bars, images."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
from benchmarks.support.figures import Spread, bootstrap_interval, percentile
from benchmarks.support.histogram import BINS_A_DECADE, histogram_svg, shares
from benchmarks.support.machine import this_machine
from benchmarks.support.report import Bar, Report, options_parser, quantity, spread_row

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([7], 99, 7),
        ([1, 2, 3], 50, 2),
        ([1, 2, 3, 4], 50, 2.5),
        ([4, 1, 3, 2], 0, 1),
        ([4, 1, 3, 2], 100, 4),
        ([0, 10], 95, 9.5),
    ],
)
def test_percentiles_are_interpolated(values: list[float], percent: float, expected: float) -> None:
    assert percentile(values, percent) == pytest.approx(expected)


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 50)
    assert Spread.of([]) is None
    assert spread_row("nothing", None) == ("nothing", "0", "-", "-", "-", "-")


def test_the_interval_of_equal_differences_is_that_difference() -> None:
    assert bootstrap_interval([1.0] * 20, seed=0, resamples=50) == (1.0, 1.0)


def test_the_interval_holds_the_mean_and_repeats_with_its_seed() -> None:
    values = [1.0] * 30 + [0.0] * 70
    low, high = bootstrap_interval(values, seed=1, resamples=400)
    assert 0.15 < low < 0.30 < high < 0.45
    assert bootstrap_interval(values, seed=1, resamples=400) == (low, high)


@pytest.mark.parametrize(
    ("bar", "met"),
    [
        (Bar("a", 2, 2), True),
        (Bar("a", 2.1, 2), False),
        (Bar("a", 2, 2, at_least=True), True),
        (Bar("a", 1.9, 2, at_least=True), False),
        (Bar("a", None, 2), False),
    ],
)
def test_a_bar_is_met_or_not(bar: Bar, met: bool) -> None:
    assert bar.met is met
    assert bar.document()["met"] is met


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [(0.1234, "ms", "0.12 ms"), (12.34, "", "12.3"), (1234.5, "MB", "1,234 MB"), (3, "", "3")],
)
def test_figures_have_three_digits(value: float, unit: str, expected: str) -> None:
    assert quantity(value, unit) == expected


@pytest.mark.parametrize(("measured", "check", "code"), [(1, True, 0), (3, True, 1), (3, False, 0)])
def test_a_missed_bar_is_an_exit_code_only_with_check(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    measured: float,
    check: bool,
    code: int,
) -> None:
    file = tmp_path / "figures.json"
    words = ["--json", str(file), *(["--check"] if check else [])]
    report = Report("A benchmark")
    report.hold(Bar("a bar", measured, 2, "ms"))
    assert report.finish(options_parser("x", "X.").parse_args(words)) == code
    assert "a bar" in capsys.readouterr().out
    assert '"limit": 2' in file.read_text(encoding="utf-8")


def test_a_histogram_counts_on_a_logarithmic_scale() -> None:
    bins = shares([0.01, 1.0, 10.0, 99_999.0])
    assert sum(bins) == 100
    assert (bins[0], bins[BINS_A_DECADE], bins[-1]) == (50, 25, 25)


def test_a_histogram_is_an_image_with_a_bar_for_each_bin_that_is_not_empty() -> None:
    svg = histogram_svg("A & B", {"one": [5, 5, 500], "two": [2000], "none": []})
    image = ET.fromstring(svg)
    bars = [e for e in image.iter("{http://www.w3.org/2000/svg}rect") if e.get("height") != "12"]
    assert len(bars) == 3
    assert "none" not in svg
    assert "two (1)" in svg


def test_the_machine_is_described() -> None:
    machine = this_machine()
    assert machine.cores >= 1
    assert machine.cpu in machine.sentence()
