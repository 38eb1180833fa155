"""How soon `coai mcp` answers: from the start of the process to its first answer.

    python -m benchmarks.mcp --runs 20

Each run starts the real command, speaks as an MCP client does, and waits for the answer to
`initialize`, to the list of tools and to a call, with the daemon of a user of its own and without.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.support.figures import Spread
from benchmarks.support.report import SPREAD, Bar, Report, options_parser, run, spread_row

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

MEDIAN_MS: Final = 300.0

_HELLO: Final = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "benchmark", "version": "1"},
}
_STEPS: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("first answer", "initialize", _HELLO),
    ("list of tools", "tools/list", {}),
    ("answer of a tool", "tools/call", {"name": "audit", "arguments": {}}),
)


async def answered_after(
    folder: Path, environment: Mapping[str, str], *options: str
) -> dict[str, float]:
    """Start the command; return the milliseconds from its start to each answer."""
    command = (sys.executable, "-m", "coai_server", "mcp", *options)
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, cwd=folder, env=dict(environment), limit=1 << 24
    )
    assert process.stdin is not None
    assert process.stdout is not None
    times: dict[str, float] = {}
    for number, (step, method, params) in enumerate(_STEPS):
        asked = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        process.stdin.write(json.dumps(asked).encode() + b"\n")
        answer = json.loads(await process.stdout.readline())
        if answer.get("id") != number or "error" in answer:
            raise RuntimeError(f"{method} was answered with {answer}")
        times[step] = (time.perf_counter() - started) * 1000
        if method == "initialize":
            told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            process.stdin.write(json.dumps(told).encode() + b"\n")
    process.stdin.close()
    await process.wait()
    return times


async def _daemon(action: str, environment: Mapping[str, str]) -> None:
    command = (sys.executable, "-m", "coai_server", "daemon", action)
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, env=dict(environment))
    await process.communicate()


async def measure(options: argparse.Namespace) -> int:
    """Print the figures; return the exit code."""
    report = Report("Start of `coai mcp`")
    with tempfile.TemporaryDirectory(prefix="coai") as name:
        folder = Path(name, "workspace")
        await asyncio.to_thread(folder.mkdir)
        (folder / "a.py").write_text("def f(x):\n    return eval(x)\n", encoding="utf-8")
        homes = ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA")
        environment = {**os.environ, **dict.fromkeys(homes, str(Path(name, "home")))}
        alone = [await answered_after(folder, environment, "--alone") for _ in range(options.runs)]
        await _daemon("start", environment)
        try:
            # The first one waits until the daemon has imported what it needs.
            await answered_after(folder, environment)
            shared = [await answered_after(folder, environment) for _ in range(options.runs)]
        finally:
            await _daemon("stop", environment)
    for step, _, _ in _STEPS:
        rows = [
            spread_row(who, Spread.of([each[step] for each in times]))
            for who, times in (("with the daemon", shared), ("without it", alone))
        ]
        report.table(f"From the start of the process to the {step}", SPREAD, rows)
        report.keep(f"{step}, ms", {"shared": [e[step] for e in shared],
                                    "alone": [e[step] for e in alone]})  # fmt: skip
    first = Spread.of([each["first answer"] for each in shared])
    assert first is not None
    report.hold(Bar("first answer with the daemon, median", first.p50, MEDIAN_MS, "ms"))
    return report.finish(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = options_parser("mcp", "Measure how soon `coai mcp` answers.")
    parser.add_argument("--runs", type=int, default=20, help="how often it is started (20)")
    return run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
