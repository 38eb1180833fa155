"""What a model is shown of a finding: the slice of its function, and the way of the value.

Comments and docstrings are left out, since what they claim must not matter, and code that has
nothing to do with the value is, since small models lose sight of the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.source import Span
from coai_agents.specialists.edits import comment_spans
from coai_agents.specialists.meaning import meaning_key
from coai_agents.syntax.definitions import enclosing_function

if TYPE_CHECKING:
    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.syntax.tree import SyntaxTree

MOST_CHARACTERS: Final = 3_000
"""Of code: some 900 tokens, which the 1.5B model reads in 18 s on two cores."""

AROUND: Final = 3
"""Lines around each step that are shown where a function is too long to be shown whole."""


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
        near = {line + by for line in (*steps, at) for by in range(-AROUND, AROUND + 1)}
        kept = [line for line in lines if line in near or line == lines.start]
    else:
        kept = list(lines)
    code = "\n".join(text for line in kept if (text := _line(tree, bare, line)).strip())
    place = _line(tree, bare, at).strip()
    way = tuple(dict.fromkeys(_line(tree, bare, line).strip() for line in steps))
    what = (finding.rule, place, *way, *version)
    key = "" if function is None else meaning_key(tree, function, "triage", *what)
    return Evidence(code[:MOST_CHARACTERS], place[:MOST_LINE], way, key)


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
