"""Design requests: what is a decision, its options against the code, and what models make of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from coai_agents.application.explain import design_of
from coai_agents.application.specialists.team import Asked, ask_whoever_knows
from coai_agents.specialists.answers import Origin
from coai_agents.specialists.architecture.designing import topics, topics_of
from coai_agents.specialists.asking import Asker
from coai_routing.privacy.sensitivity import Sensitivity
from coai_routing.request import ModelReply
from coai_routing.router.router import Routed

if TYPE_CHECKING:
    from pathlib import Path

    from coai_agents.specialists.answers import Report
    from coai_routing.policy.question import Question
    from coai_routing.router.router import Router

REQUEST = "We need a job queue."


class TwoModels:
    """A router with two models, each of which answers what the test says."""

    def __init__(self, **answers: object) -> None:
        self._answers = answers
        self.asked: list[Question] = []

    async def models(self, question: Question) -> tuple[str, ...]:
        """Order the models as the test names them."""
        del question
        return tuple(self._answers)

    async def answer(self, question: Question) -> Routed:
        """Answer as the one that is named, or else as the first."""
        self.asked.append(question)
        alias = question.alias or next(iter(self._answers))
        text = json.dumps(self._answers[alias])
        reply = ModelReply(text=text, finish="stop", model=alias, provider="test")
        return Routed(text, reply, "model", Sensitivity(), alias)


def asker(**answers: object) -> Asker:
    return Asker(cast("Router", TwoModels(**answers)))


def says(option: int, because: str = "It fits.") -> dict[str, Any]:
    return {"option": option, "because": because}


def titles(report: Report) -> list[str]:
    return [each.title for each in report.sections]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "workers.py").write_text("import celery\nimport models\n")
    (tmp_path / "models.py").write_text("import sqlite3\n")
    return tmp_path


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        ("we need a job queue", ["job queue"]),
        ("How should we run tasks in the background?", ["job queue"]),
        ("Should we cache the prices in Redis?", ["cache"]),
        ("Redis or an in-process cache: what are the trade-offs?", ["cache"]),
        ("Add full-text search to the articles", ["search"]),
        ("We want single sign-on for our customers.", ["authentication"]),
        ("I need rate limiting per API key", ["rate limit"]),
        ("should we use websockets or SSE for live updates?", ["updates in real time"]),
        ("we plan to split the monolith", ["services"]),
        ("Propose a plugin system", ["plug-ins"]),
        ("Where should we put multi-tenancy?", ["tenants"]),
        ("We need a job queue and a cache", ["job queue", "cache"]),
        ("sqlite or postgres for the sessions?", ["database"]),
        ("how does the job queue work?", []),
        ("why is the cache stale?", []),
        ("explain the search function", []),
        ("what does login() return?", []),
        ("we need better names", []),
        ("", []),
    ],
)
def test_what_is_to_be_decided(request_: str, wanted: list[str]) -> None:
    assert [each.name for each in topics_of(request_)] == wanted


def test_every_topic_has_options_that_differ() -> None:
    for topic in topics():
        assert len({each.name for each in topic.options}) == len(topic.options) >= 3, topic.name
        assert topic.first
        assert all(each.gains and each.costs and each.uses for each in topic.options), topic.name


async def test_without_a_model_the_options_stand_against_the_code(folder: Path) -> None:
    report = await design_of(REQUEST, folder, Asker())
    assert titles(report) == ["What this code base has", "Options: job queue", "To find out first"]
    first, second, *_ = report.sections[1].statements
    assert {first.text.partition(":")[0], second.text.partition(":")[0]} == {
        "a queue over Redis", "a table in the database that workers poll",
    }  # fmt: skip
    assert "Near: celery is imported here already" in f"{first.text}{second.text}"
    assert {str(each) for each in (*first.evidence, *second.evidence)} == {
        "workers.py",
        "models.py",
    }
    assert "By their names, 1 files are about it: workers.py." in report.as_text()
    assert all(each.origin is Origin.FACT for each in report.statements)
    assert report.notes[-1] == "No model is asked, because none is wanted."


async def test_two_models_that_agree_validate(folder: Path) -> None:
    report = await design_of(
        REQUEST, folder, asker(one=says(2, "`models.py` has it."), two=says(2))
    )
    assert titles(report)[2:4] == ["Proposed", "Validated"]
    assert "`models.py` has it. (says one, unchecked)" in report.as_text()
    (validated,) = report.sections[3].statements
    assert (validated.origin, validated.agreed) == (Origin.CHECKED, 2)


async def test_where_they_differ_both_sides_stand(folder: Path) -> None:
    report = await design_of(
        REQUEST, folder, asker(one=says(1), two=says(3, "`nowhere.py` is it."))
    )
    assert titles(report)[2:4] == ["Disagreement", "Both sides"]
    text = report.as_text()
    assert "tasks within the process. (says one, unchecked)" in text
    assert "a queue over Redis. (says two, unchecked)" in text
    assert "one: tasks within the process; two: a queue over Redis." in text
    assert "nowhere.py" not in text


async def test_the_second_model_does_not_know_of_the_first(folder: Path) -> None:
    router = TwoModels(one=says(1), two=says(3))
    await design_of(REQUEST, folder, Asker(cast("Router", router)))
    first, second = router.asked
    assert first.request.messages == second.request.messages
    assert (first.alias, second.alias) == (None, "two")


@pytest.mark.parametrize("option", [0, 9, -1])
async def test_an_option_that_is_none_is_no_choice(folder: Path, option: int) -> None:
    report = await design_of(REQUEST, folder, asker(one=says(option)))
    assert "Proposed" not in titles(report)
    assert "No second model could be asked" in report.notes[-1]


async def test_a_request_of_any_kind_gets_there(folder: Path) -> None:
    report = await ask_whoever_knows(Asked(REQUEST, (), folder, Asker()))
    assert any(each.startswith("Options: job queue") for each in titles(report))
