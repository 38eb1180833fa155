"""What providers that use a vendor's official client have in common.

The client carries requests and keys; the stream is read here, because servers differ in how they
end, fail and count, and every difference must come out as the same reply or error.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar, cast

from coai_routing.errors import ModelNotFoundError, ProviderError, RequestRejectedError
from coai_routing.privacy.egress import Egress
from coai_routing.providers.replies import failures
from coai_routing.providers.replies.refusals import LeftOut
from coai_routing.providers.replies.sse import ReplyDecoder
from coai_routing.providers.replies.streams import collect, require_messages
from coai_routing.providers.sdk import before
from coai_routing.registry.generations import newest
from coai_routing.request import Delta, Health

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_routing.providers.description import BackendDescription
    from coai_routing.providers.replies.sse import Event
    from coai_routing.request import ModelDescription, ModelReply, ModelRequest

_LISTING_TIMEOUT: Final = 5.0
_ENDING: Final = 0.25  # seconds for the connection to become free after the last word


class SdkClient(Protocol):
    """What the official clients have in common."""

    async def close(self) -> None:
        """Close pooled connections."""
        ...


class Draft(Protocol):
    """A reply that is being streamed."""

    done: bool
    cut: bool
    """Whether it is done although the server goes on."""

    def text(self) -> str:
        """Return what has come so far."""
        ...

    def add(self, event: Event) -> str:
        """Take an event in and return its text. Raises ValueError if it is not JSON."""
        ...

    def rest(self) -> str:
        """Return the text that was held back, now that no more events come."""
        ...

    def reply(self) -> ModelReply:
        """Return the whole reply. Raises ReplyCutOffError or BadReplyError if it has no end."""
        ...


ClientT = TypeVar("ClientT", bound=SdkClient)


class SdkProvider(ABC, Generic[ClientT]):
    """A model server, through its vendor's client."""

    def __init__(
        self,
        backend: BackendDescription,
        *,
        api_key: str | None,
        egress: Egress | None,
        model: str | None,
    ) -> None:
        """Connect to nothing yet. `model` is for requests that name none."""
        self._backend = backend
        self._egress = egress or Egress()
        self._api_key = api_key
        self._model = model
        self._default_model: str | None = None
        self._left_out = LeftOut()
        self._opening = asyncio.Lock()
        self._client: ClientT | None = None
        self._sdk_errors: tuple[type[Exception], ...] = ()

    @property
    def name(self) -> str:
        """The backend as the user knows it."""
        return self._backend.name

    @property
    def base_url(self) -> str:
        """Where it is reached."""
        return self._backend.base_url

    async def chat(self, request: ModelRequest) -> ModelReply:
        """Answer messages."""
        require_messages(self._backend, request)
        return await collect(self._backend, self.stream(request))

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta]:
        """Yield the answer as it comes, the whole reply at the end."""
        self._require(request)
        deadline = asyncio.get_running_loop().time() + request.timeout
        draft = self._draft(request)
        decoder = ReplyDecoder()
        response: Any = None
        received: AsyncGenerator[bytes] | None = None
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._begin(request)
            received = cast("AsyncGenerator[bytes]", response.aiter_bytes())
            ended = False
            while not (draft.done or ended):
                piece = await before(deadline, received)
                ended = piece is None
                for event in decoder.finish() if piece is None else decoder.feed(piece):
                    if token := draft.add(event):
                        yield Delta(text=token)
            if token := draft.rest():
                yield Delta(text=token)
            draft.done = draft.done or (decoder.was_one_value and bool(draft.text()))
            reply = draft.reply()
            if not draft.cut:
                await self._let_end(received)
            yield Delta(reply=reply)
        except (OSError, ValueError, *self._sdk_errors) as error:
            raise failures.from_exception(
                self._backend, error, seconds=request.timeout, partial=draft.text()
            ) from error
        except ModelNotFoundError as error:
            self._default_model = None
            raise await self._with_successor(error, request.model) from error
        finally:
            if received is not None:
                await received.aclose()
            if response is not None:
                await response.aclose()

    async def _with_successor(
        self, error: ModelNotFoundError, model: str | None
    ) -> ModelNotFoundError:
        """Return the error with what took the model's place, where a vendor's list tells."""
        if model is None or not self._backend.is_vendor:
            return error
        try:
            offered = [each.name for each in await self.models()]
        except ProviderError:
            return error
        after = newest(model, offered)
        if after is None or model in offered:
            return error
        return ModelNotFoundError(
            f"{error.message} {after} took its place.",
            provider=self.name,
            remedy=f"Name {after} for it in `models.toml`.",
        )

    async def models(self) -> tuple[ModelDescription, ...]:
        """List what the server offers."""
        self._egress.check(None, self.base_url, provider=self.name)
        try:
            async with asyncio.timeout(_LISTING_TIMEOUT):
                return await self._list(await self._open())
        except (OSError, ValueError, *self._sdk_errors) as error:
            raise failures.from_exception(self._backend, error, seconds=_LISTING_TIMEOUT) from error

    async def count_tokens(self, text: str) -> int | None:
        """Return nothing: the API has no tokenizer."""
        del text

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

    # ------------------------------------------------- what each vendor has of its own

    @abstractmethod
    def _require(self, request: ModelRequest) -> None:
        """Raise RequestRejectedError for what the API cannot be asked."""

    @abstractmethod
    def _draft(self, request: ModelRequest) -> Draft:
        """Return what takes the answer to a request in."""

    @abstractmethod
    def _build(self) -> tuple[ClientT, tuple[type[Exception], ...]]:
        """Import the client, which takes a second; return one and the errors that it raises."""

    @abstractmethod
    async def _list(self, client: ClientT) -> tuple[ModelDescription, ...]:
        """Ask what the server offers; a client's errors need no care here."""

    @abstractmethod
    def _options(self, request: ModelRequest, model: str) -> dict[str, Any]:
        """Return the body of a request but for what `_create` adds."""

    @abstractmethod
    def _adapts(
        self, options: dict[str, Any], refusal: RequestRejectedError, model: str, *, known: int
    ) -> bool:
        """Say whether to ask again without what the server has just refused to know."""

    @abstractmethod
    async def _create(
        self, client: ClientT, model: str, request: ModelRequest, options: dict[str, Any]
    ) -> Any:  # noqa: ANN401 - the clients' raw responses share no type
        """Send a request and return the client's raw response, of which only the head has come."""

    def _preferred(self, models: tuple[ModelDescription, ...]) -> ModelDescription | None:
        """Return the model to ask where nobody names one."""
        return next(iter(models), None)

    # ------------------------------------------------------------------------- asking

    async def _open(self) -> ClientT:
        if self._client is None:
            async with self._opening:
                if self._client is None:
                    self._client, self._sdk_errors = await asyncio.to_thread(self._build)
        return self._client

    async def _begin(self, request: ModelRequest) -> Any:  # noqa: ANN401 - httpx's or httpx2's
        """Send a request and return the response, of which only the head has come."""
        self._egress.check(request, self.base_url, provider=self.name)
        client = await self._open()
        model = request.model or self._model or self._default_model
        if model is None:
            model = self._default_model = await self._choose_model()
        while True:
            options, known = self._options(request, model), self._left_out.count
            try:
                return await self._send(client, model, request, options)
            except RequestRejectedError as error:
                if not self._adapts(options, error, model, known=known):
                    raise

    async def _send(
        self, client: ClientT, model: str, request: ModelRequest, options: dict[str, Any]
    ) -> Any:  # noqa: ANN401 - httpx's or httpx2's
        self._egress.check(request, self.base_url, provider=self.name)
        try:
            raw = await self._create(client, model, request, options)
        except (*self._sdk_errors, OSError, ValueError) as error:
            raise failures.from_exception(self._backend, error, seconds=request.timeout) from error
        return raw.http_response

    async def _choose_model(self) -> str:
        chosen = self._preferred(await self.models())
        if chosen is None:
            raise self._backend.model_missing(None)
        return chosen.name

    async def _let_end(self, received: AsyncGenerator[bytes]) -> None:
        """Read past the last word, so that the connection can be used again."""
        with suppress(TimeoutError, *self._sdk_errors):
            async with asyncio.timeout(_ENDING):
                async for _ in received:
                    pass
