"""Ollama, through its official client.

See docs/api.md of Ollama for the API. A local Ollama can pass a request on to a server elsewhere
(its cloud models), so before anything that must stay here is sent, the model is asked about.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import httpx

from coai_routing.errors import ModelNotFoundError, ProviderError, RequestRejectedError
from coai_routing.privacy.egress import Egress
from coai_routing.providers.description import describe_ollama
from coai_routing.providers.proxies import environment_set_aside
from coai_routing.providers.replies import failures
from coai_routing.providers.replies.events import told_by
from coai_routing.providers.replies.listings import fields, ollama_models, ollama_remote, text
from coai_routing.providers.replies.refusals import LeftOut
from coai_routing.providers.replies.sse import ReplyDecoder, decoded
from coai_routing.providers.replies.streams import (
    collect,
    require_messages,
    require_prompt,
    sendable,
)
from coai_routing.providers.sdk import before, client_options, model_of
from coai_routing.request import Delta, Health, ModelReply, Timings, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from types import ModuleType

    import ollama

    from coai_routing.request import ModelDescription, ModelRequest

DEFAULT_URL: Final = "http://127.0.0.1:11434"

_LISTING_TIMEOUT: Final = 5.0
_HEALTH_TIMEOUT: Final = 2.0
_WHEREABOUTS_KEPT: Final = 60.0  # seconds for which a model that was local is taken to be local
_OPTIONAL: Final = ("temperature", "stop", "num_ctx", "keep_alive")
"""What servers that imitate Ollama's may refuse, and a request can do without."""
_NOTHING_MORE: Final = {
    "response": "",
    "message": {"role": "assistant", "content": ""},
    "done": True,
}
_NANOSECONDS_PER_MS: Final = 1_000_000
# The client takes for granted that what comes is JSON of the documented form.
_EXPECTED: Final = (httpx.HTTPError, OSError, ValueError, TypeError, AttributeError)


