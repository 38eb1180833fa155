"""What a specialist answers: statements that name who made them and what they rest on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


class Origin(StrEnum):
    """Where a statement comes from."""

    FACT = "fact"
    """Read from the code, a profile or a database: it is so."""
    CHECKED = "checked"
    """A model's, and a check that it cannot talk to has passed it."""
    MODEL = "model"
    """A model's, unchecked."""
    USER = "user"


@dataclass(frozen=True, slots=True)
class Place:
    """Lines of a file that a statement rests on, counted from 1; 0 for the file as a whole."""

    path: str
    line: int = 0
    end_line: int = 0

    def __str__(self) -> str:
        return self.path if not self.line else f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that is said."""

    text: str
    origin: Origin
    by: str = ""
    """The model, rule or check that said or passed it."""
    evidence: tuple[Place, ...] = ()
    agreed: int = 1
    """How many specialists made it, each for itself."""

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "text": self.text,
            "origin": self.origin.value,
            "by": self.by,
            "evidence": [
                {"path": each.path, "line": each.line, "endLine": each.end_line}
                for each in self.evidence
            ],
            **({"agreed": self.agreed} if self.agreed > 1 else {}),
        }


@dataclass(frozen=True, slots=True)
class Section:
    """Statements under a heading."""

    title: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A whole answer; it says of itself whether a model had a part in it, and why not."""

    title: str
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = field(default=())
    """What could not be done, and why: no model, a file that is not read."""

    @property
    def statements(self) -> tuple[Statement, ...]:
        """All statements, in their order."""
        return tuple(each for section in self.sections for each in section.statements)

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "title": self.title,
            "sections": [
                {"title": one.title, "statements": [each.as_json() for each in one.statements]}
                for one in self.sections
            ],
            "notes": list(self.notes),
        }

    def as_text(self) -> str:
        """Return it for people, plain: headings, statements, and who said what."""
        lines = [self.title, ""] if self.title else []
        for section in self.sections:
            if section.title:
                lines += [section.title]
            lines += [line for each in section.statements for line in _told(each)]
            lines.append("")
        lines += [f"Note: {note}" for note in self.notes]
        return "\n".join(lines).rstrip() + "\n"


def _told(statement: Statement) -> Sequence[str]:
    first, *rest = statement.text.split("\n")
    said = {Origin.MODEL: f" (says {statement.by or 'a model'}, unchecked)"}.get(
        statement.origin, ""
    )
    agreed = f" ({statement.agreed} agree)" if statement.agreed > 1 else ""
    where = f" [{', '.join(map(str, statement.evidence))}]" if statement.evidence else ""
    return [f"- {first}{said}{agreed}{where}", *(f"  {line}" for line in rest)]
