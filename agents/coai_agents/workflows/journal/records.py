"""What is read from and written to the journal: frozen values, JSON and nothing else."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from coai_agents.workflows.definition.types import Json

ARTIFACT_BYTES: Final = 64 * 1024
"""A value above this is kept once, by its hash, however often it comes up."""

MOST_BYTES: Final = 32 * 1024 * 1024
"""Of one value; a step that gives more has failed."""

_REFERENCE: Final = b"#"
"""The first byte of a reference to an artifact; no JSON begins with it."""

RunState: TypeAlias = Literal["running", "paused", "waiting", "done", "failed", "cancelled"]
ENDED: Final = ("done", "failed", "cancelled")

StepState: TypeAlias = Literal["done", "partial", "skipped", "failed", "revised"]

EventKind: TypeAlias = Literal[
    "created", "resumed", "started", "ended", "tried", "asked", "answered", "paused", "waiting",
    "cancelled", "finished", "reset", "warned",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Usage:
    """What model calls came to."""

    calls: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        """Return both together."""
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.output_tokens + other.output_tokens,
            self.usd + other.usd,
        )

    @property
    def tokens(self) -> int:
        """All tokens, read and written."""
        return self.prompt_tokens + self.output_tokens


NOTHING: Final = Usage()


@dataclass(frozen=True, slots=True)
class StepFacts:
    """What is known of a step besides what it gave."""

    ms: float = 0.0
    usage: Usage = NOTHING
    model: str = ""
    local: bool = True
    cached: bool = False
    error: str = ""
    notes: tuple[str, ...] = ()
    """What was left out or went differently, for a person."""
    paths: tuple[str, ...] = ()
    """Files of the workspace of which what it gave shows something."""
    unasked: bool = False
    """Whether it failed because no model could be asked."""

    def as_text(self) -> str | None:
        """Return it as it is stored; None where there is nothing to say."""
        said: dict[str, Any] = {"ms": round(self.ms, 1)} if self.ms else {}
        if self.usage.calls:
            used = self.usage
            said["use"] = [used.calls, used.prompt_tokens, used.output_tokens, round(used.usd, 8)]
        if self.model:
            said["model"] = self.model
        if not self.local:
            said["away"] = True
        if self.cached:
            said["cached"] = True
        if self.error:
            said["error"] = self.error
        if self.notes:
            said["notes"] = list(self.notes)
        if self.paths:
            said["paths"] = list(self.paths)
        if self.unasked:
            said["unasked"] = True
        return json.dumps(said, separators=(",", ":")) if said else None


def read_facts(text: str | None) -> StepFacts:
    """Read what `StepFacts.as_text` wrote."""
    if text is None:
        return StepFacts()
    said = json.loads(text)
    return StepFacts(
        ms=said.get("ms", 0.0),
        usage=Usage(*said.get("use", ())),
        model=said.get("model", ""),
        local=not said.get("away", False),
        cached=said.get("cached", False),
        error=said.get("error", ""),
        notes=tuple(said.get("notes", ())),
        paths=tuple(said.get("paths", ())),
        unasked=said.get("unasked", False),
    )


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a run."""

    seq: int
    kind: EventKind
    step: str = ""
    body: Json = None
    at: str = ""
    """UTC, for people: nothing is decided by it but how long a person was given to answer."""


@dataclass(frozen=True, slots=True)
class StepEnd:
    """What a step ended in."""

    step: str
    state: StepState
    output: Json = None
    attempt: int = 1
    facts: StepFacts = StepFacts()
    seq: int = 0


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run, as a list shows it."""

    number: int
    id: str
    name: str
    state: RunState
    created: str
    changed: str
    parent: str | None = None
    owner: str | None = None
    fence: int = 0
    wish: str | None = None
    facts: dict[str, Json] = field(default_factory=dict[str, Any])
    """What its start knew: workspace, model wishes."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write to a run."""

    number: int
    run: str
    fence: int


@dataclass(frozen=True, slots=True)
class Story:
    """All of a run: its plan and input, and everything that happened, in its order."""

    row: RunRow
    plan: str
    input: Json
    events: tuple[Event, ...]
    steps: tuple[StepEnd, ...]


def encoded(value: Json) -> bytes:
    """Return a value as JSON; raises ValueError for what JSON cannot say, or is too large."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    content = text.encode("utf-8", "surrogatepass")
    if len(content) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
    return content


def as_text(content: bytes) -> str:
    """Return JSON as text that a database takes: lone surrogates are escaped."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return json.dumps(decoded(content))


def plain(name: str) -> str:
    """Return a name as a database takes it: no run is called by what it cannot say."""
    return name.encode("utf-8", "replace").decode().replace("\0", "?")


def decoded(content: bytes) -> Json:
    """Return the value of JSON."""
    return json.loads(content.decode("utf-8", "surrogatepass"))


def is_reference(content: bytes) -> bool:
    """Say whether content stands for an artifact."""
    return content[:1] == _REFERENCE


def reference(content: bytes) -> bytes:
    """Return what stands for an artifact."""
    return _REFERENCE + blake2b(content, digest_size=20).digest()


def packed(content: bytes) -> bytes:
    """Return an artifact as it is stored."""
    return zlib.compress(content, 1)


def unpacked(body: bytes) -> bytes:
    """Return what `packed` made."""
    return zlib.decompress(body)
