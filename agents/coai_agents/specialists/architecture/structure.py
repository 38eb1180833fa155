"""What a module graph shows: circles and the cheapest way out of each, layers, hubs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from coai_agents.specialists.architecture.graph import ModuleGraph

MOST_TRIED: Final = 400
"""Imports of one circle that are tried for what cutting them would do."""


@dataclass(frozen=True, slots=True)
class Cut:
    """An import that could go, and what would be left of the circle."""

    importer: str
    imported: str
    names: frozenset[str]
    """What is imported, so what has to move or be handed in instead."""
    left: int
    """So many files would still be in a circle."""


@dataclass(frozen=True, slots=True)
class Circle:
    """Files that import one another, directly or through others."""

    files: tuple[str, ...]
    cut: Cut


def circles(graph: ModuleGraph) -> list[Circle]:
    """Return the circles of a graph, the largest first."""
    found = components({file: set(taken) for file, taken in graph.imports.items()})
    found = [each for each in found if len(each) > 1]
    found.sort(key=lambda each: (-len(each), each))
    return [Circle(tuple(each), _cheapest_cut(graph, each)) for each in found]


def components(edges: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return the strongly connected components, each sorted (Tarjan 1972, without recursion)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[list[str]] = []
    for root in sorted(edges):
        if root in order:
            continue
        order[root] = low[root] = len(order)
        stack.append(root)
        on_stack.add(root)
        work = [(root, iter(sorted(edges[root])))]
        while work:
            at, below = work[-1]
            for other in below:
                if other not in order:
                    order[other] = low[other] = len(order)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(sorted(edges.get(other, ())))))
                    break
                if other in on_stack:
                    low[at] = min(low[at], order[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[at])
                if low[at] == order[at]:
                    first = stack.index(at)
                    found.append(sorted(stack[first:]))
                    on_stack.difference_update(stack[first:])
                    del stack[first:]
    return found


def _cheapest_cut(graph: ModuleGraph, files: list[str]) -> Cut:
    """Return the import whose end leaves the fewest files in circles, for the fewest names."""
    inside = set(files)
    edges = {file: set(graph.imports[file]) & inside for file in files}
    tried = [(one, other) for one in files for other in sorted(edges[one])][:MOST_TRIED]
    best: Cut | None = None
    for one, other in tried:
        edges[one].discard(other)
        left = sum(len(each) for each in components(edges) if len(each) > 1)
        edges[one].add(other)
        cut = Cut(one, other, graph.imports[one][other], left)
        if best is None or _cost(cut) < _cost(best):
            best = cut
    assert best is not None, "a circle has imports"
    return best


def _cost(cut: Cut) -> tuple[int, bool, int]:
    return cut.left, "*" in cut.names, len(cut.names)


def layers(graph: ModuleGraph) -> list[tuple[str, ...]]:
    """Return files in layers: the first one imports nothing here, each imports only lower ones.

    Files of one circle are in one layer.
    """
    edges = {file: set(taken) for file, taken in graph.imports.items()}
    of: dict[str, int] = {}
    groups = components(edges)  # those below come first
    for group in groups:
        members = set(group)
        below = [of[other] for file in group for other in edges[file] if other not in members]
        level = 1 + max(below, default=-1)
        of.update(dict.fromkeys(group, level))
    by_level: dict[int, list[str]] = defaultdict(list)
    for file, level in of.items():
        by_level[level].append(file)
    return [tuple(sorted(by_level[level])) for level in sorted(by_level)]


def hubs(graph: ModuleGraph, most: int) -> list[tuple[str, int, int]]:
    """Return the files with the most imports on both sides: name, importers, imported."""
    importers = graph.importers()
    rows = [(file, len(importers[file]), len(graph.imports[file])) for file in graph.files]
    rows.sort(key=lambda row: (-(row[1] * row[2]), -row[1], row[0]))
    return [row for row in rows[:most] if row[1] and row[2]]


def by_folder(graph: ModuleGraph, most: int) -> tuple[dict[str, str], dict[tuple[str, str], int]]:
    """Return at most so many groups of files, by folder, and the imports between groups.

    The deepest level of folders is taken that has no more groups than that; what is alone on its
    level stays a group of its own.
    """
    chosen: dict[str, str] = {}
    depth = 1
    while True:
        groups = {file: _group(file, depth) for file in graph.files}
        if chosen and (len(set(groups.values())) > most or groups == chosen):
            break
        if not chosen and len(set(groups.values())) > most:
            groups = _largest(groups, graph, most)
            chosen = groups
            break
        chosen = groups
        depth += 1
    edges: dict[tuple[str, str], int] = defaultdict(int)
    for file, taken in graph.imports.items():
        for other in taken:
            if chosen[file] != chosen[other]:
                edges[chosen[file], chosen[other]] += 1
    return chosen, dict(edges)


def _group(file: str, depth: int) -> str:
    parts = file.split("/")
    return "/".join(parts[:depth]) if len(parts) > depth else "/".join(parts[:-1]) or file


def _largest(groups: dict[str, str], graph: ModuleGraph, most: int) -> dict[str, str]:
    """Keep the groups with the most lines, and put all others into one."""
    size: dict[str, int] = defaultdict(int)
    for file, group in groups.items():
        size[group] += graph.lines[file]
    kept = set(sorted(size, key=lambda group: -size[group])[: most - 1])
    return {file: group if group in kept else "others" for file, group in groups.items()}
