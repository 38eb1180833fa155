"""Prompt sessions: a prompt is paid for once and then only grows at its end.

On a CPU nearly the whole cost of a completion is reading the prompt. A fill-in-the-middle prompt
in prefix-suffix-middle order changes in its middle with every keystroke, so that everything after
it is read again. Here the prompt is frozen where the cursor first asked: prefix, suffix and context
stay byte for byte, and what has been typed since goes after the middle token, as if the model had
written it. A backend with a prompt cache then reads about one token per keystroke (measured by
benchmarks/typing.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.completion.cursor import Cursor
    from coai_agents.completion.prompt.budget import Budget
    from coai_agents.context.selection import ContextFile
    from coai_routing.registry.catalog import FimFormat

LONGEST_TAIL: Final = 1200
"""Characters that may follow the middle token before the prompt is frozen anew. The model was
trained on middles of this size; longer ones make it forget the suffix."""

REST_TAIL: Final = 240
"""With a longer tail than this, an idle moment is used to freeze the prompt anew."""

SUFFIX_DRIFT: Final = 12
"""Characters by which the start of the suffix may differ from the frozen one: closing halves of
pairs that the editor adds and removes."""


@dataclass(frozen=True, slots=True)
class PromptSession:
    """A frozen prompt. The document's text is kept whole to see whether it still stands."""

    uri: str
    backend: str
    prefix: str
    """The document's text up to the anchor: where the cursor was, or the beginning of its line."""
    suffix: str
    """The document's text after the cursor when the prompt was frozen."""
    window: str
    """The part of the prefix that the prompt shows."""
    suffix_window: str
    """The part of the suffix that the prompt shows."""
    files: tuple[ContextFile, ...]
    """What else the prompt shows, most stable first."""
    above: str = ""
    """What stands above the document: the cells of its notebook."""
    idle: bool = False
    """Whether it was frozen with the larger budget of an idle moment."""
    estimated: int = 0
    """The tokens of what it shows, before the backend's own counts correct that."""

    def tail(self, cursor: Cursor) -> str | None:
        """Return what goes after the middle token at the cursor; None if the prompt is stale."""
        typed = cursor.typed_since(self.prefix)
        if typed is None or len(typed) > LONGEST_TAIL:
            return None
        return typed if _same_but_for_closers(self.suffix, cursor.suffix) else None

    def prompt(self, fim: FimFormat, tail: str) -> str:
        """Return the prompt with `tail` typed after the anchor."""
        files = [(file.path, file.text) for file in self.files]
        return fim.prompt(self.above + self.window, self.suffix_window, tail=tail, files=files)


def freeze(
    cursor: Cursor,
    *,
    backend: str,
    budget: Budget,
    files: Sequence[ContextFile] = (),
    above: str = "",
    idle: bool = False,
) -> PromptSession:
    """Freeze a prompt at the cursor; of what stands above the document, what there is room for."""
    prefix = _before_anchor(cursor)
    taken = min(len(prefix), budget.prefix) + min(len(cursor.suffix), budget.suffix)
    taken += sum(len(file.text) for file in files)
    return PromptSession(
        uri=cursor.uri,
        backend=backend,
        prefix=prefix,
        suffix=cursor.suffix,
        window=prefix[_window_start(prefix, budget.prefix) :],
        suffix_window=_suffix_window(cursor.suffix, budget.suffix),
        files=tuple(files),
        above=above[_window_start(above, max(0, budget.total - taken)) :],
        idle=idle,
    )


def move(
    session: PromptSession, cursor: Cursor, *, budget: Budget, most: int
) -> PromptSession | None:
    """Freeze a prompt anew that begins as `session` did, so that the backend's cache holds.

    Only what comes after the first difference is read again. None if that is more than the budget,
    if the text above the window has changed, or if more than `most` characters before the cursor,
    or too few, would be shown: the window does not slide with each line, which would leave nothing
    of the cache, but jumps.
    """
    prefix = _before_anchor(cursor)
    start = len(session.prefix) - len(session.window)
    shown = len(prefix) - start
    if prefix[:start] != session.prefix[:start]:
        return None
    suffix_window = _suffix_window(cursor.suffix, budget.suffix)
    same = common_length(prefix[start:], session.window)
    if shown - same + len(suffix_window) > budget.total:
        return None
    if not min(start, budget.prefix // 2) <= shown <= max(most, budget.prefix):
        return None
    return replace(
        session,
        prefix=prefix,
        suffix=cursor.suffix,
        window=prefix[start:],
        suffix_window=suffix_window,
    )


def common_length(one: str, other: str) -> int:
    """Return how long the common beginning is, by bisection: comparing slices is quick."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _before_anchor(cursor: Cursor) -> str:
    """Return what goes before the middle token: all up to the cursor, but for mere indentation.

    What stands on the line is understood better there than as a middle that has begun already: 36
    of 82 random spans against 30 (benchmarks/infilling.py). Indentation has still to be typed.
    """
    line = cursor.prefix.rfind("\n") + 1
    return cursor.prefix if cursor.prefix[line:].strip() else cursor.prefix[:line]


def _window_start(prefix: str, budget: int) -> int:
    """Return where the shown part of the prefix begins: always at the beginning of a line."""
    if len(prefix) <= budget:
        return 0
    start = len(prefix) - budget
    line_end = prefix.find("\n", start - 1)
    return start if line_end < 0 or line_end + 1 >= len(prefix) else line_end + 1


def _suffix_window(suffix: str, budget: int) -> str:
    if len(suffix) <= budget:
        return suffix
    line_end = suffix.rfind("\n", 0, budget)
    return suffix[: line_end + 1] if line_end > 0 else suffix[:budget]


def _same_but_for_closers(frozen: str, current: str) -> bool:
    if frozen == current:
        return True
    drift = len(current) - len(frozen)
    if abs(drift) > SUFFIX_DRIFT:
        return False
    longer, shorter = (current, frozen) if drift > 0 else (frozen, current)
    return longer.endswith(shorter) and "\n" not in longer[: len(longer) - len(shorter)]
