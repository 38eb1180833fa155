"""What each voice said, as single statements: who says it, on what ground, and where it is seen."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from coai_agents.specialists.answers import Place
from coai_agents.specialists.choosing.claims import Claim, claim_of
from coai_agents.specialists.untrusted import from_model
from coai_agents.workflows.definition.types import Json, is_list, is_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Ground: TypeAlias = Literal["fact", "model"]
"""Whether a tool found it in the code, or a model or a person says so."""

MOST_STATEMENTS: Final = 200
"""Of one voice."""
MOST_CHARACTERS: Final = 600
"""Of one statement."""

_FENCE: Final = re.compile(r"^(`{3,}|~{3,})[^\n]*\n.*?(?:^\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_BULLET: Final = re.compile(r"^\s*(?:[-*+\u2022]|\(?\d{1,3}[.)])\s+")
_HEADING: Final = re.compile(r"^\s*(?:#{1,6}\s.*|\*\*[^*]*[^*.!?]\*\*:?|[^.!?]{1,60}:)\s*$")
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'`(])")
_PLACE: Final = re.compile(
    r"(?P<path>(?:[\w.-]+[/\\])*[\w-]+\.[A-Za-z]{1,5})(?::(?P<line>\d{1,7})(?:-(?P<end>\d{1,7}))?)"
    r"|(?P<alone>(?:[\w.-]+/)+[\w-]+\.[A-Za-z]{1,5})"
    r"|\b[Ll]ines? (?P<first>\d{1,7})(?:\s?(?:-|to)\s?(?P<last>\d{1,7}))?"
)


@dataclass
class Statement:
    """One thing that is said."""

    text: str
    by: list[str]
    ground: Ground = "model"
    evidence: tuple[Place, ...] = ()
    refuted: str = ""
    """Why the code shows that it does not hold; empty where it does not."""
    claim: Claim = field(init=False)

    def __post_init__(self) -> None:
        """See what it claims, wherever it says that it is."""
        self.claim = claim_of(_PLACE.sub(" ", self.text))

    def as_json(self) -> dict[str, Json]:
        """Return it with its provenance."""
        return {
            "text": self.text,
            "by": list(self.by),
            "ground": self.ground,
            "evidence": [str(each) for each in self.evidence],
            "refuted": self.refuted,
        }


def statements_of(voices: Mapping[str, Json], about: str = "") -> list[Statement]:
    """Return all that voices say; `about` is the file that a line without one is of."""
    found: list[Statement] = []
    for name, value in voices.items():
        found += _of_voice(name, value, about)
    return found


def _of_voice(name: str, value: Json, about: str) -> Iterator[Statement]:
    if is_object(value) and is_list(value.get("said")):
        # A conversation: each member has a voice of its own.
        for message in value["said"]:
            if is_object(message) and isinstance(message.get("text"), str):
                yield from _of_voice(str(message.get("by", name)), message["text"], about)
    elif is_object(value) and isinstance(value.get("message"), str):
        yield _of_finding(name, value)
    elif is_object(value):
        words = next((value[key] for key in ("text", "reasons", "summary") if key in value), None)
        if isinstance(words, str):
            yield from _of_voice(name, words, about)
    elif is_list(value):
        for each in value[:MOST_STATEMENTS]:
            yield from _of_voice(name, each, about)
    elif isinstance(value, str):
        for number, text in enumerate(sentences(value)):
            if number == MOST_STATEMENTS:
                break
            yield Statement(text, [name], evidence=tuple(places(text, about)))


def _of_finding(name: str, finding: dict[str, Json]) -> Statement:
    path, line = str(finding.get("path", "")), finding.get("line", 0)
    place = Place(path, int(line) if isinstance(line, int | float) else 0)
    return Statement(str(finding["message"]), [name], "fact", (place,) if path else ())


def sentences(text: str) -> Iterator[str]:
    """Yield the single statements of a text: items of lists and sentences; no code, no heading."""
    for line in _FENCE.sub("", from_model(text).replace("\r", "")).split("\n"):
        if not line.strip() or _HEADING.match(line):
            continue
        item = _BULLET.sub("", line).replace("**", "").strip()
        for sentence in _SENTENCE.split(item):
            if len(sentence) > 1 and claim_of(sentence).words:
                yield sentence[:MOST_CHARACTERS]


def places(text: str, about: str) -> Iterator[Place]:
    """Yield the places that a text names; lines without a file are those of `about`."""
    for match in _PLACE.finditer(text):
        if path := match["path"] or match["alone"]:
            line = int(match["line"] or 0)
            yield Place(path.replace("\\", "/"), line, int(match["end"] or line))
        elif about:
            first = int(match["first"])
            yield Place(about, first, int(match["last"] or first))
