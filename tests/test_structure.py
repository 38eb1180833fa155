"""House rules about the sources themselves: no circles, no halls, no file without end."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coai_agents.specialists.architecture.structure import components

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[1]
EXTENSION_SOURCES = ROOT / "editor-extension" / "src"
FLOORS = {"coai_routing": "routing", "coai_agents": "agents", "coai_server": "server"}
MOST_MODULES = 20
"""More modules than this in one folder are two rooms."""
MOST_LINES = 400
"""A longer file has to say in its docstring why it is one subject."""


@cache
def modules() -> dict[str, Path]:
    """Return every module of the three floors by its dotted name."""
    found: dict[str, Path] = {}
    for package, folder in FLOORS.items():
        for path in (ROOT / folder / package).rglob("*.py"):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imported(tree: ast.Module) -> Iterator[str]:
    """Return what a module imports, wherever it does so and for whatever purpose."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                yield below if below in modules() else node.module


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {
        name: {one for one in imported(ast.parse(path.read_text())) if one in modules()} - {name}
        for name, path in modules().items()
    }
    assert [each for each in components(graph) if len(each) > 1] == []


def test_no_file_of_the_extension_imports_itself_in_a_circle() -> None:
    sources = {each.stem: each.read_text("utf-8") for each in EXTENSION_SOURCES.glob("*.ts")}
    graph = {
        name: set(re.findall(r'from "\./(\w+)"', text)) & set(sources)
        for name, text in sources.items()
    }
    assert any(graph.values())
    assert [each for each in components(graph) if len(each) > 1] == []


def test_no_folder_is_a_hall() -> None:
    counted = Counter(path.parent for path in modules().values() if path.name != "__init__.py")
    assert {str(folder): n for folder, n in counted.items() if n > MOST_MODULES} == {}


@pytest.mark.parametrize("path", sorted(modules().values()), ids=lambda path: path.name)
def test_a_long_file_says_why_it_is_one(path: Path) -> None:
    text = path.read_text()
    if text.count("\n") > MOST_LINES:
        assert "One file, because" in (ast.get_docstring(ast.parse(text)) or "")


@cache
def trees() -> dict[str, ast.Module]:
    """Return every module of the three floors, parsed, by its dotted name."""
    return {name: ast.parse(path.read_text()) for name, path in modules().items()}


def callers(called: str) -> set[str]:
    """Return the modules that call what is written so."""
    return {
        name
        for name, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == called
    }


