"""`coai cache`: the answers that are kept on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coai_server.cli.console import console, notices, run, write_json
from coai_server.cli.settings import load_settings

if TYPE_CHECKING:
    from coai_routing.router.cache import AnswerCache, CacheState

commands = typer.Typer(no_args_is_help=True, help="See and forget the answers that are kept.")


@commands.command()
def info(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
) -> None:
    """Say how many answers are kept on disk, where, and how much room they take."""
    cache = _cache()
    state = None if cache is None else run(_state(cache))
    if as_json:
        write_json(
            {
                "enabled": state is not None,
                "entries": 0 if state is None else state.disk_entries,
                "bytes": 0 if state is None else state.disk_bytes,
                "directory": None if state is None else str(state.directory),
            }
        )
    elif state is None:
        console().print("The cache is switched off (`cache.enabled`).")
    else:
        console().print(
            f"{state.disk_entries} answers, {state.disk_bytes / 1e6:,.1f} MB, in "
            f"{state.directory}.",
            soft_wrap=True,
        )


@commands.command()
def clear() -> None:
    """Forget every answer and every explanation that is kept on disk."""
    from coai_routing.wiring.assembly import explanation_store  # noqa: PLC0415 (not for `--help`)

    caches = (_cache(), explanation_store(load_settings(Path.cwd()).settings))
    gone = sum(run(_clear(cache)) for cache in caches if cache is not None)
    notices().print(f"{gone} answers forgotten.")


def _cache() -> AnswerCache | None:
    from coai_routing.wiring.assembly import answer_cache  # noqa: PLC0415 (not for `--help`)

    return answer_cache(load_settings(Path.cwd()).settings)


async def _state(cache: AnswerCache) -> CacheState:
    state = await cache.state()
    await cache.aclose()
    return state


async def _clear(cache: AnswerCache) -> int:
    gone = await cache.clear()
    await cache.aclose()
    return gone
