"""Model profiles: a name for what is wanted of a model, so that plans name none themselves."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field

from coai_routing.registry.capabilities import TierName
from coai_routing.request import Capability
from coai_routing.rule_files import read_rules

if TYPE_CHECKING:
    from collections.abc import Mapping

BUILTIN: Final = Path(__file__).with_name("profiles.toml")
DEFAULT: Final = "default"


class Profile(BaseModel):
    """What is wanted of a model; `profiles.toml` says what each key means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    capability: Capability = Capability.CODE_ANALYSIS
    tier: TierName | None = None
    alias: str | None = None
    complexity: float = Field(default=0.3, ge=0, le=1)
    temperature: float = Field(default=0.0, ge=0, le=2)
    max_tokens: int = Field(default=700, ge=1, le=100_000)
    timeout: float = Field(default=120.0, gt=0, le=3600)
    most_usd: float | None = Field(default=None, ge=0)
    system: str = ""


class _Profiles(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    profiles: dict[str, Profile]


@cache
def builtin_profiles() -> Mapping[str, Profile]:
    """Return the profiles that everybody has."""
    return read_rules(BUILTIN, _Profiles).profiles


def load_profiles(user_file: Path | None) -> Mapping[str, Profile]:
    """Return all profiles, the user's before ours; raises SettingsError for a wrong file."""
    if user_file is None or not user_file.is_file():
        return builtin_profiles()
    return {**builtin_profiles(), **read_rules(user_file, _Profiles).profiles}
