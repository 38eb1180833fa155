"""What a model is shown of a finding: the slice of its function, and the way of the value.

Comments and docstrings are left out, since what they claim must not matter, and code that has
nothing to do with the value is, since small models lose sight of the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.source import Span
from coai_agents.specialists.edits import comment_spans
from coai_agents.specialists.meaning import meaning_key
from coai_agents.syntax.definitions import enclosing_function

if TYPE_CHECKING:
    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.syntax.tree import SyntaxTree

MOST_CHARACTERS: Final = 1_600
"""Of code: some 450 tokens, which the 1.5B model reads in 10 s on two cores."""

_NAME: Final = re.compile(r"[^\W\d]\w*")
_SEVERAL: Final = 400
"""Names that are followed at most."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a model is shown, and what the answer depends on."""

    code: str
    place: str
    """The line that the finding is about, without comments."""
    way: tuple[str, ...]
    """The lines that the value comes through, from its source on."""
    key: str


def evidence(tree: SyntaxTree, finding: Finding, *version: str) -> Evidence:
    """Return the evidence about a finding; `version` is what else its key stands for."""
    source = tree.source
    function = enclosing_function(tree, finding.span.start)
    shown = Span(0, len(source.text)) if function is None else function.full_span
    bare = _without(source.text, comment_spans(tree, shown))
    lines = range(source.line_at(shown.start), source.line_at(shown.end) + 1)
    steps = [source.line_at(step.span.start) for step in finding.path]
    at = source.line_at(finding.span.start)
    if sum(len(_line(tree, bare, line)) for line in lines) > MOST_CHARACTERS:
        kept = _slice({line: _line(tree, bare, line) for line in lines}, at, steps)
    else:
        kept = list(lines)
    code = "\n".join(text for line in kept if (text := _line(tree, bare, line)).strip())
    place = _line(tree, bare, at).strip()
    way = tuple(dict.fromkeys(_line(tree, bare, line).strip() for line in steps))
    what = (finding.rule, place, *way, *version)
    key = "" if function is None else meaning_key(tree, function, "triage", *what)
    return Evidence(code[:MOST_CHARACTERS], place[:MOST_LINE], way, key)


def _slice(lines: dict[int, str], at: int, steps: list[int]) -> list[int]:
    """Return the lines that a value comes by: backwards, each that has a name of one behind it."""
    kept = {min(lines), at, *(step for step in steps if step in lines)}
    size = sum(len(lines[line]) for line in kept if line in lines)
    names = {name for line in kept if line in lines for name in _NAME.findall(lines[line])}
    for line in sorted((each for each in lines if each < at), reverse=True):
        found = set(_NAME.findall(lines[line]))
        if line in kept or found.isdisjoint(names):
            continue
        size += len(lines[line])
        if size > MOST_CHARACTERS or len(names) > _SEVERAL:
            break
        kept.add(line)
        names |= found
    return sorted(kept)


MOST_LINE: Final = 300
"""Characters of the line that is asked about."""


def _without(text: str, spans: list[Span]) -> str:
    """Return a text of the same length with blanks in place of some of its parts."""
    pieces: list[str] = []
    at = 0
    for span in spans:
        pieces += [text[at : span.start], _blank(text[span.start : span.end])]
        at = max(at, span.end)
    return "".join([*pieces, text[at:]])


def _blank(text: str) -> str:
    return "".join(each if each in "\r\n" else " " for each in text)


def _line(tree: SyntaxTree, bare: str, line: int) -> str:
    source = tree.source
    if line >= source.line_count:
        return ""
    return bare[source.line_start(line) : source.line_end(line)].rstrip()
