"""Fixers of Java, Go, PHP, Ruby and C# that need more than a pattern."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.fixes.fix import Fixer
    from coai_agents.fixes.site import Site
    from coai_agents.source import Edit


def go_digest(site: Site) -> Iterator[list[Edit]]:
    """Use SHA-256 in Go, and let the import follow if nothing else needs the old one."""
    call = site.call
    if call is None:
        return
    function = call.child_by_field_name("function")
    callee = site.callee(call)
    package, _, name = callee.partition(".")
    if function is None or package not in ("md5", "sha1") or name not in ("New", "Sum"):
        return
    text = site.source.text
    imported = re.search(rf'"crypto/{package}"', text)
    if imported is None or len(re.findall(rf"\b{package}\.", text)) != 1:
        return
    put = "sha256.Sum256" if name == "Sum" else "sha256.New"
    edits = [site.replaced(function, put)]
    start, end = imported.span()
    if '"crypto/sha256"' not in text:
        edits.append(site.between(start, end, '"crypto/sha256"'))
    else:
        line = site.source.line_at(start)
        start = site.source.line_start(line)
        edits.append(site.between(start, site.source.line_start(line + 1)))
    yield edits


def go_flag(name: str) -> Fixer:
    """Return what sets a flag of a composite literal, written or not."""

    def fix(site: Site) -> Iterator[list[Edit]]:
        body = site.node.child_by_field_name("body")
        if site.node.type != "composite_literal" or body is None:
            return
        elements = [each for each in body.named_children if each.type == "keyed_element"]
        for each in elements:
            if site.text(each.named_children[0]) == name:
                yield [site.replaced(each.named_children[-1], "true")]
                return
        if elements:
            start = site.tree.start(elements[0])
            behind = "\n" + site.indent(start)
            same = site.source.line_at(start) == site.source.line_at(site.tree.start(body))
            yield [site.between(start, start, f"{name}: true,{' ' if same else behind}")]

    return fix


def same_branches(site: Site) -> Iterator[list[Edit]]:
    """Leave one of two branches that do the same."""
    yes = site.node.child_by_field_name("consequence")
    no = site.node.child_by_field_name("alternative")
    if yes is None or no is None or no.type == "if_statement":
        return
    if site.text(yes) == site.text(no) and "(" not in site.text(
        site.node.child_by_field_name("condition")
    ):
        body = site.text(yes).removeprefix("{").removesuffix("}").strip()
        if "\n" not in body and site.node.child_by_field_name("initializer") is None:
            yield [site.replaced(site.node, body)]


def java_secure_random(site: Site) -> Iterator[list[Edit]]:
    """Draw from the system's generator; `SecureRandom` is a `Random`."""
    if site.node.type == "object_creation_expression":
        kind = site.node.child_by_field_name("type")
        if kind is not None and site.text(kind).rsplit(".", 1)[-1] == "Random":
            yield [site.replaced(kind, "java.security.SecureRandom")]


def java_doctype_off(site: Site) -> Iterator[list[Edit]]:
    """Refuse document types, which entities come from, behind the factory's declaration."""
    declarator = site.node.parent
    if declarator is None or declarator.type != "variable_declarator":
        return
    statement = declarator.parent
    name = site.text(declarator.child_by_field_name("name"))
    if statement is None or statement.type != "local_variable_declaration":
        return
    end = site.tree.end(statement)
    indent = site.indent(site.tree.start(statement))
    feature = '"http://apache.org/xml/features/disallow-doctype-decl"'
    put = f"{name}.setFeature({feature}, true);"
    yield [site.between(end, end, f"{site.line_end}{indent}{put}")]


def java_cookie(site: Site) -> Iterator[list[Edit]]:
    """Set the flag before the cookie is added."""
    call = site.call
    cookie = None if call is None else site.argument(call, 0)
    parent = None if call is None else call.parent
    if cookie is None or cookie.type != "identifier" or parent is None:
        return
    if parent.type == "expression_statement":
        start = site.tree.start(parent)
        put = f"{site.text(cookie)}.setSecure(true);{site.line_end}{site.indent(start)}"
        yield [site.between(start, start, put)]
