"""Answers of a given form: the model's own schema where it has one, validation, one repair."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import BaseModel, ValidationError

from coai_routing.errors import InvalidAnswerError
from coai_routing.request import Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_routing.policy.question import Question
    from coai_routing.router.interface import Answers
    from coai_routing.router.router import Routed

T = TypeVar("T", bound=BaseModel)

REPAIR_CHARACTERS: Final = 4000
"""Of an answer that is wrong, what is shown to the model again: a repair's cost has a bound."""

_FENCE: Final = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL)
_MOST_PROBLEMS: Final = 5


async def answer_as(router: Answers, question: Question, form: type[T]) -> T:
    """Return an answer as a value of a type; see `routed_as`."""
    return (await routed_as(router, question, form))[0]


async def routed_as(
    router: Answers, question: Question, form: type[T], clean: Callable[[str], str] = str
) -> tuple[T, Routed]:
    """Return an answer as a value of a type, and who gave it; the question must be messages.

    The model is asked for JSON by the type's schema, told once what was wrong with an answer that
    does not fit, and given up on after that with InvalidAnswerError. An answer that does not fit
    is never the cache's: the repair is asked anew. The answer stands in it as `clean` leaves it,
    because a model may have written what its files told it to. Raises what `Router.answer` raises.
    """
    request = question.request.model_copy(update={"json_schema": form.model_json_schema()})
    routed = await router.answer(replace(question, request=request))
    try:
        return parsed(routed.text, form), routed
    except ValidationError as error:
        problems = problems_of(error)
    repair = request.model_copy(
        update={
            "messages": (
                *request.messages,
                Message(role="assistant", content=clean(routed.text[:REPAIR_CHARACTERS]) or "{}"),
                Message(
                    role="user",
                    content=f"That is not what was asked for: {problems}. Answer again, with the "
                    "corrected JSON and nothing else.",
                ),
            ),
            # What was sensitive stays so, whatever the answer made of it.
            "sensitive": request.sensitive or bool(routed.sensitivity),
        }
    )
    again = await router.answer(replace(question, request=repair, cached=False))
    try:
        return parsed(again.text, form), again
    except ValidationError as error:
        raise InvalidAnswerError(
            f"The model's answer is not of the form that was asked for: {problems_of(error)}.",
            remedy="Ask again, or use a larger model: `coai route explain` says which there are.",
            answer=again.text,
        ) from error


def parsed(text: str, form: type[T]) -> T:
    """Read an answer, also one that a model has put into a fence; raises ValidationError."""
    fenced = _FENCE.search(text)
    return form.model_validate_json(fenced[1] if fenced else text.strip())


def problems_of(error: ValidationError) -> str:
    """Say what is wrong with an answer, without repeating it."""
    told = [
        f"{'.'.join(map(str, problem['loc'])) or 'the answer'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)[:_MOST_PROBLEMS]
    ]
    return "; ".join(told)
