"""Summaries of a file's functions: what other files have to know of them, and no more.

A summary says of each parameter whether what is passed reaches a place where it does harm, whether
it comes back and what it is harmless for by then, and what the function shows of it by coming to
its end, or by what it answers; and whether what comes back is from outside by itself. Everything
in a summary is plain data, so that it can be kept on disk and sent between processes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from coai_agents.analysis.dataflow.values import Kind
from coai_agents.analysis.findings.places import Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_REACHES: Final = 8
"""So many places that one function's parameters reach are kept."""

MOST_PLACES: Final = 6
"""So many places of a way through other files are kept."""

MOST_CALLS: Final = 600
"""So many different calls of what a file does not define are kept of it."""

Proven = tuple[tuple[int, frozenset[str]], ...]


@dataclass(frozen=True, slots=True)
class Reach:
    """That what a parameter is passed comes to a place where it may do harm."""

    parameter: int
    rule: str
    message: str
    severity: str
    kinds: tuple[Kind, ...]
    """Whoever of these decides the value does harm with it."""
    cleared: frozenset[str]
    """What it was made harmless for on the way, tests that nobody understands among it."""
    places: tuple[tuple[Place, str], ...]
    """Where it comes through, the place itself last, with words for each."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What a function returns that comes from outside by itself."""

    kind: Kind
    label: str
    cleared: frozenset[str]
    places: tuple[tuple[Place, str], ...]


@dataclass(frozen=True, slots=True)
class FunctionOutline:
    """The summary of one function."""

    parameters: tuple[str, ...]
    reaches: tuple[Reach, ...] = ()
    gives: Proven = ()
    """The parameters that come back, and what they are harmless for then."""
    brings: tuple[Brought, ...] = ()
    proves: Proven = ()
    """What is harmless where the function comes to its end; it raises an error otherwise."""
    holds: Proven = ()
    """What is harmless where its answer is true."""
    fails: Proven = ()
    """What is harmless where its answer is false."""
    type: str = ""
    """The class of the same file that it returns an object of."""
    whole: bool = True
    """Whether what it returns depends on nothing else that may be dangerous."""

    @property
    def is_plain(self) -> bool:
        """Whether it tells no more than what is taken for granted of an unknown function."""
        every = all((at, frozenset[str]()) in self.gives for at in range(len(self.parameters)))
        told = self.reaches or self.brings or self.proves or self.holds or self.fails or self.type
        return not told and (every or not self.whole)

    @property
    def alarms(self) -> bool:
        """Whether knowing it may bring findings, and not only take some away."""
        return bool(self.reaches or self.brings or self.type)


@dataclass(frozen=True, slots=True)
class Outline:
    """The summaries of one file, and which functions of others it calls."""

    functions: Mapping[str, FunctionOutline] = field(default_factory=dict[str, FunctionOutline])
    """By name; methods by `Class.method`, what makes an object by the class's name."""
    calls: Mapping[str, bool] = field(default_factory=dict[str, bool])
    """By the path as the file has it, and whether anything is passed that others decide."""
    bound: Mapping[str, str] = field(default_factory=dict[str, str])
    """The file's imports, which it may hand on: names, and the paths they stand for."""

    @property
    def is_empty(self) -> bool:
        """Whether nobody has to know of it."""
        return not (self.functions or self.calls or self.bound)


def outline_to_document(outline: Outline) -> dict[str, Any]:
    """Return summaries as JSON; what is as it mostly is is left out."""
    return {
        "functions": {name: function_to_document(e) for name, e in outline.functions.items()},
        "calls": dict(outline.calls),
        "bound": dict(outline.bound),
    }


def outline_from_document(document: Mapping[str, Any]) -> Outline:
    """Return the summaries; raises KeyError, TypeError or ValueError if they are none."""
    return Outline(
        {name: function_from_document(each) for name, each in document["functions"].items()},
        {str(name): bool(passed) for name, passed in document["calls"].items()},
        {str(name): str(path) for name, path in document["bound"].items()},
    )


def function_to_document(function: FunctionOutline) -> dict[str, Any]:
    """Return one summary as JSON."""
    document: dict[str, Any] = {"parameters": list(function.parameters)}
    if function.reaches:
        document["reaches"] = [
            [
                each.parameter,
                each.rule,
                each.message,
                each.severity,
                [kind.value for kind in each.kinds],
                sorted(each.cleared),
                _places(each.places),
            ]
            for each in function.reaches
        ]
    if function.brings:
        document["brings"] = [
            [each.kind.value, each.label, sorted(each.cleared), _places(each.places)]
            for each in function.brings
        ]
    for name in ("gives", "proves", "holds", "fails"):
        proven: Proven = getattr(function, name)
        if proven:
            document[name] = [[at, sorted(cleared)] for at, cleared in proven]
    if function.type:
        document["type"] = function.type
    if not function.whole:
        document["whole"] = False
    return document


def function_from_document(document: Mapping[str, Any]) -> FunctionOutline:
    """Return the summary; raises KeyError, TypeError or ValueError if it is none."""
    return FunctionOutline(
        parameters=tuple(map(str, document["parameters"])),
        reaches=tuple(
            Reach(
                int(parameter),
                str(rule),
                str(message),
                str(severity),
                tuple(map(Kind, kinds)),
                frozenset(cleared),
                _placed(places),
            )
            for parameter, rule, message, severity, kinds, cleared, places in document.get(
                "reaches", ()
            )
        ),
        brings=tuple(
            Brought(Kind(kind), str(label), frozenset(cleared), _placed(places))
            for kind, label, cleared, places in document.get("brings", ())
        ),
        gives=_proven(document, "gives"),
        proves=_proven(document, "proves"),
        holds=_proven(document, "holds"),
        fails=_proven(document, "fails"),
        type=str(document.get("type", "")),
        whole=bool(document.get("whole", True)),
    )


def _proven(document: Mapping[str, Any], name: str) -> Proven:
    return tuple((int(at), frozenset(cleared)) for at, cleared in document.get(name, ()))


def _places(places: Sequence[tuple[Place, str]]) -> list[list[Any]]:
    return [[*place.as_list(), words] for place, words in places]


def _placed(places: Sequence[Sequence[Any]]) -> tuple[tuple[Place, str], ...]:
    return tuple((Place.of(each[:5]), str(each[5])) for each in places)
