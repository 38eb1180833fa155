"""The settings that hold where a command runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from coai_routing.settings.loading import LoadedSettings
    from coai_routing.settings.schema import Settings
    from coai_routing.weights.store import ModelStore


def load_settings(folder: Path) -> LoadedSettings:
    """Load the settings of a workspace folder."""
    from coai_routing.settings.loading import load  # noqa: PLC0415 (not for `--help`)

    return load(workspace_roots=[folder])


def store_of(settings: Settings) -> ModelStore:
    """Return the store of weights that the settings describe."""
    from coai_routing.registry.catalog import builtin_catalog  # noqa: PLC0415 (as above)
    from coai_routing.wiring.configured import open_store  # noqa: PLC0415 (as above)

    return open_store(settings, builtin_catalog())
