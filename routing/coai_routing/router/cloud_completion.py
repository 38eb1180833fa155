"""Completions by a cloud model, where the user allows them and no model on this machine can answer.

For the daemon this is one more backend, the last of its plan. What it is asked goes through the
router like every other question: assessed again, checked, logged, paid from the budget, and tried
at the next vendor if one fails. Until it is allowed, it costs a look at a setting.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from coai_routing.errors import (
    BudgetExceededError,
    CoaiError,
    DeadlineError,
    EgressRefusedError,
    NoAnswerError,
    OverBudgetError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    RequestRejectedError,
    StaysHereError,
)
from coai_routing.policy.deployment import Deployment
from coai_routing.pool.place import Place
from coai_routing.pool.speed import Speed
from coai_routing.providers.suffixed import BY_SERVER
from coai_routing.request import Capability, Delta, Health, Message
from coai_routing.router.chat_infilling import CHAT, INSTRUCTION, Bare

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from coai_routing.errors import ProviderError
    from coai_routing.pool.backends import Served
    from coai_routing.privacy.egress import Egress
    from coai_routing.registry.capabilities import Placement
    from coai_routing.request import ModelDescription, ModelReply, ModelRequest
    from coai_routing.router.router import Router
    from coai_routing.settings.schema import Settings

NAME: Final = "cloud"
"""What `completion.backend` names it by."""

CONTEXT_TOKENS: Final = 8192
"""Every cloud model has more; what is sent has to be paid for."""

SPEED: Final = Speed(prompt_tokens_per_second=800.0, output_tokens_per_second=60.0)
"""What decides how much is sent and asked for: some 1,400 tokens of the file at 300 ms."""


class CloudCompletion:
    """The cloud as a provider of completions; see `providers/base.py`."""

    name = NAME

    def __init__(
        self,
        settings: Callable[[], Settings],
        *,
        egress: Callable[[], Egress],
        router: Callable[[], Awaitable[Router]],
    ) -> None:
        """Touch nothing yet. `egress` is what completions may do, `router` is built when asked."""
        self._settings = settings
        self._egress = egress
        self._router = router
        self.alias: str | None = None
        """The model that is asked, as the registry names it."""
        self._deployment: Deployment | None = None
        self._fills_in = False
        """Whether it takes a prompt and a suffix, and has not to be told in words."""
        self.base_url = ""

    @property
    def deployment(self) -> Deployment | None:
        """What is offered at the moment; None unless the user wants completions from a cloud."""
        return self._deployment if self._wanted() else None

    def served(self) -> Served | None:
        """Return the deployment with what it takes to use it; reads only memory."""
        deployment = self.deployment
        if deployment is None:
            return None
        from coai_routing.pool.backends import Served  # noqa: PLC0415 - only where it is wanted

        ready = deployment.phase == "ready"
        fim = BY_SERVER if self._fills_in else CHAT
        return Served(deployment, self._place, fim if ready else None, CONTEXT_TOKENS)

    def _place(self) -> Place | None:
        deployment = self.deployment
        if deployment is None or deployment.phase != "ready":
            return None
        return Place(
            NAME, self.base_url, local=False, connect=lambda: self, bound=self, shared=True
        )

    def _wanted(self) -> bool:
        wanted = self._settings().completion
        return wanted.allow_cloud or wanted.backend == NAME

    async def prepare(self) -> None:
        """Find out what could be offered by the settings as they are now."""
        if not self._wanted():
            self._deployment = None
            return
        try:
            self.alias, place, placement = await asyncio.to_thread(self._choose)
        except CoaiError as error:
            self._deployment = _offered("", "failed", error.message, error.remedy)
            return
        self.base_url = place.base_url
        self._fills_in = placement.fills_in
        model = placement.model or ""
        if not self._settings().routing.allow_cloud:
            why = "Cloud models are not allowed."
            self._deployment = _offered(model, "off", why, "Set `routing.allow_cloud`.")
        elif not place.ready:
            self._deployment = _offered(model, "off", place.detail, place.remedy)
        else:
            self._deployment = _offered(model, "ready", "", "")
            # What was spent today is known before anything is.
            await self._router()

    def _choose(self) -> tuple[str, Place, Placement]:
        """Return the first alias that completes code and has a vendor.

        One that is ready if any, and of these one that fills in by itself: it was trained for it.
        """
        from coai_routing.pool.endpoints import cloud_places  # noqa: PLC0415 - as above
        from coai_routing.wiring.configured_routing import registry  # noqa: PLC0415 - only where it is wanted

        known = registry()
        places = {place.endpoint: place for place in cloud_places(self._settings())}
        could = [
            (alias, places[placement.endpoint], placement)
            for alias in known.policy(Capability.CODE_COMPLETION).candidates
            if (model := known.model(alias)) is not None
            for placement in model.deployments
            if placement.endpoint in places
        ]
        if not could:
            raise CoaiError(
                "No cloud model is a candidate for completions.",
                remedy="Name one in `models.toml`, under code_completion.",
            )
        ready = [one for one in could if one[1].ready] or could[:1]
        return next((one for one in ready if one[2].fills_in), ready[0])

    # ------------------------------------------------------------------ asked

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta]:
        """Yield a completion as it comes, the whole reply at the end."""
        from coai_routing.policy.question import Question  # noqa: PLC0415 - only where it is wanted

        if request.prompt is None:
            raise RequestRejectedError("It completes code and answers no messages.", provider=NAME)
        self._egress().check(request, self.base_url, provider=NAME)
        asked = _as_prompt(request) if request.suffix is not None else _in_words(request)
        # What was suggested is kept in memory by who asks; code is not kept on disk for this.
        question = Question(asked, alias=self.alias, cached=False)
        bare = Bare()
        try:
            router = await self._router()
            async with aclosing(router.stream(question)) as deltas:
                async for delta in deltas:
                    # Whoever fills in writes nothing around it.
                    token = delta.text if asked.messages == () else bare.take(delta.text)
                    if token:
                        yield Delta(text=token)
                    if delta.reply is not None:
                        if rest := bare.rest():
                            yield Delta(text=rest)
                        yield Delta(reply=delta.reply)
        except NoAnswerError as error:
            raise _failed(error) from error

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Complete code in one piece."""
        reply: ModelReply | None = None
        said: list[str] = []
        async with aclosing(self.stream(request)) as deltas:
            async for delta in deltas:
                said.append(delta.text)
                reply = delta.reply or reply
        assert reply is not None, "a stream ends with its reply or an error"
        return reply.model_copy(update={"text": "".join(said)})

    async def chat(self, request: ModelRequest) -> ModelReply:
        """Raise RequestRejectedError: messages go to the router itself."""
        return await self.complete(request)

    async def models(self) -> tuple[ModelDescription, ...]:
        """Return nothing: the registry says which models there are."""
        return ()

    async def count_tokens(self, text: str) -> int | None:
        """Return nothing: the model is elsewhere."""
        del text

    async def health(self) -> Health:
        """Say whether it would be asked."""
        deployment = self.deployment
        if deployment is None:
            return Health(ok=False, detail="It is off.", remedy="Set `completion.allow_cloud`.")
        return Health(
            ok=deployment.phase == "ready", detail=deployment.detail, remedy=deployment.remedy
        )

    async def aclose(self) -> None:
        """Hold nothing: the router closes its own connections."""


