"""What speaks for a change being wanted at a place, as the figures that a likelihood is made of."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import TYPE_CHECKING, Final

from coai_agents.changes.code import Code
from coai_agents.changes.likeness import are_akin, likeness

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.changes.finding import Place
    from coai_agents.changes.patterns import Kind, Pattern
    from coai_agents.syntax.tree import SyntaxTree

MOST_SITES: Final = 8
"""Edits, the last ones, whose lines a place's line is compared with."""

MOST_EDITS: Final = 16
"""More edits that agree say nothing more."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one place of a change."""

    kind: Kind
    figures: Mapping[str, float]
    """By the names that `policy.toml` has weights for."""


def evidence_at(pattern: Pattern, tree: SyntaxTree, place: Place, passed: int = 0) -> Evidence:
    """Return the evidence for a place; the user has passed by `passed` places of the change."""
    source = tree.source
    line = source.line_at(place.span.start)
    text = source.line_text(line)
    sites = pattern.sites[-MOST_SITES:]
    outer = outer_name(tree, line)
    figures = {
        "edits": log2(min(pattern.evidence, MOST_EDITS)),
        "same_file": float(any(site.uri == source.uri for site in sites)),
        "line_alike": max((likeness(text, site.text) for site in sites), default=0.0),
        "names_akin": float(are_akin(pattern.old, pattern.new)),
        "same_definition": float(
            bool(outer) and any((site.uri, site.outer) == (source.uri, outer) for site in sites)
        ),
        "passed": float(passed),
    }
    return Evidence(pattern.kind, figures)


def outer_name(tree: SyntaxTree, line: int) -> str:
    """Return the name of the outermost definition that a line is in; empty if it is in none."""
    source = tree.source
    text = source.line_text(line)
    at = source.byte_offset(source.line_start(line) + len(text) - len(text.lstrip()))
    node = tree.root.descendant_for_byte_range(at, at)
    found = None
    while node is not None:
        if node.type in tree.grammar.definitions:
            found = node.child_by_field_name("name") or found
        node = node.parent
    return "" if found is None else Code(tree).text(found)
