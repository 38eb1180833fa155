"""Contracts that a diff breaks: signatures and their callers, tests, error handling, exceptions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Severity
from coai_agents.source import Source
from coai_agents.specialists.answers import Place
from coai_agents.specialists.documentation.signature import signature_of
from coai_agents.specialists.refactoring.shapes import family, shapes_of
from coai_agents.specialists.refactoring.site import walk
from coai_agents.specialists.reviewing.comments import Comment
from coai_agents.specialists.reviewing.diffs import FileChange
from coai_agents.syntax.definitions import FUNCTIONS, outline
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.specialists.documentation.signature import Signature
    from coai_agents.specialists.reviewing.diffs import Diff
    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree

MOST_CALLERS: Final = 5
"""Callers that one comment names."""

ANY_NUMBER: Final = 1_000
"""Arguments that a function with a rest parameter takes at most: more than anybody passes."""
_HANDLERS: Final = frozenset({"except_clause", "except_group_clause", "catch_clause", "rescue",
                              "rescue_modifier"})  # fmt: skip
_NIL_CHECK: Final = re.compile(r"\b(?:err|error)\w*\s*!=\s*nil")
_TESTS: Final = {
    "python": re.compile(r"^\s*(?:async\s+)?def\s+(test\w*)", re.MULTILINE),
    "javascript": re.compile(r"\b(?:it|test)(?:\.each\([^)]{0,400}\))?\(\s*([\"'`].*?[\"'`])"),
    "java": re.compile(r"@(?:Test|ParameterizedTest)\b[^{;]{0,400}?\bvoid\s+(\w+)"),
    "csharp": re.compile(
        r"\[(?:Fact|Theory|Test(?:Method)?)\b[^{;]{0,400}?\b(?:void|Task)\s+(\w+)"
    ),
    "go": re.compile(r"^func\s+(Test\w+)", re.MULTILINE),
    "php": re.compile(r"\bfunction\s+(test\w+)"),
    "ruby": re.compile(r"^\s*(?:def\s+(test_\w+)|it\s+([\"'].*?[\"']))", re.MULTILINE),
}


@dataclass(frozen=True, slots=True)
class _Function:
    """A function on one side of the diff."""

    definition: Definition
    signature: Signature
    line: int
    tree: SyntaxTree


def _functions(tree: SyntaxTree | None) -> dict[str, _Function]:
    """Return the functions of a file by their qualified names; of overloaded ones none."""
    found: dict[str, _Function] = {}
    doubled: set[str] = set()
    for each in () if tree is None else outline(tree):
        if each.kind not in FUNCTIONS or tree is None:
            continue
        signature = signature_of(tree, each)
        if each.qualified_name in found:
            doubled.add(each.qualified_name)
        if signature is not None:
            line = tree.source.line_at(each.signature.start) + 1
            found[each.qualified_name] = _Function(each, signature, line, tree)
    return {name: each for name, each in found.items() if name not in doubled}


def broken_contracts(diff: Diff) -> Iterator[Comment]:
    """Yield comments on contracts that the diff breaks, each with the place that shows it."""
    for change in diff.files:
        if not change.known:
            continue
        old, new = _functions(change.old), _functions(change.new)
        for name, before in old.items():
            after = new.get(name)
            if after is not None:
                yield from _signature(diff, change, before, after)
                yield from _handling(change, before, after)
                yield from _raising(change, before, after)
            elif not change.is_test:
                yield from _gone(diff, change, before, new)
    yield from _tests(diff)
    yield from _untested(diff)


# ------------------------------------------------------------------ signatures


def _range(signature: Signature) -> tuple[int, int]:
    """Return how many arguments a function takes, at least and at most."""
    plain = [each for each in signature.parameters if not each.rest]
    least = sum(not each.default for each in plain)
    return least, ANY_NUMBER if len(plain) < len(signature.parameters) else len(plain)


def _signature(
    diff: Diff, change: FileChange, before: _Function, after: _Function
) -> Iterator[Comment]:
    old, new = before.signature, after.signature
    if old.parameters == new.parameters:
        return
    wrong: list[tuple[Place, str]] = []
    for place, call, tree in _calls(diff, before.definition.name, change):
        given = _given(tree, call)
        if given is None:
            continue
        count, keywords = given
        gone = keywords & set(old.names) - set(new.names)
        least, most = _range(new)
        fitted = _range(old)[0] <= count <= _range(old)[1] and keywords <= set(old.names)
        if fitted and (gone or not least <= count <= most):
            said = f"passes `{min(gone)}`" if gone else f"passes {count} arguments"
            wrong.append((place, said))
    if not wrong:
        return
    name = after.definition.name
    least, most = _range(new)
    takes = (
        f"{least}"
        if least == most
        else f"{least} to {most}"
        if most < ANY_NUMBER
        else f"{least} or more"
    )
    shown = ", ".join(f"`{each}`" for each in new.names) or "nothing"
    yield Comment(
        "caller-broken",
        change.path,
        after.line,
        f"`{name}` takes {shown} now ({takes} arguments), and {len(wrong)} of its callers "
        "did not change.",
        Severity.ERROR,
        tuple(f"{place} {said}." for place, said in wrong[:MOST_CALLERS]),
        f"{after.definition.qualified_name}({', '.join(new.names)})",
        places=tuple(place for place, _ in wrong[:MOST_CALLERS]),
    )


def _calls(diff: Diff, name: str, change: FileChange) -> Iterator[tuple[Place, Node, SyntaxTree]]:
    """Yield the calls of a name that there are after the change, in files of the same language."""
    wanted = family(change.source("").language)
    if not wanted or _defined_often(diff, name, change):
        return
    for path, text in diff.now():
        if f"{name}(" not in text and not (wanted == "ruby" and name in text):
            continue
        own = next((each.new for each in diff.files if each.path == path), None)
        source = Source(f"file:///{path}", text)
        if family(source.language) != wanted:
            continue
        tree = own or parse(source)
        shapes = shapes_of(source.language)
        if tree is None or shapes is None:
            continue
        for node in walk(tree.root):
            if node.type in shapes.calls and _called(tree, node) == name:
                line = tree.source.line_at(tree.start(node)) + 1
                yield Place(path, line), node, tree


def _defined_often(diff: Diff, name: str, change: FileChange) -> bool:
    """Say whether the name is also another function's: then whose caller a call is is not known."""
    pattern = re.compile(
        rf"\b(?:def|function|func|fn)\s+(?:\([^)]*\)\s*)?(?:self\.)?{re.escape(name)}\b|"
        rf"\b{re.escape(name)}\s*(?:=|:)\s*(?:async\s*)?(?:function|\(|lambda)"
    )
    count = sum(len(pattern.findall(text)) for _, text in diff.now())
    own = len(pattern.findall(change.after or ""))
    return count > max(own, 1) or own > 1


