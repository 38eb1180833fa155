"""The routes of a file's tables, by its language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.specialists.documents.tables.django import django_routes
from coai_agents.specialists.documents.tables.laravel import laravel_routes
from coai_agents.specialists.documents.tables.nest import nest_routes
from coai_agents.specialists.documents.tables.rails import rails_routes
from coai_agents.specialists.documents.tables.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from coai_agents.specialists.documents.routes import Route
    from coai_agents.syntax.tree import SyntaxTree

_READERS: Final[dict[str, Callable[[Reader], Iterator[Route]]]] = {
    "python": django_routes,
    "typescript": nest_routes,
    "php": laravel_routes,
    "ruby": rails_routes,
}


def routes_by_table(tree: SyntaxTree) -> tuple[list[Route], list[str]]:
    """Return a file's routes, and notes of what could not be told, with their lines."""
    read = _READERS.get(tree.source.language)
    if read is None:
        return [], []
    reader = Reader(tree)
    return list(read(reader)), reader.notes
