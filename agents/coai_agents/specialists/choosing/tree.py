"""The decision tree: a request is a question, an error, a review, ..., or has several aspects.

What decides is what the request says, not how it says it: words of each aspect (`aspects.toml`),
verbs that a clause begins with, and what is pasted: a trace, a diff, a profile. A model of the
sizes that run here sorts such requests no better than the words do, and takes seconds for it.

Each clause is judged by itself, because that is how several things are asked for: "review this and
write the docstrings". Names of files and code say nothing of what is wanted, so they are left out.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.choosing.clauses import Clause, read_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DATA: Final = Path(__file__).with_name("aspects.toml")

MOST_CHARACTERS: Final = 20_000
"""Of a request that are looked at: what is pasted behind that says nothing new."""

ENOUGH: Final = 2
"""Weak words of one aspect that decide together."""


class Aspect(StrEnum):
    """What a request is about; each has its specialist."""

    QUESTION = "question"
    ERROR = "error"
    REVIEW = "review"
    ARCHITECTURE = "architecture"
    DOCUMENTATION = "documentation"
    PERFORMANCE = "performance"
    SECURITY = "security"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is to answer a request, and why."""

    aspects: tuple[Aspect, ...]
    """The specialists, in the order in which the request speaks of them; never none."""
    why: str
    """What decided, for whoever asks."""

    @property
    def is_several(self) -> bool:
        """Whether more than one specialist is wanted."""
        return len(self.aspects) > 1


@dataclass(frozen=True, slots=True)
class _Words:
    heads: re.Pattern[str]
    strong: re.Pattern[str]
    weak: re.Pattern[str]
    asides: re.Pattern[str]


@cache
def _words() -> dict[Aspect, _Words]:
    data = tomllib.loads(DATA.read_text("utf-8"))
    return {
        Aspect(name): _Words(*(_any(words[kind]) for kind in ("heads", "strong", "weak", "asides")))
        for name, words in data.items()
    }


def _any(expressions: list[str]) -> re.Pattern[str]:
    # Without expressions nothing matches.
    either = "|".join(expressions) or r"\b\B"
    return re.compile(rf"(?<![\w-])(?:{either})(?![\w-])")


@dataclass(frozen=True, slots=True)
class _Seen:
    """Words of one aspect in a clause."""

    aspect: Aspect
    said: str
    start: int
    count: int
    heads: bool = False
    """Whether a verb at the clause's beginning asks for it."""

    @property
    def end(self) -> int:
        return self.start + len(self.said)


_RANK: Final = (
    Aspect.DOCUMENTATION, Aspect.SECURITY, Aspect.PERFORMANCE, Aspect.ERROR, Aspect.ARCHITECTURE,
    Aspect.REVIEW, Aspect.CODE, Aspect.QUESTION,
)  # fmt: skip
"""Which aspect counts where one clause has words of two that are not both wanted."""

_BOTH: Final = frozenset(
    frozenset(pair)
    for pair in (
        *((Aspect.REVIEW, each) for each in (
            Aspect.SECURITY, Aspect.PERFORMANCE, Aspect.ARCHITECTURE, Aspect.DOCUMENTATION,
        )),
        (Aspect.ARCHITECTURE, Aspect.DOCUMENTATION),
        (Aspect.ARCHITECTURE, Aspect.PERFORMANCE),
        (Aspect.ARCHITECTURE, Aspect.SECURITY),
        (Aspect.CODE, Aspect.SECURITY),
        (Aspect.CODE, Aspect.PERFORMANCE),
    )
)  # fmt: skip
"""Pairs of which a clause can want both: a judgement or a change, and what it is for."""

_VAGUE: Final = re.compile(r"(?:make|let|change|put|set|handle|improve|use|limit|return|give me)\b")
"""Verbs that ask for a change of any kind: what else is said tells which."""


_COMPLAINT: Final = re.compile(
    r"(?:the|my|our|this|it|after|since|when|whenever|sometimes|every time|every|nothing|"
    r"there (?:is|are)|i (?:see|get|have)|we (?:see|get|have))\s\S"
)
"""How people begin who describe what a program does, because it should not."""


