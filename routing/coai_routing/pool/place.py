"""An endpoint as it is now: where it is, who may see what there, and what speaks to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from coai_routing.providers.base import Provider


@dataclass(frozen=True, slots=True)
class Place:
    """An endpoint as it is now."""

    endpoint: str
    """As the registry of models and the user name it."""
    base_url: str
    local: bool
    """Whether it may see what is sensitive."""
    connect: Callable[[], Provider]
    """Makes the provider, on first use; connects to nothing."""
    bound: Hashable = None
    """What its provider is made with, such as key and egress; another one makes a new provider."""
    shared: bool = False
    """Whether `connect` returns a provider that is somebody else's to close."""
    billed: bool = False
    """Whether its answers cost money."""
    takes_prompts: bool = True
    ready: bool = True
    detail: str = ""
    remedy: str = ""
