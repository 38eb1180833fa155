"""Sets of samples for which somebody said what is wrong, and how much of it the static tier tells.

Each set is divided by a hash of its rows' ids: two thirds are for whoever writes rules, one third
(`Third.HELD_OUT`) is only ever scored. What nobody looked at says how the rules do on code that
nobody tuned them to.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from benchmarks.support.report import Bar
from coai_agents.analysis.findings.findings import Severity
from coai_agents.analysis.rules.rules import concept_of
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from benchmarks.support.report import Report
    from coai_agents.analysis.findings.findings import Finding

FAMILIES: Final = {
    "cmdi": {78, 77, 88},
    "codeinj": {94, 95, 96},
    "crypto": {327, 326, 780},
    "deserialization": {502},
    "hash": {326, 327, 328, 916},
    "ldapi": {90},
    "pathtraver": {22, 23, 36, 73},
    "redirect": {601},
    "securecookie": {614},
    "sqli": {89},
    "trustbound": {501},
    "weakrand": {330, 331, 338},
    "xpathi": {643},
    "xss": {79, 80},
    "xxe": {611, 776},
}
"""By the categories of OWASP's benchmarks: the weaknesses that count as found."""

OWN_WEAKNESS: Final = {
    "G101": {798, 259, 321}, "G102": {200, 605, 668, 1327}, "G103": {242, 119, 787, 704, 823},
    "G104": {703, 252, 391}, "G106": {322, 295}, "G107": {88, 918}, "G108": {200, 489},
    "G109": {190, 681}, "G110": {409, 400}, "G111": {22, 200, 548, 552}, "G112": {400, 770},
    "G113": {444, 190}, "G114": {400, 676, 770}, "G115": {190, 681}, "G116": {838, 1007},
    "G117": {499, 200, 312, 522}, "G118": {400, 404, 772, 835}, "G119": {200, 522, 601},
    "G120": {400, 409, 770}, "G121": {346, 352, 942}, "G122": {59, 362, 367},
    "G123": {287, 295}, "G124": {614, 1004, 1275}, "G201": {89}, "G202": {89}, "G203": {79},
    "G204": {77, 78, 88}, "G301": {276, 732}, "G302": {276, 732}, "G303": {377, 379},
    "G304": {22, 73}, "G305": {22}, "G306": {276, 732}, "G307": {252, 276, 703, 732, 772},
    "G401": {327, 328}, "G402": {295, 326, 327}, "G403": {326}, "G404": {330, 338},
    "G405": {327}, "G406": {327, 328}, "G407": {323, 329, 330, 1204}, "G408": {284, 287, 863},
    "G501": {327, 328}, "G502": {327}, "G503": {327}, "G504": {327}, "G505": {327, 328},
    "G506": {327, 328}, "G507": {327, 328}, "G601": {118, 362, 664}, "G602": {118, 125, 129, 787},
    "G701": {89}, "G702": {77, 78, 88}, "G703": {22, 73}, "G704": {918}, "G705": {79},
    "G706": {93, 117}, "G707": {88, 93}, "G708": {79, 94, 1336}, "G709": {502}, "G710": {601},
}  # fmt: skip
"""By the rules of gosec that samples are of: the weaknesses that its documentation says they are
about, and those of the same family. A sample of a rule that is not here is about any weakness."""

LANGUAGES: Final = {
    "python": ("python", 0.50),
    "javascript": ("javascript", 0.50),
    "typescript": ("typescript", 0.50),
    "java": ("java", 0.50),
    "golang": ("go", 0.50),
    "php": ("php", 0.50),
    "ruby": ("ruby", 0.50),
    "csharp": ("csharp", 0.50),
    "kotlin": ("kotlin", 0.25),
    "scala": ("scala", 0.25),
    "c": ("c", 0.25),
    "cpp": ("cpp", 0.25),
    "shell": ("shellscript", 0.25),
    "terraform": ("terraform", 0.25),
    "cloudformation": ("yaml", 0.25),
    "cdk_python": ("python", 0.25),
    "cdk_typescript": ("typescript", 0.25),
    "jsx": ("javascriptreact", 0.25),
}
"""By the data's name of a language: LSP's, and the bar for pairs told apart."""

THIRDS: Final = 3


class Share(StrEnum):
    """Which rows of a set are scored."""

    ALL = "all"
    OPEN = "open"
    """Two thirds, which may be looked at."""
    HELD_OUT = "held-out"
    """The other third."""

    def has(self, identity: str) -> bool:
        """Say whether a row belongs to it."""
        digest = hashlib.sha256(identity.encode()).digest()
        held_out = int.from_bytes(digest[:4], "big") % THIRDS == 0
        return self is Share.ALL or held_out == (self is Share.HELD_OUT)


