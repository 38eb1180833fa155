"""What binds names and what has effects in each language's syntax tree, as `shapes.toml` says."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from coai_agents.syntax.language import GRAMMARS

if TYPE_CHECKING:
    from tree_sitter import Node

FILE: Final = Path(__file__).with_name("shapes.toml")

_LIKE: Final = {"tsx": "javascript", "typescript": "javascript"}
"""Grammars that have another one's nodes, and more."""


class Shapes(BaseModel):
    """One language's nodes and places; the words are explained in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: frozenset[str]
    functions: frozenset[str]
    inner: frozenset[str] = frozenset()
    """Functions whose own bindings are parameters alone: what they assign belongs further out."""
    closed: frozenset[str] = frozenset()
    """Functions that see nothing of what is around them."""
    blocks: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    """Scopes that functions within them do not see."""
    through: frozenset[str] = frozenset()
    here: frozenset[str]
    function: frozenset[str] = frozenset()
    outer: frozenset[str] = frozenset()
    write: frozenset[str] = frozenset()
    both: frozenset[str] = frozenset()
    """Places that are read and written."""
    other: frozenset[str] = frozenset()
    """Places whose names are no variables: members, labels, keywords of arguments."""
    parameters: frozenset[str]
    pure: frozenset[str]
    state: frozenset[str]
    fresh: frozenset[str]
    tests: frozenset[str]
    """Statements with a condition whose truth alone counts."""
    loops: frozenset[str]
    calls: frozenset[str]
    jumps: frozenset[str]


@cache
def _all() -> dict[str, Shapes]:
    read = tomllib.loads(FILE.read_text("utf-8"))
    return {name: Shapes.model_validate(table) for name, table in read.items()}


def family(language: str) -> str:
    """Return the name under which a language's shapes are kept; empty where there are none."""
    grammar = GRAMMARS.get(language, "")
    name = _LIKE.get(grammar, grammar)
    return name if name in _all() else ""


def shapes_of(language: str) -> Shapes | None:
    """Return the shapes of a language by LSP's identifier; None where none are known."""
    return _all().get(family(language))


def field_of(node: Node) -> str:
    """Return the field under which a node's parent has it; empty where it has none."""
    above = node.parent
    if above is None:
        return ""
    for at, child in enumerate(above.children):
        if child.id == node.id:
            return above.field_name_for_child(at) or ""
    return ""


def place_of(node: Node) -> str:
    """Return where a node stands, as `parent.field`."""
    return "" if node.parent is None else f"{node.parent.type}.{field_of(node)}"
