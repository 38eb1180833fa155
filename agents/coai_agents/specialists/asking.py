"""How specialists ask a model: through the router, or not at all, and always knowing who answered.

A specialist is given an `Asker` and nothing else of floor 1. It says what it wants written and how
much of it; which model that is, whether the text may leave this machine and what it may cost, the
router decides. Where no model can answer, the specialist gets the reason, and says its facts.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypedDict, TypeVar

from pydantic import BaseModel

from coai_agents.specialists.untrusted import for_prompt
from coai_routing.errors import CoaiError
from coai_routing.policy.question import Priority, Question
from coai_routing.request import Capability, Message, ModelRequest, Usage
from coai_routing.router.structured import routed_as

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from typing import Unpack

    from coai_routing.registry.capabilities import TierName
    from coai_routing.request import Alternative
    from coai_routing.router.router import Routed, Router

FormT = TypeVar("FormT", bound=BaseModel)

WARMER: Final = 0.7
"""The temperature of every sample but the first, which is the model's best guess."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked: the task in our words, and what it is about as data."""

    capability: Capability
    system: str
    """The task. Nothing of the workspace goes in here."""
    about: str
    """Code, names, findings: data, which is cleaned of what could steer a model unseen."""
    max_tokens: int = 256
    stop: tuple[str, ...] = ()
    complexity: float = 0.3
    """From 0 to 1: how good the model has to be, see `coai_routing.registry.complexity`."""
    alternatives: int = 0
    """So many words that the answer could have begun with are told as well, with probabilities."""
    paths: tuple[str, ...] = ()
    """The files of which `about` shows something, relative to their workspace folder."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a model said. It is data, and nobody has checked it yet."""

    text: str
    model: str
    """The model as the user knows it, for "who said that?"."""
    local: bool
    cached: bool = False
    alternatives: tuple[Alternative, ...] = ()
    """What it could have begun with, where that was asked for and the backend tells."""
    usage: Usage = field(default_factory=Usage)
    """The tokens of the call that gave it; none of what was kept."""
    cost_usd: float = 0.0


class NobodyError(CoaiError):
    """No model is to be asked, or none could answer; the message says why."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user wants of whoever is asked."""

    alias: str | None = None
    """The one model to ask; None for the router's choice."""
    seconds: float = 60.0
    """How long one answer may take."""
    priority: Priority = Priority.INTERACTIVE
    here: bool = False
    """Whether only models may be asked that may see what is sensitive: those of this machine."""
    tier: TierName | None = None
    """The class of models to ask; None for the router's choice."""
    most_usd: float | None = None
    """What one call may cost at most."""


class WishChanges(TypedDict, total=False):
    """Wishes that differ for one part of the work."""

    alias: str | None
    seconds: float
    priority: Priority
    here: bool
    tier: TierName | None
    most_usd: float | None


class Asker:
    """Asks models on behalf of specialists; without a router there are none."""

    def __init__(
        self,
        router: Router | None = None,
        *,
        why_none: str = "No model is asked, because none is wanted.",
        wishes: Wishes | None = None,
        count: Callable[[], None] = lambda: None,
    ) -> None:
        """`why_none` is what is said where there is no router; `count` is told of every call."""
        self._router = router
        self._why_none = why_none
        self._wishes = wishes or Wishes()
        self._count = count

    @property
    def absent(self) -> str | None:
        """Why there is nobody to ask; None where there may be somebody."""
        return self._why_none if self._router is None else None

    @property
    def wanted(self) -> str:
        """The one model that the user wants; empty for the router's choice."""
        return self._wishes.alias or ""

    def wishing(self, **changes: Unpack[WishChanges]) -> Asker:
        """Return the same with other wishes."""
        wishes = replace(self._wishes, **changes)
        return Asker(self._router, why_none=self._why_none, wishes=wishes, count=self._count)

    async def say(self, prompt: Prompt, *, temperature: float = 0.0) -> Said:
        """Return a whole answer; raises `NobodyError` where no model could give one."""
        return await self._answered(self._question(prompt, temperature))

    async def samples(self, prompt: Prompt, most: int) -> AsyncGenerator[Said]:
        """Yield up to `most` answers, the best guess first; stop when one of them passes.

        They share one prompt, which a server with a prompt cache reads once.
        Raises `NobodyError` if not even the first can be had; what fails later ends the samples.
        """
        yield await self.say(prompt)
        for _ in range(most - 1):
            question = replace(self._question(prompt, WARMER), cached=False)
            try:
                said = await self._answered(question)
            except NobodyError:
                return
            yield said

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Said]:
        """Yield an answer as it comes; the last piece has no text and names the model.

        Raises `NobodyError` where nobody could begin one, or it broke off: what came stands.
        """
        router = self._asked()
        try:
            async with aclosing(router.stream(self._question(prompt, 0.0))) as deltas:
                async for delta in deltas:
                    if delta.text:
                        yield Said(delta.text, "", local=True)
                    if delta.reply is not None:
                        yield Said("", delta.reply.model, local=True)
        except CoaiError as error:
            raise _nobody(error) from error

    async def fill(
        self, prompt: Prompt, form: type[FormT], *, temperature: float = 0.0
    ) -> tuple[FormT, Said]:
        """Return an answer as a value of a flat form, and who gave it.

        Raises `NobodyError`, also where a model's answer was not of that form twice.
        """
        try:
            question = self._question(prompt, temperature)
            value, routed = await routed_as(self._asked(), question, form, for_prompt)
        except CoaiError as error:
            raise _nobody(error) from error
        return value, _said(routed)

    def _asked(self) -> Router:
        if self._router is None:
            raise NobodyError(self._why_none)
        self._count()
        return self._router

    async def _answered(self, question: Question) -> Said:
        try:
            return _said(await self._asked().answer(question))
        except CoaiError as error:
            raise _nobody(error) from error

    def _question(self, prompt: Prompt, temperature: float) -> Question:
        request = ModelRequest(
            capability=prompt.capability,
            messages=(
                Message(role="system", content=prompt.system),
                Message(role="user", content=for_prompt(prompt.about)),
            ),
            max_tokens=prompt.max_tokens,
            temperature=temperature,
            stop=prompt.stop,
            alternatives=prompt.alternatives,
            timeout=self._wishes.seconds,
            sensitive=self._wishes.here,
        )
        return Question(
            request,
            paths=prompt.paths,
            complexity=prompt.complexity,
            priority=self._wishes.priority,
            alias=self._wishes.alias,
            tier=self._wishes.tier,
            most_usd=self._wishes.most_usd,
        )


def _said(routed: Routed) -> Said:
    model = routed.alias or ("" if routed.reply is None else routed.reply.model)
    cached = routed.source == "cache"
    usage = Usage() if cached or routed.reply is None else routed.reply.usage
    return Said(
        routed.text,
        model,
        local=routed.local,
        alternatives=() if routed.reply is None else routed.reply.alternatives,
        cached=cached,
        usage=usage,
        cost_usd=routed.cost_usd,
    )


def _nobody(error: CoaiError) -> NobodyError:
    if isinstance(error, NobodyError):
        return error
    # The first one is whom the router would rather have asked; `coai route explain` has them all.
    reasons: tuple[str, ...] = getattr(error, "reasons", ())
    said = " ".join([error.message, *(f"{reason.rstrip('.')}." for reason in reasons[:1])])
    return NobodyError(said, remedy=error.remedy)