def rows(folder: Path, name: str, share: Share = Share.ALL) -> list[dict[str, Any]]:
    """Return a share of a data set; raises FileNotFoundError if the set is not there."""
    with gzip.open(folder / name, "rt", encoding="utf-8") as stream:
        found: list[dict[str, Any]] = [json.loads(line) for line in stream]
    return [row for row in found if share.has(str(row["id"]))]


def findings(text: str, language: str) -> tuple[Finding, ...]:
    """Return what is found in a text."""
    return analyse(Source("untitled:row", text, language)).findings


def youden(
    report: Report, title: str, some: Iterable[dict[str, Any]], language: str, least: Severity
) -> float:
    """Score one of OWASP's benchmarks: true alarms less false ones, by category; return the mean.

    Only what is at least so severe counts, and only categories of which both kinds are there.
    """
    hits: Counter[tuple[str, bool]] = Counter()
    total: Counter[tuple[str, bool]] = Counter()
    for row in some:
        kind = (str(row["category"]), bool(row["vulnerable"]))
        family = FAMILIES[kind[0]]
        total[kind] += 1
        hits[kind] += any(
            family & set(each.cwe) and each.severity.rank <= least.rank
            for each in findings(row["source"], language)
        )
    scores: dict[str, float] = {}
    table: list[tuple[str, ...]] = []
    for category in sorted({name for name, _ in total}):
        bad, good = (category, True), (category, False)
        right = hits[bad] / max(1, total[bad])
        wrong = hits[good] / max(1, total[good])
        if total[bad] and total[good]:
            scores[category] = right - wrong
        found, alarmed = f"{hits[bad]}/{total[bad]}", f"{hits[good]}/{total[good]}"
        table.append((category, found, alarmed, f"{right - wrong:.2f}"))
    report.table(title, ("category", "found", "false alarms", "Youden"), table)
    report.keep(f"youden, {title}", scores)
    return sum(scores.values()) / max(1, len(scores))


def samples(report: Report, some: Iterable[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    """Score gosec's samples; return the shares of bad ones and of good ones that are flagged.

    `any` counts every finding of the security group. `own` counts findings of the weakness that a
    sample's rule is about: what is right for one rule often has another one's fault.
    """
    hits: Counter[tuple[str, bool]] = Counter()
    total: Counter[bool] = Counter()
    for row in some:
        bad = bool(row["sample"]["Errors"])
        found = [each for text in row["sample"]["Code"] for each in findings(text, "go")]
        total[bad] += 1
        hits["any", bad] += any(concept_of(each.rule).topic == "security" for each in found)
        hits["own", bad] += any(_is_own(str(row["rule"]), each) for each in found)
    shares = {
        way: (hits[way, True] / max(1, total[True]), hits[way, False] / max(1, total[False]))
        for way in ("any", "own")
    }
    table = [
        (name, str(total[bad]), f"{shares['any'][not bad]:.2f}", f"{shares['own'][not bad]:.2f}")
        for name, bad in (("something wrong", True), ("nothing wrong", False))
    ]
    report.table("gosec's samples", ("kind", "samples", "any finding", "its own weakness"), table)
    return shares


def _is_own(rule: str, finding: Finding) -> bool:
    number = re.search(r"G\d{3}", rule)
    family = None if number is None else OWN_WEAKNESS.get(number[0])
    if family is None:
        return concept_of(finding.rule).topic == "security"
    return not family.isdisjoint(finding.cwe)


def score(report: Report, folder: Path, share: Share) -> None:
    """Score every set of the folder but the pairs."""
    report.say(f"Rows scored: {share.value}.")
    mean = youden(
        report,
        "BenchmarkPython",
        rows(folder, "benchmarkpython.jsonl.gz", share),
        "python",
        Severity.HINT,
    )
    report.hold(Bar("BenchmarkPython, macro Youden", mean, 0.95, at_least=True))
    if (folder / "benchmarkjava.jsonl.gz").exists():
        mean = youden(
            report,
            "BenchmarkJava",
            rows(folder, "benchmarkjava.jsonl.gz", share),
            "java",
            Severity.WARNING,
        )
        report.hold(Bar("BenchmarkJava, macro Youden", mean, 0.88, at_least=True))
    if (folder / "gosec_samples.jsonl.gz").exists():
        shares = samples(report, rows(folder, "gosec_samples.jsonl.gz", share))
        for way, of in (("any", "any finding"), ("own", "own weakness")):
            right, wrong = shares[way]
            report.hold(
                Bar(f"gosec's samples, {of}, recall", right, 0.70, at_least=True),
                Bar(f"gosec's samples, {of}, false alarms", wrong, 0.06),
            )
