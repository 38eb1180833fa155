"""Changes that need no model: what is done again in each round is done once before the loop.

None is proven to be faster or to mean the same: the user's command decides both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.fixes.imports import import_of
from coai_agents.source import Edit, Span
from coai_agents.specialists.fixing.candidates import Candidate
from coai_agents.syntax.language import GRAMMARS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_agents.source import Source
    from coai_agents.specialists.performance.bottlenecks import Bottleneck

BY: Final = "performance rules"

_DECLARED: Final = {
    "python": "{name} = {value}",
    "javascript": "const {name} = {value};",
    "typescript": "const {name} = {value};",
    "tsx": "const {name} = {value};",
    "go": "{name} := {value}",
    "ruby": "{name} = {value}",
    "php": "${name} = {value};",
    "csharp": "var {name} = {value};",
}
"""How a language gives a name a value, where the type need not be written."""
_HOISTED: Final = frozenset({"compile-in-loop", "again-in-loop", "sort-in-loop"})
"""What is moved before the loop."""
_SNAKE: Final = frozenset({"python", "ruby", "php"})
"""Languages whose names join their words by `_`."""
_SETS: Final = {
    "python": (
        "set({name})",
        re.compile(r"(?P<left>.+)\b(?P<word>not in|in)\s+(?P<name>\w+)", re.DOTALL),
    ),
    "javascript": (
        "new Set({name})",
        re.compile(r"(?P<name>\w+)\.includes\((?P<left>.*)\)", re.DOTALL),
    ),
}
"""How a language makes a set of a list, and how it looks a value up in the list."""
_READING: Final = frozenset({"includes", "has", "index", "indexOf", "copy", "length"})
_FRONT: Final = re.compile(r"(\w+)\.(?:insert\(0,\s*(.+)\)|pop\(0\))", re.DOTALL)
_MADE: Final = r"(?m)^[ \t]*{name}\s*(?::[^=\n]+)?=\s*(\[[^\n]*\]|list\([^\n]*\))[ \t]*$"
"""A list that a name is given."""
_AS_LIST: Final = (
    r"\b{name}\[|\breturn {name}\b|[(,=]\s*{name}\s*[),]|\b{name}\s*\+|\+\s*{name}\b"
    r"|\b{name}\.(?:sort|index)"
)
"""What is done with a list and cannot be with a queue, or hands it on."""
_BEGINNING: Final = re.compile(
    r"\s*(?:return\s+|(?:const |let |var )?\$?[\w.]+\s*(?::[^=\n]+)?=\s*|[\w.$]+\(\s*)*"
)
"""What may stand before a loop on its line for the statement to begin there."""
_SAME: Final = {"typescript": "javascript", "tsx": "javascript"}


def patches(source: Source, found: Bottleneck) -> Iterator[Candidate]:
    """Yield changes that may make a bottleneck of a file cheaper."""
    grammar = GRAMMARS.get(source.language, "")
    if found.kind in _HOISTED and grammar in _DECLARED:
        yield from _hoisted(source, found, _DECLARED[grammar])
    elif found.kind == "search-in-loop":
        yield from _as_set(source, found, grammar)
    elif found.kind == "front-in-loop" and grammar == "python":
        yield from _as_deque(source, found)
    elif found.kind == "repeated-recursion" and grammar == "python":
        yield from _remembered(source, found)


def _hoisted(source: Source, found: Bottleneck, declared: str) -> Iterator[Candidate]:
    """Compute it before the loop; what changes its object (`xs.sort()`) cannot be moved."""
    value = source.slice(found.span)
    if "\n" in value or value.endswith(".sort()"):
        return
    name = _fresh(source, _called(source, found, value))
    written = declared.format(name=name, value=value)
    used = f"${name}" if written.startswith("$") else name
    before = _before(source, found, written)
    if before is not None:
        title = f"Compute {value[:60]} once, before the loop"
        yield Candidate(title, (before, Edit(found.span, used)), BY)


def _as_set(source: Source, found: Bottleneck, grammar: str) -> Iterator[Candidate]:
    """Look names up in a set of the list; what the loop adds to the list, the set gets, too."""
    made = _SETS.get(_SAME.get(grammar, grammar))
    match = None if made is None else made[1].fullmatch(source.slice(found.span))
    if made is None or match is None:
        return
    listed = match["name"]
    name = _fresh(source, f"{listed}_set" if grammar == "python" else f"{listed}Set")
    written = _DECLARED[grammar].format(name=name, value=made[0].format(name=listed))
    before = _before(source, found, written)
    if before is None:
        return
    word = "" if grammar != "python" else match["word"]
    looked = f"{match['left']}{word} {name}" if word else f"{name}.has({match['left']})"
    edits = [before, Edit(found.span, looked)]
    changing = rf"\b{re.escape(listed)}\.(\w+)\("
    for change in re.finditer(changing, source.slice(found.loop)):
        if change[1] in _READING:
            continue
        added = _added(source, found.loop.start + change.start(), listed, name, grammar)
        if added is None:
            return
        edits.append(added)
    yield Candidate(f"Look names up in a set of {listed}", tuple(edits), BY)


def _added(source: Source, at: int, listed: str, name: str, grammar: str) -> Edit | None:
    """Return the edit that adds to the set what a line adds to the list, if it does no more."""
    line = source.line_at(at)
    text = source.line_text(line)
    adding = "append" if grammar == "python" else "push"
    match = re.fullmatch(rf"(\s*){re.escape(listed)}\.{adding}\((.+)\)(;?)\s*", text)
    if match is None or "," in match[2]:
        return None
    end = source.line_start(line) + len(text.rstrip())
    return Edit(Span(end, end), f"\n{match[1]}{name}.add({match[2]}){match[3]}")


def _as_deque(source: Source, found: Bottleneck) -> Iterator[Candidate]:
    """Make a double-ended queue of a list that is only changed and gone through."""
    call = _FRONT.fullmatch(source.slice(found.span))
    if call is None or found.within is None:
        return
    name, body = call[1], source.slice(found.within)
    made = _MADE.replace("{name}", name)
    need = import_of(source, "collections:deque")
    as_list = re.search(_AS_LIST.replace("{name}", name), body)
    if len(re.findall(made, body)) != 1 or as_list or need is None:
        return
    edits = list(need)
    for expression, written, group in (
        (made, "deque({0})", 1),
        (rf"\b{name}\.pop\(0\)", f"{name}.popleft()", 0),
        (rf"\b{name}\.insert\(0,\s*", f"{name}.appendleft(", 0),
    ):
        for match in re.finditer(expression, body):
            start = found.within.start
            span = Span(start + match.start(group), start + match.end(group))
            edits.append(Edit(span, written.format(match[group])))
    yield Candidate(f"Make {name} a double-ended queue", tuple(edits), BY)


def _remembered(source: Source, found: Bottleneck) -> Iterator[Candidate]:
    """Remember a recursive function's results by argument."""
    need = import_of(source, "functools:cache")
    if found.within is None or need is None or source.slice(found.within).startswith("@"):
        return
    line = source.line_at(found.within.start)
    start = source.line_start(line)
    text = source.line_text(line)
    indent = text[: len(text) - len(text.lstrip())]
    if indent or not text.startswith("def "):
        return
    edits = (*need, Edit(Span(start, start), f"{indent}@cache\n"))
    yield Candidate(f"Remember the results of {found.function}", edits, BY)


