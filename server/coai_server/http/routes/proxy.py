"""The OpenAI-compatible routes: any tool's requests through the router, which keeps privacy.

What is sensitive in a request is found as in every other question, and it goes to no model that may
not see it. The headers `x-coai-*` say who answered and why.
"""

import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response

from coai_agents.application.shared.shared_models import SECONDS
from coai_routing.background import Background
from coai_routing.errors import CoaiError
from coai_routing.policy.deployment import Deployment
from coai_routing.policy.question import Question, RoutePlan
from coai_routing.registry.capabilities import Capabilities
from coai_routing.registry.complexity import RequestFeatures
from coai_routing.registry.complexity import complexity as score_of
from coai_routing.request import Capability, Message, ModelReply, ModelRequest
from coai_routing.router.router import Attributed, Router
from coai_routing.wiring.configured_routing import registry
from coai_server.http.access import Caller, Runner, Viewer, only_known
from coai_server.http.problems import DOCUMENTED, RefusedError, problem_of
from coai_server.http.routes.proxy_forms import (
    ANY_MODEL,
    CHAT_TOKENS,
    COMPLETION_TOKENS,
    AnswerMessage,
    ChatAnswer,
    ChatChoice,
    ChatRequest,
    CompletionRequest,
    ModelList,
    ModelRow,
    TextAnswer,
    TextChoice,
    finish_of,
    usage_of,
)
from coai_server.http.streams import DOCUMENTED_STREAM, EventStream, event
from coai_server.terminal import one_line

MOST_HEADER: Final = 400
"""Characters of a reason in a header."""

router = APIRouter(
    prefix="/v1",
    tags=["OpenAI-compatible"],
    responses=DOCUMENTED,
    dependencies=[Depends(only_known)],
)


@cache
def _registry() -> Capabilities:
    """Return the registry as the router has it, which reads it once as well."""
    return registry()


@router.get("/models")
async def models(caller: Viewer) -> ModelList:
    """List the models that a request may name: `auto`, and the aliases of the registry."""
    del caller
    names = [ANY_MODEL[0], *(model.alias for model in _registry().models)]
    return ModelList(data=[ModelRow(id=name) for name in names])


@router.post("/chat/completions", response_model=ChatAnswer, responses=DOCUMENTED_STREAM)
async def chat(asked: ChatRequest, request: Request, response: Response, caller: Runner) -> Any:  # noqa: ANN401 - a value or a stream
    """Go on with a conversation, by the best model that may see it."""
    messages = tuple(each.message() for each in asked.messages)
    wanted = ModelRequest(
        capability=Capability.CODE_ANALYSIS,
        messages=messages,
        max_tokens=asked.max_completion_tokens or asked.max_tokens or CHAT_TOKENS,
        temperature=asked.temperature or 0.0,
        stop=asked.stops(),
        json_schema=None if asked.response_format is None else asked.response_format.schema_of(),
        timeout=SECONDS,
        sensitive=_stays(request),
    )
    question = Question(
        wanted,
        alias=_alias(asked.model),
        complexity=_complexity(messages),
        cached=not wanted.temperature,
    )
    answer = await _begun(caller, question)
    if asked.stream:
        return EventStream(_chat_events(answer, usage=_wants_usage(asked)), answer.headers)
    reply = await answer.whole(caller.services.background)
    response.headers.update(answer.headers)
    choice = ChatChoice(message=AnswerMessage(content=reply.text), finish_reason=finish_of(reply))
    return ChatAnswer(
        id=answer.id("chatcmpl"),
        created=answer.created,
        model=answer.model,
        choices=[choice],
        usage=usage_of(reply),
    )


@router.post("/completions", response_model=TextAnswer, responses=DOCUMENTED_STREAM)
async def complete(
    asked: CompletionRequest, request: Request, response: Response, caller: Runner
) -> Any:  # noqa: ANN401 - a value or a stream
    """Go on with a text, or fill the hole before `suffix`, by a model that takes raw text."""
    wanted = ModelRequest(
        capability=Capability.CODE_COMPLETION,
        prompt=asked.prompt,
        suffix=asked.suffix,
        max_tokens=asked.max_tokens or COMPLETION_TOKENS,
        temperature=asked.temperature or 0.0,
        stop=asked.stops(),
        timeout=SECONDS,
        sensitive=_stays(request),
    )
    # As in an editor, code that is being written is kept nowhere.
    answer = await _begun(caller, Question(wanted, alias=_alias(asked.model), cached=False))
    if asked.stream:
        return EventStream(_text_events(answer, usage=_wants_usage(asked)), answer.headers)
    reply = await answer.whole(caller.services.background)
    response.headers.update(answer.headers)
    return TextAnswer(
        id=answer.id("cmpl"),
        created=answer.created,
        model=answer.model,
        choices=[TextChoice(text=reply.text, finish_reason=finish_of(reply))],
        usage=usage_of(reply),
    )


def _stays(request: Request) -> bool:
    """Say whether the client itself wants nothing of it to leave this machine."""
    return request.headers.get("x-coai-sensitive", "").lower() in ("1", "true", "yes")


def _alias(model: str) -> str | None:
    """Return the alias that a request names, None for any; raises `RefusedError` for no model."""
    if model in ANY_MODEL:
        return None
    if _registry().model(model) is None:
        raise RefusedError(
            404,
            "model_not_found",
            "There is no model of that name here.",
            remedy=f"Name `{ANY_MODEL[0]}`, or one that GET /v1/models lists.",
        )
    return model


