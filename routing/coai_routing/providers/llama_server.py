"""llama.cpp's own HTTP API: the embedded engine's, and that of a llama-server that the user runs.

See tools/server/README.md of llama.cpp for the API. Everything is streamed, because the server
notices a closed connection with the next token that it cannot send.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from coai_routing.errors import ProviderError, RequestRejectedError
from coai_routing.privacy.egress import Egress
from coai_routing.providers.asking import ask, expect
from coai_routing.providers.description import describe_llama_server
from coai_routing.providers.http import Client, MalformedReplyError
from coai_routing.providers.replies import failures
from coai_routing.providers.replies.alternatives import asked_alternatives, told_alternatives
from coai_routing.providers.replies.events import MEDIA_TYPES, told_by
from coai_routing.providers.replies.listings import (
    count,
    fields,
    first,
    number,
    openai_models,
    text,
)
from coai_routing.providers.replies.refusals import LeftOut
from coai_routing.providers.replies.sse import ReplyDecoder
from coai_routing.providers.replies.streams import (
    collect,
    require_messages,
    require_prompt,
    sendable,
)
from coai_routing.request import Delta, Health, ModelReply, ModelRequest, Timings, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_routing.providers.description import BackendDescription
    from coai_routing.providers.http import Reply
    from coai_routing.providers.replies.sse import Event
    from coai_routing.request import Alternative, ModelDescription

_LISTING_TIMEOUT: Final = 5.0
_HEALTH_TIMEOUT: Final = 2.0
_COUNT_TIMEOUT: Final = 0.5  # somebody waits for what the count is for

# Of the last event only this; it would repeat the whole prompt and all settings otherwise.
_RESPONSE_FIELDS: Final = (
    "content",
    "stop",
    "stop_type",
    "model",
    "id_slot",
    "timings",
    "tokens_evaluated",
    "tokens_predicted",
)

_OPTIONAL: Final = (
    *("cache_prompt", "timings_per_token", "response_fields", "id_slot", "temperature", "stop"),
)
"""What servers that imitate llama.cpp's may refuse, and a request can do without."""


class LlamaServerProvider:
    """A llama.cpp server."""

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        api_key: str | None = None,
        egress: Egress | None = None,
    ) -> None:
        """Connect to nothing yet. Raises ValueError for an address or key that cannot be sent."""
        self._backend = describe_llama_server(name, base_url)
        self._egress = egress or Egress()
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = Client(base_url, headers=headers)
        self._left_out = LeftOut(*_OPTIONAL)

    @property
    def name(self) -> str:
        """The backend as the user knows it."""
        return self._backend.name

    @property
    def base_url(self) -> str:
        """Where it is reached, without `/v1`."""
        return self._backend.base_url

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Continue a raw prompt, or fill in between a prompt and a suffix."""
        require_prompt(self._backend, request)
        return await collect(self._backend, self.stream(request))

    async def chat(self, request: ModelRequest) -> ModelReply:
        """Answer messages."""
        require_messages(self._backend, request)
        return await collect(self._backend, self.stream(request))

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta]:
        """Yield the answer as it comes, the whole reply at the end."""
        deadline = asyncio.get_running_loop().time() + request.timeout
        draft = _Draft(request, self.name)
        decoder = ReplyDecoder()
        reply: Reply | None = None
        try:
            reply = await self._begin(request, deadline)
            received = b" "
            while received:
                received = await reply.piece()
                for event in decoder.feed(received) if received else decoder.finish():
                    token = draft.add(event, self._backend)
                    if draft.whole is not None:
                        reply.close(said_all=True)
                        yield Delta(text=token, reply=draft.whole)
                        return
                    if token:
                        yield Delta(text=token)
            yield Delta(reply=draft.ended(self._backend, whole=decoder.was_one_value))
        except (OSError, ValueError, MalformedReplyError) as error:
            raise failures.from_exception(
                self._backend, error, seconds=request.timeout, partial=draft.text()
            ) from error
        finally:
            if reply is not None:
                reply.close()

    async def _begin(self, request: ModelRequest, deadline: float) -> Reply:
        """Send a request and return the reply, of which only the head has come."""
        while True:
            path, body = _path_and_body(request)
            known = self._left_out.count
            self._egress.check(request, self.base_url, provider=self.name)
            # A lone surrogate, which an editor can send, has no UTF-8 form.
            content = json.dumps(self._left_out.apply(body), ensure_ascii=False)
            reply = await self._client.send(
                "POST", path, content.encode("utf-8", "replace"), deadline=deadline
            )
            try:
                await expect(reply, self._backend, MEDIA_TYPES, model=request.model)
            except RequestRejectedError as error:
                reply.close()
                if not self._left_out.learn(error, body, known=known):
                    raise
            except BaseException:
                reply.close()
                raise
            else:
                return reply

    async def models(self) -> tuple[ModelDescription, ...]:
        """List what the server offers: one model, or several if it is a router."""
        return openai_models(await self._get("/v1/models", _LISTING_TIMEOUT), self.name)

    async def count_tokens(self, text: str) -> int | None:
        """Have the server's tokenizer count."""
        # What is counted may be anything, and no mark of a request says that it is not sensitive.
        content = ModelRequest(prompt=text, sensitive=True)
        self._egress.check(content, self.base_url, provider=self.name)
        body = {"content": sendable(text), "add_special": True, "parse_special": True}
        told = fields(
            await ask(self._client, self._backend, "/tokenize", seconds=_COUNT_TIMEOUT, body=body)
        )
        tokens: object = told.get("tokens")
        return len(cast("list[object]", tokens)) if isinstance(tokens, list) else None

    async def health(self) -> Health:
        """Say whether the server would answer now."""
        try:
            await self._get("/health", _HEALTH_TIMEOUT)
            # Anybody may ask for the health; only this tells whether the key is right.
            properties = fields(await self._get("/props", _HEALTH_TIMEOUT))
            if "default_generation_settings" not in properties:
                raise self._backend.malformed("its `/props` are not llama.cpp's")
        except ProviderError as error:
            return Health(ok=False, detail=error.message, remedy=error.remedy)
        version = text(properties.get("build_info"))
        model = text(properties.get("model_alias")) or text(properties.get("model_path"))
        return Health(ok=True, detail=f"serves {model}" if model else "ready", version=version)

    async def aclose(self) -> None:
        """Close pooled connections."""
        await self._client.aclose()

    async def _get(self, path: str, seconds: float) -> object:
        self._egress.check(None, self.base_url, provider=self.name)
        return await ask(self._client, self._backend, path, seconds=seconds)


