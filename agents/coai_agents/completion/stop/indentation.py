"""How far a line is indented that is still to be written.

On a line where nothing stands yet, a model that begins in column 0 has to guess how deep the code
is that it is to write, and small models guess badly. The lines around tell it: below a line that
opens a block whose body is missing there is only one answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.completion.stop.surroundings import indentation

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def indented_as_the_file(text: str, cursor: Cursor, *, primed: str = "") -> str:
    """Return a suggestion with the file's kind of indentation, written once.

    A file is indented with tabs or with blanks, as most lines around the cursor are; models write
    the other kind now and then. `primed` is what the model was told that its text begins with;
    some begin with the line's whole indentation all the same.
    """
    at_line_start = cursor.around.at_line_start
    if not text.strip() or not (at_line_start or "\n" in text):
        return text
    lines = text.split("\n")
    begun = cursor.around.line_prefix + primed if at_line_start else cursor.around.line_prefix
    tabs = _by_tabs(cursor)
    own = lines if at_line_start else lines[1:]
    if tabs is not None and any(
        ("\t" in _white_space(line)) is not tabs for line in own if line[:1].isspace()
    ):
        lines[0 if at_line_start else 1 :] = _converted(own, begun, cursor, tabs=tabs)
    if at_line_start and begun:
        lines[0] = _not_twice(lines[0], begun, cursor)
    return "\n".join(lines)


def _by_tabs(cursor: Cursor) -> bool | None:
    """Say whether the lines around the cursor are indented with tabs; None if none is indented."""
    near = f"{cursor.prefix[-_LOOK_BACK:]}{cursor.suffix[:_LOOK_BACK]}".split("\n")
    tabs = sum(line.startswith("\t") and bool(line.strip()) for line in near)
    blanks = sum(line.startswith("  ") and bool(line.strip()) for line in near)
    if not (tabs or blanks):
        begun = cursor.around.line_prefix
        return None if begun.strip() or not begun else "\t" in begun
    return tabs > blanks


def _converted(own: Sequence[str], begun: str, cursor: Cursor, *, tabs: bool) -> list[str]:
    """Write lines' indentation with the other kind."""
    if not tabs:
        step = _step(cursor)
        return [_white_space(line).replace("\t", step) + line.lstrip(" \t") for line in own]
    width = _width(own, begun, cursor)
    return [_white_space(line).replace(" " * width, "\t") + line.lstrip(" \t") for line in own]


_WIDTHS: Final = (4, 2, 8, 3)
"""How many blanks a step may be, the most usual first."""


def _width(own: Sequence[str], begun: str, cursor: Cursor) -> int:
    """Return how many blanks a model takes for a step, from how deep its first line should be."""
    indents = [len(_white_space(line)) for line in own if line.strip() and line[0] == " "]
    if not indents:
        return _WIDTHS[0]
    around = cursor.around
    if around.at_line_start:
        opener, depth = around.previous_line, _white_space(around.previous_line).count("\t")
    else:
        opener, depth = around.line_prefix, _white_space(begun).count("\t")
    if around.at_line_start and own and not own[0][:1].isspace():
        # The first line stands where the cursor is; the next one tells.
        opener, depth = own[0], begun.count("\t")
    wanted = depth + (1 if opener.rstrip().endswith(_OPENERS) else 0)
    fitting = [width for width in _WIDTHS if all(indent % width == 0 for indent in indents)]
    return min(fitting or _WIDTHS, key=lambda width: abs(indents[0] // width - wanted))


def _not_twice(line: str, begun: str, cursor: Cursor) -> str:
    """Leave out of a first line the indentation that stands before it already."""
    own = _white_space(line)
    previous = cursor.around.previous_line
    wanted = indentation(previous)
    if previous.rstrip().endswith(_OPENERS):
        wanted = indentation(_white_space(previous) + _step(cursor) + "x")
    if own.startswith(begun) and indentation(f"{begun}{own}x") > wanted:
        return line[len(begun) :]
    return line


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
