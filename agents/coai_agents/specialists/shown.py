"""Reports as Markdown: what a model or a file said stands there as text, names as code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.markdown import code, text
from coai_agents.specialists.answers import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.specialists.answers import Report, Section, Statement

_QUOTED: Final = re.compile(r"`([^`\n]+)`")


def inline(sentence: str) -> str:
    """Return a sentence as one line of Markdown; what is in backticks is code, all else is text."""
    parts = _QUOTED.split(sentence)
    return "".join(
        (code(part) if number % 2 else _spaced(part)) for number, part in enumerate(parts) if part
    )


def _spaced(part: str) -> str:
    before = " " if part[:1].isspace() else ""
    after = " " if part[-1:].isspace() and part.strip() else ""
    return f"{before}{text(part)}{after}"


def as_markdown(report: Report) -> str:
    """Return a report as a document; a section of a model's words says whose they are."""
    lines = [f"# {text(report.title)}", ""] if report.title else []
    for section in report.sections:
        lines += [*_section(section), ""]
    lines += [f"*{inline(note)}*\n" for note in report.notes]
    return "\n".join(lines).strip() + "\n"


def _section(section: Section) -> Iterator[str]:
    if section.title:
        yield f"## {inline(section.title)}"
        yield ""
    if speakers := sorted({each.by for each in section.statements if _is_model(each)}):
        yield f"*{', '.join(map(code, speakers))} says, unchecked:*"
        yield ""
    for each in section.statements:
        places = ", ".join(code(str(place)) for place in each.evidence if place.path)
        where = f" ({places})" if places and not _is_model(each) else ""
        yield f"- {inline(each.text)}{where}"


def _is_model(statement: Statement) -> bool:
    return statement.origin is Origin.MODEL
