"""Rules made ready for the engine: found by the last name of what they are about."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from coai_agents.analysis.rules.rules import FOLDER, catalogue, load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from coai_agents.analysis.rules.rules import (
        CallbackRule,
        Clause,
        Concept,
        Containers,
        LanguageRules,
        SourceRule,
    )

_T = TypeVar("_T")

DECIDING: Final = 1_000_000
"""Characters of a file that decide which clauses count in it."""

_WORDS: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A path of names as rules write it.

    One name stands for itself. Several stand for the end of a path, so that `Cipher.getInstance`
    is found with its package and without it. `*.execute` is a member of anything, and `random.*`
    anything of that.
    """

    suffix: str
    exact: bool
    prefix: bool

    @staticmethod
    def of(text: str) -> PathPattern:
        """Read a pattern."""
        if text == "*":
            return PathPattern("", exact=False, prefix=True)
        if text.startswith("*."):
            return PathPattern(text[1:], exact=False, prefix=False)
        if text.endswith(".*"):
            return PathPattern(text[:-1], exact=False, prefix=True)
        return PathPattern(text, exact="." not in text, prefix=False)

    def matches(self, path: str) -> bool:
        """Say whether a path is one of those meant."""
        suffix = self.suffix
        if self.exact:
            return path == suffix
        if self.prefix:
            return path.startswith(suffix) or f".{suffix}" in path
        if not path.endswith(suffix):
            return False
        if suffix[0] == "." or len(path) == len(suffix):
            return True
        return path[-len(suffix) - 1] == "."


class PathIndex(Generic[_T]):
    """What is found by paths."""

    def __init__(self, entries: Iterable[tuple[str, _T]] = ()) -> None:
        self._by_name: dict[str, list[tuple[PathPattern, _T]]] = defaultdict(list)
        self._open: list[tuple[PathPattern, _T]] = []
        self.anything: list[_T] = []
        """What is found for every path; whoever asks does so by itself."""
        for text, entry in entries:
            pattern = PathPattern.of(text)
            if text == "*":
                self.anything.append(entry)
            elif pattern.prefix:
                self._open.append((pattern, entry))
            else:
                self._by_name[text.rpartition(".")[2]].append((pattern, entry))
        self._by_name = dict(self._by_name)

    def __bool__(self) -> bool:
        return bool(self._by_name or self._open)

    def knows(self, name: str) -> bool:
        """Say whether anything may be found for paths that end with a name; quick."""
        return name in self._by_name or bool(self._open)

    def matching(self, name: str, *paths: str) -> Iterator[_T]:
        """Yield what is found for any of the paths that end with the name, each entry once."""
        candidates = self._by_name.get(name)
        if candidates is not None:
            for pattern, entry in candidates:
                if any(pattern.matches(path) for path in paths):
                    yield entry
        for pattern, entry in self._open:
            if any(pattern.matches(path) for path in paths):
                yield entry

    def first(self, name: str, *paths: str) -> _T | None:
        """Return the first of them, or None."""
        if name not in self._by_name and not self._open:
            return None
        return next(self.matching(name, *paths), None)


def words_of(name: str) -> frozenset[str]:
    """Return the words of a name in any of the usual spellings, in lower case."""
    return frozenset(word.lower() for word in _WORDS.findall(name))


