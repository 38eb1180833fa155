"""The public symbols of a file, with what their signatures and their documentation say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.documentation.agent import is_public
from coai_agents.specialists.documentation.comment import Described, DocComment
from coai_agents.specialists.documentation.reading import read
from coai_agents.specialists.documentation.signature import Signature, signature_of
from coai_agents.syntax.definitions import CLASSES, FUNCTIONS, outline
from coai_agents.syntax.language import Kind

if TYPE_CHECKING:
    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree

_SHOWN: Final = FUNCTIONS | (CLASSES - {Kind.IMPLEMENTATION}) | {Kind.TYPE, Kind.MACRO}
_MODULES: Final = frozenset({Kind.MODULE, Kind.IMPLEMENTATION})
_SCRIPT: Final = frozenset({"javascript", "javascriptreact", "typescript", "typescriptreact"})
_EXPORTED: Final = re.compile(
    r"^export\s*(?:default\s+(?P<default>\w+)|(?:type\s*)?\{(?P<names>[^}]*)\})"
)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function, a class or a type that others may use."""

    name: str
    """With the names of what it is in."""
    kind: str
    signature: str
    line: int
    """From 1."""
    comment: DocComment
    parameters: tuple[Described, ...]
    """Of the signature, in its order, with the words of the documentation."""
    returns: Described | None
    raises: tuple[Described, ...]
    """What the documentation names and what the body raises."""


@dataclass(frozen=True, slots=True)
class Module:
    """A file's public symbols."""

    path: str
    """Relative to the folder that was asked for, with slashes."""
    language: str
    comment: DocComment
    symbols: tuple[Symbol, ...]


def module_of(tree: SyntaxTree, path: str) -> Module:
    """Return the public symbols of a file, in the order of the text."""
    exported = _exported(tree)
    known: list[Symbol] = []
    hidden: set[str] = set()
    for each in outline(tree):
        visible = _is_visible(tree, each, exported, hidden)
        if not visible:
            hidden.add(each.qualified_name)
        elif each.kind in _SHOWN:
            known.append(_symbol(tree, each))
    return Module(path, tree.source.language, _of_file(tree), tuple(known))


def _is_visible(
    tree: SyntaxTree, definition: Definition, exported: frozenset[str] | None, hidden: set[str]
) -> bool:
    if definition.container in hidden:
        return False
    if definition.kind in _MODULES:
        return True
    if exported is not None and not definition.depth:
        head = tree.source.slice(definition.signature)
        return definition.name in exported or head.startswith("export")
    if definition.kind in FUNCTIONS and _is_local(tree, definition):
        return False
    is_constructor = definition.name in {"__init__", "constructor"}
    return is_constructor or is_public(tree, definition)


def _is_local(tree: SyntaxTree, definition: Definition) -> bool:
    """Say whether a function stands in a function."""
    around = (each for each in outline(tree) if each.kind in FUNCTIONS and each.body is not None)
    return any(
        each.body is not None and each.body.covers(definition.span) and each.span != definition.span
        for each in around
    )


def _exported(tree: SyntaxTree) -> frozenset[str] | None:
    """Return the names that a file says are public; None where it does not say so."""
    names: set[str] = set()
    said = False
    for node in tree.root.named_children:
        text = tree.text(node)
        if tree.source.language in _SCRIPT and node.type == "export_statement":
            said = True
            if (match := _EXPORTED.match(text)) is not None:
                names.update(re.findall(r"\w+", match["default"] or match["names"] or ""))
        elif tree.source.language == "python" and text.startswith("__all__"):
            said = True
            names.update(re.findall(r"[\"'](\w+)[\"']", text))
    return frozenset(names) if said else None


def _symbol(tree: SyntaxTree, definition: Definition) -> Symbol:
    span = definition.documentation
    comment = DocComment() if span is None else read(tree.source.slice(span))
    signature = signature_of(tree, definition) if definition.kind in FUNCTIONS else None
    return Symbol(
        definition.qualified_name,
        definition.kind.value,
        _head(tree, definition),
        tree.source.line_at(definition.span.start) + 1,
        comment,
        _parameters(comment, signature),
        _returns(comment, signature),
        _raises(comment, signature),
    )


def _parameters(comment: DocComment, signature: Signature | None) -> tuple[Described, ...]:
    if signature is None:
        return comment.parameters
    words = {each.name.lstrip("*"): each.text for each in comment.parameters}
    return tuple(
        Described(each.name, words.get(each.name, ""), each.type) for each in signature.parameters
    )


def _returns(comment: DocComment, signature: Signature | None) -> Described | None:
    declared = None if signature is None else signature.returns
    said = comment.returns or comment.yields
    if declared is None and said is None:
        return None
    text, kind = ("", "") if said is None else (said.text, said.type)
    return Described("", text, declared or kind)


def _raises(comment: DocComment, signature: Signature | None) -> tuple[Described, ...]:
    said = {each.name.rpartition(".")[2]: each for each in comment.raises}
    found = {name: Described(name) for name in (signature.raises if signature else ())}
    return tuple((found | said).values())


def _head(tree: SyntaxTree, definition: Definition) -> str:
    """Return a signature without decorators, without the bracket or colon of the body.

    A type has no body: it is shown whole. A value is never shown.
    """
    text = tree.source.slice(definition.signature)
    if tree.source.language == "python":
        match = re.search(r"^[ \t]*(?:async\s+def|def|class)\b", text, re.MULTILINE)
        text = text[match.start() :] if match else text
    lines = [line.rstrip() for line in text.split("\n")]
    margin = min((len(x) - len(x.lstrip()) for x in lines[1:] if x.strip()), default=0)
    first, *rest = lines
    whole = "\n".join([first.strip(), *(each[margin:] for each in rest if each.strip())])
    return re.sub(r"\s*(?:=>|[:{=])?\s*$", "", whole)


def _of_file(tree: SyntaxTree) -> DocComment:
    """Return the documentation that a file begins with."""
    children = tree.root.named_children
    if not children:
        return DocComment()
    first = children[0]
    if tree.grammar.spec.lexical.docstrings:
        inner = first.named_children[0] if first.named_child_count == 1 else first
        return read(tree.text(inner)) if inner.type in tree.grammar.strings else DocComment()
    text = tree.text(first)
    after = children[1].start_point[0] if len(children) > 1 else first.end_point[0] + 2
    is_own = first.type in tree.grammar.comments and after - first.end_point[0] > 1
    return read(text) if is_own and text.startswith(("/**", "//!")) else DocComment()
