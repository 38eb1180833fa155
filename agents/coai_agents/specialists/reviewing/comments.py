"""What a review says: one comment, what it rests on, and by what it is known again."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from coai_agents.specialists.answers import Origin, Place, Report, Section, Statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from coai_agents.analysis.findings.findings import Severity
    from coai_agents.specialists.reviewing.diffs import Line

MOST: Final = 50
"""Comments that are shown; nobody reads more of them at once."""


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment on a diff."""

    rule: str
    """What found it: a check of this review, a rule of the analysis, or `model`."""
    path: str
    line: int
    """Counted from 1, of the new text, or of the old one if `removed`."""
    text: str
    severity: Severity
    evidence: tuple[str, ...]
    """What it rests on, in words; at least one."""
    about: str = ""
    """What of the code it is about, for knowing it again: a line's text, a function's name."""
    removed: bool = False
    origin: Origin = Origin.FACT
    by: str = ""
    places: tuple[Place, ...] = ()
    end_line: int = 0

    @property
    def fingerprint(self) -> str:
        """What stays the same when the lines around move."""
        about = " ".join(self.about.split())
        text = "\0".join((self.rule, self.path, about, re.sub(r"\d+", "#", self.text)))
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "rule": self.rule,
            "path": self.path,
            "line": self.line,
            "side": "LEFT" if self.removed else "RIGHT",
            "severity": self.severity.value,
            "text": self.text,
            "evidence": list(self.evidence),
            "places": [{"path": e.path, "line": e.line} for e in self.places],
            "origin": self.origin.value,
            "by": self.by,
            "fingerprint": self.fingerprint,
        }

    def statement(self) -> Statement:
        """Return it as a part of a report."""
        rests = f" Evidence: {' '.join(self.evidence)}" if self.evidence else ""
        here = Place(self.path, 0 if self.removed else self.line)
        return Statement(f"{self.text}{rests}", self.origin, self.by, (here, *self.places))


def at(line: Line, path: str, rule: str, said: tuple[str, str], severity: Severity) -> Comment:
    """Return a comment on a line that was added: `said` is its text and its evidence."""
    text, evidence = said
    return Comment(rule, path, line.number, text, severity, (evidence,), line.text)


def ordered(comments: Iterable[Comment]) -> list[Comment]:
    """Return comments without doubles, the weightiest first within the diff's order of files."""
    unique = {each.fingerprint: each for each in reversed(list(comments))}
    return sorted(unique.values(), key=lambda e: (e.severity.rank, e.path, e.line))[:MOST]


def report_of(comments: Sequence[Comment], notes: Sequence[str]) -> Report:
    """Return a review as a report: a section for each file."""
    paths = list(dict.fromkeys(each.path for each in comments))
    sections = tuple(
        Section(path, tuple(each.statement() for each in comments if each.path == path))
        for path in paths
    )
    return Report("Review", sections, tuple(notes))