def _called(tree: SyntaxTree, node: Node) -> str:
    name = (
        node.child_by_field_name("name")
        or node.child_by_field_name("method")
        or node.child_by_field_name("function")
    )
    words = re.findall(r"\w+", "" if name is None else tree.text(name))
    return words[-1] if words else ""


def _given(tree: SyntaxTree, call: Node) -> tuple[int, set[str]] | None:
    """Return how many arguments a call passes and the names it gives; None where that is open."""
    arguments = call.child_by_field_name("arguments")
    if arguments is None:
        arguments = next((e for e in call.named_children if "argument" in e.type), None)
    given = [] if arguments is None else arguments.named_children
    count, keywords = 0, set[str]()
    for each in given:
        if "comment" in each.type:
            continue
        if any(word in each.type for word in ("splat", "spread", "variadic", "block")):
            return None
        if any(tree.text(child) == "..." for child in each.children):
            return None
        count += 1
        name = each.child_by_field_name("name")
        if each.type in ("keyword_argument", "argument") and name is not None:
            keywords.add(tree.text(name))
    return count, keywords


def _gone(
    diff: Diff, change: FileChange, before: _Function, new: dict[str, _Function]
) -> Iterator[Comment]:
    """Yield a comment where a function is gone that is still called."""
    name = before.definition.name
    if any(each.definition.name == name for each in new.values()):
        return
    word = re.escape(name)
    elsewhere = re.compile(
        rf"\b(?:def|function|func|class|import|const|let|var)\b[^\n]{{0,300}}\b{word}\b|"
        rf"\b{word}\s*\([^)]{{0,500}}\)\s*(?:throws[^{{]{{0,200}})?\{{"
    )
    if any(elsewhere.search(text) for _, text in diff.now()):
        return
    callers = [place for place, _, _ in _calls(diff, name, change)]
    if before.definition.container and len(name) < 6:  # noqa: PLR2004 - short names of methods are many things' names
        return
    if callers:
        yield Comment(
            "removed-but-called",
            change.path,
            before.line,
            f"`{name}` is gone, and is still called.",
            Severity.ERROR,
            tuple(f"{place} calls it." for place in callers[:MOST_CALLERS]),
            before.definition.qualified_name,
            removed=True,
            places=tuple(callers[:MOST_CALLERS]),
        )


# ------------------------------------------------------------ errors and tests


def _handlers(function: _Function) -> int:
    tree, span = function.tree, function.definition.span
    start, end = (tree.source.byte_offset(each) for each in (span.start, span.end))
    nodes = sum(
        each.type in _HANDLERS and start <= each.start_byte < end for each in walk(tree.root)
    )
    return nodes + len(_NIL_CHECK.findall(tree.source.slice(span)))


