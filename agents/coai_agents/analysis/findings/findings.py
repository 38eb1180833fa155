"""What is found: values that name the version of the document that they are about."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coai_agents.analysis.dataflow.linking.outline import Outline
    from coai_agents.analysis.findings.places import Place
    from coai_agents.source import Span


class Severity(StrEnum):
    """How much a finding matters; the values are those of LSP in words."""

    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"
    HINT = "hint"

    @property
    def rank(self) -> int:
        """The number that LSP gives it: 1 for an error, 4 for a hint."""
        return list(Severity).index(self) + 1


class Confidence(StrEnum):
    """How sure a finding is: what of it was seen, whoever decides the value."""

    HIGH = "high"
    """All of it: the way of the value from its source to its sink, or a use that is wrong by
    itself."""
    MEDIUM = "medium"
    """Nearly all: a test on the way that is not understood, or a text that is put together in
    sight of a value that the caller passes."""
    LOW = "low"
    """Where it does harm, but not who decides the value."""

    @property
    def rank(self) -> int:
        """1 for the surest."""
        return list(Confidence).index(self) + 1


@dataclass(frozen=True, slots=True)
class Step:
    """A place on the way of a value from where it came in to where it does harm."""

    span: Span
    """Of a step in another file, where this one leads there."""
    words: str
    elsewhere: Place | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong in one version of a document."""

    rule: str
    span: Span
    message: str
    severity: Severity
    uri: str
    version: int
    cwe: tuple[int, ...] = ()
    path: tuple[Step, ...] = ()
    """From the source to the sink; empty for what needs no flow."""
    origin: str = "coai"
    """What found it."""
    confidence: Confidence = Confidence.HIGH


class Notes(list[str]):
    """Why something was not looked at, one sentence each, as they are made."""

    hurried = False
    """Whether any of it is for want of time, or another look may find more for another reason."""
    failed = False
    """Whether any of it is for a fault of ours."""

    def hurry(self, note: str) -> None:
        """Add what there was no time for."""
        self.hurried = True
        self.append(note)

    def fail(self, what: str, error: Exception) -> None:
        """Add what ended with an error that nobody expected."""
        self.failed = True
        # Of the error only its kind: its text may hold the document's.
        self.hurry(f"{what} failed ({type(error).__name__}); please report it.")


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is known of one version of a document without asking a model."""

    uri: str
    version: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    """Why something was not looked at, one sentence each; empty if everything was."""
    suppressed: int = 0
    """So many findings the document's comments took away."""
    hurried: bool = False
    """Whether some of the notes are for want of time, so that another look may find more."""
    failed: bool = False
    """Whether some of the notes are for a fault of ours, not for what the document is like."""
    outline: Outline | None = field(default=None, compare=False, repr=False)
    """What other files have to know of it; None where nobody has to."""

    @property
    def complete(self) -> bool:
        """Whether everything was looked at."""
        return not self.notes
