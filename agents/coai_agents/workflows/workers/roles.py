"""Roles of agents: tasks in our words, as data."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from coai_routing.rule_files import read_rules

if TYPE_CHECKING:
    from collections.abc import Mapping


class Role(BaseModel):
    """What somebody does, and the profile of who does it by itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str = Field(min_length=1)
    profile: str = "default"


class _Roles(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    roles: dict[str, Role]


@cache
def roles() -> Mapping[str, Role]:
    """Return all roles by name."""
    return read_rules(Path(__file__).with_name("roles.toml"), _Roles).roles
