"""`textDocument/hover`: facts at once, and below them a model's explanation if there is one.

The facts are those of `coai_agents.application.hover`, answered from memory: the tree that
completion keeps, and what was found last in this version of the document. What a model says of a
function is `hover_explanation.py`'s.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from lsprotocol import types

from coai_agents.application.hover import PARSE_BUDGET, hover_facts, verdict
from coai_agents.source import Position
from coai_agents.syntax.tree import parse
from coai_server.lsp.features.agents import hover_explanation
from coai_server.lsp.features.findings.diagnostic_items import range_of

if TYPE_CHECKING:
    from coai_agents.source import Source
    from coai_agents.syntax.tree import SyntaxTree
    from coai_server.lsp.features.findings.diagnostics import Diagnostics
    from coai_server.lsp.server import Server


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
        tree = await _tree(server, source)
        facts = hover_facts(source, offset, analysis, tree)
        parts, symbol = facts.sections, facts.symbol
        triage = known.analyses.triaged.get(source.uri)
        if triage is not None and triage.version == source.version:
            told = (triage.of(finding) for finding in facts.findings)
            parts[len(facts.findings) : len(facts.findings)] = [verdict(e) for e in told if e]
        if tree is not None and facts.findings:
            parts += await hover_explanation.of_finding(server, tree, facts.findings[0])
        if tree is not None and symbol is not None and symbol.complexity is not None:
            parts += await hover_explanation.below(server, tree, symbol.whole)
        if facts.span is None:
            return None
        # That words are being prepared, of a finding and of the function around it, is said once.
        told_once = "\n\n---\n\n".join(dict.fromkeys(parts))
        contents = types.MarkupContent(types.MarkupKind.Markdown, told_once)
        return types.Hover(contents, range_of(source, facts.span, documents.encoding))


async def _tree(server: Server, source: Source) -> SyntaxTree | None:
    tree = server.services.trees.store.tree(source)
    if tree is None:
        # On a machine that is busy a parse may take longer than a keystroke can wait.
        tree = await asyncio.to_thread(partial(parse, source, budget=PARSE_BUDGET))
    return tree
