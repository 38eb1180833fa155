"""What an event of a streamed reply says: something of the answer, nothing, or that it failed.

Servers agree on how to answer and on nothing else: a failure within a reply of status 200 has a
dozen forms, and so has a sign of life.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

from coai_routing.providers.replies import failures
from coai_routing.providers.replies.listings import fields

if TYPE_CHECKING:
    from coai_routing.providers.description import BackendDescription
    from coai_routing.providers.replies.sse import Event

MEDIA_TYPES: Final = (
    "text/event-stream",
    "application/json",
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/json-lines",
    "application/x-jsonlines",
    "application/stream+json",
)
"""What a streamed reply may be labelled as; which form it has, its first byte tells."""

_SIGNS_OF_LIFE: Final = frozenset({"ping", "heartbeat", "keepalive", "keep-alive", "keep_alive"})
_ANSWERS: Final = frozenset({"choices", "content", "response", "delta", "completion"})
"""A key of these is of an answer, and what stands beside it is no failure."""
_FAILURES: Final = ("error_message", "errorMessage", "errors", "detail", "error_description")


def media_type(header: str) -> str:
    """Return a content type in small letters and without its parameters (RFC 9110, 8.3.1)."""
    return header.partition(";")[0].strip().lower()


def told_by(event: Event, backend: BackendDescription, *, model: str | None) -> dict[str, Any]:
    """Return the fields of an event; none if it is a sign of life or the word for the end.

    Raises the `ProviderError` that it tells of, BadReplyError if it is no object, and ValueError if
    it is not JSON.
    """
    kind = event.kind.strip().lower()
    if event.is_end or kind in _SIGNS_OF_LIFE:
        return {}
    if "error" in kind:
        raise failures.from_error_object(backend, _value_or_words(event.data), model=model)
    value: object = json.loads(event.data)
    if isinstance(value, list) and len(cast("list[object]", value)) == 1:
        value = cast("list[object]", value)[0]  # as Google wraps its errors
    if value is not None and not isinstance(value, dict):
        raise backend.malformed("an event is no object")
    told = fields(cast("object", value))
    if _tells_of_failure(told):
        raise failures.from_error_object(backend, told, model=model)
    return told


def _tells_of_failure(told: dict[str, Any]) -> bool:
    if told.get("error"):
        return True
    if told.keys() & _ANSWERS or isinstance(told.get("message"), dict):
        return False
    if any(told.get(name) for name in _FAILURES):
        return True
    if "error" in (told.get("object"), told.get("type"), told.get("status")):
        return True
    return bool(told.get("message")) and any(told.get(name) for name in ("code", "status", "type"))


def _value_or_words(data: bytes) -> object:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")
