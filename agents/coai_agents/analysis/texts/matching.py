"""What clauses find: places in a text, and values of units."""

from __future__ import annotations

import re
from time import perf_counter
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.texts.clauses import STEP, path_pattern, ready
from coai_agents.analysis.texts.contexts import places_in
from coai_agents.analysis.texts.flow import Values
from coai_agents.source import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from coai_agents.analysis.texts.clauses import Flow, TextClause
    from coai_agents.analysis.texts.entries import Entry, Unit
    from coai_agents.analysis.texts.masking import Masked
    from coai_agents.analysis.texts.outputs import Output

LONGEST_CALL: Final = 2_000
"""Characters of a call's arguments that are read."""

LONGEST_STATEMENT: Final = 1_000
"""Characters of a line on either side of a match that are looked at."""

MOST: Final = 200
"""Findings of one clause in one document; more say nothing new."""

Found = tuple["TextClause", Span]


class Text:
    """A document as clauses see it."""

    def __init__(self, raw: str, masked: Masked, flow: Flow | None) -> None:
        self._raw = raw
        self._masked = masked
        self._values = None if flow is None else Values(masked.text, flow)

    def found(self, clauses: Sequence[TextClause], deadline: float) -> Iterator[Found]:
        """Yield what clauses of patterns find; raises `TimeoutError` behind what time allowed."""
        for clause in clauses:
            # What is made ready once, in the first file of its kind, is not that file's time.
            started = perf_counter()
            ready(clause.pattern, re.MULTILINE)
            deadline += perf_counter() - started
            if perf_counter() > deadline:
                raise TimeoutError
            yield from self._found_by(clause)

    def _found_by(self, clause: TextClause) -> Iterator[Found]:
        text = self._raw if clause.comments else self._masked.text
        count = 0
        for match in ready(clause.pattern, re.MULTILINE).finditer(text):
            if count >= MOST or not self._holds(clause, match, text):
                continue
            count += 1
            named = "finding" in match.re.groupindex and match["finding"] is not None
            start, end = match.span("finding" if named else 0)
            shown = match[0] if not named else match["finding"]
            start += len(shown) - len(shown.lstrip())
            yield clause, Span(start, max(start, end))

    def _holds(self, clause: TextClause, match: re.Match[str], text: str) -> bool:
        if not clause.strings and self._masked.string_at(match.start()) >= 0:
            return False
        if clause.argument is not None:
            arguments, end = self._arguments(text, match.end())
        else:
            group = "value" if "value" in match.re.groupindex else 0
            arguments, end = [match[group] or ""], match.end()
        around = _statement(text, match.start(), end)
        if clause.unless and ready(clause.unless).search(around):
            return False
        if clause.guard and self._values is not None:
            before = self._values.function_before(match.start())
            if ready(clause.guard).search(before):
                return False
        meant = arguments
        if clause.argument is not None and clause.argument >= 0:
            meant = arguments[clause.argument : clause.argument + 1]
        return any(self._is_meant(clause, each, match.end()) for each in meant)

    def _is_meant(self, clause: TextClause, argument: str, at: int) -> bool:
        if clause.value and not ready(clause.value).search(argument):
            return False
        if clause.not_value and ready(clause.not_value).search(argument):
            return False
        if clause.dynamic and _LITERAL.fullmatch(argument):
            return False
        if self._values is None:
            return not (clause.tainted or clause.built)
        ways = [
            *([self._values.is_tainted(argument, at)] if clause.tainted else []),
            *([self._values.is_built(argument, at)] if clause.built else []),
        ]
        return any(ways) if ways else True

    def _arguments(self, text: str, at: int) -> tuple[list[str], int]:
        """Return the arguments of a call whose bracket ends before a place, and their end."""
        arguments: list[str] = []
        start, depth, last = at, 0, min(len(text), at + LONGEST_CALL)
        while at < last:
            inside = self._masked.string_at(at + 1) if text[at] in "\"'r" else -1
            if inside > at:
                at = inside
                continue
            character = text[at]
            if character in "([{":
                depth += 1
            elif character in ")]}" and depth == 0:
                break
            elif character in ")]}":
                depth -= 1
            elif character == "," and depth == 0:
                arguments.append(text[start:at].strip())
                start = at + 1
            at += 1
        return [*arguments, text[start:at].strip()], at