def _path_and_body(request: ModelRequest) -> tuple[str, dict[str, Any]]:
    """Return where a request goes and what it says."""
    body: dict[str, Any] = {
        "stream": True,
        "cache_prompt": True,
        "n_predict": request.max_tokens,
        "temperature": request.temperature,
        "timings_per_token": False,
    }
    if request.stop:
        body["stop"] = request.stop
    if request.slot is not None:
        body["id_slot"] = request.slot
    if request.model is not None:
        body["model"] = request.model
    if request.prompt is None:
        path = "/v1/chat/completions"
        body["messages"] = [{"role": m.role, "content": m.content} for m in request.messages]
        if request.json_schema is not None:
            schema = {"name": "reply", "strict": True, "schema": request.json_schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        body.update(asked_alternatives(request))
    else:
        path = "/completion"
        body["response_fields"] = _RESPONSE_FIELDS
        if request.suffix is None:
            body["prompt"] = request.prompt
        else:
            path = "/infill"
            body["input_prefix"] = request.prompt
            body["input_suffix"] = request.suffix
        if request.json_schema is not None:
            body["json_schema"] = request.json_schema
    return path, body


class _Draft:
    """A reply that is being streamed."""

    def __init__(self, request: ModelRequest, provider: str) -> None:
        self._request = request
        self._provider = provider
        self._pieces: list[str] = []
        self._alternatives: tuple[Alternative, ...] = ()
        self._told: dict[str, Any] = {}
        """The last event that was more than a sign of life."""
        self.whole: ModelReply | None = None

    def text(self) -> str:
        """Return what has come so far."""
        return "".join(self._pieces)

    def add(self, event: Event, backend: BackendDescription) -> str:
        """Take an event in and return its text. The last one makes the draft `whole`."""
        told = told_by(event, backend, model=self._request.model)
        self._told = told or self._told
        if "choices" in told:
            choice = first(told["choices"])
            self._alternatives = self._alternatives or told_alternatives(choice)
            part = fields(choice.get("delta")) or fields(choice.get("message"))
            token = part.get("content")
            stop = choice.get("finish_reason")
        else:
            token = told.get("content")
            stop = told.get("stop_type", True) if told.get("stop") is True else None
        stop = stop or (event.is_end and bool(self._told))
        # Asked for no token at all, the server sends one nevertheless.
        token = token if isinstance(token, str) and self._request.max_tokens else ""
        if token:
            self._pieces.append(token)
        if stop:
            self.whole = self._reply(told, stop)
        return token

    def ended(self, backend: BackendDescription, *, whole: bool) -> ModelReply:
        """Return the reply of a stream that ended without saying so, if it is `whole`.

        Raises ReplyCutOffError or BadReplyError.
        """
        if not self._told:
            raise backend.malformed("it is empty")
        if not whole:
            raise backend.cut_off(self.text())
        return self._reply(self._told, stop=True)

    def _reply(self, event: dict[str, Any], stop: object) -> ModelReply:
        finish: Literal["stop", "length", "unknown"] = "unknown"
        if stop in {"limit", "length"}:
            finish = "length"
        elif stop in {"eos", "word", "stop"}:
            finish = "stop"
        timings = fields(event.get("timings"))
        evaluated = count(timings.get("prompt_n"))
        cached = count(timings.get("cache_n"))
        prompt = count(event.get("tokens_evaluated")) or (evaluated or 0) + (cached or 0)
        if cached is None:
            # Servers before the end of 2025 do not tell what came from the cache.
            cached = 0 if evaluated is None else max(0, prompt - evaluated)
        output = count(timings.get("predicted_n")) or count(event.get("tokens_predicted")) or 0
        slot = count(event.get("id_slot"))
        return ModelReply(
            text=self.text(),
            finish=finish,
            model=text(event.get("model")) or self._request.model or "",
            provider=self._provider,
            usage=Usage(
                prompt_tokens=prompt,
                cached_tokens=cached,
                output_tokens=output,
            ),
            timings=Timings(
                prompt_ms=number(timings.get("prompt_ms")),
                output_ms=number(timings.get("predicted_ms")),
            ),
            slot=self._request.slot if slot is None else slot,
            alternatives=self._alternatives,
        )
