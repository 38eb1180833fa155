"""How much memory the daemon takes at its peak while a very large document is opened and edited.

    python -m benchmarks.large_document --megabytes 54

The real daemon, with the engine switched off. The peak is the system's own figure, `VmHWM` of
`/proc/PID/status`, so this runs on Linux only.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.support.daemon import NO_ENGINE, NO_SERVERS, editing
from benchmarks.support.report import Report, options_parser, quantity, run
from coai_agents.source import Span

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from coai_server.editor import Editor

LINE: Final = "value = compute(alpha, beta, gamma)  # one of many\n"

_PEAK: Final = re.compile(r"VmHWM:\s+(\d+) kB")
_SETTLE_SECONDS: Final = 5.0


def peak_mb(editor: Editor) -> float:
    """Return the most resident memory that the daemon has had, in MB (10^6 bytes)."""
    status = Path(f"/proc/{editor.process.pid}/status").read_text(encoding="ascii")
    match = _PEAK.search(status)
    assert match is not None
    return int(match[1]) * 1024 / 1e6


async def peaks(megabytes: int) -> list[tuple[str, float]]:
    """Return the peak so far after each step."""
    steps: list[tuple[str, float]] = []
    text = LINE * (megabytes * 1_000_000 // len(LINE))
    async with editing({**NO_ENGINE, **NO_SERVERS}, wait=False) as editor:

        async def step(name: str, seconds: float = 0.0) -> None:
            await asyncio.sleep(seconds)
            # Whatever came before it has been handled when it is answered.
            await editor.request("coai/status", {})
            steps.append((name, peak_mb(editor)))

        await step("services started", 1.0)
        buffer = editor.open("large.py", text, "python")
        await step(f"a document of {megabytes} MB is open")
        buffer.replace(Span(1000, 1000), "x")
        await step("it was edited")
        await step("what looks at it has seen it", _SETTLE_SECONDS)
    return steps


async def measure(options: argparse.Namespace) -> int:
    """Print the figures; return the exit code."""
    report = Report("Memory at its peak with a large document")
    steps = await peaks(options.megabytes)
    report.table("The daemon", ("peak MB", "so far"), [(n, quantity(mb)) for n, mb in steps])
    report.keep("peakMb", dict(steps))
    return report.finish(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = options_parser("large_document", "Measure the daemon's peak with a large document.")
    parser.add_argument("--megabytes", type=int, default=54, help="length of the document (54)")
    return run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
