"""Answers of a given form: checked, repaired once, and otherwise refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import pytest
from pydantic import BaseModel

from coai_routing.errors import InvalidAnswerError
from coai_routing.router.structured import answer_as
from tests.routing.providers.dialects import LLAMA_SERVER
from tests.support.faulty_server import FaultyServer, stream
from tests.support.routing import place, question, routing

if TYPE_CHECKING:
    from tests.support.faulty_server import Exchange


class Verdict(BaseModel):
    """What a model is asked for."""

    kind: Literal["bug", "style"]
    line: int


GOOD = '{"kind": "bug", "line": 3}'
SECRET = "ada@engines.io"


class Saying(FaultyServer):
    """A server that says one thing after the other."""

    def __init__(self, *answers: str) -> None:
        left = list(answers)

        async def behave(exchange: Exchange) -> None:
            frames = [LLAMA_SERVER.piece(left.pop(0)), *LLAMA_SERVER.last]
            await stream(frames, LLAMA_SERVER.content_type)(exchange)

        super().__init__(behave)

    def sent(self, number: int) -> dict[str, Any]:
        return json.loads(self.received[number].body)


@pytest.mark.parametrize("answer", [GOOD, f" \n{GOOD}\n", f"Here:\n```json\n{GOOD}\n```\nDone."])
async def test_an_answer_of_the_right_form_is_a_value(answer: str) -> None:
    async with Saying(answer) as server, routing(place("a", server.base_url)) as router:
        assert await answer_as(router, question(), Verdict) == Verdict(kind="bug", line=3)
        schema = server.sent(0)["response_format"]["json_schema"]["schema"]
        assert schema == Verdict.model_json_schema()


async def test_a_wrong_answer_is_repaired_once() -> None:
    wrong = '{"kind": "typo", "line": 3}' + " " * 9000
    async with Saying(wrong, GOOD) as server, routing(place("a", server.base_url)) as router:
        assert (await answer_as(router, question(), Verdict)).kind == "bug"
        first, repair = server.sent(0)["messages"], server.sent(1)["messages"]
    assert repair[: len(first)] == first
    assert "kind: Input should be 'bug' or 'style'" in repair[-1]["content"]
    assert len(repair[-2]["content"]) <= 4000


@pytest.mark.parametrize("answers", [("no", "still no"), ("{", '{"kind": "bug"}')])
async def test_what_cannot_be_repaired_is_a_typed_error(answers: tuple[str, str]) -> None:
    async with Saying(*answers) as server, routing(place("a", server.base_url)) as router:
        with pytest.raises(InvalidAnswerError) as caught:
            await answer_as(router, question(), Verdict)
        assert len(server.received) == 2
    assert caught.value.answer == answers[1]
    assert caught.value.remedy


async def test_a_repair_of_something_sensitive_stays_here_too() -> None:
    async with Saying() as outside, Saying("no", GOOD) as inside:
        away = place("away", outside.base_url.replace("127.0.0.1", "0.0.0.0"))
        async with routing(away, place("here", inside.base_url)) as router:
            assert (await answer_as(router, question(SECRET), Verdict)).line == 3
        assert not outside.received
        assert len(inside.received) == 2


async def test_an_answer_that_brings_in_something_sensitive_makes_the_repair_stay_here() -> None:
    async with Saying(f"mail {SECRET}") as outside, Saying(GOOD) as inside:
        away = place("away", outside.base_url.replace("127.0.0.1", "0.0.0.0"))
        async with routing(away, place("here", inside.base_url)) as router:
            assert (await answer_as(router, question("plain"), Verdict)).line == 3
        assert SECRET not in str(outside.received)
        assert len(inside.received) == 1
