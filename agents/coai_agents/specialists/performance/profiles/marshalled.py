"""Python's `pstats` files, which are written by `marshal`.

The standard library's reader trusts what it reads: a file that was made to can crash the process.
This one reads what a profile consists of (dictionaries, tuples, texts, numbers), and nothing else.
The format is that of CPython's `Python/marshal.c`, versions 2 to 5.
"""

from __future__ import annotations

import struct
from typing import Final, TypeAlias, cast

from coai_agents.specialists.performance.profiles.profile import Frame, Profile, ProfileError

Value: TypeAlias = "int | float | str | bool | tuple[Value, ...] | dict[Value, Value] | None"

MOST_NESTING: Final = 12
"""A profile's values are nested five deep."""

_REFERENCED: Final = 0x80
_CONSTANTS: Final = {ord("N"): None, ord("T"): True, ord("F"): False}
_TEXTS: Final = {ord(each): "latin-1" for each in "aA"} | {ord(each): "utf-8" for each in "utT"}
_CODE: Final = ord("c")
_SHORT_TEXTS: Final = frozenset(b"zZ")
_NULL: Final = b"0"
"""Ends a dictionary."""
_DIGIT_BITS: Final = 15


_Function = tuple[str, int, str]
_Stats = tuple[int, int, float, float, "dict[_Function, int | tuple[int, int, float, float]]"]
"""Calls that are not recursive, all calls, own and total seconds, who called."""


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0
        self._known: list[Value] = []

    def value(self, nesting: int = 0) -> Value:
        if nesting > MOST_NESTING:
            raise ProfileError("The profile is nested deeper than any is.")
        code = self._take(1)[0]
        kind, kept = code & ~_REFERENCED, bool(code & _REFERENCED)
        if kind == ord("r"):
            return self._known[self._number("<I")]
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        # What holds others is counted before them.
        place = len(self._known)
        if kept:
            self._known.append(None)
        found = self._held(kind, nesting)
        if kept:
            self._known[place] = found
        return found

    def _held(self, kind: int, nesting: int) -> Value:
        if kind == ord("{"):
            return self._dictionary(nesting)
        if kind in (ord("("), ord(")")):
            count = self._number("<I") if kind == ord("(") else self._number("<B")
            if count > len(self._content) - self._at:
                raise ProfileError("The profile ends within a value.")
            return tuple(self.value(nesting + 1) for _ in range(count))
        if kind in _SHORT_TEXTS:
            return self._take(self._number("<B")).decode("latin-1")
        if kind in _TEXTS:
            return self._take(self._number("<I")).decode(_TEXTS[kind], "surrogatepass")
        if kind == ord("g"):
            return struct.unpack("<d", self._take(8))[0]
        if kind == ord("i"):
            return self._number("<i")
        if kind == ord("l"):
            return self._long()
        if kind == _CODE:
            raise ProfileError(
                "The profile holds code, as those of Python's `profile` do, which is not read.",
                remedy="Use `cProfile`.",
            )
        raise ProfileError(f"The profile has a value of the kind {chr(kind)!r}, which none has.")

    def _dictionary(self, nesting: int) -> Value:
        found: dict[Value, Value] = {}
        while self._content[self._at : self._at + 1] != _NULL:
            key = self.value(nesting + 1)
            found[key] = self.value(nesting + 1)
        self._at += 1
        return found

    def _long(self) -> int:
        count = self._number("<i")
        digits = [self._number("<H") for _ in range(abs(count))]
        value = sum(digit << (_DIGIT_BITS * place) for place, digit in enumerate(digits))
        return -value if count < 0 else value

    def _number(self, form: str) -> int:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _take(self, count: int) -> bytes:
        taken = self._content[self._at : self._at + count]
        if len(taken) != count:
            raise ProfileError("The profile ends within a value.")
        self._at += count
        return taken


def read_pstats(content: bytes) -> Profile:
    """Read what `cProfile` or `profile` wrote; raises `ProfileError`."""
    try:
        # What is not of this form fails below.
        stats = cast("dict[_Function, _Stats]", _Reader(content).value())
        profile = Profile("seconds")
        for function, (_, calls, own, total, callers) in stats.items():
            cost = profile.cost(_frame(function))
            cost.own += float(own)
            cost.total += float(total)
            cost.calls += int(calls)
            for caller, spent in callers.items():
                # `profile` counts calls only; cProfile has four figures, the last the total.
                weight = spent[3] if isinstance(spent, tuple) else 0.0
                cost.callers[_frame(caller)] += float(weight)
    except (TypeError, ValueError, AttributeError, IndexError, UnicodeError) as error:
        raise ProfileError(f"The file is no profile of Python's: {error}.") from error
    return profile


def _frame(function: _Function) -> Frame:
    file, line, name = function
    # "~" stands for what is built in.
    return Frame(str(name), "" if file == "~" else str(file), int(line))
