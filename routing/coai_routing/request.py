"""What is asked of a model and what it answers: frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Capability(StrEnum):
    """What a request is for."""

    CODE_COMPLETION = "code_completion"
    CODE_ANALYSIS = "code_analysis"
    ERROR_DIAGNOSIS = "error_diagnosis"
    ARCHITECTURE_DESIGN = "architecture_design"
    DOCUMENTATION = "documentation"
    SECURITY_ANALYSIS = "security_analysis"
    PERFORMANCE = "performance"


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: str


class ModelRequest(BaseModel):
    """One request to a model: either a raw `prompt` or `messages`.

    A raw prompt carries the model's own control tokens (fill-in-the-middle) and is sent as it is.
    `suffix` accompanies it only for backends that build such prompts themselves.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    capability: Capability = Capability.CODE_COMPLETION
    prompt: str | None = None
    suffix: str | None = None
    messages: tuple[Message, ...] = ()
    model: str | None = None
    """The backend's own name of the model; None for the one that it has or was set up with."""
    max_tokens: int = Field(default=256, ge=0)
    """At most so many tokens; 0 only evaluates the prompt, which warms the backend's cache."""
    temperature: float = Field(default=0.0, ge=0.0)
    stop: tuple[str, ...] = ()
    json_schema: dict[str, Any] | None = None
    alternatives: int = Field(default=0, ge=0, le=20)
    """So many tokens that the reply could have begun with are told as well, where the backend can;
    for messages only."""
    slot: int | None = None
    """The backend's cache slot to use, where it has slots."""
    timeout: float = Field(default=30.0, gt=0.0)
    """Seconds from sending to the last byte of the reply."""
    sensitive: bool = False
    """True when the content must not leave this machine."""

    @model_validator(mode="after")
    def _one_of_prompt_and_messages(self) -> Self:
        if (self.prompt is None) == (not self.messages):
            raise ValueError("give either a prompt or messages")
        return self


class Usage(BaseModel):
    """Tokens of one call. `cached_tokens` of the prompt's were not evaluated again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cache_write_tokens: int = 0
    """Of the evaluated ones, those that a provider charged for keeping."""

    @property
    def evaluated_tokens(self) -> int:
        """Prompt tokens that the backend had to evaluate."""
        return max(0, self.prompt_tokens - self.cached_tokens)


class Timings(BaseModel):
    """The backend's own account of its time, in milliseconds; None where it says nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt_ms: float | None = None
    output_ms: float | None = None


class Alternative(BaseModel):
    """A token that a reply could have begun with, and how likely it was, from 0 to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: str
    probability: float


class ModelReply(BaseModel):
    """A whole answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    finish: Literal["stop", "length", "unknown"]
    model: str
    provider: str
    usage: Usage = Usage()
    timings: Timings = Timings()
    slot: int | None = None
    """The cache slot that served it, where the backend says."""
    alternatives: tuple[Alternative, ...] = ()
    """What it could have begun with, the likeliest first; empty unless asked for and told."""


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a streamed answer. The last one of a stream, and only that, has the `reply`.

    One is made for every token, which a pydantic model takes twice as long for.
    """

    text: str = ""
    reply: ModelReply | None = None
    alias: str = ""
    """Which of the user's models gave it; the router says so with the reply."""
    cost_usd: float = 0.0
    """What it cost; as above."""


class ModelDescription(BaseModel):
    """A model that a backend offers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    provider: str
    size_bytes: int | None = None
    context_tokens: int | None = None
    loaded: bool | None = None
    """Whether its weights are in memory now; None where the backend does not say."""


class Health(BaseModel):
    """Whether a backend would answer now, and if not what to do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ok: bool
    detail: str
    remedy: str = ""
    version: str | None = None