def found_in_page(
    clauses: Sequence[TextClause], text: str, output: Output, deadline: float
) -> Iterator[Found]:
    """Yield what clauses of contexts find; raises `TimeoutError` behind what time allowed."""
    for place in places_in(text, output):
        if perf_counter() > deadline:
            raise TimeoutError
        around = _statement(text, place.span.start, place.span.end)
        for clause in clauses:
            if ready(clause.context).fullmatch(place.context) is None:
                continue
            if clause.unless and ready(clause.unless).search(around):
                continue
            if clause.value and not ready(clause.value).search(place.value):
                continue
            if not (clause.not_value and ready(clause.not_value).search(place.value)):
                yield clause, place.span


_LITERAL: Final = re.compile(
    r'\s*(?:(?:[LuU]|u8)?"(?:\\.|[^"\\$])*"\s*)+|\s*(?:_|gettext)\("[^"]*"\)\s*'
    r"|\s*'[^']*'\s*|\s*-?[\w.]*\d[\w.]*\s*|\s*[A-Z][A-Z0-9_]*\s*|\s*"
)
"""A literal, or a constant by its name."""


def _statement(text: str, start: int, end: int) -> str:
    first = text.rfind("\n", max(0, start - LONGEST_STATEMENT), start) + 1
    last = text.find("\n", end, end + LONGEST_STATEMENT)
    return text[
        max(first, start - LONGEST_STATEMENT) : end + LONGEST_STATEMENT if last < 0 else last
    ]


def found_in_unit(meant: Iterable[TextClause], unit: Unit) -> Iterator[Found]:
    """Yield what clauses of paths for a unit's type find in it."""
    places = [(STEP.join((*each.path, "")), each) for each in unit.entries]
    for clause in meant:
        if _counts(clause, unit, places):
            yield from _values_of(clause, unit, places)


def worth_saying(meant: Sequence[TextClause], unit: Unit) -> Iterator[Found]:
    """Yield what clauses find in a resource of a cloud; of what is not there only what is news.

    Such a resource has dozens of settings. What is missing is named where nothing is said of any
    of those that protect it: whoever set one of them has seen the others, and a list of all the
    rest at each resource would be switched off. What follows from a value that is set is named in
    any case.
    """
    settled = unit.decided or _is_considered(meant, unit)
    for clause, span in found_in_unit(meant, unit):
        if span != unit.span or clause.when or not settled:
            yield clause, span


_NO_SIGN: Final = frozenset({"cloud-hardcoded-secret"})
"""Rules about what has to be set anyway, and so says nothing of what else was seen."""


def _is_considered(meant: Sequence[TextClause], unit: Unit) -> bool:
    """Say whether one of the settings that protect a resource is set."""
    patterns = {
        path_pattern(path, any_case=unit.any_case)
        for each in meant
        for path in (each.at, *each.without)
        if each.rule not in _NO_SIGN and not path.lower().endswith("username")
    }
    paths = [STEP.join((*each.path, "")) for each in unit.entries]
    return any(pattern.match(path) for pattern in patterns for path in paths)


def _counts(clause: TextClause, unit: Unit, places: Sequence[tuple[str, Entry]]) -> bool:
    def has(at: str, value: str) -> bool:
        return _has(places, path_pattern(at, any_case=unit.any_case), value)

    wanted = all(has(at, value) for at, value in clause.when.items())
    return wanted and not any(has(at, value) for at, value in clause.without.items())


def _has(places: Sequence[tuple[str, Entry]], pattern: re.Pattern[str], value: str) -> bool:
    return any(
        pattern.match(path) and ready(value).search(entry.text) is not None
        for path, entry in places
    )


def _values_of(
    clause: TextClause, unit: Unit, places: Sequence[tuple[str, Entry]]
) -> Iterator[Found]:
    pattern = path_pattern(clause.at, any_case=unit.any_case)
    there = False
    for path, entry in places:
        match = pattern.match(path)
        if match is None:
            continue
        there = True
        if match.end() == len(path) and _is_wrong(clause, entry):
            yield clause, entry.span
    if clause.absent and not there:
        yield clause, unit.span


def _is_wrong(clause: TextClause, entry: Entry) -> bool:
    """Say whether a value is one of those meant; of a collection nothing is known."""
    if not (clause.value or clause.not_value) or not entry.text:
        return not (clause.value or clause.not_value or clause.absent)
    if clause.not_value and (
        _COMPUTED.match(entry.text) or ready(clause.not_value).search(entry.text)
    ):
        return False
    return not clause.value or ready(clause.value).search(entry.text) is not None


_COMPUTED: Final = re.compile(r"(?:var|local|data|module|each|aws_\w+)\.|\$[{h]|[!*]\w|[\w.]+\(")
"""Values of Terraform, and aliases of YAML, that are decided somewhere else."""