def _handling(change: FileChange, before: _Function, after: _Function) -> Iterator[Comment]:
    had, has = _handlers(before), _handlers(after)
    if has >= had or change.is_test:
        return
    removed = [each for each in change.removed if _handles(each.text)]
    first, last = _extent(before)
    inside = [each for each in removed if first <= each.number <= last]
    if not inside:
        return
    yield Comment(
        "handling-removed",
        change.path,
        after.line,
        f"`{after.definition.name}` handles fewer errors than before.",
        Severity.WARNING,
        (f"It had {had} handlers and has {has}; line {inside[0].number} of the old text is gone.",),
        f"{after.definition.qualified_name} {inside[0].text}",
    )


def _handles(text: str) -> bool:
    return bool(re.search(r"\b(?:except|catch|rescue)\b", text) or _NIL_CHECK.search(text))


def _extent(function: _Function) -> tuple[int, int]:
    source, span = function.tree.source, function.definition.span
    return source.line_at(span.start) + 1, source.line_at(span.end) + 1


def _raising(change: FileChange, before: _Function, after: _Function) -> Iterator[Comment]:
    """Yield a comment where a function raises what its documentation of errors leaves out."""
    fresh = [each for each in after.signature.raises if each not in before.signature.raises]
    said = after.definition.documentation
    if not fresh or said is None:
        return
    text = after.tree.source.slice(said)
    speaks = re.search(r"raise|throw|exception|error", text, re.IGNORECASE)
    missing = [each for each in fresh if each not in text]
    if not missing or not speaks:
        return
    yield Comment(
        "raise-undocumented",
        change.path,
        after.line,
        f"`{after.definition.name}` raises `{missing[0]}` now, and its documentation speaks of "
        "other errors only.",
        Severity.WARNING,
        ("The diff adds the `raise`; the documentation names errors and not this one.",),
        f"{after.definition.qualified_name} {missing[0]}",
    )


def _tests(diff: Diff) -> Iterator[Comment]:
    """Yield a comment for each file of which tests are gone, unless they moved."""
    now = {name for each in diff.files for name in _test_names(each, each.after)}
    for change in diff.files:
        if not change.known or change.before is None:
            continue
        gone = [name for name in _test_names(change, change.before) if name not in now]
        if not gone:
            continue
        names = ", ".join(f"`{_shown(each)}`" for each in gone[:MOST_CALLERS])
        first = next((e.number for e in change.removed if gone[0] in e.text), 1)
        yield Comment(
            "test-removed",
            change.path,
            first,
            f"{len(gone)} tests are gone: {names}."
            if len(gone) > 1
            else f"A test is gone: {names}.",
            Severity.WARNING,
            ("The old text has them, and no file of the diff has them now.",),
            " ".join(gone),
            removed=True,
        )


def _shown(name: str) -> str:
    return name.strip("\"'`").replace("`", "'")[:80]


def _test_names(change: FileChange, text: str | None) -> list[str]:
    pattern = _TESTS.get(family(change.source("").language))
    if pattern is None or text is None or not change.is_test:
        return []
    return [next(filter(None, found.groups())) for found in pattern.finditer(text)]


def _untested(diff: Diff) -> Iterator[Comment]:
    """Yield one comment where public functions are new or other ones, and no test changed."""
    if any(each.is_test for each in diff.files):
        return
    if not any(_is_test_path(path) for path in diff.others):
        # Where there are no tests at all, one more function without is no news.
        return
    found: list[tuple[FileChange, _Function]] = []
    for change in diff.files:
        if not change.known or change.after is None or not family(change.source("").language):
            continue
        old = _functions(change.old)
        for name, after in _functions(change.new).items():
            before = old.get(name)
            changed = before is None or before.signature.parameters != after.signature.parameters
            if changed and _is_public(after) and after.line in change.added_lines:
                found.append((change, after))
    if not found:
        return
    change, first = found[0]
    names = ", ".join(f"`{each.definition.qualified_name}`" for _, each in found[:MOST_CALLERS])
    yield Comment(
        "untested-api",
        change.path,
        first.line,
        f"Public functions are new or take other arguments, and no test changed: {names}.",
        Severity.INFORMATION,
        ("No file of tests is in the diff, and there are such files.",),
        names,
    )


def _is_test_path(path: str) -> bool:
    return FileChange(path, (), ()).is_test


def _is_public(function: _Function) -> bool:
    definition, tree = function.definition, function.tree
    if any(part.startswith("_") for part in definition.qualified_name.split(".")):
        return False
    head = tree.source.slice(definition.signature)
    match family(tree.source.language):
        case "go":
            return definition.name[:1].isupper()
        case "java" | "csharp":
            return bool(re.search(r"\bpublic\b", head))
        case "php":
            return not re.search(r"\b(?:private|protected)\b", head)
        case "javascript":
            line = tree.source.line_text(tree.source.line_at(definition.span.start))
            return "export" in line or bool(definition.container)
        case _:
            return True
