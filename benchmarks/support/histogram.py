"""A histogram of latencies as an SVG image, on a logarithmic scale, readable in light and dark."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH: Final = 720
HEIGHT: Final = 320
LEFT: Final = 56
RIGHT: Final = 16
TOP: Final = 56
BOTTOM: Final = 44

LEAST_MS: Final = 1.0
MOST_MS: Final = 10_000.0
BINS_A_DECADE: Final = 8

COLOURS: Final = ("#2a78b5", "#d97706", "#5b8f3a", "#9467bd")


def shares(values: Sequence[float]) -> list[float]:
    """Return the share of values, in percent, in each bin; what is outside goes to the ends."""
    decades = math.log10(MOST_MS / LEAST_MS)
    counts = [0] * round(decades * BINS_A_DECADE)
    for value in values:
        place = int(math.log10(max(value, LEAST_MS) / LEAST_MS) * BINS_A_DECADE)
        counts[min(place, len(counts) - 1)] += 1
    return [100 * count / max(1, len(values)) for count in counts]


def histogram_svg(title: str, series: Mapping[str, Sequence[float]]) -> str:
    """Draw milliseconds, one set of bars for each series that has any, in percent of its own."""
    drawn = {name: shares(values) for name, values in series.items() if values}
    highest = max((max(bins) for bins in drawn.values()), default=1.0)
    top = max(10.0, 10 * math.ceil(highest / 10))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        '<g font-family="system-ui, sans-serif" font-size="12" fill="#808080">',
        f"<title>{escape(title)}</title>",
        f'<text x="{LEFT}" y="20" font-size="15">{escape(title)}</text>',
        *_axes(top),
    ]
    for number, (name, bins) in enumerate(drawn.items()):
        colour = COLOURS[number % len(COLOURS)]
        parts += _bars(bins, top, number, len(drawn), colour)
        parts += _legend(f"{name} ({len(series[name])})", number, colour)
    return "\n".join([*parts, "</g></svg>\n"])


def _axes(top: float) -> list[str]:
    parts: list[str] = []
    for step in range(5):
        share = top * step / 4
        y = _y(share, top)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"'
            f' stroke="#808080" stroke-opacity="0.3"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share:.0f} %</text>'
        )
    milliseconds = LEAST_MS
    while milliseconds <= MOST_MS:
        x = _x(milliseconds)
        label = f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.0f} s"
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{label}</text>'
        )
        milliseconds *= 10
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text x="{middle:.0f}" y="{HEIGHT - 6}" text-anchor="middle">'
        "from the keystroke to the answer</text>"
    )
    return parts


def _bars(bins: Sequence[float], top: float, number: int, of: int, colour: str) -> list[str]:
    whole = (WIDTH - LEFT - RIGHT) / len(bins)
    width = (whole - 2) / of
    return [
        f'<rect x="{LEFT + place * whole + 1 + number * width:.1f}" y="{_y(share, top):.1f}"'
        f' width="{width:.1f}" height="{_y(0, top) - _y(share, top):.1f}" fill="{colour}"/>'
        for place, share in enumerate(bins)
        if share
    ]


def _legend(name: str, number: int, colour: str) -> list[str]:
    x = LEFT + number * (WIDTH - LEFT - RIGHT) / 3
    return [
        f'<rect x="{x:.0f}" y="30" width="12" height="12" fill="{colour}"/>',
        f'<text x="{x + 18:.0f}" y="40">{escape(name)}</text>',
    ]


def _x(milliseconds: float) -> float:
    decades = math.log10(MOST_MS / LEAST_MS)
    return LEFT + math.log10(milliseconds / LEAST_MS) / decades * (WIDTH - LEFT - RIGHT)


def _y(share: float, top: float) -> float:
    return HEIGHT - BOTTOM - share / top * (HEIGHT - TOP - BOTTOM)
