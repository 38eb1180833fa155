"""Static bottlenecks: what is done again in each round of a loop, or blocks where it must not.

What counts, `bottlenecks.toml` says by language. A call counts in the innermost function that it
stands in: what a loop defines is not what it runs, unless it hands it to a call that goes through a
collection (`forEach`, `each`, `map`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.performance.known import IN_LOOP, kinds, spec_of
from coai_agents.syntax.language import GRAMMARS
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from coai_agents.source import Source, Span
    from coai_agents.specialists.performance.known import Kind, Spec
    from coai_agents.syntax.tree import SyntaxTree

_OF_A_LIST: Final = frozenset({"search-in-loop", "front-in-loop"})
_SAME_ONLY: Final = frozenset({"compile-in-loop", "file-in-loop", "sort-in-loop", "again-in-loop"})
"""What has to be done again where it is of something else in each round."""
_SEARCHERS: Final = ("in_array", "array_search", "slices.Contains", "slices.Index")
_COMPARISONS: Final = frozenset({"comparison_operator"})
"""Python's, of which `in` is one."""
_BLOCKS: Final = frozenset({"block", "do_block"})
"""Ruby's blocks, which what they are handed to runs at once."""
_LOOPING: Final = ("body", "condition", "update", "increment")
_BRACKETED: Final = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|<[^<>()]*>")
_JOINTS: Final = re.compile(r"\s*(?:\?\.|\?->|->|::|\\)\s*|\s+(?=\.)|(?<=\.)\s+")
_NOISE: Final = re.compile(r"^(?:new|await)\s+|[$@!]")
_NAME: Final = re.compile(r"[^\W\d]\w*")
_HEADS: Final = re.compile(
    r"\bfor(?:each)?\b(?:\s+await)?[\s(]*([^{};\n]*?)(?:\bin\b|\bof\b|:=|(?<!:):(?!:))"
    r"|\bas\b([^{};)\n]*)\)"
    r"|\|([^|\n]{1,80})\|"
    r"|\(([^()\n]{1,120})\)\s*(?:=>|->)|\bfunction\b\s*\w*\(([^()\n]{1,120})\)"
)
"""What a loop, a block or a function that is run in each round binds."""
_ASSIGNED: Final = re.compile(r"([^\W\d]\w*)\s*(?::=|=(?![=>])|\+=|->|=>)")
_CHANGING: Final = (
    r"\bNAME(?:(?:\.|->)(?:[aA]dd|append|[iI]nsert|[rR]emove|pop|push|shift|unshift|splice|extend"
    r"|update|[cC]lear|sort|reverse|put|discard|delete|set)\w*\b"
    r"|\[[^\]\n]*\]\s*[-+*/|&]?=(?!=)| <<)"
)
"""What changes a collection in place; NAME stands for its name."""
_EQUALITY: Final = re.compile(r"===?|\.equals\(|\.Equals\(|\.eql\?")
MOST_CALLEE: Final = 400
"""Characters of a call's name; longer chains are cut at the front."""


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """A place that costs more than it has to."""

    kind: str
    span: Span
    """The call or the operation."""
    line: int
    """Where it is, from 1."""
    function: str
    """The name of the function around it; empty at the top of the file."""
    nesting: int
    """In how many loops it stands."""
    text: str
    """What stands there, its first line."""
    loop: Span
    """The outermost loop before which it could be done once; of what is in none, the place."""
    within: Span | None
    """The function around it."""

    @property
    def about(self) -> Kind:
        """What it is, in words."""
        return kinds()[self.kind]

    @property
    def weight(self) -> int:
        """What it costs beside others."""
        return self.about.weight * max(1, self.nesting)


@dataclass(frozen=True, slots=True)
class _Around:
    """What a node stands in."""

    function: Node | None = None
    name: str = ""
    loops: tuple[Node, ...] = ()
    waits: bool = False
    """Whether the function is asynchronous."""


def bottlenecks(source: Source) -> tuple[Bottleneck, ...]:
    """Return a file's bottlenecks, those that cost most first; none of a language without data."""
    spec, tree = spec_of(GRAMMARS.get(source.language, "")), parse(source)
    if spec is None or tree is None:
        return ()
    found = dict.fromkeys(_found(tree, spec))
    return tuple(sorted(found, key=lambda each: (-each.weight, each.line)))


def _found(tree: SyntaxTree, spec: Spec) -> Iterator[Bottleneck]:
    waiting: list[tuple[Node, _Around]] = [(tree.root, _Around())]
    while waiting:
        node, around = waiting.pop()
        for kind in _kinds_of(tree, spec, node, around):
            yield _bottleneck(tree, node, around, kind)
        if node.type in spec.functions:
            around = _within(tree, spec, node, around)
        if node.type in spec.loops:
            rounds = {child.id for child in _rounds(node)}
            deeper = replace(around, loops=(*around.loops, node))
        else:
            rounds, deeper = set[int](), around
        waiting += [(child, deeper if child.id in rounds else around) for child in node.children]


