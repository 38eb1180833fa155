"""Which model servers answer right now, and what they offer.

An address is knocked at first, with a bare connection: most of them have nobody behind them, and
finding that out must cost neither time nor an import. Who answers is then told by what only it
says, so that a web application on llama-server's port is not taken for one.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr

from coai_routing.addresses import http_address
from coai_routing.errors import ProviderError, StrangersServerError
from coai_routing.privacy.egress import Egress, is_loopback
from coai_routing.providers.description import (
    describe_llama_server,
    describe_ollama,
    describe_openai_compatible,
)
from coai_routing.request import ModelDescription

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coai_routing.providers.base import Provider
    from coai_routing.providers.description import BackendDescription

logger = logging.getLogger(__name__)

Kind = Literal["llama_server", "ollama", "openai_compatible"]

KNOCK_SECONDS: Final = 0.5
"""How long a connection may take to open; on this machine it takes a millisecond or is refused."""

ASK_SECONDS: Final = 5.0
"""How long a server may take to say what it is and what models it has."""

_DESCRIBE: Final = {
    "llama_server": describe_llama_server,
    "ollama": describe_ollama,
    "openai_compatible": describe_openai_compatible,
}
_OLLAMA: Final = "http://127.0.0.1:11434"
_OLLAMA_PORT: Final = 11434
_ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - replaced


class ModelServer(BaseModel):
    """Where a model server is and how it is spoken to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Kind
    base_url: Annotated[str, AfterValidator(http_address)]
    api_key: SecretStr | None = None
    model: str | None = None
    """The only model to use there; None for any."""
    configured: bool = True
    """Whether the user named its address; else COAI looks there by itself, and a server on this
    machine is used only if it is the user's (`neighbours.py`)."""

    @property
    def is_found(self) -> bool:
        """Whether who listens at its address has to be looked at."""
        return not self.configured and is_loopback(self.base_url)


class Found(BaseModel):
    """What is at an endpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Kind
    base_url: str
    ok: bool
    """Whether a server of that kind answers; it may have no model all the same."""
    detail: str
    remedy: str = ""
    version: str | None = None
    models: tuple[ModelDescription, ...] = ()
    fills_in: frozenset[str] = frozenset()
    """Models that the server itself says can fill in the middle; most servers do not say."""
    strangers: bool = False
    """Whether a server answers that belongs to another user, who was not agreed to."""


WELL_KNOWN: Final = (
    ModelServer(name="ollama", kind="ollama", base_url=_OLLAMA, configured=False),
    ModelServer(
        name="lmstudio",
        kind="openai_compatible",
        base_url="http://127.0.0.1:1234/v1",
        configured=False,
    ),
    ModelServer(
        name="llama_server",
        kind="llama_server",
        base_url="http://127.0.0.1:8080",
        configured=False,
    ),
    ModelServer(
        name="vllm",
        kind="openai_compatible",
        base_url="http://127.0.0.1:8000/v1",
        configured=False,
    ),
)
"""Where model servers are unless somebody put them elsewhere."""


def ollama_address(environment: Mapping[str, str]) -> str:
    """Return where Ollama is by its own variable OLLAMA_HOST, else its usual address.

    The variable is the server's too, and may hold an address that means all of this machine's.
    """
    value = environment.get("OLLAMA_HOST", "").strip().strip("\"'")
    scheme, separator, rest = value.partition("://")
    if not separator:
        scheme, rest = "http", value
    usual = {"http": 80, "https": 443}.get(scheme) if separator else _OLLAMA_PORT
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        host, port = parts.hostname or "", parts.port or usual
        host = _ANY_ADDRESS.get(host, host)
        host = f"[{host}]" if ":" in host else host
        return http_address(f"{scheme}://{host}:{port}{parts.path}")
    except ValueError:
        return _OLLAMA


def placed(endpoint: ModelServer, environment: Mapping[str, str] = os.environ) -> ModelServer:
    """Return an endpoint as it is used: Ollama's usual address gives way to OLLAMA_HOST."""
    if endpoint.kind != "ollama" or endpoint.base_url != _OLLAMA:
        return endpoint
    return endpoint.model_copy(update={"base_url": ollama_address(environment)})


def provider_for(endpoint: ModelServer, *, egress: Egress | None = None) -> Provider:
    """Return the provider that speaks to an endpoint; connects to nothing yet."""
    endpoint = placed(endpoint)
    provider = _provider_for(endpoint, egress)
    if not endpoint.is_found:
        return provider
    from coai_routing.privacy.neighbours import CheckedProvider  # noqa: PLC0415 - on first use

    return CheckedProvider(provider)


