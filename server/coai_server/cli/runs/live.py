"""A run as it goes on: a tree of its steps on a terminal, lines anywhere else."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from coai_server.cli.console import notices
from coai_server.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from rich.tree import Tree

    from coai_agents.workflows.journal.records import Event, StepEnd

_STYLES = {
    "done": ("done", "green"),
    "partial": ("partly done", "yellow"),
    "skipped": ("skipped", "dim"),
    "failed": ("failed", "red"),
    "revised": ("sent back", "yellow"),
    "running": ("running", "cyan"),
    "waiting": ("waits for an answer", "cyan"),
}


class Progress:
    """What is known of the steps of a run, in the order in which they began."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._began = time.monotonic()
        self._steps: dict[str, tuple[str, str]] = {}
        self._warnings: list[str] = []
        self._usd = 0.0
        self._tokens = 0

    def see(self, told: Event | StepEnd) -> str:
        """Take in what happened; returns the step that it is about, empty for none."""
        kind = getattr(told, "kind", None)
        if kind is None:
            facts = getattr(told, "facts")  # noqa: B009 - of the two kinds it is the other one
            words = [facts.model] if facts.model else []
            if facts.usage.tokens:
                words.append(f"{facts.usage.tokens} tokens")
            if facts.usage.usd:
                words.append(f"{facts.usage.usd:.4f} USD")
            if facts.ms:
                words.append(f"{facts.ms / 1000.0:.1f} s")
            if facts.error:
                words.append(facts.error)
            self._usd += facts.usage.usd
            self._tokens += facts.usage.tokens
            self._steps[told.step] = (getattr(told, "state"), ", ".join(words))  # noqa: B009
        elif kind in ("started", "asked"):
            self._steps[told.step] = ("running" if kind == "started" else "waiting", "")
        elif kind == "warned":
            self._warnings.append(str(getattr(told, "body")))  # noqa: B009 - as above
        return told.step

    def line(self, step: str) -> str:
        """Return a line about a step."""
        state, words = self._steps[step]
        return printable(f"{step}: {_STYLES[state][0]}{f' ({words})' if words else ''}")

    def tree(self) -> Tree:
        """Return all of it for a terminal."""
        from rich.text import Text  # noqa: PLC0415 (only on a terminal)
        from rich.tree import Tree  # noqa: PLC0415 (as above)

        seconds = time.monotonic() - self._began
        title = f"{self._name}  {seconds:.0f} s, {self._tokens} tokens, {self._usd:.4f} USD"
        tree = Tree(Text(printable(title), "bold"))
        for step, (state, words) in self._steps.items():
            said, style = _STYLES[state]
            more = f"  {words}" if words else ""
            tree.add(Text.assemble(f"{printable(step)}  ", (said, style), (printable(more), "dim")))
        for warning in self._warnings:
            tree.add(Text(printable(warning), "yellow"))
        return tree


@contextmanager
def shown(name: str, *, quiet: bool) -> Generator[Callable[[Event | StepEnd], None]]:
    """Give what is told of everything that happens in a run, and show it on standard error."""
    progress = Progress(name)
    console = notices()
    if quiet:
        yield lambda _: None
        return
    if not console.is_terminal:

        def lines(told: Event | StepEnd) -> None:
            step = progress.see(told)
            if getattr(told, "kind", "") == "warned":
                console.print(printable(str(getattr(told, "body"))), soft_wrap=True)  # noqa: B009
            elif getattr(told, "kind", "asked") == "asked":
                console.print(progress.line(step), soft_wrap=True)

        yield lines
        return
    from rich.live import Live  # noqa: PLC0415 (only on a terminal)

    with Live(console=console, get_renderable=progress.tree, refresh_per_second=8):
        yield lambda told: (progress.see(told), None)[1]
