"""Refactorings of Python functions made at random: they do the same before and after."""

from __future__ import annotations

import os
import random
from collections import Counter
from typing import TYPE_CHECKING

from coai_agents.source import Source, Span
from coai_agents.specialists.refactoring.catalogue import KINDS, refactorings
from coai_agents.specialists.refactoring.site import RefusalError, walk
from coai_agents.syntax.tree import parse
from tests.agents.specialists.refactoring.programs import Writer, outcomes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.syntax.tree import SyntaxTree

PROGRAMS = int(os.environ.get("COAI_PROGRAMS", "12"))
A_KIND = 2
"""Places of a program at which each refactoring is made."""
TRIED = 15


def places(tree: SyntaxTree, chance: random.Random) -> Iterator[Span]:
    """Yield a program's expressions, statements and runs of statements, shuffled."""
    found: list[Span] = []
    for node in walk(tree.root):
        if node.type == "block":
            inner = node.named_children
            found += [
                Span(tree.start(inner[first]), tree.end(inner[last]))
                for first in range(len(inner))
                for last in range(first, min(first + 3, len(inner)))
            ]
        elif node.is_named:
            found.append(tree.span(node))
    chance.shuffle(found)
    yield from found


def test_what_is_refactored_does_the_same() -> None:
    pairs: list[tuple[str, str, str]] = []
    offered: Counter[str] = Counter()
    for seed in range(PROGRAMS):
        text, chance = Writer(seed).program(), random.Random(seed)
        tree = parse(Source("file:///w/a.py", text, "python"))
        assert tree is not None
        spans = list(places(tree, chance))
        for kind in KINDS.values():
            made = 0
            for span in spans[:TRIED]:
                if made >= A_KIND:
                    break
                try:
                    found = refactorings(kind, tree, span, name="renamed" if kind.named else "")
                except RefusalError:
                    continue
                made += 1
                for each in found:
                    offered[kind.name] += 1
                    pairs.append((f"{kind.name}: {each.title}", text, each.change.after.text))
    before = outcomes([text for _, text, _ in pairs])
    after = outcomes([text for _, _, text in pairs])
    for (title, old, new), one, other in zip(pairs, before, after, strict=True):
        if title.startswith("template:"):
            # What was an error, because a value is no string, is none any more.
            whole = [(a, b) for a, b in zip(one, other, strict=True) if a[0] == "value"]
            assert all(a == b for a, b in whole), f"{title}\n{old}\n---\n{new}"
            continue
        assert one == other, f"{title}\n{old}\n---\n{new}"
    assert set(offered) >= {each.name for each in KINDS.values()} - {
        "join-declaration",
        "rename",
    }, offered