def _bottleneck(tree: SyntaxTree, node: Node, around: _Around, kind: str) -> Bottleneck:
    span = tree.span(node)
    return Bottleneck(
        kind,
        span,
        tree.source.line_at(span.start) + 1,
        around.name,
        len(around.loops),
        tree.text(node).splitlines()[0][:120],
        tree.span(_outermost(tree, node, around)),
        None if around.function is None else tree.span(around.function),
    )


def _outermost(tree: SyntaxTree, node: Node, around: _Around) -> Node:
    """Return the outermost loop in whose rounds a node says the same."""
    found = node
    for number, loop in enumerate(reversed(around.loops)):
        if number and _depends(tree, node, loop):
            break
        found = loop
    return found


def _within(tree: SyntaxTree, spec: Spec, node: Node, around: _Around) -> _Around:
    """Return what stands in a function: the loops around it only where they run it."""
    name = node.child_by_field_name("name")
    call = node.parent
    while call is not None and call.type not in spec.calls:
        call = None if call.type in spec.functions or call.type.endswith("block") else call.parent
    iterators = spec.globs.get("iterators")
    repeated = (
        name is None
        and call is not None
        and iterators is not None
        and iterators.match(callee(tree, call)) is not None
    )
    asynchronous = any(tree.text(child) == "async" for child in _marks(node))
    return _Around(
        # What a name is, is said outside of a function without one.
        node if around.function is None or name is not None else around.function,
        around.name if name is None else tree.text(name),
        (*around.loops, node) if repeated else around.loops if node.type in _BLOCKS else (),
        asynchronous,
    )


def _marks(node: Node) -> Iterator[Node]:
    """Yield what stands before a function's name and parameters."""
    for child in node.children:
        if child.type in ("block", "statement_block", "parameters", "formal_parameters", "name"):
            return
        yield child


def _rounds(loop: Node) -> list[Node]:
    """Return the parts of a loop that run in each round."""
    fields = [part for each in _LOOPING if (part := loop.child_by_field_name(each)) is not None]
    fields += [child for child in loop.children if child.type == "if_clause"]
    return fields or loop.named_children[-1:]


def _kinds_of(tree: SyntaxTree, spec: Spec, node: Node, around: _Around) -> Iterator[str]:
    if node.type in spec.calls or (node.type == "call" and "call" in spec.calls):
        yield from _of_call(tree, spec, node, around)
    elif node.type in spec.waits and around.loops and _depends(tree, node, around.loops[-1]):
        yield "await-in-loop"
    elif node.type in spec.lengthened and around.loops and _lengthens(tree, spec, node, around):
        yield "text-in-loop"
    elif node.type in _COMPARISONS and around.loops and _is_search(tree, spec, node, around):
        yield "search-in-loop"
    elif node.type in spec.loops and around.loops and _finds_equal(tree, node, around.loops[-1]):
        yield "nested-search"


def _of_call(tree: SyntaxTree, spec: Spec, node: Node, around: _Around) -> Iterator[str]:
    name = callee(tree, node)
    blocking = spec.globs.get("blocking-in-async")
    if around.waits and blocking is not None and blocking.match(name) and not _awaited(spec, node):
        yield "blocking-in-async"
    if around.function is not None and not around.loops and _repeats(tree, spec, node, around):
        yield "repeated-recursion"
    if not around.loops:
        return
    first = tree.text(node)[len(name) :].lstrip()
    called = f"{name}({first[1:].lstrip()[:1]}" if first.startswith("(") else name
    for kind in IN_LOOP:
        globs = spec.globs.get(kind)
        if globs is None or not (globs.match(name) or globs.match(called)):
            continue
        if kind in _OF_A_LIST and not _same_list(tree, spec, node, name, around):
            continue
        if kind in _SAME_ONLY and _differs(tree, node, name, around.loops[-1]):
            continue
        yield kind
        return


def callee(tree: SyntaxTree, call: Node) -> str:
    """Return the name that is called, its parts joined by dots, without arguments."""
    parts = [call.child_by_field_name(each) for each in ("arguments", "block", "body")]
    end = min((each.start_byte for each in parts if each is not None), default=call.end_byte)
    text = tree.source.text[tree.start(call) : tree.source.offset_of_byte(end)][-MOST_CALLEE:]
    before = ""
    while before != text:
        before, text = text, _BRACKETED.sub("", text)
    return _NOISE.sub("", _JOINTS.sub(".", text.strip())).split("{")[0].strip()


def _awaited(spec: Spec, node: Node) -> bool:
    return node.parent is not None and node.parent.type in spec.waits


def _bound(tree: SyntaxTree, loop: Node) -> frozenset[str]:
    """Return the names that each round of a loop binds anew, by how the languages write that."""
    text = tree.text(loop)
    bound = (part for match in _HEADS.finditer(text) for part in match.groups() if part)
    names = {name for part in bound for name in _NAME.findall(part)}
    return frozenset(names | {match[1] for match in _ASSIGNED.finditer(text)})