def _as_prompt(request: ModelRequest) -> ModelRequest:
    """Return a request for a model that takes what stands before and after the cursor."""
    changes = {"capability": Capability.CODE_COMPLETION, "stop": (), "model": None}
    return request.model_copy(update=changes)


def _in_words(request: ModelRequest) -> ModelRequest:
    """Return a request for a model that chats: the prompt between tags, and what to do with it."""
    return request.model_copy(
        update={
            "capability": Capability.CODE_COMPLETION,
            "prompt": None,
            "messages": (
                Message(role="system", content=INSTRUCTION),
                Message(role="user", content=request.prompt or ""),
            ),
            # What ends an answer is looked for here; vendors allow few stops, or no blank ones.
            "stop": (),
            "model": None,
        }
    )


def _offered(model: str, phase: str, detail: str, remedy: str) -> Deployment:
    assert phase in ("ready", "off", "failed")
    return Deployment(
        NAME,
        model,
        fills_in=True,
        phase=phase,
        detail=detail,
        remedy=remedy,
        local=False,
        speed=SPEED,
    )


def _failed(error: NoAnswerError) -> ProviderError:
    """Return what the router's failure is to who completes code."""
    said = error.message if not error.reasons else f"{error.message} {' '.join(error.reasons)}"
    if isinstance(error, StaysHereError):
        kind: type[ProviderError] = EgressRefusedError
    elif isinstance(error, BudgetExceededError):
        kind = OverBudgetError
    elif isinstance(error, DeadlineError):
        kind = ProviderTimeoutError
    else:
        kind = ProviderUnavailableError
    return kind(said, provider=NAME, remedy=error.remedy)
