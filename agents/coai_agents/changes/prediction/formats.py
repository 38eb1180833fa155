"""The prompts of models that predict the next edit, and how their answers are read.

The formats are their makers' own, and data of their training: a token more or less is another
language. Where each is documented stands in `coai_routing/registry/next_edit.toml`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_routing.registry.next_edit import NextEditFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coai_agents.changes.prediction.sight import Sight
    from coai_routing.registry.next_edit import NextEditFamily

_FILE: Final = "<|file_sep|>"
_SWEEP_CURSOR: Final = "<|cursor|>"

_ZETA_CURSOR: Final = "<|user_cursor_is_here|>"
_ZETA_START: Final = "<|editable_region_start|>"
_ZETA_END: Final = "<|editable_region_end|>"
_ZETA_FILE_START: Final = "<|start_of_file|>"
_ZETA_TASK: Final = (
    "You are a code completion assistant and your task is to analyze user edits and then rewrite an"
    " excerpt that the user provides, suggesting the appropriate edits within the excerpt, taking"
    " into account the cursor location."
)
"""What Zeta was trained to follow, word for word."""

_CURSOR: Final = "<|user_cursor|>"
_SUFFIX, _PREFIX, _MIDDLE = "<[fim-suffix]>", "<[fim-prefix]>", "<[fim-middle]>"
_NAME: Final = "<filename>"
_NO_EDITS: Final = "NO_EDITS"
_MARKER: Final = re.compile(r"<\|marker_(\d+)\|>\n?")

FEWEST_LINES: Final = 6
MOST_LINES: Final = 16
"""How long a block between two of Zeta 2.1's markers is (`compute_marker_offsets_v0318`)."""


def prompt_of(family: NextEditFamily, sight: Sight) -> str:
    """Return the raw prompt; everything from the workspace but the region is escaped.

    The region is shown as it is, so it must have none of the family's control words.
    """
    return _PROMPTS[family.format](sight, family.escape)


def answer_of(family: NextEditFamily, text: str, sight: Sight) -> tuple[str, ...] | None:
    """Return the lines that the region shall have; None if it shall stay, or nobody can tell."""
    for word in family.stop:
        text = text.partition(word)[0]
    found = _ANSWERS[family.format](text, sight)
    return None if found is None or family.speaks_in("\n".join(found)) else found


# --------------------------------------------------------------------- Sweep


def _sweep_prompt(sight: Sight, escape: Callable[[str], str]) -> str:
    path = escape(sight.path)
    parts = [
        f"{_FILE}{escape(edit.path)}.diff\noriginal:\n{escape(edit.before)}\n"
        f"updated:\n{escape(edit.after)}"
        for edit in sight.edits
    ]
    original = escape("\n".join(sight.original))
    parts.append(f"{_FILE}original/{path}\n{original}")
    parts.append(f"{_FILE}current/{path}\n{sight.text}")
    parts.append(f"{_FILE}updated/{path}")
    return "\n".join(parts)


def _sweep_answer(text: str, sight: Sight) -> tuple[str, ...] | None:
    return _as_long(text.removeprefix("\n"), sight)


def _sweep_v2_prompt(sight: Sight, escape: Callable[[str], str]) -> str:
    path = escape(sight.path)
    place = f"{path}:{sight.first + 1}:{sight.first + len(sight.region)}"
    around = escape("\n".join((*sight.above, *sight.below)))
    parts = [f"{_FILE}{path}\n{around}"] if around else []
    parts += [
        f"{_FILE}{escape(edit.path)}:{edit.span}\noriginal:\n{escape(edit.before)}\n"
        f"updated:\n{escape(edit.after)}"
        for edit in sight.edits
    ]
    original = escape("\n".join(sight.original))
    parts.append(f"{_FILE}original/{place}\n{original}")
    parts.append(f"{_FILE}current/{place}\n{sight.marked(_SWEEP_CURSOR)}")
    parts.append(f"{_FILE}updated/{place}\n")
    return "\n".join(parts) + _begun(sight)


def _begun(sight: Sight) -> str:
    """Return the lines above the cursor's, which the answer begins with."""
    return "".join(f"{line}\n" for line in sight.region[: sight.cursor[0]])


def _sweep_v2_answer(text: str, sight: Sight) -> tuple[str, ...] | None:
    return _as_long(_begun(sight) + text.replace(_SWEEP_CURSOR, ""), sight) if text else None


# ---------------------------------------------------------------------- Zeta


