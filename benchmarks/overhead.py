"""What the daemon itself adds to a completion: the round trip without the model's time.

    python -m benchmarks.overhead --requests 200

The real daemon asks a scripted model server in this process, so it is known when a request was
there whole and when the last byte of the answer was written. What is left of the time between the
keystroke and the suggestion is the daemon's own, and the editor's that is measured with it: edit,
JSON both ways, decisions, prompt, HTTP, cleaning. Every request misses every cache.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.support.daemon import cpu_seconds, editing, only_server
from benchmarks.support.documents import (
    STATEMENT_END,
    place_to_type,
    python_document,
    statement,
)
from benchmarks.support.figures import Spread
from benchmarks.support.report import SPREAD, Bar, Report, options_parser, quantity, run, spread_row
from benchmarks.support.scripted_upstream import Script, ScriptedUpstream, scripted_upstream
from coai_agents.source import Span
from coai_server.editor import Trigger

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from coai_server.editor import Buffer

P50_MS: Final = 2.0
P99_MS: Final = 8.0

LINES: Final = 2000
WARM_UP: Final = 10
"""Requests that are not counted: the first ones import what is needed only then."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion, in milliseconds."""

    whole: float
    """From the keystroke to the suggestion, as the editor sees it."""
    upstream: float
    """From the last byte of the request to the last byte of the answer."""

    @property
    def overhead(self) -> float:
        """What is not the model's."""
        return self.whole - self.upstream


async def complete_once(buffer: Buffer, upstream: ScriptedUpstream, number: int) -> Sample | None:
    """Type a statement that was never typed before and ask; None if nothing was suggested."""
    place = place_to_type(buffer.text)
    end = buffer.text.index("\n", place) + 1
    first = not buffer.text[place:end].lstrip().startswith("checked_")
    span = Span(place, place) if first else Span(place, end - 1)
    typed = statement(number)
    started = time.perf_counter()
    buffer.replace(span, typed + "\n" if first else typed)
    buffer.cursor = place + len(typed)
    ghosts = await buffer.ask(Trigger.INVOKED)
    ended = time.perf_counter()
    # Others prepare what follows a suggestion; nobody waits for those.
    own = [
        call
        for call in upstream.asked_since(started)
        if typed in str(call.wanted["prompt"]) and call.written is not None
    ]
    if not ghosts or not own:
        return None
    spent = sum((call.written or ended) - call.received for call in own)
    return Sample((ended - started) * 1000, spent * 1000)


async def measure(options: argparse.Namespace) -> int:
    """Print the figures; return the exit code."""
    report = Report("Overhead of a completion")
    script = Script(STATEMENT_END, seconds_apart=options.token_ms / 1000)
    samples: list[Sample] = []
    missed = 0
    async with scripted_upstream(script) as upstream, editing(only_server(upstream.url)) as editor:
        buffer = editor.open("accounts.py", python_document(options.lines), "python")
        for number in range(WARM_UP):
            await complete_once(buffer, upstream, number)
        before = cpu_seconds(editor)
        for number in range(options.requests):
            sample = await complete_once(buffer, upstream, WARM_UP + number)
            if sample is None:
                missed += 1
            else:
                samples.append(sample)
            # Not in step with anything of the daemon's.
            await asyncio.sleep(0.001 * (number % 7))
        cpu = (cpu_seconds(editor) - before) * 1000 / max(1, options.requests)
        lines = buffer.source.line_count
    spread = Spread.of([sample.overhead for sample in samples])
    report.table(
        f"Explicit completions in a file of {lines:,} lines, a change before each",
        SPREAD,
        [
            spread_row("keystroke to suggestion", Spread.of([one.whole for one in samples])),
            spread_row("of that in the model server", Spread.of([one.upstream for one in samples])),
            spread_row("overhead: the rest", spread),
        ],
    )
    report.say(
        f"\nCPU time of the daemon for each: {quantity(cpu, 'ms')}. "
        f"No suggestion, or not from the model: {missed}."
    )
    report.keep("overheadMs", [sample.overhead for sample in samples])
    report.keep("cpuMs", cpu)
    report.keep("withoutSuggestion", missed)
    report.hold(
        Bar("overhead, p50", None if spread is None else spread.p50, P50_MS, "ms"),
        Bar("overhead, p99", None if spread is None else spread.p99, P99_MS, "ms"),
        Bar("requests without a suggestion", float(missed), 0),
    )
    return report.finish(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = options_parser("overhead", "Measure what the daemon adds to a model's time.")
    parser.add_argument("--requests", type=int, default=200, help="completions (200)")
    parser.add_argument("--lines", type=int, default=LINES, help=f"length of the file ({LINES})")
    parser.add_argument(
        "--token-ms", type=float, default=2.0, help="time that the model takes for a token (2)"
    )
    return run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
