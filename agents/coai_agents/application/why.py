"""What completion requests ended in: a row of the usage log in, sentences out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from coai_agents.completion.outcome import NoSuggestion, Reason
from coai_agents.source import path_of

if TYPE_CHECKING:
    from pathlib import Path

    from coai_routing.records.usage_reading import PastRequest

_ORIGINS: Final = {
    "model": "asked the model",
    "shown": "still on screen",
    "cache": "from the cache",
    "joined": "was being written already",
    "prefetched": "prepared in advance",
}

_FATES: Final = {
    "accepted": ", and accepted",
    "accepted_in_part": ", and accepted in part",
    "typed": ", and typed by hand",
    "rejected": ", and not taken",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """What a request ended in, in words."""

    past: PastRequest
    sentence: str
    """Why nothing was suggested; empty where something was."""
    remedy: str
    """What would help; empty where nothing has to."""

    @property
    def told(self) -> str:
        """The line that people read."""
        request = self.past.request
        if request.reason:
            return f"{request.reason}: {self.sentence}"
        suggestion = self.past.suggestion
        fate = "" if suggestion is None else _FATES.get(suggestion.fate.value, "")
        how = f"Suggested ({_ORIGINS.get(request.origin, request.origin)})"
        return f"{how} by {request.model} ({request.backend}){fate}."

    def as_json(self) -> dict[str, Any]:
        """Return all of it, for scripts."""
        request, suggestion = self.past.request, self.past.suggestion
        shared = {
            "kind": "none" if request.reason else "suggestion",
            "at": request.at.isoformat(),
            "uri": request.uri,
            "line": request.line + 1,
            "trigger": request.trigger,
            "language": request.language,
            "elapsedMs": request.elapsed_ms,
        }
        if request.reason:
            words = {"sentence": self.sentence, "remedy": self.remedy}
            return {**shared, "reason": request.reason, **words}
        return {
            **shared,
            "origin": request.origin,
            "backend": request.backend,
            "model": request.model,
            "evaluatedTokens": request.evaluated_tokens,
            "cachedTokens": request.cached_tokens,
            "outputTokens": request.output_tokens,
            "fate": None if suggestion is None else suggestion.fate.value,
            "takenCharacters": None if suggestion is None else suggestion.taken,
            "kept30s": None if suggestion is None else suggestion.kept_30s,
            "kept5min": None if suggestion is None else suggestion.kept_5min,
        }


def ending(past: PastRequest) -> Ending:
    """Return what a request ended in."""
    request = past.request
    if not request.reason:
        return Ending(past, "", "")
    try:
        reason = Reason(request.reason)
    except ValueError:
        return Ending(past, request.detail or "Another version of COAI recorded this.", "")
    return Ending(past, NoSuggestion(reason, request.detail).sentence, reason.remedy)


def shown_name(uri: str, here: Path) -> str:
    """Return a document's path, from a folder on where it lies below that."""
    path = path_of(uri)
    if path is None:
        return uri if urlsplit(uri).scheme else uri or "unknown"
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
