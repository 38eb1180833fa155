"""Whether a change keeps what a file's queries do, and takes from values the power to do more.

The old and the new query are folded to what they send, with made-up values in place of what only
the running program knows; no line of the program runs. Then:

- values that mean no harm: both say the same, token by token, and find and change the same rows;
- values that do (quotes, comments, `UNION`, `OR 1=1`): the new statement's text has nothing of
  them, and its rows are those of a value that is taken for itself.

What cannot be folded, or what SQLite does not know, is not judged here.
"""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Finding, Severity
from coai_agents.fixes.equivalence.folding import ITEM, Folder, Hole, Series, UnclearError
from coai_agents.fixes.equivalence.sql_rows import Rows, UntriedError
from coai_agents.fixes.equivalence.sql_text import MisplacedError, Value, for_sqlite, mark_of, sent
from coai_agents.fixes.parameters import style_of
from coai_agents.fixes.site import Site, descendants, value_of
from coai_agents.source import Span
from coai_agents.syntax.tree import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tree_sitter import Node

    from coai_agents.fixes.equivalence.folding import Piece
    from coai_agents.fixes.equivalence.sql_text import Token
    from coai_agents.source import Source
    from coai_agents.syntax.tree import SyntaxTree

RULE: Final = "sql-injection"

HOSTILE: Final = (
    "' OR '1'='1",
    "x' OR 1=1 -- ",
    "1 OR 1=1",
    "1) OR (1=1",
    "0 UNION SELECT 1",
    "' UNION SELECT NULL --",
    "'; DROP TABLE t; --",
    "1; DELETE FROM t",
    '" OR ""="',
    "\\' OR 1=1 #",
    "1 /* */ OR 1=1",
    "%",
)
"""What is tried in each value's place: what leaves a quote, a number, a list or a statement."""

WORDS: Final = ("Ann", "Bob")
NUMBERS: Final = ("11", "12")
"""What harmless values begin with, by their place: between quotes or not."""

SECOND: Final = "15"
"""The second value of each list."""

OTHERS: Final = ("Zoe", "99")
"""Values of rows that nobody asks for."""

MOST_QUERIES: Final = 40
"""Queries of a file that a change may touch and that are compared."""

MOST_BEFORE: Final = 1
"""Arguments before the statement at most: a context or a connection."""

MOST_CALLS: Final = 200
"""Calls of what a change touches that may ask something and are looked at."""

_DEFINITION: Final = re.compile(r"function|method|class|decorated|import|package|comment")
"""Kinds of nodes at a file's top that give no value to names outside of them."""

_SQL: Final = re.compile(r"\s*(?:select|insert|update|delete|replace|with)\b", re.IGNORECASE)
_VERB: Final = re.compile(r"\b(?:select|insert|update|delete|replace|with)\s", re.IGNORECASE)
_ASKING: Final = re.compile(r"(?i)(?:pg_|mysqli_)?(?:query|exec|raw|all$|get$|run$|fetch)")
"""Names of methods that are handed a statement by its name."""
_NAMES: Final = frozenset({"identifier", "variable_name"})
_DRIVERS: Final = {
    "go": "go",
    "javascript": "ecmascript",
    "python": "python",
    "typescript": "ecmascript",
    "typescriptreact": "ecmascript",
}
_NOTHING: Final = Finding(RULE, Span(0, 0), "", Severity.INFORMATION, "", 0)
"""A place is of a finding, and here there is none."""

_CONDITIONS: Final = frozenset({"where", "find_by", "having", "not", "exists?"})
"""ActiveRecord's methods that take a part of a query."""
_MAKERS: Final = frozenset({"format", "Sprintf", "sprintf", "join", "text", "Join", "implode"})
"""Calls that make a text and ask nothing."""
_LISTS: Final = frozenset({"array", "array_creation_expression", "list", "tuple"})
_FUNCTIONS: Final = frozenset({"arrow_function", "func_literal", "function_expression", "block"})
_SPLATS: Final = frozenset(
    {"list_splat", "spread_element", "splat_argument", "variadic_argument", "variadic_unpacking"}
)

Text = tuple["Piece", ...]


@dataclass(frozen=True, slots=True)
class Query:
    """What a call sends: a statement, and the values that go apart from it."""

    statement: Text
    values: tuple[Text, ...] | dict[str, Text] = ()

    @property
    def pieces(self) -> Iterator[Piece]:
        """All that it is made of."""
        yield from self.statement
        for value in self.values.values() if isinstance(self.values, dict) else self.values:
            yield from value


class _RefusedError(Exception):
    """A query would be sent that does not say what the old one says."""


