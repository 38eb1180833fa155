"""The complexity of a request: what its score depends on, and that the weights do what they say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from benchmarks.complexity import (
    HELD_OUT,
    Labelled,
    fit,
    halves,
    judge,
    main,
    read_requests,
    words_alone,
)

from coai_routing.errors import SettingsError
from coai_routing.registry.complexity import (
    ComplexityWeights,
    Level,
    RequestFeatures,
    builtin_weights,
    complexity,
    load_weights,
)
from coai_routing.request import Capability

if TYPE_CHECKING:
    from pathlib import Path

DESIGN = RequestFeatures(
    kind="architecture_design",
    question="plan the migration of this monolith to services with their boundaries and risks",
    span_lines=300,
    files=20,
)


@pytest.mark.parametrize(
    ("features", "level"),
    [
        (RequestFeatures("code_completion", span_lines=1, files=1), Level.SIMPLE),
        (RequestFeatures("code_analysis", "what does this line do", 1, 1), Level.SIMPLE),
        (RequestFeatures("documentation", "Schreibe einen Docstring", 8, 1), Level.SIMPLE),
        (DESIGN, Level.STRATEGIC),
    ],
)
def test_clear_cases(features: RequestFeatures, level: Level) -> None:
    assert complexity(features).level is level


@pytest.mark.parametrize(
    ("score", "level"),
    [
        (0.0, Level.SIMPLE),
        (0.29, Level.SIMPLE),
        (0.3, Level.MODERATE),
        (0.7, Level.COMPLEX),
        (0.9, Level.STRATEGIC),
        (1.0, Level.STRATEGIC),
    ],
)
def test_levels_begin_where_they_should(score: float, level: Level) -> None:
    assert Level.of(score) is level


def test_a_score_says_what_it_is_made_of() -> None:
    scored = complexity(DESIGN)
    assert {"words of designs", "kind architecture_design"} <= {n for n, _ in scored.contributions}
    sizes = [abs(weight) for _, weight in scored.contributions]
    assert sizes == sorted(sizes, reverse=True)
    assert 0.0 < scored.score < 1.0


def test_the_same_words_in_scripts_without_blanks_count() -> None:
    features = builtin_weights().features(RequestFeatures(question="规划迁移的架构和风险"))
    assert features["words of designs"] > 0
    assert features["length of the question"] > 1


def test_an_unknown_kind_and_nothing_at_all_have_a_score() -> None:
    assert 0.0 < complexity(RequestFeatures()).score < 1.0
    assert 0.0 < complexity(RequestFeatures(kind="unheard of", question="x" * 9999)).score < 1.0


def test_the_requests_are_many_of_many_kinds_and_languages() -> None:
    requests = read_requests()
    assert len(requests) >= 300
    assert {one.features.kind for one in requests} == set(Capability)
    assert len({one.features for one in requests}) == len(requests) - _unasked(requests)
    assert {one.level for one in requests} == set(Level)


def _unasked(requests: list[Labelled]) -> int:
    """Return how many are said twice; only those that an editor makes without words may be."""
    said = [one.features for one in requests]
    assert all(not one.question for one in said if said.count(one) > 1)
    return len(said) - len(set(said))


def test_the_weights_are_better_than_guessing_on_requests_they_were_not_fitted_to() -> None:
    training, test = halves(read_requests())
    assert not {one.features for one in training if one.features.question} & {
        one.features for one in test
    }
    held = judge(builtin_weights(), test)
    assert held.strong > 0.85
    assert held.near > 0.9
    assert held.rank > 0.9
    assert held.calibration < 0.1
    assert held.flips < 0.1


def test_the_weights_hold_on_requests_that_no_feature_was_chosen_by() -> None:
    known, held_out = read_requests(), read_requests(HELD_OUT)
    assert len(held_out) >= 60
    said = {words.question for one in known for words in one.wordings if words.question}
    assert not said & {words.question for one in held_out for words in one.wordings}
    held = judge(builtin_weights(), held_out)
    assert held.strong > 0.85
    assert held.calibration < 0.1
    assert held.flips < 0.1
    # Without the sizes of what is asked about it is told worse, but better than by guessing.
    blind = judge(builtin_weights(), words_alone(held_out))
    assert held.rank > blind.rank > 0.7


def test_training_gives_the_weights_that_are_shipped() -> None:
    training, _ = halves(read_requests())
    fitted = fit(training)
    shipped = builtin_weights()
    assert fitted.stems == shipped.stems
    assert fitted.weights == pytest.approx(shipped.weights, abs=0.01)  # pyright: ignore[reportUnknownMemberType] - pytest's own types


def test_the_benchmark_prints_its_figures(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["--json", str(tmp_path / "figures.json")]) == 0
    assert "calibration error" in capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())["figures"]
    assert all(figures[part]["order"] > 0.5 for part in ("test", "held out"))


def test_a_malformed_request_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "requests.psv"
    file.write_text("# a comment\ncode_analysis|en|x|1|0|0|1|simple|what|\n")
    with pytest.raises(ValueError, match=r"requests\.psv:2"):
        read_requests(file)


@pytest.mark.parametrize("content", ["{", "[]", '{"intercept": 0, "weights": {}, "stems": {}}'])
def test_broken_weights_are_told_with_their_file(tmp_path: Path, content: str) -> None:
    file = tmp_path / "weights.json"
    file.write_text(content)
    with pytest.raises(SettingsError, match=r"weights\.json"):
        load_weights(file)
    with pytest.raises(SettingsError):
        load_weights(tmp_path / "none.json")


def test_extreme_weights_do_not_overflow() -> None:
    weights = ComplexityWeights(intercept=-1e9, weights={"files": 1.0}, stems={})
    assert weights.score(RequestFeatures(files=3)).score < 1e-9
