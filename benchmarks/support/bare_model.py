"""The model without COAI: the plain prompt, greedily, on the llama.cpp server that COAI uses."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx

from coai_routing.errors import EngineError
from coai_routing.registry.catalog import builtin_catalog
from coai_routing.settings.loading import load
from coai_routing.weights.gguf import read_header
from coai_routing.wiring.configured import open_store, state_directory
from coai_routing.wiring.embedded import Embedded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from pathlib import Path

    from coai_routing.engine.state import EngineEndpoint
    from coai_routing.registry.catalog import Catalog, FimFormat

LOAD_SECONDS: Final = 120.0

ANSWER_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Filled:
    """What the model wrote."""

    text: str
    latency_ms: float
    ended: str
    """llama.cpp's `stop_type`."""


class BareModel:
    """Asks a llama.cpp server without any care for caches or for where an answer should end."""

    def __init__(
        self, client: httpx.AsyncClient, fim: FimFormat, *, max_tokens: int, slot: int
    ) -> None:
        self._client = client
        self._fim = fim
        self._max_tokens = max_tokens
        self._slot = slot

    async def fill(self, prefix: str, suffix: str) -> Filled:
        """Return what comes between; raises EngineError if the server does not answer."""
        started = time.perf_counter()
        try:
            answer = await self._client.post(
                "/completion",
                json={
                    "prompt": self._fim.prompt(prefix, suffix),
                    "n_predict": self._max_tokens,
                    "stop": self._fim.stop,
                    "temperature": 0,
                    # The daemon's sessions are left alone, and nothing is taken from them.
                    "id_slot": self._slot,
                    "cache_prompt": False,
                },
            )
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise EngineError(f"The bare model did not answer: {error!r}.") from error
        fields = answer.json()
        spent = (time.perf_counter() - started) * 1000
        return Filled(fields["content"], spent, fields.get("stop_type", ""))


@asynccontextmanager
async def bare_model(settings: Mapping[str, str], *, max_tokens: int) -> AsyncGenerator[BareModel]:
    """Join the engine of a daemon with these settings; raises what the store and engine raise.

    The model and the options are the same, so it is the same process and the same weights.
    """
    loaded = load(overrides=settings).settings
    catalog = builtin_catalog()
    store = open_store(loaded, catalog)
    path = store.resolve(loaded.engine.model)
    embedded = Embedded(store=store, catalog=catalog, directory=state_directory())
    await embedded.use(loaded.engine)
    try:
        assert embedded.engine is not None
        endpoint = await embedded.engine.endpoint(within=LOAD_SECONDS)
        async with _client(endpoint) as client:
            yield BareModel(
                client,
                fim_of(catalog, loaded.engine.model, path),
                max_tokens=max_tokens,
                slot=loaded.engine.slots - 1,
            )
    finally:
        await embedded.aclose()


def fim_of(catalog: Catalog, name: str, path: Path) -> FimFormat:
    """Return how a model is asked to fill in; raises EngineError if nobody knows."""
    family = catalog.family_of(name)
    if family is None and (title := read_header(path).name) is not None:
        family = catalog.family_of(title)
    if family is None:
        raise EngineError(f"No fill-in-the-middle format is known for {name}.")
    return family.fim


def _client(endpoint: EngineEndpoint) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=endpoint.base_url,
        headers={"Authorization": f"Bearer {endpoint.api_key}"},
        timeout=ANSWER_SECONDS,
        trust_env=False,
    )
