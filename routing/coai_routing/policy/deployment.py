"""A model at an endpoint, which is what both policies choose among, and what they say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from coai_routing.pool.health import HEALTHY, BackendHealth

if TYPE_CHECKING:
    from coai_routing.pool.speed import Speed
    from coai_routing.registry.prices import Price

EMBEDDED: Final = "embedded"
"""The name of the engine that COAI brings itself."""

Phase = Literal["ready", "starting", "failed", "off"]


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model at an endpoint, as far as it is known."""

    endpoint: str
    """The endpoint as the user knows it, and as `completion.backend` names it."""
    model: str
    """The endpoint's own name of the model; empty for the one that it has."""
    base_url: str = ""
    local: bool = True
    """Whether it may see what is sensitive: it is on this machine, or the user trusts its host."""
    phase: Phase = "ready"
    detail: str = ""
    """Why it is not ready."""
    remedy: str = ""
    health: BackendHealth = HEALTHY
    in_flight: int = 0
    """Requests under way at the endpoint."""
    latency_ms: float | None = None
    """The running mean from such a request to the last byte; None before the first answer."""

    # What a completion wants to know.
    fills_in: bool = False
    """Whether the model's family, and so its fill-in-the-middle format, is known."""
    predicts_edits: bool = False
    """Whether the model was trained to predict the next edit, and not to fill in."""
    rank: int = 0
    """How well the model suits completion among its kind; higher is better (base before chat)."""
    loaded: bool = True
    """Whether its weights are in memory, so that asking does not make the user's machine load
    gigabytes unasked."""
    size_bytes: int | None = None
    speed: Speed | None = None

    # What a question wants to know, as the registry of models has it.
    alias: str = ""
    quality: float = 0.0
    context_tokens: int = 0
    typical_ms: float = 0.0
    """Milliseconds until a whole answer, before anything was measured."""
    longest_ms: float | None = None
    """Milliseconds in which models of its tier usually answer."""
    price: Price | None = None
    """None where it costs nothing."""
    takes_prompts: bool = True
    """Whether it continues raw prompts; the others take messages only."""

    @property
    def key(self) -> str:
        """What tells it from every other deployment that answers questions."""
        return f"{self.alias}@{self.endpoint}/{self.model}"

    @property
    def expected_ms(self) -> float:
        """Milliseconds until a whole answer: measured, else what is typical."""
        return self.typical_ms if self.latency_ms is None else self.latency_ms


@dataclass(frozen=True, slots=True)
class Candidate:
    """A deployment that may be asked, and why it stands where it stands."""

    deployment: Deployment
    why: str
    cost: float = 0.0
    """US dollars at most."""
    falls_short: bool = False
    """Whether better models are wanted for a request of this complexity."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A deployment that is not asked, why, and what would change that."""

    deployment: Deployment
    why: str
    remedy: str = ""
