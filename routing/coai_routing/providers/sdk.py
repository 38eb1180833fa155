"""What an official SDK must be held to: egress, no redirects, no keys of others, our errors.

The SDKs of Ollama and OpenAI work on httpx or its successor httpx2; both take the same options and
hooks, so this needs neither's types.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit

from coai_routing.errors import EgressRefusedError
from coai_routing.providers.proxies import proxy_options
from coai_routing.providers.replies import failures
from coai_routing.providers.replies.events import MEDIA_TYPES, media_type
from coai_routing.providers.replies.listings import fields, text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, MutableMapping

    from coai_routing.privacy.egress import Egress
    from coai_routing.providers.description import BackendDescription

_T = TypeVar("_T")

_OK: Final = 200
# SDKs take these from the environment, where they are meant for somebody else's server.
_NOT_OURS: Final = ("openai-organization", "openai-project")
_KEYS: Final = ("authorization", "x-api-key")
_CUSTOM: Final = ("ANTHROPIC_CUSTOM_HEADERS", "OPENAI_CUSTOM_HEADERS")
_NEEDED: Final = frozenset(
    {"host", "content-type", "content-length", "accept", "authorization", "x-api-key"}
)


class ContentRequest(Protocol):
    """A request of which only the body counts."""

    @property
    def content(self) -> bytes:
        """The body."""
        ...


class _Request(ContentRequest, Protocol):
    @property
    def url(self) -> object: ...
    @property
    def headers(self) -> MutableMapping[str, str]: ...


class _Response(Protocol):
    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> MutableMapping[str, str]: ...
    @property
    def request(self) -> _Request: ...
    async def aread(self) -> bytes: ...


def client_options(backend: BackendDescription, egress: Egress, *, has_key: bool) -> dict[str, Any]:
    """Return the options of an httpx or httpx2 client for a backend.

    No redirect is followed, the environment's proxies carry nothing that may be sensitive, a
    request that leaves the backend's own origin is refused, and a reply that is not a good one
    raises our error. Deadlines are not the client's: see `before`. Raises ProviderUnavailableError
    if the only way is a proxy that cannot be used.
    """
    origin = _origin(backend.base_url)

    async def check_request(request: _Request) -> None:
        if _origin(str(request.url)) != origin:
            raise EgressRefusedError(
                f"A request for {backend.place} was about to go elsewhere.",
                provider=backend.name,
                remedy="Please report this: the client of this backend has a defect.",
            )
        for name in (*_NOT_OURS, *_custom_headers(), *(() if has_key else _KEYS)):
            request.headers.pop(name, None)

    async def check_response(response: _Response) -> None:
        content_type = response.headers.get("content-type", "")
        if response.status_code == _OK and media_type(content_type) in MEDIA_TYPES:
            return
        if response.status_code == _OK:
            raise failures.from_content_type(backend, content_type)
        body = await response.aread()
        headers = {name.lower(): value for name, value in response.headers.items()}
        raise failures.from_status(
            backend, response.status_code, headers, body, model=model_of(response.request)
        )

    plain = origin[0] == "http" and egress.goes_direct(backend.base_url)
    return {
        "follow_redirects": False,
        **proxy_options(backend, egress),
        # Without TLS there is no need to read all certificates, which takes tens of milliseconds;
        # a context that trusts nobody is what is left.
        "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else True,
        "timeout": None,
        "event_hooks": {"request": [check_request], "response": [check_response]},
    }


async def before(deadline: float, items: AsyncIterator[_T]) -> _T | None:
    """Return the next item, None after the last. Raises TimeoutError at the deadline.

    The deadline holds for the wait alone, so that it never strikes the consumer of a generator.
    """
    async with asyncio.timeout_at(deadline):
        return await anext(items, None)


def _custom_headers() -> list[str]:
    """Return the names of headers that SDKs add because the environment says so."""
    lines = "\n".join(os.environ.get(name, "") for name in _CUSTOM).splitlines()
    names = (line.partition(":")[0].strip().lower() for line in lines)
    return [name for name in names if name and name not in _NEEDED]


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme, parts.hostname, port


def model_of(request: ContentRequest) -> str | None:
    """Return the model that a request asked for."""
    try:
        return text(fields(json.loads(request.content)).get("model"))
    except ValueError:
        return None
