"""Anthropic's API, through Anthropic's official client.

What stays the same from request to request, the system prompt, is marked for the provider's prompt
cache.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from coai_routing.providers.description import describe_anthropic
from coai_routing.providers.replies.events import told_by
from coai_routing.providers.replies.listings import anthropic_models, count, entries, fields, text
from coai_routing.providers.replies.refusals import LeftOut
from coai_routing.providers.replies.streams import (
    StopWords,
    require_messages,
    require_prompt,
    sendable,
)
from coai_routing.providers.sdk import client_options
from coai_routing.providers.sdk_provider import SdkProvider
from coai_routing.request import ModelReply, Usage

if TYPE_CHECKING:
    import anthropic  # noqa: TID251 - for its types alone

    from coai_routing.errors import RequestRejectedError
    from coai_routing.privacy.egress import Egress
    from coai_routing.providers.description import BackendDescription
    from coai_routing.providers.replies.sse import Event
    from coai_routing.request import ModelDescription, ModelRequest

_CACHE: Final = {"type": "ephemeral"}


class AnthropicProvider(SdkProvider["anthropic.AsyncAnthropic"]):
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
        """Connect to nothing yet. The address has no `/v1`; `model` is for requests without."""
        backend = describe_anthropic(name, base_url)
        super().__init__(backend, api_key=api_key, egress=egress, model=model)
        self._left_out = LeftOut("temperature", "stop_sequences", "cache_control")

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Raise RequestRejectedError: this API answers messages only."""
        require_prompt(self._backend, request)
        raise self._backend.rejected(
            "its API continues no raw prompts.", "Ask by `chat` with messages."
        )

    def _require(self, request: ModelRequest) -> None:
        require_messages(self._backend, request)

    def _draft(self, request: ModelRequest) -> _Draft:
        return _Draft(self._backend, request)

    def _build(self) -> tuple[anthropic.AsyncAnthropic, tuple[type[Exception], ...]]:
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
        client = anthropic.AsyncAnthropic(
            # Without a key it would take one from the environment; the hooks drop this one.
            api_key=self._api_key or "none",
            base_url=self.base_url,
            max_retries=0,
            timeout=None,
            http_client=carrier,
            open_telemetry=False,  # spans could carry content to whoever collects them
        )
        return client, (anthropic.AnthropicError, network.HTTPError)

    async def _list(self, client: anthropic.AsyncAnthropic) -> tuple[ModelDescription, ...]:
        listing = await client.models.with_raw_response.list()
        return anthropic_models(json.loads(await listing.read()), self.name)

    async def _create(
        self,
        client: anthropic.AsyncAnthropic,
        model: str,
        request: ModelRequest,
        options: dict[str, Any],
    ) -> Any:  # noqa: ANN401 - the clients' raw responses share no type
        messages = [
            {"role": message.role, "content": sendable(message.content)}
            for message in request.messages
            if message.role != "system"
        ]
        return await client.messages.with_raw_response.create(
            model=model,
            max_tokens=request.max_tokens or 1,  # nothing at all cannot be asked for
            messages=cast("Any", messages),
            stream=True,
            extra_body=options,
        )

    def _options(self, request: ModelRequest, model: str) -> dict[str, Any]:
        """Return the body of a request but for model, length and messages."""
        del model  # every model is asked alike
        options: dict[str, Any] = {"temperature": request.temperature}
        system = "\n\n".join(m.content for m in request.messages if m.role == "system")
        if system:
            block = {"type": "text", "text": sendable(system), "cache_control": _CACHE}
            options["system"] = [self._left_out.apply(block)]
        if request.stop:
            options["stop_sequences"] = request.stop
        if request.json_schema is not None:
            schema = {"type": "json_schema", "schema": request.json_schema}
            options["output_config"] = {"format": schema}
        return self._left_out.apply(options)

    def _adapts(
        self, options: dict[str, Any], refusal: RequestRejectedError, model: str, *, known: int
    ) -> bool:
        del model
        blocks = [name for block in options.get("system", ()) for name in block]
        return self._left_out.learn(refusal, (*options, *blocks), known=known)


class _Draft:
    """A reply that is being streamed (Anthropic, "Streaming Messages")."""

    def __init__(self, backend: BackendDescription, request: ModelRequest) -> None:
        self._backend = backend
        self._request = request
        self._stops = StopWords(request.stop)
        self._pieces: list[str] = []
        self._model: str | None = None
        self._stop: str | None = None
        self._usage: dict[str, Any] = {}
        self.done = self.cut = False

    def text(self) -> str:
        """Return what has come so far."""
        return "".join(self._pieces)

    def add(self, event: Event) -> str:
        """Take an event in and return its text. Raises ValueError if it is not JSON."""
        told = told_by(event, self._backend, model=self._request.model)
        match told.get("type"):
            case "message_start":
                self._take_head(fields(told.get("message")))
            case "message":  # of a server that ignores `stream`
                self._take_head(told)
                self._stop = text(told.get("stop_reason"))
                self.done = True
                said = (block.get("text") for block in entries(told.get("content")))
                return self._say("".join(piece for piece in said if isinstance(piece, str)))
            case "content_block_delta":
                token = fields(told.get("delta")).get("text")
                return self._say(token) if isinstance(token, str) else ""
            case "message_delta":
                self._stop = text(fields(told.get("delta")).get("stop_reason")) or self._stop
                self._usage.update(fields(told.get("usage")))
            case "message_stop":
                self.done = True
            case _:
                # Pings, and the beginnings and ends of blocks; OpenAI's last word, from gateways.
                self.done = self.done or (event.is_end and self._model is not None)
        return ""

    def rest(self) -> str:
        """Return the text that was held back, now that no more events come."""
        held = self._stops.finish()
        self._pieces.append(held)
        return held

    def _take_head(self, message: dict[str, Any]) -> None:
        self._model = text(message.get("model"))
        self._usage.update(fields(message.get("usage")))

    def _say(self, token: str) -> str:
        # At least one token has to be asked for, even if none is wanted.
        token = self._stops.feed(token) if self._request.max_tokens else ""
        self._pieces.append(token)
        if self._stops.met:
            self.done = self.cut = True
            self._stop = "stop_sequence"
        return token

    def reply(self) -> ModelReply:
        """Return the whole reply. Raises ReplyCutOffError or BadReplyError if it has no end."""
        if not self.done:
            if self._model is None and not self.text():
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
