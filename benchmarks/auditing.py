"""`coai audit` over many files, and what its fixers offer.

Used by `python -m benchmarks.static`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from benchmarks.support.report import Bar
from coai_agents.analysis.dataflow.lowering import LANGUAGES
from coai_agents.analysis.rules.rules import examples
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.fixes.fixers import fixable, fixes_for, verify
from coai_agents.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.support.report import Report

LINES: Final = 100
FILES: Final = 800

NAMES: Final = {"golang": "go", "tsx": "typescriptreact"}


def cut(paths: Iterable[Path], folder: Path) -> int:
    """Write stretches of real code, each of 100 lines and from the top level on, as files."""
    count = 0
    for path in paths:
        lines = path.read_bytes().decode("utf-8", "replace").splitlines(keepends=True)
        start = 0
        while start + LINES <= len(lines):
            if re.match(r"(?:async def|def|class|import|from)\b", lines[start]):
                text = "".join(lines[start : start + LINES])
                (folder / f"f{count:04}.py").write_text(text, encoding="utf-8")
                count += 1
                start += LINES
                if count == FILES:
                    return count
            else:
                start += 1
    return count


def audit_speed(report: Report, paths: Sequence[Path]) -> None:
    """Run `coai audit` as users do: first on files it has never seen, then on the same ones."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "code")
        folder.mkdir()
        count = cut(paths, folder)
        home = {"XDG_CACHE_HOME": place, "LOCALAPPDATA": place, "HOME": place}
        times: list[float] = []
        for _ in range(4):
            started = perf_counter()
            subprocess.run(
                (sys.executable, "-m", "coai_server", "audit", str(folder)),
                check=False,
                stdout=subprocess.DEVNULL,
                env={**os.environ, **home},
            )
            times.append(perf_counter() - started)
    first, again = times[0], min(times[1:])
    table = [
        ("first run", f"{first:.2f} s", f"{count / first:.0f}"),
        ("nothing changed", f"{again:.2f} s", f"{count / again:.0f}"),
    ]
    report.table(f"coai audit, {count} files of {LINES} lines", ("", "time", "files/s"), table)
    report.hold(
        Bar("coai audit, files a second", count / first, 200, "", at_least=True),
        Bar("coai audit, times faster again", first / again, 10, "", at_least=True),
    )


def fixers(report: Report, rows: Iterable[dict[str, Any]]) -> None:
    """Count the fixers, and verify anew whatever they offer for examples and for the rows."""
    texts = [
        (NAMES.get(language, language), example.bad)
        for language in sorted(LANGUAGES)
        for example in examples(language)
    ]
    for row in rows:
        language = NAMES.get(row["language"], row["language"])
        if language in LANGUAGES:
            texts.append((language, row["noncompliant"]["source"]))
    offered: Counter[str] = Counter()
    passed = 0
    for language, text in texts:
        source = Source("untitled:x", text, language)
        before = analyse(source)
        known = {(each.rule, each.span): each for each in before.findings}
        for fix in fixes_for(source, before.findings, before):
            offered[fix.rule] += 1
            passed += verify(source, known[fix.rule, fix.span], fix.edits)
    total = sum(offered.values())
    rules = {rule for _, rule in fixable()}
    report.table(
        "Fixers",
        ("", "count"),
        [
            ("rules with a fixer", str(len(rules))),
            ("pairs of language and rule", str(len(fixable()))),
            ("rules of which one was offered", str(len(offered))),
            ("fixes offered", str(total)),
            ("of them verified anew", str(passed)),
        ],
    )
    report.hold(
        Bar("rules whose fix was offered", len(offered), 40, "", at_least=True),
        Bar("offered fixes that pass the verifier", passed / max(1, total), 1.0, at_least=True),
    )
