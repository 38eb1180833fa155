"""`coai why`: what the last requests ended in, and why; also while daemons run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from coai_routing.errors import CoaiError
from coai_server.cli.console import console, error_document, notices, write_json
from coai_server.cli.settings import load_settings
from coai_server.terminal import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from coai_routing.records.usage_reading import PastRequest
    from coai_routing.records.usage_rows import Fate, RequestRow

_MOST: Final = 100_000


def why(
    *,
    last: Annotated[
        int, typer.Option(metavar="N", min=1, max=_MOST, help="How many requests to show.")
    ] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
) -> None:
    """Say what the last completion requests ended in, newest first, and why there was nothing."""
    from coai_routing.records.usage_file import location  # noqa: PLC0415 (not for `--help`)

    enabled = load_settings(Path.cwd()).settings.ledger.enabled
    path = location()
    try:
        past = _read(path, last)
    except CoaiError as error:
        if as_json:
            write_json(error_document(error))
            raise typer.Exit(1) from error
        raise
    if as_json:
        requests = [_document(one) for one in past]
        write_json({"ok": True, "enabled": enabled, "ledger": str(path), "requests": requests})
        return
    if past:
        _show(past, console())
    _notice(path, enabled=enabled, anything=bool(past))


def _read(path: Path, last: int) -> tuple[PastRequest, ...]:
    from coai_routing.records.usage_reading import reading  # noqa: PLC0415 (not for `--help`)

    if not path.exists():
        return ()
    with reading(path) as ledger:
        return ledger.requests(last)


def _notice(path: Path, *, enabled: bool, anything: bool) -> None:
    if not enabled:
        notices().print(
            "The ledger is off (`ledger.enabled`), so nothing new is recorded;"
            " `coai config show` says what set it.",
            soft_wrap=True,
        )
    elif not anything:
        notices().print(
            f"Nothing was recorded yet in {path}. Requests are as soon as an editor runs"
            " `coai serve` and asks for completions.",
            soft_wrap=True,
        )


def _show(past: Sequence[PastRequest], to: Console) -> None:
    from rich.text import Text  # noqa: PLC0415 (only for people)

    for one in past:
        request = one.request
        when = f"{request.at.astimezone():%Y-%m-%d %H:%M:%S}"
        place = one_line(f"{_name(request.uri)}:{request.line + 1}")
        to.print(
            Text.assemble((when, "dim"), "  ", (place, "bold"), f"  {request.elapsed_ms:,.0f} ms")
        )
        to.print(Text(f"    {printable(_ending(one))}"), soft_wrap=True)
        if remedy := _words(request)[1]:
            to.print(Text(f"    {remedy}", style="green"), soft_wrap=True)


def _ending(one: PastRequest) -> str:
    request = one.request
    if request.reason:
        return f"{request.reason}: {_words(request)[0]}"
    fate = "" if one.suggestion is None else _FATES.get(one.suggestion.fate.value, "")
    how = f"Suggested ({_ORIGINS.get(request.origin, request.origin)})"
    return f"{how} by {request.model} ({request.backend}){fate}."


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


def _words(request: RequestRow) -> tuple[str, str]:
    """Return the sentence and the remedy of a reason; both empty where something was suggested."""
    from coai_agents.completion.outcome import NoSuggestion, Reason  # noqa: PLC0415 (as above)

    if not request.reason:
        return "", ""
    try:
        reason = Reason(request.reason)
    except ValueError:
        return request.detail or "Another version of COAI recorded this.", ""
    return NoSuggestion(reason, request.detail).sentence, reason.remedy


def _name(uri: str) -> str:
    """Return a document's path, from the current directory where it lies below that."""
    from coai_agents.source import path_of  # noqa: PLC0415 (as above)

    path = path_of(uri)
    if path is None:
        return uri if urlsplit(uri).scheme else uri or "unknown"
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _document(one: PastRequest) -> dict[str, Any]:
    request, suggestion = one.request, one.suggestion
    sentence, remedy = _words(request)
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
        return {**shared, "reason": request.reason, "sentence": sentence, "remedy": remedy}
    fate: Fate | None = None if suggestion is None else suggestion.fate
    return {
        **shared,
        "origin": request.origin,
        "backend": request.backend,
        "model": request.model,
        "evaluatedTokens": request.evaluated_tokens,
        "cachedTokens": request.cached_tokens,
        "outputTokens": request.output_tokens,
        "fate": None if fate is None else fate.value,
        "takenCharacters": None if suggestion is None else suggestion.taken,
        "kept30s": None if suggestion is None else suggestion.kept_30s,
        "kept5min": None if suggestion is None else suggestion.kept_5min,
    }
