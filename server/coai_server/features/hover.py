"""`textDocument/hover` on a finding: what it is, how the value got there, what to do.

Answered from memory: what was found last in this version of the document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from coai_agents.source import Position
from coai_agents.static.rules import WEAKNESS, concept_of
from coai_server.features.diagnostic_items import range_of

if TYPE_CHECKING:
    from coai_agents.source import Source
    from coai_agents.static.findings import Finding
    from coai_server.features.diagnostics import Diagnostics
    from coai_server.server import Server


def register(server: Server, known: Diagnostics) -> None:
    """Explain the finding under the cursor."""
    documents = server.documents

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(params: types.HoverParams) -> types.Hover | None:
        source = documents.snapshot(params.text_document.uri)
        analysis = None if source is None else known.of(source)
        if source is None or analysis is None:
            return None
        asked = Position(params.position.line, params.position.character)
        offset = source.offset_at(asked, documents.encoding)
        around = [each for each in analysis.findings if each.span.contains(offset)]
        if not around:
            return None
        # The innermost is the one that the cursor is on.
        around.sort(key=lambda finding: (len(finding.span), finding.severity.rank))
        text = "\n\n---\n\n".join(explanation(source, finding) for finding in around)
        contents = types.MarkupContent(types.MarkupKind.Markdown, text)
        return types.Hover(contents, range_of(source, around[0].span, documents.encoding))


def explanation(source: Source, finding: Finding) -> str:
    """Return what a finding is, why it matters, how the value got there and what to do."""
    concept = concept_of(finding.rule)
    parts = [f"**{concept.title}** (`{concept.id}`)", finding.message, concept.why]
    if finding.path:
        steps = [
            f"{number}. line {source.line_at(step.span.start) + 1}: "
            f"{_code(source.slice(step.span))} {step.words}"
            for number, step in enumerate(finding.path, 1)
        ]
        parts.append("\n".join(steps))
    parts.append(f"**Instead:** {concept.advice}")
    links = [f"[CWE-{number}]({WEAKNESS.format(number)})" for number in finding.cwe[:3]]
    if links:
        parts.append(" ".join((*links, *concept.owasp)))
    return "\n\n".join(parts)


def _code(text: str) -> str:
    line = text.split("\n", 1)[0].strip()
    short = f"{line[:60]}…" if len(line) > 60 else line  # noqa: PLR2004 - one line of a hover
    fence = "``" if "`" in short else "`"
    return f"{fence}{short}{fence}"
