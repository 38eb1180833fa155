"""How soon a cancelled request stops costing: from the cancel to the closed socket upstream.

    python -m benchmarks.cancelling --requests 50

The scripted model server in this process never comes to an end, so only the daemon can end a
request. One half is cancelled before the model has said anything, as while it reads the prompt,
the other half in the middle of its answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from typing import TYPE_CHECKING, Final

from benchmarks.overhead import LINES
from benchmarks.support.daemon import editing, only_server
from benchmarks.support.documents import place_to_type, python_document, statement
from benchmarks.support.figures import Spread
from benchmarks.support.report import SPREAD, Bar, Report, options_parser, run, spread_row
from benchmarks.support.scripted_upstream import Script, ScriptedUpstream, scripted_upstream
from coai_agents.source import Span
from coai_server.editor import Trigger

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from coai_server.editor import Buffer

CLOSED_MS: Final = 50.0

SILENT: Final = Script((), ends=False)
TALKING: Final = Script(("(", "amount", ", "), ends=False)

_CLOSE_SECONDS: Final = 10.0


async def cancel_once(buffer: Buffer, upstream: ScriptedUpstream, number: int) -> float:
    """Ask, cancel when the model is at it; return the milliseconds until its socket was closed.

    Raises TimeoutError if the request did not come, or the socket stayed open.
    """
    started = time.perf_counter()
    typed = statement(number) + "\n"
    buffer.replace(Span(place_to_type(buffer.text), place_to_type(buffer.text)), typed)
    buffer.cursor -= 1
    asking = asyncio.create_task(buffer.ask(Trigger.INVOKED))
    call = await upstream.next_call(started)
    await call.begun.wait()
    # Past the moment of its own requests' bytes, and not in step with the daemon.
    await asyncio.sleep(0.01 + 0.003 * (number % 5))
    cancelled = time.perf_counter()
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asking
    async with asyncio.timeout(_CLOSE_SECONDS):
        await call.ended.wait()
    assert call.closed is not None
    return (call.closed - cancelled) * 1000


async def measure(options: argparse.Namespace) -> int:
    """Print the figures; return the exit code."""
    report = Report("Cancelling")
    times: dict[str, list[float]] = {"while the prompt is read": [], "in mid-answer": []}
    async with scripted_upstream(SILENT) as upstream, editing(only_server(upstream.url)) as editor:
        buffer = editor.open("accounts.py", python_document(options.lines), "python")
        await cancel_once(buffer, upstream, 0)
        for number in range(1, options.requests + 1):
            silent = number % 2 == 0
            upstream.script = SILENT if silent else TALKING
            spent = await cancel_once(buffer, upstream, number)
            times["while the prompt is read" if silent else "in mid-answer"].append(spent)
    together = [spent for times_ in times.values() for spent in times_]
    spread = Spread.of(together)
    report.table(
        "From $/cancelRequest to the closed socket, as the model server sees it",
        SPREAD,
        [*(spread_row(name, Spread.of(these)) for name, these in times.items()),
         spread_row("together", spread)],
    )  # fmt: skip
    report.keep("milliseconds", times)
    report.hold(Bar("socket closed, max", None if spread is None else spread.most, CLOSED_MS, "ms"))
    return report.finish(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = options_parser("cancelling", "Measure how soon a cancelled request ends upstream.")
    parser.add_argument("--requests", type=int, default=50, help="how many are cancelled (50)")
    parser.add_argument("--lines", type=int, default=LINES, help=f"length of the file ({LINES})")
    return run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
