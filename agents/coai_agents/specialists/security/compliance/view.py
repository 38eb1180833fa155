"""A folder as standards see it: for each control what was found, looked for and cannot be told.

Nothing here says that a control is fulfilled: where nothing is found, it says how many rules
looked.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coai_agents.analysis.rules.rules import WEAKNESS, catalogue
from coai_agents.markdown import code, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from coai_agents.analysis.findings.findings import Severity
    from coai_agents.specialists.security.compliance.standards import Control, Standard


@dataclass(frozen=True, slots=True)
class Found:
    """A finding as compliance counts it."""

    rule: str
    cwe: tuple[int, ...]
    severity: Severity
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at code tells of one control."""

    control: Control
    rules: tuple[str, ...]
    """The rules that look for what breaks it."""
    unseen: tuple[int, ...]
    """The control's weaknesses that no rule looks for."""
    findings: tuple[Found, ...]

    @property
    def status(self) -> str:
        """`found`, `nothing found`, or `not looked at`."""
        if self.findings:
            return "found"
        return "nothing found" if self.rules else "not looked at"


@dataclass(frozen=True, slots=True)
class Compliance:
    """The whole view."""

    standards: tuple[tuple[Standard, tuple[Look, ...]], ...]
    findings: tuple[Found, ...]
    files: int
    notes: tuple[str, ...] = ()

    @property
    def broken(self) -> bool:
        """Whether anything was found against any control."""
        return any(look.findings for _, looks in self.standards for look in looks)

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "files": self.files,
            "weaknesses": [
                {"cwe": number, "findings": count} for number, count in self.weaknesses()
            ],
            "standards": [
                {
                    "id": standard.id,
                    "title": standard.title,
                    "controls": [_look_json(look) for look in looks],
                }
                for standard, looks in self.standards
            ],
            "notes": list(self.notes),
        }

    def weaknesses(self) -> list[tuple[int, int]]:
        """Return the weaknesses that were found, with how often, the most frequent first."""
        counts: dict[int, int] = defaultdict(int)
        for each in self.findings:
            for number in each.cwe:
                counts[number] += 1
        return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))

    def as_markdown(self) -> str:
        """Return it as a document."""
        return "\n".join(self._lines()).strip() + "\n"

    def _lines(self) -> Iterator[str]:
        yield "# Compliance view"
        yield ""
        yield f"A static look at {self.files} files, without a model. It can show that a control is"
        yield "broken, never that one is fulfilled."
        yield ""
        for standard, looks in self.standards:
            yield f"## [{text(standard.title)}]({standard.url})"
            yield ""
            yield "| control | found | looked for by | what a static look cannot tell |"
            yield "| --- | ---: | ---: | --- |"
            for look in looks:
                yield _row(look)
            yield ""
            for look in looks:
                yield from _places(look)
        yield "## Weaknesses"
        yield ""
        for number, count in self.weaknesses():
            yield f"- [CWE-{number}]({WEAKNESS.format(number)}): {count}"
        if not self.findings:
            yield "- none found"
        for note in self.notes:
            yield f"\n*{text(note)}*"


MOST_PLACES = 5
"""Places that are named for a control; all of them are in the JSON."""


def _row(look: Look) -> str:
    control = look.control
    found = str(len(look.findings)) if look.rules else "-"
    count = len(look.rules)
    rules = f"{count} rule{'s' if count > 1 else ''}" if count else "nothing"
    return f"| {control.id} {text(control.title)} | {found} | {rules} | {text(control.blind)} |"


def _places(look: Look) -> Iterator[str]:
    if not look.findings:
        return
    worst = sorted(look.findings, key=lambda each: each.severity.rank)[:MOST_PLACES]
    more = len(look.findings) - len(worst)
    named = "; ".join(f"{code(f'{each.path}:{each.line}')} {each.rule}" for each in worst)
    yield f"- **{look.control.id}**: {named}{f'; and {more} more' if more else ''}"
    yield ""


def _look_json(look: Look) -> dict[str, Any]:
    return {
        "id": look.control.id,
        "title": look.control.title,
        "status": look.status,
        "rules": list(look.rules),
        "weaknesses": list(look.control.cwe),
        "weaknessesNotLookedFor": list(look.unseen),
        "cannotTell": look.control.blind,
        "findings": [
            {
                "rule": each.rule,
                "severity": each.severity.value,
                "path": each.path,
                "line": each.line,
                "cwe": list(each.cwe),
            }
            for each in look.findings
        ],
    }


def compliance(
    wanted: Sequence[Standard], found: Iterable[Found], *, files: int, notes: Sequence[str] = ()
) -> Compliance:
    """Return the view of some findings."""
    findings = tuple(each for each in found if each.cwe)
    by_weakness: dict[int, list[str]] = defaultdict(list)
    for rule in catalogue().values():
        if rule.topic == "security":
            for number in rule.cwe:
                by_weakness[number].append(rule.id)
    return Compliance(
        tuple(
            (each, tuple(_look(control, findings, by_weakness) for control in each.controls))
            for each in wanted
        ),
        findings,
        files,
        tuple(notes),
    )


def _look(control: Control, findings: Sequence[Found], by_weakness: dict[int, list[str]]) -> Look:
    meant = set(control.cwe)
    rules = {rule for number in meant for rule in by_weakness.get(number, ())}
    return Look(
        control,
        tuple(sorted(rules)),
        tuple(sorted(number for number in meant if number not in by_weakness)),
        tuple(each for each in findings if not meant.isdisjoint(each.cwe)),
    )
