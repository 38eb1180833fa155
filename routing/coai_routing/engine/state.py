"""What is set, measured and shown of the embedded engine: frozen values."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from coai_routing.engine.threads import default_threads
from coai_routing.pool.speed import Speed


class EnginePhase(StrEnum):
    """Where the engine is on its way."""

    NOT_STARTED = "not_started"
    STARTING = "starting"
    LOADING = "loading"
    READY = "ready"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPED = "stopped"


class EngineOptions(BaseModel):
    """How the engine runs. Daemons with equal options (and model) share one process."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threads: int | None = Field(default=None, ge=1)
    """None for as many as suit the machine."""
    slots: int = Field(default=4, ge=1, le=64)
    """Prompts whose cache is kept at the same time: three completion sessions, and the last slot
    for background work."""
    context_tokens: int = Field(default=4096, ge=256)
    """Of each slot. Costs memory at once: 12 KB a token with Qwen2.5-Coder 0.5B."""
    gpu_layers: int = Field(default=-1, ge=-1)
    """Layers to put on the GPU, if there is one; -1 for as many as fit."""
    batch_tokens: int | None = Field(default=None, ge=32)
    """Prompt tokens that are evaluated in one go, which is also how long a cancelled request and
    another slot's may have to wait. None for 128 on a CPU and 512 on a GPU. On a CPU 64 to 2,048
    were equally fast, so there the small one costs nothing."""
    cache_reuse_tokens: int = Field(default=0, ge=0)
    """The shortest piece of a slot's cache that is reused by shifting; 0 to reuse prefixes only."""
    prompt_cache_mib: int = Field(default=256, ge=0)
    """RAM for the caches of prompts that lost their slot."""
    idle_unload_seconds: int = Field(default=600, ge=0)
    """After so long without a request the weights leave memory, until the next one; 0 for never."""
    linger_seconds: float = Field(default=20.0, ge=0)
    """How long the process outlives its last user: long enough for an editor to restart. It is
    no reason for a process of one's own; the first user's counts."""
    measure_speed: bool = True

    def settled(self) -> Self:
        """Return the options with the threads chosen; looks at the machine."""
        threads = self.threads or default_threads()
        return self.model_copy(update={"threads": threads})


class EngineEndpoint(BaseModel):
    """Where the engine's llama.cpp server answers, until it is restarted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str
    """Without a slash at its end and without `/v1`."""
    api_key: str = Field(repr=False)


class EngineState(BaseModel):
    """What to tell the user about the engine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phase: EnginePhase
    detail: str
    remedy: str = ""
    """What the user does next; empty when there is nothing to do."""
    speed: Speed | None = None
    pid: int | None = None
    """The engine's process, while there is one."""
    version: str | None = None
    """Of the inference library."""
    asleep: bool = False
    """Whether the weights were unloaded for want of requests; the next one loads them again."""
