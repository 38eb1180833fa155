"""Deterministic fixes: by patterns that are data, by functions, each tried before it is offered."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from coai_agents.fixes.fix import Fix
from coai_agents.fixes.imports import import_of
from coai_agents.fixes.pieces import printed, values_in
from coai_agents.fixes.registry import BY_RULE
from coai_agents.fixes.site import site_of, value_of
from coai_agents.fixes.verifier import applied, verify
from coai_agents.source import Edit, Source, Span
from coai_agents.syntax.language import GRAMMARS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tree_sitter import Node

    from coai_agents.analysis.findings.findings import Analysis, Finding
    from coai_agents.fixes.site import Site

__all__ = ["FixRule", "Wrap", "applied", "fix_rules", "fixable", "fixes_for", "proposed", "verify"]

CHANGING_VALUES: Final = frozenset({"weak-hash", "weak-cipher", "weak-password-hash"})
"""Rules whose fixes change values that may be kept or compared elsewhere: digests in a database,
files that were encrypted. Such a fix is the user's choice, never made unasked."""

RULES: Final = Path(__file__).with_name("fixes.toml")

MOST_TEXT: Final = 2_000
"""Characters of a finding at most; longer ones are not rewritten by expressions."""

MOST_VALUES: Final = 4
"""So many values at most are tried one by one, whether it helps to escape them."""


def _compiles(pattern: str) -> str:
    re.compile(pattern)
    return pattern


class FixRule(BaseModel):
    """One way of fixing; `fixes.toml` says what each field means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str
    languages: tuple[str, ...] = Field(min_length=1)
    title: str = Field(min_length=4)
    find: Annotated[str, AfterValidator(_compiles)]
    put: str
    line: bool = False
    above: bool = False
    """Whether `find` is for the nearest line above that it fits."""
    needs: tuple[str, ...] = ()
    preferred: bool = True


class Wrap(BaseModel):
    """Something to put around a value, so that it can do no harm where it goes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str
    languages: tuple[str, ...] = Field(min_length=1)
    title: str = Field(min_length=4)
    before: str
    after: str = ")"
    needs: tuple[str, ...] = ()
    file: Annotated[str, AfterValidator(_compiles)] = ""
    """What the file must have in it, if that matters."""
    whole: bool = False
    """Whether it may go around all that is handed over, and not only around a part of a text."""
    preferred: bool = True


@cache
def _read() -> tuple[tuple[FixRule, ...], tuple[Wrap, ...]]:
    table = tomllib.loads(RULES.read_text("utf-8"))
    rules = tuple(FixRule.model_validate(each) for each in table["fixes"])
    return rules, tuple(Wrap.model_validate(each) for each in table["wraps"])


@cache
def fix_rules() -> dict[tuple[str, str], tuple[FixRule, ...]]:
    """Return the patterns by grammar and finding; raises `pydantic.ValidationError`."""
    found: dict[tuple[str, str], list[FixRule]] = {}
    for rule in _read()[0]:
        for language in rule.languages:
            found.setdefault((language, rule.rule), []).append(rule)
    return {key: tuple(rules) for key, rules in found.items()}


@cache
def wraps() -> dict[tuple[str, str], tuple[Wrap, ...]]:
    """Return the escapes by grammar and finding; raises `pydantic.ValidationError`."""
    found: dict[tuple[str, str], list[Wrap]] = {}
    for wrap in _read()[1]:
        for language in wrap.languages:
            found.setdefault((language, wrap.rule), []).append(wrap)
    return {key: tuple(some) for key, some in found.items()}


def fixable() -> frozenset[tuple[str, str]]:
    """Return the pairs of grammar and rule that a fixer is there for."""
    return frozenset((*fix_rules(), *wraps(), *BY_RULE))


def fixes_for(source: Source, findings: Iterable[Finding], before: Analysis) -> list[Fix]:
    """Return the fixes that pass `verify`, at most one for each title of a finding."""
    language = GRAMMARS.get(source.language, "")
    fixes: list[Fix] = []
    for finding in findings:
        if (language, finding.rule) not in fixable():
            continue
        if any(step.elsewhere is not None for step in finding.path):
            # It is not here that the harm is done, or not here that it comes from.
            continue
        titles: set[str] = set()
        for title, edits, preferred in _proposals(source, finding, language):
            if title not in titles and verify(source, finding, edits, before):
                titles.add(title)
                chosen = preferred and finding.rule not in CHANGING_VALUES
                fixes.append(Fix(title, finding.rule, finding.span, edits, chosen))
    return fixes


