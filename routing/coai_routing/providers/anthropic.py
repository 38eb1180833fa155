"""Anthropic's API, through Anthropic's official client.

The client carries requests and keys; the stream is read here, so that it ends, fails and counts as
every other provider's. What stays the same from request to request, the system prompt, is marked
for the provider's prompt cache.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from coai_routing.errors import ProviderError, RequestRejectedError
from coai_routing.privacy import Egress
from coai_routing.providers import failures
from coai_routing.providers.backend import describe_anthropic
from coai_routing.providers.listings import anthropic_models, count, fields, text
from coai_routing.providers.sdk import before, client_options
from coai_routing.providers.sse import EventDecoder
from coai_routing.providers.streams import collect, require_messages, require_prompt, sendable
from coai_routing.request import Delta, Health, ModelReply, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import anthropic  # noqa: TID251 - for its types alone

    from coai_routing.providers.backend import Backend
    from coai_routing.request import ModelDescription, ModelRequest

_LISTING_TIMEOUT: Final = 5.0

_CACHE: Final = {"type": "ephemeral"}


class AnthropicProvider:
    """A server that speaks Anthropic's Messages API."""

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        api_key: str | None = None,
        egress: Egress | None = None,
        model: str | None = None,
    ) -> None:
        """Connect to nothing yet. `model` is for requests that name none."""
        self._backend = describe_anthropic(name, base_url)
        self._egress = egress or Egress()
        self._api_key = api_key
        self._model = model
        self._default_model: str | None = None
        self._opening = asyncio.Lock()
        self._client: anthropic.AsyncAnthropic | None = None
        self._sdk_errors: tuple[type[Exception], ...] = ()
        self._left_out: frozenset[str] = frozenset()
        """Options that the model has refused to know."""

    @property
    def name(self) -> str:
        """The backend as the user knows it."""
        return self._backend.name

    @property
    def base_url(self) -> str:
        """Where it is reached, without `/v1`."""
        return self._backend.base_url

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Raise RequestRejectedError: this API answers messages only."""
        require_prompt(self._backend, request)
        raise self._backend.rejected(
            "its API continues no raw prompts.", "Ask by `chat` with messages."
        )

    async def chat(self, request: ModelRequest) -> ModelReply:
        """Answer messages."""
        require_messages(self._backend, request)
        return await collect(self._backend, self.stream(request))

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta]:
        """Yield the answer to messages as it comes, the whole reply at the end."""
        require_messages(self._backend, request)
        deadline = asyncio.get_running_loop().time() + request.timeout
        draft = _Draft(self._backend, request)
        decoder = EventDecoder()
        response: Any = None
        received: AsyncGenerator[bytes] | None = None
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._begin(request)
                await self._expect_stream(response)
            received = cast("AsyncGenerator[bytes]", response.aiter_bytes())
            while not draft.done and (piece := await before(deadline, received)) is not None:
                for event in decoder.feed(piece):
                    if token := draft.add(event):
                        yield Delta(text=token)
            reply = draft.reply()
            # What is left is the end of the body: read, it frees the connection for the next call.
            while await before(deadline, received) is not None:
                pass
            yield Delta(reply=reply)
        except (OSError, ValueError, *self._sdk_errors) as error:
            raise failures.from_exception(
                self._backend, error, seconds=request.timeout, partial=draft.text()
            ) from error
        finally:
            if received is not None:
                await received.aclose()
            if response is not None:
                await response.aclose()

    async def models(self) -> tuple[ModelDescription, ...]:
        """List what the server offers."""
        self._egress.check(None, self.base_url, provider=self.name)
        try:
            async with asyncio.timeout(_LISTING_TIMEOUT):
                client = await self._open()
                listing = await client.models.with_raw_response.list()
                return anthropic_models(json.loads(await listing.read()), self.name)
        except (OSError, ValueError, *self._sdk_errors) as error:
            raise failures.from_exception(self._backend, error, seconds=_LISTING_TIMEOUT) from error

    async def health(self) -> Health:
        """Say whether the server would answer now."""
        try:
            models = await self.models()
        except ProviderError as error:
            return Health(ok=False, detail=error.message, remedy=error.remedy)
        if not models:
            missing = self._backend.model_missing(None)
            return Health(ok=False, detail=missing.message, remedy=missing.remedy)
        return Health(ok=True, detail=f"{len(models)} models")

    async def aclose(self) -> None:
        """Close pooled connections."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    async def _open(self) -> anthropic.AsyncAnthropic:
        if self._client is None:
            async with self._opening:
                if self._client is None:
                    # Importing the client takes more than a second.
                    self._client = await asyncio.to_thread(self._build)
        return self._client

    def _build(self) -> anthropic.AsyncAnthropic:
        import anthropic  # noqa: PLC0415, TID251 - on first use: it takes more than a second

        options = client_options(self._backend, self._egress, has_key=bool(self._api_key))
        # The client is built on httpx or httpx2, whichever its version chose.
        base = anthropic.DefaultAsyncHttpxClient.__mro__[1]
        network = sys.modules[base.__module__.partition(".")[0]]
        if not options["trust_env"]:
            # Left to itself, its client sends requests through the environment's proxies anyway.
            options["transport"] = network.AsyncHTTPTransport(
                verify=options["verify"], trust_env=False
            )
        carrier = anthropic.DefaultAsyncHttpxClient(**options)
        self._sdk_errors = (anthropic.AnthropicError, network.HTTPError)
        return anthropic.AsyncAnthropic(
            # Without a key it would take one from the environment; the hooks drop this one.
            api_key=self._api_key or "none",
            base_url=self.base_url,
            max_retries=0,
            timeout=None,
            http_client=carrier,
            open_telemetry=False,  # spans could carry content to whoever collects them
        )

    async def _begin(self, request: ModelRequest) -> Any:  # noqa: ANN401 - httpx's or httpx2's
        """Send a request and return the response, of which only the head has come."""
        self._egress.check(request, self.base_url, provider=self.name)
        client = await self._open()
        model = request.model or self._model or self._default_model
        if model is None:
            model = self._default_model = await self._choose_model()
        while True:
            options = self._options(request)
            try:
                return await self._post(client, model, request, options)
            except RequestRejectedError as error:
                refused = {name for name in options if name in error.message} & _OPTIONAL
                if not refused:
                    raise
                self._left_out |= refused

    async def _post(
        self,
        client: anthropic.AsyncAnthropic,
        model: str,
        request: ModelRequest,
        options: dict[str, Any],
    ) -> Any:  # noqa: ANN401 - httpx's or httpx2's
        self._egress.check(request, self.base_url, provider=self.name)
        messages = [
            {"role": message.role, "content": sendable(message.content)}
            for message in request.messages
            if message.role != "system"
        ]
        try:
            raw = await client.messages.with_raw_response.create(
                model=model,
                max_tokens=request.max_tokens or 1,  # nothing at all cannot be asked for
                messages=cast("Any", messages),
                stream=True,
                extra_body=options,
            )
        except (*self._sdk_errors, OSError, ValueError) as error:
            raise failures.from_exception(self._backend, error, seconds=request.timeout) from error
        return raw.http_response

    def _options(self, request: ModelRequest) -> dict[str, Any]:
        """Return the body of a request but for model, length and messages."""
        options: dict[str, Any] = {"temperature": request.temperature}
        system = "\n\n".join(m.content for m in request.messages if m.role == "system")
        if system:
            block = {"type": "text", "text": sendable(system), "cache_control": _CACHE}
            options["system"] = [block]
        if request.stop:
            options["stop_sequences"] = request.stop
        if request.json_schema is not None:
            schema = {"type": "json_schema", "schema": request.json_schema}
            options["output_config"] = {"format": schema}
        return {name: value for name, value in options.items() if name not in self._left_out}

    async def _choose_model(self) -> str:
        for model in await self.models():
            return model.name
        raise self._backend.model_missing(None)

    async def _expect_stream(self, response: Any) -> None:  # noqa: ANN401 - httpx's or httpx2's
        """Raise what a reply means that is no stream."""
        content_type: str = response.headers.get("content-type", "")
        if content_type.startswith("text/event-stream"):
            return
        said = fields(json.loads(await response.aread()))
        if "error" in said:
            raise failures.from_error_object(self._backend, said["error"])
        raise failures.from_content_type(self._backend, content_type)


