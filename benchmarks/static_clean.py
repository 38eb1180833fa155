"""How often the static tier warns in code that is good until somebody has looked.

The standard library and packages of the running Python always are such code; `--clean DIR` names
more, in any language that is analysed: a copy of Go's library, a `node_modules`, unpacked packages.
"""

from __future__ import annotations

import importlib.util
import random
import sysconfig
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.static_sets import findings
from benchmarks.support.report import Bar
from coai_agents.analysis.findings.findings import Severity
from coai_agents.analysis.rules.rules import concept_of
from coai_agents.source import normal_language
from coai_agents.syntax.grammars import grammar_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benchmarks.support.report import Report
    from coai_agents.analysis.findings.findings import Finding

PACKAGES: Final = ("pydantic", "rich", "aiohttp", "openai", "httpx")

WARNINGS: Final = 0.15
"""So many security warnings in 1,000 lines of good code are too many."""

ERRORS: Final = 0.02

LARGEST: Final = 1_000_000
"""Bytes; larger files are made by programs."""

SAMPLE: Final = 56
"""So many findings in good code are shown to be judged."""

MOST_OF_A_RULE: Final = 6

_EXCLUDED: Final = frozenset(
    {
        "site-packages",
        "test",
        "tests",
        "testdata",
        "idle_test",
        "lib2to3",
        "__pycache__",
        "__tests__",
    }
)


@dataclass(slots=True)
class Counted:
    """What was found in one language's files."""

    lines: int = 0
    severities: Counter[Severity] = field(default_factory=Counter[Severity])
    """Of findings that are about security."""
    rules: Counter[str] = field(default_factory=Counter[str])
    errors: list[str] = field(default_factory=list[str])

    def rate(self, severity: Severity) -> float:
        """Return how many there are in 1,000 lines."""
        return self.severities[severity] * 1_000 / max(1, self.lines)


def good_files() -> list[Path]:
    """Return the files of the standard library and of some installed packages."""
    library = Path(sysconfig.get_paths()["stdlib"])
    found = [path for path in library.rglob("*.py") if _EXCLUDED.isdisjoint(path.parts)]
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            found += Path(spec.origin).parent.rglob("*.py")
    return sorted(found)


def files_of(folders: Iterable[Path]) -> list[Path]:
    """Return the files of folders that are analysed, tests left out."""
    return sorted(
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
        and _EXCLUDED.isdisjoint(path.relative_to(folder).parts)
        and not path.stem.endswith(("_test", ".min", ".test", ".spec"))
        and path.stat().st_size < LARGEST
        and grammar_for(normal_language("", path)) is not None
    )


def _found(paths: Iterable[Path]) -> Iterator[tuple[Path, str, str, Finding | None]]:
    for path in paths:
        text = path.read_bytes().decode("utf-8", "replace")
        language = normal_language("", path)
        yield path, language, text, None
        for finding in findings(text, language):
            yield path, language, text, finding


def _place(path: Path, text: str, finding: Finding) -> str:
    line = text.count("\n", 0, finding.span.start) + 1
    return f"{path.parent.name}/{path.name}:{line}"


def false_alarms(report: Report, paths: Iterable[Path]) -> None:
    """Count what is found in good code, by language."""
    counted: defaultdict[str, Counted] = defaultdict(Counted)
    for path, language, text, finding in _found(paths):
        count = counted[language]
        if finding is None:
            count.lines += text.count("\n")
        elif concept_of(finding.rule).topic == "security":
            count.severities[finding.severity] += 1
            if finding.severity.rank <= Severity.WARNING.rank:
                count.rules[finding.rule] += 1
            if finding.severity is Severity.ERROR:
                count.errors.append(f"{_place(path, text, finding)} {finding.rule}")
    for language, count in sorted(counted.items()):
        rows = [
            (name.value, str(count.severities[name]), f"{count.rate(name):.3f}")
            for name in Severity
        ]
        title = f"Security findings in {count.lines:,} lines of good {language}"
        report.table(title, ("severity", "findings", "in 1,000 lines"), rows)
        most = [(name, str(number)) for name, number in count.rules.most_common(15)]
        report.table("Warnings and errors by rule", ("rule", "findings"), most)
        report.keep(f"errors in good {language}", count.errors)
        report.hold(
            Bar(
                f"security warnings in 1,000 lines, {language}",
                count.rate(Severity.WARNING) + count.rate(Severity.ERROR),
                WARNINGS,
            ),
            Bar(f"security errors in 1,000 lines, {language}", count.rate(Severity.ERROR), ERRORS),
        )


def sample(report: Report, paths: Iterable[Path], seed: int) -> None:
    """Show what a person should judge: every error, and warnings by chance, six of a rule."""
    chance = random.Random(seed)
    errors: list[tuple[str, ...]] = []
    warnings: list[tuple[str, ...]] = []
    for path, _, text, finding in _found(paths):
        if finding is None:
            continue
        start = text[finding.span.start : finding.span.end].partition("\n")[0]
        row = (finding.severity.value, finding.rule, _place(path, text, finding), start[:60])
        if finding.severity is Severity.ERROR:
            errors.append(row)
        elif finding.severity is Severity.WARNING:
            warnings.append(row)
    chance.shuffle(warnings)
    report.table(
        f"A sample, seed {seed}",
        ("severity", "rule", "place", "code"),
        sorted([*errors, *_few_of_each(warnings, SAMPLE - len(errors))]),
    )


def _few_of_each(rows: Sequence[tuple[str, ...]], most: int) -> list[tuple[str, ...]]:
    of_rule: Counter[str] = Counter()
    chosen: list[tuple[str, ...]] = []
    for row in rows:
        of_rule[row[1]] += 1
        if of_rule[row[1]] <= MOST_OF_A_RULE and len(chosen) < most:
            chosen.append(row)
    return chosen
