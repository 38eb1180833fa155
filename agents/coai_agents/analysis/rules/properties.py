"""Java's rules for languages in which its getters and setters are properties: Kotlin, Scala.

`x.getWriter().write(y)` is `x.writer.write(y)` too, and `x.setSecure(y)` is `x.secure = y`. A
rule's table is changed before it is checked, as if its file had said both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

_INNER: Final = re.compile(r"\bget([A-Z]\w*)\(\)")
_GETTER: Final = re.compile(r"\bget([A-Z]\w*)$")
_SETTER: Final = re.compile(r"\bset([A-Z]\w*)$")

_OF_JAVA: Final = frozenset({"extends", "shares", "resources", "bare_fields"})
"""What a file says of Java itself."""

_TAKE_TEXT: Final = frozenset({"*.matches", "*.split", "*.replaceAll", "*.replaceFirst"})
"""Methods that take an expression as text in Java; here it is one of an expression."""


def as_properties(table: dict[str, Any], wanted: Collection[str]) -> dict[str, Any]:
    """Return a file's table of Java's rules in both spellings, of rules that are wanted.

    Queries are left out, because the tree that they ask is another one.
    """
    shared = {key: value for key, value in table.items() if key not in _OF_JAVA}
    if "find" in table:
        shared["find"] = [
            spelled
            for each in table["find"]
            if "query" not in each and each.get("rule") in wanted
            for spelled in _spelled(each)
        ]
    if "sources" in table:
        shared["sources"] = [_with_members(each) for each in table["sources"]]
    return shared


def _with_members(source: dict[str, Any]) -> dict[str, Any]:
    paths = [_both(path) for path in source.get("call", ())]
    members = {
        _GETTER.sub(_lowered, path)
        for path in _flat(paths)
        if _GETTER.search(path) and "()" not in path
    }
    if not members:
        return source
    return {**source, "call": _flat(paths), "member": [*source.get("member", ()), *sorted(members)]}


def _spelled(clause: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a clause for calls, and the one for assignments that are such calls."""
    clause = _of_readers(clause)
    paths = [path for path in clause.get("call", ()) if path not in _TAKE_TEXT]
    if not paths and "call" in clause:
        return
    yield {**clause, "call": _flat(map(_both, paths))} if paths else clause
    setters = [
        spelled
        for path in paths
        if (name := _SETTER.search(path))
        for spelled in (_SETTER.sub(_lowered, path), f"{path[: name.start()]}is{name[1]}")
    ]
    conditions = [*clause.get("when", ()), *clause.get("unless", ())]
    if not setters or any(each["arg"] not in ("0", "$") for each in conditions):
        return
    assigned = {key: value for key, value in clause.items() if key not in ("call", "use")}
    assigned["assign"] = setters
    if "tainted" in clause:
        assigned["tainted"] = ["value"]
    for name in ("when", "unless"):
        if name in clause:
            assigned[name] = [
                {**each, "arg": "value"} for each in clause[name] if each["arg"] == "0"
            ]
    yield assigned


def _of_readers(clause: dict[str, Any]) -> dict[str, Any]:
    """Let what excuses a class's own method of reading objects do so as it is written here."""
    excused = clause.get("not_around", "")
    if not isinstance(excused, str) or "readObject" not in excused:
        return clause
    return {**clause, "not_around": rf"{excused}|\b(?:def|fun)\s+readObject\w{{0,20}}\s*\("}


def _both(path: str) -> list[str]:
    """Return a path as Java writes it, and with the properties that it goes through."""
    return list(dict.fromkeys((path, _INNER.sub(_lowered, path))))


def _flat(paths: Iterable[list[str]]) -> list[str]:
    return [path for each in paths for path in each]


def _lowered(match: re.Match[str]) -> str:
    """Return a property's name: of `URL` it is `url`, of `HTMLText` `htmlText`."""
    name = match[1]
    capitals = len(name) - len(name.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    count = capitals if capitals == len(name) else max(1, capitals - 1)
    return name[:count].lower() + name[count:]
