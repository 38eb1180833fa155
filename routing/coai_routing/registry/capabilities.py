"""What models are asked for, which models may be asked, and how good and how quick each is.

`capabilities.toml` says it; a user's own `models.toml` changes single capabilities and adds models.
They alone name a vendor's model: everything else speaks of aliases such as `cloud.strong`.
"""

from __future__ import annotations

import functools
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from coai_routing.errors import SettingsError
from coai_routing.request import Capability

if TYPE_CHECKING:
    from collections.abc import Callable

BUILTIN: Final = Path(__file__).with_name("capabilities.toml")

_REMEDY: Final = "Correct the file, or install COAI again."


class Objective(StrEnum):
    """What to prefer among models that may see a request; privacy always comes first."""

    LATENCY = "latency"
    QUALITY = "quality"
    COST = "cost"
    BALANCED = "balanced"


class TierName(StrEnum):
    """A class of models by how soon they answer."""

    FAST = "fast"
    BALANCED = "balanced"
    PREMIUM = "premium"


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tier(_Entry):
    """How soon a whole answer should be there, in milliseconds: from, to."""

    name: TierName
    target_ms: tuple[float, float]


class Placement(_Entry):
    """An endpoint that has a model, and the name that it gives it; None for the one it has."""

    endpoint: str = Field(min_length=1)
    model: Annotated[str, Field(min_length=1)] | None = None
    fills_in: bool = False
    """Whether it takes a prompt and a suffix, where the endpoint as a whole only chats."""


class RoutedModel(_Entry):
    """A model under its alias; `capabilities.toml` says what each field means."""

    alias: str = Field(pattern=r"^[a-z0-9_-]+(\.[a-z0-9_-]+)+$")
    title: str = Field(min_length=1)
    tier: TierName
    quality: float = Field(ge=0.0, le=1.0)
    typical_ms: float = Field(gt=0.0)
    context_tokens: int = Field(gt=0)
    deployments: tuple[Placement, ...] = Field(min_length=1)


class CapabilityPolicy(_Entry):
    """What a capability wants of its models."""

    name: Capability
    title: str = Field(min_length=1)
    candidates: tuple[str, ...] = Field(min_length=1)
    threshold: float = Field(ge=0.0, le=1.0)
    objective: Objective


class CapabilityChange(_Entry):
    """What a user changes of a capability; None leaves it as it is."""

    name: Capability
    candidates: tuple[str, ...] | None = Field(default=None, min_length=1)
    threshold: float | None = Field(default=None, ge=0.0, le=1.0)
    objective: Objective | None = None


class RegistryChange(_Entry):
    """A user's own file: models that are added or replaced, capabilities that are changed."""

    models: tuple[RoutedModel, ...] = ()
    capabilities: tuple[CapabilityChange, ...] = ()


class Capabilities(_Entry):
    """The registry: every tier, model and capability."""

    tiers: tuple[Tier, ...]
    models: tuple[RoutedModel, ...]
    capabilities: tuple[CapabilityPolicy, ...]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for names, all_names in (
            ([tier.name for tier in self.tiers], set(TierName)),
            ([policy.name for policy in self.capabilities], set(Capability)),
        ):
            if sorted(names) != sorted(all_names):
                raise ValueError(f"each of {sorted(all_names)} must be there once")
        aliases = [model.alias for model in self.models]
        if len(set(aliases)) != len(aliases):
            raise ValueError("an alias stands for two models")
        for policy in self.capabilities:
            if unknown := set(policy.candidates) - set(aliases):
                raise ValueError(f"{policy.name} names unknown models {sorted(unknown)}")
        return self

    @functools.cached_property
    def _by_alias(self) -> dict[str, RoutedModel]:
        return {model.alias: model for model in self.models}

    @functools.cached_property
    def _by_name(self) -> dict[Capability, CapabilityPolicy]:
        return {policy.name: policy for policy in self.capabilities}

    def policy(self, capability: Capability, tier: TierName | None = None) -> CapabilityPolicy:
        """Return what a capability wants; of a tier, if one is wanted, all models may be asked."""
        policy = self._by_name[capability]
        if tier is None:
            return policy
        aliases = tuple(model.alias for model in self.models if model.tier is tier)
        return policy.model_copy(update={"candidates": aliases})

    def model(self, alias: str) -> RoutedModel | None:
        """Return the model behind an alias."""
        return self._by_alias.get(alias)

    def target_ms(self, tier: TierName) -> tuple[float, float]:
        """Return how soon an answer of a tier should be whole."""
        return next(entry.target_ms for entry in self.tiers if entry.name == tier)

    def changed(self, change: RegistryChange) -> Capabilities:
        """Return the registry as a user changes it. Raises ValidationError for unknown aliases."""
        models = {**self._by_alias, **{model.alias: model for model in change.models}}
        wanted = {entry.name: entry for entry in change.capabilities}
        policies = tuple(
            policy.model_copy(update=wanted[policy.name].model_dump(exclude_none=True))
            if policy.name in wanted
            else policy
            for policy in self.capabilities
        )
        return Capabilities(tiers=self.tiers, models=tuple(models.values()), capabilities=policies)


def load_capabilities(path: Path = BUILTIN, *, user_file: Path | None = None) -> Capabilities:
    """Read a registry and what the user's file, if there is one, changes of it.

    Raises SettingsError that names the file and the first wrong key.
    """
    registry = _validated(path, Capabilities.model_validate)
    if user_file is None or not user_file.is_file():
        return registry
    return _validated(
        user_file, lambda document: registry.changed(RegistryChange.model_validate(document))
    )


def _validated(path: Path, validate: Callable[[object], Capabilities]) -> Capabilities:
    try:
        return validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.", remedy=_REMEDY) from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(map(str, problem["loc"])) or "the document"
        raise SettingsError(f"{path}: {key}: {problem['msg']}.", remedy=_REMEDY) from error


@functools.cache
def builtin_capabilities() -> Capabilities:
    """Return COAI's own registry, read once."""
    return load_capabilities()