def _depends(tree: SyntaxTree, node: Node, loop: Node) -> bool:
    """Say whether what a node says differs from round to round."""
    return bool(_bound(tree, loop) & set(_NAME.findall(_without_strings(tree, node))))


def _differs(tree: SyntaxTree, node: Node, name: str, loop: Node) -> bool:
    """Say whether what a call works on is another one in each round, or changed in between."""
    if _depends(tree, node, loop):
        return True
    arguments = node.child_by_field_name("arguments")
    words = set(_NAME.findall("" if arguments is None else _without_strings(tree, arguments)))
    words.add(name.partition(".")[0])
    around = tree.text(loop).replace(tree.text(node), "")
    return any(re.search(_CHANGING.replace("NAME", word), around) for word in words)


def _without_strings(tree: SyntaxTree, node: Node) -> str:
    parts: list[str] = []
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if "string" in each.type and "interpolat" not in each.type and not each.named_child_count:
            continue
        if not each.child_count:
            parts.append(tree.text(each))
        waiting.extend(each.children)
    return " ".join(parts)


def _function_text(tree: SyntaxTree, around: _Around) -> str:
    return tree.source.text if around.function is None else tree.text(around.function)


def _same_list(tree: SyntaxTree, spec: Spec, node: Node, name: str, around: _Around) -> bool:
    """Say whether what is searched is a list, and the same one in each round."""
    if name in _SEARCHERS:
        arguments = node.child_by_field_name("arguments")
        names = [] if arguments is None else _NAME.findall(tree.text(arguments))
        searched = names[0 if name.startswith("slices") else -1] if names else ""
        return bool(searched) and searched not in _bound(tree, around.loops[-1])
    if "." not in name:
        return True
    receiver = name.rpartition(".")[0]
    if not _NAME.fullmatch(receiver) or receiver in _bound(tree, around.loops[-1]):
        return False
    return spec.shows("lists", receiver, _function_text(tree, around))


def _is_search(tree: SyntaxTree, spec: Spec, node: Node, around: _Around) -> bool:
    """Say whether a comparison of Python's is a membership test of a list."""
    operands = node.named_children
    if len(operands) != 2 or not any(child.type in ("in", "not in") for child in node.children):  # noqa: PLR2004 - left and right
        return False
    right = tree.text(operands[-1])
    if not _NAME.fullmatch(right) or right in _bound(tree, around.loops[-1]):
        return False
    return spec.shows("lists", right, _function_text(tree, around))


def _lengthens(tree: SyntaxTree, spec: Spec, node: Node, around: _Around) -> bool:
    left, text = node.child_by_field_name("left"), tree.text(node)
    if left is None or not _NAME.fullmatch(name := tree.text(left)):
        return False
    rest = text[len(name) :].lstrip()
    again = re.match(rf"=\s*{re.escape(name)}\s*\+", rest)
    if not rest.startswith("+=") and again is None:
        return False
    loop = around.loops[-1]
    if name not in _bound(tree, loop) or spec.shows("texts", name, tree.text(loop)):
        return False
    return spec.shows("texts", name, _function_text(tree, around))


def _finds_equal(tree: SyntaxTree, loop: Node, outer: Node) -> bool:
    """Say whether a loop in a loop goes through something else, to find what is equal."""
    body = loop.child_by_field_name("body")
    if body is None or not body.named_children:
        return False
    first = body.named_children[0]
    condition = first.child_by_field_name("condition")
    if not first.type.startswith("if") or condition is None:
        return False
    if not _EQUALITY.search(tree.text(condition)):
        return False
    heads = [tree.text(each).split("{", 1)[0].split(":\n", 1)[0] for each in (outer, loop)]
    bound = [set(_NAME.findall(re.split(r"\bin\b|\bof\b|:|:=", each)[0])) for each in heads]
    over = set(_NAME.findall(heads[1])) - bound[1]
    words = set(_NAME.findall(tree.text(condition)))
    # What the inner loop goes through comes from outside, and both loops' elements are compared.
    return not over & bound[0] and bool(words & bound[0]) and bool(words & bound[1] - bound[0])


def _repeats(tree: SyntaxTree, spec: Spec, node: Node, around: _Around) -> bool:
    """Say whether a call is the first of several of a function to itself, in one expression."""
    name = callee(tree, node)
    if not around.name or name.removeprefix("self.").removeprefix("this.") != around.name:
        return False
    above = node.parent
    while above is not None and ("binary" in above.type or "argument" in above.type):
        calls = [each for each in _calls_in(above, spec) if callee(tree, each) == name]
        if len(calls) > 1:
            return calls[0].id == node.id
        above = above.parent
    return False


def _calls_in(node: Node, spec: Spec) -> Iterator[Node]:
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if each.type in spec.calls:
            yield each
        waiting.extend(reversed(each.children))
