"""The architecture of a folder in words and as a drawing, from its module graph."""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from coai_agents.specialists.answers import Origin, Place, Report, Section, Statement
from coai_agents.specialists.architecture.history import changed_together, hot_spots
from coai_agents.specialists.architecture.structure import by_folder, circles, hubs, layers
from coai_agents.symbols.hover import complexity
from coai_agents.syntax.definitions import FUNCTIONS, outline
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coai_agents.source import Source
    from coai_agents.specialists.architecture.graph import ModuleGraph
    from coai_agents.specialists.architecture.history import HotSpot, Together
    from coai_agents.specialists.architecture.structure import Circle
    from coai_agents.syntax.tree import SyntaxTree

MOST_NODES: Final = 15
"""Boxes of a drawing: more than that nobody reads."""

MOST_LISTED: Final = 10
_MOST_FILES: Final = 6
_SPECIAL: Final = re.compile(r"[^\w /.-]")


@dataclass(frozen=True, slots=True)
class Architecture:
    """What is known of a folder."""

    graph: ModuleGraph
    circles: tuple[Circle, ...]
    hot: tuple[HotSpot, ...] = ()
    together: tuple[Together, ...] = ()
    notes: tuple[str, ...] = ()

    def report(self) -> Report:
        """Return it for people, every statement a fact."""
        sections = (
            Section("Size", self._size()),
            Section("Circles of imports", tuple(_circle(each) for each in self.circles)),
            Section("Layers", self._layers()),
            Section("Hubs", self._hubs()),
            Section("Hot spots", tuple(_hot(each) for each in self.hot)),
            Section("Changed together without an import", tuple(map(_together, self.together))),
            Section("From outside", self._outside()),
        )
        shown = tuple(each for each in sections if each.statements)
        return Report("Architecture", shown, self.notes)

    def as_json(self) -> dict[str, Any]:
        """Return the graph and what it shows, for scripts."""
        return {
            "files": dict(sorted(self.graph.lines.items())),
            "imports": {
                file: {other: sorted(names) for other, names in sorted(taken.items())}
                for file, taken in sorted(self.graph.imports.items())
            },
            "circles": [
                {
                    "files": list(each.files),
                    "cut": {
                        "from": each.cut.importer,
                        "to": each.cut.imported,
                        "names": sorted(each.cut.names),
                        "left": each.cut.left,
                    },
                }
                for each in self.circles
            ],
            "layers": [list(each) for each in layers(self.graph)],
            "hotSpots": [each._asdict() for each in self.hot],
            "together": [each._asdict() for each in self.together],
            "mermaid": self.drawing(),
            "notes": list(self.notes),
        }

    def drawing(self) -> str:
        """Return the folders and their imports as a Mermaid flowchart."""
        groups, edges = by_folder(self.graph, MOST_NODES)
        lines = Counter[str]()
        for file, group in groups.items():
            lines[group] += self.graph.lines[file]
        ids = {group: f"n{number}" for number, group in enumerate(sorted(lines))}
        drawn = ["flowchart TD"]
        drawn += [
            f'    {ids[group]}["{_SPECIAL.sub("_", group)}<br/>{lines[group]:,} lines"]'
            for group in sorted(lines)
        ]
        drawn += [
            f"    {ids[one]} -->|{count}| {ids[other]}"
            for (one, other), count in sorted(edges.items())
        ]
        return "\n".join(drawn) + "\n"

    def _size(self) -> tuple[Statement, ...]:
        count = sum(len(taken) for taken in self.graph.imports.values())
        text = f"{len(self.graph.lines)} files, {sum(self.graph.lines.values()):,} lines, "
        return (Statement(f"{text}{count} imports among them.", Origin.FACT),)

    def _layers(self) -> tuple[Statement, ...]:
        found = layers(self.graph)
        return tuple(
            Statement(f"Layer {number}: {_listed(files)}", Origin.FACT)
            for number, files in reversed(list(enumerate(found)))
        )[:MOST_LISTED]

    def _hubs(self) -> tuple[Statement, ...]:
        return tuple(
            Statement(
                f"{file}: imported by {before}, imports {behind}.", Origin.FACT, "", (Place(file),)
            )
            for file, before, behind in hubs(self.graph, MOST_LISTED)
        )

    def _outside(self) -> tuple[Statement, ...]:
        named = Counter(
            re.split(r"[./\\:]", module.lstrip("@."))[0]
            for modules in self.graph.outside.values()
            for module in modules
            if not module.startswith(".")
        )
        for own in sys.stdlib_module_names:
            del named[own]
        if not named:
            return ()
        told = ", ".join(f"{name} ({count})" for name, count in named.most_common(MOST_LISTED))
        return (Statement(f"Most imported: {told}.", Origin.FACT),)


def _circle(circle: Circle) -> Statement:
    cut = circle.cut
    what = "all of it" if "*" in cut.names else ", ".join(f"`{name}`" for name in sorted(cut.names))
    rest = "then none is left" if not cut.left else f"then {cut.left} files are still in one"
    return Statement(
        f"{len(circle.files)} files: {_listed(circle.files)}\n"
        f"Cheapest cut: {cut.importer} imports {what} from {cut.imported}; {rest}.",
        Origin.FACT,
        "module graph",
        (Place(cut.importer),),
    )


def _hot(spot: HotSpot) -> Statement:
    text = f"{spot.path}: {spot.commits} commits, complexity {spot.complexity}."
    return Statement(text, Origin.FACT, "history", (Place(spot.path),))


def _together(pair: Together) -> Statement:
    text = f"{pair.one} and {pair.other}: {pair.commits} commits, {pair.share:.0%} of the rarer's."
    return Statement(text, Origin.FACT, "history", (Place(pair.one), Place(pair.other)))


def _listed(files: tuple[str, ...]) -> str:
    more = len(files) - _MOST_FILES
    shown = ", ".join(files[:_MOST_FILES])
    return f"{shown} and {more} more" if more > 0 else shown


def architecture(
    graph: ModuleGraph, sources: Mapping[str, Source], commits: Sequence[Sequence[str]] = ()
) -> Architecture:
    """Return what the graph and the history show; `sources` are the files by their names."""
    complex_ = {
        name: most_complex(tree)
        for name in {file for files in commits for file in files} & graph.lines.keys()
        if (tree := parse(sources[name])) is not None
    }
    return Architecture(
        graph,
        tuple(circles(graph)),
        tuple(hot_spots(commits, complex_, MOST_LISTED)),
        tuple(changed_together(commits, graph, MOST_LISTED)),
    )


def most_complex(tree: SyntaxTree) -> int:
    """Return the cyclomatic complexity of a file's most complex function; 0 without any."""
    functions = (each for each in outline(tree) if each.kind in FUNCTIONS)
    return max((complexity(tree, each) or 0 for each in functions), default=0)
