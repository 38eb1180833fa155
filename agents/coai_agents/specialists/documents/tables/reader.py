"""What the readers of tables of routes share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.documents.frameworks import frameworks
from coai_agents.specialists.documents.handlers import Handler, Handlers
from coai_agents.specialists.documents.paths import normalised, variants
from coai_agents.specialists.documents.routes import Route
from coai_agents.specialists.documents.syntax import constants, string_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tree_sitter import Node

    from coai_agents.specialists.documents.frameworks import Framework
    from coai_agents.syntax.tree import SyntaxTree

MOST_DEPTH: Final = 20
"""Of groups in groups."""

RESTS: Final = {
    "index": ("get", ""), "create": ("post", ""), "show": ("get", "/:id"),
    "update": ("patch", "/:id"), "destroy": ("delete", "/:id"), "new": ("get", "/new"),
    "edit": ("get", "/:id/edit"),
}  # fmt: skip
"""The actions of a resource, as Rails has them and Laravel by other names."""


def framework_named(name: str) -> Framework:
    """Return what is known of a framework."""
    return next(each for each in frameworks() if each.name == name)


@dataclass
class Reader:
    """One file, and what could not be told of its routes."""

    tree: SyntaxTree
    notes: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.constants = constants(self.tree)
        self.handlers = Handlers(self.tree)

    def text(self, node: Node | None) -> str | None:
        """Return what an expression's text always is; None where that cannot be told."""
        return string_of(self.tree, node, self.constants)

    def note(self, node: Node, what: str) -> None:
        """Say what could not be told, once."""
        said = f"{node.start_point[0] + 1}: {what}"
        if said not in self.notes:
            self.notes.append(said)

    def routes(
        self, name: str, methods: Iterable[str], path: str | None, node: Node, handler: Handler
    ) -> Iterator[Route]:
        """Yield a route in each of its variants; a note where its path is not known."""
        if path is None:
            self.note(node, "a route whose path or method is not constant")
            return
        framework = framework_named(name)
        for variant in variants(framework, path):
            whole, parameters = normalised(framework, variant)
            yield Route(
                name,
                tuple(methods),
                whole,
                parameters,
                handler.name,
                handler.comment.summary,
                handler.comment.description,
                line=node.start_point[0] + 1,
            )