def choose(request: str) -> Choice:
    """Return which specialists a request is for."""
    read = read_request(request[:MOST_CHARACTERS])
    found: dict[Aspect, str] = {}
    if read.pasted:
        found[Aspect(read.pasted)] = read.why
    asked: str | None = None
    for clause in read.clauses:
        for each in _wanted(clause):
            if each.aspect is Aspect.QUESTION:
                asked = asked or (None if found else each.said)
            else:
                found.setdefault(each.aspect, _why(each))
    if found and asked is not None:
        found = {Aspect.QUESTION: f"“{asked}” is a question", **found}
    if not found and _COMPLAINT.match(request.strip().lower()) and "?" not in request:
        return Choice((Aspect.ERROR,), "it tells what happens, and asks nothing")
    if not found:
        return Choice((Aspect.QUESTION,), "it asks about the code as it is")
    return Choice(tuple(found), ", ".join(found.values()))


def _wanted(clause: Clause) -> list[_Seen]:
    """Return what one clause asks for: mostly one thing, at times two, or nothing that is known."""
    seen = list(_apart(_strong(clause)))
    if not seen:
        return list(_by_weak(clause))
    seen = [each for each in seen if each.aspect is not Aspect.QUESTION] or seen
    seen.sort(key=_weight, reverse=True)
    best = seen[0]
    both = [each for each in seen[1:] if frozenset({best.aspect, each.aspect}) in _BOTH]
    both = [each for each in both if not _is_vague(each, clause)]
    return sorted([best, *both], key=lambda each: each.start)


def _weight(seen: _Seen) -> tuple[bool, int, int]:
    # "Fix" and "add" say that something is to be done, and leave to the rest what it is about.
    tells = seen.heads and seen.aspect not in {Aspect.CODE, Aspect.ERROR}
    return tells, seen.count, -_RANK.index(seen.aspect)


def _strong(clause: Clause) -> Iterator[_Seen]:
    for aspect, words in _words().items():
        text = words.asides.sub(lambda match: " " * len(match[0]), clause.text)
        matches = [match for match in words.strong.finditer(text) if match[0].strip()]
        head = words.heads.match(text) if clause.is_request else None
        if head is not None and aspect is Aspect.CODE and not text[head.end() :].strip(" .?!"):
            head = None  # A lone word is the name of something.
        if head is not None:
            matches = [head, *(match for match in matches if match.start() >= head.end())]
        if matches:
            first = matches[0]
            count = len({match[0] for match in matches})
            yield _Seen(aspect, first[0], first.start(), count, head is not None)


def _apart(seen: Iterable[_Seen]) -> Iterator[_Seen]:
    """Leave out words that are part of a longer expression of another aspect."""
    found = list(seen)
    for each in found:
        if not any(
            other.start <= each.start and each.end <= other.end and len(other.said) > len(each.said)
            for other in found
            if each.count == 1 and other.aspect is not Aspect.QUESTION
        ):
            yield each


def _is_vague(seen: _Seen, clause: Clause) -> bool:
    """Say whether a change is asked for only by a verb that could mean anything."""
    return seen.aspect is Aspect.CODE and seen.count == 1 and bool(_VAGUE.match(clause.text))


def _by_weak(clause: Clause) -> Iterator[_Seen]:
    """Yield the aspect that several weak words speak of, if there is one."""
    found: list[_Seen] = []
    for aspect, words in _words().items():
        text = words.asides.sub(" ", clause.text)
        said = list(dict.fromkeys(match[0] for match in words.weak.finditer(text)))
        if len(said) >= ENOUGH:
            found.append(_Seen(aspect, " ... ".join(said), 0, len(said)))
    if found:
        yield max(found, key=lambda each: (each.count, -_RANK.index(each.aspect)))


def _why(seen: _Seen) -> str:
    return f"“{seen.said.strip()}” is about {seen.aspect.value}"
