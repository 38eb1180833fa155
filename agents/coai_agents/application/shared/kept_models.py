"""Models for clients that come and go: those of one working directory share, and few are kept.

The directory counts because a `.env` in it may narrow the settings.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.application.shared.shared_models import Models

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

MOST_UNUSED: Final = 4
"""Directories whose models are kept although nobody uses them now."""


@dataclass
class _Kept:
    models: Models
    users: int = 0


class KeptModels:
    """Gives models by directory; it belongs to one event loop."""

    def __init__(self, *, most_unused: int = MOST_UNUSED) -> None:
        """Keep none yet."""
        self._most_unused = most_unused
        self._kept: dict[Path, _Kept] = {}
        """By their directories, who was used last at the end."""

    @asynccontextmanager
    async def of(self, directory: Path) -> AsyncGenerator[Models]:
        """Give the models of a directory, for as long as they are used."""
        kept = self._kept.pop(directory, None) or _Kept(Models(directory=directory))
        self._kept[directory] = kept
        kept.users += 1
        try:
            yield kept.models
        finally:
            kept.users -= 1
            await asyncio.shield(self._let_go())

    async def _let_go(self) -> None:
        unused = [each for each, kept in self._kept.items() if not kept.users]
        for directory in unused[: max(0, len(unused) - self._most_unused)]:
            await self._kept.pop(directory).models.aclose()

    async def aclose(self) -> None:
        """Let go of all models."""
        while self._kept:
            _, kept = self._kept.popitem()
            await kept.models.aclose()
