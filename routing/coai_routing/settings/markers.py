"""What a setting's declaration says beside its type: unit, expectation, discretion, narrowing.

The markers stand in `Annotated[...]` next to the field that they describe, so that the loader, the
reference and the check of project files all read one declaration.

A narrowing is the way in which an untrusted file may change a setting. It is a meet in the sense of
lattices: `meet(current, asked)` is at most as wide as `current`, whatever is asked. So narrowings
of several folders compose in any order, and a wrong value cannot widen anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

EVERY_LANGUAGE = "*"
"""The entry of a map of languages that holds for those without an entry of their own."""


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a number, in the plural: `milliseconds`."""

    name: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What a value must be, as the end of "expected ...", where the type does not say enough."""

    text: str


@dataclass(frozen=True, slots=True)
class Discreet:
    """A wrong value of this setting is not repeated in problems: it may be a misplaced secret."""


@dataclass(frozen=True, slots=True)
class NamesPlace:
    """Names a file, a server, or a variable: a client that came over a network may not set it.

    Such a client could otherwise have this user's processes read, write and send for it.
    """


@dataclass(frozen=True, slots=True)
class Refusal:
    """A part of what an untrusted file asked for that would widen a setting, and why not.

    `entry` names the part in a map and is None for the whole value.
    """

    entry: str | None
    why: str


@dataclass(frozen=True)
class Narrowing(Generic[T]):
    """How an untrusted file may change a setting."""

    rule: str
    """What the file may do, as the end of "a project file may ..."."""
    adds: bool = False
    """Whether it adds to the value, whichever layer set that, and so overrides nothing."""

    def meet(self, current: T, asked: T) -> T:
        """Return what holds when `asked` narrows `current`: never wider than `current`."""
        raise NotImplementedError

    def refusals(self, current: T, asked: T) -> tuple[Refusal, ...]:
        """Return what of `asked` is wider than `current`, and so is left out of the meet."""
        if self.meet(current, asked) == asked:
            return ()
        return (Refusal(None, f"a project file may only {self.rule}"),)


@dataclass(frozen=True)
class Towards(Narrowing[T]):
    """A choice that may move towards the end of `order`."""

    order: tuple[T, ...] = ()

    def meet(self, current: T, asked: T) -> T:
        """Return whichever stands later in the order."""
        return max(current, asked, key=self.order.index)


@dataclass(frozen=True)
class Lower(Narrowing[int]):
    """A number that may become smaller."""

    def meet(self, current: int, asked: int) -> int:
        """Return the smaller one."""
        return min(current, asked)


@dataclass(frozen=True)
class AddPatterns(Narrowing[tuple[str, ...]]):
    """A list of gitignore patterns that exclude files: it may grow.

    What is asked goes behind what is there: the last matching pattern decides, and none of the
    user's own `!` patterns may come after it. A `!` pattern of an untrusted file would bring back
    what another pattern excludes, and is refused.
    """

    def meet(self, current: tuple[str, ...], asked: tuple[str, ...]) -> tuple[str, ...]:
        """Return the current patterns and those of the asked ones that exclude something new."""
        undone = max((i for i, pattern in enumerate(current) if includes(pattern)), default=-1)
        standing = current[undone + 1 :]
        new = dict.fromkeys(p for p in asked if not includes(p) and p not in standing)
        return (*current, *new)

    def refusals(self, current: tuple[str, ...], asked: tuple[str, ...]) -> tuple[Refusal, ...]:
        """Refuse each pattern that would bring files back."""
        held = self.meet(current, asked)
        return tuple(
            Refusal(
                None, f"a project file may only {self.rule}; {json.dumps(p)} includes files again"
            )
            for p in asked
            if p not in held
        )


@dataclass(frozen=True)
class SwitchOffEntries(Narrowing["Mapping[str, bool]"]):
    """A map of switches with `*` for the rest: entries may go off, none may go on."""

    def meet(self, current: Mapping[str, bool], asked: Mapping[str, bool]) -> dict[str, bool]:
        """Return for each name whether both maps have it on."""
        names = dict.fromkeys((*current, *asked))
        return {name: entry_is_on(current, name) and entry_is_on(asked, name) for name in names}

    def refusals(
        self, current: Mapping[str, bool], asked: Mapping[str, bool]
    ) -> tuple[Refusal, ...]:
        """Refuse each entry that is on where the current map has it off."""
        return tuple(
            Refusal(name, f"a project file may only {self.rule}")
            for name, on in asked.items()
            if on and not entry_is_on(current, name)
        )


@dataclass(frozen=True)
class RaiseEntries(Narrowing["Mapping[str, str]"]):
    """A map of the least severity of each name: entries may rise or be added, none may fall.

    What warns of code must not be weakened by that code, so the strict side is the narrow one.
    """

    order: tuple[str, ...] = ("hint", "information", "warning", "error")

    def meet(self, current: Mapping[str, str], asked: Mapping[str, str]) -> dict[str, str]:
        """Return for each name the greater of both severities."""
        names = dict.fromkeys((*current, *asked))
        return {
            name: max(
                current.get(name, self.order[0]),
                asked.get(name, self.order[0]),
                key=self.order.index,
            )
            for name in names
        }

    def refusals(self, current: Mapping[str, str], asked: Mapping[str, str]) -> tuple[Refusal, ...]:
        """Refuse each entry that is below the current map's."""
        met = self.meet(current, asked)
        return tuple(
            Refusal(name, f"a project file may only {self.rule}")
            for name, severity in asked.items()
            if met[name] != severity
        )


SWITCH_OFF = Towards("switch it off", order=(True, False))
SWITCH_ON = Towards("switch it on", order=(False, True))
LOWER = Lower("lower it")
ADD_PATTERNS = AddPatterns("add patterns that exclude", adds=True)
RAISE_ENTRIES = RaiseEntries("raise severities")
SWITCH_OFF_ENTRIES = SwitchOffEntries("switch entries off")


def entry_is_on(switches: Mapping[str, bool], name: str) -> bool:
    """Return whether a map of switches has `name` on: its own entry, else `*`, else yes."""
    return switches.get(name, switches.get(EVERY_LANGUAGE, True))


def includes(pattern: str) -> bool:
    """Return whether a gitignore pattern brings back what others exclude."""
    return pattern.lstrip().startswith("!")
