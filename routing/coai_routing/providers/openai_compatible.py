"""Any server that speaks OpenAI's API, through OpenAI's official client: LM Studio, vLLM, ...

The client carries requests and keys; the stream is read here, because servers differ from OpenAI
in how they end, fail and count, and every difference must come out as the same reply or error.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from coai_routing.errors import ModelNotFoundError, ProviderError, RequestRejectedError
from coai_routing.privacy import Egress
from coai_routing.providers import failures
from coai_routing.providers.backend import describe_openai_compatible
from coai_routing.providers.listings import count, fields, first, number, openai_models, text
from coai_routing.providers.sdk import before, client_options
from coai_routing.providers.sse import EventDecoder
from coai_routing.providers.streams import collect, require_messages, require_prompt, sendable
from coai_routing.request import Delta, Health, ModelReply, Timings, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import openai

    from coai_routing.providers.backend import Backend
    from coai_routing.request import ModelDescription, ModelRequest

_LISTING_TIMEOUT: Final = 5.0
_ENDING: Final = 0.25  # seconds for the connection to become free after the last word
_DONE: Final = b"[DONE]"


class OpenAICompatibleProvider:
    """A server that speaks OpenAI's API."""

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        api_key: str | None = None,
        egress: Egress | None = None,
        model: str | None = None,
    ) -> None:
        """Connect to nothing yet.

        `/v1` is added to an address without a path. `model` is for requests that name none;
        without it, one that is loaded, or the first that the server lists.
        """
        self._backend = describe_openai_compatible(name, base_url)
        self._egress = egress or Egress()
        self._api_key = api_key
        self._model = model
        self._default_model: str | None = None
        self._opening = asyncio.Lock()
        self._client: openai.AsyncOpenAI | None = None
        self._sdk_errors: tuple[type[Exception], ...] = ()
        self._counts_usage = True
        self._limit_key = "max_tokens"
        self._fixed_temperature: set[str] = set()
        """Models that want no other temperature than their own."""

    @property
    def name(self) -> str:
        """The backend as the user knows it."""
        return self._backend.name

    @property
    def base_url(self) -> str:
        """Where its API begins, usually with `/v1`."""
        return self._backend.base_url

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Continue a raw prompt, or let the server fill in before a suffix."""
        require_prompt(self._backend, request)
        return await collect(self._backend, self.stream(request))

    async def chat(self, request: ModelRequest) -> ModelReply:
        """Answer messages."""
        require_messages(self._backend, request)
        return await collect(self._backend, self.stream(request))

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta]:
        """Yield the answer as it comes, the whole reply at the end."""
        if request.prompt is not None and request.json_schema is not None:
            raise self._backend.rejected(
                "its API takes a JSON schema only with messages.", "Ask by `chat`."
            )
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
            await self._let_end(received)
            yield Delta(reply=reply)
        except (OSError, ValueError, *self._sdk_errors) as error:
            raise failures.from_exception(
                self._backend, error, seconds=request.timeout, partial=draft.text()
            ) from error
        except ModelNotFoundError:
            self._default_model = None
            raise
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
                return openai_models(json.loads(listing.content), self.name)
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

    async def _open(self) -> openai.AsyncOpenAI:
        if self._client is None:
            async with self._opening:
                if self._client is None:
                    # Importing the client takes more than half a second.
                    self._client = await asyncio.to_thread(self._build)
        return self._client

    def _build(self) -> openai.AsyncOpenAI:
        import openai  # noqa: PLC0415 - on first use: it takes more than half a second

        options = client_options(self._backend, self._egress, has_key=bool(self._api_key))
        carrier = openai.DefaultAsyncHttpxClient(**options)
        # The client is built on httpx or httpx2, whichever its version chose.
        network = sys.modules[type(carrier).__mro__[1].__module__]
        self._sdk_errors = (openai.OpenAIError, network.HTTPError)
        return openai.AsyncOpenAI(
            # Without a key it would take one from the environment; the hooks drop this one.
            api_key=self._api_key or "none",
            base_url=self.base_url,
            max_retries=0,
            timeout=None,
            http_client=carrier,
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
            if model in self._fixed_temperature:
                del options["temperature"]
            try:
                return await self._post(client, model, request, options)
            except RequestRejectedError as error:
                if not self._adapts(options, error.message, model):
                    raise

    async def _post(
        self, client: openai.AsyncOpenAI, model: str, request: ModelRequest, options: dict[str, Any]
    ) -> Any:  # noqa: ANN401 - httpx's or httpx2's
        self._egress.check(request, self.base_url, provider=self.name)
        try:
            if request.prompt is not None:
                raw = await client.completions.with_raw_response.create(
                    model=model, prompt=sendable(request.prompt), stream=True, extra_body=options
                )
            else:
                messages = [
                    {"role": m.role, "content": sendable(m.content)} for m in request.messages
                ]
                raw = await client.chat.completions.with_raw_response.create(
                    model=model, messages=cast("Any", messages), stream=True, extra_body=options
                )
        except (*self._sdk_errors, OSError, ValueError) as error:
            raise failures.from_exception(self._backend, error, seconds=request.timeout) from error
        return raw.http_response

    def _options(self, request: ModelRequest) -> dict[str, Any]:
        """Return the body of a request but for model and prompt."""
        options: dict[str, Any] = {
            # Servers differ in whether 0 is allowed and what it means.
            self._limit_key if request.messages else "max_tokens": request.max_tokens or 1,
            "temperature": request.temperature,
        }
        if request.stop:
            options["stop"] = request.stop
        if request.suffix is not None:
            options["suffix"] = sendable(request.suffix)
        if self._counts_usage:
            options["stream_options"] = {"include_usage": True}
        if request.json_schema is not None:
            schema = {"name": "reply", "strict": True, "schema": request.json_schema}
            options["response_format"] = {"type": "json_schema", "json_schema": schema}
        return options

    def _adapts(self, options: dict[str, Any], refusal: str, model: str) -> bool:
        """Say whether to ask again without what the server has just refused to know."""
        if "stream_options" in refusal and "stream_options" in options:
            self._counts_usage = False
            return True
        # OpenAI's own newer models, and only their chats.
        if "max_completion_tokens" in refusal and "max_completion_tokens" not in options:
            self._limit_key = "max_completion_tokens"
            return True
        # Models that reason, in OpenAI's words: "Unsupported value", "Unsupported parameter".
        if "temperature" in refusal and "nsupported" in refusal and "temperature" in options:
            self._fixed_temperature.add(model)
            return True
        return False

    async def _choose_model(self) -> str:
        models = await self.models()
        for model in sorted(models, key=lambda model: (not model.loaded, "embed" in model.name)):
            return model.name
        raise self._backend.model_missing(None)

    async def _expect_stream(self, response: Any) -> None:  # noqa: ANN401 - httpx's or httpx2's
        """Raise what a reply means that is no stream, for example LM Studio's errors."""
        content_type: str = response.headers.get("content-type", "")
        if content_type.startswith("text/event-stream"):
            return
        said = fields(json.loads(await response.aread()))
        if "error" in said:
            raise failures.from_error_object(self._backend, said["error"])
        raise failures.from_content_type(self._backend, content_type)

    async def _let_end(self, received: AsyncGenerator[bytes]) -> None:
        """Read past the last word, so that the connection can be used again."""
        with suppress(TimeoutError, *self._sdk_errors):
            async with asyncio.timeout(_ENDING):
                async for _ in received:
                    pass


