"""How much memory the daemon takes without the engine, and what of it is imports.

    python -m benchmarks.memory

The real daemon, with the engine switched off and a scripted model server in this process, is
looked at after each step of its life. Then a fresh interpreter imports the costly packages one
after the other.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

import psutil

from benchmarks.overhead import LINES, complete_once
from benchmarks.support.daemon import editing, only_server, resident_mb
from benchmarks.support.documents import STATEMENT_END, python_document
from benchmarks.support.report import Bar, Report, options_parser, quantity, run
from benchmarks.support.scripted_upstream import Script, scripted_upstream
from coai_server.cli.readiness import wait_until_ready

if TYPE_CHECKING:
    import argparse
    from asyncio.subprocess import Process
    from collections.abc import Sequence

RESIDENT_MB: Final = 120.0

IMPORTS: Final = (
    ("asyncio, json, logging", "asyncio, json, logging"),
    ("pydantic, pydantic-settings", "pydantic, pydantic_settings"),
    ("lsprotocol", "lsprotocol.types"),
    ("pygls", "pygls.lsp.server"),
    ("tree-sitter and Python's grammar", "tree_sitter, tree_sitter_python"),
    ("the daemon's own", "coai_server.lsp.features"),
    ("the way to llama.cpp", "coai_routing.providers.llama_server"),
)
"""What the daemon imports, in this order; a step costs what no step before it has imported."""

_IMPORTER: Final = """
import sys
print(flush=True)
for line in sys.stdin:
    exec("import " + line.strip())
    print(flush=True)
"""

_STEP_SECONDS: Final = 60.0
_SETTLE_SECONDS: Final = 1.0


async def life_of_a_daemon(completions: int, lines: int) -> list[tuple[str, float]]:
    """Return the daemon's resident MB after each step of its life."""
    steps: list[tuple[str, float]] = []
    async with (
        scripted_upstream(Script(STATEMENT_END)) as upstream,
        editing(only_server(upstream.url), wait=False) as editor,
    ):
        steps.append(("initialize answered", resident_mb(editor)))
        await wait_until_ready(editor)
        await asyncio.sleep(_SETTLE_SECONDS)
        steps.append(("services started, a model found", resident_mb(editor)))
        buffer = editor.open("accounts.py", python_document(lines), "python")
        await asyncio.sleep(_SETTLE_SECONDS)
        steps.append((f"a document of {buffer.source.line_count:,} lines", resident_mb(editor)))
        for number in range(completions):
            await complete_once(buffer, upstream, number)
            if number == 0:
                steps.append(("first completion", resident_mb(editor)))
        steps.append((f"{completions} completions", resident_mb(editor)))
        await asyncio.sleep(_SETTLE_SECONDS)
        steps.append(("at rest", resident_mb(editor)))
    return steps


async def cost_of_imports() -> list[tuple[str, float]]:
    """Return the resident MB of a fresh interpreter, then of one after each import."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _IMPORTER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    seen = psutil.Process(process.pid)
    try:
        await _next_line(process)
        steps = [("python alone", seen.memory_info().rss / 1e6)]
        for name, modules in IMPORTS:
            assert process.stdin is not None
            process.stdin.write(modules.encode() + b"\n")
            await _next_line(process)
            steps.append((name, seen.memory_info().rss / 1e6))
    finally:
        if process.returncode is None:
            process.kill()
        # Its streams are closed with it.
        await process.communicate()
    return steps


async def _next_line(process: Process) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(_STEP_SECONDS):
        if not await process.stdout.readline():
            raise RuntimeError("an import failed; its reason is on standard error")


def _rows(steps: Sequence[tuple[str, float]]) -> list[tuple[str, str, str]]:
    rows: list[tuple[str, str, str]] = []
    before = 0.0
    for name, megabytes in steps:
        rows.append((name, quantity(megabytes), f"{megabytes - before:+.1f}"))
        before = megabytes
    return rows


async def measure(options: argparse.Namespace) -> int:
    """Print the figures; return the exit code."""
    report = Report("Memory of the daemon, without the engine")
    life = await life_of_a_daemon(options.completions, options.lines)
    imports = await cost_of_imports()
    columns = ("resident MB", "after", "change")
    report.table("The daemon", columns, _rows(life))
    report.table("Imports of a fresh interpreter", columns, _rows(imports))
    report.keep("daemonMb", dict(life))
    report.keep("importsMb", dict(imports))
    report.hold(Bar("resident, at most", max(used for _, used in life), RESIDENT_MB, "MB"))
    return report.finish(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = options_parser("memory", "Measure the daemon's memory without the engine.")
    parser.add_argument("--completions", type=int, default=50, help="how many are asked for (50)")
    parser.add_argument("--lines", type=int, default=LINES, help=f"length of the file ({LINES})")
    return run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
