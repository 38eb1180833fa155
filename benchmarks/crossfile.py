"""Whether completions know the other files of a project: calls of what another file defines.

    python -m benchmarks.crossfile --data DIR --rows 60
    python -m benchmarks.crossfile --data DIR --shown

DIR has archives of packages that are younger than the model, so that it cannot know them. Each row
is a line that calls a function or class of another file; what stands between its bracket and the
line's end is cut out. The real daemon, with the package in its workspace, fills it in three times:
with COAI's context, with none, and with the definition's signature written above the line by hand,
which is the most that a context could give. Printed are exact matches and the similarity of what
was written (difflib's ratio).

`--shown` asks no model: it counts the rows at whose hole the prompt would show the definition.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.support.archives import packages, texts
from benchmarks.support.daemon import NO_SERVERS, assignments, empty_workspace
from benchmarks.support.figures import mean
from benchmarks.support.report import Bar, Report, options_parser, run
from coai_agents.completion.cursor import Cursor
from coai_agents.context.knowledge import WorkspaceContext
from coai_agents.context.outlines import read_code
from coai_agents.exclusions.decisions import ExclusionRules, Exclusions
from coai_agents.source import Source
from coai_routing.errors import CoaiError
from coai_server.cli.readiness import wait_until_ready
from coai_server.editor import Trigger, daemon_command, launched

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from coai_server.editor import Editor

SHARE: Final = 0.5
"""So much of the way from no context to the definition by hand has to be walked."""

BUDGETS: Final = (174, 576, 4_000)
"""Characters for other files: a CPU while typing, the same at rest, and a GPU."""
SHOWN: Final = 0.8
"""In so many of the rows the definition has to be shown."""

Files = dict[str, dict[str, str]]
"""Texts by package and path."""

LANGUAGES: Final = frozenset({"python", "typescript", "typescriptreact"})
SHORTEST: Final = 4
"""Characters of a hole: less says nothing."""

READING_SECONDS: Final = 2.0
"""So long the daemon has for reading what a document imports, before it is asked."""

ANSWER_SECONDS: Final = 240.0

UNHURRIED: Final[Mapping[str, str]] = {
    "completion.target_latency_ms": "2000",
    "completion.patience_ms": "60000",
    "completion.timeout_ms": "200000",
    "completion.max_tokens": "32",
    "completion.prefetch": "false",
}
"""What is asked is what the context is worth, not how much of it a busy machine has time for."""

SIDES: Final = ("none", "COAI", "by hand")

_NO_CALL: Final = re.compile(r"\b(?:def|class|function|import)\b|#|//|>>>|[\"'`]")
_BUILT: Final = re.compile(r"(?:^|/)(?:dist|build|lib|esm|cjs|out)/")
_WORD: Final = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Row:
    """A call of what another file of its package defines."""

    package: str
    path: str
    before: str
    hole: str
    behind: str
    definition: str
    """The signature and the first line of the documentation, as a prompt would show them."""

    @property
    def signature(self) -> str:
        """The line of the definition that names it."""
        name = _WORD.findall(self.before)[-1]
        lines = self.definition.split("\n")
        return next((line for line in lines if name in line), lines[0]).strip()

    @property
    def with_definition(self) -> str:
        """What stands before the hole, with the definition as a comment above its line."""
        above, _, line = self.before.rpartition("\n")
        indent = line[: len(line) - len(line.lstrip())]
        mark = "#" if self.path.endswith(".py") else "//"
        shown = "".join(f"{indent}{mark} {each}\n" for each in self.definition.split("\n"))
        return f"{above}\n{shown}{line}" if above else f"{shown}{line}"


def written(files: Mapping[str, str]) -> dict[str, str]:
    """Return the files that people wrote: a package of npm has what was built of them besides."""
    return {
        path: text
        for path, text in files.items()
        if not (_BUILT.search(path) or path.endswith((".d.ts", ".min.js")))
    }


def rows_of(package: str, files: Mapping[str, str]) -> Iterator[Row]:
    """Yield the rows of a package; names that two of its files define are left out."""
    codes = {
        path: read_code(source)
        for path, text in files.items()
        if (source := Source(f"file:///{path}", text)).language in LANGUAGES
    }
    defined: dict[str, list[tuple[str, str]]] = {}
    for path, code in codes.items():
        for symbol in code.symbols:
            defined.setdefault(symbol.name, []).append((path, symbol.text))
    for path, code in codes.items():
        if "test" in path:
            continue
        for each in code.imports:
            there = defined.get(each.name or "", [])
            if each.local == each.name and len(there) == 1 and there[0][0] != path:
                yield from _calls(package, path, files[path], each.local, there[0][1])


def _calls(package: str, path: str, text: str, name: str, definition: str) -> Iterator[Row]:
    for found in re.finditer(rf"(?<![\w.]){re.escape(name)}\(", text):
        end = text.find("\n", found.end())
        hole = text[found.end() : len(text) if end < 0 else end]
        line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        calls = not _NO_CALL.search(line)
        whole = hole.count("(") < hole.count(")") and len(hole.strip()) >= SHORTEST
        if calls and whole and _WORD.search(hole):
            yield Row(
                package,
                path,
                text[: found.end()],
                hole,
                text[len(text) if end < 0 else end :],
                definition,
            )


def chosen(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    """Return so many rows, as many of each package as there are."""
    of_package: dict[str, list[Row]] = {}
    for row in rows:
        of_package.setdefault(row.package, []).append(row)
    draw = random.Random(seed)
    for each in of_package.values():
        draw.shuffle(each)
    found: list[Row] = []
    while len(found) < count and any(of_package.values()):
        for each in of_package.values():
            if each and len(found) < count:
                found.append(each.pop())
    return found


async def shown(report: Report, rows: Sequence[Row], found: Files) -> None:
    """Count the rows whose definition a prompt shows, by how much room there is for other files."""
    counts = dict.fromkeys(BUDGETS, 0)
    with empty_workspace() as folder:
        _lay_out(folder, found)
        exclusions = Exclusions(lambda _: ExclusionRules(), roots=[folder])
        await exclusions.refresh()
        for row in rows:
            source = Source((folder / row.package / row.path).as_uri(), row.before + row.behind)
            for budget in BUDGETS:
                # What was shown before is held on to; each question is the first one here.
                context = WorkspaceContext(exclusions)
                context.opened(source)
                await context.refresh()
                files = context.files(source, Cursor.at(source, len(row.before)), budget)
                counts[budget] += any(row.signature in file.text for file in files)
                await context.aclose()
    shares = {budget: count / len(rows) for budget, count in counts.items()}
    report.table(
        "Rows whose definition is shown",
        ("characters for other files", "share"),
        [(str(budget), f"{share:.2f}") for budget, share in shares.items()],
    )
    report.keep("shown", {str(budget): share for budget, share in shares.items()})
    for budget, share in shares.items():
        report.hold(Bar(f"shown, {budget} characters", share, SHOWN, at_least=True))


async def filled(editor: Editor, row: Row, side: str) -> str:
    """Return what the daemon writes into a row's hole."""
    before = row.with_definition if side == "by hand" else row.before
    buffer = editor.open(Path(row.package, row.path), before + row.behind)
    buffer.cursor = len(before)
    try:
        await asyncio.sleep(READING_SECONDS if side == "COAI" else 0)
        ghosts = await buffer.ask(Trigger.INVOKED, seconds=ANSWER_SECONDS)
    finally:
        buffer.close()
    return ghosts[0].text.split("\n")[0] if ghosts else ""


