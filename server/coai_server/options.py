"""Numbers in options of the commands that are read by argparse."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_N = TypeVar("_N", int, float)


def number(
    read: Callable[[str], _N], allowed: Callable[[_N], bool], wanted: str
) -> Callable[[str], _N]:
    """Return what reads an option's number; what is wrong is said in the words `wanted`."""

    def converted(text: str) -> _N:
        try:
            if allowed(value := read(text)):
                return value
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"expected {wanted}, got {text!r}")

    return converted
