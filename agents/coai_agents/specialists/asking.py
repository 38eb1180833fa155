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
    from coai_routing.router.interface import Answers
    from coai_routing.router.router import Routed

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


@dataclass
class Meter:
    """What the models' part in one answer took; an `Asker` that has one fills it."""

    capability: str = ""
    """What was asked for last."""
    model: str = ""
    """The alias of who answered last; empty while nobody has."""
    usd: float = 0.0
    challenger: str = ""
    """The model that is asked first, to be held against the router's choice; see `Asker`."""
    members: dict[str, bool] = field(default_factory=dict[str, bool])
    """The specialists of a team, and whether each had something to say."""

    def heard(self, prompt: Prompt, alias: str, usd: float) -> None:
        """Count an answer in."""
        self.capability, self.model = prompt.capability.value, alias
        self.usd += usd

    @property
    def by_challenger(self) -> bool:
        """Whether the challenger gave the last answer."""
        return bool(self.challenger) and self.model == self.challenger


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
        router: Answers | None = None,
        *,
        why_none: str = "No model is asked, because none is wanted.",
        wishes: Wishes | None = None,
        count: Callable[[], None] = lambda: None,
        meter: Meter | None = None,
    ) -> None:
        """`why_none` is what is said where there is no router; `count` is told of every call.

        The `meter` is told of every answer. Where it has a challenger and no model is wished for,
        that one is asked first, and the router's choice where it cannot answer.
        """
        self._router = router
        self._why_none = why_none
        self._wishes = wishes or Wishes()
        self._count = count
        self._meter = meter or Meter()

    @property
    def absent(self) -> str | None:
        """Why there is nobody to ask; None where there may be somebody."""
        return self._why_none if self._router is None else None

    @property
    def wanted(self) -> str:
        """The one model that the user wants; empty for the router's choice."""
        return self._wishes.alias or ""

    @property
    def meter(self) -> Meter:
        """What is told of every answer."""
        return self._meter

    async def others(self, prompt: Prompt, than: str) -> tuple[str, ...]:
        """Return the models that could answer as well, the best first; none if one is wished for.

        `than` is the one that has answered, as `Said.model` names it.
        """
        if self._router is None or self._wishes.alias is not None:
            return ()
        known = await self._router.models(self._question(prompt, 0.0))
        return tuple(each for each in known if each != than)

    def wishing(self, **changes: Unpack[WishChanges]) -> Asker:
        """Return the same with other wishes."""
        return Asker(
            self._router,
            why_none=self._why_none,
            wishes=replace(self._wishes, **changes),
            count=self._count,
            meter=self._meter,
        )

    def metered(self, meter: Meter) -> Asker:
        """Return the same, which tells another meter."""
        return Asker(
            self._router,
            why_none=self._why_none,
            wishes=self._wishes,
            count=self._count,
            meter=meter,
        )

    async def say(self, prompt: Prompt, *, temperature: float = 0.0) -> Said:
        """Return a whole answer; raises `NobodyError` where no model could give one."""
        return await self._answered(prompt, self._question(prompt, temperature))

    async def samples(self, prompt: Prompt, most: int) -> AsyncGenerator[Said]:
        """Yield up to `most` answers, the best guess first; stop when one of them passes.

        They share one prompt, which a server with a prompt cache reads once.
        Raises `NobodyError` if not even the first can be had; what fails later ends the samples.
        """
        yield await self.say(prompt)
        for _ in range(most - 1):
            question = replace(self._question(prompt, WARMER), cached=False)
            try:
                said = await self._answered(prompt, question)
            except NobodyError:
                return
            yield said

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Said]:
        """Yield an answer as it comes; the last piece has no text and names the model.

        Raises `NobodyError` where nobody could begin one, or it broke off: what came stands.
        """
        first, *others = self._turns(self._question(prompt, 0.0))
        begun = False
        try:
            async with aclosing(self._streamed(prompt, first)) as pieces:
                async for said in pieces:
                    begun = True
                    yield said
        except NobodyError:
            if begun or not others:
                raise
        else:
            return
        async with aclosing(self._streamed(prompt, others[0])) as pieces:
            async for said in pieces:
                yield said

    async def _streamed(self, prompt: Prompt, question: Question) -> AsyncGenerator[Said]:
        router = self._asked()
        try:
            async with aclosing(router.stream(question)) as deltas:
                async for delta in deltas:
                    if delta.text:
                        yield Said(delta.text, "", local=True)
                    if delta.reply is not None:
                        self._meter.heard(prompt, delta.alias, delta.cost_usd)
                        yield Said("", delta.reply.model, local=True)
        except CoaiError as error:
            raise _nobody(error) from error

    async def fill(
        self, prompt: Prompt, form: type[FormT], *, temperature: float = 0.0
    ) -> tuple[FormT, Said]:
        """Return an answer as a value of a flat form, and who gave it.

        Raises `NobodyError`, also where a model's answer was not of that form twice.
        """
        error: CoaiError | None = None
        for question in self._turns(self._question(prompt, temperature)):
            try:
                value, routed = await routed_as(self._asked(), question, form, for_prompt)
            except CoaiError as failed:
                error = failed
            else:
                return value, self._heard(prompt, routed)
        assert error is not None, "there is one turn at least"
        raise _nobody(error) from error

    def _asked(self) -> Answers:
        if self._router is None:
            raise NobodyError(self._why_none)
        self._count()
        return self._router

    async def _answered(self, prompt: Prompt, question: Question) -> Said:
        error: CoaiError | None = None
        for each in self._turns(question):
            try:
                return self._heard(prompt, await self._asked().answer(each))
            except CoaiError as failed:
                error = failed
        assert error is not None, "there is one turn at least"
        raise _nobody(error) from error

    def _turns(self, question: Question) -> tuple[Question, ...]:
        """Return who is asked one after the other: the challenger, then the router's choice."""
        challenger = self._meter.challenger
        if not challenger or question.alias is not None or question.tier is not None:
            return (question,)
        return (replace(question, alias=challenger), question)

    def _heard(self, prompt: Prompt, routed: Routed) -> Said:
        said = _said(routed)
        self._meter.heard(prompt, routed.alias, said.cost_usd)
        return said

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
