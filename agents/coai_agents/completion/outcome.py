"""What a completion request ends in: a suggestion, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from coai_agents.source import Source


class Trigger(StrEnum):
    """How the editor came to ask."""

    AUTOMATIC = "automatic"
    """The user typed or moved; a pause may be waited for and short answers are preferred."""
    INVOKED = "invoked"
    """The user asked; nothing is held back that could help."""


class Reason(StrEnum):
    """Why a request yielded no suggestion. The value is the code that users and logs see."""

    DISABLED = "disabled"
    DISABLED_FOR_LANGUAGE = "disabled_for_language"
    SNOOZED = "snoozed"
    EXCLUDED = "excluded"
    SECRET_FILE = "secret_file"  # noqa: S105 - a reason code, no password
    TOO_LARGE = "too_large"
    UNKNOWN_DOCUMENT = "unknown_document"
    IN_COMMENT = "in_comment"
    MIDDLE_OF_WORD = "middle_of_word"
    NO_BACKEND = "no_backend"
    BACKEND_STARTING = "backend_starting"
    BACKEND_FAILED = "backend_failed"
    BREAKER_OPEN = "breaker_open"
    TIMED_OUT = "timed_out"
    MACHINE_BUSY = "machine_busy"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    EGRESS_REFUSED = "egress_refused"
    OVER_BUDGET = "over_budget"
    INTERNAL_ERROR = "internal_error"
    MODEL_SAID_NOTHING = "model_said_nothing"
    FILTERED_OUT_OF_PLACE = "filtered_out_of_place"
    FILTERED_BLANK = "filtered_blank"
    FILTERED_REPETITION = "filtered_repetition"
    FILTERED_COPY_OF_NEXT_LINE = "filtered_copy_of_next_line"

    @property
    def meaning(self) -> str:
        """One sentence for the user."""
        return _MEANINGS[self]

    @property
    def remedy(self) -> str:
        """What the user can do about it; empty where there is nothing to do."""
        return _REMEDIES.get(self, "")


_MEANINGS: dict[Reason, str] = {
    Reason.DISABLED: "Completions are switched off (`completion.enabled`).",
    Reason.DISABLED_FOR_LANGUAGE: "Completions are off for this language (`completion.languages`).",
    Reason.SNOOZED: "Completions are snoozed.",
    Reason.EXCLUDED: "The file matches an exclusion (`.coaiignore`, `completion.exclude` or "
    "`privacy.exclude`).",
    Reason.SECRET_FILE: "Files that hold secrets are never read into a prompt.",
    Reason.TOO_LARGE: "The file is too large to be completed in.",
    Reason.UNKNOWN_DOCUMENT: "The editor has not opened this document.",
    Reason.IN_COMMENT: "The cursor is in a comment; ask explicitly to complete there.",
    Reason.MIDDLE_OF_WORD: "The cursor is in the middle of a word; ask explicitly to complete "
    "there.",
    Reason.NO_BACKEND: "No model can serve completions; `coai doctor` says what is missing.",
    Reason.BACKEND_STARTING: "The model is still being loaded.",
    Reason.BACKEND_FAILED: "The model's backend failed.",
    Reason.BREAKER_OPEN: "The model's backend failed repeatedly and is left alone for a while.",
    Reason.TIMED_OUT: "The model did not answer in time (`completion.timeout_ms`).",
    Reason.MACHINE_BUSY: "The machine is busy: other programs leave the model too little time.",
    Reason.SUPERSEDED: "A newer request took its place.",
    Reason.CANCELLED: "The editor cancelled the request.",
    Reason.EGRESS_REFUSED: "The only model that could answer is not on this machine, and this "
    "code may not leave it.",
    Reason.OVER_BUDGET: "The only model that could answer costs money, and the budget leaves too "
    "little.",
    Reason.INTERNAL_ERROR: "COAI failed by a flaw of its own.",
    Reason.MODEL_SAID_NOTHING: "The model had nothing to add here.",
    Reason.FILTERED_OUT_OF_PLACE: "What the model suggested belongs to some other place than the "
    "cursor's.",
    Reason.FILTERED_BLANK: "The model suggested only white space.",
    Reason.FILTERED_REPETITION: "The model repeated itself.",
    Reason.FILTERED_COPY_OF_NEXT_LINE: "The model suggested what stands after the cursor already.",
}

_REMEDIES: dict[Reason, str] = {
    Reason.DISABLED: "Set `completion.enabled` to true; `coai config show` says what set it.",
    Reason.DISABLED_FOR_LANGUAGE: "Set the language to true in `completion.languages`.",
    Reason.EXCLUDED: "Change the pattern, if the file should be completed in.",
    Reason.UNKNOWN_DOCUMENT: "Close the file and open it again; if that does not help, the log "
    "says what the editor sent.",
    Reason.NO_BACKEND: "Run `coai doctor`.",
    Reason.BACKEND_STARTING: "Wait; `coai doctor` shows how far it is.",
    Reason.BACKEND_FAILED: "Run `coai doctor`; the daemon's log has the backend's own words.",
    Reason.BREAKER_OPEN: "Run `coai doctor` to see what the backend answers now.",
    Reason.INTERNAL_ERROR: "The daemon's log says where; please report it.",
    Reason.TIMED_OUT: "Choose a smaller model, or raise `completion.timeout_ms`.",
    Reason.MACHINE_BUSY: "Type on: what the model still writes is kept, and shown where it fits.",
    Reason.OVER_BUDGET: "Raise `budget.daily_usd` or `budget.monthly_usd`, or run "
    "`coai models pull` for a model on this machine.",
    Reason.EGRESS_REFUSED: "Run `coai models pull` for a model on this machine, or read what "
    "`completion.allow_cloud` means.",
}

Origin = Literal["model", "shown", "cache", "joined", "prefetched", "change", "prediction"]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Text to show at the cursor, and where it came from."""

    text: str
    """What to insert, with `\\n` line ends."""
    replaces: int
    """How many code points after the cursor, on its line, the text stands in for."""
    origin: Origin
    backend: str
    """The backend's name, as the user knows it."""
    model: str
    elapsed_ms: float
    """From the request's arrival to this answer."""
    identity: int
    """The same for every part of one suggestion that the user types or accepts piece by piece."""
    replaces_before: int = 0
    """How many code points before the cursor the text stands in for: those of an item selected in
    the editor's list that does not go on with what was typed."""
    evaluated_tokens: int = 0
    """Prompt tokens that the backend had to evaluate; 0 when it was not asked."""
    cached_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class NoSuggestion:
    """Nothing to show, and why."""

    reason: Reason
    detail: str = ""
    """What exactly: the pattern that excluded the file, the backend's error, ..."""
    elapsed_ms: float = 0.0

    @property
    def sentence(self) -> str:
        """The reason for a reader."""
        return f"{self.reason.meaning} {self.detail}".rstrip()


Outcome = Suggestion | NoSuggestion


@dataclass(frozen=True, slots=True)
class Event:
    """One request and what it ended in."""

    at: float
    """Seconds of the monotonic clock."""
    uri: str
    line: int
    trigger: Trigger
    outcome: Outcome
    language: str = ""


class Listener(Protocol):
    """Is told of every request's end, before the answer goes out: it must be quick."""

    def ended(self, event: Event, source: Source | None, offset: int) -> None:
        """Take note; `source` is the snapshot that was asked about, None if there was none."""
        ...
