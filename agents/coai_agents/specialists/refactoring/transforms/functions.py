"""Extract function: selected statements become a function, or a method, and a call of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.source import Edit, Span
from coai_agents.specialists.refactoring.names import Role
from coai_agents.specialists.refactoring.naming import checked
from coai_agents.specialists.refactoring.site import (
    Offer,
    RefusalError,
    Site,
    in_string,
)
from coai_agents.specialists.refactoring.transforms.control import Selected, own_nodes
from coai_agents.specialists.refactoring.transforms.flow import Flow, flow_of, selected
from coai_agents.specialists.refactoring.transforms.hosts import Host, host_of
from coai_agents.syntax.tree import ancestors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.specialists.refactoring.names import Binding

_TYPED: Final = frozenset({"java", "csharp", "go"})


def extract_function(site: Site) -> Iterator[Offer]:
    """Make a function of selected statements."""
    chosen = selected(site)
    flow = flow_of(site, chosen)
    host = host_of(site, chosen)
    name = _name(site)
    takes = tuple(each for each in flow.takes if each.name != host.receiver)
    flow = Flow(takes, flow.gives, flow.returns, flow.awaits)
    if any(each.name == host.receiver for each in flow.gives):
        raise RefusalError(f"It writes {host.receiver}.")
    body = _body(site, chosen)
    head = _head(site, chosen, flow, host, name)
    written = _written(site, chosen, flow, [host.above, head], body)
    anchor = _anchor(site, chosen.outermost)
    lines = _lines(site, chosen)
    edits = (
        Edit(lines, _call(site, chosen, flow, host, name)),
        Edit(Span(anchor, anchor), written),
    )
    kind = "method" if host.method else "function"
    words = tuple(re.findall(r"[\w$]+", f"{host.call} {host.receiver}"))
    yield Offer(f"Extract {kind} {name}", edits, (name, *words), moved=True)


def _name(site: Site) -> str:
    if site.name:
        if site.name in site.names.words:
            raise RefusalError(f"{site.name} is a name in this file already.")
        return checked(site, site.name)
    usual = {"python": "extracted", "ruby": "extracted", "csharp": "Extracted"}
    return site.unused(usual.get(site.family, "extracted"), site.names.words)


# -------------------------------------------------------------------- writing


def _lines(site: Site, chosen: Selected) -> Span:
    """Return the statements with what ends the last one."""
    start, end = site.start(chosen.statements[0]), site.end(chosen.statements[-1])
    return Span(start, end)


def _body(site: Site, chosen: Selected) -> list[str]:
    """Return the lines of the statements without their indentation; strings stay as they are."""
    span = _lines(site, chosen)
    first = site.source.line_at(span.start)
    indent = site.indent(span.start)
    before = site.source.text[site.source.line_start(first) : span.start]
    if before.strip():
        raise RefusalError("The statements do not begin on a line of their own.")
    lines = [site.source.text[span.start : min(span.end, site.source.line_end(first))]]
    for at in range(first + 1, site.source.line_at(span.end) + 1):
        start = site.source.line_start(at)
        text = site.source.text[start : min(span.end, site.source.line_end(at))]
        if in_string(site, start):
            lines.append(f"\0{text}")
        else:
            lines.append(text.removeprefix(indent) if text.startswith(indent) else text.lstrip())
    return lines


def _written(site: Site, chosen: Selected, flow: Flow, heads: list[str], body: list[str]) -> str:
    outer = site.indent(site.start(chosen.outermost))
    inner = f"{outer}{site.unit}"
    if not flow.returns and flow.gives:
        body = [*body, _returning(site, flow)]
    placed = [f"{outer}{each}" for each in heads if each]
    placed += [_placed(each, inner) for each in body]
    if site.family != "python":
        placed.append(f"{outer}{'end' if site.family == 'ruby' else '}'}")
    blank = site.newline * (3 if site.family == "python" and not outer else 2)
    return blank + site.newline.join(placed)


def _placed(line: str, indent: str) -> str:
    if line.startswith("\0"):
        return line[1:]
    return f"{indent}{line}" if line.strip() else ""


def _returning(site: Site, flow: Flow) -> str:
    names = ", ".join(each.name for each in flow.gives)
    match site.family:
        case "javascript" | "php":
            listed = f"[{names}]" if len(flow.gives) > 1 else names
            return f"return {listed};"
        case "java" | "csharp":
            return f"return {names};"
        case "ruby":
            return f"[{names}]" if len(flow.gives) > 1 else names
        case _:
            return f"return {names}"


def _head(site: Site, chosen: Selected, flow: Flow, host: Host, name: str) -> str:
    result = _result_type(site, chosen, flow)
    taken = ", ".join(_parameter(site, each) for each in flow.takes)
    match site.family:
        case "python":
            listed = ", ".join(filter(None, (host.receiver, taken)))
            return f"{'async ' if flow.awaits else ''}def {name}({listed}):"
        case "javascript":
            word = "" if host.method else "function "
            spread = "async " if flow.awaits else ""
            typed = (
                f": Promise<{result}>"
                if flow.awaits and result
                else f": {result}"
                if result
                else ""
            )
            return f"{host.head}{spread}{word}{name}({taken}){typed} {{"
        case "php":
            return f"{host.head}function {name}({taken}) {{"
        case "ruby":
            return f"def {host.head}{name}{f'({taken})' if taken else ''}"
        case "go":
            return f"func {name}({taken}){f' {result}' if result else ''} {{"
        case _:
            thrown = next(
                (f" {site.text(e)}" for e in chosen.outermost.children if e.type == "throws"), ""
            )
            return f"{host.head}{result or 'void'} {name}({taken}){thrown} {{"


def _parameter(site: Site, binding: Binding) -> str:
    if site.family == "php":
        return binding.name
    if not _is_typed(site):
        return binding.name
    kind = _type_of(site, binding)
    match site.family:
        case "javascript":
            return f"{binding.name}: {kind}"
        case "go":
            return f"{binding.name} {kind}"
        case _:
            return f"{kind} {binding.name}"


def _is_typed(site: Site) -> bool:
    return site.family in _TYPED or site.source.language.startswith("typescript")


def _result_type(site: Site, chosen: Selected, flow: Flow) -> str:
    if not _is_typed(site):
        return ""
    if flow.returns:
        return _declared_result(site, chosen)
    if not flow.gives:
        return "void" if site.family == "javascript" else ""
    kinds = [_type_of(site, each) for each in flow.gives]
    if len(kinds) == 1:
        return kinds[0]
    if site.family == "go":
        return f"({', '.join(kinds)})"
    if site.family == "javascript":
        return f"[{', '.join(kinds)}]"
    raise RefusalError("It has more than one result, and a method has one.")


def _declared_result(site: Site, chosen: Selected) -> str:
    if chosen.function.id != chosen.outermost.id:
        raise RefusalError("What it returns has a type that is not written.")
    for field in ("type", "returns", "result", "return_type"):
        node = chosen.outermost.child_by_field_name(field)
        if node is not None:
            text = site.text(node).lstrip(": ").strip()
            if text.startswith("Promise<") and site.family == "javascript":
                return text[len("Promise<") : -1]
            return text
    if site.family == "javascript":
        raise RefusalError("What it returns has a type that is not written.")
    return ""


_EVIDENT: Final = {
    "go": {"int_literal": "int", "float_literal": "float64", "true": "bool", "false": "bool",
           "interpreted_string_literal": "string", "raw_string_literal": "string"},
    "javascript": {"number": "number", "string": "string", "template_string": "string",
                   "true": "boolean", "false": "boolean"},
    "csharp": {"integer_literal": "int", "string_literal": "string", "boolean_literal": "bool"},
    "java": {"decimal_integer_literal": "int", "string_literal": "String", "true": "boolean",
             "false": "boolean"},
}  # fmt: skip


def _type_of(site: Site, binding: Binding) -> str:
    """Return a variable's type as it is written, or as its literal says; raises `RefusalError`."""
    for use in binding.uses:
        if not use.declares:
            continue
        for each in list(ancestors(use.node))[1:4]:
            kind = each.child_by_field_name("type")
            if kind is not None and site.text(kind).lstrip(": ") not in ("var", "any"):
                text = site.text(kind).lstrip(": ").strip()
                if each.type == "variadic_parameter_declaration":
                    return f"[]{text}"
                if "[" in site.source.text[site.end(use.node) : site.end(use.node) + 1]:
                    raise RefusalError(f"The type of {binding.name} is written behind its name.")
                return text
            value = each.child_by_field_name("value") or each.child_by_field_name("right")
            if value is None and each.type == "variable_declarator" and each.named_child_count > 1:
                value = each.named_children[-1]
            if (
                value is not None
                and value.type == "expression_list"
                and value.named_child_count == 1
            ):
                value = value.named_children[0]
            if value is not None and (known := _EVIDENT[site.family].get(value.type)):
                return known
            if each.type in site.tree.grammar.containers:
                break
    raise RefusalError(f"The type of {binding.name} is not written.")


