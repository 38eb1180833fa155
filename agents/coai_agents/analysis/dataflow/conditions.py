"""What a clause asks of the values at its place."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow.values import (
    ARGUMENTS,
    EVERYTHING,
    NOTHING,
    Kind,
    Taint,
    Value,
    equal,
    merged,
)
from coai_agents.analysis.rules.matching import PathPattern
from coai_agents.analysis.rules.rules import MOST_SEARCHED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tree_sitter import Node

    from coai_agents.analysis.rules.rules import Clause, Concept, Condition

_HOST: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//[^/?#\\]+[/?#]|/(?![/\\])|[?#]", re.IGNORECASE)
"""Text after whose beginning nothing decides any more which host a URL names."""

_HOST_MATTERS: Final = frozenset({"redirect", "ssrf"})

SHELLS: Final = re.compile(
    r"(?:^|[/\\])(?:(?:ba|z|k|c|tc|da|a)?sh|fish|cmd|powershell|pwsh|env|xargs|sudo|python[0-9.]*|node|perl|ruby|php|eval)(?:\.exe)?$",
    re.IGNORECASE,
)
"""Programs that run what they are told to."""

_OBEYING: Final = re.compile(r"(?:^|/)(?:git|hg|svn|bzr|ssh|scp|rsync|tar|find|zip|sed|awk|ftp)$")
"""Programs that have options with which they run others, so that what begins as one does harm."""

_OPTION: Final = re.compile(r"[-/]")

_COMMAND_OPTION: Final = re.compile(r"-[a-z]*[ce]|/[cCkK]|-[Cc]ommand|-EncodedCommand")

_AS_ARGUMENT: Final = frozenset({ARGUMENTS})

_COMPARING: Final = frozenset({"$eq", "$text", "$search"})
"""Operators of queries on documents under which an object is a value, and never an operator."""

_STRENGTH: Final = (Kind.REMOTE, Kind.LOCAL, Kind.STORED, Kind.PARAMETER)


_ADDRESSES: Final = frozenset({"url", "uri", "host", "hostname", "baseURL", "baseUrl", "prefixUrl"})
"""Options of clients that say which server they ask."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """A place where a rule may show, with the values there."""

    node: Node
    positional: Sequence[Value] = ()
    named: Mapping[str, Value] = field(default_factory=dict[str, Value])
    receiver: Value | None = None
    open_ended: bool = False
    """Whether there may be more arguments than are seen: `*args`."""

    def select(self, selector: str) -> Iterator[Value]:
        """Yield the values that a selector means."""
        for choice in selector.split("|"):
            first, *members = choice.split(".")
            for found in self._argument(first):
                value: Value | None = found
                for member in members:
                    value = None if value is None or value.items is None else _item(value, member)
                if value is not None:
                    yield value

    def _argument(self, name: str) -> Iterator[Value]:
        if name == "$":
            if self.receiver is not None:
                yield self.receiver
        elif name == "*":
            yield from self.positional
            yield from self.named.values()
        elif name.isdigit():
            if int(name) < len(self.positional):
                yield self.positional[int(name)]
        elif name == "last":
            if self.positional:
                yield self.positional[-1]
        elif name in self.named:
            yield self.named[name]

    def _may_have(self, selector: str) -> bool:
        """Say whether the selected argument may be there although it is not seen."""
        if self.open_ended:
            return True
        for choice in selector.split("|"):
            first, *members = choice.split(".")
            for found in self._argument(first) if members else ():
                if found.items is None and not found.known:
                    return True
                if found.rest or (found.items is not None and EVERYTHING in found.items):
                    return True
        return False

    def holds(self, condition: Condition) -> bool:
        """Say whether a condition holds."""
        found = list(self.select(condition.arg))
        if condition.missing is not None:
            missing = not found and not self._may_have(condition.arg)
            return missing == condition.missing
        return any(_holds(condition, value) for value in found)

    def fits(self, clause: Clause) -> bool:
        """Say whether all conditions of a clause hold, and none of what excuses it."""
        return self.meets(clause.when, clause.unless)

    def meets(self, when: Sequence[Condition], unless: Sequence[Condition]) -> bool:
        """Say whether all of some conditions hold, and none of others."""
        return all(map(self.holds, when)) and not any(map(self.holds, unless))

    def _harmed(self, selector: str, category: str) -> Iterator[Value]:
        """Yield the values that a selector means; of a program and its arguments what is run."""
        if category != "command" or selector == "1":
            yield from self.select(selector)
            return
        for value in self._commands(selector):
            run = _program(value)
            harmed = value if run is None else run
            yield _as_argument(harmed) if _is_read_by_no_shell(value) else harmed

    def _commands(self, selector: str) -> Iterator[Value]:
        """Yield commands; a program and its arguments are one."""
        if selector != "*" or len(self.positional) < 2:  # noqa: PLR2004 - one is not several
            yield from self.select(selector)
            return
        given = list(self.positional)
        if not isinstance(given[0].const, str) and isinstance(given[1].const, str):
            # What is called with a context has it first.
            given = given[1:]
        yield Value(items=dict(enumerate(given)), length=len(given))
        yield from self.named.values()

    def _is_bound(self, value: Value) -> bool:
        """Say whether a value comes behind a whole sentence, which it is bound to."""
        for each in self.positional:
            if each is value:
                return False
            text = each.const if isinstance(each.const, str) else each.lead
            if " " in text.strip():
                return True
        return False

    def _has_text(self, clause: Clause) -> bool:
        """Say whether one of a clause's arguments is a text, so that another is no text at all."""
        several = len(clause.tainted) > 1
        return several and any(
            isinstance(value.const, str) for each in clause.tainted for value in self.select(each)
        )

    def threat(self, clause: Clause, concept: Concept) -> Taint | None:
        """Return the taint by which a clause's arguments are harmful, or None.

        Where the concept is a strong one, that is also what the caller passes.
        """
        kinds = clause.kinds
        if concept.strong and clause.open and not self._has_text(clause):
            kinds = (*kinds, Kind.PARAMETER)
        found = [each for each in self.threats(clause, concept) if each.kind in kinds]
        return min(found, key=lambda taint: _STRENGTH.index(taint.kind), default=None)

    def threats(self, clause: Clause, concept: Concept) -> list[Taint]:
        """Return the taints of a clause's arguments that nothing has made harmless for it."""
        category = clause.category or concept.category
        found: list[Taint] = []
        if self.positional and is_settled_host(category, self.positional[0]):
            # Whom it is sent to is settled; what follows is only sent.
            return found
        for selector in clause.tainted:
            for value in self._harmed(selector, category):
                if clause.named and (not value.built or self._is_bound(value)):
                    # What is bound to the text, and not the text.
                    continue
                if is_settled_host(category, value):
                    continue
                found += [taint for taint in _harmful(value, category) if taint.threatens(category)]
        return found


