"""What a backend is called in messages, and each way in which it fails, said once.

Which of them a failure is, `failures.py` finds out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from coai_routing.errors import (
    AuthenticationError,
    BadReplyError,
    ModelNotFoundError,
    NoCreditError,
    OutOfMemoryError,
    PromptTooLongError,
    ProviderBusyError,
    ProviderError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    ReplyCutOffError,
    RequestRejectedError,
)
from coai_routing.settings.types import VENDOR_NAMES

_EMBEDDED: Final = "embedded"
_BUILT_IN: Final = frozenset({"ollama", "lmstudio", "llama_server", "vllm"})
_CLOUD: Final = frozenset({"anthropic", "openai"})


@dataclass(frozen=True, slots=True)
class BackendDescription:
    """A backend as messages speak of it, and the remedies that are its own."""

    name: str
    base_url: str
    start: str
    """How to start it."""
    fetch: str = "`coai doctor` lists the models that it has."
    """How to get a model; `{model}` stands for its name."""
    more_context: str = "Give the server a longer context window."
    less_memory: str = "Choose a smaller model or a shorter context, or close other programs."

    def setting(self, key: str) -> str:
        """Return the name of a setting of this backend; `key` as for a well-known one."""
        if self.name in _BUILT_IN:
            return f"endpoints.{self.name}.{key}"
        if self.name in VENDOR_NAMES:
            return f"cloud.vendors.{self.name}.{key}"
        if self.name in _CLOUD:
            return f"cloud.{self.name}.{key}"
        return f"endpoints.custom.{self.name}.{'api_key_env' if key == 'api_key' else key}"

    @property
    def is_vendor(self) -> bool:
        """Whether it is a vendor's own API, which has many models that come and go."""
        return self.name in _CLOUD or self.name in VENDOR_NAMES

    @property
    def place(self) -> str:
        """The address without anything secret."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def _address(self) -> str:
        """The address and, where the user can change it, how."""
        if self.name == _EMBEDDED:
            return self.place
        return f"{self.place} (`{self.setting('url')}`)"

    def unreachable(self) -> ProviderError:
        """Return the error for an address at which nothing listens."""
        return ProviderUnavailableError(
            f"Nothing answers at {self.place}.",
            provider=self.name,
            remedy=f"{self.start} Or correct its address: {self._address}.",
        )

    def not_found(self) -> ProviderError:
        """Return the error for a host name that cannot be resolved."""
        return ProviderUnavailableError(
            f"The host of {self.place} cannot be found.",
            provider=self.name,
            remedy=f"Check {self._address}, the network and, if you use one, the VPN.",
        )

    def insecure(self, message: str) -> ProviderError:
        """Return the error for a secure connection that cannot be made."""
        return ProviderUnavailableError(
            f"No secure connection to {self.place}: {message}",
            provider=self.name,
            remedy=(
                f"If the server speaks plain HTTP, write `http://` in {self._address}; else its "
                "certificate must be one that this machine accepts."
            ),
        )

    def closed(self) -> ProviderError:
        """Return the error for a connection that was closed without an answer."""
        return ProviderUnavailableError(
            f"{self.name} closed the connection without an answer.",
            provider=self.name,
            remedy=f"It may have crashed: see its log. {self.start}",
        )

    def cut_off(self, partial: str) -> ProviderError:
        """Return the error for a reply that ended in the middle."""
        return ReplyCutOffError(
            f"The reply of {self.name} ended in the middle.",
            provider=self.name,
            remedy=f"It may have crashed: see its log. {self.start}",
            partial=partial,
        )

    def gateway_alone(self, message: str) -> ProviderError:
        """Return the error for a gateway behind which nothing answers."""
        return ProviderUnavailableError(
            f"Nothing answers behind {self.place}: {message}",
            provider=self.name,
            remedy=self.start,
        )

    def timed_out(self, seconds: float) -> ProviderError:
        """Return the error for a deadline that passed, before the reply or in it."""
        return ProviderTimeoutError(
            f"{self.name} did not finish within {seconds:g} s.",
            provider=self.name,
            remedy=(
                "`coai doctor` measures its speed. Choose a smaller model, lower "
                "`completion.max_tokens`, or raise `completion.timeout_ms`."
            ),
        )

    def gave_up(self, message: str) -> ProviderError:
        """Return the error for a server that says itself that it took too long."""
        return ProviderTimeoutError(
            f"{self.name} gave up waiting: {message}",
            provider=self.name,
            remedy="Try again, or choose a smaller model.",
        )

    def busy(self, message: str, retry_after: float | None) -> ProviderError:
        """Return the error for a backend that is loading, overloaded, or limits the rate."""
        when = "in a moment" if retry_after is None else f"in {retry_after:g} s"
        return ProviderBusyError(
            f"{self.name} is busy or still loading: {message}",
            provider=self.name,
            remedy=f"Try again {when}.",
            retry_after=retry_after,
        )

    def unauthorized(self, message: str) -> ProviderError:
        """Return the error for a key that is wrong or missing."""
        remedy = f"Set the key that it wants in `{self.setting('api_key')}`."
        if self.name == _EMBEDDED:
            remedy = "Another engine took its place: try again."
        return AuthenticationError(
            f"{self.name} does not accept the key: {message}", provider=self.name, remedy=remedy
        )

    def model_missing(self, model: str | None, message: str = "") -> ProviderError:
        """Return the error for a model that is not there; `model` is None for any at all."""
        what = f"{self.name} has no model {model!r}." if model else f"{self.name} has no model."
        return ModelNotFoundError(
            f"{what} It says: {message}" if message else what,
            provider=self.name,
            remedy=self.fetch.replace("{model}", model or "MODEL"),
        )

    def out_of_memory(self, message: str) -> ProviderError:
        """Return the error for too little memory."""
        return OutOfMemoryError(
            f"{self.name} has too little memory: {message}",
            provider=self.name,
            remedy=self.less_memory,
        )

    def too_long(
        self, message: str, *, tokens: int | None = None, window: int | None = None
    ) -> ProviderError:
        """Return the error for a request that exceeds the model's context, in tokens."""
        return PromptTooLongError(
            f"The request is too long for {self.name}: {message}",
            provider=self.name,
            remedy=self.more_context,
            tokens=tokens,
            window=window,
        )

    def unpaid(self, message: str) -> ProviderError:
        """Return the error for an account without credit."""
        return NoCreditError(
            f"{self.name} wants to be paid first: {message}",
            provider=self.name,
            remedy="Add credit to your account there, or use another model.",
        )

    def rejected(
        self,
        message: str,
        remedy: str = "`coai doctor` says what this server can do.",
        *,
        parameters: frozenset[str] = frozenset(),
    ) -> ProviderError:
        """Return the error for a request that the backend understands and refuses."""
        return RequestRejectedError(
            f"{self.name} refused the request: {message}",
            provider=self.name,
            remedy=remedy,
            parameters=parameters,
        )

    def somebody_else(self, who: str, kind: str) -> ProviderError:
        """Return the error for another kind of server than the one that was meant."""
        return BadReplyError(
            f"{who} answers at {self.place}, not {self.name}.",
            provider=self.name,
            remedy=(
                f"To use it, add it as `endpoints.custom.NAME` with kind `{kind}`; if "
                f"{self.name} is somewhere else, correct {self._address}."
            ),
        )

    def malformed(self, what: str) -> ProviderError:
        """Return the error for a reply that is not the protocol; `what` says why."""
        return BadReplyError(
            f"The reply of {self.name} makes no sense: {what}.",
            provider=self.name,
            remedy=(
                f"Check that {self._address} is the server that you mean, and that it is up to "
                "date; `coai doctor` says what answers there."
            ),
        )

    def web_page(self) -> ProviderError:
        """Return the error for a web page where the backend should be."""
        return BadReplyError(
            f"A web page answers at {self.place}, not {self.name}.",
            provider=self.name,
            remedy=(
                "If this network wants a login, open a browser and log in. Else check "
                f"{self._address}: another program may use that port."
            ),
        )

    def redirect(self, host: str) -> ProviderError:
        """Return the error for a redirect, which is never followed."""
        return BadReplyError(
            f"{self.place} redirects to {host or 'another address'}, and redirects are not "
            "followed: what may be sent there is decided by the address.",
            provider=self.name,
            remedy=f"Give the final address instead of {self._address} if you trust it.",
        )

    def failed(self, message: str) -> ProviderError:
        """Return the error for a failure that fits nothing else."""
        return ProviderError(
            f"{self.name} failed: {message}",
            provider=self.name,
            remedy=f"See its log. {self.start}",
        )


