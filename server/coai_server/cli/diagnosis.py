"""What `coai doctor` finds out: which models are there, which one serves, and how fast it is."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import time
from contextlib import aclosing
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from coai_routing.errors import ProviderError
from coai_routing.policy.deployment import EMBEDDED
from coai_routing.pool.endpoints import key_of
from coai_routing.pool.speed import TYPICAL_TOKENS
from coai_routing.processes import program as find_program
from coai_routing.registry.vendors import builtin_vendors
from coai_routing.request import ModelRequest
from coai_routing.router.cloud_completion import NAME as CLOUD
from coai_routing.settings.schema import CustomEndpoint
from coai_routing.wiring.local import LocalModels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from coai_routing.policy.completion import CompletionPlan
    from coai_routing.policy.deployment import Deployment
    from coai_routing.pool.backends import Backend, Editor
    from coai_routing.providers.discovery import Found
    from coai_routing.settings.loading import LoadedSettings
    from coai_routing.settings.schema import Settings

START_SECONDS: Final = 120.0
"""How long the embedded engine may take to load its model before it is reported as it is."""

SPEED_SECONDS: Final = 15.0
"""How long to wait for the engine's own measurement, which it makes once on each machine."""

WARM_RUNS: Final = 3
"""Completions after the first one, each a character further on, as while somebody types."""

_PREFIX: Final = "def is_even(number: int) -> bool:\n    return num"
_TYPED: Final = "ber"
_SUFFIX: Final = "\n\n\ndef is_odd(number: int) -> bool:\n    return not is_even(number)\n"

_POLL_SECONDS: Final = 0.1

_PROGRAMS: Final = {
    "ollama": "ollama",
    "lmstudio": "lms",
    "llama_server": "llama-server",
    "vllm": "vllm",
}
"""What is on the search path where a model server is installed."""

_INSTALL: Final[Mapping[str, Mapping[str, str]]] = {
    "ollama": {
        "linux": "curl -fsSL https://ollama.com/install.sh | sh",
        "darwin": "brew install ollama",
        "win32": "winget install Ollama.Ollama",
    },
    "lmstudio": {
        "darwin": "brew install --cask lm-studio",
        "win32": "winget install ElementLabs.LMStudio",
    },
    "llama_server": {
        "linux": "brew install llama.cpp",
        "darwin": "brew install llama.cpp",
        "win32": "winget install ggml.llamacpp",
    },
    "vllm": {"linux": "pip install vllm"},
}
"""The publishers' own commands, by `sys.platform`."""

OLLAMA_MODEL: Final = "ollama pull qwen2.5-coder:1.5b-base"


@dataclass(frozen=True, slots=True)
class Latency:
    """What completions of a dozen tokens took, in milliseconds from the request to the end."""

    first_ms: float
    """With a prompt that the backend had not seen, and its model to be loaded if it was not."""
    warm_ms: float
    """The median of those after it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A backend that was asked and did not answer."""

    backend: str
    model: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Something that is not there, and how to get it."""

    missing: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor of cloud models."""

    name: str
    enabled: bool
    key: str
    """Where its key comes from; empty if there is none."""
    variable: str
    """The environment variable that may hold its key."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """What may be asked elsewhere."""

    vendors: tuple[Vendor, ...]
    allowed: bool
    """Whether anything may be sent to them."""
    completions: bool
    """Whether completions may come from them."""
    why: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All of it."""

    loaded: LoadedSettings
    embedded: Deployment
    found: tuple[Found, ...]
    plan: CompletionPlan
    serving: Backend | None
    latency: Latency | None
    """None where nothing serves, or a cloud model that is not asked without need."""
    failures: tuple[Failure, ...]
    cloud: Cloud
    keys: Mapping[str, bool]
    fixes: tuple[Fix, ...]
    editor: Editor | None = None
    """The model that is asked for the next edit, where there is one and it may be asked."""


async def diagnose(
    loaded: LoadedSettings, *, watch: Callable[[str], None] = lambda _: None
) -> Diagnosis:
    """Look around, wait for the engine, and try the first backend that answers.

    `watch` is told what is being waited for. Raises nothing for what it finds.
    """
    settings = loaded.settings
    models = LocalModels(lambda: settings)
    try:
        watch("Looking for model servers.")
        await models.apply()
        await models.cloud.prepare()
        await _engine_settled(models, watch)
        embedded = models.embedded.served().deployment
        found, plan = models.backends.found, models.backends.plan()
        editor = models.backends.editor() if settings.completion.next_edit else None
        failures: list[Failure] = []
        serving = latency = None
        for backend in models.backends.candidates():
            if backend.name == CLOUD:
                # Looking around costs nothing and sends nothing.
                serving = backend
                break
            watch(f"Asking {backend.model} ({backend.name}).")
            try:
                latency = await measure(models, backend)
            except ProviderError as error:
                failures.append(Failure(backend.name, backend.model, error.message, error.remedy))
            else:
                serving = backend
                break
    finally:
        await models.aclose()
    return Diagnosis(
        loaded=loaded,
        embedded=embedded,
        found=found,
        plan=plan,
        serving=serving,
        editor=editor,
        latency=latency,
        failures=tuple(failures),
        cloud=cloud(settings),
        keys=keys(settings, os.environ),
        fixes=fixes(embedded, found, plan),
    )


