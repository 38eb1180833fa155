"""Hover facts: what is known of a place without a model, as values and as Markdown.

On a finding: what it is, why it matters, how the value got there, what to do. On a symbol that the
file defines: its signature, the first paragraph of its documentation, how complex it is, and what
was found in it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.rules.page_addresses import page_of
from coai_agents.analysis.rules.rules import WEAKNESS, concept_of
from coai_agents.markdown import code, fenced, link, prose, text
from coai_routing.privacy.secrets import masked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.analysis.findings.findings import Analysis, Finding
    from coai_agents.source import Source, Span
    from coai_agents.specialists.security.triage.agent import Triaged
    from coai_agents.symbols.hover import Symbol
    from coai_agents.syntax.tree import SyntaxTree

PARSE_BUDGET: Final = 1.0
"""Seconds for a parse that a hover makes by itself."""

MOST_LISTED: Final = 5
"""Findings of a symbol that are listed; the others are counted."""

COMPLEX: Final = 10
"""Above this McCabe would have a function split."""


@dataclass(frozen=True, slots=True)
class HoverFacts:
    """What is known of a place."""

    source: Source
    findings: tuple[Finding, ...]
    """What was found around the place, the innermost first."""
    symbol: Symbol | None
    inside: tuple[Finding, ...] | None
    """What was found in the symbol, the worst first; None if nobody has looked."""

    @property
    def span(self) -> Span | None:
        """What the facts are about; None where nothing is known."""
        if self.findings:
            return self.findings[0].span
        return None if self.symbol is None else self.symbol.where

    @property
    def sections(self) -> list[str]:
        """The facts in Markdown, a section for each finding and one for the symbol."""
        parts = [explanation(self.source, finding) for finding in self.findings]
        if self.symbol is not None:
            parts.append(description(self.source, self.symbol, self.inside))
        return parts


def hover_facts(
    source: Source, offset: int, analysis: Analysis | None, tree: SyntaxTree | None
) -> HoverFacts:
    """Return what is known of an offset; it takes no longer than a look at a tree.

    `analysis` is what is shown of this snapshot, None if nobody has looked; `tree` is that of the
    snapshot, None where no grammar knows the language.
    """
    findings = () if analysis is None else analysis.findings
    around = [each for each in findings if each.span.contains(offset)]
    # The innermost is the one that the cursor is on.
    around.sort(key=lambda finding: (len(finding.span), finding.severity.rank))
    symbol = None if tree is None else _symbol(tree, offset)
    inside = None if symbol is None or analysis is None else _inside(findings, symbol.whole)
    return HoverFacts(source, tuple(around), symbol, inside)


def _symbol(tree: SyntaxTree, offset: int) -> Symbol | None:
    from coai_agents.symbols.hover import symbol_at  # noqa: PLC0415 - not before the first hover

    return symbol_at(tree, offset)


def _inside(findings: Sequence[Finding], whole: Span) -> tuple[Finding, ...]:
    inside = [each for each in findings if whole.covers(each.span)]
    return tuple(sorted(inside, key=lambda each: (each.severity.rank, each.span.start)))


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


def verdict(triaged: Triaged) -> str:
    """Return what triage has to say of a finding, and on what evidence."""
    by = code(triaged.by or "a model")
    if not triaged.doubted:
        return f"*Triage: {by} holds a fault for {triaged.chance or 0:.0%} likely, unchecked.*"
    now, before = triaged.finding.severity, triaged.before
    step = "doubted" if now is before else f"lowered from {before.value} to {now.value}"
    return f"**Triage:** {step} by {by}: {text(triaged.reason)}."


def _short(snippet: str) -> str:
    line = snippet.split("\n", 1)[0].strip()
    return code(f"{line[:60]}…" if len(line) > 60 else line)  # noqa: PLR2004 - one line of a hover
