"""What is found in a document by its text: the door of this room."""

from __future__ import annotations

import re
from time import perf_counter
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Finding, Severity
from coai_agents.analysis.rules.rules import catalogue
from coai_agents.analysis.texts.formats import UNREAD, UNREAD_NAMES, format_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coai_agents.analysis.findings.findings import Notes
    from coai_agents.analysis.texts.clauses import TextClause
    from coai_agents.analysis.texts.matching import Found
    from coai_agents.source import Source, Span

MOST_CHARACTERS: Final = 500_000
"""Longer texts are generated; some 0.3 s for the slowest format."""

CLOUD: Final = frozenset({"cloudformation", "terraform"})

STRUCTURED: Final = frozenset(
    {"cloudformation", "compose", "dockerfile", "kubernetes", "terraform", "workflow"}
    | {"ansible", "appsettings", "gitlab", "npm", "npmrc", "phpini", "redis", "spring", "sshd"}
    | {"xml"}
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


_NO_PAGE: Final = re.compile(
    r"\.(?!x?html?\.|vue\.|php\.|component\.|turbo_stream\.)[a-z0-9_]{1,12}\."
    r"(?:ejs|erb|ftl|haml|hbs|jinja2?|j2|liquid|mako|mustache|njk|slim|twig|vm)$"
)
"""A template of something else than a page, as `a.conf.j2` is."""
_OF_PAGES: Final = ("template-", "form-", "cleartext-")
"""How rules begin that speak of pages alone."""


def _meant(clauses: Sequence[TextClause], source: Source) -> Sequence[TextClause]:
    """Leave out what is said of pages where a template makes something else."""
    name = source.path.name.lower() if source.path else source.uri.lower()
    if _NO_PAGE.search(name) is None:
        return clauses
    return [each for each in clauses if not each.rule.startswith(_OF_PAGES)]


def _found(source: Source, format_: str, notes: Notes, deadline: float) -> list[Found]:
    # Read and compiled once for each format; a file's time begins when they are there.
    began = perf_counter()
    from coai_agents.analysis.texts.clauses import clauses_of, output_of, ready  # noqa: PLC0415 - not for code
    from coai_agents.analysis.texts.entries import UnreadableError  # noqa: PLC0415
    from coai_agents.analysis.texts.masking import masked  # noqa: PLC0415
    from coai_agents.analysis.texts.matching import Text, found_in_page  # noqa: PLC0415

    clauses, flow = clauses_of(format_)
    for clause in clauses:
        ready(clause.pattern, re.MULTILINE)
    deadline += perf_counter() - began
    clauses = _meant(clauses, source)
    plain = masked(source.text, format_)
    found: list[Found] = []
    try:
        found.extend(
            Text(source.text, plain, flow).found([c for c in clauses if c.pattern], deadline)
        )
        output = output_of(format_)
        contexts = [each for each in clauses if each.context]
        if output is not None and contexts:
            found.extend(found_in_page(contexts, plain.text, output, deadline))
        if format_ in STRUCTURED:
            found.extend(_found_in_units(source.text, plain.text, format_, deadline))
    except TimeoutError:
        notes.hurry("The time for one file was over: not all of it was read.")
    except UnreadableError as error:
        notes.append(str(error))
    return found


def _found_in_units(text: str, plain: str, format_: str, deadline: float) -> Iterator[Found]:
    """Yield what clauses of paths find; raises `TimeoutError` behind what time allowed."""
    started = perf_counter()
    from coai_agents.analysis.texts.clauses import clauses_for  # noqa: PLC0415 - not for code
    from coai_agents.analysis.texts.matching import found_in_unit, worth_saying  # noqa: PLC0415
    from coai_agents.analysis.texts.units import make_ready, units_of  # noqa: PLC0415

    make_ready(format_)
    deadline += perf_counter() - started
    for unit in units_of(format_, text, plain, deadline):
        if perf_counter() > deadline:
            raise TimeoutError
        started = perf_counter()
        meant = clauses_for(format_, unit.type)
        deadline += perf_counter() - started
        yield from (worth_saying if format_ in CLOUD else found_in_unit)(meant, unit)


def _finding(source: Source, clause: TextClause, span: Span) -> Finding:
    concept = catalogue()[clause.rule]
    severity = clause.severity or concept.severity
    shown = source.text[span.start : span.end]
    if clause.outside and re.search(clause.outside, shown) is None:
        severity = max(severity, Severity.INFORMATION, key=lambda each: each.rank)
    return Finding(
        rule=clause.rule,
        span=span,
        message=clause.message or concept.message,
        severity=severity,
        uri=source.uri,
        version=source.version,
        cwe=concept.cwe,
    )