def keeps_queries(before: Source, after: Source) -> bool:
    """Say whether a changed file asks what it asked before, and no value can change a question.

    True, too, where that cannot be told of the old file.
    """
    old, new = parse(before), parse(after)
    if old is None or new is None:
        return False
    was, now = (
        list(_queries(tree, nodes))
        for tree, nodes in zip((old, new), _changed(old, new), strict=True)
    )
    if len(was) != len(now):
        return False
    changed = [(one, two) for one, two in zip(was, now, strict=True) if one != two]
    mark = style_of(_DRIVERS.get(before.language, ""), before.text)
    try:
        for one, two in changed[:MOST_QUERIES]:
            if one is not None:
                _compare(one, two, mark)
    except (_RefusedError, MisplacedError):
        return False
    return True


def _changed(old: SyntaxTree, new: SyntaxTree) -> tuple[list[Node], list[Node]]:
    """Return the definitions that differ, and all statements outside of any if one of them does."""
    was, now = (
        [(each, tree.text(each)) for each in tree.root.named_children] for tree in (old, new)
    )
    most = min(len(was), len(now))
    first = next((at for at in range(most) if was[at][1] != now[at][1]), most)
    last = next(
        (at for at in range(most - first) if was[-1 - at][1] != now[-1 - at][1]), most - first
    )
    differing = [each for nodes in (was, now) for each, _ in nodes[first : len(nodes) - last]]
    loose = not all(_DEFINITION.search(each.type) for each in differing)

    def kept(nodes: list[tuple[Node, str]]) -> list[Node]:
        return [
            each
            for at, (each, _) in enumerate(nodes)
            if first <= at < len(nodes) - last or (loose and not _DEFINITION.search(each.type))
        ]

    return kept(was), kept(now)


def _queries(tree: SyntaxTree, nodes: Sequence[Node]) -> Iterator[Query | None]:
    """Yield what each call asks; None where there is a question that is not clear."""
    # Each may look through its function for what a name stands for.
    left = MOST_CALLS
    for node in (each for top in nodes for each in descendants(top)):
        if left and node.is_named and ("call" in node.type or "invocation" in node.type):
            site = Site(tree, _NOTHING, node)
            method = site.callee(node).rsplit(".", 1)[-1]
            if method not in _MAKERS and _may_ask(site, node, method):
                left -= 1
                yield from _asked(site, node, method)


def _may_ask(site: Site, call: Node, method: str) -> bool:
    arguments = call.child_by_field_name("arguments") or call
    named = any(value_of(each).type in _NAMES for each in site.arguments(call))
    return (
        bool(_VERB.search(site.text(arguments)))
        or bool(_ASKING.match(method) and named)
        or method in _CONDITIONS
    )


def _asked(site: Site, call: Node, method: str) -> Iterator[Query | None]:
    arguments = [value_of(each) for each in site.arguments(call)]
    condition = method in _CONDITIONS and site.source.language == "ruby"
    for at, argument in enumerate(arguments[: MOST_BEFORE + 1]):
        named = argument.type in _NAMES and _ASKING.match(method)
        if not (named or condition or _VERB.search(site.text(argument))):
            continue
        folder = Folder(site)
        try:
            statement = folder.text(argument)
            first = statement[0] if statement else None
            if isinstance(first, str) and condition and len(statement) + len(arguments) > 1:
                statement = ("SELECT * FROM things WHERE ", *statement)
            elif not isinstance(first, str) or _SQL.match(first) is None:
                continue
            yield Query(statement, _values(site, folder, arguments[at + 1 :]))
        except UnclearError:
            if not named:
                yield None
        return


def _values(
    site: Site, folder: Folder, arguments: Sequence[Node]
) -> tuple[Text, ...] | dict[str, Text]:
    """Return what a call sends beside its statement; raises `UnclearError`."""
    given = [each for each in arguments if each.type not in _FUNCTIONS]
    if len(given) == 1 and given[0].type == "dictionary":
        pairs = [each for each in given[0].named_children if each.type == "pair"]
        return {
            site.text(key).strip("\"'"): folder.text(value)
            for each in pairs
            if (key := each.child_by_field_name("key"))
            and (value := each.child_by_field_name("value"))
        }
    lists = site.source.language in ("python", "javascript", "typescript", "typescriptreact", "php")
    made: list[Text] = []
    for each in given:
        if each.type in _LISTS:
            made += [_one(folder, value_of(one)) for one in each.named_children]
        elif lists:
            made.append(_all(folder, each))
        else:
            made.append(_one(folder, each))
    return tuple(made)


def _one(folder: Folder, node: Node) -> Text:
    return _all(folder, node.named_children[0]) if node.type in _SPLATS else folder.text(node)


def _all(folder: Folder, node: Node) -> Text:
    """Return all values of a list as one argument that sends each."""
    key, body = folder.values(node)
    return (Series(key, "", body),)


