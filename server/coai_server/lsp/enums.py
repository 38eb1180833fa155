"""The protocol's enumerations as clients really send them: the nearest meaning of any value.

Numbers have changed between drafts (inline completion's `triggerKind` was 0 and 1 before it was 1
and 2), new ones come with each version, and some clients write names. A request that is refused for
such a value is a suggestion that never comes, and nothing tells the user why. So a value that is
not known is read as the member that is nearest: by its name in any case, by its number, and where
there is neither, the one that asks least of us.

In `initialize` it is not: a capability that is not known must not be taken for another one.
"""

from __future__ import annotations

import contextlib
import enum
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lsprotocol import types

if TYPE_CHECKING:
    from collections.abc import Generator

    from cattrs import Converter

_Member = TypeVar("_Member", bound=enum.Enum)

_LEAST: Final[dict[type[enum.Enum], enum.Enum]] = {
    types.DiagnosticSeverity: types.DiagnosticSeverity.Information,
    types.FileChangeType: types.FileChangeType.Changed,
    types.InlineCompletionTriggerKind: types.InlineCompletionTriggerKind.Automatic,
    types.MessageType: types.MessageType.Log,
}
"""What counts where a value tells nothing, for the enumerations whose first member is not it."""


def protocol_enums() -> tuple[type[enum.Enum], ...]:
    """Return every enumeration of lsprotocol's."""
    candidates = (each for each in vars(types).values() if isinstance(each, type))
    return tuple(each for each in candidates if issubclass(each, enum.Enum))


class EnumReader:
    """Structures the enumerations of one converter."""

    def __init__(self, converter: Converter) -> None:
        self._strict = False
        for kind in protocol_enums():
            converter.register_structure_hook(kind, self._read)

    @contextlib.contextmanager
    def strictly(self) -> Generator[None]:
        """Refuse what is not known inside the block, which must not await."""
        self._strict = True
        try:
            yield
        finally:
            self._strict = False

    def _read(self, value: Any, kind: type[_Member]) -> _Member:  # noqa: ANN401 (JSON)
        return kind(value) if self._strict else nearest(value, kind)


def nearest(value: object, kind: type[_Member]) -> _Member:
    """Return the member that a value means or comes nearest to."""
    try:
        return kind(value)
    except ValueError:
        pass
    members = tuple(kind)
    if isinstance(value, str):
        said = value.strip().casefold()
        for member in members:
            if said in (member.name.casefold(), str(member.value).casefold()):
                return member
    number = _number(value)
    numbered = [member for member in members if isinstance(member.value, int)]
    if number is not None and numbered:
        return min(numbered, key=lambda member: abs(member.value - number))
    least = _LEAST.get(kind)
    return least if isinstance(least, kind) else members[0]


def _number(value: object) -> float | None:
    """Return the number that a value is or spells; none that is not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < float("inf") else None
