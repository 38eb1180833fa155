"""Who serves others never looks for a place on the event loop: a parse may take seconds."""

from __future__ import annotations

import ast
import threading
from pathlib import Path

import pytest

from coai_agents.source import Source
from coai_agents.specialists import targets
from coai_agents.specialists.targets import Target, TargetError, located
from coai_agents.syntax.tree import SyntaxTree, parse

ROOT = Path(__file__).parents[3]
PARSING = frozenset({"about", "analyse", "defining", "locate", "selected", "sound"})
"""Functions that parse or analyse the file that is asked about, however long that takes."""


def _on_the_loop(path: Path) -> list[str]:
    found: list[str] = []
    for function in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(function, ast.AsyncFunctionDef):
            waiting: list[ast.AST] = list(function.body)
            while waiting:
                node = waiting.pop()
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                    continue
                waiting += ast.iter_child_nodes(node)
                name = node.func if isinstance(node, ast.Call) else None
                if isinstance(name, ast.Name) and name.id in PARSING:
                    found.append(f"{path.name}:{name.lineno} {name.id}")
    return found


def test_no_coroutine_of_a_door_or_of_an_agent_parses_by_itself() -> None:
    files = [
        each
        for folder in ("agents", "server")
        for each in (ROOT / folder).rglob("*.py")
        # A command has its loop to itself.
        if "cli" not in each.parts
    ]
    assert len(files) > 300
    assert [each for file in files for each in _on_the_loop(file)] == []


async def test_a_place_is_found_in_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def parsed(source: Source, *, budget: float) -> SyntaxTree | None:
        threads.append(threading.get_ident())
        return parse(source, budget=budget)

    monkeypatch.setattr(targets, "parse", parsed)
    source = Source("untitled:x", "def f():\n    pass\n", "python")
    assert (await located(source, Target("x.py", symbol="f"))).definitions[0].name == "f"
    with pytest.raises(TargetError, match="defines no g"):
        await located(source, Target("x.py", symbol="g"))
    assert threading.get_ident() not in threads