def _call(site: Site, chosen: Selected, flow: Flow, host: Host, name: str) -> str:
    given = ", ".join(each.name for each in flow.takes)
    call = f"{'await ' if flow.awaits else ''}{host.call}{name}({given})"
    if site.family == "ruby" and not given:
        call = f"{host.call}{name}"
    end = ";" if site.family in ("javascript", "java", "php", "csharp") else ""
    if flow.returns:
        bare_return = not _returns_value(site, chosen)
        if bare_return and site.family in ("java", "csharp", "go"):
            indent = site.indent(site.start(chosen.statements[0]))
            return f"{call}{end}{site.newline}{indent}return{end}"
        return f"return {call}{end}"
    if not flow.gives:
        return f"{call}{end}"
    return f"{_targets(site, chosen, flow)}{call}{end}"


def _returns_value(site: Site, chosen: Selected) -> bool:
    return any(
        each.type in ("return_statement", "return") and each.named_child_count
        for each in own_nodes(site, chosen.statements)
    )


def _targets(site: Site, chosen: Selected, flow: Flow) -> str:
    new = [
        any(use.declares and chosen.covers(use.node) for use in each.uses)
        and site.family not in ("python", "php", "ruby")
        for each in flow.gives
    ]
    if site.family == "javascript":
        new = [_declared_by_keyword(each, chosen) for each in flow.gives]
    names = ", ".join(each.name for each in flow.gives)
    if len(set(new)) > 1:
        raise RefusalError("Some of its results are declared in it and others before it.")
    several = len(flow.gives) > 1
    match site.family:
        case "javascript":
            listed = f"[{names}]" if several else names
            if not new[0]:
                if several:
                    raise RefusalError("It writes several variables that are declared before it.")
                return f"{listed} = "
            changed = any(
                use.role is not Role.READ and not chosen.covers(use.node)
                for each in flow.gives
                for use in each.uses
            )
            return f"{'let' if changed else 'const'} {listed} = "
        case "php":
            return f"[{names}] = " if several else f"{names} = "
        case "go":
            return f"{names} {':=' if new[0] else '='} "
        case "java" | "csharp":
            return f"{_type_of(site, flow.gives[0])} {names} = " if new[0] else f"{names} = "
        case _:
            return f"{names} = "


def _declared_by_keyword(binding: Binding, chosen: Selected) -> bool:
    return any(use.declares and chosen.covers(use.node) for use in binding.uses)


def _anchor(site: Site, function: Node) -> int:
    """Return the end of a function with what it is wrapped in: decorators, `export`."""
    node = function
    method = function.type in ("method_definition", "method_declaration", "method",
                               "singleton_method", "constructor_declaration")  # fmt: skip
    while not method and node.parent is not None and node.parent.parent is not None:
        node = node.parent
    if method or site.family == "python":
        node = function
        if node.parent is not None and node.parent.type == "decorated_definition":
            node = node.parent
    end = site.end(node)
    if not method and site.source.text[end : end + 1] == ";":
        end += 1
    return end