_OPTIONAL: Final = frozenset({"temperature"})
"""What some models refuse and all can do without."""


class _Draft:
    """A reply that is being streamed (Anthropic, "Streaming Messages")."""

    def __init__(self, backend: Backend, request: ModelRequest) -> None:
        self._backend = backend
        self._request = request
        self._pieces: list[str] = []
        self._model: str | None = None
        self._stop: str | None = None
        self._usage: dict[str, Any] = {}
        self.done = False

    def text(self) -> str:
        """Return what has come so far."""
        return "".join(self._pieces)

    def add(self, event: bytes) -> str:
        """Take an event in and return its text. Raises ValueError if it is not JSON."""
        told = fields(json.loads(event))
        if not told:
            raise self._backend.malformed("an event is no object")
        match told.get("type"):
            case "message_start":
                message = fields(told.get("message"))
                self._model = text(message.get("model"))
                self._usage.update(fields(message.get("usage")))
            case "content_block_delta":
                token = fields(told.get("delta")).get("text")
                # At least one token has to be asked for, even if none is wanted.
                if isinstance(token, str) and self._request.max_tokens:
                    self._pieces.append(token)
                    return token
            case "message_delta":
                self._stop = text(fields(told.get("delta")).get("stop_reason")) or self._stop
                self._usage.update(fields(told.get("usage")))
            case "message_stop":
                self.done = True
            case _ if "error" in told:
                raise failures.from_error_object(
                    self._backend, told["error"], model=self._request.model
                )
            case _:
                pass  # pings, and the beginnings and ends of blocks
        return ""

    def reply(self) -> ModelReply:
        """Return the whole reply. Raises ReplyCutOffError or BadReplyError if it has no end."""
        if not self.done:
            if self._model is None and not self._pieces:
                raise self._backend.malformed("it is empty")
            raise self._backend.cut_off(self.text())
        finish: Literal["stop", "length", "unknown"] = "unknown"
        if self._stop in {"end_turn", "stop_sequence"}:
            finish = "stop"
        elif self._stop in {"max_tokens", "model_context_window_exceeded"}:
            finish = "length"
        fresh, cached, written = (
            count(self._usage.get(name)) or 0
            for name in (
                "input_tokens",
                "cache_read_input_tokens",
                "cache_creation_input_tokens",
            )
        )
        return ModelReply(
            text=self.text(),
            finish=finish,
            model=self._model or self._request.model or "",
            provider=self._backend.name,
            usage=Usage(
                # This API counts what came from the cache, and what went there, apart.
                prompt_tokens=fresh + cached + written,
                cached_tokens=cached,
                cache_write_tokens=written,
                output_tokens=count(self._usage.get("output_tokens")) or 0,
            ),
        )