def is_settled_host(category: str, value: Value) -> bool:
    """Say whether a URL's beginning settles its host, where that is what matters."""
    return category in _HOST_MATTERS and _HOST.match(value.lead) is not None


def _harmful(value: Value, category: str) -> tuple[Taint, ...]:
    """Return the taints of the part of a value that does harm for a category."""
    if category == "html" and value.items and (body := value.items.get(0)):
        # A response given as a tuple: its body comes first, its headers are no page.
        return body.all_taints()
    if category == "mass" and value.items:
        # Whose fields are named are those that may be set.
        return merged((value.taints, value.rest))
    if category == "ssrf" and value.items and not _ADDRESSES.isdisjoint(value.items):
        # Of a request's options those that say where it goes.
        parts = [item.all_taints() for key, item in value.items.items() if key in _ADDRESSES]
        return merged((value.taints, value.rest, *parts))
    return _compared(value) if category == "nosql" else value.all_taints()


def _compared(value: Value) -> tuple[Taint, ...]:
    """Return the taints of a query on documents, less those of what is only compared with."""
    if value.items is None:
        return value.all_taints()
    parts = [_compared(item) for key, item in value.items.items() if key not in _COMPARING]
    return merged((value.taints, value.rest, *parts))


def _program(arguments: Value) -> Value | None:
    """Return what of a list of arguments is run; None for what is no such list.

    A program whose name is known gets the others as data, unless it is a shell that reads the one
    behind its option as a command.
    """
    items = arguments.items
    if not items or arguments.length < 1 or not all(isinstance(key, int) for key in items):
        return None
    first = items.get(0)
    if first is None or first.all_taints():
        return first
    if not isinstance(first.const, str):
        # Nobody knows whether it is a shell, unless the next one is no option.
        second = items.get(1, NOTHING).const
        return NOTHING if isinstance(second, str) and not _OPTION.match(second) else None
    if SHELLS.search(first.const) is None:
        return _option(items, arguments.length) if _OBEYING.search(first.const) else NOTHING
    for at in range(1, arguments.length - 1):
        option = items[at].const if at in items else None
        if isinstance(option, str) and _COMMAND_OPTION.fullmatch(option):
            return items.get(at + 1, NOTHING)
    return None


