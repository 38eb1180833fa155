"""What a server says of its failure, read from whatever form it has.

`{"error": {"message", "code", "type", "param"}}` of OpenAI and llama.cpp, `{"error": "..."}` of
Ollama and LM Studio, `{"message", "code"}` of vLLM, `{"detail": [{"loc", "msg"}]}` of FastAPI, that
within a message as Mistral has it, `{"errors": [...]}`, `{"error_message": ...}`, problem details
(RFC 9457), and whatever else is built of such pieces.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

from coai_routing.providers.replies.listings import count, fields

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORDS: Final = (
    *("message", "msg", "error_message", "errorMessage", "error", "errors", "detail", "details"),
    *("error_description", "reason", "title"),
)
"""Where words are found, the most telling first."""
_CODES: Final = ("code", "type", "status", "status_code", "error_type", "error_code")
_PLACES: Final = ("loc", "param", "parameter", "field", "path")
_DEPTH: Final = 6  # objects within one another; what is deeper is made up
_MOST_ENTRIES: Final = 8

_NUMBER: Final = r"(?P<n>\d{1,3}(?:,\d{3})+|\d{2,})"
_WINDOWS: Final = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        rf"context (?:length|size|window)\D{{0,40}}?{_NUMBER}",
        rf"(?:max_model_len|n_ctx|maximum|limit|at most)\D{{0,24}}?{_NUMBER}",
        rf"(?:<=|>)\s*{_NUMBER}",
        rf"{_NUMBER}[- ](?:tokens? )?(?:maximum|max|limit)",
    )
)


@dataclass(frozen=True)
class Complaint:
    """A failure in a server's own words."""

    words: str = ""
    codes: str = ""
    """Machine-readable codes and types, if any."""
    parameters: frozenset[str] = frozenset()
    """Names of what the server finds wrong in the request, where it names them apart."""
    told_tokens: int | None = None
    told_window: int | None = None

    @property
    def codes_and_words(self) -> str:
        """All that there is to recognise it by."""
        return f"{self.codes} {self.words}"

    @cached_property
    def window(self) -> int | None:
        """Tokens that the server takes, if it says that there were too many."""
        if self.told_window is not None:
            return self.told_window
        found = (pattern.search(self.words) for pattern in _WINDOWS)
        return next((_count(match) for match in found if match is not None), None)

    @property
    def tokens(self) -> int | None:
        """Tokens that the server counted, if it says that there were too many."""
        if self.told_tokens is not None:
            return self.told_tokens
        window = self.window
        if window is None:
            return None
        numbers = (_count(match) for match in re.finditer(_NUMBER, self.words))
        return min((number for number in numbers if number > window), default=None)


def _count(match: re.Match[str]) -> int:
    return int(match["n"].replace(",", ""))


def complaint_of(body: bytes) -> Complaint:
    """Read the body of a reply."""
    try:
        return complaint_in(json.loads(body))
    except ValueError:
        return Complaint(body.decode("utf-8", "replace"))


def complaint_in(value: object) -> Complaint:
    """Read decoded JSON."""
    objects = tuple(_objects(value, _DEPTH))
    codes = " ".join(
        str(found[name])
        for found in objects
        for name in _CODES
        if isinstance(found.get(name), str | int)
    )
    counts = [
        (count(found.get("n_prompt_tokens")), count(found.get("n_ctx")))  # llama.cpp's
        for found in objects
    ]
    return Complaint(
        _words(value, _DEPTH),
        codes,
        frozenset(_parameters(objects)),
        next((tokens for tokens, _ in counts if tokens), None),
        next((window for _, window in counts if window), None),
    )


def _objects(value: object, depth: int) -> Iterator[dict[str, Any]]:
    """Yield the objects that say something: not those that repeat the request."""
    value = _decoded(value)
    if depth and isinstance(value, list):
        for entry in cast("list[object]", value)[:_MOST_ENTRIES]:
            yield from _objects(entry, depth - 1)
    elif depth and isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        yield found
        for name in _WORDS:
            yield from _objects(found.get(name), depth - 1)


def _words(value: object, depth: int) -> str:
    value = _decoded(value)
    if isinstance(value, str):
        return value
    if depth and isinstance(value, list):
        entries = cast("list[object]", value)[:_MOST_ENTRIES]
        return "; ".join(words for entry in entries if (words := _words(entry, depth - 1)))
    if depth and isinstance(value, dict):
        found = fields(cast("object", value))
        return next((words for name in _WORDS if (words := _words(found.get(name), depth - 1))), "")
    return ""


def _decoded(value: object) -> object:
    """Return a value; of an error that a gateway passes on as text, what it was."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _parameters(objects: tuple[dict[str, Any], ...]) -> Iterator[str]:
    for found in objects:
        for name in _PLACES:
            place = found.get(name)
            steps = cast("list[object]", place) if isinstance(place, list) else [place]
            for step in steps:
                if isinstance(step, str):
                    yield from re.split(r"[.\[\]/]+", step)
