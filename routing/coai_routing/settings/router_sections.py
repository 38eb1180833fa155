"""The settings of the router: which models may be asked, what they may cost, what is kept."""

from __future__ import annotations

import os
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel

from coai_routing.settings.markers import SWITCH_OFF, Expected, NamesPlace, Unit
from coai_routing.settings.types import HttpAddress, ModelName, VariableName, VendorName


def _regular_expression(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    return pattern


RegularExpression = Annotated[
    str, Field(min_length=1, max_length=500), AfterValidator(_regular_expression)
]


class Section(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


_AMOUNT = Expected("an amount from 0 to 1000000")


class RoutingSettings(Section):
    """The router: which model answers what is more than a completion."""

    allow_cloud: Annotated[bool, SWITCH_OFF] = Field(
        default=False,
        description=(
            "Whether requests that hold nothing sensitive may go to cloud models, where a key is "
            "set."
        ),
    )
    objective: Literal["auto", "latency", "quality", "cost", "balanced"] = Field(
        default="auto",
        description=(
            "What to prefer among models that may see a request: `auto` leaves it to the "
            "capability."
        ),
    )
    max_concurrent: Annotated[int, Unit("requests")] = Field(
        default=10, ge=1, le=1000, description="How many requests are under way at a time."
    )
    hedge: bool = Field(
        default=False,
        description=(
            "Whether a second model is asked too when the first one is later than it nearly always "
            "is. It costs a second call."
        ),
    )
    redact: bool = Field(
        default=False,
        description=(
            "Whether secrets are replaced in a request so that it may go to a cloud model after "
            "all. Off, such a request stays on this machine."
        ),
    )
    learning: bool = Field(
        default=True,
        description=(
            "Whether what you accept and reject decides among models that are equally suited."
        ),
    )


class CacheSettings(Section):
    """Answers that are kept, so that the same question is not paid for twice."""

    enabled: bool = Field(default=True, description="Whether answers are kept at all.")
    entries: Annotated[int, Unit("answers")] = Field(
        default=1000, ge=1, le=1_000_000, description="How many answers are kept in memory."
    )
    minutes: Annotated[int, Unit("minutes")] = Field(
        default=60, ge=1, le=525_600, description="How long an answer stays in memory."
    )
    disk_megabytes: Annotated[int, Unit("megabytes")] = Field(
        default=10_000,
        ge=0,
        le=1_000_000,
        description="How much room answers may take on disk; 0 keeps none there.",
    )
    keep_sensitive: bool = Field(
        default=False,
        description="Whether answers to sensitive requests are kept on disk too.",
    )


class BudgetSettings(Section):
    """What cloud models may cost. Local models cost nothing and are never held back."""

    daily_usd: Annotated[float | None, Unit("US dollars"), _AMOUNT] = Field(
        default=None, ge=0.0, le=1_000_000.0, description="At most so much a day, in UTC."
    )
    monthly_usd: Annotated[float | None, Unit("US dollars"), _AMOUNT] = Field(
        default=None, ge=0.0, le=1_000_000.0, description="At most so much a month, in UTC."
    )


class TelemetrySettings(Section):
    """Spans of the router's model calls, for an OpenTelemetry collector: never code or prompts."""

    enabled: Annotated[bool, SWITCH_OFF] = Field(
        default=False,
        description=(
            "Whether a span of each model call is sent to `telemetry.url`: model, tokens, cost, "
            "times and outcome. It needs `pip install coai[telemetry]`."
        ),
    )
    url: HttpAddress = Field(
        default="http://127.0.0.1:4318/v1/traces",
        description="Where a collector takes traces by OTLP over HTTP.",
    )


class HttpSettings(Section):
    """The door over HTTP, `coai http`."""

    oauth_issuer: HttpAddress | None = Field(
        default=None,
        description=(
            "Whose OAuth 2.1 access tokens count at `coai http`, besides its own keys; none unless "
            "set. The scopes `coai:viewer`, `coai:runner` and `coai:admin` are the roles."
        ),
    )
    oauth_audience: str = Field(
        default="",
        max_length=500,
        description="The audience that such a token has to be for: how the issuer names COAI.",
    )


class ModelLimit(Section):
    """How much one model is asked, in all of the cluster together."""

    at_once: Annotated[int | None, Unit("steps")] = Field(
        default=None, ge=1, le=10_000, description="Steps that may ask it at a time."
    )
    per_minute: Annotated[int | None, Unit("steps")] = Field(
        default=None, ge=1, le=1_000_000, description="Steps that may begin to ask it in a minute."
    )


class ClusterSettings(Section):
    """Runs that several machines of yours carry out together. It needs `coai[cluster]`."""

    url: Annotated[SecretStr | None, NamesPlace()] = Field(
        default=None,
        description=(
            "The PostgreSQL where runs are kept, as `postgresql://USER:PASSWORD@HOST:PORT/NAME`. "
            "Not set, they are kept on this machine."
        ),
    )
    cache_url: Annotated[SecretStr | None, NamesPlace()] = Field(
        default=None,
        description=(
            "The Redis over which machines share answers that are not sensitive, as "
            "`rediss://USER:PASSWORD@HOST:PORT/0`."
        ),
    )
    limits: dict[ModelName, ModelLimit] = Field(
        default={},
        description=(
            "What one model may be asked, by the alias that a profile names, or else by the name "
            "of the profile."
        ),
    )


class WebSettings(Section):
    """The web for the tools of workflows: off unless you switch it on."""

    enabled: Annotated[bool, SWITCH_OFF] = Field(
        default=False,
        description=(
            "Whether tools of workflows may search the web and fetch pages. What they ask leaves "
            "this machine, by the same rules as all that does; nothing sensitive goes."
        ),
    )
    provider: Literal["brave", "tavily", "searxng"] = Field(
        default="searxng", description="Who searches: a vendor, or a SearXNG of your own."
    )
    url: HttpAddress | None = Field(
        default=None,
        description="Where the provider's search is; not set, the vendor's own address.",
    )
    api_key_env: VariableName | None = Field(
        default=None, description="The environment variable that holds the provider's key."
    )

    def key(self) -> str | None:
        """Return the key that the environment holds now."""
        return (os.environ.get(self.api_key_env) or None) if self.api_key_env else None


class CloudEndpoint(Section):
    """A vendor's API."""

    enabled: bool = Field(default=True, description="Whether it may be used where a key is set.")
    url: HttpAddress
    api_key: SecretStr | None = Field(
        default=None,
        description="The key; not set, what `coai auth login` keeps, or the vendor's own variable.",
    )


class AnthropicEndpoint(CloudEndpoint):
    """Anthropic's API. Its variable is ANTHROPIC_API_KEY."""

    url: HttpAddress = Field(
        default="https://api.anthropic.com", description="The address of its API, without `/v1`."
    )


class OpenAIEndpoint(CloudEndpoint):
    """OpenAI's API. Its variable is OPENAI_API_KEY."""

    url: HttpAddress = Field(
        default="https://api.openai.com/v1", description="The address of its API, with `/v1`."
    )


class VendorEndpoint(Section):
    """The API of another vendor that COAI knows."""

    enabled: bool = Field(default=True, description="Whether it may be used where a key is set.")
    url: HttpAddress | None = Field(
        default=None,
        description=(
            "The address of its API, where it is another than the vendor's own; `azure` has none "
            "of its own: `https://NAME.openai.azure.com/openai/v1`."
        ),
    )
    api_key: SecretStr | None = Field(
        default=None,
        description="The key; not set, what `coai auth login` keeps, or the vendor's own variable.",
    )


class CloudSettings(Section):
    """Vendors of cloud models, used only if `routing.allow_cloud` is on."""

    anthropic: AnthropicEndpoint = AnthropicEndpoint()
    openai: OpenAIEndpoint = OpenAIEndpoint()
    vendors: dict[VendorName, VendorEndpoint] = Field(
        default={},
        description=(
            "The other vendors that COAI knows: gemini, mistral, deepseek, openrouter, azure."
        ),
    )

    def by_name(self) -> dict[str, CloudEndpoint]:
        """Return every vendor with an address under the name that the registry of models uses."""
        from coai_routing.registry.vendors import builtin_vendors  # noqa: PLC0415 - not at the start

        found: dict[str, CloudEndpoint] = {"anthropic": self.anthropic, "openai": self.openai}
        for name, vendor in builtin_vendors().items():
            known: VendorEndpoint = self.vendors.get(name, VendorEndpoint())
            if name not in found and (url := known.url or vendor.url) is not None:
                found[name] = CloudEndpoint(enabled=known.enabled, url=url, api_key=known.api_key)
        return found


PATTERNS_EXPECTED = Expected('a list of regular expressions such as ["ACME-[0-9]{6}"]')
