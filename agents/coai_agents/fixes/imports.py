"""Imports that a fix needs, added where the file has its imports, and only if they are missing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.source import Edit, Span
from coai_agents.syntax.language import GRAMMARS
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.source import Source
    from coai_agents.syntax.tree import SyntaxTree

_FIRST: Final = {
    "python": {"comment", "import_statement", "import_from_statement", "future_import_statement"},
    "java": {"line_comment", "block_comment", "package_declaration", "import_declaration"},
    "csharp": {"comment", "using_directive"},
    "javascript": {"hash_bang_line", "comment", "import_statement"},
    "go": {"comment", "package_clause", "import_declaration"},
    "ruby": {"comment"},
}
"""By language: the nodes that imports stand among or behind."""


def import_of(source: Source, need: str) -> tuple[Edit, ...] | None:
    """Return the edits that import `module` or `module:name`, none if the file does already.

    It goes behind the imports at the file's beginning, or before its first statement. None if it
    cannot be done: something else has the name, or it is not known how the file imports.
    """
    language = GRAMMARS.get(source.language, "")
    if language in ("typescript", "tsx"):
        language = "javascript"
    module, _, name = need.partition(":")
    if _there(language, source.text, module, name):
        return ()
    statement = _statement(language, source.text, module, name)
    tree = parse(source)
    if tree is None or not statement or _taken(language, source.text, module, name):
        return None
    if language == "go":
        edit = _go(source, module)
        return None if edit is None else (edit,)
    at = _behind(tree, language)
    end = "\r\n" if "\r\n" in source.text else "\n"
    text = f"{end}{statement}" if at else f"{statement}{end}"
    return (Edit(Span(at, at), text),)


def place_of_imports(source: Source) -> int | None:
    """Return the offset that an import goes to; None where it is not known how the file imports.

    It is 0, or the end of the line of what has to stand before.
    """
    language = GRAMMARS.get(source.language, "")
    language = "javascript" if language in ("typescript", "tsx") else language
    tree = parse(source) if language in _FIRST and language != "go" else None
    return None if tree is None else _behind(tree, language)


def _taken(language: str, text: str, module: str, name: str) -> bool:
    """Say whether something else has the name that the import would bind."""
    bound = re.escape(name or re.split(r"[:/.]", module)[-1])
    if language == "javascript":
        pattern = (
            rf"\b(?:const|let|var|function|class)\s+{bound}\b|[(,{{]\s*{bound}\s*(?:[,)}}=]|=>)"
        )
    elif language == "python":
        pattern = rf"(?m)^\s*{bound}\s*(?::[^\n=]+)?=(?!=)|\b(?:def|class|as|for)\s+{bound}\b"
        pattern += rf"|\bdef\s+\w+\([^)]*\b{bound}\b|\bimport\s+[^\n]*\b{bound}\b(?!\.)"
    elif language == "go":
        pattern = rf'\b{bound}\s*:?=|/{bound}"'
    else:
        return False
    return re.search(pattern, text) is not None


def _statement(language: str, text: str, module: str, name: str) -> str:
    if language == "python":
        return f"from {module} import {name}" if name else f"import {module}"
    if language == "javascript":
        bound = name or re.split(r"[:/]", module)[-1]
        quote = "'" if text.count("'") >= text.count('"') else '"'
        if re.search(r"(?m)^import\s", text):
            return f"import * as {bound} from {quote}{module}{quote};"
        # A script without any may be for browsers, where there is no such module.
        called = f"const {bound} = require({quote}{module}{quote});"
        return called if "require(" in text else ""
    forms = {
        "java": f"import {module};",
        "csharp": f"using {module};",
        "ruby": f"require '{module}'",
        "go": f'"{module}"',
    }
    return forms.get(language, "")


def _there(language: str, text: str, module: str, name: str) -> bool:
    escaped = re.escape(module)
    if language == "python":
        pattern = (
            rf"^from {escaped} import [^\n]*\b{name}\b"
            if name
            else rf"^import (?:[\w., ]+, *)?{escaped}(?= *(?:,|$|#|\r))"
        )
    elif language == "javascript":
        bound = name or re.split(r"[:/]", module)[-1]
        pattern = (
            rf"\b(?:const|let|var)\s+{bound}\s*=\s*require\(|^import\s+(?:\*\s+as\s+)?{bound}\b"
        )
    elif language == "ruby":
        pattern = rf"""^\s*require\s*\(?['"]{escaped}['"]"""
    elif language == "go":
        pattern = rf'"{escaped}"'
    elif language == "java":
        package = re.escape(module.rpartition(".")[0])
        pattern = rf"^import (?:{escaped}|{package}\.\*);"
    else:
        pattern = rf"^\s*using {escaped};"
    return re.search(pattern, text, re.MULTILINE) is not None


def _behind(tree: SyntaxTree, language: str) -> int:
    """Return the offset that imports stand before: 0, or the end of the last one's line."""
    at = 0
    source = tree.source
    kinds = _FIRST[language]
    imported = False
    for child in tree.root.named_children:
        starts = source.line_at(tree.start(child))
        text = tree.text(child)
        required = "require(" in text and child.type == "lexical_declaration"
        documents = language == "python" and at == 0 and _is_text(child)
        strict = re.match(r"""['"]use strict['"]""", text) is not None
        loads = language == "ruby" and re.match(r"require(?:_relative)?\b", text) is not None
        if not (child.type in kinds or required or documents or strict or loads):
            break
        comment = "comment" in child.type
        if comment and imported:
            # It belongs to what comes next, unless it ends an import's line.
            if at and starts == source.line_at(at):
                continue
            break
        imported = imported or not (comment or documents or strict)
        at = source.line_end(source.line_at(tree.end(child)))
    return at


def _is_text(node: Node) -> bool:
    return node.type == "expression_statement" and node.named_children[0].type == "string"


def _go(source: Source, module: str) -> Edit | None:
    text = source.text
    block = re.search(r"(?m)^import\s*\(\s*?\n", text)
    if block is not None:
        return Edit(Span(block.end(), block.end()), f'\t"{module}"\n')
    single = re.search(r'(?m)^import\s+(?:[\w.]+\s+)?"[^"]+"[ \t]*$', text)
    if single is not None:
        return Edit(Span(single.end(), single.end()), f'\nimport "{module}"')
    package = re.search(r"(?m)^package\s+\w+[ \t]*$", text)
    if package is not None:
        return Edit(Span(package.end(), package.end()), f'\n\nimport "{module}"')
    return None
