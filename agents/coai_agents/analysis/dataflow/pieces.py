"""Paths of names, and text put together from parts."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final, cast

from coai_agents.analysis.dataflow import ir
from coai_agents.analysis.dataflow.folding import MAX_TEXT
from coai_agents.analysis.dataflow.ir import UNKNOWN
from coai_agents.analysis.dataflow.values import Kind, Value, merged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

MAX_PATH: Final = 160
"""Longer paths of names say nothing any more: a builder's chain, a loop."""

_KEEPING: Final = frozenset(
    {"encode", "decode", "toString", "rstrip", "trim", "getBytes", "toCharArray", "ToCharArray"}
)
"""Methods whose result begins as their object does."""

ENCODING: Final = frozenset({"GetBytes", "FromBase64String", "FromHexString"})
"""Methods whose result is another form of the text that they are passed."""

_WORD: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")

_VERB: Final = re.compile(r"%(?:(\d+)\$)?[-+ #0,']*\d*(?:\.\d+)?l?([a-zA-Z%])")

_NUMERIC: Final = frozenset("diufFeEgGxXobcp")
"""Verbs of formats that make numbers of whatever they are given, or fail."""

_PLACEHOLDER: Final = re.compile(r"[%{]")


QUOTED: Final = "sql:quoted"
"""What is cleared by an escape of quotes: text is harmless then for SQL, in quotes only."""

_SQL: Final = frozenset({"sql"})

_SETTLED: Final = frozenset(
    {
        "table", "tables", "tablename", "column", "columns", "schema", "prefix", "suffix", "alias",
        "placeholder", "placeholders", "dialect", "collection", "keyspace", "database", "dbname",
        "pk", "len", "length", "size", "count", "version", "index", "idx", "config", "settings",
        "options", "constant", "constants",
    }
)  # fmt: skip
"""Words in the names of what a program decides by itself, as a rule: its tables, its settings."""


@cache
def is_settled(name: str) -> bool:
    """Say whether a name says that the program itself decides its value: constants, tables."""
    if name.isupper():
        return True
    return not {word.lower() for word in _WORD.findall(name)}.isdisjoint(_SETTLED)


def item_node(item: ir.Item) -> Node:
    """Return where an item is: its key, or its value if it has none."""
    return item.value.node if item.key is None else item.key.node


def written_of(expr: ir.Expr) -> str:
    """Return a chain of names as it is written; nothing for anything else."""
    match expr:
        case ir.Name(name=name):
            return name
        case ir.Member(written=written):
            return written
        case _:
            return ""


def through(value: Value, node: Node, words: str) -> Value:
    """Return a value whose taints have gone one step further."""
    if all(taint.kind is Kind.PARAMETER for taint in value.taints):
        # Ways of parameters are not shown, and most values have no others.
        return value
    moved = tuple(
        taint if taint.kind is Kind.PARAMETER else taint.through(node, words)
        for taint in value.taints
    )
    return value.tainted_by(moved)


def with_taints(value: Value, of: Value) -> Value:
    """Return what an object has as a member, if all of the object may come from outside."""
    if not of.taints or value.known or value.functions:
        return value
    return value.tainted_by(merged((value.taints, of.taints)))


def extended(path: str, name: str) -> str:
    """Return the path of a member."""
    if len(path) > MAX_PATH:
        return f"….{name}"
    return f"{path or '?'}.{name}"


def extended_call(path: str) -> str:
    """Return the path of what a call returns."""
    return f"{path}()" if path else "?()"


def _in_quotes(parts: Sequence[Value]) -> Sequence[Value]:
    """Return parts of which those are harmless that are escaped and stand in quotes."""
    if not any(QUOTED in taint.cleared for part in parts for taint in part.taints):
        return parts
    kept: list[Value] = []
    before = ""
    for part in parts:
        if isinstance(part.const, str):
            before += part.const
        else:
            before += part.lead
            if before.count("'") % 2 or before.count('"') % 2:
                taints = tuple(
                    taint.without(_SQL) if QUOTED in taint.cleared else taint
                    for taint in part.taints
                )
                part = part.tainted_by(taints)  # noqa: PLW2901 - the part as it stands there
        kept.append(part)
    return kept


def constant(value: object) -> Value:
    """Return a constant's value."""
    return Value(const=value, lead=value if isinstance(value, str) else "")


def built(parts: Sequence[Value]) -> Value:
    """Return text put together from parts."""
    consts = [part.const for part in parts]
    if all(isinstance(const, str) for const in consts):
        text = "".join(cast("list[str]", consts))
        if len(text) <= MAX_TEXT:
            return Value(const=text, lead=text)
    parts = _in_quotes(parts)
    lead = ""
    for part in parts:
        if isinstance(part.const, (str, int)) and not isinstance(part.const, bool):
            lead += str(part.const)
            continue
        lead += part.lead
        break
    loose = any(part.loose for part in parts)
    taints = merged(part.all_taints() for part in parts)
    return Value(taints=taints, lead=lead, built=True, loose=loose)


def without_numbers(parts: Sequence[Value]) -> list[Value]:
    """Return what is put into a format, where numbers are asked for as numbers."""
    given = list(parts)
    at = next((at for at, each in enumerate(given) if isinstance(each.const, str)), None)
    if at is None:
        return given
    place = at + 1
    for verb in _VERB.finditer(str(given[at].const)):
        if verb[0] == "%%":
            continue
        where = at + int(verb[1]) if verb[1] else place
        place += not verb[1]
        if verb[2] in _NUMERIC and where < len(given):
            given[where] = Value(const=given[where].const)
    return given


def formatted(parts: Sequence[Value]) -> Value:
    """Return text made from a format and what is put into it."""
    made = built(parts)
    if made.known:
        return replace(made, const=UNKNOWN)
    return replace(made, lead=_PLACEHOLDER.split(made.lead, maxsplit=1)[0])


def kept_lead(name: str, receiver: Value | None) -> str:
    """Return the constant beginning that a method's result has in common with its object."""
    if receiver is None or (name not in _KEEPING and name not in ENCODING):
        return ""
    return receiver.lead


def spread(operands: Sequence[Value]) -> list[Value]:
    """Return a format and what is put into it, where that is a tuple."""
    given = operands[1]
    if given.items is None or given.length != len(given.items):
        return list(operands)
    return [operands[0], *given.items.values()]


def within(part: object) -> Iterator[object]:
    """Yield all nodes of statements or expressions, those of functions in them too."""
    waiting = [part]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list | tuple):
            waiting += cast("Sequence[object]", each)
        elif is_dataclass(each):
            yield each
            waiting += (getattr(each, field.name) for field in fields(each))
