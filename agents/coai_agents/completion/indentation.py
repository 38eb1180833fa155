"""How far a line is indented that is still to be written.

On a line where nothing stands yet, a model that begins in column 0 has to guess how deep the code
is that it is to write, and small models guess badly. The lines around tell it: below a line that
opens a block whose body is missing there is only one answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.completion.extent import indentation

if TYPE_CHECKING:
    from coai_agents.completion.cursor import Cursor

_OPENERS: Final = (":", "{", "(", "[")
_LOOK_BACK: Final = 4000
"""Characters before the cursor that show how far this file indents."""
_USUAL: Final = "    "


def required_indentation(cursor: Cursor) -> str:
    """Return the white space with which the cursor's blank line must begin, or nothing.

    It must be indented where the line above opens a block and the line below is not in it.
    """
    around = cursor.around
    if not _is_free(cursor) or not around.previous_line.rstrip().endswith(_OPENERS):
        return ""
    column = indentation(around.previous_line)
    if around.next_lines and indentation(around.next_lines[0]) > column:
        return ""
    return _white_space(around.previous_line) + _step(cursor)


def likely_indentation(cursor: Cursor) -> str:
    """Return the white space with which the cursor's blank line begins if it goes on as above."""
    return _white_space(cursor.around.previous_line) if _is_free(cursor) else ""


def _is_free(cursor: Cursor) -> bool:
    """Say whether nothing at all stands on the cursor's line."""
    return not cursor.around.line_prefix and cursor.around.at_line_end


def _white_space(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _step(cursor: Cursor) -> str:
    """Return how far this file indents a block: by the smallest step above the cursor."""
    if _white_space(cursor.around.previous_line).startswith("\t"):
        return "\t"
    steps: list[str] = []
    opened: str | None = None
    for line in cursor.prefix[-_LOOK_BACK:].split("\n"):
        if not line.strip():
            continue
        here = _white_space(line)
        if opened is not None and here.startswith(opened) and len(here) > len(opened):
            steps.append(here[len(opened) :])
        opened = here if line.rstrip().endswith((":", "{")) else None
    return min(steps, key=len, default=_USUAL)