def _zeta_prompt(sight: Sight, escape: Callable[[str], str]) -> str:
    edits = "\n\n".join(
        f'User edited "{escape(edit.path)}":\n```diff\n{escape(edit.hunk)}\n```'
        for edit in sight.edits
    )
    at_start = sight.first == len(sight.above)
    excerpt = [
        f"```{escape(sight.path)}",
        *((_ZETA_FILE_START,) if at_start else ()),
        *map(escape, sight.above),
        _ZETA_START,
        sight.marked(_ZETA_CURSOR),
        _ZETA_END,
        *map(escape, sight.below),
        "```",
    ]
    return (
        f"### Instruction:\n{_ZETA_TASK}\n\n### User Edits:\n\n{edits}\n\n"
        f"### User Excerpt:\n\n" + "\n".join(excerpt) + "\n\n### Response:\n\n"
    )


def _zeta_answer(text: str, sight: Sight) -> tuple[str, ...] | None:
    _, found, rest = text.partition(f"{_ZETA_START}\n")
    return _as_long(rest.replace(_ZETA_CURSOR, ""), sight) if found else None


# -------------------------------------------------------------------- Zeta 2


def _before_region(sight: Sight, escape: Callable[[str], str]) -> str:
    """Return what Zeta 2 and 2.1 have in common: what follows, the edits, what stands before."""
    edits = "\n".join(
        f"--- a/{escape(edit.path)}\n+++ b/{escape(edit.path)}\n{escape(edit.hunk)}"
        for edit in sight.edits
    )
    history = f"{_NAME}edit_history\n{edits}\n\n" if edits else ""
    below = "".join(f"{escape(line)}\n" for line in sight.below) or "\n"
    above = "".join(f"{escape(line)}\n" for line in sight.above)
    return f"{_SUFFIX}{below}{_PREFIX}{history}{_NAME}{escape(sight.path)}\n{above}"


def _zeta2_prompt(sight: Sight, escape: Callable[[str], str]) -> str:
    region = sight.marked(_CURSOR)
    return f"{_before_region(sight, escape)}<<<<<<< CURRENT\n{region}\n=======\n{_MIDDLE}"


def _zeta2_answer(text: str, sight: Sight) -> tuple[str, ...] | None:
    if text.strip() == _NO_EDITS:
        return None
    return _as_long(text.replace(_CURSOR, ""), sight)


def marker_lines(region: Sequence[str]) -> list[int]:
    """Return the lines of a region before which Zeta 2.1's markers stand, the end among them."""
    found = [0]
    for line in range(1, len(region)):
        size = line - found[-1]
        after_blank = bool(region[line].strip()) and not region[line - 1].strip()
        fits = size >= FEWEST_LINES and len(region) - line >= FEWEST_LINES
        if (after_blank and fits) or size >= MOST_LINES:
            found.append(line)
    return [*found, len(region)]


def _zeta2_1_prompt(sight: Sight, escape: Callable[[str], str]) -> str:
    lines = sight.marked(_CURSOR).split("\n")
    places = marker_lines(sight.region)
    region = ""
    for number, line in enumerate(places, start=1):
        region += f"<|marker_{number}|>"
        if number < len(places):
            region += "\n" + "".join(f"{text}\n" for text in lines[line : places[number]])
    return f"{_before_region(sight, escape)}{region}{_MIDDLE}"


def _zeta2_1_answer(text: str, sight: Sight) -> tuple[str, ...] | None:
    """Read an answer: the first marker's number, the lines from there on, the last one's."""
    tags = list(_MARKER.finditer(text))
    places = marker_lines(sight.region)
    if len(tags) <= 1:
        return None
    first, last = int(tags[0][1]) - 1, int(tags[-1][1]) - 1
    if not 0 <= first < last < len(places):
        return None  # the same marker twice says that nothing changes
    body = text[tags[0].end() : tags[-1].start()].replace(_CURSOR, "")
    new = _MARKER.sub("", body).removesuffix("\n")
    lines = tuple(new.split("\n")) if new else ()
    return (*sight.region[: places[first]], *lines, *sight.region[places[last] :])


def _as_long(text: str, sight: Sight) -> tuple[str, ...] | None:
    """Return a rewritten region with as many empty lines at its end as it had."""
    lines = text.replace("\r\n", "\n").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    ended = len(sight.region)
    while ended and not sight.region[ended - 1].strip():
        ended -= 1
    return (*lines, *sight.region[ended:]) if lines else None


_PROMPTS: Final = {
    NextEditFormat.SWEEP: _sweep_prompt,
    NextEditFormat.SWEEP_V2: _sweep_v2_prompt,
    NextEditFormat.ZETA: _zeta_prompt,
    NextEditFormat.ZETA2: _zeta2_prompt,
    NextEditFormat.ZETA2_1: _zeta2_1_prompt,
}
_ANSWERS: Final = {
    NextEditFormat.SWEEP: _sweep_answer,
    NextEditFormat.SWEEP_V2: _sweep_v2_answer,
    NextEditFormat.ZETA: _zeta_answer,
    NextEditFormat.ZETA2: _zeta2_answer,
    NextEditFormat.ZETA2_1: _zeta2_1_answer,
}