def describe_llama_server(name: str, base_url: str) -> BackendDescription:
    """Describe a llama.cpp server."""
    if name == _EMBEDDED:
        return BackendDescription(
            name,
            base_url,
            start="COAI starts it by itself: `coai doctor` says what keeps it from running.",
            fetch="Fetch the weights with `coai models pull`.",
            more_context="Raise `engine.context_tokens`.",
            less_memory="Lower `engine.context_tokens` or `engine.slots`, or set a smaller "
            "`engine.model`.",
        )
    return BackendDescription(
        name,
        base_url,
        start="Start it with `llama-server -m MODEL.gguf`.",
        fetch="Start it with the model's file: `llama-server -m MODEL.gguf`.",
        more_context="Start it with a larger `--ctx-size`, or fewer slots (`--parallel`).",
        less_memory="Start it with a smaller `--ctx-size` or `--n-gpu-layers`, or a smaller model.",
    )


def describe_ollama(name: str, base_url: str) -> BackendDescription:
    """Describe an Ollama server."""
    return BackendDescription(
        name,
        base_url,
        start="Start it with `ollama serve`, or the Ollama application.",
        fetch="Fetch it with `ollama pull {model}`; `ollama list` shows what is there.",
        more_context="Start Ollama with a larger `OLLAMA_CONTEXT_LENGTH`.",
        less_memory="Choose a smaller model, unload others with `ollama stop`, or start Ollama "
        "with a smaller `OLLAMA_CONTEXT_LENGTH`.",
    )


