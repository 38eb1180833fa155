"""What imports what on this floor: no module needs itself by way of others, for types neither."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[2] / "routing"


def _modules() -> dict[str, Path]:
    modules: dict[str, Path] = {}
    for file in (ROOT / "coai_routing").rglob("*.py"):
        parts = file.relative_to(ROOT).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return modules


def _imported(tree: ast.AST, modules: dict[str, Path]) -> set[str]:
    """Return the modules that a file imports anywhere, at its top, in a function or for types."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            inside = {f"{node.module}.{each.name}" for each in node.names}
            found.update(inside & modules.keys() or {node.module})
    return found & modules.keys()


def test_no_circle_of_imports() -> None:
    modules = _modules()
    assert len(modules) > 80
    graph = {
        name: _imported(ast.parse(file.read_text(encoding="utf-8")), modules) - {name}
        for name, file in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from error
