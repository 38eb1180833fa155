"""How often COAI repairs a function with one bug, beside the bare model asked once.

    python -m benchmarks.fixing --data FOLDER                # all rows, both languages
    python -m benchmarks.fixing --data FOLDER --every 20     # each twentieth row
    python -m benchmarks.fixing --data FOLDER --no-test      # without the tests as --test

`--data` is a folder with `humanevalpack_python.jsonl.gz` and `humanevalpack_js.jsonl.gz`
(HumanEvalFix: buggy functions, and tests that they fail). For each row the same model is asked in
three ways: once and bare, with the function as it is written (greedily, its answer put in the
function's place as it comes); as `coai fix FILE:SYMBOL`, which runs nothing; and as `coai fix FILE
--test CMD` with the row's tests as the command. A row counts where its tests pass afterwards
(pass@1). Programs are run in child processes with a time limit, in a folder of their own.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.support.report import Bar, Report, options_parser, refuse, run
from coai_agents.source import Source
from coai_agents.specialists.asking import NobodyError, Prompt
from coai_agents.specialists.edits import parses_no_worse
from coai_agents.specialists.fixing.agent import fix_by_test, fix_findings
from coai_agents.specialists.fixing.rewriting import (
    CHARACTERS_A_TOKEN,
    CLOSING,
    SPARE_TOKENS,
)
from coai_agents.specialists.targets import Target
from coai_agents.syntax.definitions import outline
from coai_agents.syntax.tree import parse
from coai_routing.request import Capability
from coai_server.cli.agents.models import asker
from coai_server.cli.agents.trying import Trial

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from coai_agents.specialists.asking import Asker

LANGUAGES: Final = {
    "python": ("python", "py", sys.executable),
    "js": ("javascript", "js", "node"),
}
TEST_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 300.0
WITH_TESTS: Final = 1.5
"""How many times as often as bare a function is to be repaired where the tests are given."""

_WAYS: Final = ("bare", "fix", "fix --test")


@dataclass(frozen=True, slots=True)
class Row:
    """A function with a bug, and the tests that it fails."""

    task: str
    entry: str
    language: str
    suffix: str
    program: str
    text: str
    test: str


def main() -> int:
    """Measure; return the exit code."""
    parser = options_parser("fixing", __doc__ or "")
    parser.add_argument("--data", type=Path, required=True, help="the folder with the functions")
    parser.add_argument("--every", type=int, default=1, help="only each so-manieth row")
    parser.add_argument(
        "--no-test", action="store_true", help="leave out the way with the tests as --test"
    )
    options = parser.parse_args()
    missing = [name for name in LANGUAGES if not _file(options.data, name).exists()]
    if missing:
        return refuse(f"There is no {_file(options.data, missing[0]).name} in {options.data}.")
    return run(_measure(options))


async def _measure(options: argparse.Namespace) -> int:
    report = Report("Repair of functions with one bug")
    ways = _WAYS[:2] if options.no_test else _WAYS
    counts: Counter[str] = Counter()
    rows: list[tuple[str, ...]] = []
    async with asker(
        Path.cwd(), agent="benchmark", wanted=True, alias=None, seconds=ANSWER_SECONDS
    ) as asked:
        if asked.absent is not None:
            return refuse(asked.absent)
        for name in LANGUAGES:
            told: Counter[str] = Counter()
            for row in rows_of(options.data, name, options.every):
                told += await _row(row, asked, ways)
                print(row.task, dict(told), file=sys.stderr, flush=True)
            rows.append((name, *(str(told[column]) for column in ("functions", *ways, "offered"))))
            counts += told
    report.table("pass@1", ("language", "functions", *ways, "offered"), rows)
    bars = [
        Bar("offered changes that do not parse or leave the function", counts["unsound"], 0.0),
        Bar("without tests, beside bare", counts["fix"], counts["bare"], at_least=True),
    ]
    if not options.no_test:
        limit = WITH_TESTS * counts["bare"]
        bars.append(Bar("with tests, beside bare", counts["fix --test"], limit, at_least=True))
    report.hold(*bars)
    return report.finish(options)


def _file(folder: Path, name: str) -> Path:
    return folder / f"humanevalpack_{name}.jsonl.gz"


def rows_of(folder: Path, name: str, every: int) -> Iterator[Row]:
    """Yield a language's rows, each so-manieth."""
    language, suffix, program = LANGUAGES[name]
    with gzip.open(_file(folder, name), "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            if number % every:
                continue
            row = json.loads(line)
            text = row["prompt"].lstrip("\n") + row["buggy_solution"]
            yield Row(
                row["task_id"], row["entry_point"], language, suffix, program, text, row["test"]
            )


async def _row(row: Row, asked: Asker, ways: tuple[str, ...]) -> Counter[str]:
    counts = Counter(functions=1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / f"program.{row.suffix}"
        path.write_text(row.text, "utf-8")
        (folder / f"judge.{row.suffix}").write_text(judge(row), "utf-8")
        command = f"{row.program} judge.{row.suffix}"
        trial = Trial(path, command, seconds=TEST_SECONDS, directory=folder)
        source = Source(path.as_uri(), row.text, row.language)
        for way in ways:
            after = await _repaired(way, source, row, asked, trial)
            counts[way] += (await trial(after)).passed
            if way != "bare" and after.text != source.text:
                counts["offered"] += 1
                counts["unsound"] += not _is_sound(source, after)
    return counts


def judge(row: Row) -> str:
    """Return a program that loads the function's file and holds it to the tests."""
    if row.language == "python":
        return f"exec(open('program.py').read())\n{row.test}\n"
    failing = "console.assert = (held, said) => { if (!held) throw new Error(said || 'failed'); };"
    # In one scope, as both are written for.
    return (
        f"{failing}\nconst code = require('fs').readFileSync('program.js', 'utf8');\n"
        f"new Function('require', code + '\\n' + {json.dumps(row.test)})(require);\n"
    )


async def _repaired(way: str, source: Source, row: Row, asked: Asker, trial: Trial) -> Source:
    if way == "bare":
        return await _bare(source, row, asked)
    if way == "fix":
        target = Target(trial.path.name, symbol=row.entry)
        return (await fix_findings(source, target, asked)).after
    target = Target(trial.path.name)
    return (await fix_by_test(source, target, asked, trial, trial.path.name)).after


async def _bare(source: Source, row: Row, asked: Asker) -> Source:
    """Ask once, as HumanEvalFix words it, and take the answer's code as it comes."""
    prompt = Prompt(
        Capability.CODE_ANALYSIS,
        "You are a helpful assistant.",
        f"{row.text}\n\nFix bugs in {row.entry}.",
        max_tokens=round(len(row.text) / CHARACTERS_A_TOKEN) + SPARE_TOKENS,
        stop=(CLOSING,),
    )
    try:
        said = await asked.say(prompt)
    except NobodyError as error:
        print(f"{row.task}: {error}", file=sys.stderr)
        return source
    code = said.text.split("```")[1].partition("\n")[2] if "```" in said.text else said.text
    # What it does not repeat, the imports before the function, is there all the same.
    before = row.text[: max(0, row.text.find(row.entry))].rpartition("\n")[0]
    return Source(source.uri, f"{before}\n{code}", row.language)


def _is_sound(before: Source, after: Source) -> bool:
    return parses_no_worse(before, after) and _names(before) == _names(after)


def _names(source: Source) -> list[Any]:
    tree = parse(source)
    return [] if tree is None else [each.name for each in outline(tree) if not each.depth]


if __name__ == "__main__":
    sys.exit(main())