class OllamaProvider:
    """An Ollama server."""

    def __init__(
        self,
        *,
        name: str = "ollama",
        base_url: str = DEFAULT_URL,
        api_key: str | None = None,
        egress: Egress | None = None,
        model: str | None = None,
        keep_alive: str | float | None = None,
        context_tokens: int | None = None,
    ) -> None:
        """Connect to nothing yet.

        `model` is for requests that name none; without it, one that is loaded, or the first.
        `keep_alive` is how long the model stays in memory after a request, in seconds or as `30m`;
        `context_tokens` its context window. Either is Ollama's own setting if not given; note that
        Ollama loads a model again when the window changes.
        """
        self._backend = describe_ollama(name, base_url)
        self._egress = egress or Egress()
        self._api_key = api_key
        self._model = model
        self._keep_alive = keep_alive
        self._context_tokens = context_tokens
        self._opening = asyncio.Lock()
        self._clients: tuple[ollama.AsyncClient, httpx.AsyncClient] | None = None
        self._sdk_errors: tuple[type[Exception], ...] = ()
        self._default_model: str | None = None
        self._local_until: dict[str, float] = {}
        self._left_out = LeftOut(*_OPTIONAL)

    @property
    def name(self) -> str:
        """The backend as the user knows it."""
        return self._backend.name

    @property
    def base_url(self) -> str:
        """Where it is reached, without `/api`."""
        return self._backend.base_url

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Continue a raw prompt, or let the model's template fill in before a suffix."""
        require_prompt(self._backend, request)
        return await collect(self._backend, self.stream(request))

    async def chat(self, request: ModelRequest) -> ModelReply:
        """Answer messages."""
        require_messages(self._backend, request)
        return await collect(self._backend, self.stream(request))

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta]:
        """Yield the answer as it comes, the whole reply at the end."""
        deadline = asyncio.get_running_loop().time() + request.timeout
        again = True
        while again:
            again, known = False, self._left_out.count
            try:
                async with aclosing(self._stream(request, deadline)) as deltas:
                    async for delta in deltas:
                        yield delta
            except RequestRejectedError as error:
                again = self._left_out.learn(error, _OPTIONAL, known=known)
                if not again:
                    raise

    async def _stream(self, request: ModelRequest, deadline: float) -> AsyncGenerator[Delta]:
        pieces: list[str] = []
        begun = False
        try:
            async with asyncio.timeout_at(deadline):
                client, model = await self._prepare(request)
            self._egress.check(request, self.base_url, provider=self.name)
            async with aclosing(await self._parts(client, model, request)) as parts:
                while (part := await before(deadline, parts)) is not None:
                    begun = True
                    token = _text_of(part) if request.max_tokens else ""
                    if token:
                        pieces.append(token)
                    if part.done:
                        yield Delta(text=token, reply=self._reply(part, "".join(pieces), model))
                        return
                    if token:
                        yield Delta(text=token)
        except (*_EXPECTED, *self._sdk_errors) as error:
            raise self._failure(error, request, "".join(pieces)) from error
        except ModelNotFoundError:
            self._default_model = None
            raise
        if begun:
            raise self._backend.cut_off("".join(pieces))
        raise self._backend.malformed("it is empty")

    async def models(self) -> tuple[ModelDescription, ...]:
        """List the models that Ollama has and may be used, and which of them are loaded."""
        tags, running = await asyncio.gather(
            self._ask("GET", "/api/tags", _LISTING_TIMEOUT),
            self._ask("GET", "/api/ps", _LISTING_TIMEOUT),
        )
        return ollama_models(tags, running, self.name, remote=self._egress.allow)

    async def count_tokens(self, text: str) -> int | None:
        """Return nothing: Ollama has no tokenizer."""
        del text

    async def health(self) -> Health:
        """Say whether Ollama would answer now."""
        try:
            told = fields(await self._ask("GET", "/api/version", _HEALTH_TIMEOUT))
            models = await self.models()
        except ProviderError as error:
            return Health(ok=False, detail=error.message, remedy=error.remedy)
        version = text(told.get("version"))
        if not models:
            missing = self._backend.model_missing(None)
            return Health(ok=False, detail=missing.message, remedy=missing.remedy, version=version)
        return Health(ok=True, detail=f"{len(models)} models", version=version)

    async def aclose(self) -> None:
        """Close pooled connections."""
        if self._clients is not None:
            client, metadata = self._clients
            self._clients = None
            await client.close()
            await metadata.aclose()

    async def _open(self) -> tuple[ollama.AsyncClient, httpx.AsyncClient]:
        if self._clients is None:
            async with self._opening:
                if self._clients is None:
                    # Importing the client takes a quarter of a second, certificates their time.
                    self._clients = await asyncio.to_thread(self._build)
        return self._clients

    def _build(self) -> tuple[ollama.AsyncClient, httpx.AsyncClient]:
        ollama = _import_client()
        self._sdk_errors = (ollama.ResponseError, ollama.RequestError)
        options = client_options(self._backend, self._egress, has_key=bool(self._api_key))
        if self._api_key:
            options["headers"] = {"authorization": f"Bearer {self._api_key}"}
        hooks = options["event_hooks"]
        own_hooks = {**hooks, "response": [*hooks["response"], self._read_by_value]}
        client = ollama.AsyncClient(host=self.base_url, **{**options, "event_hooks": own_hooks})
        # The client drops what it does not know from replies; where a model runs is among that.
        return client, httpx.AsyncClient(base_url=self.base_url, **options)

    async def _read_by_value(self, response: httpx.Response) -> None:
        """Have the client read one JSON value after the other instead of lines.

        Its lines end at a U+2028 within a text, too, and it does not know an empty line, a value of
        several lines, a gateway's events, or a failure in a form that is not Ollama's.
        """
        received = response.aiter_bytes
        model = model_of(response.request)

        async def values() -> AsyncGenerator[str]:
            decoder = ReplyDecoder()
            last: dict[str, Any] = {}
            ended = False
            async for events in decoded(decoder, received()):
                for event in events:
                    ended = ended or event.is_end
                    if told := told_by(event, self._backend, model=model):
                        last = told
                        yield json.dumps(told)
            if last and (ended or decoder.was_one_value):
                yield json.dumps({**last, **_NOTHING_MORE})

        response.aiter_lines = values

    async def _prepare(self, request: ModelRequest) -> tuple[ollama.AsyncClient, str]:
        """Return the client and the model to ask, once it is sure that the request may go there."""
        self._egress.check(request, self.base_url, provider=self.name)
        client, _ = await self._open()
        model = request.model or self._model or self._default_model
        if model is None:
            model = self._default_model = await self._choose_model()
        if request.sensitive or not self._egress.allow:
            await self._check_whereabouts(request, model)
        return client, model

    async def _choose_model(self) -> str:
        models = await self.models()
        for model in sorted(models, key=lambda model: not model.loaded):
            return model.name
        raise self._backend.model_missing(None)

    async def _check_whereabouts(self, request: ModelRequest, model: str) -> None:
        """Raise EgressRefusedError if Ollama would pass the request on to where it may not go."""
        now = asyncio.get_running_loop().time()
        if now < self._local_until.get(model, 0.0):
            return
        remote = ollama_remote(model, None)
        if remote is None:
            told = await self._ask("POST", "/api/show", request.timeout, {"model": model})
            remote = ollama_remote(model, told)
        if remote is not None:
            self._egress.check(request, remote, provider=self.name)
        else:
            self._local_until[model] = now + _WHEREABOUTS_KEPT

    async def _parts(
        self, client: ollama.AsyncClient, model: str, request: ModelRequest
    ) -> AsyncGenerator[ollama.GenerateResponse | ollama.ChatResponse]:
        options: dict[str, Any] = {
            # 0 means no limit there.
            "num_predict": request.max_tokens or 1,
            "temperature": request.temperature,
        }
        if request.stop:
            options["stop"] = request.stop
        if self._context_tokens is not None:
            options["num_ctx"] = self._context_tokens
        options = self._left_out.apply(options)
        keep_alive = None if "keep_alive" in self._left_out else self._keep_alive
        untyped = cast("Any", client)  # its overloads for tools are only partly typed
        if request.prompt is None:
            parts = await untyped.chat(
                model,
                [{"role": m.role, "content": sendable(m.content)} for m in request.messages],
                stream=True,
                format=request.json_schema,
                options=options,
                keep_alive=keep_alive,
            )
        else:
            parts = await untyped.generate(
                model,
                sendable(request.prompt),
                suffix=None if request.suffix is None else sendable(request.suffix),
                stream=True,
                raw=request.suffix is None,
                format=request.json_schema,
                options=options,
                keep_alive=keep_alive,
            )
        # It is an async generator, which its type does not tell.
        return cast("AsyncGenerator[ollama.GenerateResponse | ollama.ChatResponse]", parts)

    async def _ask(
        self, method: str, path: str, seconds: float, body: dict[str, str] | None = None
    ) -> object:
        self._egress.check(None, self.base_url, provider=self.name)
        try:
            async with asyncio.timeout(seconds):
                _, client = await self._open()
                return (await client.request(method, path, json=body)).json()
        except _EXPECTED as error:
            raise failures.from_exception(self._backend, error, seconds=seconds) from error

    def _failure(self, error: Exception, request: ModelRequest, partial: str) -> ProviderError:
        model = request.model or self._model or self._default_model
        if isinstance(error, self._sdk_errors):
            said: object = getattr(error, "error", str(error))
            return failures.from_error_object(self._backend, said, model=model)
        return failures.from_exception(
            self._backend, error, seconds=request.timeout, partial=partial
        )

    def _reply(
        self, part: ollama.GenerateResponse | ollama.ChatResponse, whole: str, model: str
    ) -> ModelReply:
        finish: Literal["stop", "length", "unknown"] = "unknown"
        if part.done_reason == "stop":
            finish = "stop"
        elif part.done_reason == "length":
            finish = "length"
        return ModelReply(
            text=whole,
            finish=finish,
            model=part.model or model,
            provider=self.name,
            usage=Usage(
                # All tokens of the prompt, whether they came from the cache or not. How many did,
                # Ollama tells since 2026, and its client from whichever version knows the field.
                prompt_tokens=part.prompt_eval_count or 0,
                cached_tokens=getattr(part, "prompt_eval_cached_count", None) or 0,
                output_tokens=part.eval_count or 0,
            ),
            timings=Timings(
                prompt_ms=_milliseconds(part.prompt_eval_duration),
                output_ms=_milliseconds(part.eval_duration),
            ),
        )


def _import_client() -> ModuleType:
    """Import the official client, whatever the environment says of proxies."""
    try:
        return importlib.import_module("ollama")
    except (ImportError, ValueError, httpx.InvalidURL):
        with environment_set_aside():
            return importlib.import_module("ollama")


def _text_of(part: ollama.GenerateResponse | ollama.ChatResponse) -> str:
    generated = getattr(part, "response", None)
    if generated is None:
        generated = getattr(getattr(part, "message", None), "content", None)
    return generated if isinstance(generated, str) else ""


def _milliseconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / _NANOSECONDS_PER_MS
