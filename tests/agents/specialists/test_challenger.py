"""A challenger is asked before the router's choice, and costs no answer where it has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from pydantic import BaseModel

from coai_agents.specialists.asking import Asker, Meter, NobodyError, Prompt, Wishes
from coai_routing.errors import NoAnswerError
from coai_routing.privacy.sensitivity import Sensitivity
from coai_routing.request import Capability, Delta, ModelReply
from coai_routing.router.router import Routed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_routing.policy.question import Question
    from coai_routing.router.router import Router

PROMPT = Prompt(Capability.CODE_ANALYSIS, "Task.", "Code.")


class Form(BaseModel):
    """What is filled in."""

    word: str


class Models:
    """A router with some models that answer."""

    def __init__(self, *present: str) -> None:
        self.present = present
        self.asked: list[str | None] = []

    def _alias(self, question: Question) -> str:
        self.asked.append(question.alias)
        alias = question.alias or "usual"
        if alias not in self.present:
            raise NoAnswerError(f"{alias} is not there.")
        return alias

    async def answer(self, question: Question) -> Routed:
        """Answer with the model's name."""
        alias = self._alias(question)
        reply = ModelReply(text='{"word": "x"}', finish="stop", model=alias, provider="test")
        return Routed(reply.text, reply, "model", Sensitivity(), alias, cost_usd=0.5)

    async def stream(self, question: Question) -> AsyncGenerator[Delta]:
        """Answer in pieces."""
        routed = await self.answer(question)
        yield Delta(routed.text)
        yield Delta(reply=routed.reply, alias=routed.alias, cost_usd=routed.cost_usd)


async def ways(asker: Asker, way: str) -> None:
    if way == "say":
        await asker.say(PROMPT)
    elif way == "fill":
        await asker.fill(PROMPT, Form)
    else:
        assert [said.text async for said in asker.stream(PROMPT) if said.text]


@pytest.mark.parametrize("way", ["say", "fill", "stream"])
@pytest.mark.parametrize(
    ("present", "challenger", "asked", "by"),
    [
        (("usual", "new"), "new", ["new"], "new"),
        (("usual",), "new", ["new", None], "usual"),
        (("usual", "new"), "", [None], "usual"),
        ((), "new", ["new", None], ""),
    ],
)
async def test_who_is_asked(
    way: str, present: tuple[str, ...], challenger: str, asked: list[str | None], by: str
) -> None:
    models, meter = Models(*present), Meter(challenger=challenger)
    asker = Asker(cast("Router", models), meter=meter)
    if by:
        await ways(asker, way)
    else:
        with pytest.raises(NobodyError, match="usual"):
            await ways(asker, way)
    assert (models.asked, meter.model) == (asked, by)
    assert meter.usd == (0.5 if by else 0.0)
    assert meter.by_challenger == (by == "new")


async def test_a_model_that_the_user_names_is_not_challenged() -> None:
    models, meter = Models("usual", "mine"), Meter(challenger="usual")
    await Asker(cast("Router", models), wishes=Wishes(alias="mine"), meter=meter).say(PROMPT)
    assert models.asked == ["mine"]
