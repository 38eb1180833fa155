"""Fixers of Python that need more than a pattern."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.fixes.site import COMMENTS, descendants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.fixes.fix import Fixer
    from coai_agents.fixes.site import Site
    from coai_agents.source import Edit

_LITERALS: Final = frozenset(
    {"list", "dictionary", "set", "pair", "string", "string_start", "string_content", "string_end"}
    | {"integer", "float", "true", "false", "none", "[", "]", "{", "}", ",", ":", "-"}
    | {"unary_operator", "tuple", "(", ")", "escape_sequence"}
)


def keyword_off(name: str, wrong: str, right: str) -> Fixer:
    """Return what puts a keyword argument's value right, and adds the argument where it is not."""

    def fix(site: Site) -> Iterator[list[Edit]]:
        call = site.call
        if call is None:
            return
        argument = site.keyword(call, name)
        if argument is None:
            edit = site.added(call, f"{name}={right}")
            if edit is not None and not any("splat" in each.type for each in site.arguments(call)):
                yield [edit]
            return
        value = argument.child_by_field_name("value")
        if value is not None and site.text(value) == wrong:
            yield [site.replaced(value, right)]

    return fix


def keyword_gone(name: str, wrong: str) -> Fixer:
    """Return what removes a keyword argument of a value."""

    def fix(site: Site) -> Iterator[list[Edit]]:
        call = site.call
        argument = None if call is None else site.keyword(call, name)
        if argument is not None and site.text(argument.child_by_field_name("value")) == wrong:
            yield [site.removed(argument)]

    return fix


def mutable_default(site: Site) -> Iterator[list[Edit]]:
    """Make the default anew in each call, behind the docstring."""
    parameter = site.node.parent
    if parameter is None or any(each.type not in _LITERALS for each in descendants(site.node)):
        return
    function = site.enclosing(site.node)
    body = function.child_by_field_name("body")
    name = site.text(parameter.child_by_field_name("name"))
    if body is None or body.type != "block" or not name:
        return
    start = site.tree.start(body)
    if site.source.line_at(start) == site.source.line_at(site.tree.start(function)):
        return
    statements = [each for each in body.named_children if each.type not in COMMENTS]
    after = None
    if statements and _is_docstring(statements[0]):
        after, statements = statements[0], statements[1:]
    indent = site.indent(start)
    end = site.line_end
    step = "\t" if "\t" in indent else "    "
    value = site.text(site.node)
    put = f"if {name} is None:{end}{indent}{step}{name} = {value}"
    if after is None:
        where = site.between(start, start, f"{put}{end}{indent}")
    else:
        at = site.tree.end(after)
        where = site.between(at, at, f"{end}{indent}{put}")
    edits = [site.replaced(site.node, "None"), where]
    annotation = parameter.child_by_field_name("type")
    if annotation is not None:
        written = site.text(annotation)
        if "None" not in written and "Optional" not in written:
            if written[:1] in "\"'":
                return
            at = site.tree.end(annotation)
            edits.append(site.between(at, at, " | None"))
    yield edits


def _is_docstring(node: Node) -> bool:
    return (
        node.type == "expression_statement"
        and node.named_child_count == 1
        and node.named_children[0].type in ("string", "concatenated_string")
    )


def logged(site: Site) -> Iterator[list[Edit]]:
    """Write what was caught to the log, where it was swallowed."""
    for each in descendants(site.node):
        if each.type == "pass_statement":
            yield [site.replaced(each, 'logging.exception("An error was ignored.")')]
            return


def no_exemption(site: Site) -> Iterator[list[Edit]]:
    """Remove the decorator that exempts a view from the check."""
    above: Node | None = site.node
    while above is not None and above.type != "decorator":
        above = above.parent
    if above is None:
        return
    source = site.source
    line = source.line_at(site.tree.start(above))
    start = source.line_start(line)
    if source.line_text(line).strip() == site.text(above).strip():
        yield [site.between(start, source.line_start(line + 1))]


def in_thread(site: Site) -> Iterator[list[Edit]]:
    """Await a call that blocks in a thread of its own."""
    call = site.call
    function = None if call is None else call.child_by_field_name("function")
    if call is None or function is None or site.callee(call) == "time.sleep":
        return
    inner = site.callee(call)
    opened = site.tree.end(function) + 1
    comma = ", " if site.arguments(call) else ""
    start = site.tree.start(call)
    yield [site.between(start, opened, f"await asyncio.to_thread({inner}{comma}")]


def from_environment(site: Site) -> Iterator[list[Edit]]:
    """Read a secret from the environment, under the name that the code has for it."""
    node = site.node
    if node.type == "expression_statement":
        node = node.named_children[0]
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if left is None or right is None or right.type != "string":
        return
    name = re.findall(r"\w+", site.text(left))
    if name:
        yield [site.replaced(right, f'os.environ["{name[-1].upper()}"]')]


def own_umask(site: Site) -> Iterator[list[Edit]]:
    """Leave files of this process to its user."""
    call = site.call
    if call is None or site.callee(call) != "os.umask":
        return
    argument = site.argument(call, 0)
    if argument is not None:
        yield [site.replaced(argument, "0o077")]


def waits(site: Site) -> Iterator[list[Edit]]:
    """Give a socket a limit of time."""
    call = site.call
    if call is None:
        return
    argument = site.argument(call, 0)
    if site.callee(call).endswith(("settimeout", "setdefaulttimeout")) and argument is not None:
        yield [site.replaced(argument, "10")]
    elif (edit := site.added(call, "timeout=10")) is not None:
        yield [edit]


def safe_yaml(site: Site) -> Iterator[list[Edit]]:
    """Load plain values only, whatever loader was asked for."""
    call = site.call
    function = None if call is None else call.child_by_field_name("function")
    name = None if function is None else function.child_by_field_name("attribute")
    if call is None or name is None or not site.callee(call).startswith("yaml."):
        return
    match = re.fullmatch(r"(?:unsafe_|full_)?(load(?:_all)?)", site.text(name))
    arguments = site.arguments(call)
    if match is None or not arguments or len(arguments) > 2:  # noqa: PLR2004 - stream and loader
        return
    edits = [site.replaced(name, f"safe_{match[1]}")]
    if len(arguments) > 1:
        edits.append(site.removed(arguments[1]))
    yield edits


def aware(site: Site) -> Iterator[list[Edit]]:
    """Ask for the time with its zone."""
    call = site.call
    if call is None or site.arguments(call) or not site.callee(call).endswith(".now"):
        return
    if (edit := site.added(call, "timezone.utc")) is not None:
        yield [edit]


def entities_off(site: Site) -> Iterator[list[Edit]]:
    """Let the parser that a finding uses leave external entities alone."""
    for each in descendants(site.enclosing(site.node)):
        if each.type != "call" or each.start_byte > site.node.start_byte:
            continue
        callee = site.callee(each)
        if callee.endswith(".setFeature") and "external" in site.text(site.argument(each, 0)):
            value = site.argument(each, 1)
            if value is not None and site.text(value) in ("True", "1"):
                yield [site.replaced(value, "False")]
        entities = site.keyword(each, "resolve_entities")
        if entities is not None and site.text(entities).endswith("True"):
            yield [site.replaced(entities, "resolve_entities=False")]
