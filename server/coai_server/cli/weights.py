"""Fetching a model's weights before a person's eyes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from coai_routing.weights.store_progress import PullPhase
from coai_server.cli.console import notices

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from rich.console import Console

    from coai_routing.weights.store import ModelStore
    from coai_routing.weights.store_progress import PullProgress

STEP_PERCENT: Final = 10
"""Where there is no terminal, a line is written each time so much more has come."""


async def fetch(store: ModelStore, name: str) -> Path:
    """Fetch a model with a progress bar on standard error; raises what the store raises."""
    to = notices()
    with (_bar if to.is_terminal else _lines)(to) as show:
        return await store.pull(name, show)


def megabytes(count: int) -> str:
    """Return a number of bytes as people say it."""
    return f"{count / 1e6:,.0f} MB"


def _label(state: PullProgress) -> str:
    if state.phase is PullPhase.DOWNLOADING and state.source:
        return f"{state.model} from {state.source}"
    return f"{state.model}: {state.phase.value}"


@contextmanager
def _bar(to: Console) -> Generator[Callable[[PullProgress], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=to) as progress:
        task = progress.add_task("Fetching", total=None)
        phase: PullPhase | None = None

        def show(state: PullProgress) -> None:
            nonlocal phase
            if state.phase is not phase:
                phase = state.phase
                # Verifying has a speed of its own.
                progress.reset(task)
            progress.update(
                task,
                description=_label(state),
                completed=state.bytes_done,
                total=state.bytes_total,
            )

        yield show


@contextmanager
def _lines(to: Console) -> Generator[Callable[[PullProgress], None]]:
    last: tuple[str, int] | None = None

    def show(state: PullProgress) -> None:
        nonlocal last
        percent = 100 * state.bytes_done // max(1, state.bytes_total)
        now = (_label(state), percent // STEP_PERCENT)
        if now != last:
            last = now
            done, total = megabytes(state.bytes_done), megabytes(state.bytes_total)
            to.print(f"{now[0]}: {done} of {total} ({percent} %)")

    yield show
