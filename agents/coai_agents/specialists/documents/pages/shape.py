"""The architecture page: what a project's parts are, how they hang together, where it begins."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.markdown import code, fenced
from coai_agents.specialists.architecture.report import MOST_NODES
from coai_agents.specialists.architecture.structure import by_folder
from coai_agents.specialists.documents.pages.interface import entries_in, is_of_tests
from coai_agents.specialists.documents.pages.page import (
    Entry,
    filled,
    opening_facts,
    sentence,
    spoken,
    title,
    whole,
)
from coai_agents.specialists.documents.pages.wording import Slot
from coai_agents.specialists.documents.symbols import module_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.specialists.architecture.report import Architecture
    from coai_agents.specialists.documents.pages.page import Said
    from coai_agents.specialists.documents.pages.project import Project
    from coai_agents.specialists.documents.templates import Templates
    from coai_agents.syntax.tree import SyntaxTree

SECTIONS: Final = {
    "Size": "size",
    "Circles of imports": "circles",
    "Layers": "layers",
    "Hubs": "hubs",
    "Hot spots": "hot",
    "Changed together without an import": "together",
    "From outside": "outside",
}
"""The headings of `coai architecture`, and what each is called in a template."""

MOST_FILES: Final = 5
"""Of a part, that say something of themselves."""


@dataclass(frozen=True, slots=True)
class Part:
    """A folder, or a file that stands alone."""

    name: str
    text: str
    """Its size, what it needs and what needs it."""
    files: tuple[tuple[str, str], ...]
    """Its files that say something of themselves, with what they say."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The facts of an architecture page."""

    title: str
    summary: str
    architecture: Architecture
    parts: tuple[Part, ...]
    entries: tuple[Entry, ...]

    def slots(self) -> list[Slot]:
        """Return what a model may word: the whole, then each part."""
        facts = opening_facts(self.title, self.summary)
        facts += [f"`{each.name}`: {each.text}" for each in self.parts]
        first = Slot("Say how the program is built.", tuple(facts))
        return [first, *map(_slot, self.parts)] if self.parts else []

    def page(self, templates: Templates, said: Sequence[Said]) -> str:
        """Return the page as Markdown."""
        words = [*said, *[None] * (1 + len(self.parts))]
        report = self.architecture.report()
        sections = {
            SECTIONS[section.title]: filled(
                templates,
                SECTIONS[section.title],
                [Entry("", each.text.replace("\n", " ")) for each in section.statements],
            )
            for section in report.sections
        }
        parts = [_part(templates, each, words[at]) for at, each in enumerate(self.parts, 1)]
        drawing = fenced(self.architecture.drawing(), "mermaid") if len(self.parts) > 1 else ""
        return whole(
            templates.fill(
                "document",
                title=title(self.title),
                summary=sentence(self.summary),
                words=spoken(templates, words[0]),
                drawing=templates.fill("drawing", mermaid=drawing) if drawing else "",
                parts=templates.fill("parts", items="\n\n".join(parts)) if parts else "",
                entries=filled(templates, "entries", self.entries),
                **dict.fromkeys(SECTIONS.values(), "") | sections,
            )
        )


def _slot(part: Part) -> Slot:
    facts = [part.text, *(f"`{name}` says of itself: {says}" for name, says in part.files)]
    paths = tuple(name for name, _ in part.files)
    return Slot(f"Say what the part `{part.name}` is for.", (f"`{part.name}`", *facts), paths)


def _part(templates: Templates, part: Part, said: Said | None) -> str:
    listed = "\n".join(f"- {code(name)} {sentence(says)}" for name, says in part.files)
    return templates.fill(
        "part",
        name=code(part.name),
        text=f"{sentence(part.text)}\n\n{listed}".rstrip(),
        words=spoken(templates, said),
        place=code(part.name),
    )


def shape(
    name: str,
    project: Project,
    architecture: Architecture,
    trees: Sequence[tuple[str, SyntaxTree]],
) -> Shape:
    """Return the facts of an architecture page; the trees are those of the graph's files."""
    own = [(path, tree) for path, tree in trees if not is_of_tests(path)]
    entries = [each for path, tree in own for each in entries_in(tree, path)]
    says = {path: said for path, tree in trees if (said := module_of(tree, path).comment.summary)}
    parts = tuple(_parts(architecture, says))
    commands = (*project.commands, *entries)
    return Shape(project.name or name, project.summary, architecture, parts, commands)


def _parts(architecture: Architecture, says: dict[str, str]) -> list[Part]:
    groups, edges = by_folder(architecture.graph, MOST_NODES)
    files: dict[str, list[str]] = defaultdict(list)
    for file, group in sorted(groups.items()):
        files[group].append(file)
    parts: list[Part] = []
    for group in sorted(files):
        lines = sum(architecture.graph.lines[file] for file in files[group])
        needs = sorted(other for one, other in edges if one == group)
        needed = sorted(one for one, other in edges if other == group)
        text = f"{len(files[group])} file{'s' * (len(files[group]) > 1)}, {lines:,} lines."
        text += f" Imports {_named(needs)}." if needs else " Imports no other part."
        text += f" Imported by {_named(needed)}." if needed else ""
        # What a package's own file says comes first.
        spoken_for = sorted(
            (file for file in files[group] if file in says),
            key=lambda file: (
                "__init__" not in file,
                file.count("/"),
                -architecture.graph.lines[file],
            ),
        )
        told = tuple((file, says[file]) for file in spoken_for[:MOST_FILES])
        parts.append(Part(group, text, told))
    return parts


def _named(groups: Sequence[str]) -> str:
    return ", ".join(f"`{each}`" for each in groups)
