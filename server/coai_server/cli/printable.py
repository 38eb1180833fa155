"""rich's consoles made safe: what is rendered is printable, whatever it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderHook
from rich.measure import Measurement
from rich.segment import Segment

from coai_server.terminal import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderResult


class _Printable:
    """Something to be rendered, with its text made printable."""

    def __init__(self, inner: ConsoleRenderable) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for text, style, control in console.render(self._inner, options):
            yield Segment(text if control else printable(text), style, control)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, self._inner)


class PrintableHook(RenderHook):
    """Makes everything printable that a console is given."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Return what is to be rendered instead."""
        return [_Printable(each) for each in renderables]
