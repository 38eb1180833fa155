"""What somebody who types notices of runs: completions while workflows ask the same model.

    python -m benchmarks.keyboard --requests 12 --rounds 3

The daemon completes with the embedded model. In every other round runs of a plan ask the same
engine without a pause, from a process of their own, as `coai run` does. Rounds alternate, because
machines are noisy; only the ratio counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.support.daemon import NO_SERVERS, editing
from benchmarks.support.documents import place_to_type, python_document, statement
from benchmarks.support.figures import Spread
from benchmarks.support.report import SPREAD, Bar, Report, options_parser, run, spread_row
from coai_agents.source import Span
from coai_server.editor import Trigger

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncGenerator, Sequence

    from coai_server.editor import Buffer

RATIO: Final = 1.2
LONGEST: Final = 60.0
PLAN: Final = """\
name: busy
nodes:
  - kind: loop
    name: again
    max_iterations: 100
    result: words
    nodes:
      - {kind: agent, name: words, prompt: Write a long story., given: {n: iteration}}
"""


async def ask_ms(buffer: Buffer, number: int) -> float:
    """Type a statement and ask; return the milliseconds until there is an answer."""
    place = place_to_type(buffer.text)
    buffer.replace(Span(place, place), statement(number) + "\n")
    buffer.cursor -= 1
    began = time.perf_counter()
    await buffer.ask(Trigger.INVOKED, seconds=LONGEST)
    return (time.perf_counter() - began) * 1000


@contextlib.asynccontextmanager
async def busy(folder: Path, runs: int) -> AsyncGenerator[None]:
    """Have so many runs ask the model without a pause."""
    plan = folder / "busy.yaml"
    plan.write_text(PLAN)
    environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
    environment["COAI_CACHE__ENABLED"] = "false"
    for name, value in NO_SERVERS.items():
        environment[f"COAI_{name.upper().replace('.', '__')}"] = value
    command = [sys.executable, "-m", "coai_server", "run", str(plan), "--input", "x", "--json"]
    processes = [
        await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        for _ in range(runs)
    ]
    try:
        # Until they have looked for models and asked the first.
        await asyncio.sleep(8)
        assert all(each.returncode is None for each in processes), "a run ended before its time"
        yield
    finally:
        for each in processes:
            with contextlib.suppress(ProcessLookupError):
                each.send_signal(signal.SIGINT)
        await asyncio.gather(*(each.wait() for each in processes))


async def measure(options: argparse.Namespace) -> int:
    """Print the figures; return the exit code."""
    report = Report("Completions at the keyboard while workflows run")
    idle, while_busy = list[float](), list[float]()
    with tempfile.TemporaryDirectory() as name:
        async with editing(NO_SERVERS) as editor:
            buffer = editor.open("accounts.py", python_document(100), "python")
            await ask_ms(buffer, 0)
            number = 1
            for _ in range(options.rounds):
                for times, runs in ((idle, 0), (while_busy, options.runs)):
                    async with contextlib.AsyncExitStack() as stack:
                        if runs:
                            await stack.enter_async_context(busy(Path(name), runs))
                        for _ in range(options.requests):
                            times.append(await ask_ms(buffer, number))
                            number += 1
    before, after = Spread.of(idle), Spread.of(while_busy)
    assert before is not None
    assert after is not None
    report.table(
        "Milliseconds from the request to its answer",
        ("", *SPREAD),
        [spread_row("idle", before), spread_row(f"{options.runs} runs under way", after)],
    )
    report.hold(Bar("p50 while runs go on, by that of idle", after.p50 / before.p50, RATIO))
    return report.finish(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = options_parser("keyboard", "Measure completions while workflows run.")
    parser.add_argument("--requests", type=int, default=12, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=1, help="runs under way at a time")
    return run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
