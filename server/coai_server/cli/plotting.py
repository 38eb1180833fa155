"""A bar chart as an SVG image, without a library: it is a dozen rectangles."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH: Final = 720
_HEIGHT: Final = 260
_MARGIN: Final = 40


def bars(values: Sequence[tuple[str, float]], *, title: str, unit: str) -> str:
    """Return an SVG document with a bar for each name and value."""
    most = max((value for _, value in values), default=0.0) or 1.0
    step = (_WIDTH - 2 * _MARGIN) / max(1, len(values))
    room = _HEIGHT - 2 * _MARGIN
    heading = f"{escape(title)}, at most {most:.4f} {escape(unit)}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{escape(title)}</title>",
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_MARGIN}" y="24" font-family="sans-serif" font-size="14">{heading}</text>',
    ]
    for number, (name, value) in enumerate(values):
        tall = room * value / most
        parts.append(
            f'<rect x="{_MARGIN + number * step:.1f}" y="{_HEIGHT - _MARGIN - tall:.1f}" '
            f'width="{step * 0.8:.1f}" height="{tall:.1f}" fill="#3b6ea5">'
            f"<title>{escape(name)}: {value:.4f} {escape(unit)}</title></rect>"
        )
    ends = sorted({0, len(values) - 1}) if values else ()
    parts.extend(
        f'<text x="{_MARGIN + number * step:.1f}" y="{_HEIGHT - 16}" font-size="11" '
        f'font-family="sans-serif">{escape(values[number][0])}</text>'
        for number in ends
    )
    return "\n".join([*parts, "</svg>", ""])
