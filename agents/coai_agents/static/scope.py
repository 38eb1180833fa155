"""The variables of a function or a module while it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_agents.static.values import join

if TYPE_CHECKING:
    from coai_agents.static.values import Value


class Scope:
    """Variables by name, within those of what is around."""

    __slots__ = ("around", "members", "values")

    def __init__(self, around: Scope | None = None) -> None:
        self.values: dict[str, Value] = {}
        self.around = around
        self.members: dict[str, Value] | None = None if around is None else around.members
        """What methods of the class have put into its objects."""

    def get(self, name: str) -> Value | None:
        """Return a variable's value, or None if nothing binds the name."""
        scope: Scope | None = self
        while scope is not None:
            value = scope.values.get(name)
            if value is not None:
                return value
            scope = scope.around
        return None

    def branch(self) -> dict[str, Value]:
        """Return a copy of the variables, to come back to."""
        return dict(self.values)

    def merge(self, other: dict[str, Value]) -> None:
        """Let each variable be what it is here or what it is there."""
        mine = self.values
        for name, value in other.items():
            here = mine.get(name)
            if here is None:
                # Bound on one way only: on the other one it would fail, or be the outer one.
                mine[name] = value
            elif here is not value:
                mine[name] = join(here, value)
