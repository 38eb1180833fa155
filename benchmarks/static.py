"""Findings without a model: how many are right, how many are wrong, and how fast they are.

`--data DIR` has the development or the held-back half of the sets that `static_sets` knows; with
`--open` two thirds of their rows count, with `--held-out` the third that nobody looks at. The
standard library and packages of the running Python are good code: what is found there is a false
alarm until somebody has looked.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from benchmarks.auditing import audit_speed, fixers
from benchmarks.hostile import hostile
from benchmarks.static_clean import false_alarms, files_of, good_files, sample
from benchmarks.static_sets import LANGUAGES, Share, findings, rows, score
from benchmarks.support.figures import Spread
from benchmarks.support.report import SPREAD, Bar, Report, options_parser, spread_row
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence


def pairs(report: Report, folder: Path, share: Share) -> None:
    """Score amazon-q-detectors: pairs whose bad half alone is flagged."""
    told: Counter[str] = Counter()
    total: Counter[str] = Counter()
    python: list[dict[str, Any]] = []
    for row in rows(folder, "q_detectors.jsonl.gz", share):
        name = str(row["language"])
        if name not in LANGUAGES:
            continue
        if name == "python":
            python.append(row)
        language = LANGUAGES[name][0]
        bad = findings(row["noncompliant"]["source"], language)
        good = findings(row["compliant"]["source"], language)
        total[name] += 1
        told[name] += bool(bad) and not good
    others = {tool: judge(python) for tool, judge in _OTHERS.items() if _installed(tool)}
    table: list[tuple[str, ...]] = []
    for name, count in total.items():
        score = told[name] / count
        beside = [f"{others[tool]:.2f}" if name == "python" else "-" for tool in others]
        table.append((name, f"{told[name]}/{count}", f"{score:.2f}", *beside))
        report.hold(Bar(f"pairs told apart, {name}", score, LANGUAGES[name][1], at_least=True))
    report.table("amazon-q-detectors", ("language", "pairs", "coai", *others), table)
    report.keep("pairs", {name: told[name] / count for name, count in total.items()})


def _installed(tool: str) -> bool:
    return shutil.which(tool) is not None or importlib.util.find_spec(tool) is not None


def _judged(pairs_: Sequence[dict[str, Any]], flagged: Callable[[Path], set[str]]) -> float:
    """Return the share of pairs that a tool tells apart, all files checked in one run."""
    with tempfile.TemporaryDirectory() as folder:
        for number, row in enumerate(pairs_):
            for half in ("noncompliant", "compliant"):
                path = Path(folder, f"p{number}_{half}.py")
                path.write_text(row[half]["source"], encoding="utf-8")
        names = flagged(Path(folder))
    told = [
        f"p{number}_noncompliant.py" in names and f"p{number}_compliant.py" not in names
        for number in range(len(pairs_))
    ]
    return sum(told) / max(1, len(told))


def _run(arguments: Sequence[str]) -> Any:  # noqa: ANN401 - JSON of another program
    done = subprocess.run(arguments, capture_output=True, check=False, text=True, timeout=120)
    return json.loads(done.stdout or "null")


def _ruff(folder: Path) -> set[str]:
    command = ("ruff", "check", "--isolated", "--select", "S", "--output-format", "json")
    found: list[dict[str, Any]] = _run((sys.executable, "-m", *command, str(folder))) or []
    return {Path(each["filename"]).name for each in found}


def _bandit(folder: Path) -> set[str]:
    command = ("bandit", "-q", "-f", "json", "-r")
    found: dict[str, Any] = _run((sys.executable, "-m", *command, str(folder))) or {}
    return {Path(each["filename"]).name for each in found.get("results", [])}


_OTHERS: Final[dict[str, Callable[[Sequence[dict[str, Any]]], float]]] = {
    "ruff": lambda some: _judged(some, _ruff),
    "bandit": lambda some: _judged(some, _bandit),
}


def speed(report: Report, paths: Sequence[Path]) -> None:
    """Measure files of about 300 and 2,000 lines, parsing included."""
    sizes: dict[int, list[float]] = defaultdict(list)
    analyse(Source("untitled:warm", "import os\n", "python"))
    for path in paths:
        text = path.read_bytes().decode("utf-8", "replace")
        count = text.count("\n")
        for size in (300, 2_000):
            if 0.8 * size <= count <= 1.2 * size and len(sizes[size]) < 60:
                started = perf_counter()
                findings(text, "python")
                sizes[size].append((perf_counter() - started) * 1e3)
    spreads = {size: Spread.of(times) for size, times in sizes.items()}
    table = [spread_row(f"{size} lines", spreads[size]) for size in sorted(spreads)]
    report.table("From text to findings", SPREAD, table)
    for size, limit in ((300, 50.0), (2_000, 250.0)):
        spread = spreads.get(size)
        report.hold(
            Bar(f"findings in {size} lines, p95", spread.p95 if spread else None, limit, "ms")
        )


def measure(options: argparse.Namespace) -> int:
    """Run what was asked for; return the exit code."""
    report = Report("Findings without a model")
    if options.hostile:
        hostile(report, options.fuzzed)
        return report.finish(options)
    if options.audit:
        known = [] if options.data is None else rows(options.data, "q_detectors.jsonl.gz")
        fixers(report, known)
        audit_speed(report, good_files())
        return report.finish(options)
    if options.data is None:
        report.say("No --data: the data sets are left out.")
    elif not (options.data / "benchmarkpython.jsonl.gz").exists():
        report.say(f"There is no benchmarkpython.jsonl.gz in {options.data}.")
        return 2
    else:
        share = Share.HELD_OUT if options.held_out else Share.OPEN if options.open else Share.ALL
        score(report, options.data, share)
        pairs(report, options.data, share)
        if share is not Share.ALL:
            return report.finish(options)
    chosen = good_files() if options.clean is None else files_of(options.clean)
    paths = chosen[:: options.every]
    if options.sample is not None:
        sample(report, paths, options.sample)
        return report.finish(options)
    if options.clean is None:
        speed(report, paths)
    false_alarms(report, paths)
    return report.finish(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run."""
    parser = options_parser("static", "Findings without a model: right ones, wrong ones, speed.")
    parser.add_argument("--data", type=Path, metavar="DIR", help="the folder of the data sets")
    parser.add_argument(
        "--held-out", action="store_true", help="of the data sets only the third nobody looks at"
    )
    parser.add_argument(
        "--open", action="store_true", help="of the data sets only the two thirds to look at"
    )
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="only each Nth file of good code"
    )
    parser.add_argument(
        "--clean",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="these folders are good code, in place of Python's",
    )
    parser.add_argument("--hostile", action="store_true", help="only texts made to break it")
    parser.add_argument(
        "--fuzzed", type=int, default=100, metavar="N", help="damaged programs of each language"
    )
    parser.add_argument("--audit", action="store_true", help="only `coai audit` and its fixers")
    parser.add_argument(
        "--sample", type=int, metavar="SEED", help="only show a sample of what good code gets"
    )
    return measure(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