def _is_read_by_no_shell(arguments: Value) -> bool:
    """Say whether something is a list of arguments, and its program not known to be a shell."""
    if not arguments.items:
        return False
    first = arguments.items.get(0, NOTHING).const
    return not isinstance(first, str) or SHELLS.search(first) is None


def _as_argument(value: Value) -> Value:
    """Return a value that is an argument of a program, with all that it holds."""
    return replace(
        value,
        taints=tuple(taint.without(_AS_ARGUMENT) for taint in value.taints),
        rest=tuple(taint.without(_AS_ARGUMENT) for taint in value.rest),
        items=value.items and {key: _as_argument(item) for key, item in value.items.items()},
    )


def _option(items: Mapping[object, Value], length: int) -> Value:
    """Return the first argument that may be an option although a value was meant."""
    for at in range(1, length):
        value = items.get(at, NOTHING)
        if value.const == "--":
            break
        if not value.known and not value.lead and value.all_taints():
            return value
    return NOTHING


def _item(value: Value, name: str) -> Value | None:
    items = value.items
    if items is None:
        return None
    if name in items:
        return items[name]
    if name.lstrip("-").isdigit() and int(name) in items:
        return items[int(name)]
    # Header and option names are the same in any case.
    for key, item in items.items():
        if isinstance(key, str) and key.lower() == name.lower():
            return item
    return None


def _holds(condition: Condition, value: Value) -> bool:
    const, known = value.const, value.known
    if condition.is_ is not None:
        return known and equal(const, condition.is_)
    if condition.not_ is not None:
        return known and not equal(const, condition.not_)
    if condition.in_:
        return known and any(equal(const, each) for each in condition.in_)
    if condition.matches is not None:
        text = const if isinstance(const, str) else value.lead
        return bool(text) and re.search(condition.matches, text[:MOST_SEARCHED]) is not None
    if condition.below is not None:
        return isinstance(const, (int, float)) and const < condition.below
    if condition.above is not None:
        return isinstance(const, (int, float)) and const > condition.above
    if condition.of:
        return _is_any_of(value, condition.of)
    return _has_quality(condition, value)


def _has_quality(condition: Condition, value: Value) -> bool:
    if condition.constant is not None:
        return (value.known or _constant_container(value)) == condition.constant
    if condition.tainted is not None:
        return bool(value.all_taints()) == condition.tainted
    if condition.built is not None:
        return value.built == condition.built
    return (value.known and value.const is None) == condition.null


def _constant_container(value: Value) -> bool:
    if value.items is None or value.rest:
        return False
    return all(item.known or _constant_container(item) for item in value.items.values())


def _is_any_of(value: Value, paths: Sequence[str]) -> bool:
    return any(PathPattern.of(path).matches(value.qual) for path in paths)
