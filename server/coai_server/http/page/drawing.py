"""A plan as a picture: where its nodes and arrows stand, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH: Final = 168
HEIGHT: Final = 48
ACROSS: Final = 56
DOWN: Final = 20
"""Of a box, and between boxes, in pixels."""
LETTERS: Final = 20
"""Of a name that have room in a box."""


@dataclass(frozen=True, slots=True)
class Box:
    """A node."""

    name: str
    label: str
    state: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Arrow:
    """What waits for what."""

    x1: int
    y1: int
    x2: int
    y2: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """A whole plan."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def drawn(
    nodes: Sequence[str], waits: Mapping[str, Sequence[str]], states: Mapping[str, str]
) -> Drawing:
    """Return where nodes stand: each to the right of all that it waits for. No cycle is in it."""
    layers: dict[str, int] = {}

    def layer(name: str) -> int:
        if name not in layers:
            before = [layer(each) + 1 for each in waits.get(name, ()) if each in nodes]
            layers[name] = max(before, default=0)
        return layers[name]

    rows: dict[int, int] = {}
    boxes: dict[str, Box] = {}
    for name in nodes:
        column = layer(name)
        row = rows[column] = rows.get(column, -1) + 1
        label = name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"
        x, y = column * (WIDTH + ACROSS) + 2, row * (HEIGHT + DOWN) + 2
        boxes[name] = Box(name, label, states.get(name, "waiting"), x, y)
    arrows = tuple(
        Arrow(
            boxes[each].x + WIDTH,
            boxes[each].y + HEIGHT // 2,
            boxes[name].x - 6,
            boxes[name].y + HEIGHT // 2,
        )
        for name in nodes
        for each in waits.get(name, ())
        if each in boxes
    )
    width = (max(layers.values(), default=0) + 1) * (WIDTH + ACROSS) - ACROSS + 4
    height = (max(rows.values(), default=0) + 1) * (HEIGHT + DOWN) - DOWN + 4
    return Drawing(width, height, tuple(boxes.values()), arrows)
