"""Deterministic fixes: rewriting by rules that are data, each tried before it is offered.

`verify` is the one door: an edit passes if it applies, the file still parses as well as before, the
finding is gone and nothing new appeared. Whoever writes a fix, a rule here or a model, asks it.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from coai_agents.fixes.fix import Fix
from coai_agents.source import Edit, Source, Span
from coai_agents.static.analyzer import analyse
from coai_agents.syntax.language import GRAMMARS
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from coai_agents.static.findings import Analysis, Finding

RULES: Final = Path(__file__).with_name("fixes.toml")

MOST_TEXT: Final = 2_000
"""Characters of a finding at most; longer ones are not rewritten by expressions."""


_BEFORE_IMPORTS: Final = frozenset(
    {"comment", "import_statement", "import_from_statement", "future_import_statement"}
)


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


@cache
def fix_rules() -> dict[tuple[str, str], tuple[FixRule, ...]]:
    """Return the rules by grammar and finding; raises `pydantic.ValidationError`."""
    table = tomllib.loads(RULES.read_text("utf-8"))
    found: dict[tuple[str, str], list[FixRule]] = {}
    for entry in table["fixes"]:
        rule = FixRule.model_validate(entry)
        for language in rule.languages:
            found.setdefault((language, rule.rule), []).append(rule)
    return {key: tuple(rules) for key, rules in found.items()}


def fixes_for(source: Source, findings: Iterable[Finding], before: Analysis) -> list[Fix]:
    """Return the fixes that pass `verify`, at most one for each title of a finding."""
    language = GRAMMARS.get(source.language, "")
    fixes: list[Fix] = []
    for finding in findings:
        titles: set[str] = set()
        for rule in fix_rules().get((language, finding.rule), ()):
            if rule.title in titles:
                continue
            edits = proposed(source, finding, rule)
            if edits and verify(source, finding, edits, before):
                titles.add(rule.title)
                fixes.append(Fix(rule.title, finding.rule, finding.span, edits, rule.preferred))
    return fixes


def proposed(source: Source, finding: Finding, rule: FixRule) -> tuple[Edit, ...]:
    """Return what a rule would change, nothing if it does not fit; not verified."""
    span = _where(source, finding, rule)
    if span is None or len(span) > MOST_TEXT:
        return ()
    text = source.slice(span)
    changed, count = re.subn(rule.find, rule.put, text, count=1)
    if not count or changed == text:
        return ()
    changed = changed.replace("(, ", "(")
    edits = [_minimal(span, text, changed)]
    for need in rule.needs:
        added = _import_of(source, need)
        if added is not None:
            edits.append(added)
    return tuple(edits)


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


def _import_of(source: Source, need: str) -> Edit | None:
    """Return the edit that imports a Python module, or None if the file does already.

    It goes after the imports at the file's beginning, or before its first statement.
    """
    module, _, name = need.partition(":")
    statement = f"from {module} import {name}" if name else f"import {module}"
    pattern = rf"^{statement}\b" if not name else rf"^from {module} import [^\n]*\b{name}\b"
    if re.search(pattern, source.text, re.MULTILINE):
        return None
    tree = parse(source)
    if tree is None:
        return None
    at = 0
    for child in tree.root.named_children:
        documents = child.type == "expression_statement" and at == 0
        if child.type not in _BEFORE_IMPORTS and not documents:
            break
        at = tree.end(child)
    end = "\r\n" if "\r\n" in source.text else "\n"
    text = f"{end}{statement}" if at else f"{statement}{end}"
    return Edit(Span(at, at), text)


def applied(source: Source, edits: Sequence[Edit]) -> Source:
    """Return the document after edits that do not touch each other, whatever their order.

    Raises ValueError if one reaches beyond the text or two overlap.
    """
    after = source
    ordered = sorted(edits, key=lambda edit: (0, 0) if edit.span is None else _key(edit.span))
    limit = len(source.text)
    for edit in reversed(ordered):
        if edit.span is not None:
            if edit.span.end > limit:
                raise ValueError("edits that overlap")
            limit = edit.span.start
        after = after.apply(edit)
    return after


def _key(span: Span) -> tuple[int, int]:
    return span.start, span.end


def verify(
    source: Source, finding: Finding, edits: Sequence[Edit], before: Analysis | None = None
) -> bool:
    """Say whether a fix does what it should: the door that every fix has to pass.

    The edits apply, the file parses as well as before, the finding is gone, and there is no
    finding that was not there.
    """
    before = before or analyse(source)
    try:
        after = applied(source, edits)
    except ValueError:
        return False
    old, new = parse(source), parse(after)
    if old is None or new is None or (new.has_error and not old.has_error):
        return False
    then = Counter(each.rule for each in before.findings)
    analysis = analyse(after)
    now = Counter(each.rule for each in analysis.findings)
    return (
        len(analysis.notes) <= len(before.notes)
        and now[finding.rule] < then[finding.rule]
        and not now - then
    )
