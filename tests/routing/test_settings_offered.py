"""What documents offer, the loader takes; what can be set, something reads."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

from coai_routing.settings.environment import DELIMITER, PREFIX
from coai_routing.settings.fields import (
    ANY_NAME,
    Branch,
    Entries,
    Leaf,
    dotted,
    leaves,
    settings_tree,
)
from coai_routing.settings.router_sections import CloudSettings
from coai_routing.settings.schema import EndpointSettings
from coai_routing.settings.types import RESERVED_ENDPOINT_NAMES
from tests.support.settings import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_routing.settings.fields import Node

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    ROOT / "editor-extension" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
)
_TOP_LEVEL = {leaf.path[0] for leaf in leaves()}


def _words(leaf: Leaf) -> Iterator[str]:
    """Yield the values that a setting's own words name: quoted as JSON, or in backticks."""
    yield from re.findall(r'"([a-z_]+)"', leaf.expected)
    yield from re.findall(r"`([a-z_]+)`", leaf.description)


def _examples(leaf: Leaf) -> Iterator[Any]:
    """Yield the values that the reference says a setting takes: each, or its bounds."""
    plain = get_args(leaf.annotation)[0] if get_args(leaf.annotation) else leaf.annotation
    if plain is bool or "true or false" in leaf.expected:
        yield from (True, False)
    elif numbers := re.fullmatch(
        r"(?:a whole number|an amount) from (\d+) to (\d+)", leaf.expected
    ):
        yield from (int(numbers[1]), int(numbers[2]))
    elif example := re.search(r"such as (\[.*\])", leaf.expected):
        yield json.loads(example[1])
    elif leaf.is_list:
        yield from ([word] for word in re.findall(r'"([a-z_]+)"', leaf.expected))
    elif isinstance(leaf.default, str) or leaf.expected.startswith('"'):
        yield from _words(leaf)
    if leaf.default is not None and not leaf.required:
        yield json.loads(json.dumps(leaf.default, default=str))


def _concrete(leaf: Leaf) -> tuple[str, ...]:
    name = "gemini" if leaf.path[0] == "cloud" else "python"
    return tuple(name if part == ANY_NAME else part for part in leaf.path)


OFFERED = [
    pytest.param(_concrete(leaf), value, id=f"{'.'.join(leaf.path)}={json.dumps(value)}")
    for leaf in leaves()
    if not leaf.secret
    for value in _examples(leaf)
]


def _nested(path: tuple[str, ...], value: object) -> dict[str, Any]:
    table: dict[str, Any] = {path[-1]: value}
    if path[:2] == ("endpoints", "custom") and path[-1] != "url":
        table["url"] = "http://127.0.0.1:1"
    for name in reversed(path[:-1]):
        table = {name: table}
    return table


@pytest.mark.parametrize(("path", "value"), OFFERED)
def test_every_value_that_the_reference_names_is_taken_from_every_source(
    path: tuple[str, ...], value: object, tmp_path: Path
) -> None:
    machine = Machine(tmp_path)
    assert not machine.load(client=_nested(path, value)).problems
    text = value if isinstance(value, str) else json.dumps(value)
    variable = PREFIX + DELIMITER.join(path).upper()
    environment = {variable: text}
    if path[:2] == ("endpoints", "custom"):
        environment[f"{PREFIX}ENDPOINTS__CUSTOM__PYTHON__URL"] = "http://127.0.0.1:1"
        environment[variable] = text
    if "python" not in path or path[:2] == ("endpoints", "custom"):
        assert not machine.load(environ=environment).problems
    line = json.dumps(value, ensure_ascii=False)
    *table, name = path
    wanted = "\nurl = 'http://127.0.0.1:1'" if path[:2] == ("endpoints", "custom") else ""
    if name == "url":
        wanted = ""
    loaded = machine.load(user=f"[{'.'.join(table)}]\n{name} = {line}{wanted}\n")
    assert not loaded.problems


def _toml_examples() -> Iterator[Any]:
    """Yield the settings in the documents' blocks of TOML and in their inline code."""
    for file in DOCUMENTS:
        text = file.read_text(encoding="utf-8")
        found = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
        found += re.findall(r"`([a-z_]+\.[a-z_.]+ = [^`]+)`", text)
        for example in found:
            try:
                table = tomllib.loads(example)
                if not table.keys() <= _TOP_LEVEL:
                    continue  # another program's, such as an editor's
                if isinstance(table.get("models"), list):
                    continue  # a file of models
            except tomllib.TOMLDecodeError:
                continue  # code of another language
            yield pytest.param(example, id=f"{file.name}: {example[:40]!r}")


@pytest.mark.parametrize("example", list(_toml_examples()))
def test_every_example_of_settings_in_the_documents_is_taken(example: str, tmp_path: Path) -> None:
    assert not Machine(tmp_path).load(user=example).problems


def test_a_backend_that_a_document_names_is_one_that_can_be_set(tmp_path: Path) -> None:
    named = {
        name
        for file in DOCUMENTS
        for name in re.findall(
            r"`completion\.backend` is `([a-z_]+)`", file.read_text(encoding="utf-8")
        )
    }
    assert "cloud" in named
    for name in named:
        loaded = Machine(tmp_path).load(client={"completion": {"backend": name}})
        assert not loaded.problems
        assert loaded.settings.completion.backend == name


