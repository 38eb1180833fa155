"""Who answers at an address, told by what only that kind of server says.

Many servers imitate each other's paths, so a path that answers proves little: what counts is a
field or a header that the imitators lack.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_routing.errors import AuthenticationError, BadReplyError, ProviderError
from coai_routing.providers.asking import ask
from coai_routing.providers.http import Client, MalformedReplyError
from coai_routing.providers.replies.listings import (
    capabilities,
    entries,
    fields,
    lm_studio_models,
    ollama_models,
    ollama_window,
    openai_models,
    text,
)

if TYPE_CHECKING:
    from coai_routing.providers.description import BackendDescription
    from coai_routing.request import ModelDescription

_SHOWN: Final = 16  # models whose abilities are asked for one by one
_SHOWN_AT_ONCE: Final = 4
_NAMED: Final = {
    "llamacpp": "llama.cpp",
    "vllm": "vLLM",
    "library": "Ollama",
    "organization_owner": "LM Studio",
}
"""Who is behind OpenAI's API, by whom it says that the models are owned by."""

_shown: dict[tuple[str, str], object] = {}
"""What Ollama showed of a model, by its address and the model's digest; models never change."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """A server of the kind that was meant."""

    detail: str
    version: str | None = None
    models: tuple[ModelDescription, ...] = ()
    fills_in: frozenset[str] = frozenset()


async def recognise(
    kind: str, backend: BackendDescription, api_key: str | None, *, remote: bool, seconds: float
) -> Recognised:
    """Ask a server what it is; raises ProviderError if it is not of the kind.

    `remote` tells whether models that Ollama runs elsewhere may be used; each question may take
    `seconds`.
    """
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        client = Client(backend.base_url, headers=headers)
    except ValueError as error:
        raise backend.unauthorized(f"{error}.") from error
    try:
        if kind == "llama_server":
            return await _llama_server(client, backend, seconds)
        if kind == "ollama":
            return await _ollama(client, backend, seconds, remote=remote)
        return await _openai_compatible(client, backend, headers, seconds)
    except (BadReplyError, AuthenticationError) as error:
        other = await _somebody_else(kind, backend, headers, seconds)
        raise other or error from error
    finally:
        await client.aclose()


async def _llama_server(client: Client, backend: BackendDescription, seconds: float) -> Recognised:
    await ask(client, backend, "/health", seconds=seconds)  # while it loads, this says so
    properties = fields(await ask(client, backend, "/props", seconds=seconds))
    if "default_generation_settings" not in properties:
        raise backend.malformed("its `/props` are not llama.cpp's")
    listing = await ask(client, backend, "/v1/models", seconds=seconds)
    return Recognised(
        "llama.cpp",
        version=text(properties.get("build_info")),
        models=openai_models(listing, backend.name),
    )


async def _ollama(
    client: Client, backend: BackendDescription, seconds: float, *, remote: bool
) -> Recognised:
    version = text(
        fields(await ask(client, backend, "/api/version", seconds=seconds)).get("version")
    )
    tags, running = await asyncio.gather(
        ask(client, backend, "/api/tags", seconds=seconds),
        ask(client, backend, "/api/ps", seconds=seconds),
    )
    if version is None or not isinstance(fields(tags).get("models"), list):
        raise backend.malformed("its `/api/version` and `/api/tags` are not Ollama's")
    models = ollama_models(tags, running, backend.name, remote=remote)
    listed = {text(entry.get("name")): entry for entry in entries(fields(tags).get("models"))}
    permits = asyncio.Semaphore(_SHOWN_AT_ONCE)

    async def shown(model: ModelDescription) -> object:
        entry = listed.get(model.name, {})
        key = (backend.base_url, text(entry.get("digest")) or model.name)
        if key not in _shown and not (capabilities(entry) and model.loaded):
            async with permits:
                with suppress(ProviderError):  # one that is being deleted, for example
                    body = {"model": model.name}
                    _shown[key] = await ask(
                        client, backend, "/api/show", seconds=seconds, body=body
                    )
        return _shown.get(key)

    described: list[ModelDescription] = []
    able: set[str] = set()
    told = await asyncio.gather(*map(shown, models[:_SHOWN]))
    for model, about in zip(models, [*told, *[None] * len(models)], strict=False):
        if "insert" in (capabilities(listed.get(model.name)) or capabilities(about)):
            able.add(model.name)
        # Before it is loaded nobody knows its window, unless the model itself sets one.
        window = model.context_tokens or (None if model.loaded else ollama_window(about))
        described.append(model.model_copy(update={"context_tokens": window}))
    return Recognised("Ollama", version=version, models=tuple(described), fills_in=frozenset(able))


async def _openai_compatible(
    client: Client, backend: BackendDescription, headers: dict[str, str], seconds: float
) -> Recognised:
    listing = await ask(client, backend, "/models", seconds=seconds)
    if not isinstance(fields(listing).get("data"), list):
        raise backend.malformed("its `/v1/models` is not OpenAI's")
    owners = {text(entry.get("owned_by")) for entry in entries(fields(listing).get("data"))}
    named = {_NAMED[owner] for owner in owners if owner in _NAMED}
    who = named.pop() if len(named) == 1 else "OpenAI-compatible"
    root = Client(_root(backend.base_url), headers=headers)
    try:
        if who == "vLLM":
            version = await _told(root, backend, "/version", seconds)
            found = openai_models(listing, backend.name)
            return Recognised(who, version=text(fields(version).get("version")), models=found)
        if who in {"LM Studio", "OpenAI-compatible"}:
            # Which models are loaded, and which only make embeddings, only its own API tells.
            own = await _told(root, backend, "/api/v0/models", seconds)
            if models := lm_studio_models(own, backend.name):
                return Recognised("LM Studio", models=models)
    finally:
        await root.aclose()
    return Recognised(who, models=openai_models(listing, backend.name))


async def _somebody_else(
    kind: str, backend: BackendDescription, headers: dict[str, str], seconds: float
) -> ProviderError | None:
    """Return an error that names who answers instead, if it is anybody known."""
    client = Client(_root(backend.base_url), headers=headers)
    try:
        is_llama, version, listing = await asyncio.gather(
            _is_llama_server(client, seconds),
            _told(client, backend, "/api/version", seconds),
            _told(client, backend, "/v1/models", seconds),
        )
    finally:
        await client.aclose()
    found: list[tuple[str, str]] = []
    if is_llama:
        found.append(("llama.cpp", "llama_server"))
    elif text(fields(version).get("version")):
        found.append(("Ollama", "ollama"))
    elif isinstance(fields(listing).get("data"), list):
        found.append(("A server of OpenAI's API", "openai_compatible"))
    return next((backend.somebody_else(who, its) for who, its in found if its != kind), None)


async def _is_llama_server(client: Client, seconds: float) -> bool:
    """Tell llama.cpp by the header that it sends with everything, refusals included."""
    deadline = asyncio.get_running_loop().time() + seconds
    try:
        reply = await client.send("GET", "/health", deadline=deadline)
    except (OSError, MalformedReplyError):
        return False
    reply.close()
    return reply.headers.get("server") == "llama.cpp"


async def _told(client: Client, backend: BackendDescription, path: str, seconds: float) -> object:
    """Return what a server answers, None if it does not answer well."""
    with suppress(ProviderError):
        return await ask(client, backend, path, seconds=seconds)
    return None


def _root(base_url: str) -> str:
    return base_url.removesuffix("/v1")