def _before(source: Source, found: Bottleneck, written: str) -> Edit | None:
    """Return the edit that writes a line before a loop, where the loop begins its own line."""
    line = source.line_at(found.loop.start)
    start, text = source.line_start(line), source.line_text(line)
    indent = text[: len(text) - len(text.lstrip())]
    if not _BEGINNING.fullmatch(source.text[start : found.loop.start]):
        return None
    end = "\r\n" if "\r\n" in source.text else "\n"
    return Edit(Span(start, start), f"{indent}{written}{end}")


def _called(source: Source, found: Bottleneck, value: str) -> str:
    """Return a name for what a call gives: `sum_numbers` for `sum(numbers)`."""
    if found.kind == "compile-in-loop":
        return "pattern"
    words = re.findall(r"[^\W\d_]\w*", value)
    what, of = words[:2] if value.startswith(f"{words[0]}(") else words[-2:][::-1]
    if GRAMMARS.get(source.language, "") in _SNAKE:
        return f"{what}_{of}".lower()
    return f"{what[:1].lower()}{what[1:]}{of[:1].upper()}{of[1:]}"


def _fresh(source: Source, wanted: str) -> str:
    """Return a name that the file does not have."""
    words = set(re.findall(r"\w+", source.text))
    numbered = (f"{wanted}{number or ''}" for number in range(len(words) + 1))
    return next(name for name in numbered if name not in words)
