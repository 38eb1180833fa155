"""Questions and answers as lines: what comes out is what went in, and nonsense is refused."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from coai_routing import errors
from coai_routing.errors import CoaiError
from coai_routing.policy.question import Priority, Question
from coai_routing.privacy.sensitivity import Reason, Sensitivity, SensitivityRules, ShownFile
from coai_routing.registry.capabilities import Objective, TierName
from coai_routing.request import (
    Alternative,
    Delta,
    Message,
    ModelReply,
    ModelRequest,
    Timings,
    Usage,
)
from coai_routing.router.router import Routed
from coai_server.shared.questions import (
    delta_as_json,
    error_as_json,
    question_as_json,
    read_delta,
    read_error,
    read_question,
    read_routed,
    routed_as_json,
)
from coai_server.shared.talk import TalkError

REQUEST = ModelRequest(
    messages=(Message(role="system", content="a"), Message(role="user", content="ä\n\U0001f600")),
    max_tokens=7,
    temperature=0.5,
    stop=("\n",),
    json_schema={"type": "object"},
    alternatives=3,
    timeout=2.5,
    sensitive=True,
)
RULES = SensitivityRules(privacy_mode=True, patterns=("x",), private_files=("*.key",))
QUESTION = Question(
    REQUEST,
    objective=Objective.QUALITY,
    paths=("a.py", ShownFile(("b.py", "B.py"), RULES, folds_case=True, hard_linked=True)),
    complexity=0.4,
    priority=Priority.BACKGROUND,
    alias="big",
    tier=next(iter(TierName)),
    most_usd=0.25,
    hedge=True,
    cached=False,
)
REPLY = ModelReply(
    text="yes",
    finish="length",
    model="m",
    provider="p",
    usage=Usage(prompt_tokens=3, cached_tokens=1, output_tokens=2, cache_write_tokens=1),
    timings=Timings(prompt_ms=1.5),
    slot=1,
    alternatives=(Alternative(token="yes", probability=0.5),),
)
ROUTED = Routed(
    "yes", REPLY, "model", Sensitivity((Reason("secret", "a key"),)), "big", local=False, cost_usd=1
)


def wire(told: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(told))


def test_nothing_is_lost_on_the_way() -> None:
    default = Question(ModelRequest(prompt="x"))
    for each in fields(Question):
        assert getattr(QUESTION, each.name) != getattr(default, each.name), "told apart by nothing"
    for question in (QUESTION, default):
        assert read_question(wire(question_as_json(question))) == question
    for routed in (ROUTED, Routed("", None, "none", Sensitivity())):
        assert read_routed(wire(routed_as_json(routed))) == routed
    for delta in (Delta("a"), Delta("", REPLY, "big", 0.5)):
        assert read_delta(wire(delta_as_json(delta))) == delta


KINDS = [
    errors.NoAnswerError("m", remedy="r", reasons=("a", "b")),
    errors.BudgetExceededError("m", reasons=("a",)),
    errors.StaysHereError("m"),
    errors.DeadlineError("m"),
    errors.ReplyCutOffError("m", provider="p", remedy="r", partial="half"),
    errors.SettingsError("m", remedy="r"),
    errors.BooksError("m"),
    errors.EgressLogError("m"),
]


@pytest.mark.parametrize("error", KINDS, ids=lambda each: type(each).__name__)
def test_an_error_stays_what_it_is(error: CoaiError) -> None:
    read = read_error(wire(error_as_json(error)))
    assert (type(read), str(read), vars(read)) == (type(error), str(error), vars(error))


def test_an_error_of_another_kind_keeps_its_words() -> None:
    read = read_error(wire(error_as_json(errors.EngineError("m", remedy="r"))))
    assert (type(read), str(read)) == (CoaiError, "m r")


@pytest.mark.parametrize(
    "told", [{"reply": 1}, {"request": {}, "reply": {}}, {"paths": [1], "text": 2}]
)
def test_what_is_none_of_them_is_refused(told: dict[str, Any]) -> None:
    for read in (read_question, read_routed, read_delta, read_error):
        with pytest.raises(TalkError):
            read(told)
