"""How good completions are: holes in programs, filled through the daemon and by the bare model.

    python -m benchmarks.infilling --data DIR --kind singleline --rows 200

Each row is opened in the real daemon as a document whose cursor is at the hole, and completed as
in an editor. In the same run the same llama.cpp server gets the plain fill-in-the-middle prompt,
greedily, with as many tokens and the same stop tokens. Both answers' programs are then run: a row
is passed if its test passes. `--save` keeps the answers, `--rescore` runs them again.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.support.bare_model import BareModel, bare_model
from benchmarks.support.daemon import NO_SERVERS, editing
from benchmarks.support.figures import Spread, bootstrap_interval, mean
from benchmarks.support.infilling_rows import KINDS, Row, chosen, load_rows, passing
from benchmarks.support.report import SPREAD, Bar, Report, options_parser, run, spread_row
from coai_routing.errors import CoaiError
from coai_server.editor import Trigger

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from coai_server.editor import Editor

FLOORS: Final[Mapping[str, float]] = {"multiline": 0.30, "randomspan": 0.40}
"""The least share of rows that must pass; single lines are held against the bare model."""

MAX_TOKENS: Final = 128

ANSWER_SECONDS: Final = 120.0

PROGRESS_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What one side wrote into a hole."""

    text: str
    latency_ms: float
    replaces: int = 0
    """Characters after the cursor that the text stands in for."""
    ended: str = ""
    """Why there is nothing, or how the bare model ended."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides' answers to one row."""

    task_id: str
    coai: Answer
    bare: Answer | None
    """None where only the daemon was asked."""


@dataclass(slots=True)
class Score:
    """How one side did, row by row."""

    passed: list[bool] = field(default_factory=list[bool])
    exact: list[bool] = field(default_factory=list[bool])


async def ask_daemon(editor: Editor, row: Row, number: int, trigger: Trigger) -> Answer:
    """Open a row as a document, ask for a completion in its hole, and close it."""
    buffer = editor.open(f"row_{number}.py", row.prompt + row.suffix, "python")
    buffer.cursor = len(row.prompt)
    started = time.perf_counter()
    ghosts = await buffer.ask(trigger, seconds=ANSWER_SECONDS)
    spent = (time.perf_counter() - started) * 1000
    try:
        if not ghosts:
            status = await editor.status()
            return Answer("", spent, ended=str((status["last"] or {"reason": ""}).get("reason")))
        ghost = ghosts[0]
        return Answer(ghost.text, spent, replaces=ghost.span.end - ghost.span.start)
    finally:
        buffer.close()


async def collect(
    rows: Sequence[Row], editor: Editor, bare: BareModel | None, options: argparse.Namespace
) -> list[Pair]:
    """Ask both sides about every row, one after the other; without a bare model only one."""
    trigger = Trigger.INVOKED if options.trigger == "invoked" else Trigger.AUTOMATIC
    pairs: list[Pair] = []
    told = time.monotonic()
    for number, row in enumerate(rows):
        coai = await ask_daemon(editor, row, number, trigger)
        other: Answer | None = None
        if bare is not None:
            filled = await bare.fill(row.prompt, row.suffix)
            other = Answer(filled.text, filled.latency_ms, ended=filled.ended)
        pairs.append(Pair(row.task_id, coai, other))
        if time.monotonic() - told > PROGRESS_SECONDS:
            told = time.monotonic()
            sys.stderr.write(f"{number + 1} of {len(rows)} rows\n")
    return pairs


async def score(rows: Sequence[Row], answers: Sequence[Answer]) -> Score:
    """Run each answer's program."""
    filled = [
        row.filled(answer.text, replaces=answer.replaces)
        for row, answer in zip(rows, answers, strict=True)
    ]
    programs = [row.program(text) for row, text in zip(rows, filled, strict=True)]
    exact = [row.filled(row.solution) == text for row, text in zip(rows, filled, strict=True)]
    return Score(await passing(programs), exact)


async def publish(
    report: Report, rows: Sequence[Row], pairs: Sequence[Pair], options: argparse.Namespace
) -> None:
    """Score both sides and print them beside each other; raises CoaiError if there is no row."""
    if not pairs:
        raise CoaiError("There is not a single row to score.")
    kind = str(options.kind)
    ours = await score(rows, [pair.coai for pair in pairs])
    bare = [pair.bare for pair in pairs if pair.bare is not None]
    if len(bare) < len(pairs):
        report.say(f"\n{kind}: pass@1 {mean(ours.passed):.3f}, exact {mean(ours.exact):.3f}.")
        others: dict[str, Score] = {}
    else:
        others = {"bare model": await score(rows, bare)}
    if others and kind == "singleline":
        # It is known that one line is missing: who uses the model bare can cut there.
        others["its first line"] = await score(rows, [first_line(answer) for answer in bare])
    table: list[tuple[str, ...]] = []
    for name, theirs in others.items():
        for measure_, a, b in (
            ("pass@1", ours.passed, theirs.passed),
            ("exact match", ours.exact, theirs.exact),
        ):
            comparison = Comparison.of(a, b, seed=options.seed)
            table.append((f"{measure_} against the {name}", *comparison.cells()))
            report.keep(f"{measure_}, {name}", asdict(comparison))
    columns = (
        f"{kind}, {len(pairs)} rows",
        "COAI",
        "other",
        "difference",
        "95 % interval",
        "+",
        "-",
    )
    if table:
        report.table(
            "Holes filled; + and -: rows that only COAI, only the other got", columns, table
        )
    silent = Counter(pair.coai.ended or "?" for pair in pairs if not pair.coai.text)
    told = ", ".join(f"{reason} {count}" for reason, count in silent.most_common())
    report.say(f"\nRows without a suggestion: {told or 'none'}.")
    latencies = {
        "COAI": Spread.of([pair.coai.latency_ms for pair in pairs]),
        "bare model": Spread.of([answer.latency_ms for answer in bare]),
    }
    report.table("Latency", SPREAD, [spread_row(*named) for named in latencies.items()])
    best = max((mean(theirs.passed) for theirs in others.values()), default=None)
    against = "" if kind in FLOORS else ", not below the bare model"
    floor = FLOORS.get(kind, best)
    if floor is not None:
        report.hold(Bar(f"pass@1, {kind}{against}", mean(ours.passed), floor, at_least=True))


