"""Time to an explanation of a function that nobody asked about before, and again when it is known.

    python -m benchmarks.explaining
    python -m benchmarks.explaining --model qwen2.5-coder-1.5b

The real daemon with its own engine. Functions of about 30 lines of the standard library are
explained by `coai.explain` into a virtual document, as VS Code shows it: measured is the time until
the first of a model's words can be read there, and until the last. Then the editor hovers over the
function's name, and asks for the explanation once more: both know it now.
"""

from __future__ import annotations

import ast
import asyncio
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from benchmarks.saving import texts
from benchmarks.support.daemon import NO_SERVERS, editing
from benchmarks.support.figures import Spread
from benchmarks.support.report import SPREAD, Bar, Report, options_parser, run, spread_row

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from coai_server.editor import Buffer, Editor, Json

LINES: Final = range(27, 34)
"""Of a function."""
FUNCTIONS: Final = 12
FIRST_MS: Final = 2_000.0
WHOLE_MS: Final = 6_000.0
KNOWN_MS: Final = 15.0
LONGEST: Final = 120.0
SAID: Final = "says, unchecked"
"""Before a model's words, wherever they are shown."""


@dataclass
class Reader:
    """Shows virtual documents: reads one again whenever the daemon says that there is more."""

    editor: Editor | None = None
    started: float = 0.0
    first_ms: float | None = None
    """Until a model's words were seen."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def refresh(self, params: Json) -> None:
        """Read a document that has more."""
        task = asyncio.create_task(self._read(params["uri"]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self, uri: str) -> None:
        assert self.editor is not None
        shown = await self.editor.request("workspace/textDocumentContent", {"uri": uri})
        if self.first_ms is None and SAID in shown["text"]:
            self.first_ms = (time.perf_counter() - self.started) * 1e3


@dataclass(frozen=True, slots=True)
class Times:
    """What one function took, in milliseconds."""

    first: float
    whole: float
    hover: float
    again: float


def functions(count: int) -> Iterator[tuple[str, int, int]]:
    """Yield texts, and the line and column, from 0, of the name of a function in each."""
    for text in texts(300, 400):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
                length = node.end_lineno - node.lineno + 1
                if length in LINES and not node.decorator_list:
                    yield text, node.lineno - 1, node.col_offset + len("def ")
                    count -= 1
                    break
        if count == 0:
            return


async def explained(
    editor: Editor, reader: Reader, buffer: Buffer, line: int, at: int
) -> Times | None:
    """Return what it took; None where no words came."""
    place = {"line": line, "character": at}
    uri = buffer.source.uri
    asked = {
        "command": "coai.explain",
        "arguments": [
            {
                "uri": uri,
                "range": {"start": place, "end": place},
                "document": f"coai-answer:/{uri.rpartition('/')[2]}.md",
            }
        ],
    }
    reader.first_ms, reader.started = None, time.perf_counter()
    answer = await editor.request("workspace/executeCommand", asked, seconds=LONGEST)
    whole = time.perf_counter()
    if SAID not in answer["markdown"]:
        return None
    hovered = await editor.request(
        "textDocument/hover", {"textDocument": {"uri": uri}, "position": place}
    )
    known = time.perf_counter()
    assert SAID in hovered["contents"]["value"], "the hover does not know what was explained"
    await editor.request("workspace/executeCommand", asked, seconds=LONGEST)
    again = time.perf_counter()
    first = (whole - reader.started) * 1e3 if reader.first_ms is None else reader.first_ms
    return Times(
        first, (whole - reader.started) * 1e3, (known - whole) * 1e3, (again - known) * 1e3
    )


async def measure(options: argparse.Namespace) -> int:
    """Print the figures; return the exit code."""
    report = Report("Explanations")
    times: list[Times] = []
    asked = 0
    reader = Reader()
    answers = {"workspace/textDocumentContent/refresh": reader.refresh}
    settings = {**NO_SERVERS, "engine.model": options.model}
    with tempfile.TemporaryDirectory(prefix="coai-cache-") as kept:
        # What was explained before would be known.
        os.environ["XDG_CACHE_HOME"] = kept
        async with editing(settings, answers=answers) as editor:
            reader.editor = editor
            for number, (text, line, at) in enumerate(functions(options.functions)):
                buffer = editor.open(f"file{number}.py", text, "python")
                took = await explained(editor, reader, buffer, line, at)
                asked += 1
                if took is not None:
                    times.append(took)
                buffer.close()
    report.say(f"{asked - len(times)} of {asked} without words of a model.")
    spreads = {
        "first words": Spread.of([each.first for each in times]),
        "all of it": Spread.of([each.whole for each in times]),
        "hover, when it is known": Spread.of([each.hover for each in times]),
        "all of it, when it is known": Spread.of([each.again for each in times]),
    }
    report.table(
        "Explanation of a function of 30 lines, ms",
        SPREAD,
        [spread_row(name, spread) for name, spread in spreads.items()],
    )
    limits = (FIRST_MS, WHOLE_MS, KNOWN_MS)
    for (name, spread), limit in zip(spreads.items(), limits, strict=False):
        known = limit == KNOWN_MS
        measured = None if spread is None else spread.p95 if known else spread.p50
        report.hold(Bar(f"{name}, {'p95' if known else 'p50'}", measured, limit, "ms"))
    report.keep("times_ms", [[e.first, e.whole, e.hover, e.again] for e in times])
    return report.finish(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = options_parser("explaining", "Time to an explanation, and again when it is known.")
    parser.add_argument("--functions", type=int, default=FUNCTIONS, help=f"so many ({FUNCTIONS})")
    parser.add_argument("--model", default="qwen2.5-coder-0.5b", help="of `coai models list`")
    return run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
