"""What the contract's tests know of each provider: how to build it, how its server talks."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from coai_routing.providers.anthropic import AnthropicProvider
from coai_routing.providers.llama_server import LlamaServerProvider
from coai_routing.providers.ollama import OllamaProvider
from coai_routing.providers.openai_compatible import OpenAICompatibleProvider
from coai_routing.registry.vendors import builtin_vendors
from coai_routing.request import Message
from tests.support.faulty_server import FaultyServer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from coai_routing.providers.base import Provider
    from coai_routing.registry.vendors import Vendor
    from coai_routing.request import ModelReply, ModelRequest
    from tests.support.faulty_server import Behaviour


@dataclass(frozen=True)
class Dialect:
    """A provider and its server's way of speaking."""

    name: str
    provider: Callable[..., Provider]
    content_type: str
    piece: Callable[[str], bytes]
    """A frame of a stream that carries text."""
    last: Sequence[bytes]
    """The frames with which a stream ends."""
    error: Callable[[str], bytes]
    """A frame that says that something went wrong in mid-stream."""
    listing: str
    """The path that lists models."""
    routes: Mapping[str, object] = field(default_factory=dict[str, object])
    """What a server of this kind answers besides, by path."""

    @asynccontextmanager
    async def connect(
        self, base_url: str, name: str = "mine", **options: object
    ) -> AsyncGenerator[Provider]:
        """Build a provider and close it in the end."""
        provider = self.provider(name=name, base_url=base_url, **options)
        try:
            yield provider
        finally:
            await provider.aclose()

    def __str__(self) -> str:
        """Name the dialect in test ids."""
        return self.name


def _sse(event: object) -> bytes:
    return b"data: " + json.dumps(event).encode() + b"\n\n"


def _said(text: str) -> dict[str, Any]:
    """Say it as both of Ollama's ways of answering do."""
    return {"response": text, "message": {"role": "assistant", "content": text}}


def _line(part: dict[str, Any]) -> bytes:
    return json.dumps({"model": "m", **part}).encode() + b"\n"


LLAMA_SERVER = Dialect(
    name="llama_server",
    provider=LlamaServerProvider,
    content_type="text/event-stream",
    piece=lambda text: _sse({"content": text, "stop": False}),
    last=[_sse({"content": "", "stop": True, "stop_type": "eos", "model": "m"})],
    error=lambda message: _sse({"error": {"code": 500, "message": message}}),
    listing="/v1/models",
)

OPENAI_COMPATIBLE = Dialect(
    name="openai_compatible",
    provider=OpenAICompatibleProvider,
    content_type="text/event-stream",
    piece=lambda text: _sse({"model": "m", "choices": [{"text": text, "finish_reason": None}]}),
    last=[
        _sse({"model": "m", "choices": [{"text": "", "finish_reason": "stop"}]}),
        _sse({"model": "m", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}),
        b"data: [DONE]\n\n",
    ],
    error=lambda message: _sse({"error": {"message": message, "type": "server_error"}}),
    listing="/v1/models",
)

OLLAMA = Dialect(
    name="ollama",
    provider=OllamaProvider,
    content_type="application/x-ndjson",
    piece=lambda text: _line({**_said(text), "done": False}),
    last=[_line({**_said(""), "done": True, "done_reason": "stop"})],
    error=lambda message: _line({"error": message}),
    listing="/api/tags",
    routes={"/api/show": {"capabilities": ["completion"]}},
)

ANTHROPIC = Dialect(
    name="anthropic",
    provider=AnthropicProvider,
    content_type="text/event-stream",
    piece=lambda text: (
        _sse({"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 3}}})
        + _sse({"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}})
    ),
    last=[
        _sse({"type": "message_delta", "delta": {"stop_reason": "end_turn"}})
        + _sse({"type": "message_stop"})
    ],
    error=lambda message: _sse({"type": "error", "error": {"message": message, "type": "api"}}),
    listing="/v1/models",
)

ALL = (LLAMA_SERVER, OLLAMA, OPENAI_COMPATIBLE, ANTHROPIC)


def _at_llama_cpp(vendor: Vendor) -> Vendor:
    """Return a vendor for a server that fills in nowhere else, and counts only if it is told to.

    What that leaves out is in test_vendors.py.
    """
    left_out = tuple(each for each in vendor.quirks.leaves_out if each != "stream_options")
    quirks = vendor.quirks.model_copy(update={"leaves_out": left_out})
    return vendor.model_copy(update={"fim": None, "quirks": quirks})


VENDORS = tuple(
    replace(
        OPENAI_COMPATIBLE,
        name=name,
        provider=partial(OpenAICompatibleProvider, vendor=_at_llama_cpp(vendor)),
    )
    for name, vendor in builtin_vendors().items()
    if vendor.protocol == "openai"
)
"""The vendors of `vendors.toml` that speak OpenAI's protocol, each with its quirks."""


def as_messages(request: ModelRequest) -> ModelRequest:
    """Return a request that says as messages what it said as a prompt."""
    if request.prompt is None:
        return request
    message = Message(role="user", content=request.prompt)
    return request.model_copy(update={"prompt": None, "messages": (message,)})


def sent(provider: Provider, request: ModelRequest) -> ModelRequest:
    """Return a request as the provider's API can take it."""
    return as_messages(request) if isinstance(provider, AnthropicProvider) else request


async def ask(provider: Provider, request: ModelRequest) -> ModelReply:
    """Ask for one reply: for a completion where it is one and the API completes prompts."""
    request = sent(provider, request)
    return await (provider.chat if request.messages else provider.complete)(request)


@asynccontextmanager
async def served(
    dialect: Dialect, behaviour: Behaviour, routes: Mapping[str, object] | None = None
) -> AsyncGenerator[tuple[FaultyServer, Provider]]:
    """Run a server that behaves so, and a provider that asks it."""
    known = dialect.routes if routes is None else routes
    async with (
        FaultyServer(behaviour, known) as server,
        dialect.connect(server.base_url) as provider,
    ):
        yield server, provider