def test_no_custom_endpoint_may_be_named_like_what_is_built_in(tmp_path: Path) -> None:
    built_in = {*EndpointSettings.model_fields, *CloudSettings.model_fields}
    built_in = built_in - {"custom", "vendors"}
    assert built_in < set(RESERVED_ENDPOINT_NAMES)
    for name in RESERVED_ENDPOINT_NAMES:
        endpoint = {"custom": {name: {"url": "http://127.0.0.1:1"}}}
        loaded = Machine(tmp_path).load(client={"endpoints": endpoint})
        assert loaded.problems
        assert name not in loaded.settings.endpoints.custom


# ------------------------------------------------------------------ who reads it


Sections = dict[str, set[str]]
"""Names that code gives to groups of settings, and the classes that these may be of."""


def _classes() -> dict[str, set[str]]:
    """Return under each group's class and its bases the names of the classes that it stands for."""
    by_base: dict[str, set[str]] = {}

    def visit(node: Node) -> None:
        if isinstance(node, Entries):
            visit(node.entry)
        elif isinstance(node, Branch):
            for base in node.model.__mro__:
                by_base.setdefault(base.__name__, set()).add(node.model.__name__)
            for child in node.children.values():
                visit(child)

    visit(settings_tree())
    return {name: known for name, known in by_base.items() if name not in {"Section", "object"}}


def _by_attribute() -> dict[str, set[str]]:
    """Return which classes an attribute of a group of settings leads to."""
    found: dict[str, set[str]] = {"by_name": set()}
    for node in _branches(settings_tree()):
        for name, child in node.children.items():
            if isinstance(child, Branch):
                found.setdefault(name, set()).add(child.model.__name__)
    return found


def _branches(node: Node) -> Iterator[Branch]:
    if isinstance(node, Entries):
        yield from _branches(node.entry)
    elif isinstance(node, Branch):
        yield node
        for child in node.children.values():
            yield from _branches(child)


class _Reads(ast.NodeVisitor):
    """Follows the names of one file to the groups of settings behind them, and what is read."""

    def __init__(self) -> None:
        self.named: Sections = {}
        self.read: set[tuple[str, str]] = set()

    def of(self, node: ast.AST) -> set[str]:
        """Return the classes that an expression may be of."""
        match node:
            case ast.Name(id=name):
                return self.named.get(name, set())
            case ast.Call(func=ast.Attribute(attr="by_name", value=ast.Attribute(attr=section))):
                return CLASSES["Endpoint" if section == "endpoints" else "CloudEndpoint"]
            case ast.Attribute(attr=name):
                return self.named.get(name, set()) | ATTRIBUTES.get(name, set())
            case ast.Call(func=ast.Attribute(attr="items" | "values", value=value)):
                return self.of(value)
            case ast.Call(func=called):
                return self.of(called)
            case ast.NamedExpr(value=value) | ast.Await(value=value):
                return self.of(value)
            case _:
                return set()

    def _name(self, target: ast.AST, classes: set[str]) -> None:
        for node in ast.walk(target):
            if isinstance(node, ast.Name | ast.Attribute):
                name = node.id if isinstance(node, ast.Name) else node.attr
                self.named.setdefault(name, set()).update(classes)

    def visit(self, node: ast.AST) -> None:
        match node:
            case ast.arg(arg=name, annotation=annotation) if annotation is not None:
                self._name(ast.Name(name), _annotated(annotation))
            case ast.AnnAssign(target=target, annotation=annotation):
                self._name(target, _annotated(annotation))
            case ast.FunctionDef(name=name, returns=returns) if returns is not None:
                self._name(ast.Name(name), _annotated(returns))
            case ast.Assign(targets=targets, value=value) if classes := self.of(value):
                for target in targets:
                    self._name(target, classes)
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                self._name(target, self.of(value))
            case ast.ClassDef(name=name) if name in CLASSES:
                self.named["self"] = CLASSES[name]
            case ast.Attribute(value=value, attr=attribute, ctx=ast.Load()):
                self.read.update((one, attribute) for one in self.of(value))
            case _:
                pass
        self.generic_visit(node)


def _annotated(annotation: ast.AST) -> set[str]:
    named = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    return {one for name in named & CLASSES.keys() for one in CLASSES[name]}


CLASSES = _classes()
ATTRIBUTES = _by_attribute()


@cache
def _settings_read() -> frozenset[tuple[str, str]]:
    """Return every setting that the three floors read, as the class of its group and its name."""
    read: set[tuple[str, str]] = set()
    for floor in ("routing/coai_routing", "agents/coai_agents", "server/coai_server"):
        for file in (ROOT / floor).rglob("*.py"):
            reads = _Reads()
            tree = ast.parse(file.read_text(encoding="utf-8"))
            for _ in range(3):  # a name may be used above where it gets its value
                reads.visit(tree)
            read |= reads.read
    return frozenset(read)


UNREAD: set[tuple[str, str]] = set()
"""Settings that are declared and offered, and wait for who reads them."""

READ_BY = [
    pytest.param(
        branch.model.__name__,
        name,
        id=f"{dotted(branch.path)}.{name}",
        marks=[pytest.mark.xfail(reason="nothing reads it yet", strict=False)]
        if (branch.model.__name__, name) in UNREAD
        else [],
    )
    for branch in _branches(settings_tree())
    for name, child in branch.children.items()
    if not isinstance(child, Branch)
]


@pytest.mark.parametrize(("group", "name"), READ_BY)
def test_every_setting_is_read_by_something(group: str, name: str) -> None:
    assert (group, name) in _settings_read()
