"""What the daemon keeps of completions: in the ledger as rows, and in memory as the user's habits.

Rows hold no code. What a backend said of a failure may quote the prompt, so it stays in the log,
and the ledger has the reason's code alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from coai_agents.completion.feedback.feedback import Feedback
from coai_agents.completion.feedback.tuning import tuning_for
from coai_agents.completion.outcome import Reason, Suggestion
from coai_routing.errors import LedgerError
from coai_routing.records.acceptance import Habits
from coai_routing.records.usage_file import location
from coai_routing.records.usage_log import UsageLog
from coai_routing.records.usage_reading import reading
from coai_routing.records.usage_rows import RequestRow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coai_agents.completion.feedback.tuning import Tuning
    from coai_agents.completion.outcome import Event
    from coai_agents.source import Source
    from coai_routing.records.usage_rows import SuggestionRow
    from coai_routing.settings.schema import LedgerSettings

logger = logging.getLogger(__name__)

OWN_WORDS: Final = frozenset(
    {
        Reason.DISABLED_FOR_LANGUAGE,
        Reason.SNOOZED,
        Reason.EXCLUDED,
        Reason.SECRET_FILE,
        Reason.TOO_LARGE,
        Reason.NO_BACKEND,
        Reason.EGRESS_REFUSED,
    }
)
"""Reasons whose details are sentences of ours, about settings and paths."""

HABITS: Final = 500
"""Suggestions that are read when the daemon starts; discounting leaves nothing of older ones."""

_REMEMBERED: Final = 256
"""Documents of which it is remembered whether they are recorded, as a URI is slow to take apart;
and suggestions of which it is remembered what was told."""


class Recorder:
    """Takes what the completer and the feedback tell. `open` begins to write it."""

    def __init__(
        self,
        settings: Callable[[str], LedgerSettings],
        document: Callable[[str], Source | None],
        *,
        path: Path | None = None,
        judged: Callable[[SuggestionRow, SuggestionRow | None], None] = lambda _row, _before: None,
    ) -> None:
        """Write nothing yet.

        `judged` is told whenever more is known of a suggestion's fate, with what was known before.
        """
        self._judged = judged
        self._settings = settings
        self._path = path or location()
        self._ledger = self._new() if settings("").enabled else None
        self._recorded: dict[str, bool] = {}
        self._habits = Habits()
        self._told: OrderedDict[int, SuggestionRow] = OrderedDict()
        """What was told last of each suggestion of this session."""
        self.feedback: Final = Feedback(self, document)

    @property
    def problem(self) -> LedgerError | None:
        """Why nothing can be recorded at the moment, or None."""
        return None if self._ledger is None else self._ledger.problem

    # ------------------------------------------------------------------ told

    def ended(self, event: Event, source: Source | None, offset: int) -> None:
        """Take the end of a request."""
        if source is not None:
            if isinstance(event.outcome, Suggestion):
                self.feedback.shown(source, offset, event.outcome)
            else:
                self.feedback.asked(source, offset)
        if self._ledger is not None and self._is_recorded(event.uri):
            self._ledger.record(row_of(event))

    def suggestion(self, row: SuggestionRow) -> None:
        """Take what is known of a suggestion."""
        self._judged(row, self._told.get(row.identity))
        self._told[row.identity] = row
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        self._habits.note(row)
        if self._ledger is not None and self._is_recorded(row.uri):
            self._ledger.record(row)

    def tuning(self, language: str) -> Tuning:
        """Return what the user's acceptance changes for a language."""
        return tuning_for(language, self._habits.by_language, self._habits.overall)

    def _is_recorded(self, uri: str) -> bool:
        recorded = self._recorded.get(uri)
        if recorded is None:
            if len(self._recorded) >= _REMEMBERED:
                self._recorded.clear()
            recorded = self._recorded[uri] = self._settings(uri).enabled
        return recorded

    # ------------------------------------------------------------ life cycle

    def open(self) -> None:
        """Begin to write; what was recorded before this has waited for it."""
        if self._ledger is not None:
            self._ledger.open()

    async def learn(self) -> None:
        """Take from the ledger what the user's habits are."""
        if self._ledger is None:
            return
        try:
            past = await asyncio.to_thread(_past, self._path)
        except LedgerError as error:
            logger.info("What was recorded before is not used. %s", error)
            return
        self._habits = Habits(past)

    async def apply(self) -> None:
        """Act on settings that changed."""
        self._recorded.clear()
        wanted = self._settings("").enabled
        if wanted and self._ledger is None:
            self._ledger = self._new()
            self.open()
            await self.learn()
        elif not wanted and self._ledger is not None:
            ledger, self._ledger = self._ledger, None
            await ledger.aclose()

    async def aclose(self) -> None:
        """Write what is known, and close the ledger."""
        await self.feedback.aclose()
        if self._ledger is not None:
            await self._ledger.aclose()

    def _new(self) -> UsageLog:
        return UsageLog(self._path, days=lambda: self._settings("").days)


def _past(path: Path) -> tuple[SuggestionRow, ...]:
    """Return the last suggestions, oldest first; raises `LedgerError`."""
    with reading(path) as ledger:
        return ledger.suggestions(HABITS)[::-1]


def row_of(event: Event) -> RequestRow:
    """Return what is kept of a request."""
    outcome = event.outcome
    at = datetime.now(UTC) - timedelta(milliseconds=outcome.elapsed_ms)
    if isinstance(outcome, Suggestion):
        return RequestRow(
            at=at,
            uri=event.uri,
            line=event.line,
            trigger=event.trigger.value,
            language=event.language,
            elapsed_ms=outcome.elapsed_ms,
            origin=outcome.origin,
            backend=outcome.backend,
            model=outcome.model,
            identity=outcome.identity,
            evaluated_tokens=outcome.evaluated_tokens,
            cached_tokens=outcome.cached_tokens,
            output_tokens=outcome.output_tokens,
        )
    return RequestRow(
        at=at,
        uri=event.uri,
        line=event.line,
        trigger=event.trigger.value,
        language=event.language,
        elapsed_ms=outcome.elapsed_ms,
        reason=outcome.reason.value,
        detail=outcome.detail if outcome.reason in OWN_WORDS else "",
    )