def _provider_for(endpoint: ModelServer, egress: Egress | None) -> Provider:
    # Imported here, because each brings a library of its own.
    key = None if endpoint.api_key is None else endpoint.api_key.get_secret_value()
    name, url = endpoint.name, endpoint.base_url
    match endpoint.kind:
        case "llama_server":
            from coai_routing.providers.llama_server import (  # noqa: PLC0415 - on first use
                LlamaServerProvider,
            )

            return LlamaServerProvider(name=name, base_url=url, api_key=key, egress=egress)
        case "ollama":
            from coai_routing.providers.ollama import (  # noqa: PLC0415 - on first use
                OllamaProvider,
            )

            return OllamaProvider(name=name, base_url=url, api_key=key, egress=egress)
        case "openai_compatible":
            from coai_routing.providers.openai_compatible import (  # noqa: PLC0415 - on first use
                OpenAICompatibleProvider,
            )

            return OpenAICompatibleProvider(name=name, base_url=url, api_key=key, egress=egress)


async def discover(
    endpoints: Sequence[ModelServer] = WELL_KNOWN, *, egress: Egress | None = None
) -> tuple[Found, ...]:
    """Look at every endpoint at the same time; raises nothing for what it finds."""
    looks = (_look(placed(endpoint), egress or Egress()) for endpoint in endpoints)
    return tuple(await asyncio.gather(*looks))


async def _look(endpoint: ModelServer, egress: Egress) -> Found:
    backend = _DESCRIBE[endpoint.kind](endpoint.name, endpoint.base_url)
    try:
        return await _seen(endpoint, backend, egress)
    except Exception:
        # What one server is or says must not hide the others.
        logger.exception("Looking at %s failed by a flaw of our own.", endpoint.name)
        return _absent(endpoint, backend.unreachable())


async def _seen(endpoint: ModelServer, backend: BackendDescription, egress: Egress) -> Found:
    try:
        egress.check(None, backend.base_url, provider=endpoint.name)
        if not await _somebody_answers(backend.base_url):
            raise backend.unreachable()
        if endpoint.is_found:
            from coai_routing.privacy.neighbours import check_owner  # noqa: PLC0415 - if anybody answers

            # Before anything is sent: the question which models there are carries a key.
            await asyncio.to_thread(check_owner, backend.base_url, provider=endpoint.name)
        # Whoever answers will be used by these, and importing them takes too long for the loop.
        await asyncio.to_thread(import_module, f"coai_routing.providers.{endpoint.kind}")
        from coai_routing.providers.recognition import recognise  # noqa: PLC0415 - as above

        key = None if endpoint.api_key is None else endpoint.api_key.get_secret_value()
        async with asyncio.timeout(ASK_SECONDS):
            recognised = await recognise(
                endpoint.kind, backend, key, remote=egress.allow, seconds=ASK_SECONDS
            )
    except ProviderError as error:
        return _absent(endpoint, error)
    except TimeoutError:
        return _absent(endpoint, backend.timed_out(ASK_SECONDS))
    models = tuple(model for model in recognised.models if _is_wanted(model.name, endpoint.model))
    missing = recognised.models and not models
    return Found(
        name=endpoint.name,
        kind=endpoint.kind,
        base_url=endpoint.base_url,
        ok=not missing,
        detail=f"It has no model `{endpoint.model}`." if missing else recognised.detail,
        remedy=f"Set `endpoints.{_setting(endpoint)}.model` to one that it has." if missing else "",
        version=recognised.version,
        models=models,
        fills_in=recognised.fills_in,
    )


def _is_wanted(name: str, wanted: str | None) -> bool:
    """Say whether a model is the one that is asked for; Ollama leaves `:latest` out."""
    return wanted is None or name in (wanted, f"{wanted}:latest")


def _setting(endpoint: ModelServer) -> str:
    well_known = endpoint.name in {each.name for each in WELL_KNOWN}
    return endpoint.name if well_known else f"custom.{endpoint.name}"


def _absent(endpoint: ModelServer, error: ProviderError) -> Found:
    return Found(
        name=endpoint.name,
        kind=endpoint.kind,
        base_url=endpoint.base_url,
        ok=False,
        detail=error.message,
        remedy=error.remedy,
        strangers=isinstance(error, StrangersServerError),
    )


async def _somebody_answers(base_url: str) -> bool:
    parts = urlsplit(base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(KNOCK_SECONDS):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except (OSError, TimeoutError, UnicodeError):
        return False  # the last one for a name that no resolver would take
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