class RuleSet:
    """A language's rules, ready to be asked."""

    def __init__(self, rules: LanguageRules, concepts: dict[str, Concept]) -> None:
        self.rules = rules
        self.concepts = concepts
        find = rules.find
        self.calls = PathIndex((path, clause) for clause in find for path in clause.call)
        self.assignments = PathIndex((path, clause) for clause in find for path in clause.assign)
        self.uses = PathIndex((path, clause) for clause in find for path in clause.use)
        self.returns = PathIndex((path, clause) for clause in find for path in clause.returned_by)
        self.queries: tuple[Clause, ...] = tuple(clause for clause in find if clause.query)
        self.shapes: tuple[Clause, ...] = tuple(clause for clause in find if clause.named)
        self._shaped: dict[str, tuple[Clause, ...]] = {}
        self.growing: tuple[Clause, ...] = tuple(clause for clause in find if clause.grows)
        sources = rules.sources
        self.source_calls = PathIndex((path, each) for each in sources for path in each.call)
        self.source_members = PathIndex((path, each) for each in sources for path in each.member)
        self.source_decorators = PathIndex(
            (path, each) for each in sources for path in each.decorators
        )
        self.source_annotations = PathIndex(
            (path, each) for each in sources for path in each.annotations
        )
        self.source_types: dict[str, SourceRule] = {
            name: each for each in sources for name in each.types
        }
        self._source_functions: dict[str, list[SourceRule]] = defaultdict(list)
        for each in sources:
            for name in each.functions or ("*",) * bool(each.bases):
                self._source_functions[name].append(each)
        self.callbacks = PathIndex((path, each) for each in rules.callbacks for path in each.call)
        self.installers = PathIndex((path, True) for path in rules.installers)
        cleaners = rules.sanitizers
        self.sanitizers = PathIndex(
            (path, frozenset(each.clears)) for each in cleaners for path in each.call
        )
        self._cleaning_words = [(set(each.words), frozenset(each.clears)) for each in cleaners]
        self.guards = PathIndex(
            (path, frozenset(each.clears))
            for each in rules.guards
            for path in each.call
            if not each.negative
        )
        self.rejecting = PathIndex(
            (path, each) for each in rules.guards for path in each.call if each.negative
        )
        self._guarding_words = [(set(each.words), frozenset(each.clears)) for each in rules.guards]
        self.confirming = PathIndex(
            (path, each) for each in rules.confirmations for path in each.call
        )
        self.asserting = PathIndex((path, True) for path in rules.asserts)
        self.inert = PathIndex((path, True) for path in rules.inert)
        self.passes = PathIndex((path, True) for path in rules.passes) if rules.passes else None
        self.keeps = PathIndex((path, True) for path in rules.keeps)
        self._scalars = frozenset(rules.scalars)
        self._scalar_ends = tuple(each[1:] for each in rules.scalars if each.startswith("*"))
        self.carriers = PathIndex((path, True) for path in rules.carriers)
        self.containers: Containers = rules.containers
        self.resources = rules.resources
        self.opening = PathIndex((path, True) for path in rules.resources.open)
        self.results = PathIndex(rules.containers.results.items())
        self._cleaned: dict[str, frozenset[str] | None] = {}

    def source_functions(self, name: str, bases: Sequence[str]) -> Iterator[SourceRule]:
        """Yield what says that parameters of a function come from outside.

        `bases` are those of its class.
        """
        setting = self._source_functions.get("set*", ()) if name.startswith("set") else ()
        named, any_ = self._source_functions.get(name, ()), self._source_functions.get("*", ())
        for each in (*named, *setting, *any_):
            if not each.bases or any(base.endswith(each.bases) for base in bases):
                yield each

    def shaped(self, name: str) -> tuple[Clause, ...]:
        """Return the clauses for calls of whatever has such words in its name."""
        known = self._shaped.get(name)
        if known is None:
            words = words_of(name)
            known = self._shaped[name] = tuple(
                clause
                for clause in self.shapes
                if not words.isdisjoint(clause.named) and words.isdisjoint(clause.not_named)
            )
        return known

    def cleaned_by_name(self, name: str) -> frozenset[str] | None:
        """Return what a function makes harmless if its name says so; None if it says nothing."""
        if name in self._cleaned:
            return self._cleaned[name]
        words = words_of(name)
        found = [clears for wanted, clears in self._cleaning_words if wanted and wanted <= words]
        cleared = frozenset[str]().union(*found) if found else None
        self._cleaned[name] = cleared
        return cleared

    def guarded_by_name(self, name: str) -> frozenset[str] | None:
        """Return what a test that holds makes harmless if its name says so."""
        words = words_of(name)
        found = [clears for wanted, clears in self._guarding_words if wanted and wanted <= words]
        return frozenset[str]().union(*found) if found else None

    def is_scalar(self, declared: str) -> bool:
        """Say whether values of a type do no harm, whoever chose them."""
        last = declared.rpartition(".")[2]
        return last in self._scalars or last.endswith(self._scalar_ends)

    def counts(self, clause: Clause | SourceRule | CallbackRule, text: str) -> bool:
        """Say whether a clause counts in a file of this text, of which the beginning decides."""
        return not clause.file or in_order(clause.file, text)


def in_order(patterns: Sequence[str], text: str) -> bool:
    """Say whether a text has something of each pattern, each behind the one before it."""
    end = 0
    for pattern in patterns:
        match = re.compile(pattern).search(text, end, DECIDING)
        if match is None:
            return False
        end = match.end()
    return True


@cache
def rule_set(language: str, folder: Path = FOLDER) -> RuleSet:
    """Return a grammar's rules; raises `RuleFileError`."""
    return RuleSet(load(language, folder), catalogue(folder))
