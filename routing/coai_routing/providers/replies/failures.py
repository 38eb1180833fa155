"""Finds out which failure it is: one mapping for all backends and all HTTP clients.

A server's own words count more than its status, because servers agree on the words: out of memory
is a 500 here and a 400 there. Rules are tried in order and the first that fits decides.
"""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from coai_routing.errors import ProviderError
from coai_routing.providers.replies.complaints import Complaint, complaint_in, complaint_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from coai_routing.providers.description import BackendDescription

_EXCERPT: Final = 300
_ANY_ERROR: Final = range(400, 1000)
_REDIRECTS: Final = range(300, 400)
_CLIENT_ERRORS: Final = range(400, 500)
_RATE_LIMITED: Final = 429
_SERVER_ERROR: Final = 500

_NO_MEMORY = (
    r"out of memory|(?:failed|unable) to allocate|alloc\w* failed|bad_alloc|cudaMalloc"
    r"|more system memory|not enough memory|insufficient (?:system )?(?:memory|resources)"
)
_TOO_LONG = (
    r"exceed_context_size|context_length_exceeded|maximum context length|exceeds? .{0,60}context"
    r"|context .{0,60}(?:exceed|overflow)|(?:prompt|inputs?|request) .{0,40}too (?:long|large)"
    r"|inputs?`? tokens.{0,40}must be <=|context length of only|too many (?:input )?tokens"
    r"|reduce the length of the|tokens?\b.{0,40} exceeds? .{0,40}(?:limit|maximum)"
)
_LIMITS_RATE = r"rate.?limit|tokens? per (?:minute|day|hour)"
_NO_MODEL = (
    r"model_not_found|no models? (?:is |are )?(?:currently )?loaded|failed to load model"
    r"|model\b.{0,200}?(?:not found|not exist|not loaded|not available|unknown)"
    r"|not_found_error model:"  # Anthropic's
)
_NO_CREDIT = (
    r"insufficient_quota|exceeded your current quota|billing_error|billing_hard_limit"
    r"|credit balance is too low|payment required"
)
_LOADING = r"loading model|model is loading|overloaded|unavailable_error"


@dataclass(frozen=True, slots=True)
class _Said:
    """What a server said of its failure."""

    status: int
    complaint: Complaint
    retry_after: float | None = None
    model: str | None = None

    @property
    def words(self) -> str:
        """The server's own, safe to show."""
        return clean(self.complaint.words) or "no reason given"


def _rule(
    statuses: range | tuple[int, ...],
    words: str,
    error: Callable[[BackendDescription, _Said], ProviderError],
) -> tuple[
    range | tuple[int, ...], re.Pattern[str], Callable[[BackendDescription, _Said], ProviderError]
]:
    return statuses, re.compile(words, re.IGNORECASE | re.DOTALL), error


def _too_long(backend: BackendDescription, said: _Said) -> ProviderError:
    complaint = said.complaint
    return backend.too_long(said.words, tokens=complaint.tokens, window=complaint.window)


_STATUS_OF_CODES: Final = (
    (r"invalid_request|bad_request|exceed_context_size|validation_error", 400),
    (r"authentication|invalid_api_key|unauthorized", 401),
    (r"permission", 403),
    (r"not_found", 404),
    (r"rate_limit", 429),
    (r"overloaded|unavailable", 503),
)
"""What status a code within a stream stands for, where no number says."""

_RULES = (
    _rule(_ANY_ERROR, _NO_MEMORY, lambda backend, said: backend.out_of_memory(said.words)),
    # Before the rate limit: OpenAI has 429 for this too, and waiting does not help.
    _rule((402,), "", lambda backend, said: backend.unpaid(said.words)),
    _rule(_CLIENT_ERRORS, _NO_CREDIT, lambda backend, said: backend.unpaid(said.words)),
    _rule((401, 403), "", lambda backend, said: backend.unauthorized(said.words)),
    _rule((429,), _LIMITS_RATE, lambda backend, said: backend.busy(said.words, said.retry_after)),
    _rule((413,), "", _too_long),
    _rule(_ANY_ERROR, _TOO_LONG, _too_long),
    _rule(
        _ANY_ERROR, _NO_MODEL, lambda backend, said: backend.model_missing(said.model, said.words)
    ),
    _rule((429, 503), "", lambda backend, said: backend.busy(said.words, said.retry_after)),
    _rule((404,), "", lambda backend, said: backend.malformed(f"no such path ({said.words})")),
    _rule((408, 504), "", lambda backend, said: backend.gave_up(said.words)),
    _rule((502,), "", lambda backend, said: backend.gateway_alone(said.words)),
    _rule(
        _CLIENT_ERRORS,
        "",
        lambda backend, said: backend.rejected(said.words, parameters=said.complaint.parameters),
    ),
    _rule(_ANY_ERROR, _LOADING, lambda backend, said: backend.busy(said.words, said.retry_after)),
    _rule(_ANY_ERROR, "", lambda backend, said: backend.failed(said.words)),
)


