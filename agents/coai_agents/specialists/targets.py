"""What a command or an editor asks about: a file, some lines of it, or a symbol."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.source import Span
from coai_agents.syntax.definitions import FUNCTIONS, outline
from coai_agents.syntax.grammars import grammar_for
from coai_agents.syntax.tree import MAX_BYTES, parse
from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from coai_agents.source import Source
    from coai_agents.syntax.definitions import Definition
    from coai_agents.syntax.tree import SyntaxTree

_LINES: Final = re.compile(r"(?P<file>.*?):(?P<first>\d+)(?:-(?P<last>\d+))?", re.DOTALL)
_SYMBOL: Final = re.compile(r"(?P<file>.*?[^:\\/]):(?P<symbol>[^\d\W][\w.]*)", re.DOTALL)
_DRIVE: Final = re.compile(r"[A-Za-z]:[\\/]")


class TargetError(CoaiError):
    """What is asked about is not there."""


PARSE_SECONDS: Final = 5.0
"""For the file that is asked about: a busy machine is no reason to say that nothing is there."""


@dataclass(frozen=True, slots=True)
class Target:
    """A place as a command line names it: `FILE`, `FILE:LINE`, `FILE:LINE-LINE`, `FILE:SYMBOL`."""

    file: str
    first: int = 0
    """From 1; 0 where no line is named."""
    last: int = 0
    symbol: str = ""


def parse_target(text: str) -> Target:
    r"""Read what a user wrote; `C:\x.py` is a file, and so is whatever has no known ending."""
    head = text[:2] if _DRIVE.match(text) else ""
    rest = text[len(head) :]
    if lines := _LINES.fullmatch(rest):
        # No file has a line 0, and 0 here says that none is named.
        first = int(lines["first"]) or -1
        return Target(head + lines["file"], first, int(lines["last"] or first))
    if symbol := _SYMBOL.fullmatch(rest):
        return Target(head + symbol["file"], symbol=symbol["symbol"])
    return Target(text)


@dataclass(frozen=True, slots=True)
class Located:
    """A target in a document: its tree, the definitions that are meant, and the lines."""

    source: Source
    tree: SyntaxTree
    definitions: tuple[Definition, ...]
    """Innermost around the lines, or all of that symbol, or all of the file."""
    span: Span


def locate(source: Source, target: Target) -> Located:
    """Find a target in its document; raises `TargetError` where nothing is there."""
    tree = parse(source, budget=PARSE_SECONDS)
    if tree is None:
        raise _unread(source, target.file)
    known = outline(tree)
    if target.symbol:
        found = tuple(
            each
            for each in known
            if target.symbol in (each.name, each.qualified_name)
            or each.qualified_name.endswith(f".{target.symbol}")
        )
        if not found:
            names = ", ".join(each.qualified_name for each in known[:12]) or "nothing"
            raise TargetError(f"{target.file} defines no {target.symbol}; it defines {names}.")
        return Located(source, tree, found, found[0].span)
    if target.first:
        if not 1 <= target.first <= target.last <= source.line_count:
            raise TargetError(f"{target.file} has the lines 1 to {source.line_count}.")
        start = source.line_start(target.first - 1)
        span = Span(start, source.line_end(target.last - 1))
        return Located(source, tree, _around(known, span), span)
    return Located(source, tree, known, Span(0, len(source.text)))


def _unread(source: Source, file: str) -> TargetError:
    """Return why there is no tree of a document."""
    if grammar_for(source.language) is None:
        return TargetError(
            f"Nothing is known of the language of {file}.",
            remedy="Name a file whose language `coai` has a grammar of.",
        )
    if len(source.text.encode()) > MAX_BYTES:
        return TargetError(
            f"{file} is larger than the {MAX_BYTES:,} bytes that are parsed.",
            remedy="Name a smaller file.",
        )
    return TargetError(
        f"{file} could not be parsed within {PARSE_SECONDS:.0f} seconds.",
        remedy="Try again when the machine has time, or name a smaller file.",
    )


async def located(source: Source, target: Target) -> Located:
    """Find a target while others are served: a parse may take seconds; see `locate`."""
    return await asyncio.to_thread(locate, source, target)


def _around(known: tuple[Definition, ...], span: Span) -> tuple[Definition, ...]:
    """Return the innermost function or class whose lines hold those that are asked about."""
    around = [each for each in known if each.full_span.start <= span.end <= each.full_span.end]
    functions = [each for each in around if each.kind in FUNCTIONS] or around
    return tuple(functions[-1:])
