"""What the ledger holds, one frozen value for each row. None of it has a place for source code.

Each kind of row knows its statement, so that the writer needs to know no kind by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Value: TypeAlias = "str | int | float | None"
"""What SQLite stores."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

MOST_CHARACTERS: Final = 1000
"""A longer text (a path, a sentence) is cut: a row must stay small."""

_BIGGEST: Final = 2**63 - 1


class Fate(StrEnum):
    """What became of a suggestion. The values are kept in the database."""

    SHOWN = "shown"
    """Nothing is known yet, or the document was closed before it was."""
    ACCEPTED = "accepted"
    ACCEPTED_IN_PART = "accepted_in_part"
    TYPED = "typed"
    """The user typed it to its end by hand, so it was right and yet not taken."""
    REJECTED = "rejected"


class UsageRow(Protocol):
    """Something that the ledger can write."""

    @property
    def key(self) -> tuple[str, int] | None:
        """What a later row of one batch replaces this one by, or None if each stands alone."""
        ...

    @property
    def statement(self) -> str:
        """The SQL that writes it."""
        ...

    def values(self, run: int) -> tuple[Value, ...]:
        """Return the statement's parameters; `run` names the daemon's run."""
        ...


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One completion request and what it ended in: a suggestion, or else a reason."""

    COLUMNS: ClassVar = (
        "at",
        "uri",
        "line",
        "trigger",
        "language",
        "elapsed_ms",
        "origin",
        "backend",
        "model",
        "identity",
        "reason",
        "detail",
        "evaluated_tokens",
        "cached_tokens",
        "output_tokens",
    )

    at: datetime
    """When it arrived."""
    uri: str
    line: int
    """From 0."""
    trigger: str
    language: str
    elapsed_ms: float
    origin: str = ""
    """Where the suggestion came from; empty if there is none, as `backend` and `model` then are."""
    backend: str = ""
    model: str = ""
    identity: int | None = None
    """The suggestion's, unique within one run of a daemon."""
    reason: str = ""
    """The code of why there is no suggestion; empty if there is one."""
    detail: str = ""
    evaluated_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0

    @property
    def key(self) -> tuple[str, int] | None:
        """Each request stands alone."""
        return None

    @property
    def statement(self) -> str:
        """The SQL that writes it."""
        return _INSERT_REQUEST

    def values(self, run: int) -> tuple[Value, ...]:
        """Return the statement's parameters."""
        return (
            run,
            milliseconds(self.at),
            text(self.uri),
            whole(self.line),
            text(self.trigger),
            text(self.language),
            self.elapsed_ms,
            text(self.origin),
            text(self.backend),
            text(self.model),
            self.identity,
            text(self.reason),
            text(self.detail),
            whole(self.evaluated_tokens),
            whole(self.cached_tokens),
            whole(self.output_tokens),
        )

    @classmethod
    def of(cls, columns: Sequence[Value]) -> RequestRow:
        """Read a row of the columns in `COLUMNS`."""
        at, *rest = columns
        return cls(moment(at), *rest)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - the columns' types are the schema's


@dataclass(frozen=True, slots=True)
class SuggestionRow:
    """One suggestion and its fate so far; a later row of the same identity takes its place."""

    COLUMNS: ClassVar = (
        "shown_at",
        "identity",
        "uri",
        "language",
        "backend",
        "model",
        "characters",
        "lines",
        "fate",
        "taken",
        "kept_30s",
        "kept_5min",
    )

    shown_at: datetime
    identity: int
    uri: str
    language: str
    backend: str
    model: str
    characters: int
    lines: int
    fate: Fate = Fate.SHOWN
    taken: int = 0
    """Characters that the user accepted."""
    kept_30s: float | None = None
    """The share of them that was still there 30 s after, from 0 to 1; None while not known."""
    kept_5min: float | None = None

    @property
    def key(self) -> tuple[str, int] | None:
        """The suggestion's identity."""
        return ("suggestion", self.identity)

    @property
    def statement(self) -> str:
        """The SQL that writes it, or what is new of it."""
        return _UPSERT_SUGGESTION

    def values(self, run: int) -> tuple[Value, ...]:
        """Return the statement's parameters."""
        return (
            run,
            milliseconds(self.shown_at),
            self.identity,
            text(self.uri),
            text(self.language),
            text(self.backend),
            text(self.model),
            whole(self.characters),
            whole(self.lines),
            self.fate.value,
            whole(self.taken),
            self.kept_30s,
            self.kept_5min,
        )

    @classmethod
    def of(cls, columns: Sequence[Value]) -> SuggestionRow:
        """Read a row of the columns in `COLUMNS`."""
        at, *middle, fate, taken, kept_30s, kept_5min = columns
        return cls(moment(at), *middle, fate_of(fate), taken, kept_30s, kept_5min)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - the columns' types are the schema's


def _insert(table: str, columns: Sequence[str]) -> str:
    names = ", ".join(("run", *columns))
    marks = ", ".join("?" * (len(columns) + 1))
    return f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - names of our own


_INSERT_REQUEST: Final = _insert("requests", RequestRow.COLUMNS)

_UPSERT_SUGGESTION: Final = (
    _insert("suggestions", SuggestionRow.COLUMNS)
    + " ON CONFLICT (run, identity) DO UPDATE SET characters = excluded.characters,"
    " lines = excluded.lines, fate = excluded.fate, taken = excluded.taken,"
    " kept_30s = excluded.kept_30s, kept_5min = excluded.kept_5min"
)


def milliseconds(at: datetime) -> int:
    """Return a moment as milliseconds since 1970 in UTC."""
    return (at - EPOCH) // timedelta(milliseconds=1)


def moment(at: Value) -> datetime:
    """Return the moment that so many milliseconds since 1970 mean."""
    assert isinstance(at, int)
    return EPOCH + timedelta(milliseconds=at)


def fate_of(value: Value) -> Fate:
    """Return a fate; one that a newer version wrote counts as not known."""
    try:
        return Fate(value)
    except ValueError:
        return Fate.SHOWN


def text(value: str) -> str:
    """Return text that SQLite takes: an editor's JSON may hold half a surrogate pair."""
    return value[:MOST_CHARACTERS].encode("utf-8", "replace").decode()


def whole(value: int) -> int:
    """Return a number that SQLite takes: an editor's JSON may hold any."""
    return max(-_BIGGEST, min(value, _BIGGEST))
