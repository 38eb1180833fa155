"""Names for what a refactoring makes, from what it is made of."""

from __future__ import annotations

import builtins
import keyword
import re
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.refactoring.site import RefusalError, bare

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.specialists.refactoring.site import Site

MOST: Final = 30
"""Characters of a proposed name."""

_PREFIXES: Final = re.compile(
    r"^(?:get|fetch|load|make|create|build|compute|calculate|calc|find|read|new|to|as|is)(?=_|[A-Z])_?"
)
_SIGNS: Final = {"+": "total", "-": "difference", "*": "product", "/": "ratio", "//": "quotient",
                 "%": "remainder", "**": "power", ".": "text"}  # fmt: skip
_LOGICAL: Final = frozenset(
    {"and", "or", "not", "&&", "||", "!", "==", "!=", "===", "!==", "<", ">", "<=", ">=", "in",
     "is", "not in", "is not", "instanceof"}
)  # fmt: skip
_RESERVED: Final = frozenset(
    [
        "abstract",
        "alias",
        "and",
        "as",
        "async",
        "await",
        "base",
        "begin",
        "bool",
        "boolean",
        "break",
        "byte",
        "case",
        "catch",
        "chan",
        "char",
        "class",
        "const",
        "continue",
        "decimal",
        "def",
        "default",
        "defer",
        "delete",
        "do",
        "double",
        "echo",
        "else",
        "elsif",
        "end",
        "ensure",
        "enum",
        "event",
        "export",
        "extends",
        "false",
        "final",
        "finally",
        "float",
        "fn",
        "for",
        "foreach",
        "func",
        "function",
        "global",
        "go",
        "goto",
        "if",
        "implements",
        "import",
        "in",
        "instanceof",
        "int",
        "interface",
        "internal",
        "is",
        "lambda",
        "let",
        "lock",
        "long",
        "map",
        "match",
        "module",
        "namespace",
        "native",
        "new",
        "next",
        "nil",
        "not",
        "null",
        "object",
        "of",
        "operator",
        "or",
        "out",
        "override",
        "package",
        "params",
        "print",
        "private",
        "protected",
        "public",
        "range",
        "raise",
        "readonly",
        "redo",
        "ref",
        "rescue",
        "retry",
        "return",
        "sbyte",
        "sealed",
        "select",
        "self",
        "short",
        "static",
        "string",
        "struct",
        "super",
        "switch",
        "this",
        "throw",
        "throws",
        "true",
        "try",
        "type",
        "typeof",
        "undef",
        "union",
        "unless",
        "until",
        "use",
        "using",
        "var",
        "virtual",
        "void",
        "volatile",
        "when",
        "where",
        "while",
        "with",
        "yield",
    ]
)

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[A-Z]+")


def styled(site: Site, words: list[str]) -> str:
    """Return words as one name in the language's style."""
    kept = [each.lower() for each in words if each][:4] or ["value"]
    if kept[0][0].isdigit():
        kept.insert(0, "n")
    name = "_".join(kept) if site.snake else kept[0] + "".join(w.capitalize() for w in kept[1:])
    return name[:MOST].rstrip("_")


def checked(site: Site, name: str, *, fresh: bool = True) -> str:
    """Return a name that the user wants; raises `RefusalError` if it cannot be one here."""
    plain = name.removeprefix("$") if site.family == "php" else name
    reserved = keyword.iskeyword(plain) if site.family == "python" else plain in _RESERVED
    shape = r"[a-z_]\w*" if site.family == "ruby" else r"[^\W\d]\w*"
    if reserved or re.fullmatch(shape, plain) is None:
        raise RefusalError(f"{name} cannot be a variable's name here.")
    if fresh and plain in site.names.taken:
        raise RefusalError(f"{plain} is a name in this file already.")
    return plain


def proposed(site: Site, node: Node) -> str:
    """Return a name for an expression's value that nothing in the file has."""
    if site.name:
        return checked(site, site.name)
    name = styled(site, _words(site, bare(node)))
    builtin = site.family == "python" and hasattr(builtins, name)
    if name in _RESERVED or keyword.iskeyword(name) or builtin:
        name = f"{name}_value" if site.snake else f"{name}Value"
    return site.unused(name, site.names.taken)


def _words(site: Site, node: Node) -> list[str]:
    if node.type in site.shapes.calls:
        callee = node.child_by_field_name("function") or node.child_by_field_name("method")
        name = node.child_by_field_name("name") or callee
        last = re.findall(r"\w+", site.text(name))[-1:]
        short = _PREFIXES.sub("", last[0]) if last else ""
        if short in ("len", "length", "size", "count"):
            return ["count"]
        return _WORD.findall(short) or ["value"]
    sign = next((site.text(e) for e in node.children if site.text(e) in {*_SIGNS, *_LOGICAL}), "")
    if sign in _LOGICAL and node.child_count > 1:
        return ["condition"]
    if sign in _SIGNS and node.type.startswith("binary"):
        is_text = any("string" in each.type for each in node.named_children)
        return ["text"] if is_text else [_SIGNS[sign]]
    if "string" in node.type or "template" in node.type:
        return _WORD.findall(re.sub(r"[^A-Za-z ]", " ", site.text(node)))[:3] or ["text"]
    words = re.findall(r"[^\W\d]\w*", site.text(node))
    return _WORD.findall(words[-1]) or ["value"] if words else ["value"]
