"""What a benchmark prints: the machine, tables, and whether its bars were met."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

from benchmarks.support.machine import NOISE, this_machine
from coai_routing.errors import CoaiError
from coai_server.cli.console import console

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from benchmarks.support.figures import Spread

MISSED: Final = 1
"""The exit code of `--check` where a bar was missed."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A promise and what was measured; `measured` is None where nothing could be."""

    name: str
    measured: float | None
    limit: float
    unit: str = ""
    at_least: bool = False
    """Whether more is better."""

    @property
    def met(self) -> bool:
        """Whether the promise was kept."""
        if self.measured is None:
            return False
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "name": self.name,
            "measured": self.measured,
            "limit": self.limit,
            "atLeast": self.at_least,
            "unit": self.unit,
            "met": self.met,
        }


class Report:
    """Prints as the benchmark goes on, and keeps what it printed for `--json`."""

    def __init__(self, title: str) -> None:
        self._console = console()
        self._title = title
        self._machine = this_machine()
        self._figures: dict[str, Any] = {}
        self._bars: list[Bar] = []
        self.say(Text(title, "bold"))
        self.say(self._machine.sentence())
        self.say(NOISE)

    def say(self, words: str | Text) -> None:
        """Print a line."""
        self._console.print(words, soft_wrap=True)

    def table(self, heading: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table: names on the left, figures on the right."""
        table = Table(box=None, pad_edge=False)
        for number, column in enumerate(columns):
            table.add_column(column, justify="right" if number else "left")
        for row in rows:
            table.add_row(*row)
        self.say("")
        self.say(Text(heading, "bold"))
        self._console.print(table)

    def keep(self, name: str, figure: object) -> None:
        """Put a figure, of plain JSON, into what `--json` writes."""
        self._figures[name] = figure

    def hold(self, *bars: Bar) -> None:
        """Add bars, which are printed at the end."""
        self._bars.extend(bars)

    def finish(self, options: argparse.Namespace) -> int:
        """Print the bars, write the JSON; return the process's exit code."""
        if self._bars:
            rows = [
                (
                    bar.name,
                    "not measured" if bar.measured is None else quantity(bar.measured, bar.unit),
                    f"{'>=' if bar.at_least else '<='} {quantity(bar.limit, bar.unit)}",
                    "met" if bar.met else "MISSED",
                )
                for bar in self._bars
            ]
            self.table("Bars", ("", "measured", "bar", ""), rows)
        if options.json is not None:
            document = {
                "benchmark": self._title,
                "machine": self._machine.document(),
                "figures": self._figures,
                "bars": [bar.document() for bar in self._bars],
            }
            text = json.dumps(document, indent=2) + "\n"
            options.json.write_text(text, encoding="utf-8")
        missed = not all(bar.met for bar in self._bars)
        return MISSED if options.check and missed else 0


def quantity(value: float, unit: str = "") -> str:
    """Write a figure with three digits that mean something, and its unit."""
    size = abs(value)
    digits = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2
    return f"{value:,.{digits}f}{f' {unit}' if unit else ''}"


def spread_row(name: str, spread: Spread | None) -> tuple[str, str, str, str, str, str]:
    """Return a row for the columns of `SPREAD`."""
    if spread is None:
        return name, "0", "-", "-", "-", "-"
    return (
        name,
        str(spread.count),
        quantity(spread.p50),
        quantity(spread.p95),
        quantity(spread.p99),
        quantity(spread.most),
    )


SPREAD: Final = ("milliseconds", "count", "p50", "p95", "p99", "max")


def options_parser(name: str, description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}", description=description, allow_abbrev=False
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures as JSON")
    parser.add_argument(
        "--check", action="store_true", help=f"exit with {MISSED} if a bar is missed"
    )
    return parser


def run(measurement: Coroutine[Any, Any, int]) -> int:
    """Carry a measurement out; return the exit code, also where the daemon did not play along."""
    try:
        return asyncio.run(measurement)
    except CoaiError as error:
        return refuse(str(error))


def refuse(message: str) -> int:
    """Say on standard error why nothing can be measured; return the exit code for that."""
    sys.stderr.write(f"{message}\n")
    return 2