async def _engine_settled(models: LocalModels, watch: Callable[[str], None]) -> None:
    """Wait until the engine has loaded its model, and a while longer for its first measurement."""
    began = time.monotonic()
    while (deployment := models.embedded.served().deployment).phase == "starting":
        if time.monotonic() - began >= START_SECONDS:
            return
        watch(f"The embedded engine: {deployment.detail}")
        await asyncio.sleep(_POLL_SECONDS)
    began = time.monotonic()
    while (
        deployment := models.embedded.served().deployment
    ).phase == "ready" and deployment.speed is None:
        if time.monotonic() - began >= SPEED_SECONDS:
            return
        watch("Measuring how fast the embedded engine is.")
        await asyncio.sleep(_POLL_SECONDS)


async def measure(models: LocalModels, backend: Backend) -> Latency:
    """Let a backend complete a line as it is typed; raises its `ProviderError`s."""
    took: list[float] = []
    for typed in range(WARM_RUNS + 1):
        request = ModelRequest(
            prompt=backend.fim.prompt(_PREFIX, _SUFFIX, tail=_TYPED[:typed]),
            max_tokens=TYPICAL_TOKENS,
            stop=backend.fim.stop,
        )
        started = time.perf_counter()
        async with aclosing(models.backends.stream(backend, request)) as deltas:
            async for _ in deltas:
                pass
        took.append((time.perf_counter() - started) * 1000)
    return Latency(took[0], median(took[1:]))


def cloud(settings: Settings) -> Cloud:
    """Return which vendors there are, and what the settings let them be asked."""
    vendors = tuple(
        Vendor(name, endpoint.enabled, key_of(name, endpoint)[1], builtin_vendors()[name].variable)
        for name, endpoint in settings.cloud.by_name().items()
    )
    allowed = settings.routing.allow_cloud and not settings.privacy.mode
    completions = allowed and settings.completion.allow_cloud
    if settings.privacy.mode:
        why = "Nothing is sent to them: `privacy.mode` is on."
    elif not allowed:
        why = "Nothing is sent to them as long as `routing.allow_cloud` is off."
    elif not completions:
        why = "Completions stay here as long as `completion.allow_cloud` is off."
    else:
        why = "Completions ask them where no model here can answer."
    return Cloud(vendors, allowed, completions, why)


def keys(settings: Settings, environ: Mapping[str, str]) -> dict[str, bool]:
    """Return for each variable that is to hold a model server's key whether it does."""
    return {
        endpoint.api_key_env: bool(environ.get(endpoint.api_key_env))
        for endpoint in settings.endpoints.by_name().values()
        if isinstance(endpoint, CustomEndpoint) and endpoint.api_key_env is not None
    }


def fixes(embedded: Deployment, found: tuple[Found, ...], plan: CompletionPlan) -> tuple[Fix, ...]:
    """Return what is missing, each with the command that changes it."""
    missing: list[Fix] = []
    if importlib.util.find_spec("xllamacpp") is None:
        missing.append(Fix("The embedded engine is not installed.", "pip install xllamacpp"))
    elif embedded.phase in ("off", "failed"):
        missing.append(Fix(f"{EMBEDDED}: {embedded.detail}", embedded.remedy))
    for refused in plan.rejected:
        deployment = refused.deployment
        if deployment.phase == "ready" and refused.remedy:
            missing.append(
                Fix(f"{deployment.model} ({deployment.endpoint}): {refused.why}", refused.remedy)
            )
    serving = {candidate.deployment.endpoint for candidate in plan.candidates}
    for server in found:
        if not server.ok:
            missing.append(Fix(f"{server.name}: {server.detail}", _start(server)))
        elif server.name == "ollama" and server.name not in serving:
            missing.append(Fix("ollama: It has no model that completes code.", OLLAMA_MODEL))
    return tuple(missing)


def _start(server: Found) -> str:
    program = _PROGRAMS.get(server.name)
    answers = server.strangers or server.version is not None
    if program is None or answers or find_program(program) is not None:
        return server.remedy
    return _INSTALL[server.name].get(sys.platform, server.remedy)