def _compare(one: Query, other: Query | None, mark: str) -> None:
    """Raise `_RefusedError` or `MisplacedError` where the other query is not the same one."""
    if other is None:
        raise _RefusedError
    places = _places(one.statement)
    keys = {each.key for each in one.pieces if not isinstance(each, str)}
    if keys != {each.key for each in other.pieces if not isinstance(each, str)}:
        raise _RefusedError
    harmless = [_harmless(keys, places, turn) for turn in range(2)]
    try:
        was = [_sent(one, given) for given in harmless]
    except (MisplacedError, _RefusedError):
        return
    if (new := mark_of(_text(other.statement, harmless[0]))) not in ("", ":", mark[:1] or new):
        raise _RefusedError
    now = [_sent(other, given) for given in harmless]
    if [[token.meaning for token in each] for each in was] != [
        [token.meaning for token in each] for each in now
    ]:
        raise _RefusedError
    words = [word for given in harmless for word in given.values()]
    try:
        with closing(Rows(for_sqlite(was[0])[0], [*words, *OTHERS])) as tried:
            if [tried.outcome(for_sqlite(each)) for each in was] != [
                tried.outcome(for_sqlite(each)) for each in now
            ]:
                raise _RefusedError
            _hostile(one, other, harmless[0], tried)
    except UntriedError:
        _hostile(one, other, harmless[0], None)


def _hostile(one: Query, other: Query, harmless: Mapping[str, str], tried: Rows | None) -> None:
    """Try what does harm in each value's place: it has to be a value and nothing else."""
    numbers = {each.key for each in other.pieces if isinstance(each, Hole) and each.number}
    shape = _text(other.statement, harmless)
    for key, value in product(sorted(set(harmless) - numbers), HOSTILE):
        given = {**harmless, key: value}
        if _text(other.statement, given) != shape:
            raise _RefusedError
        if tried is not None:
            meant = for_sqlite(_sent(one, given, literal=True))
            if tried.outcome(for_sqlite(_sent(other, given))) != tried.outcome(meant):
                raise _RefusedError


def _places(statement: Text) -> dict[str, bool]:
    """Return by a value's key whether it stands between quotes, wherever it stands first."""
    places: dict[str, bool] = {}
    quotes = 0
    for piece in statement:
        if isinstance(piece, str):
            quotes += piece.count("'")
            continue
        within = quotes
        if isinstance(piece, Series):
            within += next((each.count("'") for each in piece.body if isinstance(each, str)), 0)
        places.setdefault(piece.key, bool(within % 2))
    return places


def _harmless(keys: set[str], places: Mapping[str, bool], turn: int) -> dict[str, str]:
    """Return harmless values, another one for each key and in each turn."""
    return {
        key: (WORDS if places.get(key, True) else NUMBERS)[at % 2] + "0" * (at // 2) + "1" * turn
        for at, key in enumerate(sorted(keys))
    }


def _text(text: Text, given: Mapping[str, str], *, literal: bool = False) -> str:
    """Return a text with values in its holes; as literals of SQL, where that is asked for.

    Raises `_RefusedError` where a value is turned into a number and is none.
    """
    made = ""
    for piece in text:
        if isinstance(piece, str):
            made += piece
            continue
        body = piece.body if isinstance(piece, Series) else (piece,)
        several = isinstance(piece, Series)
        items: list[str] = []
        for value in (given[piece.key], SECOND)[: 2 if several else 1]:
            item = ""
            for each in body:
                if isinstance(each, str):
                    item += each
                    continue
                if each.number and not value.isdecimal():
                    raise _RefusedError
                item += _written(made + item, value) if literal else value
            items.append(item)
        made += piece.separator.join(items) if isinstance(piece, Series) else items[0]
    return made


def _written(before: str, value: str) -> str:
    """Return a value as it has to be written behind a text of SQL, to be that value."""
    escaped = value.replace("'", "''")
    return escaped if before.count("'") % 2 else f"'{escaped}'"


def _sent(query: Query, given: Mapping[str, str], *, literal: bool = False) -> list[Token]:
    """Return the tokens of what is sent; raises `MisplacedError`, `_RefusedError`."""
    values: list[Value] | dict[str, Value]
    if isinstance(query.values, dict):
        values = {name: _value(text, given) for name, text in query.values.items()}
    else:
        values = [value for text in query.values for value in _each(text, given)]
    return sent(_text(query.statement, given, literal=literal), values)


def _each(text: Text, given: Mapping[str, str]) -> list[Value]:
    """Return the values that one argument sends: a list of them sends each."""
    if len(text) == 1 and isinstance(text[0], Series) and not text[0].separator:
        series = text[0]
        return [_value(series.body, {ITEM: value}) for value in (given[series.key], SECOND)]
    return [_value(text, given)]


def _value(text: Text, given: Mapping[str, str]) -> Value:
    number = len(text) == 1 and isinstance(text[0], Hole) and text[0].number
    return Value(_text(text, given), number)
