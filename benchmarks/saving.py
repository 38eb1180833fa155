"""From saving a file to its findings on the screen, beside ruff, bandit and semgrep; and hovering.

    python -m benchmarks.saving

The real daemon over stdio, as an editor drives it. Each save is of a text that was never seen, so
nothing of an answer is known before. The files are the standard library's own of about the wanted
length, with one line that is dangerous, so that each save has something to publish.

The others look at the same texts in the same run: ruff as a language server and as a process,
bandit and semgrep as processes, as their editor extensions run them. Semgrep holds back packages
that COAI depends on, so it has to be in an environment of its own: `--semgrep PROGRAM`.
"""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import shutil
import sys
import sysconfig
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.support.daemon import NO_ENGINE, NO_SERVERS, assignments, empty_workspace
from benchmarks.support.figures import Spread
from benchmarks.support.report import SPREAD, Bar, Report, options_parser, run, spread_row
from coai_agents.source import Span
from coai_server.editor import daemon_command, launched

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncGenerator, Sequence

    from coai_server.editor import Buffer, Editor
    from coai_server.jsonrpc import Notification

SIZES: Final = {300: 50.0, 2_000: 150.0}
"""Lines of a file, and the milliseconds within which its findings have to be there."""

HOVER_MS: Final = 15.0

FILES: Final = 8
"""Files of each size."""

SAVES: Final = 8
"""Saves of each file."""

HOVERS: Final = 25
"""Hovers in each file, spread over its lines."""

DANGEROUS: Final = "\n\ndef probe_{number}(request):\n    eval(request.args['{number}'])\n"

_PATIENCE: Final = 60.0

_SETTINGS: Final = {**NO_ENGINE, **NO_SERVERS, "ledger.enabled": "false"}

_RULES: Final = """\
rules:
  - {id: eval, languages: [python], severity: ERROR, message: eval, pattern: eval(...)}
  - {id: exec, languages: [python], severity: ERROR, message: exec, pattern: exec(...)}
"""
"""Semgrep's own rules are fetched from its server; a measurement fetches nothing."""


class Arrivals(deque["Notification"]):
    """Notifications, and whether one has come."""

    def __init__(self) -> None:
        super().__init__(maxlen=1_000)
        self.arrived = asyncio.Event()

    def append(self, notification: Notification, /) -> None:
        """Keep a notification and wake who waits."""
        super().append(notification)
        self.arrived.set()

    async def published(self, uri: str, version: int) -> Sequence[Any]:
        """Return the diagnostics of a document's version; raises TimeoutError."""
        async with asyncio.timeout(_PATIENCE):
            while True:
                self.arrived.clear()
                for each in self:
                    params: dict[str, Any] = each.message.get("params", {})
                    if (
                        each.method == "textDocument/publishDiagnostics"
                        and params["uri"] == uri
                        and params.get("version") == version
                    ):
                        self.clear()
                        return params["diagnostics"]
                await self.arrived.wait()


def texts(lines: int, count: int) -> list[str]:
    """Return files of the standard library of about so many lines, those nearest to it."""
    library = Path(sysconfig.get_paths()["stdlib"])
    found: list[tuple[int, str, str]] = []
    for path in [*library.glob("*.py"), *library.glob("*/*.py")]:
        if path.parent.name in {"test", "tests", "site-packages", "idlelib", "lib2to3"}:
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        found.append((abs(text.count("\n") - lines), str(path), text))
    return [text for _, _, text in sorted(found)[:count]]


def written(path: Path, text: str) -> Path:
    """Write a file for another tool to read."""
    path.write_text(text, encoding="utf-8")
    return path


def appended(buffer: Buffer, text: str) -> None:
    """Write at a document's end."""
    end = len(buffer.text)
    buffer.replace(Span(end, end), text)


async def saved_after(editor: Editor, texts_: Sequence[str], saves: int) -> list[float]:
    """Return for each save the milliseconds until its findings were published."""
    arrivals = Arrivals()
    editor.notifications = arrivals
    times: list[float] = []
    for number, text in enumerate(texts_):
        buffer = editor.open(f"file{number}.py", text + DANGEROUS.format(number=0), "python")
        await arrivals.published(buffer.source.uri, buffer.source.version)
        for save in range(1, saves + 1):
            appended(buffer, DANGEROUS.format(number=save))
            started = time.perf_counter()
            uri = buffer.source.uri
            editor.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
            found = await arrivals.published(uri, buffer.source.version)
            times.append((time.perf_counter() - started) * 1e3)
            assert len(found) > save, "a line that is dangerous was not found"
        buffer.close()
    return times


async def changed_after(editor: Editor, texts_: Sequence[str], saves: int) -> list[float]:
    """Return the milliseconds after which a server that looks at each change has published."""
    arrivals = Arrivals()
    editor.notifications = arrivals
    times: list[float] = []
    for number, text in enumerate(texts_):
        buffer = editor.open(f"file{number}.py", text + DANGEROUS.format(number=0), "python")
        await arrivals.published(buffer.source.uri, buffer.source.version)
        for save in range(1, saves + 1):
            started = time.perf_counter()
            appended(buffer, DANGEROUS.format(number=save))
            await arrivals.published(buffer.source.uri, buffer.source.version)
            times.append((time.perf_counter() - started) * 1e3)
        buffer.close()
    return times


