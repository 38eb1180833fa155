"""The user guide: what a project is for, and how it is installed, started, set and called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.documents.pages.interface import (
    entries_in,
    is_of_tests,
    options_in,
    variables_in,
)
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
    from collections.abc import Iterable, Iterator, Sequence

    from coai_agents.specialists.documents.pages.page import Said
    from coai_agents.specialists.documents.pages.project import Project
    from coai_agents.specialists.documents.routes import Route
    from coai_agents.specialists.documents.templates import Templates
    from coai_agents.syntax.tree import SyntaxTree

MOST_LISTED: Final = 60
"""Entries of one section."""

MOST_SYMBOLS: Final = 40
MOST_OF_A_FILE: Final = 4
"""Symbols of one file, so that a guide speaks of many."""


@dataclass(frozen=True, slots=True)
class Guide:
    """The facts of a guide, by its sections."""

    title: str
    summary: str
    sections: dict[str, tuple[Entry, ...]]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that a user could do."""
        return not any(self.sections.values())

    def slots(self) -> list[Slot]:
        """Return what a model may word: what the program is for."""
        facts = opening_facts(self.title, self.summary)
        for name, entries in self.sections.items():
            facts += [f"{name}: `{each.name}` {each.text}".rstrip() for each in entries[:6]]
        shown = [each for some in self.sections.values() for each in some[:6]]
        paths = [each.place.partition(":")[0] for each in shown]
        about = "Say what the program is for, and what a user does first."
        return [Slot(about, tuple(facts), tuple(filter(None, paths)))] if not self.is_empty else []

    def page(self, templates: Templates, said: Sequence[Said]) -> str:
        """Return the guide as Markdown."""
        parts = {name: filled(templates, name, some) for name, some in self.sections.items()}
        return whole(
            templates.fill(
                "document",
                title=title(self.title),
                summary=sentence(self.summary),
                words=spoken(templates, next(iter(said), None)),
                **parts,
            )
        )


def guide(
    name: str,
    project: Project,
    trees: Iterable[tuple[str, SyntaxTree]],
    routes: Iterable[Route],
    notes: list[str],
) -> Guide:
    """Return the facts of a guide; `notes` takes what was left out for its length."""
    begins: list[Entry] = []
    options: list[Entry] = []
    variables: dict[str, Entry] = {}
    symbols: list[Entry] = []
    for path, tree in trees:
        if is_of_tests(path):
            continue
        begins += entries_in(tree, path)
        options += options_in(tree, path)
        for each in variables_in(tree, path):
            variables.setdefault(each.name, each)
        symbols += _symbols(tree, path)
    found = {
        "install": project.install,
        "commands": (*project.commands, *begins),
        "options": tuple(options),
        "environment": tuple(variables[each] for each in sorted(variables)),
        "routes": tuple(_routes(routes)),
        "symbols": tuple(symbols),
    }
    sections = {
        each: _limited(each, some, MOST_SYMBOLS if each == "symbols" else MOST_LISTED, notes)
        for each, some in found.items()
    }
    return Guide(project.name or name, project.summary, sections)


def _limited(
    section: str, entries: Sequence[Entry], most: int, notes: list[str]
) -> tuple[Entry, ...]:
    unique = tuple(dict.fromkeys(entries))
    if len(unique) > most:
        notes.append(f"{len(unique) - most} more of the section `{section}` are left out.")
    return unique[:most]


def _symbols(tree: SyntaxTree, path: str) -> Iterator[Entry]:
    known = module_of(tree, path).symbols
    told = [each for each in known if each.comment.summary and "." not in each.name]
    for each in told[:MOST_OF_A_FILE]:
        yield Entry(each.name, each.comment.summary, f"{path}:{each.line}")


def _routes(routes: Iterable[Route]) -> Iterator[Entry]:
    for each in sorted(routes, key=lambda route: (route.path, route.file, route.line)):
        methods = " ".join(method.upper() for method in each.methods)
        yield Entry(f"{methods} {each.path}", each.summary, f"{each.file}:{each.line}")
