"""The rules for texts: data in `rules/data/texts/*.toml`, checked when they are read.

A file names the formats it is for, has concepts (`[[rules]]`, as in the catalogue, of which they
become a part), and clauses (`[[find]]`), each with a text in which it must show and one in which it
must not; those are tests. What a resource must have, whatever describes it, is said in `[[needs]]`.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from pydantic import ConfigDict, Field, ValidationError, model_validator

from coai_agents.analysis.findings.findings import Severity  # noqa: TC001 - pydantic needs it
from coai_agents.analysis.rules.rules import (
    FOLDER,
    Regex,
    RuleFileError,
    RuleModel,
    catalogue,
    read_table,
)
from coai_agents.analysis.texts.needs import Need
from coai_agents.analysis.texts.outputs import Output, for_each_output

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXTS: Final = "texts"

_MOST_TYPES: Final = 2_000
"""Types of units of which it is remembered what is said of them; files may make up others."""

STEP: Final = "\x1f"
"""What stands between the steps of a path when it is matched."""


class TextClause(RuleModel):
    """One way in which a rule shows: a place in a text, or a unit's value or the lack of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    rule: str
    formats: tuple[str, ...] = ()
    """Those of the file if there are none."""
    severity: Severity | None = None
    message: str = ""

    pattern: Regex = ""
    """What the text has in it; group `finding` is the place if there is one, else all of it."""
    unless: Regex = ""
    """What the statement around the match must not have in it: its lines, or its arguments."""
    guard: Regex = ""
    """What the function before the match must not have in it."""
    argument: int | None = None
    """The argument that is meant where the pattern ends at a call's bracket; -1 is any of them."""
    outside: Regex = ""
    """What the place must have in it to be more than information: a name of what others write."""
    dynamic: bool = False
    """Whether the argument, or group `value` of the pattern, must be more than a literal."""
    built: bool = False
    """Whether it must be put together from text and something else, here or where it is set."""
    tainted: bool = False
    """Whether it must hold data from outside."""
    strings: bool = False
    """Whether the match may begin within a string."""
    comments: bool = False
    """Whether comments are part of the text."""

    context: Regex = ""
    """What the value stands in that a template puts into a page, all of it (`contexts.Place`)."""

    type: Regex = ""
    """The unit's type, all of it."""
    at: str = ""
    """The path of the value: steps with `/` between; `*` is any step, `**` any number of them, and
    every other step a regular expression."""
    value: Regex = ""
    """What the value or argument has in it."""
    not_value: Regex = ""
    """What it has not in it."""
    absent: bool = False
    """Whether it is a finding too where there is no such value; the only one if there is nothing
    said of the value."""
    when: dict[str, Regex] = Field(default_factory=dict)
    """Values that the unit must have."""
    without: dict[str, Regex] = Field(default_factory=dict)
    """Values that the unit must not have."""

    bad: str
    good: str
    name: str = ""
    """The file's name in the examples, where it decides what the file is."""

    @model_validator(mode="after")
    def _has_a_place(self) -> TextClause:
        if sum(map(bool, (self.pattern, self.at, self.context))) != 1:
            raise ValueError("either a pattern, a path or a context says where it shows")
        if self.at and not self.type:
            raise ValueError("a path needs the type of its unit")
        for path in (self.at, *self.when, *self.without):
            try:
                path_pattern(path)
            except re.error as error:
                raise ValueError(f"{path!r} is no path: {error}") from error
        return self