def _proposals(
    source: Source, finding: Finding, language: str
) -> Iterator[tuple[str, tuple[Edit, ...], bool]]:
    """Yield what could be done, the best first: title, edits, whether it is preferred."""
    key = (language, finding.rule)
    site = site_of(source, finding)
    if site is not None:
        for known in BY_RULE.get(key, ()):
            for edits in known.fixer(site):
                if (whole := _imported(source, edits, known.needs)) is not None:
                    yield known.title, whole, known.preferred
    for rule in fix_rules().get(key, ()):
        if edits := proposed(source, finding, rule):
            yield rule.title, edits, rule.preferred
    if site is not None:
        for wrap in wraps().get(key, ()):
            if not wrap.file or re.search(wrap.file, source.text):
                for edits in _wrapped(site, wrap):
                    if (whole := _imported(source, edits, wrap.needs)) is not None:
                        yield wrap.title, whole, wrap.preferred


def _imported(
    source: Source, edits: Sequence[Edit], needs: Sequence[str]
) -> tuple[Edit, ...] | None:
    """Return edits with those that import what they need; None if the file cannot."""
    added: list[Edit] = []
    for need in needs:
        edit = import_of(source, need)
        if edit is None:
            return None
        added += edit
    return (*edits, *added)


def _wrapped(site: Site, wrap: Wrap) -> Iterator[list[Edit]]:
    """Yield the edits that wrap one of the values in a finding, then those that wrap them all.

    Only values that the path of the finding leads through, and unless the escape says so only
    parts of a text or of a path: around all of a page, a command or a path it would break them.
    """
    steps = [site.source.slice(step.span) for step in site.finding.path[:-1]]
    names = {name for step in steps for name in re.findall(r"\w+", step)}
    values: dict[int, Node] = {}
    call = site.call
    for value in [] if call is None else printed(site, call):
        if not names.isdisjoint(re.findall(r"\w+", site.text(value))):
            values.setdefault(value.start_byte, value)
    for operand in _operands(site):
        there = None
        if operand.type in ("identifier", "variable_name"):
            there = site.only_value(operand)
        found = values_in(site, operand if there is None else there, whole=wrap.whole)
        for value in found:
            if not names.isdisjoint(re.findall(r"\w+", site.text(value))):
                values.setdefault(value.start_byte, value)
    edits = [site.wrapped(value, wrap.before, wrap.after) for value in values.values()]
    yield from edits[:MOST_VALUES]
    if 1 < len(edits) <= MOST_VALUES:
        yield [edit for some in edits for edit in some]


def _operands(site: Site) -> list[Node]:
    call = site.call
    if call is not None:
        return [value_of(each) for each in site.arguments(call)]
    right = site.node.child_by_field_name("right")
    if right is not None:
        return [right]
    if site.node.type in ("return_statement", "echo_statement", "include_expression"):
        return list(site.node.named_children)
    return []


def proposed(source: Source, finding: Finding, rule: FixRule) -> tuple[Edit, ...]:
    """Return what a pattern would change, nothing if it does not fit; not verified."""
    span = _where(source, finding, rule)
    if span is None or len(span) > MOST_TEXT:
        return ()
    text = source.slice(span)
    changed, count = re.subn(rule.find, rule.put, text, count=1)
    if not count or changed == text:
        return ()
    return _imported(source, [_minimal(span, text, changed)], rule.needs) or ()


def _where(source: Source, finding: Finding, rule: FixRule) -> Span | None:
    line = source.line_at(finding.span.start)
    if rule.line:
        return Span(source.line_start(line), source.line_end(line))
    if not rule.above:
        return finding.span
    for above in range(line, -1, -1):
        if re.search(rule.find, source.line_text(above)):
            return Span(source.line_start(above), source.line_end(above))
    return None


def _minimal(span: Span, text: str, changed: str) -> Edit:
    """Return the edit without what both texts begin and end with."""
    first = 0
    shorter = min(len(text), len(changed))
    while first < shorter and text[first] == changed[first]:
        first += 1
    last = 0
    while last < shorter - first and text[-1 - last] == changed[-1 - last]:
        last += 1
    end = span.end - last
    return Edit(Span(span.start + first, end), changed[first : len(changed) - last])
