"""What the settings name and allow: model servers, the store of weights, directories.

It is below everything that is wired from the settings, so that none of that needs the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import platformdirs
from pydantic import SecretStr

from coai_routing.privacy.egress import Egress
from coai_routing.providers.discovery import ModelServer
from coai_routing.settings.schema import CustomEndpoint
from coai_routing.weights.store import ModelStore

if TYPE_CHECKING:
    from pathlib import Path

    from coai_routing.registry.catalog import Catalog
    from coai_routing.settings.schema import Settings


def data_directory() -> Path:
    """Return where weights are kept unless the settings say otherwise."""
    return platformdirs.user_data_path("coai", appauthor=False) / "models"


def state_directory() -> Path:
    """Return where the engine's processes keep their state, logs and figures."""
    return platformdirs.user_state_path("coai", appauthor=False) / "engine"


def open_store(settings: Settings, catalog: Catalog) -> ModelStore:
    """Return the store of weights as the settings set it up."""
    return ModelStore(
        settings.models.directory or data_directory(),
        catalog,
        sources=settings.models.sources,
        local_paths=settings.models.local_paths,
    )


def configured_endpoints(settings: Settings) -> tuple[ModelServer, ...]:
    """Return the model servers that the settings name, with their keys."""
    return tuple(
        ModelServer(
            name=name,
            kind=endpoint.kind,
            base_url=endpoint.url,
            api_key=None if (key := endpoint.key()) is None else SecretStr(key),
            model=endpoint.model,
            configured=isinstance(endpoint, CustomEndpoint) or "url" in endpoint.model_fields_set,
        )
        for name, endpoint in settings.endpoints.by_name().items()
        if endpoint.enabled
    )


def completion_egress(settings: Settings) -> Egress:
    """Return what the settings let leave this machine."""
    return Egress(
        trusted_hosts=frozenset(settings.privacy.trusted_hosts),
        allow=settings.completion.allow_cloud and not settings.privacy.mode,
    )