class Flow(RuleModel):
    """What is known of values in a language, for clauses that are `tainted` or `built`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    function: Regex
    """Where a function begins."""
    assign: Regex
    """An assignment: groups `name` and `value`."""
    sources: Regex
    """An expression whose value comes from outside."""
    parameter: Regex = r"(?!)"
    """A parameter that holds data from outside: group `name`."""
    cleans: Regex = r"(?!)"
    """A value that is harmless, whatever is in it."""
    joined: Regex
    """A text that is put together with something that is not constant."""


class TextRules(RuleModel):
    """One file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    formats: tuple[str, ...] = Field(min_length=1)
    rules: tuple[Any, ...] = Field(default=(), exclude=True)
    flow: Flow | None = None
    needs: tuple[Need, ...] = Field(default=(), exclude=True)
    outputs: tuple[Output, ...] = ()
    outside: dict[str, Regex] = Field(default_factory=dict)
    """`outside` of clauses that say none, by their rule."""
    find: tuple[TextClause, ...] = ()
    """Those of the file, one for each engine of those of a context, and those that `needs` says."""

    @model_validator(mode="before")
    @classmethod
    def _says_needs_as_clauses(cls, table: dict[str, Any]) -> dict[str, Any]:
        needs = [Need.model_validate(each) for each in table.get("needs", ())]
        outputs = [Output.model_validate(each) for each in table.get("outputs", ())]
        by_format = {format_: each for each in outputs for format_ in each.formats}
        said: list[Any] = []
        for clause in table.get("find", ()):
            each_output = for_each_output(clause, by_format, tuple(table.get("formats", ())))
            said += each_output if "context" in clause else [clause]
        said += [clause for need in needs for clause in need.clauses()]
        outside = table.get("outside", {})
        said = [
            {"outside": outside[clause["rule"]], **clause}
            if clause.get("rule") in outside
            else clause
            for clause in said
        ]
        return {**table, "needs": needs, "outputs": outputs, "find": said}


@cache
def all_rules(folder: Path = FOLDER) -> dict[str, TextRules]:
    """Return every file's rules by its name; raises `RuleFileError`."""
    return {path.stem: load_texts(path) for path in sorted((folder / TEXTS).glob("*.toml"))}


def _rules_that_name(format_: str) -> Iterator[TextRules]:
    """Yield the rules of the files that speak of a format; to read all of them takes seconds."""
    for path in sorted((FOLDER / TEXTS).glob("*.toml")):
        with path.open(encoding="utf-8") as stream:
            named = f'"{format_}"' in stream.read()
        if named:
            yield load_texts(path)


@cache
def load_texts(path: Path) -> TextRules:
    """Read and check one file; raises `RuleFileError`."""
    try:
        rules = TextRules.model_validate(read_table(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RuleFileError(path.name, ".".join(map(str, first["loc"])), first["msg"]) from error
    known = catalogue(path.parent.parent)
    for number, clause in enumerate(rules.find):
        if clause.rule not in known:
            raise RuleFileError(path.name, f"find.{number}", f"there is no rule {clause.rule!r}")
    return rules


@cache
def clauses_of(format_: str) -> tuple[tuple[TextClause, ...], Flow | None]:
    """Return what is looked for in a format, and what is known of its values."""
    found: list[TextClause] = []
    flow: Flow | None = None
    for rules in _rules_that_name(format_):
        if format_ in rules.formats and rules.flow is not None:
            flow = rules.flow
        found += [clause for clause in rules.find if format_ in (clause.formats or rules.formats)]
    return tuple(found), flow


@cache
def output_of(format_: str) -> Output | None:
    """Return how an engine writes a value into a page, if that is known."""
    return next(
        (
            each
            for rules in _rules_that_name(format_)
            for each in rules.outputs
            if format_ in each.formats
        ),
        None,
    )


@lru_cache(maxsize=_MOST_TYPES)
def clauses_for(format_: str, type_: str) -> tuple[TextClause, ...]:
    """Return the clauses of paths that speak of units of a type, with their paths made ready."""
    meant = tuple(
        each
        for each in clauses_of(format_)[0]
        if each.at and ready(each.type).fullmatch(type_) is not None
    )
    for each in meant:
        path_pattern(each.at)
    return meant


def severity_of(clause: TextClause) -> Severity:
    """Return how severe what a clause finds is."""
    return clause.severity or catalogue()[clause.rule].severity


@cache
def ready(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Return a rule's pattern made ready; `re` itself keeps too few of them."""
    return re.compile(pattern, flags)


@cache
def path_pattern(at: str, *, any_case: bool = False) -> re.Pattern[str]:
    """Return the expression for a path; the steps of a function of YAML may follow it."""
    steps: list[str] = []
    for step in at.split("/"):
        if step == "**":
            steps.append(f"(?:[^{STEP}]*{STEP})*")
        else:
            steps.append(f"(?:{'[^' + STEP + ']*' if step == '*' else step}){STEP}")
    return re.compile("".join(steps), re.IGNORECASE if any_case else 0)


def formats() -> frozenset[str]:
    """Return the formats that have rules."""
    return frozenset(
        each
        for rules in all_rules().values()
        for each in (*rules.formats, *(f for clause in rules.find for f in clause.formats))
    )