def describe_openai_compatible(name: str, base_url: str) -> BackendDescription:
    """Describe a server that speaks OpenAI's API; `/v1` is added to an address without a path."""
    if not urlsplit(base_url).path.strip("/"):
        base_url = f"{base_url.rstrip('/')}/v1"
    if name == "lmstudio":
        return BackendDescription(
            name,
            base_url,
            start="Start its server with `lms server start`, or in LM Studio's Developer tab.",
            fetch="Get it with `lms get {model}` and load it with `lms load {model}`.",
            more_context="Load the model with a longer context: `lms load --context-length N`.",
        )
    if name == "vllm":
        return BackendDescription(
            name,
            base_url,
            start="Start it with `vllm serve MODEL`.",
            fetch="Start it with the model: `vllm serve {model}`.",
            more_context="Start it with a larger `--max-model-len`.",
            less_memory="Start it with a smaller `--max-model-len` or model.",
        )
    if name == "openai" or name in VENDOR_NAMES:
        status = "Its status is at status.openai.com." if name == "openai" else "Try again later."
        return BackendDescription(
            name,
            base_url,
            start=status,
            fetch="`coai route models` lists the models; `models.toml` can name others.",
            more_context="Ask about less code.",
            less_memory="Try again in a moment.",
        )
    return BackendDescription(name, base_url, start="Start the server.")


def describe_anthropic(name: str, base_url: str) -> BackendDescription:
    """Describe a server that speaks Anthropic's API; the client itself adds `/v1`."""
    base_url = base_url.rstrip("/").removesuffix("/v1")
    if name != "anthropic":
        return BackendDescription(name, base_url, start="Start the server.")
    return BackendDescription(
        name,
        base_url,
        start="Its status is at status.anthropic.com.",
        fetch="`coai route models` lists the models; `models.toml` can name others.",
        more_context="Ask about less code.",
        less_memory="Try again in a moment.",
    )
