"""What tools answer: a value with a schema that has the whole readable answer in it, too.

Some clients show a model the text alone, others the structured value alone, so each has it all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from coai_server.terminal import printable

if TYPE_CHECKING:
    from coai_agents.specialists.answers import Report


class Answer(BaseModel):
    """What every tool answers."""

    text: str = Field(description="The whole answer, readable.")
    notes: list[str] = Field(
        default_factory=list, description="What could not be done, and why; who was asked."
    )
    more: str = Field(
        default="",
        description="Of a long answer: what `read_more` calls it. Empty where this is all.",
    )
    pages: int = Field(default=1, description="How many pages `text` has; this is the first.")


class Finding(BaseModel):
    """Something that is wrong at a place."""

    rule: str
    severity: str
    confidence: str
    message: str
    path: str
    line: int = Field(description="Counted from 1.")
    column: int = Field(description="Counted from 1, in characters.")
    cwe: list[int]
    fingerprint: str = Field(description="Stays the same when the lines around move.")


class Audit(Answer):
    """Findings of static analysis, worst first of each file."""

    findings: list[Finding]
    total: int = Field(description="How many findings there are, those of other pages too.")
    files: int = Field(description="How many files were looked at.")


class Vulnerabilities(Answer):
    """Dependencies with known vulnerabilities."""

    vulnerable: list[dict[str, Any]] = Field(
        description="Package, version, place and vulnerabilities of each."
    )
    packages: int = Field(description="How many packages were looked up.")


class Threats(Answer):
    """A threat model, in Markdown."""

    open: bool = Field(description="Whether a flow is not guarded.")


class Compliance(Answer):
    """A folder as security standards see it."""

    standards: list[dict[str, Any]] = Field(description="Each with its controls.")
    broken: bool = Field(description="Whether something breaks a control.")


class Evidence(BaseModel):
    """Lines that a statement rests on."""

    path: str
    line: int = Field(description="Counted from 1; 0 for the file as a whole.")
    end_line: int


class Statement(BaseModel):
    """One thing that is said, and by whom."""

    section: str
    text: str
    origin: str = Field(description="fact, checked (a model's, and it passed a check), model, user")
    by: str
    evidence: list[Evidence]


class Statements(Answer):
    """An answer in statements, facts and a model's words apart."""

    title: str
    statements: list[Statement]


class FileChange(BaseModel):
    """A change of a file that is proposed, and was not written."""

    path: str = Field(description="Relative to the root.")
    diff: str = Field(description="A unified diff that `git apply` takes.")


class Changes(Answer):
    """Changes that are proposed. Nothing was written."""

    changes: list[FileChange]


class Comment(BaseModel):
    """A comment on a line of a diff."""

    path: str
    line: int
    side: str = Field(description="RIGHT for a line of the new text, LEFT for one of the old.")
    severity: str
    rule: str
    text: str
    evidence: list[str]
    origin: str


class Review(Answer):
    """Comments on a change; none where there is nothing to say."""

    comments: list[Comment]


class Run(Answer):
    """What became of a run of a workflow."""

    run: str
    state: str = Field(description="running, done, failed, cancelled, waiting or paused")
    result: Any = None
    questions: list[str] = Field(
        description="What a person is asked before it goes on, as STEP: question."
    )


def statements_of(report: Report) -> Statements:
    """Return a specialist's report."""
    return Statements(
        text=report.as_text(),
        notes=list(report.notes),
        title=report.title,
        statements=[
            Statement(
                section=section.title,
                text=each.text,
                origin=each.origin.value,
                by=each.by,
                evidence=[
                    Evidence(path=at.path, line=at.line, end_line=at.end_line)
                    for at in each.evidence
                ],
            )
            for section in report.sections
            for each in section.statements
        ],
    )


def changes_of(diffs: dict[str, str], notes: list[str]) -> Changes:
    """Return proposed changes, diffs by path."""
    noted = list(dict.fromkeys(notes))
    said = "".join(f"Note: {printable(note)}\n" for note in noted)
    text = "".join(diffs.values()) or "Nothing is to be changed.\n"
    changes = [FileChange(path=path, diff=diff) for path, diff in diffs.items()]
    return Changes(text=text + said, notes=noted, changes=changes)
