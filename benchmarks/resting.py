"""Time to the first suggestion in a file that was just opened.

    python -m benchmarks.resting

Files of about 300 lines are opened with the cursor in their middle, on a line that is still to be
written. In one half the editor asks at once; in the other half it tells where the cursor is, as VS
Code does by asking for code actions, the user rests for a second, types a character, and asks. Both
take turns in one run.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.support.daemon import NO_SERVERS, editing
from benchmarks.support.figures import Spread
from benchmarks.support.report import SPREAD, Bar, Report, options_parser, run, spread_row
from coai_agents.source import Encoding, Span
from coai_server.editor import Trigger

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from coai_server.editor import Editor

MODULES: Final = (
    *("textwrap", "fractions", "shlex", "graphlib", "zipapp", "calendar", "cmd", "csv"),
    *("fileinput", "gettext", "heapq", "numbers", "pprint", "queue", "sched", "string"),
)
LINES: Final = 300
LEAST: Final = 16
"""Characters of the line that is being written: a shorter one says little."""
REST: Final = 1.0
FIRST_MS: Final = 600.0
LONGEST: Final = 60.0


def texts(count: int) -> list[tuple[str, str]]:
    """Return names and texts of files of so many lines at most."""
    found: list[tuple[str, str]] = []
    for name in MODULES[:count]:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        lines = Path(spec.origin).read_text(encoding="utf-8").splitlines(keepends=True)
        found.append((f"{name}.py", "".join(lines[:LINES])))
    return found


def hole(text: str) -> tuple[str, str, str]:
    """Return a text before the line that is being written, the line's first character, the rest.

    The line is code in the middle of the text; what stood on it is still to be written.
    """
    start = text.find("\n", len(text) // 2) + 1
    while True:
        end = text.find("\n", start)
        line = text[start : end if end >= 0 else len(text)]
        code = line.strip()
        if end < 0 or (len(code) >= LEAST and code[0].isalpha() and code.isascii()):
            at = start + len(line) - len(line.lstrip())
            return text[:at], text[at : at + 1], text[end if end >= 0 else len(text) :]
        start = end + 1


async def first_ms(editor: Editor, name: str, text: str, *, rests: bool) -> float | None:
    """Return milliseconds from the request to the suggestion; None without one."""
    before, typed, after = hole(text)
    at = len(before)
    buffer = editor.open(name, before + after, "python")
    buffer.cursor = at
    if rests:
        place = buffer.source.position_at(at, Encoding.UTF_16)
        position = {"line": place.line, "character": place.character}
        await editor.request(
            "textDocument/codeAction",
            {
                "textDocument": {"uri": buffer.source.uri},
                "range": {"start": position, "end": position},
                "context": {"diagnostics": [], "triggerKind": 2},
            },
        )
        await asyncio.sleep(REST)
    started = time.perf_counter()
    buffer.replace(Span(at, at), typed)
    ghosts = await buffer.ask(Trigger.AUTOMATIC, seconds=LONGEST)
    ms = (time.perf_counter() - started) * 1000
    buffer.close()
    return ms if ghosts else None


async def measure(options: argparse.Namespace) -> int:
    """Print the figures; return the exit code."""
    report = Report("First suggestion")
    cold: list[float] = []
    rested: list[float] = []
    with tempfile.TemporaryDirectory(prefix="coai-state-") as state:
        os.environ["XDG_STATE_HOME"] = state
        async with editing(NO_SERVERS) as editor:
            for number, (name, text) in enumerate(texts(options.files)):
                rests = number % 2 == 1
                ms = await first_ms(editor, name, text, rests=rests)
                if ms is not None:
                    (rested if rests else cold).append(ms)
                # What is read ahead for this one shall not slow the next one down.
                await asyncio.sleep(0.5)
    report.say(
        f"{options.files - len(cold) - len(rested)} of {options.files} without a suggestion."
    )
    rows = [
        spread_row("asked at once", Spread.of(cold)),
        spread_row(f"after {REST:g} s of rest", Spread.of(rested)),
    ]
    report.table("Request to the first suggestion", SPREAD, rows)
    report.keep("cold_ms", cold)
    report.keep("rested_ms", rested)
    spread = Spread.of(rested)
    report.hold(Bar("after a rest, p50", None if spread is None else spread.p50, FIRST_MS, "ms"))
    return report.finish(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = options_parser("resting", "Time to the first suggestion in an opened file.")
    parser.add_argument(
        "--files", type=int, default=len(MODULES), help=f"so many files ({len(MODULES)})"
    )
    return run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
