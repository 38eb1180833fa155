"""Reads a request: what is pasted into it, and the clauses of what is said about that."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.diagnosing.reading import read_output

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_CHARACTERS: Final = 1_000
"""Of one line: nobody says more in one, and longer ones would cost the square of their length."""

_DIFF: Final = re.compile(r"^(?:diff --git |@@ -\d|--- a/|\+\+\+ b/)", re.MULTILINE)
_PROFILE: Final = re.compile(
    r"^[ \t]*(?:ncalls\s+tottime|%\s+cumulative|flat\s+flat%|self\s+total|samples\s+%)",
    re.MULTILINE,
)
_OUTPUT: Final = re.compile(
    r"^(?:traceback \(most recent|exception in thread|unhandled exception|goroutine \d|panic: |"
    r"thread '[^']*' panicked|uncaught |fatal error: |php \w+ ?\w*: |\S+:\d+:(?:\d+:)? |"
    r"(?:\[?error\]?|err)(?:\[\w+\])?:? )",
    re.MULTILINE | re.IGNORECASE,
)
"""How lines of traces and of tools begin, where not enough of them is there to be read."""

_PASTED_LINE: Final = re.compile(
    r"\s+\S|diff --git|@@ |[-+]{3} |[-+](?=\S)|traceback \(most|\[?(?:error|info|warn)|at |"
    r"\S+:\d+:|\S+\(\d+,\d+\):|goroutine |main\.|note: |caused by|E\s{3}|>\s",
    re.IGNORECASE,
)
"""Lines of an output, a diff or a table, which are no words to whoever reads the request."""

_NAME: Final = re.compile(r"\b(?!read ?me\b|changelog\b)[\w./\\-]*\w\.[a-z]{1,5}\b(?!\()|\b\w+\(\)")
"""Names of files and calls of functions."""

_QUOTED: Final = re.compile(r"`(?![^`]*(?:error|exception))[^`\n]*`")
_SENTENCES: Final = re.compile(r"(?<=[.?!:;])\s+|\s+--?\s+|;\s*|\?\s*")
_LINKS: Final = re.compile(r"(,?\s+(?:and|also|plus|but|then|while|as well as)\s+|,\s+)")

_POLITE: Final = re.compile(
    r"(?:(?:please|pls|plz|pleas|kindly|hey|hi|hello|ok|okay|so|now|then|also|and|just|quickly|first|"
    r"next|finally|maybe|can you|could you|would you|will you|can we|could we|can i get you to|"
    r"i need you to|i want you to|i want to|i need to|i'?d like (?:you )?to|we (?:want|need) to|"
    r"let'?s|help me(?: to)?|help|go ahead and|try to|you should|"
    r"how (?:do|can|would) i|i would like to)\b[,: ]*)*"
)
_HOW: Final = re.compile(r"how (?:do|can|would) i\b")


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a request that says one thing, in small letters, without what is only polite."""

    text: str
    is_request: bool
    """Whether a verb that it begins with asks for something."""


@dataclass(frozen=True, slots=True)
class Read:
    """A request as it was read."""

    clauses: tuple[Clause, ...]
    pasted: str = ""
    """The aspect that what is pasted is about; empty where nothing is."""
    why: str = ""


def read_request(request: str) -> Read:
    """Return what a request says, and what is pasted into it."""
    pasted, why = _pasted(request)
    lines = request.split("\n")
    if pasted:
        lines = [line for line in lines if not _PASTED_LINE.match(line)]
    said = (line.strip()[:LINE_CHARACTERS].lower() for line in lines if not line.isspace())
    return Read(tuple(clause for line in said for clause in _clauses(line)), pasted, why)


def _pasted(request: str) -> tuple[str, str]:
    if _DIFF.search(request):
        return "review", "a diff is part of it"
    if _PROFILE.search(request):
        return "performance", "a profile is part of it"
    if read_output(request) or _OUTPUT.search(request):
        return "error", "a trace or a tool's output is part of it"
    return "", ""


def _clauses(line: str) -> Iterator[Clause]:
    for sentence in _SENTENCES.split(_QUOTED.sub("it", _NAME.sub("it", line))):
        # What follows "and" is one more thing to do only where something was to be done before it.
        asked, link = True, ""
        for number, piece in enumerate(_LINKS.split(sentence.strip())):
            if number % 2:
                link = piece
                continue
            polite = _POLITE.match(piece)
            assert polite is not None
            said = piece[polite.end() :].strip()
            is_request = (asked or polite.end() > 0 or link.startswith(",")) and not _HOW.match(
                piece
            )
            if said:
                yield Clause(said, is_request)
