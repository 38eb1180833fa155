"""What would fail in a file of Python for sure, without running it.

The language's own compiler says whether it compiles. A grammar of tree-sitter's does not, because
it is made for text that is being written: it takes a block without a body.
"""

from __future__ import annotations

import ast
import builtins
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ALWAYS: Final = frozenset(dir(builtins)) | {
    "__annotations__", "__builtins__", "__class__", "__file__", "__path__", "__qualname__",
    "__module__",
}  # fmt: skip
"""Names that are there without being bound in the file."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something that fails."""

    kind: str
    """The exception that Python raises."""
    message: str
    line: int
    """From 1 on; 0 where Python does not say."""
    column: int
    """From 1 on; 0 where Python does not say."""


def flaws(text: str) -> tuple[Flaw, ...]:
    """Return what keeps a file from compiling, or each name that nothing in it binds anywhere.

    Nothing where that cannot be told: the text is too deep, or names come from a `*`.
    """
    broken = syntax_flaw(text)
    if broken is not None:
        return (broken,)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return tuple(_undefined(ast.parse(text)))
    except (ValueError, RecursionError, MemoryError):
        return ()


def syntax_flaw(text: str) -> Flaw | None:
    """Return what keeps a file from compiling; None too where it is too deep to be told."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "<text>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return Flaw(type(error).__name__, error.msg, error.lineno or 0, error.offset or 0)
    except (ValueError, RecursionError, MemoryError):
        return None
    return None


def _undefined(tree: ast.Module) -> Iterator[Flaw]:
    bound = set(ALWAYS)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(each.name == "*" for each in node.names):
            return
        bound.update(_bound(node))
    seen: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in bound and node.id not in seen:
            seen.add(node.id)
            message = f"name '{node.id}' is not defined"
            yield Flaw("NameError", message, node.lineno, node.col_offset + 1)


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
        yield node.id
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.split(".")[0]
    elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest
    elif isinstance(node, (ast.Global, ast.Nonlocal)):
        yield from node.names
    else:
        # Type parameters, where this Python has them.
        name = getattr(node, "name", None)
        if type(node).__name__ in ("TypeVar", "TypeVarTuple", "ParamSpec") and name:
            yield name
