"""Spans of model calls by OpenTelemetry, for whoever runs a collector. Off unless it is wanted.

A span is made of what the books get of a call and of nothing else, so no code, prompt, answer or
path can be in one. `span_names` has what they are called. A call that is made for a step of a run
is within that step's span, wherever it is made: both follow from the run's name (`SpanPlace`).
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass
from hashlib import blake2b
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from coai_routing.errors import CoaiError
from coai_routing.records.span_names import (
    CACHED_TOKENS,
    CAPABILITY,
    CHAT,
    CONVENTIONS,
    CONVERSATION,
    COST,
    ERROR,
    FIRST_MS,
    INPUT_TOKENS,
    LOCAL,
    OPERATION,
    OUTPUT_TOKENS,
    PROVIDER,
    REQUEST_MODEL,
    RESPONSE_MODEL,
)
from coai_routing.router.calls import ANSWERED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_routing.router.calls import Call

_SECONDS: Final = 5.0
"""How long a collector may take; then spans are dropped, and nobody waits for them."""


@dataclass(frozen=True, slots=True)
class SpanPlace:
    """Where a span is: in the trace of a run, under a key of its own.

    Both numbers follow from the names, so that processes that never meet (before and after a kill,
    on two machines) make one trace of one run.
    """

    run: str
    key: str

    @property
    def trace(self) -> int:
        """The number of the trace, of 16 bytes and not 0."""
        return _number(self.run, 16)

    @property
    def span(self) -> int:
        """The number of the span, of 8 bytes and not 0."""
        return _number(f"{self.run}/{self.key}", 8)


within: ContextVar[SpanPlace | None] = ContextVar("within", default=None)
"""The step that calls of models are made for at the moment."""


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
        self._processor: Any = export.BatchSpanProcessor(exporter)
        self._provider.add_span_processor(self._processor)
        self._tracer: Any = self._provider.get_tracer("coai", schema_url=CONVENTIONS)
        self._scope: Any = import_module(
            "opentelemetry.sdk.util.instrumentation"
        ).InstrumentationScope("coai", version, CONVENTIONS)
        self._sdk, self._resource, self._api = sdk, resource, status
        self._failed: Any = status.Status(status.StatusCode.ERROR)

    def note(self, call: Call) -> None:
        """Queue the span of a call that has just ended."""
        end = time.time_ns()
        place = within.get()
        told = dict(attributes(call))
        if place is not None:
            told[CONVERSATION] = place.run
        span = self._tracer.start_span(
            f"{CHAT} {call.alias}",
            context=self._inside(place),
            start_time=end - int(call.total_ms * 1e6),
            attributes=told,
            kind=self._api.SpanKind.INTERNAL if call.local else self._api.SpanKind.CLIENT,
        )
        if call.outcome not in ANSWERED:
            span.set_status(self._failed)
        span.end(end_time=end)

    def span(
        self,
        name: str,
        place: SpanPlace,
        told: Mapping[str, str | int | float | bool],
        *,
        seconds: float,
        parent: SpanPlace | None = None,
    ) -> None:
        """Queue a span that has just ended; it failed if it has an `error.type`."""
        end = time.time_ns()
        span = self._sdk.ReadableSpan(
            name,
            context=self._context(place),
            parent=None if parent is None else self._context(parent),
            resource=self._resource,
            attributes=dict(told),
            kind=self._api.SpanKind.INTERNAL,
            status=self._failed if ERROR in told else self._api.Status(),
            start_time=end - int(seconds * 1e9),
            end_time=end,
            instrumentation_scope=self._scope,
        )
        self._processor.on_end(span)

    def _inside(self, place: SpanPlace | None) -> Any:  # noqa: ANN401 - a value of the SDK
        """Return the context of what is within a span; an empty one for what is in none."""
        empty = import_module("opentelemetry.context").Context()
        if place is None:
            return empty
        return self._api.set_span_in_context(
            self._api.NonRecordingSpan(self._context(place)), empty
        )

    def _context(self, place: SpanPlace) -> Any:  # noqa: ANN401 - as above
        return self._api.SpanContext(
            place.trace,
            place.span,
            is_remote=False,
            trace_flags=self._api.TraceFlags(self._api.TraceFlags.SAMPLED),
        )

    def close(self) -> None:
        """Send what is queued, within some seconds; it blocks, so use a thread."""
        self._provider.shutdown()


def _number(name: str, size: int) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=size).digest()) or 1
