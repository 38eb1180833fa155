"""Fixers of JavaScript and TypeScript that need more than a pattern."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.fixes.fix import Fixer
    from coai_agents.fixes.site import Site
    from coai_agents.source import Edit


def property_value(names: str, wrong: str, right: str) -> Fixer:
    """Return what puts the value of a property right, wherever it stands in what was found.

    `names` and `wrong` are regular expressions of the whole name and the whole value.
    """

    def fix(site: Site) -> Iterator[list[Edit]]:
        start, end = site.node.start_byte, site.node.end_byte
        above = site.node.parent
        if site.node.type in ("property_identifier", "string") and above is not None:
            start, end = above.start_byte, above.end_byte
        for key, value in _properties(site, start, end):
            if re.fullmatch(names, site.text(key).strip("\"'")) and re.fullmatch(
                wrong, site.text(value)
            ):
                quote = "'" if site.text(value)[:1] == "'" else '"'
                yield [site.replaced(value, right.replace('"', quote))]

    return fix


def _properties(site: Site, start: int, end: int) -> Iterator[tuple[Node, Node]]:
    around = site.tree.root.named_descendant_for_byte_range(start, end)
    waiting = [] if around is None else [around]
    while waiting:
        node = waiting.pop()
        key = node.child_by_field_name("key")
        value = node.child_by_field_name("value")
        left = node.child_by_field_name("left")
        right = node.child_by_field_name("right")
        if node.type == "pair" and key is not None and value is not None:
            yield key, value
        elif node.type == "assignment_expression" and left is not None and right is not None:
            name = left.child_by_field_name("property")
            yield name or left, right
        waiting.extend(reversed(node.named_children))


def text_content(site: Site) -> Iterator[list[Edit]]:
    """Show text as text, where it was put into the page as HTML."""
    node = site.node
    if node.type == "assignment_expression":
        left = node.child_by_field_name("left")
        name = None if left is None else left.child_by_field_name("property")
        right = site.text(node.child_by_field_name("right"))
        if name is not None and site.text(name) == "innerHTML" and "<" not in right:
            yield [site.replaced(name, "textContent")]
        return
    call = site.call
    function = None if call is None else call.child_by_field_name("function")
    if call is None or function is None:
        return
    text = site.argument(call, len(site.arguments(call)) - 1)
    if text is None or "<" in site.text(text):
        return
    name = function.child_by_field_name("property")
    if site.text(name) == "insertAdjacentHTML" and name is not None:
        yield [site.replaced(name, "insertAdjacentText")]
    elif site.text(name) == "html" and name is not None and len(site.arguments(call)) == 1:
        yield [site.replaced(name, "text")]
    elif site.callee(call) == "document.write":
        start, end = site.tree.start(call), site.tree.end(call)
        written = site.text(text)
        yield [
            site.between(
                start, end, f"document.body.appendChild(document.createTextNode({written}))"
            )
        ]


def same_time(site: Site) -> Iterator[list[Edit]]:
    """Compare digests in a time that does not depend on where they differ."""
    left = site.node.child_by_field_name("left")
    right = site.node.child_by_field_name("right")
    operator = site.text(site.node.child_by_field_name("operator"))
    if left is None or right is None or operator not in ("===", "!==", "==", "!="):
        return
    if any(site.text(each) in ("null", "undefined", "''", '""') for each in (left, right)):
        return
    digests = ", ".join(
        f"crypto.createHash('sha256').update(String({site.text(each)})).digest()"
        for each in (left, right)
    )
    sign = "!" if operator.startswith("!") else ""
    yield [site.replaced(site.node, f"{sign}crypto.timingSafeEqual({digests})")]


def secure_random(site: Site) -> Iterator[list[Edit]]:
    """Take a number of the same range from the system's generator, in Node and in browsers."""
    call = site.call
    if call is not None and site.callee(call) == "Math.random":
        yield [
            site.replaced(
                call, "(globalThis.crypto.getRandomValues(new Uint32Array(1))[0] / 2 ** 32)"
            )
        ]
    elif call is not None and site.callee(call).endswith(".pseudoRandomBytes"):
        function = call.child_by_field_name("function")
        name = None if function is None else function.child_by_field_name("property")
        if name is not None:
            yield [site.replaced(name, "randomBytes")]


def json_parse(site: Site) -> Iterator[list[Edit]]:
    """Read JSON as JSON: `eval('(' + text + ')')`, or what a name says is JSON."""
    call = site.call
    argument = None if call is None else site.argument(call, 0)
    function = None if call is None else call.child_by_field_name("function")
    if call is None or argument is None or function is None or site.text(function) != "eval":
        return
    written = site.text(argument)
    wrapped = re.fullmatch(r"""(['"])\(\1\s*\+\s*([\w.$\[\]]+)\s*\+\s*(['"])\)\3""", written)
    if wrapped is not None:
        yield [site.replaced(function, "JSON.parse"), site.replaced(argument, wrapped[2])]
    elif re.fullmatch(r"[\w.$]*[jJ][sS][oO][nN]\w*", written):
        yield [site.replaced(function, "JSON.parse")]


def in_function(site: Site) -> Iterator[list[Edit]]:
    """Hand a timer a function in place of code in a string."""
    call = site.call
    argument = None if call is None else site.argument(call, 0)
    if argument is None or argument.type != "string" or "\\" in site.text(argument):
        return
    code = site.text(argument)[1:-1].strip().rstrip(";")
    if re.search(r"[;{}]|//|/\*", code) is None and code:
        yield [site.replaced(argument, f"() => {code}")]


def own_origin(site: Site) -> Iterator[list[Edit]]:
    """Send a message to the page's own origin only."""
    call = site.call
    target = None if call is None else site.argument(call, 1)
    if target is not None and site.text(target) in ("'*'", '"*"'):
        yield [site.replaced(target, "window.location.origin")]


def limited(site: Site) -> Iterator[list[Edit]]:
    """Write down the limit of 100 KB that holds by default, so that everybody sees it."""
    call = site.call
    options = None if call is None else site.argument(call, 0)
    if call is None or options is None or options.type != "object" or "multer" in site.callee(call):
        return
    pairs = options.named_children
    if pairs and pairs[-1].type == "pair":
        end = site.tree.end(pairs[-1])
        yield [site.between(end, end, ", limit: '100kb'")]


def caught(site: Site) -> Iterator[list[Edit]]:
    """Say what was caught, where it was swallowed."""
    parameter = site.node.child_by_field_name("parameter")
    body = site.node.child_by_field_name("body")
    if parameter is not None and parameter.type == "identifier" and body is not None:
        yield [site.replaced(body, f"{{ console.error({site.text(parameter)}); }}")]


def environment(site: Site) -> Iterator[list[Edit]]:
    """Read a secret from the environment."""
    above = site.node.parent
    if above is None:
        return
    value = above.child_by_field_name("value") or above.child_by_field_name("right")
    key = above.child_by_field_name("key") or site.node
    if value is None or value.type != "string":
        return
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", re.findall(r"\w+", site.text(key))[-1])
    yield [site.replaced(value, f"process.env.{name.upper()}")]


def found_anywhere(site: Site) -> Iterator[list[Edit]]:
    """Count the first place too."""
    operator = site.node.child_by_field_name("operator")
    if operator is not None and site.text(operator) == ">":
        yield [site.replaced(operator, ">=")]
