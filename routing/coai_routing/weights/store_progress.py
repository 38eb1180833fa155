"""What a pull tells whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class PullPhase(StrEnum):
    """What a pull is doing."""

    WAITING = "waiting for another process"
    LOCATING = "locating"
    DOWNLOADING = "downloading"
    VERIFYING = "verifying"


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far a pull is."""

    model: str
    phase: PullPhase
    source: str
    """Where the bytes come from, as the user knows it; empty where none is in use."""
    bytes_done: int
    """Bytes of the model that are there, or that were verified."""
    bytes_total: int


Report = Callable[[PullPhase, int], None]
"""How a source says what it is doing and how many of the model's bytes there are."""
