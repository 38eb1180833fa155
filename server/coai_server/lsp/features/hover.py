"""`textDocument/hover`: facts at once, and below them a model's explanation if there is one.

On a finding: what it is, why it matters, how the value got there, what to do. On a symbol that the
file defines: its signature, the first paragraph of its documentation, how complex it is, and what
was found in it. Both answered from memory: the tree that completion keeps, and what was found last
in this version of the document. What a model says of a function is `hover_explanation.py`'s.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final

from lsprotocol import types

from coai_agents.analysis.rules.page_addresses import page_of
from coai_agents.analysis.rules.rules import WEAKNESS, concept_of
from coai_agents.markdown import code, fenced, link, prose, text
from coai_agents.source import Position, Span
from coai_agents.syntax.tree import parse
from coai_routing.privacy.secrets import masked
from coai_server.lsp.features.agents import hover_explanation
from coai_server.lsp.features.findings.diagnostic_items import range_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.source import Source
    from coai_agents.symbols.hover import Symbol
    from coai_agents.syntax.tree import SyntaxTree
    from coai_server.lsp.features.findings.diagnostics import Diagnostics
    from coai_server.lsp.server import Server

PARSE_BUDGET: Final = 1.0
"""Seconds for a parse that a hover makes by itself."""

MOST_LISTED: Final = 5
"""Findings of a symbol that are listed; the others are counted."""

COMPLEX: Final = 10
"""Above this McCabe would have a function split."""


def register(server: Server, known: Diagnostics) -> None:
    """Explain what is under the cursor."""
    documents = server.documents

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hover(params: types.HoverParams) -> types.Hover | None:
        source = documents.snapshot(params.text_document.uri)
        if source is None or documents.is_out_of_step(source.uri):
            return None
        asked = Position(params.position.line, params.position.character)
        offset = source.offset_at(asked, documents.encoding)
        analysis = known.analyses.of(source)
        findings = () if analysis is None else analysis.findings
        around = [each for each in findings if each.span.contains(offset)]
        # The innermost is the one that the cursor is on.
        around.sort(key=lambda finding: (len(finding.span), finding.severity.rank))
        parts = [explanation(source, finding) for finding in around]
        tree = await _tree(server, source)
        symbol = None if tree is None else _symbol(tree, offset)
        if symbol is not None:
            inside = None if analysis is None else _inside(findings, symbol.whole)
            parts.append(description(source, symbol, inside))
        if tree is not None and symbol is not None and symbol.complexity is not None:
            parts += await hover_explanation.below(server, tree, symbol.whole)
        if not parts:
            return None
        where = around[0].span if around or symbol is None else symbol.where
        contents = types.MarkupContent(types.MarkupKind.Markdown, "\n\n---\n\n".join(parts))
        return types.Hover(contents, range_of(source, where, documents.encoding))


def _symbol(tree: SyntaxTree, offset: int) -> Symbol | None:
    from coai_agents.symbols.hover import symbol_at  # noqa: PLC0415 - not before the first hover

    return symbol_at(tree, offset)


async def _tree(server: Server, source: Source) -> SyntaxTree | None:
    tree = server.services.trees.store.tree(source)
    if tree is None:
        # On a machine that is busy a parse may take longer than a keystroke can wait.
        tree = await asyncio.to_thread(partial(parse, source, budget=PARSE_BUDGET))
    return tree


def _inside(findings: Sequence[Finding], whole: Span) -> list[Finding]:
    inside = [each for each in findings if whole.covers(each.span)]
    return sorted(inside, key=lambda each: (each.severity.rank, each.span.start))


def description(source: Source, symbol: Symbol, inside: Sequence[Finding] | None) -> str:
    """Return what a symbol is; `inside` is what was found in it, None if nobody has looked."""
    parts = [fenced(symbol.signature, source.language)]
    if symbol.documentation:
        parts.append(prose(symbol.documentation))
    facts = [f"{symbol.kind.value} {code(symbol.name)}"]
    if symbol.complexity is not None:
        much = " (much)" if symbol.complexity > COMPLEX else ""
        facts.append(f"complexity {symbol.complexity}{much}")
    if symbol.others:
        facts.append(f"one of {symbol.others + 1} of this name")
    if inside is not None:
        facts.append(_counted(inside) if inside else "nothing found inside")
    parts.append(" · ".join(facts))
    if inside:
        lines = [
            f"- line {source.line_at(each.span.start) + 1}: {text(each.message)} "
            f"({code(each.rule)})"
            for each in inside[:MOST_LISTED]
        ]
        if len(inside) > MOST_LISTED:
            lines.append(f"- and {len(inside) - MOST_LISTED} more")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _counted(findings: Sequence[Finding]) -> str:
    counts = Counter(each.severity.value for each in findings)
    return ", ".join(f"{count} {name}{_plural(name, count)}" for name, count in counts.items())


def _plural(name: str, count: int) -> str:
    return "" if count == 1 or name == "information" else "s"


def explanation(source: Source, finding: Finding) -> str:
    """Return what a finding is, why it matters, how the value got there and what to do."""
    concept = concept_of(finding.rule)
    parts = [f"**{text(concept.title)}** ({code(concept.id)})"]
    axes = f"Severity: {finding.severity.value} · confidence: {finding.confidence.value}"
    parts += [text(finding.message), axes, text(concept.why)]
    if finding.path:
        steps = [
            f"{number}. line {source.line_at(step.span.start) + 1}: "
            f"{_short(masked(source.text, step.span.start, step.span.end))} {text(step.words)}"
            for number, step in enumerate(finding.path, 1)
        ]
        parts.append("\n".join(steps))
    if concept.advice:
        parts.append(f"**Instead:** {text(concept.advice)}")
    links = [link(f"CWE-{number}", WEAKNESS.format(number)) for number in finding.cwe[:3]]
    links.append(link("More about the rule", page_of(finding.rule)))
    parts.append(" · ".join((*links, *concept.owasp)))
    return "\n\n".join(part for part in parts if part)


def _short(snippet: str) -> str:
    line = snippet.split("\n", 1)[0].strip()
    return code(f"{line[:60]}…" if len(line) > 60 else line)  # noqa: PLR2004 - one line of a hover
