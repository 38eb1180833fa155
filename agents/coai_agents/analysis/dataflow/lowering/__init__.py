"""From a language's syntax tree to the engine's nodes: one adapter a language."""

from __future__ import annotations

import importlib
from math import inf
from typing import TYPE_CHECKING, Final

from coai_agents.syntax.language import GRAMMARS

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_agents.analysis.dataflow.ir import Module, Part
    from coai_agents.syntax.tree import SyntaxTree

_ADAPTERS: Final = {
    "python": "python",
    "javascript": "ecmascript",
    "typescript": "ecmascript",
    "tsx": "ecmascript",
    "java": "java",
    "go": "go",
    "php": "php",
    "ruby": "ruby",
    "csharp": "csharp",
    "kotlin": "kotlin",
    "scala": "scala",
    "rust": "rust",
}
"""By the grammar's name: the module of the adapter."""

LANGUAGES: Final = frozenset(_ADAPTERS)
"""The grammars whose trees can be lowered."""


def lower(tree: SyntaxTree, deadline: float = inf, part: Part | None = None) -> Module | None:
    """Return a tree, or a part of it, as the engine reads it; None if its language has no adapter.

    Raises `OutOfTimeError` if that is not done by the deadline of the performance counter.
    """
    name = _ADAPTERS.get(GRAMMARS[tree.source.language])
    if name is None:
        return None
    adapter = importlib.import_module(f"{__name__}.{name}")
    lowering: Callable[[SyntaxTree, float, Part | None], Module] = adapter.lower
    return lowering(tree, deadline, part)
