"""Standards and their controls, read from data."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from coai_routing.rule_files import read_rules

FILE: Final = Path(__file__).with_name("standards.toml")


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Control(_Form):
    """One thing that a standard asks for."""

    id: str = Field(min_length=1)
    title: str = Field(min_length=3)
    cwe: tuple[int, ...]
    """The weaknesses by which it is broken in code; none where code says nothing of it."""
    blind: str = Field(min_length=10)
    """What a static look cannot tell."""


class Standard(_Form):
    """A standard."""

    id: str = Field(min_length=1)
    title: str = Field(min_length=3)
    url: str = Field(pattern=r"^https://")
    controls: tuple[Control, ...] = Field(min_length=1)


class Standards(_Form):
    """The file."""

    standards: tuple[Standard, ...] = Field(min_length=1)


@cache
def standards() -> tuple[Standard, ...]:
    """Return what is known; raises SettingsError that names the file and the key."""
    return read_rules(FILE, Standards).standards
