"""Rename a local variable: by scope, at every place that means it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from coai_agents.source import Edit, Span
from coai_agents.specialists.refactoring.naming import checked
from coai_agents.specialists.refactoring.site import (
    Offer,
    RefusalError,
    Site,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.specialists.refactoring.names import Binding


# --------------------------------------------------------------------- rename


def rename(site: Site) -> Iterator[Offer]:
    """Give a local variable another name, at every place of the file that means it."""
    if not site.name:
        raise RefusalError("Say which name it should have.")
    yield renamed(site, variable_at(site), site.name)


def variable_at(site: Site) -> Binding:
    """Return the variable at the cursor, or the first local one that a named line declares."""
    use = site.names.at(site.trimmed.start)
    if site.lines and (use is None or use.binding is None or not use.binding.is_local):
        first = site.source.line_start(site.source.line_at(site.trimmed.start))
        end = site.source.line_end(site.source.line_at(site.trimmed.end))
        there = [each for each in site.names.within(Span(first, end)) if each.declares]
        local = [each for each in there if each.binding is not None and each.binding.is_local]
        use = local[0] if local else None
    if use is None or use.binding is None:
        raise RefusalError("There is no variable of this file here.")
    return use.binding


def renamed(site: Site, binding: Binding, wanted: str) -> Offer:
    """Return the edits that rename a variable; raises `RefusalError`."""
    name = checked(site, wanted, fresh=False)
    if not binding.is_local or binding.scope.kind == "class":
        raise RefusalError(f"{binding.name} may be used from other files: it is no local variable.")
    if binding.parameter and site.family in ("python", "php", "csharp"):
        inner = binding.scope.node.type in ("lambda", "lambda_expression", "arrow_function")
        if not inner:
            raise RefusalError(f"{binding.name} is a parameter, which callers may name.")
    if binding.parameter and any(e.node.parent is not None and e.node.parent.type ==
                                 "keyword_parameter" for e in binding.uses):  # fmt: skip
        raise RefusalError(f"{binding.name} is a parameter, which callers name.")
    if binding.name in ("self", "cls"):
        raise RefusalError(f"{binding.name} has its name by convention.")
    _not_by_text(site, binding)
    sign = "$" if site.family == "php" else ""
    edits = [_renamed_use(site, each.node, f"{sign}{name}") for each in binding.uses]
    unique = {edit.span: edit for edit in edits}
    plain = binding.name.removeprefix("$")
    return Offer(f"Rename {plain} to {name}", tuple(unique.values()), renaming=True)


def _not_by_text(site: Site, binding: Binding) -> None:
    """Refuse where a function's variables are also found by their names in strings."""
    text = site.text(binding.scope.node)
    by_text = {
        "python": r"\b(?:locals|eval|exec|vars)\s*\(",
        "javascript": r"\beval\s*\(|\bwith\s*\(",
        "php": r"\b(?:compact|extract|eval|get_defined_vars)\s*\(|\$\$",
        "ruby": r"\b(?:binding|eval|local_variable_get)\b",
    }.get(site.family)
    if by_text and re.search(by_text, text):
        raise RefusalError("This function finds variables by their names as text.")
    plain = binding.name
    if site.family == "ruby" and re.search(rf"\b{re.escape(plain)}:\s*[,)\n]", text):
        raise RefusalError(f"{plain}: stands for a key and its value at once.")


def _renamed_use(site: Site, node: Node, name: str) -> Edit:
    if node.type in ("shorthand_property_identifier", "shorthand_property_identifier_pattern"):
        return Edit(site.tree.span(node), f"{site.text(node)}: {name}")
    return Edit(site.tree.span(node), name)
