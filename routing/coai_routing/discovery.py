"""Which model servers answer right now, and what they offer.

An address is knocked at first, with a bare connection: most of them have nobody behind them, and
finding that out must cost neither time nor the import of a provider's SDK. Who answers is then
asked by its own provider, so that a web application on llama-server's port is not taken for one.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

from coai_routing.errors import EgressRefusedError, ProviderError
from coai_routing.privacy import Egress
from coai_routing.request import ModelDescription

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_routing.providers.base import Provider

Kind = Literal["llama_server", "ollama", "openai_compatible"]

KNOCK_SECONDS: Final = 0.5
"""How long a connection may take to open; on this machine it takes a millisecond or is refused."""

ASK_SECONDS: Final = 5.0
"""How long a server may take to say what it is and what models it has."""

_START: Final = {
    "ollama": "Start it with `ollama serve`.",
    "lmstudio": "Start its server with `lms server start`.",
    "llama_server": "Start it with `llama-server -m MODEL.gguf`.",
    "vllm": "Start it with `vllm serve MODEL`.",
}


class EndpointSettings(BaseModel):
    """Where a model server is and how it is spoken to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Kind
    base_url: str
    api_key: SecretStr | None = None


class Found(BaseModel):
    """What is at an endpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Kind
    base_url: str
    ok: bool
    detail: str
    remedy: str = ""
    version: str | None = None
    models: tuple[ModelDescription, ...] = ()


def provider_for(endpoint: EndpointSettings, *, egress: Egress | None = None) -> Provider:
    """Return the provider that speaks to an endpoint; connects to nothing yet."""
    # Imported here, because each brings a library of its own.
    key = None if endpoint.api_key is None else endpoint.api_key.get_secret_value()
    name, url = endpoint.name, endpoint.base_url
    match endpoint.kind:
        case "llama_server":
            from coai_routing.providers.llama_server import LlamaServerProvider  # noqa: PLC0415

            return LlamaServerProvider(name=name, base_url=url, api_key=key, egress=egress)
        case "ollama":
            from coai_routing.providers.ollama import OllamaProvider  # noqa: PLC0415

            return OllamaProvider(name=name, base_url=url, api_key=key, egress=egress)
        case "openai_compatible":
            from coai_routing.providers.openai_compatible import (  # noqa: PLC0415
                OpenAICompatibleProvider,
            )

            return OpenAICompatibleProvider(name=name, base_url=url, api_key=key, egress=egress)


async def discover(
    endpoints: Sequence[EndpointSettings], *, egress: Egress | None = None
) -> tuple[Found, ...]:
    """Look at every endpoint at the same time; raises nothing for what it finds."""
    looks = (_look(endpoint, egress or Egress()) for endpoint in endpoints)
    return tuple(await asyncio.gather(*looks))


async def _look(endpoint: EndpointSettings, egress: Egress) -> Found:
    def found(
        detail: str,
        remedy: str = "",
        *,
        models: tuple[ModelDescription, ...] = (),
        version: str | None = None,
        ok: bool = False,
    ) -> Found:
        return Found(
            name=endpoint.name,
            kind=endpoint.kind,
            base_url=endpoint.base_url,
            ok=ok,
            detail=detail,
            remedy=remedy,
            version=version,
            models=models,
        )

    try:
        egress.check(None, endpoint.base_url, provider=endpoint.name)
    except EgressRefusedError as error:
        return found(error.message, error.remedy)
    if not await _somebody_answers(endpoint.base_url):
        return found(
            f"Nothing answers at {endpoint.base_url}.",
            _START.get(endpoint.name, f"Start it, or correct `endpoints.custom.{endpoint.name}`."),
        )
    provider = provider_for(endpoint, egress=egress)
    try:
        async with asyncio.timeout(ASK_SECONDS):
            health = await provider.health()
            if not health.ok:
                return found(health.detail, health.remedy, version=health.version)
            models = await provider.models()
    except ProviderError as error:
        return found(error.message, error.remedy)
    except TimeoutError:
        return found(f"{endpoint.base_url} did not say in time what it is.", "Look at its log.")
    finally:
        await provider.aclose()
    return found(health.detail, models=models, version=health.version, ok=True)


async def _somebody_answers(base_url: str) -> bool:
    parts = urlsplit(base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(KNOCK_SECONDS):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