class _Draft:
    """A reply that is being streamed."""

    def __init__(self, backend: Backend, request: ModelRequest) -> None:
        self._backend = backend
        self._request = request
        self._pieces: list[str] = []
        self._model: str | None = None
        self._finish: str | None = None
        self._usage: dict[str, Any] = {}
        self._timings: dict[str, Any] = {}
        self.done = False

    def text(self) -> str:
        """Return what has come so far."""
        return "".join(self._pieces)

    def add(self, event: bytes) -> str:
        """Take an event in and return its text. Raises ValueError if it is not JSON."""
        if event.strip() == _DONE:
            self.done = True
            return ""
        told = fields(json.loads(event))
        if not told:
            raise self._backend.malformed("an event is no object")
        if told.get("error"):
            raise failures.from_error_object(
                self._backend, told["error"], model=self._request.model
            )
        self._model = text(told.get("model")) or self._model
        self._usage = fields(told.get("usage")) or self._usage
        self._timings = fields(told.get("timings")) or self._timings  # llama.cpp's
        choice = first(told.get("choices"))
        self._finish = text(choice.get("finish_reason")) or self._finish
        token = choice.get("text") or fields(choice.get("delta")).get("content")
        # At least one token has to be asked for, even if none is wanted.
        if not isinstance(token, str) or not self._request.max_tokens:
            return ""
        self._pieces.append(token)
        return token

    def reply(self) -> ModelReply:
        """Return the whole reply. Raises ReplyCutOffError or BadReplyError if it has no end."""
        if self._finish is None and self._model is None and not self._pieces:
            raise self._backend.malformed("it is empty")
        if self._finish is None:
            raise self._backend.cut_off(self.text())
        finish: Literal["stop", "length", "unknown"] = "unknown"
        if self._finish == "stop":
            finish = "stop"
        elif self._finish == "length":
            finish = "length"
        details = fields(self._usage.get("prompt_tokens_details"))
        return ModelReply(
            text=self.text(),
            finish=finish,
            model=self._model or self._request.model or "",
            provider=self._backend.name,
            usage=Usage(
                prompt_tokens=count(self._usage.get("prompt_tokens")) or 0,
                cached_tokens=count(details.get("cached_tokens")) or 0,
                output_tokens=count(self._usage.get("completion_tokens")) or 0,
            ),
            timings=Timings(
                prompt_ms=number(self._timings.get("prompt_ms")),
                output_ms=number(self._timings.get("predicted_ms")),
            ),
        )
