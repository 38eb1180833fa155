"""Where in a file something is to be fixed: what the user named, or what a test points at."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from coai_agents.syntax.definitions import FUNCTIONS, outline
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.source import Source
    from coai_agents.specialists.diagnosing.problems import Frame
    from coai_agents.specialists.fixing.tally import Tried
    from coai_agents.specialists.targets import Target
    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree


def _parts(path: str) -> list[str]:
    return [part for part in path.replace("\\", "/").split("/") if part not in (".", "..")]


def same_file(frame: Frame, path: str) -> bool:
    """Say whether a frame is in the file: the longest ending that both have is all of one."""
    one, other = (_parts(each) for each in (frame.path, path))
    count = min(len(one), len(other))
    return one[-count:] == other[-count:]


def target_function(tree: SyntaxTree, target: Target) -> Definition | None:
    """Return the function that the user named."""
    if target.symbol:
        return named_function(tree.source, target.symbol)
    lines = range(max(1, target.first), target.last + 1)
    return next((found for line in lines if (found := _around(tree, line)) is not None), None)


def named_function(source: Source, symbol: str) -> Definition | None:
    """Return the function of a name, or None."""
    tree = parse(source)
    for each in () if tree is None else outline(tree):
        if each.kind in FUNCTIONS and symbol in (each.name, each.qualified_name):
            return each
    return None


def _around(tree: SyntaxTree, line: int) -> Definition | None:
    """Return the innermost function with a line, from 1, that has a name and a body."""
    source = tree.source
    around = [
        each
        for each in outline(tree)
        if each.kind in FUNCTIONS
        and each.name
        and each.body is not None
        and source.line_at(each.span.start) < line <= source.line_at(each.span.end) + 1
    ]
    return around[-1] if around else None


def target_functions(
    tree: SyntaxTree, target: Target, tried: Tried, path: str
) -> Iterator[Definition]:
    """Yield the functions that a failing test points at, the likeliest first, each once."""
    if target.first or target.symbol:
        named = target_function(tree, target)
        yield from () if named is None else (named,)
        return
    seen: set[str] = set()
    problems = [] if tried.problem is None else list(tried.problem.chain)[::-1]
    frames = [frame for each in problems for frame in each.frames if same_file(frame, path)]
    pointed = [_around(tree, frame.line) for frame in frames]
    functions = [
        each
        for each in outline(tree)
        if each.kind in FUNCTIONS and each.name and each.body is not None
    ]
    words = Counter(_words(tried.output))
    spoken = sorted(
        (each for each in functions if words[each.name]), key=lambda each: -words[each.name]
    )
    for each in (*pointed, *spoken, *functions):
        if each is not None and each.qualified_name not in seen:
            seen.add(each.qualified_name)
            yield each


def _words(text: str) -> list[str]:
    return "".join(each if each.isalnum() or each == "_" else " " for each in text).split()
