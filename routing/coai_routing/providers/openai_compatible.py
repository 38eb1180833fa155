"""Any server that speaks OpenAI's API, through OpenAI's official client: LM Studio, vLLM, ..."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from coai_routing.providers.description import describe_openai_compatible
from coai_routing.providers.replies.alternatives import asked_alternatives, told_alternatives
from coai_routing.providers.replies.events import told_by
from coai_routing.providers.replies.listings import (
    count,
    fields,
    first,
    number,
    openai_models,
    text,
)
from coai_routing.providers.replies.refusals import LeftOut, named
from coai_routing.providers.replies.streams import StopWords, collect, require_prompt, sendable
from coai_routing.providers.sdk import client_options
from coai_routing.providers.sdk_provider import SdkProvider
from coai_routing.registry.vendors import Quirks
from coai_routing.request import ModelReply, Timings, Usage

if TYPE_CHECKING:
    import openai

    from coai_routing.errors import RequestRejectedError
    from coai_routing.privacy.egress import Egress
    from coai_routing.providers.description import BackendDescription
    from coai_routing.providers.replies.sse import Event
    from coai_routing.registry.vendors import Vendor
    from coai_routing.request import Alternative, ModelDescription, ModelRequest

MOST_STOPS: Final = 4
"""Stop words that OpenAI's API takes; the others are looked for here."""


