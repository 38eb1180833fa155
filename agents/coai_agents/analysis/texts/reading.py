"""What is found in a document by its text: the door of this room."""

from __future__ import annotations

import re
from time import perf_counter
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Finding
from coai_agents.analysis.rules.rules import catalogue
from coai_agents.analysis.texts.formats import UNREAD, UNREAD_NAMES, format_of

if TYPE_CHECKING:
    from coai_agents.analysis.findings.findings import Notes
    from coai_agents.analysis.texts.clauses import TextClause
    from coai_agents.analysis.texts.matching import Found
    from coai_agents.source import Source, Span

MOST_CHARACTERS: Final = 500_000
"""Longer texts are generated; some 0.3 s for the slowest format."""

CLOUD: Final = frozenset({"cloudformation", "terraform"})

STRUCTURED: Final = frozenset(
    {"cloudformation", "compose", "dockerfile", "kubernetes", "terraform", "workflow"}
)


def findings_of_texts(source: Source, notes: Notes, deadline: float) -> list[Finding]:
    """Return what rules for texts find; what is not read is named in the notes."""
    format_ = format_of(source)
    if not format_:
        if source.language in ("", "plaintext") and (kind := _unread(source)):
            notes.append(f"{kind} files are not read; only secrets were looked for.")
        return []
    if len(source.text) > MOST_CHARACTERS:
        notes.append("The file is too long: only secrets were looked for in its text.")
        return []
    # Of two patterns of one rule at one place, the first says it.
    first: dict[tuple[str, str, Span], TextClause] = {}
    for clause, span in _found(source, format_, notes, deadline):
        first.setdefault((clause.rule, clause.message if clause.at else "", span), clause)
    return [_finding(source, clause, span) for (*_, span), clause in first.items()]


def _unread(source: Source) -> str:
    """Return what a kind of file is called that holds code and that nothing here reads."""
    if source.path is None:
        return ""
    if source.path.name.lower() in UNREAD_NAMES:
        return source.path.name
    return source.path.suffix if source.path.suffix.lower() in UNREAD else ""


def _found(source: Source, format_: str, notes: Notes, deadline: float) -> list[Found]:
    from coai_agents.analysis.texts.clauses import clauses_of  # noqa: PLC0415 - not for code
    from coai_agents.analysis.texts.masking import masked  # noqa: PLC0415
    from coai_agents.analysis.texts.matching import Text, found_in_unit  # noqa: PLC0415
    from coai_agents.analysis.texts.units import UnreadableError, units_of  # noqa: PLC0415

    # Read and compiled once for each format; a file's time begins when they are there.
    began = perf_counter()
    clauses, flow = clauses_of(format_)
    for clause in clauses:
        re.compile(clause.pattern, re.MULTILINE)
    deadline += perf_counter() - began
    plain = masked(source.text, format_)
    found: list[Found] = []
    try:
        found.extend(
            Text(source.text, plain, flow).found([c for c in clauses if c.pattern], deadline)
        )
        if format_ in STRUCTURED:
            paths = [each for each in clauses if each.at]
            for unit in units_of(format_, source.text, plain.text, deadline):
                if perf_counter() > deadline:
                    notes.hurry("The time for one file was over: not all of it was read.")
                    break
                found += found_in_unit(paths, unit, of_cloud=format_ in CLOUD)
    except TimeoutError:
        notes.hurry("The time for one file was over: not all patterns were looked for.")
    except UnreadableError as error:
        notes.append(str(error))
    return found


def _finding(source: Source, clause: TextClause, span: Span) -> Finding:
    concept = catalogue()[clause.rule]
    return Finding(
        rule=clause.rule,
        span=span,
        message=clause.message or concept.message,
        severity=clause.severity or concept.severity,
        uri=source.uri,
        version=source.version,
        cwe=concept.cwe,
    )