def from_status(
    backend: BackendDescription,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    model: str | None = None,
) -> ProviderError:
    """Return the error that a status other than 200 means. The headers' names are small letters."""
    if status in _REDIRECTS:
        host = urlsplit(headers.get("location", "")).netloc.rpartition("@")[2]
        return backend.redirect(clean(host))
    complaint = complaint_of(body)
    if is_web_page(headers.get("content-type", "")):
        if status < _SERVER_ERROR and status != _RATE_LIMITED:
            return backend.web_page()
        complaint = Complaint(f"status {status}")
    said = _Said(status, complaint, _seconds(headers.get("retry-after")), model)
    return _first_that_fits(backend, said)


def from_error_object(
    backend: BackendDescription, error: object, *, model: str | None = None
) -> ProviderError:
    """Return the error that an error object within a stream means, or the object around it."""
    complaint = complaint_in(error)
    number = re.search(r"\b[45]\d\d\b", complaint.codes)
    status = int(number[0]) if number else _SERVER_ERROR
    for pattern, meant in _STATUS_OF_CODES:
        if number is None and re.search(pattern, complaint.codes, re.IGNORECASE):
            status = meant
    return _first_that_fits(backend, _Said(status, complaint, model=model))


def from_content_type(backend: BackendDescription, content_type: str) -> ProviderError:
    """Return the error that a wrong content type means."""
    if is_web_page(content_type):
        return backend.web_page()
    return backend.malformed(f"its content type is {clean(content_type) or 'missing'}")


def from_exception(
    backend: BackendDescription, error: BaseException, *, seconds: float, partial: str = ""
) -> ProviderError:
    """Return the error that an exception of an HTTP client, or of an SDK on top of one, means.

    `seconds` is the deadline that was given, `partial` the text that had arrived.
    """
    causes = tuple(_causes(error))
    for cause in causes:
        if isinstance(cause, ProviderError):
            return cause
    # httpx and its successor httpx2 name their exceptions alike and the SDKs choose between them;
    # neither shall be imported only to ask for a class.
    names = {cls.__name__ for cause in causes for cls in type(cause).__mro__}
    text = clean(" ".join(str(cause) for cause in causes))
    if "NoConnectionError" in names:
        return backend.unreachable()
    if names & {"TimeoutError", "TimeoutException"}:
        return backend.timed_out(seconds)
    if names & {"TruncatedReplyError"} or "message body" in text:
        return backend.cut_off(partial)
    network = names & {"OSError", "TransportError", "EndOfStream"}
    if not network:
        told = names & {"MalformedReplyError", "OverlongEventError"}
        return backend.malformed(text if told else "it is not the JSON that was expected")
    if partial:
        return backend.cut_off(partial)
    return _before_the_reply(backend, causes, names, text)


def _before_the_reply(
    backend: BackendDescription, causes: tuple[BaseException, ...], names: set[str], text: str
) -> ProviderError:
    """Return the error that a failure of the network means when nothing had arrived."""
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return backend.not_found()
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return backend.insecure(text)
    if "ProtocolError" in names and "disconnected" not in text:
        return backend.malformed(text)
    if names & {"ClosedUnansweredError", "ProtocolError", "ReadError", "WriteError", "EndOfStream"}:
        return backend.closed()
    return backend.unreachable()


def is_web_page(content_type: str) -> bool:
    """Say whether a content type is that of a page for people."""
    return content_type.lower().startswith(("text/html", "application/xhtml"))


def clean(text: str) -> str:
    """Return one short line that is safe to show in a terminal."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * _EXCERPT]).split())
    return line if len(line) <= _EXCERPT else f"{line[:_EXCERPT]}..."


def _first_that_fits(backend: BackendDescription, said: _Said) -> ProviderError:
    for statuses, words, error in _RULES:
        if said.status in statuses and words.search(said.complaint.codes_and_words):
            return error(backend, said)
    return backend.malformed(f"its status is {said.status}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what led to it, also where a client hides that."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _seconds(retry_after: str | None) -> float | None:
    """Return a Retry-After header in seconds from now (RFC 9110, section 10.2.3)."""
    if retry_after is None:
        return None
    if re.fullmatch(r"\d{1,9}(?:\.\d+)?", retry_after.strip()):
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
