"""Triage: how many true findings keep their severity, and how many false ones lose it.

    python -m benchmarks.triage --data FOLDER                # heuristics alone
    python -m benchmarks.triage --data FOLDER --model        # and the model of the settings
    python -m benchmarks.triage --data FOLDER --model --rows 40
    python -m benchmarks.triage --data FOLDER --alone --rows 40  # the model without heuristics

`--data` is a folder with `benchmarkpython.jsonl.gz`. Its precision is lowered on purpose: as a tool
does that knows patterns and no values, every place is reported where a value from outside would do
harm, whatever arrives there, beside what the static tier reports. A row counts where that reports
the row's own weakness; it is kept while one such finding is, and lowered when all of them are.

Some rows are called vulnerable whose program reads `param` and uses it nowhere: what arrives is a
constant. The bar holds for all rows; the figure without those stands beside it.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter, defaultdict
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.static_sets import FAMILIES, rows
from benchmarks.support.report import Bar, Report, options_parser, refuse, run
from coai_agents.analysis.findings.findings import Finding
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source
from coai_agents.specialists.asking import Asker, NobodyError
from coai_agents.specialists.security.triage.agent import triage
from coai_agents.specialists.security.triage.evidence import evidence
from coai_agents.specialists.security.triage.following import follow
from coai_agents.specialists.security.triage.verdicts import chance_of_fault, prompt_for
from coai_agents.syntax.tree import parse
from coai_server.cli.agents.models import asker

if TYPE_CHECKING:
    import argparse

    from coai_agents.specialists.security.triage.agent import Triaged

PATIENCE: Final = 6
PAUSE: Final = 20.0
"""Seconds."""

KEPT: Final = 0.98
LOWERED: Final = 0.5


def main() -> int:
    """Measure; return the exit code."""
    parser = options_parser("triage", __doc__ or "")
    parser.add_argument("--data", type=Path, required=True, help="the folder with the programs")
    parser.add_argument("--rows", type=int, default=0, help="so many, evenly spread; 0 for all")
    parser.add_argument("--model", action="store_true", help="ask the model of the settings")
    parser.add_argument("--alone", action="store_true", help="ask about all, to calibrate")
    parser.add_argument("--alias", default=None, help="ask this model of `coai route models`")
    options = parser.parse_args()
    if not (options.data / "benchmarkpython.jsonl.gz").exists():
        return refuse(f"There is no benchmarkpython.jsonl.gz in {options.data}.")
    return run(_measure(options))


def reported(source: Source, family: set[int]) -> list[Finding]:
    """Return what is found of some weaknesses, and every place where it could be."""
    found = [each for each in analyse(source).findings if family & set(each.cwe)]
    lines = {source.line_at(each.span.start) for each in found}
    tree = parse(source, budget=1.0)
    known = None if tree is None else follow(tree)
    found.extend(
        Finding(
            sink.rule,
            sink.span,
            sink.message,
            sink.severity,
            source.uri,
            source.version,
            sink.cwe,
            origin="patterns",
        )
        for sink in (() if known is None else known.sinks)
        if family & set(sink.cwe) and source.line_at(sink.span.start) not in lines
    )
    return found


async def _measure(options: argparse.Namespace) -> int:
    report = Report("Triage" + (", with a model" if options.model else ""))
    some = rows(options.data, "benchmarkpython.jsonl.gz")
    if options.rows:
        some = some[:: max(1, len(some) // options.rows)]
    counted: Counter[tuple[bool, str]] = Counter()
    chances: dict[bool, list[float]] = defaultdict(list)
    by: Counter[tuple[str, bool]] = Counter()
    context = (
        asker(Path.cwd(), agent="benchmark", wanted=True, alias=options.alias)
        if options.model or options.alone
        else nullcontext(Asker())
    )
    async with context as asked:
        for number, row in enumerate(some, 1):
            if options.model and sys.stderr.isatty():
                sys.stderr.write(f"\r{number}/{len(some)}")
            if options.alone:
                await _alone(row, asked, chances)
            else:
                await _row(row, asked, counted, chances, by)
    if options.alone:
        _tell_chances(report, chances)
        return report.finish(options)
    _tell(report, counted, chances, by, model=options.model)
    return report.finish(options)


async def _alone(row: dict[str, Any], asked: Asker, chances: dict[bool, list[float]]) -> None:
    """Ask a model about a row's findings, whatever heuristics say."""
    source = Source("file:///work/app.py", row["source"], "python")
    tree = parse(source, budget=1.0)
    for each in reported(source, FAMILIES[row["category"]])[:1]:
        assert tree is not None
        for _ in range(PATIENCE):
            try:
                said = await asked.say(prompt_for(each, evidence(tree, each), ""))
                break
            except NobodyError:
                # A busy machine's model is left alone for a while when it was too slow.
                await asyncio.sleep(PAUSE)
        else:
            continue
        chance = chance_of_fault(said.alternatives)
        if chance is not None:
            chances[bool(row["vulnerable"])].append(chance)


