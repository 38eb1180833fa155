"""Imports in order: Python's by ruff, other languages' by their own customs."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any, Final

from coai_agents.source import Edit, Span
from coai_agents.specialists.refactoring.site import Offer, RefusalError, Site
from coai_routing.processes import SAFE_DIRECTORY, child_environment, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tree_sitter import Node

SECONDS: Final = 10.0
"""How long ruff may take; it needs some 20 ms."""

_KINDS: Final = {
    "javascript": "import_statement",
    "java": "import_declaration",
    "csharp": "using_directive",
    "go": "import_spec",
    "php": "namespace_use_declaration",
}


def sort_imports(site: Site) -> Iterator[Offer]:
    """Sort the imports of a file."""
    if site.family == "python":
        yield _by_ruff(site)
        return
    kind = _KINDS.get(site.family)
    if kind is None:
        raise RefusalError("The order of Ruby's `require` has effects.")
    edits = [edit for block in _blocks(site, kind) if (edit := _sorted(site, block)) is not None]
    if not edits:
        raise RefusalError("The imports are in order.")
    yield Offer("Sort imports", tuple(edits))


def _by_ruff(site: Site) -> Offer:
    package: Any = importlib.import_module("ruff")
    options = ("--isolated", "--no-cache", "--select=I", "--fix-only", "--quiet")
    command = [str(package.find_ruff_bin()), "check", *options, "--stdin-filename=module.py", "-"]
    try:
        done = run(
            command,
            given=site.source.text.encode(),
            environment=child_environment(),
            directory=SAFE_DIRECTORY,
            seconds=SECONDS,
        )
    except OSError as error:
        raise RefusalError(f"ruff cannot be asked: {error}.") from error
    text = done.out.decode("utf-8", "replace")
    if done.code != 0 or not text:
        raise RefusalError("ruff does not sort the imports of this file.")
    if text == site.source.text:
        raise RefusalError("The imports are in order.")
    return Offer("Sort imports", _difference(site.source.text, text))


def _difference(before: str, after: str) -> tuple[Edit, ...]:
    """Return the one edit between two texts, of whole lines."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    start = sum(map(len, old[:head]))
    end = len(before) - sum(map(len, old[len(old) - tail :]))
    return (Edit(Span(start, end), "".join(new[head : len(new) - tail])),)


def _blocks(site: Site, kind: str) -> Iterator[list[Node]]:
    """Yield imports that stand on lines of their own, one below the other."""
    block: list[Node] = []
    for node in _all_of(site, kind):
        line = site.source.line_at(site.start(node))
        whole = site.source.line_text(line).strip()
        text = site.text(node)
        alone = whole in (text, f"{text};") and "\n" not in text and _sortable(site, node)
        follows = block and site.source.line_at(site.start(block[-1])) == line - 1
        if block and not (alone and follows):
            yield block
            block = []
        if alone:
            block.append(node)
    if block:
        yield block


def _all_of(site: Site, kind: str) -> Iterator[Node]:
    waiting = [site.tree.root]
    while waiting:
        node = waiting.pop()
        if node.type == kind:
            yield node
        elif not node.type.startswith(("class_", "function_", "method_")):
            waiting.extend(reversed(node.children))


def _sortable(site: Site, node: Node) -> bool:
    """Say whether an import only names things: what is imported for its effect stays in place."""
    if site.family == "javascript":
        return any(each.type == "import_clause" for each in node.named_children)
    if site.family == "go":
        return not site.text(node).startswith(("_", "."))
    return True


def _sorted(site: Site, block: list[Node]) -> Edit | None:
    start = site.source.line_start(site.source.line_at(site.start(block[0])))
    last = site.source.line_at(site.start(block[-1]))
    end = site.source.line_end(last)
    lines = [site.source.line_text(at) for at in range(site.source.line_at(start), last + 1)]
    key = _KEYS[site.family]
    ordered = sorted(lines, key=lambda line: key(line.strip()))
    if site.family == "javascript":
        ordered = [_names_sorted(line) for line in ordered]
    return None if ordered == lines else Edit(Span(start, end), site.newline.join(ordered))


def _javascript_key(line: str) -> tuple[int, str, str]:
    module = re.findall(r"[\"']([^\"']*)[\"']", line)[-1:] or [""]
    name = module[0]
    group = (
        0
        if name.startswith("node:")
        else 2
        if name.startswith("..")
        else 3
        if name.startswith(".")
        else 1
    )
    return group, name.lower(), line


def _names_sorted(line: str) -> str:
    def ordered(match: re.Match[str]) -> str:
        names = [each.strip() for each in match[1].split(",") if each.strip()]
        names.sort(key=lambda name: (name.removeprefix("type ").lower(), name))
        return (
            "{ " + ", ".join(names) + " }" if match[0][1:2] == " " else "{" + ", ".join(names) + "}"
        )

    return re.sub(r"\{([^{}]*)\}", ordered, line)


def _java_key(line: str) -> tuple[int, str, str]:
    return int(line.startswith("import static")), line.rstrip(";"), line


def _csharp_key(line: str) -> tuple[int, str, str]:
    name = line.removeprefix("global ").removeprefix("using ").rstrip(";")
    kind = 2 if "=" in name else 1 if name.startswith("static ") else 0
    system = 0 if name.removeprefix("static ").split(".")[0] == "System" else 1
    return kind * 2 + system, name, line


def _go_key(line: str) -> tuple[int, str, str]:
    return 0, (re.findall(r"\"([^\"]*)\"", line) or [line])[0], line


def _php_key(line: str) -> tuple[int, str, str]:
    kind = 1 if line.startswith("use function") else 2 if line.startswith("use const") else 0
    return kind, line.lower().rstrip(";"), line


_KEYS: Final[dict[str, Callable[[str], tuple[int, str, str]]]] = {
    "javascript": _javascript_key,
    "java": _java_key,
    "csharp": _csharp_key,
    "go": _go_key,
    "php": _php_key,
}
