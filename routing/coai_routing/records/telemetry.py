"""Spans of model calls by OpenTelemetry, for whoever runs a collector. Off unless it is wanted.

A span is made of what the books get of a call and of nothing else, so no code, prompt, answer or
path can be in one. The names are those of OpenTelemetry's semantic conventions for generative AI
("Gen AI Spans"); they still change, and stand here alone.
"""

from __future__ import annotations

import time
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from coai_routing.errors import CoaiError
from coai_routing.router.calls import ANSWERED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_routing.router.calls import Call

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
CACHED_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
ERROR: Final = "error.type"
CAPABILITY: Final = "coai.capability"
COST: Final = "coai.cost_usd"
FIRST_MS: Final = "coai.time_to_first_token_ms"
LOCAL: Final = "coai.local"

CHAT: Final = "chat"

_SECONDS: Final = 5.0
"""How long a collector may take; then spans are dropped, and nobody waits for them."""


class TelemetryError(CoaiError):
    """Spans are wanted, and what sends them is not installed."""


def attributes(call: Call) -> Mapping[str, str | int | float | bool]:
    """Return what a span says of a call."""
    told: dict[str, str | int | float | bool] = {
        OPERATION: CHAT,
        PROVIDER: call.endpoint,
        REQUEST_MODEL: call.alias,
        RESPONSE_MODEL: call.model,
        INPUT_TOKENS: call.prompt_tokens,
        CACHED_TOKENS: call.cached_tokens,
        OUTPUT_TOKENS: call.output_tokens,
        CAPABILITY: call.capability,
        COST: call.cost_usd,
        LOCAL: call.local,
    }
    if call.first_ms is not None:
        told[FIRST_MS] = call.first_ms
    if call.outcome not in ANSWERED:
        told[ERROR] = call.outcome
    return told


class Telemetry:
    """Sends a span for each call, from a thread of the SDK's own."""

    def __init__(self, url: str, *, version: str) -> None:
        """Begin to send to a collector; imports the SDK. Raises TelemetryError without it."""
        try:
            sdk: Any = import_module("opentelemetry.sdk.trace")
            export: Any = import_module("opentelemetry.sdk.trace.export")
            resources: Any = import_module("opentelemetry.sdk.resources")
            status: Any = import_module("opentelemetry.trace")
            otlp: Any = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
        except ImportError as error:
            raise TelemetryError(
                f"Spans cannot be sent: {error}.",
                remedy="Install `coai[telemetry]`, or switch `telemetry.enabled` off.",
            ) from error
        # Not the detectors' resource: it would name the host, the user's commands and paths.
        resource = resources.Resource({"service.name": "coai", "service.version": version})
        # Not the global provider: an SDK of a vendor's must not find it and add spans of its own.
        self._provider: Any = sdk.TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = otlp.OTLPSpanExporter(endpoint=url, timeout=_SECONDS)
        self._provider.add_span_processor(export.BatchSpanProcessor(exporter))
        self._tracer: Any = self._provider.get_tracer("coai")
        self._failed: Any = status.Status(status.StatusCode.ERROR)

    def note(self, call: Call) -> None:
        """Queue the span of a call that has just ended."""
        end = time.time_ns()
        span = self._tracer.start_span(
            f"{CHAT} {call.alias}",
            context=import_module("opentelemetry.context").Context(),
            start_time=end - int(call.total_ms * 1e6),
            attributes=attributes(call),
        )
        if call.outcome not in ANSWERED:
            span.set_status(self._failed)
        span.end(end_time=end)

    def close(self) -> None:
        """Send what is queued, within some seconds; it blocks, so use a thread."""
        self._provider.shutdown()
