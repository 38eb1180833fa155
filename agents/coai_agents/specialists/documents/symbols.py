"""The public symbols of a file, with what their signatures and their documentation say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.documentation.comment import Described, DocComment
from coai_agents.specialists.documentation.reading import read
from coai_agents.specialists.documentation.signature import Signature, signature_of
from coai_agents.specialists.documents.visibility import receiver_of, visible
from coai_agents.syntax.definitions import CLASSES, FUNCTIONS
from coai_agents.syntax.language import Kind

if TYPE_CHECKING:
    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree

_SHOWN: Final = FUNCTIONS | (CLASSES - {Kind.IMPLEMENTATION}) | {Kind.TYPE, Kind.MACRO}


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
    known = tuple(_symbol(tree, each) for each in visible(tree) if each.kind in _SHOWN)
    return Module(path, tree.source.language, _of_file(tree), known)


def _symbol(tree: SyntaxTree, definition: Definition) -> Symbol:
    span = definition.documentation
    comment = DocComment() if span is None else read(tree.source.slice(span))
    signature = signature_of(tree, definition) if definition.kind in FUNCTIONS else None
    receiver = receiver_of(tree, definition)
    return Symbol(
        f"{receiver}.{definition.name}" if receiver else definition.qualified_name,
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
    return re.sub(r"\s*(?:=>|[:{=;])?\s*$", "", whole)


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