@pytest.mark.parametrize(
    ("called", "homes"),
    [
        # The pool has every provider that is asked, in its one cache.
        ("place.connect", {"coai_routing.pool.pool"}),
        ("_Connection", {"coai_routing.pool.pool"}),
        # A circuit breaker's record, and what moves it on.
        ("BackendHealth", {"coai_routing.pool.health"}),
        # What a model is asked to find out how fast it is; daemon and engine ask it their own way.
        ("Probe", {"coai_routing.pool.speed"}),
        ("probing", {"coai_routing.pool.speed", "coai_routing.engine.speed_probe"}),
        ("sqlite3.connect", {"coai_routing.records.private_sqlite"}),
        # What both policies choose among: from servers, the engine, the cloud and the registry.
        (
            "Deployment",
            {
                "coai_routing.pool.backends",
                "coai_routing.pool.deployments",
                "coai_routing.router.cloud_completion",
                "coai_routing.wiring.embedded",
            },
        ),
        ("Departure", {"coai_routing.router.calls"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_there_is_one_of_is_made_in_one_place(called: str, homes: set[str]) -> None:
    assert callers(called) == homes


def test_a_breaker_is_moved_on_by_the_pool_alone() -> None:
    moved = {
        name
        for name, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value).endswith(".health")
        and node.func.attr in {"started", "failed", "abandoned"}
    }
    assert moved == {"coai_routing.pool.pool"}


def test_on_the_lowest_floor_no_name_is_given_twice() -> None:
    classes, files = Counter[str](), Counter[str]()
    for name, tree in trees().items():
        if name.startswith("coai_routing."):
            # A room may be called as its first file.
            files[name.rpartition(".")[2]] += modules()[name].name != "__init__.py"
            classes.update(
                node.name
                for node in tree.body
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
            )
    assert {name: n for name, n in (classes + files).items() if n > 1} == {}


DOORS = ("coai_server.acp", "coai_server.cli", "coai_server.lsp", "coai_server.mcp")

VALUES = {
    "coai_agents.source",
    "coai_agents.markdown",
    "coai_agents.analysis.findings",
    "coai_agents.analysis.rules.page_addresses",
    "coai_agents.analysis.rules.rules",
    "coai_agents.completion.cursor",
    "coai_agents.completion.outcome",
    "coai_agents.completion.selected",
    "coai_agents.specialists.answers",
    "coai_agents.specialists.asking",
    "coai_agents.specialists.edits",
    "coai_agents.specialists.fixing.tally",
    "coai_agents.specialists.shown",
    "coai_agents.specialists.targets",
    "coai_agents.workflows.errors",
}
"""What has values that doors and specialists exchange, and what is a function of nothing else."""

PAST_THE_LAYER = {
    # Runs have an interface of their own: a door opens an engine, watches it and closes it.
    "coai_server.cli.runs": ("coai_agents.plugins", "coai_agents.workflows"),
    "coai_server.mcp.tools.running": ("coai_agents.workflows",),
    "coai_server.mcp.server": ("coai_agents.workflows.definition",),
    # A session's files are as its editor has them, saved or not: specialists are asked about those.
    "coai_server.acp": (
        "coai_agents.analysis.run.survey",
        "coai_agents.specialists",
        "coai_agents.workflows",
    ),
    # The demo makes exercises of the user's own code, which no other door does.
    "coai_server.cli.demo.exercise": ("coai_agents.syntax",),
    # One tree for all that a hover says; errors and process of the worker that `Analyses` owns.
    "coai_server.lsp.features.hover": ("coai_agents.syntax.tree",),
    "coai_server.lsp.features.code_action": ("coai_agents.analysis.run.worker",),
    "coai_server.lsp.features.findings": ("coai_agents.analysis.run.worker",),
    # Specialists whose words grow in the editor are asked in steps: facts, stream, check.
    "coai_server.lsp.features.agents": (
        "coai_agents.git",
        "coai_agents.git_repository",
        "coai_agents.specialists",
        "coai_agents.syntax",
    ),
    # What an agent may call is each specialist's own step.
    "coai_server.mcp.tools": ("coai_agents.analysis.run.survey", "coai_agents.specialists"),
}
"""Rooms that ask more of the second floor than the application layer, and what of it."""


def needed(nodes: Iterable[ast.stmt | ast.AST]) -> Iterator[str]:
    """Return what is imported for more than types."""
    for node in nodes:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from needed(node.orelse)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported(ast.Module([node], []))
        else:
            yield from needed(ast.iter_child_nodes(node))


def within(module: str, rooms: Iterable[str]) -> bool:
    """Say whether a module is one of these, or in one of them."""
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def test_doors_ask_the_application_layer() -> None:
    past: set[tuple[str, str]] = set()
    used: set[str] = set()
    for name, tree in trees().items():
        if not within(name, DOORS):
            continue
        excused = [room for room in PAST_THE_LAYER if within(name, [room])]
        for module in needed(tree.body):
            if not module.startswith("coai_agents.") or within(module, VALUES):
                continue
            if within(module, ["coai_agents.application"]):
                continue
            reasons = [room for room in excused if within(module, PAST_THE_LAYER[room])]
            used.update(reasons)
            if not reasons:
                past.add((name, module))
    assert past == set()
    assert used == set(PAST_THE_LAYER), "an exception that nobody needs"
