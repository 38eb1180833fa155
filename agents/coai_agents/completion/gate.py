"""Whether code may be completed at a place at all, before any model is asked."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from coai_agents.completion.outcome import Reason, Trigger
from coai_agents.exclusions.decisions import Ground

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_agents.completion.cursor import Cursor
    from coai_agents.exclusions.decisions import Exclusions
    from coai_agents.source import Source
    from coai_routing.settings.schema import CompletionSettings

MOST_CHARACTERS: Final = 2_000_000
"""Nobody writes a longer file by hand, and every keystroke in it would cost milliseconds."""

LONGEST_LINE: Final = 20_000
"""Code points. Nobody writes a longer line by hand; one elsewhere in a file does no harm."""

_MINUTE: Final = 60


class CompletionGate:
    """Says why not, or nothing. A file that it never saw before is looked at in a thread."""

    def __init__(
        self,
        *,
        settings: Callable[[str], CompletionSettings],
        exclusions: Exclusions,
        in_comment: Callable[[Source, int], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what the decisions need: the settings for a URI, and what excludes a file.

        `in_comment` says of a snapshot's offset whether it is in a comment. It must be quick: where
        the document's tree is not at hand it says no.
        """
        self._settings = settings
        self._exclusions = exclusions
        self._in_comment = in_comment
        self._clock = clock
        self._snoozed_until = -math.inf

    def snooze(self, until: float) -> None:
        """Hold all completions back until a time of the clock, in seconds; a past one ends it."""
        self._snoozed_until = until

    @property
    def snoozed_until(self) -> float | None:
        """The time of the clock at which completions come back, or None if they are not away."""
        return self._snoozed_until if self._clock() < self._snoozed_until else None

    async def refusal(
        self, source: Source, cursor: Cursor, trigger: Trigger
    ) -> tuple[Reason, str] | None:
        """Return why not, with details; None if it may.

        In comments and in the middle of words only what the user asks for is completed. Waits for
        nothing if the file is known.
        """
        # By which names a file goes decides what its settings are, too.
        excluded = await self._excluded(source.uri)
        settings = self._settings(source.uri)
        if not settings.enabled:
            return Reason.DISABLED, ""
        if not settings.serves(source.language):
            return Reason.DISABLED_FOR_LANGUAGE, f"It is `{source.language or 'not known'}`."
        if (until := self.snoozed_until) is not None:
            return Reason.SNOOZED, _remaining(until - self._clock())
        if excluded is not None:
            return excluded
        if (size := _too_large(source.text, cursor)) is not None:
            return Reason.TOO_LARGE, size
        if trigger is Trigger.AUTOMATIC:
            if _in_word(cursor):
                return Reason.MIDDLE_OF_WORD, ""
            if self._in_comment(source, _offset(source, cursor)):
                return Reason.IN_COMMENT, ""
        return None

    async def _excluded(self, uri: str) -> tuple[Reason, str] | None:
        refusal = await self._exclusions.judged(uri, "completion")
        if refusal is None:
            return None
        secret = refusal.reason is Ground.SECRET_FILE
        return (Reason.SECRET_FILE if secret else Reason.EXCLUDED), refusal.sentence


def _remaining(seconds: float) -> str:
    if math.isinf(seconds):
        return "Until they are woken."
    minutes = math.ceil(seconds / _MINUTE)
    return f"For {minutes} more minute{'' if minutes == 1 else 's'}."


def _too_large(text: str, cursor: Cursor) -> str | None:
    """Return in words what is too large."""
    if len(text) > MOST_CHARACTERS:
        return f"It has more than {MOST_CHARACTERS:,} characters."
    line_start = cursor.prefix.rfind("\n") + 1
    line_end = cursor.suffix.find("\n")
    line_end = len(cursor.suffix) if line_end < 0 else line_end
    if len(cursor.prefix) - line_start + line_end > LONGEST_LINE:
        return f"The cursor's line has more than {LONGEST_LINE:,} characters."
    return None


def _in_word(cursor: Cursor) -> bool:
    """Say whether the cursor parts an identifier in two."""
    before, after = cursor.prefix[-1:], cursor.suffix[:1]
    return _is_word(before) and _is_word(after)


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _offset(source: Source, cursor: Cursor) -> int:
    r"""Return the cursor's offset in the snapshot, whose line ends may be `\r\n`."""
    if len(cursor.prefix) + len(cursor.suffix) == len(source.text):
        return len(cursor.prefix)
    line = cursor.prefix.count("\n")
    start = cursor.prefix.rfind("\n") + 1
    return source.line_start(line) + len(cursor.prefix) - start
