"""The embedded engine as a provider: llama.cpp's own, at whatever address the engine is now."""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import TYPE_CHECKING

from coai_routing.engine.client import EngineNotReadyError
from coai_routing.engine.state import EnginePhase
from coai_routing.errors import (
    EngineError,
    ModelStoreError,
    ProviderBusyError,
    ProviderUnavailableError,
)
from coai_routing.request import Health, ModelDescription

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from coai_routing.engine.client import EmbeddedEngine
    from coai_routing.engine.state import EngineEndpoint
    from coai_routing.providers.llama_server import LlamaServerProvider
    from coai_routing.request import Delta, ModelReply, ModelRequest

_RETRY_SECONDS = 2.0
_FELT_SECONDS = 0.5


class EmbeddedProvider:
    """Sends requests to the embedded engine, and waits for it within their deadlines.

    A request that found nobody at the engine's address is sent once more if the engine turns out to
    have moved. One that was under way when the engine crashed is not: it may be what crashed it.
    """

    def __init__(self, engine: EmbeddedEngine, *, name: str = "embedded") -> None:
        self._engine = engine
        self._name = name
        self._endpoint: EngineEndpoint | None = None
        self._server: LlamaServerProvider | None = None

    @property
    def name(self) -> str:
        """The backend as the user knows it."""
        return self._name

    @property
    def base_url(self) -> str:
        """Where the engine answers; while it does not, the loopback address that it will have."""
        endpoint = self._engine.current_endpoint
        return "http://127.0.0.1" if endpoint is None else endpoint.base_url

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Continue a raw prompt."""
        return await self._ask(request, lambda server, timely: server.complete(timely))

    async def chat(self, request: ModelRequest) -> ModelReply:
        """Answer messages."""
        return await self._ask(request, lambda server, timely: server.chat(timely))

    async def _ask(
        self,
        request: ModelRequest,
        ask: Callable[[LlamaServerProvider, ModelRequest], Awaitable[ModelReply]],
    ) -> ModelReply:
        deadline = time.monotonic() + request.timeout
        server, endpoint = await self._connect(deadline)
        try:
            return await ask(server, _until(request, deadline))
        except ProviderUnavailableError:
            if not await self._engine.moved(endpoint, _FELT_SECONDS):
                raise
        server, _ = await self._connect(deadline)
        return await ask(server, _until(request, deadline))

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta]:
        """Yield the answer as it comes, the whole reply at the end."""
        deadline = time.monotonic() + request.timeout
        for again in (False, True):
            server, endpoint = await self._connect(deadline)
            shown = False
            try:
                async with aclosing(server.stream(_until(request, deadline))) as deltas:
                    async for delta in deltas:
                        shown = True
                        yield delta
                return
            except ProviderUnavailableError:
                if again or shown or not await self._engine.moved(endpoint, _FELT_SECONDS):
                    raise

    async def models(self) -> tuple[ModelDescription, ...]:
        """Describe the engine's one model."""
        state = self._engine.state
        return (
            ModelDescription(
                name=self._engine.model.stem,
                provider=self._name,
                loaded=state.phase is EnginePhase.READY and not state.asleep,
            ),
        )

    async def count_tokens(self, text: str) -> int | None:
        """Have the engine's tokenizer count."""
        server, _ = await self._connect(time.monotonic() + _FELT_SECONDS)
        return await server.count_tokens(text)

    async def health(self) -> Health:
        """Say how the engine fares; asks nobody."""
        state = self._engine.state
        return Health(
            ok=state.phase is EnginePhase.READY,
            detail=state.detail,
            remedy=state.remedy,
            version=state.version,
        )

    async def aclose(self) -> None:
        """Close pooled connections. The engine is its owner's to close."""
        server, self._server, self._endpoint = self._server, None, None
        if server is not None:
            await server.aclose()

    async def _connect(self, deadline: float) -> tuple[LlamaServerProvider, EngineEndpoint]:
        """Wait for the engine, and return a provider for the address that it has now."""
        try:
            endpoint = await self._engine.endpoint(max(0.0, deadline - time.monotonic()))
        except EngineNotReadyError as error:
            raise ProviderBusyError(
                f"The engine is not ready: {error.message}",
                provider=self._name,
                remedy=error.remedy,
                retry_after=_RETRY_SECONDS,
            ) from error
        except (EngineError, ModelStoreError) as error:
            raise ProviderUnavailableError(
                error.message, provider=self._name, remedy=error.remedy
            ) from error
        if self._server is None or self._endpoint != endpoint:
            from coai_routing.providers.llama_server import (  # noqa: PLC0415 - imports httpx
                LlamaServerProvider,
            )

            old = self._server
            self._server = LlamaServerProvider(
                name=self._name, base_url=endpoint.base_url, api_key=endpoint.api_key
            )
            self._endpoint = endpoint
            if old is not None:
                await old.aclose()
        return self._server, endpoint


def _until(request: ModelRequest, deadline: float) -> ModelRequest:
    """Give the request what is left of its time."""
    return request.model_copy(update={"timeout": max(0.001, deadline - time.monotonic())})