def _complexity(messages: tuple[Message, ...]) -> float:
    asked = next((each.content for each in reversed(messages) if each.role == "user"), "")
    kind = Capability.CODE_ANALYSIS
    return score_of(RequestFeatures(kind=kind, question=asked[:4_000], files=0)).score


def _wants_usage(asked: ChatRequest | CompletionRequest) -> bool:
    return asked.stream_options is not None and asked.stream_options.include_usage


@dataclass
class _Answer:
    """An answer that has begun: who gives it is known, and what comes first."""

    pieces: AsyncGenerator[Attributed]
    first: Attributed
    headers: dict[str, str]
    created: int

    @property
    def model(self) -> str:
        """The alias of the model that answers; empty for an answer that was kept."""
        return self.headers["x-coai-model"] or self.headers["x-coai-source"]

    def id(self, kind: str) -> str:
        """Return its name, which OpenAI's clients show in errors."""
        return f"{kind}-{self.headers['x-coai-request']}"

    async def whole(self, background: Background) -> ModelReply:
        """Return all of it; what it cost is written down after that, without who asked."""
        reply = self.first.delta.reply
        try:
            while reply is None:
                reply = (await anext(self.pieces)).delta.reply
        finally:
            background.spawn(self.pieces.aclose(), name="write down what an answer cost")
        return reply


async def _begun(caller: Caller, question: Question) -> _Answer:
    """Ask, and wait for the first piece, so that a failure still has its status."""
    opened = await caller.tenant.models.opened(caller.roots.folders[0])
    pieces = opened.router.attributed(question)
    try:
        first = await anext(pieces)
    except BaseException:
        await pieces.aclose()
        raise
    return _Answer(
        pieces, first, _headers(opened.router, question, first), int(datetime.now(UTC).timestamp())
    )


def _headers(router: Router, question: Question, first: Attributed) -> dict[str, str]:
    deployment = first.deployment
    plan = router.plan(question, first.sensitivity)
    passed = [
        f"{one.deployment.alias} at {one.deployment.endpoint}: {one.why}" for one in plan.rejected
    ]
    said = {
        "x-coai-request": secrets.token_hex(12),
        "x-coai-source": "cache" if deployment is None else "model",
        "x-coai-model": "" if deployment is None else deployment.alias,
        "x-coai-endpoint": "" if deployment is None else deployment.endpoint,
        "x-coai-local": "true" if deployment is None or deployment.local else "false",
        "x-coai-sensitive": str(first.sensitivity) if first.sensitivity else "no",
        "x-coai-why": _why(plan, deployment),
        "x-coai-not-asked": " | ".join(passed),
    }
    return {name: _sayable(value) for name, value in said.items()}


def _why(plan: RoutePlan, deployment: Deployment | None) -> str:
    if deployment is None:
        return "It was answered before."
    others = (one.why for one in plan.candidates if one.deployment.key == deployment.key)
    return next(others, "Others failed before it.")


def _sayable(text: str) -> str:
    """Return what a header can carry, and no more than a line of it."""
    line = one_line(text).encode("ascii", "replace").decode()
    return line[:MOST_HEADER]


async def _texts(answer: _Answer) -> AsyncGenerator[Attributed]:
    yield answer.first
    async with aclosing(answer.pieces) as pieces:
        async for piece in pieces:
            yield piece


def _failed(error: CoaiError) -> str:
    _, problem = problem_of(error)
    return event({"error": problem.model_dump()})


async def _chat_events(answer: _Answer, *, usage: bool) -> AsyncGenerator[str]:
    about = {
        "id": answer.id("chatcmpl"),
        "object": "chat.completion.chunk",
        "created": answer.created,
        "model": answer.model,
    }

    def chunk(delta: dict[str, str], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return event({**about, "choices": [choice]})

    yield chunk({"role": "assistant", "content": ""})
    try:
        async with aclosing(_texts(answer)) as pieces:
            async for piece in pieces:
                if piece.delta.text:
                    yield chunk({"content": piece.delta.text})
                if (reply := piece.delta.reply) is not None:
                    yield chunk({}, finish_of(reply))
                    if usage:
                        yield event({**about, "choices": [], "usage": usage_of(reply).model_dump()})
    except CoaiError as error:
        yield _failed(error)
        return
    yield "data: [DONE]\n\n"


async def _text_events(answer: _Answer, *, usage: bool) -> AsyncGenerator[str]:
    about = {
        "id": answer.id("cmpl"),
        "object": "text_completion",
        "created": answer.created,
        "model": answer.model,
    }

    def chunk(text: str, finish: str | None = None) -> str:
        choice = {"index": 0, "text": text, "finish_reason": finish, "logprobs": None}
        return event({**about, "choices": [choice]})

    try:
        async with aclosing(_texts(answer)) as pieces:
            async for piece in pieces:
                if piece.delta.text:
                    yield chunk(piece.delta.text)
                if (reply := piece.delta.reply) is not None:
                    yield chunk("", finish_of(reply))
                    if usage:
                        yield event({**about, "choices": [], "usage": usage_of(reply).model_dump()})
    except CoaiError as error:
        yield _failed(error)
        return
    yield "data: [DONE]\n\n"
