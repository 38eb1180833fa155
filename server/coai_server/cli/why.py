"""`coai why`: what the last requests ended in, and why; also while daemons run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from coai_routing.errors import CoaiError
from coai_server.cli.console import console, error_document, notices, write_json
from coai_server.cli.settings import load_settings
from coai_server.terminal import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from coai_agents.application.why import Ending

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
        requests = [one.as_json() for one in past]
        write_json({"ok": True, "enabled": enabled, "ledger": str(path), "requests": requests})
        return
    if past:
        _show(past, console())
    _notice(path, enabled=enabled, anything=bool(past))


def _read(path: Path, last: int) -> tuple[Ending, ...]:
    from coai_agents.application.why import ending  # noqa: PLC0415 (as below)
    from coai_routing.records.usage_reading import reading  # noqa: PLC0415 (not for `--help`)

    if not path.exists():
        return ()
    with reading(path) as ledger:
        return tuple(map(ending, ledger.requests(last)))


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


def _show(past: Sequence[Ending], to: Console) -> None:
    from rich.text import Text  # noqa: PLC0415 (only for people)

    from coai_agents.application.why import shown_name  # noqa: PLC0415 (as above)

    for one in past:
        request = one.past.request
        when = f"{request.at.astimezone():%Y-%m-%d %H:%M:%S}"
        place = one_line(f"{shown_name(request.uri, Path.cwd())}:{request.line + 1}")
        to.print(
            Text.assemble((when, "dim"), "  ", (place, "bold"), f"  {request.elapsed_ms:,.0f} ms")
        )
        to.print(Text(f"    {printable(one.told)}"), soft_wrap=True)
        if one.remedy:
            to.print(Text(f"    {one.remedy}", style="green"), soft_wrap=True)