class OpenAICompatibleProvider(SdkProvider["openai.AsyncOpenAI"]):
    """A server that speaks OpenAI's API."""

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        api_key: str | None = None,
        egress: Egress | None = None,
        model: str | None = None,
        vendor: Vendor | None = None,
    ) -> None:
        """Connect to nothing yet. `vendor` is whose API it is, with its quirks, if anybody's.

        `/v1` is added to an address without a path. `model` is for requests that name none;
        without it, one that is loaded, or the first that the server lists.
        """
        backend = describe_openai_compatible(name, base_url)
        super().__init__(backend, api_key=api_key, egress=egress, model=model)
        quirks = Quirks(most_stops=MOST_STOPS) if vendor is None else vendor.quirks
        self._quirks = quirks
        self._limit_key: str = quirks.limit_key
        self._most_stops = quirks.most_stops
        self._fim_url = None if vendor is None else vendor.fim_url(self.base_url)
        self._left_out = LeftOut("stream_options", "stop", "logprobs", "top_logprobs")
        self._left_out_by_model: dict[str, LeftOut] = {}

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Continue a raw prompt, or let the server fill in before a suffix."""
        require_prompt(self._backend, request)
        return await collect(self._backend, self.stream(request))

    def _require(self, request: ModelRequest) -> None:
        if request.prompt is not None and request.json_schema is not None:
            raise self._backend.rejected(
                "its API takes a JSON schema only with messages.", "Ask by `chat`."
            )

    def _draft(self, request: ModelRequest) -> _Draft:
        return _Draft(self._backend, request)

    def _of_model(self, model: str) -> LeftOut:
        """Return what a model has refused: one that reasons wants its own temperature."""
        return self._left_out_by_model.setdefault(model, LeftOut("temperature"))

    def _build(self) -> tuple[openai.AsyncOpenAI, tuple[type[Exception], ...]]:
        import openai  # noqa: PLC0415 - on first use: it takes more than half a second

        options = client_options(self._backend, self._egress, has_key=bool(self._api_key))
        carrier = openai.DefaultAsyncHttpxClient(**options)
        # The client is built on httpx or httpx2, whichever its version chose.
        network = sys.modules[type(carrier).__mro__[1].__module__]
        client = openai.AsyncOpenAI(
            # Without a key it would take one from the environment; the hooks drop this one.
            api_key=self._api_key or "none",
            base_url=self.base_url,
            max_retries=0,
            timeout=None,
            http_client=carrier,
            default_headers=self._key_headers(),
        )
        return client, (openai.OpenAIError, network.HTTPError)

    def _key_headers(self) -> dict[str, str] | None:
        if not self._quirks.key_header or not self._api_key:
            return None
        return {self._quirks.key_header: self._api_key}

    async def _list(self, client: openai.AsyncOpenAI) -> tuple[ModelDescription, ...]:
        listing = await client.models.with_raw_response.list()
        models = openai_models(json.loads(listing.content), self.name)
        prefix = self._quirks.list_prefix
        return tuple(
            each.model_copy(update={"name": each.name.removeprefix(prefix)}) for each in models
        )

    def _preferred(self, models: tuple[ModelDescription, ...]) -> ModelDescription | None:
        order = sorted(models, key=lambda model: (not model.loaded, "embed" in model.name))
        return next(iter(order), None)

    async def _create(
        self, client: openai.AsyncOpenAI, model: str, request: ModelRequest, options: dict[str, Any]
    ) -> Any:  # noqa: ANN401 - the clients' raw responses share no type
        if request.prompt is not None:
            if self._fim_url is not None:
                client = client.with_options(base_url=self._fim_url)
            return await client.completions.with_raw_response.create(
                model=model, prompt=sendable(request.prompt), stream=True, extra_body=options
            )
        messages = [{"role": m.role, "content": sendable(m.content)} for m in request.messages]
        return await client.chat.completions.with_raw_response.create(
            model=model, messages=cast("Any", messages), stream=True, extra_body=options
        )

    def _options(self, request: ModelRequest, model: str) -> dict[str, Any]:
        """Return the body of a request but for model and prompt."""
        options: dict[str, Any] = {
            # Servers differ in whether 0 is allowed and what it means.
            self._limit_key if request.messages else "max_tokens": request.max_tokens or 1,
            "temperature": request.temperature,
            "stream_options": {"include_usage": True},
        }
        if stop := _fewer(request.stop, self._most_stops):
            options["stop"] = stop
        if request.suffix is not None:
            options["suffix"] = sendable(request.suffix)
        if request.json_schema is not None:
            schema = {"name": "reply", "strict": True, "schema": request.json_schema}
            options["response_format"] = {"type": "json_schema", "json_schema": schema}
        options.update(asked_alternatives(request))
        known = {
            name: value for name, value in options.items() if name not in self._quirks.leaves_out
        }
        return self._left_out.apply(self._of_model(model).apply(known))

    def _adapts(
        self, options: dict[str, Any], refusal: RequestRejectedError, model: str, *, known: int
    ) -> bool:
        """Say whether to ask again without what the server has just refused to know."""
        # OpenAI's own newer models, and only their chats.
        if named(refusal, ("max_completion_tokens",)) and "max_completion_tokens" not in options:
            self._limit_key = "max_completion_tokens"
            return True
        stops = len(options.get("stop", ()))
        if stops > 1 and named(refusal, ("stop",)):
            # It takes fewer of them, or none: then it says so again.
            self._most_stops = stops // 2
            return True
        # Both learn, though one of them would do.
        learned = (
            self._left_out.learn(refusal, options, known=known),
            self._of_model(model).learn(refusal, options, known=known),
        )
        return any(learned)


def _fewer(words: tuple[str, ...], most: int) -> tuple[str, ...]:
    """Return so many stop words: the last, which is the request's own, and the family's first."""
    return words if len(words) <= most else (*words[: most - 1], words[-1])


class _Draft:
    """A reply that is being streamed."""

    def __init__(self, backend: BackendDescription, request: ModelRequest) -> None:
        self._backend = backend
        self._request = request
        self._stops = StopWords(request.stop)
        self._pieces: list[str] = []
        self._model: str | None = None
        self._finish: str | None = None
        self._usage: dict[str, Any] = {}
        self._timings: dict[str, Any] = {}
        self._alternatives: tuple[Alternative, ...] = ()
        self.done = self.cut = False

    def text(self) -> str:
        """Return what has come so far."""
        return "".join(self._pieces)

    def add(self, event: Event) -> str:
        """Take an event in and return its text. Raises ValueError if it is not JSON."""
        self.done = self.done or event.is_end
        told = told_by(event, self._backend, model=self._request.model)
        self._model = text(told.get("model")) or self._model
        self._usage = fields(told.get("usage")) or self._usage
        self._timings = fields(told.get("timings")) or self._timings  # llama.cpp's
        choice = first(told.get("choices"))
        self._alternatives = self._alternatives or told_alternatives(choice)
        self._finish = text(choice.get("finish_reason")) or self._finish
        # A server that ignores `stream` answers with a message instead of its pieces.
        part = fields(choice.get("delta")) or fields(choice.get("message"))
        token = choice.get("text") or part.get("content")
        # At least one token has to be asked for, even if none is wanted.
        if not isinstance(token, str) or not self._request.max_tokens:
            return ""
        return self._say(self._stops.feed(token))

    def rest(self) -> str:
        """Return the text that was held back, now that no more events come."""
        return self._say(self._stops.finish())

    def _say(self, token: str) -> str:
        if token:
            self._pieces.append(token)
        if self._stops.met:
            self.done = self.cut = True
            self._finish = "stop"
        return token

    def reply(self) -> ModelReply:
        """Return the whole reply. Raises ReplyCutOffError or BadReplyError if it has no end."""
        if self._finish is None and self._model is None and not self._pieces:
            raise self._backend.malformed("it is empty")
        if self._finish is None and not self.done:
            raise self._backend.cut_off(self.text())
        finish: Literal["stop", "length", "unknown"] = "unknown"
        if self._finish == "stop":
            finish = "stop"
        elif self._finish == "length":
            finish = "length"
        details = fields(self._usage.get("prompt_tokens_details"))
        cached = count(details.get("cached_tokens"))
        if cached is None:
            cached = count(self._usage.get("prompt_cache_hit_tokens"))  # DeepSeek's
        return ModelReply(
            text=self.text(),
            finish=finish,
            model=self._model or self._request.model or "",
            provider=self._backend.name,
            usage=Usage(
                prompt_tokens=count(self._usage.get("prompt_tokens")) or 0,
                cached_tokens=cached or 0,
                output_tokens=count(self._usage.get("completion_tokens")) or 0,
            ),
            timings=Timings(
                prompt_ms=number(self._timings.get("prompt_ms")),
                output_ms=number(self._timings.get("predicted_ms")),
            ),
            alternatives=self._alternatives,
        )
