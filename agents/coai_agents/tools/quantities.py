"""Quantities: exact numbers with units, as fractions, so that nothing is rounded on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from coai_agents.tools.errors import ToolError
from coai_routing.rule_files import read_rules

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_BITS: Final = 14_000
"""Of a numerator or a denominator: some 4,200 digits, as many as Python writes (4,300)."""

MOST_POWER: Final = 10_000


class _Units(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    units: dict[str, str]


@dataclass(frozen=True)
class Quantity:
    """A number of base units; `unit` has the power of each, none for a plain number."""

    value: Fraction
    unit: Mapping[str, int] = field(default_factory=dict[str, int])

    def __post_init__(self) -> None:
        """Refuse what has grown without end; raises `ToolError`."""
        most = max(self.value.numerator.bit_length(), self.value.denominator.bit_length())
        if most > MOST_BITS:
            raise ToolError("The number has more digits than anybody reads.")

    def plus(self, other: Quantity, sign: int) -> Quantity:
        """Add or take away what is of the same kind; raises `ToolError`."""
        if self.unit != other.unit:
            raise ToolError(f"{named(self.unit)} and {named(other.unit)} cannot be added.")
        return Quantity(self.value + sign * other.value, self.unit)

    def times(self, other: Quantity) -> Quantity:
        """Multiply, units and all."""
        return Quantity(self.value * other.value, _together(self.unit, other.unit, 1))

    def over(self, other: Quantity) -> Quantity:
        """Divide, units and all; raises `ToolError` for a division by zero."""
        if other.value == 0:
            raise ToolError("Nothing can be divided by zero.")
        return Quantity(self.value / other.value, _together(self.unit, other.unit, -1))

    def to(self, other: Quantity) -> Quantity:
        """Raise to a power; raises `ToolError` for one that is not whole, or too large."""
        power = other.value
        if other.unit or power.denominator != 1 or abs(power) > MOST_POWER:
            raise ToolError(f"A whole number up to {MOST_POWER} was expected as a power.")
        number = int(power)
        bits = max(self.value.numerator.bit_length(), self.value.denominator.bit_length())
        if bits * abs(number) > MOST_BITS:
            raise ToolError("The number has more digits than anybody reads.")
        if number < 0 and self.value == 0:
            raise ToolError("Nothing can be divided by zero.")
        unit = {name: each * number for name, each in self.unit.items() if number}
        return Quantity(self.value**number, unit)


def plain(number: float | str) -> Quantity:
    """Return a number as it was written: 0.1 is a tenth. Raises `ToolError`."""
    try:
        text = str(number)
        if len(text) > 1000:  # noqa: PLR2004 - digits
            raise ToolError("A number of at most 1,000 digits was expected.")
        mantissa, _, power = text.lower().partition("e")
        if power and abs(int(power)) > MOST_POWER:
            raise ToolError(f"A power up to {MOST_POWER} was expected.")
        return Quantity(Fraction(mantissa) * Fraction(10) ** int(power or 0))
    except ValueError as error:
        raise ToolError(f"{number} is no number.") from error


@cache
def units() -> Mapping[str, Quantity]:
    """Return all units by name."""
    read = read_rules(Path(__file__).with_name("units.toml"), _Units).units
    return {name: _unit(text) for name, text in read.items()}


def named(unit: Mapping[str, int]) -> str:
    """Return a unit as it is written."""
    if not unit:
        return "a plain number"
    return " ".join(name if power == 1 else f"{name}^{power}" for name, power in unit.items())


def _unit(text: str) -> Quantity:
    factor, *bases = text.split()
    powers = {base.partition("^")[0]: int(base.partition("^")[2] or 1) for base in bases}
    return Quantity(Fraction(factor), powers)


def _together(one: Mapping[str, int], other: Mapping[str, int], sign: int) -> Mapping[str, int]:
    names = dict.fromkeys((*one, *other))
    powers = {name: one.get(name, 0) + sign * other.get(name, 0) for name in names}
    return {name: power for name, power in sorted(powers.items()) if power}
