"""Which backend serves completions: a pure function of what is known, and its reasons as a value.

Nothing here reaches out. `Offer`s say what was found; the plan orders those that can serve and
keeps, for each that cannot, why not and what would change that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from coai_routing.pool.health import HEALTHY, BackendHealth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_routing.pool.speed import Speed

EMBEDDED: Final = "embedded"
"""The name of the engine that COAI brings itself."""

Phase = Literal["ready", "starting", "failed", "off"]


@dataclass(frozen=True, slots=True)
class Offer:
    """One model at one backend, as far as it is known."""

    name: str
    """The backend as the user knows it, and as `completion.backend` names it."""
    model: str
    fills_in: bool
    """Whether the model's family, and so its fill-in-the-middle format, is known."""
    phase: Phase = "ready"
    detail: str = ""
    remedy: str = ""
    local: bool = True
    rank: int = 0
    """How well the model suits completion among its kind; higher is better (base before chat)."""
    loaded: bool = True
    """Whether its weights are in memory, so that asking does not make the user's machine load
    gigabytes unasked."""
    size_bytes: int | None = None
    speed: Speed | None = None
    latency_ms: float | None = None
    """The running mean from request to the last byte; None before the first answer."""
    health: BackendHealth = HEALTHY


@dataclass(frozen=True, slots=True)
class Candidate:
    """An offer that can serve, and why it stands where it stands."""

    offer: Offer
    why: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """An offer that cannot serve, why, and what would change that."""

    offer: Offer
    why: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class CompletionPlan:
    """The order in which backends are asked."""

    candidates: tuple[Candidate, ...]
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user wants of completion: the part of the settings that the plan depends on."""

    backend: str = "auto"
    model: str | None = None
    target_ms: float = 300.0
    allow_remote: bool = False
    sensitive: bool = False


def plan_completion(offers: Sequence[Offer], wishes: Wishes, now: float) -> CompletionPlan:
    """Order the offers that can serve a completion; `now` is in monotonic seconds."""
    rejected: list[Rejected] = []
    able: list[Offer] = []
    for offer in offers:
        refusal = _refusal(offer, wishes, now)
        if refusal is None:
            able.append(offer)
        else:
            rejected.append(refusal)
    if any(offer.local and offer.phase == "starting" for offer in able):
        # A moment's wait is no reason for code to leave the machine.
        early = [offer for offer in able if not offer.local and offer.name != wishes.backend]
        why, remedy = "A model on this machine is starting.", "It answers in a moment."
        rejected.extend(Rejected(offer, why, remedy) for offer in early)
        able = [offer for offer in able if offer not in early]
    able.sort(key=lambda offer: _preference(offer, wishes))
    return CompletionPlan(
        tuple(Candidate(offer, _why(offer, wishes)) for offer in able), tuple(rejected)
    )


def _refusal(offer: Offer, wishes: Wishes, now: float) -> Rejected | None:
    if wishes.backend not in ("auto", offer.name):
        return Rejected(
            offer,
            f"completion.backend asks for `{wishes.backend}`.",
            'Set completion.backend to "auto" to let every backend serve.',
        )
    if not offer.local and (wishes.sensitive or not wishes.allow_remote):
        why = (
            "The code is sensitive and the backend is not on this machine."
            if wishes.sensitive
            else "It is not on this machine, and completions may not leave it."
        )
        return Rejected(offer, why, "Set completion.allow_cloud to allow it.")
    if offer.phase in ("failed", "off"):
        return Rejected(offer, offer.detail, offer.remedy)
    if not offer.fills_in:
        return Rejected(
            offer,
            f"No fill-in-the-middle format is known for `{offer.model}`.",
            "Use a code model that knows one, such as Qwen2.5-Coder.",
        )
    if wishes.model is not None and wishes.backend == offer.name and offer.model != wishes.model:
        return Rejected(offer, f"completion.model asks for `{wishes.model}`.")
    if (sick := offer.health.refusal(now)) is not None:
        return Rejected(offer, *sick)
    return None


def _preference(offer: Offer, wishes: Wishes) -> tuple[float, ...]:
    """Smaller is better: ready, local, loaded; then quality while it keeps up, else speed.

    Among models that keep up with typing the larger one answers better; among those that do not,
    the faster one hurts less.
    """
    speed = offer.speed
    keeps_up = speed is not None and speed.typical_ms <= wishes.target_ms
    if speed is None:
        # The embedded default is known to be small; anything else may be of any size.
        pace = 1.0 if offer.name == EMBEDDED else 2.0
    else:
        pace = 0.0 if keeps_up else 3.0 + speed.typical_ms
    return (
        float(offer.phase != "ready"),
        float(not offer.local),
        float(not offer.loaded),
        pace,
        -float(offer.size_bytes or 0),
        -float(offer.rank),
    )


def _why(offer: Offer, wishes: Wishes) -> str:
    where = "on this machine" if offer.local else "not on this machine"
    if offer.phase == "starting":
        return f"It is starting: {offer.detail}" if offer.detail else "It is starting."
    if wishes.backend == offer.name:
        return "completion.backend asks for it."
    if offer.speed is None:
        if not offer.loaded:
            return f"It is {where}, but its model is not loaded; loading it unasked would surprise."
        return f"It is ready and {where}; its speed is not measured yet."
    verdict = "keeps up with" if offer.speed.typical_ms <= wishes.target_ms else "is slower than"
    return (
        f"It is ready and {where}; {offer.speed.typical_ms:.0f} ms for a typical suggestion "
        f"{verdict} the target of {wishes.target_ms:.0f} ms."
    )