def places_of(text: str) -> list[dict[str, int]]:
    """Return where a program has definitions and a finding, as LSP's positions, line by line.

    Its syntax says so: a line of prose may begin with "class" too.
    """
    lines = text.splitlines()
    places: dict[int, int] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            line = node.lineno - 1
            start = lines[line].index(node.name, node.col_offset + len("def "))
            places[line] = start + 1
        elif isinstance(node, ast.Expr) and ast.unparse(node).startswith("eval("):
            places[node.lineno - 1] = node.col_offset + 1
    return [{"line": line, "character": places[line]} for line in sorted(places)]


async def hovered_after(
    editor: Editor, texts_: Sequence[str], hovers: int
) -> tuple[list[float], int]:
    """Return the milliseconds of each hover, on symbols and on a finding, and how many had one."""
    arrivals = Arrivals()
    editor.notifications = arrivals
    times: list[float] = []
    answered = 0
    for number, text in enumerate(texts_):
        buffer = editor.open(f"hover{number}.py", text + DANGEROUS.format(number=0), "python")
        uri = buffer.source.uri
        await arrivals.published(uri, buffer.source.version)
        places = places_of(buffer.text)
        for place in places[:: max(1, len(places) // hovers)]:
            started = time.perf_counter()
            shown = await editor.request(
                "textDocument/hover", {"textDocument": {"uri": uri}, "position": place}
            )
            times.append((time.perf_counter() - started) * 1e3)
            answered += shown is not None
        buffer.close()
    return times, answered


async def process_times(command: Sequence[str], texts_: Sequence[str]) -> list[float]:
    """Return the milliseconds that a program takes for each text, given as a file."""
    times: list[float] = []
    with tempfile.TemporaryDirectory(prefix="coai-benchmark-") as folder:
        for number, text in enumerate(texts_):
            path = written(Path(folder, f"file{number}.py"), text + DANGEROUS.format(number=0))
            started = time.perf_counter()
            process = await asyncio.create_subprocess_exec(
                *command,
                str(path),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            await process.wait()
            times.append((time.perf_counter() - started) * 1e3)
    return times


async def others(
    options: argparse.Namespace, lines: int
) -> AsyncGenerator[tuple[str, Spread | None]]:
    """Yield how long each other tool takes for the same texts."""
    some = texts(lines, options.files)
    ruff = (sys.executable, "-m", "ruff")
    lint = {"settings": {"lint": {"select": ["S"]}}}
    with empty_workspace() as folder:
        async with launched(folder, command=(*ruff, "server"), settings=lint) as editor:
            yield (
                "ruff server, S rules",
                Spread.of(await changed_after(editor, some, options.saves)),
            )
    check = (*ruff, "check", "--isolated", "--no-cache", "--select", "S")
    yield "ruff check, a process", Spread.of(await process_times(check, some))
    if importlib.util.find_spec("bandit") is not None:
        bandit = (sys.executable, "-m", "bandit", "-q", "-f", "json")
        yield "bandit, a process", Spread.of(await process_times(bandit, some))
    if options.semgrep is not None:
        with tempfile.TemporaryDirectory(prefix="coai-benchmark-") as folder:
            rules = written(Path(folder, "rules.yml"), _RULES)
            quiet = ("--metrics", "off", "--disable-version-check", "--quiet", "--json")
            command = (options.semgrep, "scan", "--config", str(rules), *quiet)
            times = await process_times(command, some[: options.semgrep_files])
        yield "semgrep, two rules, a process", Spread.of(times)


async def measure(options: argparse.Namespace) -> int:
    """Print the figures; return the exit code."""
    report = Report("From save to findings")
    for tool, found in (
        ("bandit", importlib.util.find_spec("bandit")),
        ("semgrep", options.semgrep),
    ):
        if found is None:
            report.say(f"{tool} is not installed: it is left out.")
    hovers: list[float] = []
    shown = 0
    command = daemon_command(*assignments(_SETTINGS))
    for lines, limit in SIZES.items():
        some = texts(lines, options.files)
        with empty_workspace() as folder:
            async with launched(folder, command=command) as editor:
                await saved_after(editor, some[:1], 1)
                times = await saved_after(editor, some, options.saves)
                these, answered = await hovered_after(editor, some, HOVERS)
        hovers += these
        shown += answered
        spread = Spread.of(times)
        rows = [spread_row("coai, didSave to publishDiagnostics", spread)]
        rows += [spread_row(f"coai, hover ({answered} of {len(these)} answered)", Spread.of(these))]
        rows += [spread_row(name, other) async for name, other in others(options, lines)]
        report.table(f"{options.files} files of about {lines:,} lines", SPREAD, rows)
        report.keep(f"{lines} lines", times)
        name = f"save to published, {lines:,} lines, p95"
        report.hold(Bar(name, spread.p95 if spread else None, limit, "ms"))
    report.keep("hovers", hovers)
    hovering = Spread.of(hovers)
    report.hold(
        Bar("hover, p95", hovering.p95 if hovering else None, HOVER_MS, "ms"),
        Bar("hovers answered", shown / max(1, len(hovers)), 1.0, at_least=True),
    )
    return report.finish(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = options_parser("saving", "Measure how soon a saved file's findings are shown.")
    parser.add_argument("--files", type=int, default=FILES, help=f"of each size ({FILES})")
    parser.add_argument("--saves", type=int, default=SAVES, help=f"of each file ({SAVES})")
    parser.add_argument(
        "--semgrep",
        metavar="PROGRAM",
        default=shutil.which("semgrep"),
        help="where semgrep is, if it is not on the path",
    )
    parser.add_argument(
        "--semgrep-files", type=int, default=2, help="of each size for semgrep, which is slow (2)"
    )
    return run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
