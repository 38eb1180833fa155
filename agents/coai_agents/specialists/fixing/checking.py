"""What every change has to pass before it is tried or shown, whoever proposes it."""

from __future__ import annotations

import ast
import builtins
import warnings
from typing import TYPE_CHECKING, Final

from coai_agents.fixes.verifier import harmless
from coai_agents.specialists.diagnosing.problems import Frame, Problem
from coai_agents.specialists.edits import change, code_tokens
from coai_agents.syntax.definitions import outline
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coai_agents.analysis.findings.findings import Analysis
    from coai_agents.source import Edit, Source
    from coai_agents.specialists.edits import Change

_ALWAYS: Final = frozenset(dir(builtins)) | {
    "__annotations__", "__builtins__", "__class__", "__file__", "__path__", "__qualname__",
    "__module__",
}  # fmt: skip


def sound(source: Source, edits: Sequence[Edit], before: Analysis) -> Change | None:
    """Return a change that does no harm that can be seen, or None.

    It parses no worse, means something else than before, and neither adds a finding nor silences
    one nor reads a name that is not there.
    """
    changed = sensible(source, edits)
    if changed is None or harmless(source, edits, before) is None:
        return None
    return changed


def sensible(source: Source, edits: Sequence[Edit]) -> Change | None:
    """Return what of `sound` needs no analysis: it means something else, and names what is there.

    Whoever may not analyse has `harmless` asked elsewhere.
    """
    try:
        changed = change(source, edits)
    except ValueError:
        return None
    if changed.is_empty or code_tokens(source) == code_tokens(changed.after):
        return None
    if _new(problems_in(source), problems_in(changed.after)):
        return None
    return changed


def same_functions(before: Source, after: Source) -> bool:
    """Say whether a file has the functions that it had: no body has broken out of its own."""
    trees = [parse(one) for one in (before, after)]
    names = [
        None if tree is None else [each.qualified_name for each in outline(tree) if not each.depth]
        for tree in trees
    ]
    return names[0] == names[1]


def _new(before: Sequence[Problem], after: Sequence[Problem]) -> bool:
    return bool({each.title for each in after} - {each.title for each in before})


def problems_in(source: Source) -> tuple[Problem, ...]:
    """Return what would fail in a file for sure, without running it; Python's only.

    It does not compile, or reads names that nothing in the file binds in any scope.
    """
    if source.language != "python":
        return ()
    path = source.uri
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source.text)
            compile(tree, "<fix>", "exec", dont_inherit=True)
    except SyntaxError as error:
        frame = Frame(path, error.lineno or 0, error.offset or 0)
        return (Problem("python", type(error).__name__, error.msg, (frame,)),)
    except (ValueError, RecursionError, MemoryError):
        return ()
    return tuple(_undefined(tree, path))


def _undefined(tree: ast.Module, path: str) -> Iterator[Problem]:
    bound = set(_ALWAYS)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(each.name == "*" for each in node.names):
            return
        bound.update(_bound(node))
    seen: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in bound and node.id not in seen:
            seen.add(node.id)
            frame = Frame(path, node.lineno, node.col_offset + 1)
            message = f"name '{node.id}' is not defined"
            yield Problem("python", "NameError", message, (frame,))


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
