"""How soon an editor is answered: from the start of the process to the answer to `initialize`.

    python -m benchmarks.startup --runs 20

Each run starts the real daemon, `python -m coai_server serve`. One more run tells which of the
costly modules it had imported by then.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Final

from benchmarks.support.daemon import NO_ENGINE, NO_SERVERS, assignments, empty_workspace
from benchmarks.support.figures import Spread
from benchmarks.support.report import SPREAD, Bar, Report, options_parser, run, spread_row
from coai_server.editor import daemon_command, launched

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

MEDIAN_MS: Final = 500.0

COSTLY: Final = (
    *("openai", "anthropic", "ollama", "httpx", "aiohttp", "xllamacpp", "numpy"),
    *("tree_sitter", "tree_sitter_python", "pygls", "lsprotocol", "pydantic", "pydantic_settings"),
    *("typer", "rich", "psutil", "sqlite3", "ssl", "multiprocessing"),
)
"""Modules whose import takes long enough to be felt."""

# `coai_server.lsp.features` is the first thing that the daemon imports once the answer was written.
_SPY: Final = """
import json, runpy, sys
file = sys.argv.pop(1)
def look(event, details):
    if event == "import" and details[0] == "coai_server.lsp.features" and not seen:
        seen.append(True)
        with open(file, "w", encoding="utf-8") as out:
            json.dump(sorted(sys.modules), out)
seen = []
sys.addaudithook(look)
sys.argv[0] = "coai"
runpy.run_module("coai_server", run_name="__main__", alter_sys=True)
"""

_WAIT_SECONDS: Final = 10.0


async def answered_after(command: Sequence[str], folder: Path) -> float:
    """Start a daemon and stop it; return the milliseconds until `initialize` was answered."""
    started = time.perf_counter()
    async with launched(folder, command=command):
        return (time.perf_counter() - started) * 1000


async def modules_at_answer(options: Sequence[str], folder: Path) -> tuple[str, ...]:
    """Return the modules that a daemon has imported when it answers `initialize`.

    Raises TimeoutError if the daemon did not go on after its answer.
    """
    file = folder / "modules.json"
    command = (sys.executable, "-c", _SPY, str(file), "serve", *options)
    async with launched(folder, command=command), asyncio.timeout(_WAIT_SECONDS):
        while True:
            if text := _text(file):
                return tuple(json.loads(text))
            await asyncio.sleep(0.01)


def _text(file: Path) -> str:
    """Return a file's text if it is whole."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    return text if text.endswith("]") else ""


async def measure(options: argparse.Namespace) -> int:
    """Print the figures; return the exit code."""
    report = Report("Start of the daemon")
    settings = assignments({**NO_ENGINE, **NO_SERVERS})
    with empty_workspace() as folder:
        # The first one compiles what was not compiled yet.
        await answered_after(daemon_command(*settings), folder)
        bare = [await _python_alone() for _ in range(options.runs)]
        times = [
            await answered_after(daemon_command(*settings), folder) for _ in range(options.runs)
        ]
        modules = await modules_at_answer(settings, folder)
    spread = Spread.of(times)
    assert spread is not None
    report.table(
        "From the start of the process to the answer to initialize",
        SPREAD,
        [
            spread_row("the daemon", spread),
            spread_row("for comparison: python -c pass, to its end", Spread.of(bare)),
        ],
    )
    imported = [name for name in COSTLY if name in modules]
    report.say(f"\n{len(modules)} modules were imported by then; of the costly ones: "
               f"{', '.join(imported) or 'none'}.")  # fmt: skip
    report.keep("milliseconds", times)
    report.keep("costlyModules", imported)
    report.hold(Bar("answer to initialize, median", spread.p50, MEDIAN_MS, "ms"))
    return report.finish(options)


async def _python_alone() -> float:
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "pass")
    await process.wait()
    return (time.perf_counter() - started) * 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = options_parser("startup", "Measure how soon the daemon answers `initialize`.")
    parser.add_argument("--runs", type=int, default=20, help="how often it is started (20)")
    return run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
