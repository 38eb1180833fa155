"""Which definitions of a file others may use, as its language says it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.documentation.agent import is_public
from coai_agents.syntax.definitions import CLASSES, FUNCTIONS, outline
from coai_agents.syntax.language import Kind
from coai_agents.syntax.tree import ancestors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree

_MODULES: Final = frozenset({Kind.MODULE, Kind.IMPLEMENTATION})
_SCRIPT: Final = frozenset({"javascript", "javascriptreact", "typescript", "typescriptreact"})
_EXPORTED: Final = re.compile(
    r"^export\s*(?:default\s+(?P<default>\w+)|(?:type\s*)?\{(?P<names>[^}]*)\})"
)
_RECEIVER: Final = re.compile(r"func\s*\(\s*(?:\w+\s+)?\*?\s*(?P<type>\w+)")
_SECTIONS: Final = frozenset({"field_declaration_list", "body_statement"})
_MARKS: Final = frozenset({"access_specifier", "identifier"})
_ACCESS: Final = frozenset({"public", "protected", "private"})


def visible(tree: SyntaxTree) -> Iterator[Definition]:
    """Yield the definitions that others may use, in the order of the text."""
    known = outline(tree)
    exported = _exported(tree)
    kinds = {each.qualified_name: each.kind for each in known}
    hidden: set[str] = set()
    inside = 0  # up to here, the text is in functions
    for each in known:
        around = kinds.get(each.container)
        local = each.span.start < inside
        if local or each.container in hidden or not _is_visible(tree, each, around, exported):
            hidden.add(each.qualified_name)
        else:
            yield each
        if each.kind in FUNCTIONS and each.body is not None:
            inside = max(inside, each.body.end)


def receiver_of(tree: SyntaxTree, definition: Definition) -> str:
    """Return the type that a method of Go belongs to; nothing for anything else."""
    if tree.source.language != "go":
        return ""
    match = _RECEIVER.match(tree.source.slice(definition.signature))
    return match["type"] if match else ""


def _is_visible(
    tree: SyntaxTree,
    definition: Definition,
    around: Kind | None,
    exported: frozenset[str] | None,
) -> bool:
    head = tree.source.slice(definition.signature)
    language = tree.source.language
    if definition.kind is Kind.IMPLEMENTATION or (
        definition.kind is Kind.MODULE and language not in _SCRIPT
    ):
        return True
    if language in _SCRIPT and around is Kind.MODULE:
        return head.startswith("export")
    if exported is not None and not definition.depth:
        return definition.name in exported or head.startswith("export")
    if around is Kind.INTERFACE or definition.name in {"__init__", "constructor"}:
        return not re.search(r"\bprivate\b", head)
    receiver = receiver_of(tree, definition)
    if re.search(r"\bpub\s*\(", head) or (receiver and not receiver[0].isupper()):
        return False
    if language in {"cpp", "ruby"} and around in CLASSES | _MODULES:
        return _section(tree, definition, around) == "public"
    return is_public(tree, definition)


def _section(tree: SyntaxTree, definition: Definition, around: Kind | None) -> str:
    """Return the access that the last mark above a member gives it, or its class without one."""
    byte = tree.source.byte_offset(definition.span.start)
    leaf: Node | None = tree.root.descendant_for_byte_range(byte, byte + 1)
    for at in () if leaf is None else ancestors(leaf):
        if at.type == "call" and (word := tree.text(at).split(None, 1)[0]) in _ACCESS:
            return word  # Ruby's `private def`
        if at.parent is None or at.parent.type not in _SECTIONS:
            continue
        above = (each for each in at.parent.named_children if each.start_byte < at.start_byte)
        marks = (tree.text(each).strip(": ") for each in above if each.type in _MARKS)
        if words := [each for each in marks if each in _ACCESS]:
            return words[-1]
        is_class = at.parent.parent is not None and at.parent.parent.type == "class_specifier"
        return "private" if is_class and around in CLASSES else "public"
    return "public"


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