async def measure(options: argparse.Namespace) -> int:
    """Print the figures; return the exit code."""
    archives = packages(options.data)
    found = {name: written(texts(versions[-1])) for name, versions in archives.items()}
    everything = [row for name, files in found.items() for row in rows_of(name, files)]
    rows = chosen(everything, options.rows, options.seed)
    if not rows:
        raise CoaiError("There is not a single row to ask about.")
    report = Report("Other files' knowledge")
    report.say(f"{len(rows)} of {len(everything)} rows, {len(found)} packages")
    if options.shown:
        await shown(report, rows, found)
        return report.finish(options)
    answers: dict[str, list[str]] = {side: [] for side in SIDES}
    async with AsyncExitStack() as stack:
        editors: dict[str, Editor] = {}
        for context in ("false", "true"):
            folder = stack.enter_context(empty_workspace())
            _lay_out(folder, found)
            settings = {**NO_SERVERS, **UNHURRIED, "completion.context": context}
            command = daemon_command(*assignments(settings))
            editors[context] = await stack.enter_async_context(launched(folder, command=command))
            await wait_until_ready(editors[context], seconds=120.0)
        for number, row in enumerate(rows):
            for side in SIDES:
                editor = editors["true" if side == "COAI" else "false"]
                answers[side].append(await filled(editor, row, side))
            if options.show:
                _show(report, row, {side: answers[side][number] for side in SIDES})
    publish(report, rows, answers)
    return report.finish(options)


def _show(report: Report, row: Row, said: Mapping[str, str]) -> None:
    report.say(f"{row.path}: {row.before.rpartition(chr(10))[2].strip()}|{row.hole}")
    for side, text in said.items():
        report.say(f"    {side:8} {text}")


def _lay_out(folder: Path, found: Files) -> None:
    """Write the packages' files into a workspace."""
    for package, files in found.items():
        for path, text in files.items():
            place = folder / package / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")


def publish(report: Report, rows: Sequence[Row], answers: Mapping[str, Sequence[str]]) -> None:
    """Print how each side did, and how much of the way COAI walks."""
    exact: dict[str, float] = {}
    similar: dict[str, float] = {}
    for side, texts_ in answers.items():
        pairs = [(row.hole.strip(), text.strip()) for row, text in zip(rows, texts_, strict=True)]
        exact[side] = mean([hole == text for hole, text in pairs])
        similar[side] = mean([SequenceMatcher(None, *pair).ratio() for pair in pairs])
    report.table(
        "Calls of what another file defines",
        ("", "exact match", "edit similarity"),
        [(side, f"{exact[side]:.3f}", f"{similar[side]:.3f}") for side in SIDES],
    )
    report.keep("exact", exact)
    report.keep("similarity", similar)
    for name, figure in (("exact match", exact), ("edit similarity", similar)):
        way = figure["by hand"] - figure["none"]
        walked = (figure["COAI"] - figure["none"]) / way if way > 0 else 1.0
        report.hold(Bar(f"share of the way, {name}", walked, SHARE, at_least=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = options_parser("crossfile", "Measure what completions know of other files.")
    parser.add_argument(
        "--data", metavar="DIR", type=Path, required=True, help="a folder of packages' archives"
    )
    parser.add_argument("--rows", type=int, default=200, help="so many rows (200)")
    parser.add_argument("--seed", type=int, default=0, help="decides which rows (0)")
    parser.add_argument("--shown", action="store_true", help="ask no model")
    parser.add_argument("--show", action="store_true", help="print every answer")
    return run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
