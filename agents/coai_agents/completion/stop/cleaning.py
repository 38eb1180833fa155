"""From what the model wrote to what is shown: cut at its end, cleaned, or refused with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.completion.outcome import Reason
from coai_agents.completion.stop.fitting import fit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from coai_agents.completion.cursor import Cursor
    from coai_agents.completion.stop.fitting import Ground
    from coai_agents.completion.stop.line_extent import Extent
    from coai_agents.completion.stop.surroundings import Surroundings


def clean(
    text: str, extent: Extent, cursor: Cursor, ground: Ground, control_tokens: Iterable[str]
) -> str | Reason:
    r"""Return the text to insert at the cursor, or why there is nothing worth showing.

    `text` is all that came, with `\n` line ends; `extent` says how much of it belongs.
    """
    around = cursor.around
    kept = text[: extent.length]
    for token in control_tokens:
        position = kept.find(token)
        if position >= 0:
            kept = kept[:position]
    if around.at_line_end and around.next_lines and ground.stands is not None:
        kept = _as_it_stands(text, kept, ground.stands)
    kept = _without_leading_blank_lines(kept, around)
    if around.at_line_end:
        kept = kept.rstrip()
    if not kept.strip():
        return _why_blank(text, around)
    fitted = fit(kept, cursor, ground)
    if not fitted.strip():
        return _why_unfit(kept, around)
    kept = fitted
    lines = kept.strip().split("\n")
    first = (around.line_prefix + lines[0]).strip()
    if around.at_line_end and len(lines) == 1:
        if around.next_lines and first == around.next_lines[0].strip():
            return Reason.FILTERED_COPY_OF_NEXT_LINE
        if around.at_line_start and first == around.previous_line.strip() and len(first) > 1:
            return Reason.FILTERED_REPETITION
    return kept


def _as_it_stands(text: str, kept: str, stands: Callable[[str], bool]) -> str:
    """Return a text that ends with another line where what stands below fits only there.

    What was cut by its indentation may end with a line that opens a block which is not there, or
    before the lines that the `else` below belongs to.
    """
    if "\n" not in text.strip("\n") or stands(kept):
        return kept
    ends = [at for at, character in enumerate(text) if character == "\n" and text[:at].strip()]
    nearest = sorted(ends, key=lambda end: (abs(end - len(kept)), end))[:_OTHER_ENDS]
    return next((text[:end] for end in nearest if stands(text[:end])), kept)


_OTHER_ENDS: Final = 8
"""So many other lines are tried; each takes a parse."""


def _why_blank(text: str, around: Surroundings) -> Reason:
    stripped = text.strip()
    if not text:
        return Reason.MODEL_SAID_NOTHING
    if not stripped:
        return Reason.FILTERED_BLANK
    if around.next_lines and stripped.startswith(around.next_lines[0].strip()):
        return Reason.FILTERED_COPY_OF_NEXT_LINE
    return Reason.FILTERED_OUT_OF_PLACE


def _why_unfit(text: str, around: Surroundings) -> Reason:
    rest, said = around.line_suffix.strip(), text.strip()
    if rest and (rest.startswith(said) or said.startswith(rest)):
        return Reason.FILTERED_COPY_OF_NEXT_LINE
    return Reason.FILTERED_OUT_OF_PLACE


def _without_leading_blank_lines(text: str, around: Surroundings) -> str:
    """Put the first line of code on the cursor's line where that is blank already."""
    if not (around.at_line_start and around.at_line_end):
        return text
    stripped = text.lstrip("\n")
    if stripped == text:
        return text
    if stripped.startswith(around.line_prefix):
        return stripped[len(around.line_prefix) :]
    return text