_READ: Final = re.compile(r"\bparam\b")
_GIVEN: Final = re.compile(r"\bbar = ")


def _reads_in_vain(text: str) -> bool:
    """Say whether a program uses `param` nowhere once it begins to make `bar`, which it uses."""
    begin = _GIVEN.search(text)
    return begin is not None and _READ.search(text, begin.start()) is None


async def _row(
    row: dict[str, Any],
    asked: Asker,
    counted: Counter[tuple[bool, str]],
    chances: dict[bool, list[float]],
    by: Counter[tuple[str, bool]],
) -> None:
    source = Source("file:///work/app.py", row["source"], "python")
    found = reported(source, FAMILIES[row["category"]])
    if not found:
        return
    true = bool(row["vulnerable"])
    outcome = await triage(source, found, asked, path="app.py")
    counted[true, "all"] += 1
    vain = true and _reads_in_vain(row["source"])
    counted[true, "in vain"] += vain
    alone = [each for each in outcome.triaged if not (each.doubted and each.chance is None)]
    counted[true, "heuristics"] += not alone
    counted[true, "in vain, lowered"] += vain and not alone
    counted[true, "model"] += not [each for each in outcome.triaged if not each.doubted]
    for each in outcome.triaged:
        by[_name(each), true] += 1
        if each.chance is not None:
            chances[true].append(each.chance)


def _name(each: Triaged) -> str:
    if not each.doubted:
        return "kept"
    return each.by if each.chance is None else "model"


def _tell(
    report: Report,
    counted: Counter[tuple[bool, str]],
    chances: dict[bool, list[float]],
    by: Counter[tuple[str, bool]],
    *,
    model: bool,
) -> None:
    table: list[tuple[str, ...]] = []
    for kind in ("heuristics", "model") if model else ("heuristics",):
        kept = 1 - counted[True, kind] / max(1, counted[True, "all"])
        lowered = counted[False, kind] / max(1, counted[False, "all"])
        name = "with the model" if kind == "model" else "heuristics alone"
        table.append((name, f"{kept:.3f}", f"{lowered:.3f}"))
        report.hold(Bar(f"true findings kept, {name}", kept, KEPT, at_least=True))
        report.hold(Bar(f"false findings lowered, {name}", lowered, LOWERED, at_least=True))
    used = counted[True, "all"] - counted[True, "in vain"]
    lost = counted[True, "heuristics"] - counted[True, "in vain, lowered"]
    said = f"{1 - lost / max(1, used):.3f} of {used}"
    report.say(f"True findings kept by heuristics where `param` is used at all: {said}")
    counts = f"{counted[True, 'all']} true and {counted[False, 'all']} false"
    report.table(f"Triage of {counts}", ("", "true kept", "false lowered"), table)
    why = [(name, str(by[name, True]), str(by[name, False])) for name in sorted({n for n, _ in by})]
    report.table("What became of findings", ("by", "true", "false"), why)
    if chances:
        _tell_chances(report, chances)


def _tell_chances(report: Report, chances: dict[bool, list[float]]) -> None:
    table: list[tuple[str, ...]] = []
    for cut in sorted({round(cut, 3) for some in chances.values() for cut in some}):
        below = {kind: sum(each < cut for each in chances[kind]) for kind in (True, False)}
        table.append((f"{cut:.3f}", *(f"{below[kind]}/{len(chances[kind])}" for kind in below)))
    report.table("Findings below a probability of a fault", ("probability", "true", "false"), table)


if __name__ == "__main__":
    sys.exit(main())