def first_line(answer: Answer) -> Answer:
    """Return an answer cut at its first line's end."""
    return replace(answer, text=answer.text.partition("\n")[0])


@dataclass(frozen=True, slots=True)
class Comparison:
    """COAI against another, on the same rows."""

    coai: float
    other: float
    low: float
    high: float
    """The 95 % interval of the difference."""
    won: int
    lost: int

    @classmethod
    def of(cls, ours: Sequence[bool], theirs: Sequence[bool], *, seed: int) -> Comparison:
        """Compare row by row."""
        differences = [int(a) - int(b) for a, b in zip(ours, theirs, strict=True)]
        low, high = bootstrap_interval(differences, seed=seed)
        won, lost = differences.count(1), differences.count(-1)
        return cls(mean(ours), mean(theirs), low, high, won, lost)

    def cells(self) -> tuple[str, ...]:
        """Return it as cells of a table."""
        return (
            f"{self.coai:.3f}",
            f"{self.other:.3f}",
            f"{self.coai - self.other:+.3f}",
            f"{self.low:+.3f} to {self.high:+.3f}",
            str(self.won),
            str(self.lost),
        )


def save(path: Path, pairs: Sequence[Pair]) -> None:
    """Keep the answers as JSON lines."""
    text = "".join(json.dumps(asdict(pair)) + "\n" for pair in pairs)
    path.write_text(text, encoding="utf-8")


def saved(path: Path) -> list[Pair]:
    """Read answers that were kept; raises CoaiError where that cannot be done."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [_pair(json.loads(line)) for line in lines if line.strip()]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CoaiError(f"{path} has no answers that can be read: {error}.") from error


def _pair(fields: Mapping[str, Any]) -> Pair:
    bare = fields["bare"]
    return Pair(fields["task_id"], Answer(**fields["coai"]), bare and Answer(**bare))


@asynccontextmanager
async def both_sides(
    options: argparse.Namespace,
) -> AsyncGenerator[tuple[Editor, BareModel | None]]:
    """Start the daemon and find the llama.cpp server that it uses, unless only one is wanted."""
    settings = {**NO_SERVERS, "completion.max_tokens": str(options.max_tokens)}
    if options.model is not None:
        settings["engine.model"] = str(options.model)
    async with AsyncExitStack() as stack:
        editor = await stack.enter_async_context(editing(settings))
        bare = None
        if not options.alone:
            bare = await stack.enter_async_context(
                bare_model(settings, max_tokens=options.max_tokens)
            )
        yield editor, bare


async def measure(options: argparse.Namespace) -> int:
    """Print the figures; return the exit code."""
    everything = load_rows(options.data, options.kind)
    report = Report(f"Infilling, {options.kind}")
    if options.rescore is not None:
        by_id = {row.task_id: row for row in everything}
        pairs = [pair for pair in saved(options.rescore) if pair.task_id in by_id]
        rows = [by_id[pair.task_id] for pair in pairs]
    else:
        rows = chosen(everything, options.rows, seed=options.seed)
        async with both_sides(options) as (editor, bare):
            status = await editor.status()
            report.say(f"{status['model']}: {status['detail']}")
            pairs = await collect(rows, editor, bare, options)
        if options.save is not None:
            await asyncio.to_thread(save, options.save, pairs)
    await publish(report, rows, pairs, options)
    return report.finish(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = options_parser("infilling", "Measure how good completions are.")
    parser.add_argument(
        "--data", metavar="DIR", type=Path, required=True, help="the folder of the data sets"
    )
    parser.add_argument("--kind", choices=KINDS, default="singleline", help="which data set")
    parser.add_argument("--rows", type=int, help="so many rows, chosen by the seed (all)")
    parser.add_argument("--seed", type=int, default=0, help="decides which rows (0)")
    parser.add_argument(
        "--trigger", choices=("invoked", "automatic"), default="invoked", help="how it is asked"
    )
    parser.add_argument(
        "--max-tokens", type=int, default=MAX_TOKENS, help=f"of an answer ({MAX_TOKENS})"
    )
    parser.add_argument("--model", metavar="NAME|FILE", help="the engine's model (the default)")
    parser.add_argument("--alone", action="store_true", help="do not ask the bare model")
    parser.add_argument("--save", metavar="FILE", type=Path, help="keep the answers")
    parser.add_argument("--rescore", metavar="FILE", type=Path, help="score kept answers again")
    return run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
