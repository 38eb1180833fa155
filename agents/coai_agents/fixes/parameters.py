"""SQL that is built from text and values, turned into SQL with placeholders and the values apart.

Only where the driver is known by what the file imports, because drivers differ in their
placeholders; only where a value stands for a value, because no placeholder may stand for a table,
a column or a direction; and only where all of the text is in sight.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from coai_agents.fixes.pieces import built, filled, text_of
from coai_agents.fixes.site import descendants

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from coai_agents.fixes.pieces import Built
    from coai_agents.fixes.site import Site
    from coai_agents.source import Edit

_STYLES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "python": (
        ("?", r"\b(?:sqlite3|pyodbc|aiosqlite|duckdb)\b"),
        ("%s", r"\b(?:psycopg2?|pymysql|MySQLdb|mysql\.connector|aiomysql|django\.db)\b"),
    ),
    "ecmascript": (
        ("?", r"""['"](?:mysql2?(?:/promise)?|sqlite3)['"]"""),
        ("$", r"""['"]pg(?:-promise)?['"]"""),
    ),
    "go": (
        ("?", r'"(?:github\.com/go-sql-driver/mysql|[\w./-]*sqlite3?)"'),
        ("$", r'"github\.com/(?:lib/pq|jackc/pgx[\w./]*)"'),
    ),
}
"""By language: the drivers' marks, and what a file that imports such a driver has in it."""

_BEFORE_VALUE: Final = re.compile(
    r"(?:=|<|>|\bLIKE|\bLIMIT|\bOFFSET|\bBETWEEN|\bAND|\bVALUES\s*\([^()]*|\bIN\s*\([^()]*)\s*'?$",
    re.IGNORECASE,
)
"""What stands before a value in SQL."""

_AFTER_VALUE: Final = re.compile(r"^'?\s*(?:$|[),;]|\b[A-Z]+\b)", re.IGNORECASE)


_BEFORE_SEVERAL: Final = re.compile(
    r"\b(?:in\s*\(|limit|offset|fetch\s+first)\s*'?$", re.IGNORECASE
)
"""Where a hole alone may stand for a list, or for a number that no driver may send as text: a
placeholder there would change which rows come."""

_SEVERAL: Final = re.compile(r"\b(?:join|implode|Join|Aggregate)\s*\(")


def style_of(language: str, text: str) -> str:
    """Return the mark of the one driver that a file imports, or nothing."""
    styles = [mark for mark, pattern in _STYLES.get(language, ()) if re.search(pattern, text)]
    return styles[0] if len(styles) == 1 else ""


def values_stand_for_values(sql: str) -> bool:
    """Say whether each hole (U+0000) of a statement is where SQL has a value."""
    if re.match(r"\s*(?:select|insert|update|delete|replace|with)\b", sql, re.IGNORECASE) is None:
        return False
    pieces = sql.split("\0")
    return all(
        _BEFORE_VALUE.search(before) is not None
        and _AFTER_VALUE.match(after) is not None
        and _BEFORE_SEVERAL.search(before) is None
        for before, after in pairwise(pieces)
    )


def is_one_value(text: str) -> bool:
    """Say whether an expression is one value for SQL, and not several put into one text."""
    return _SEVERAL.search(text) is None


def placeholders(mark: str, count: int) -> list[str]:
    """Return so many placeholders: `?`, `%s`, or `$1`, `$2`, ..."""
    return [f"${number}" for number in range(1, count + 1)] if mark == "$" else [mark] * count


def apart(site: Site, query: Node, mark: str) -> tuple[list[Edit], list[str]] | None:
    """Return the edits of a statement and the values it no longer holds; None if it is not clear.

    `query` is the statement or a name that it was given just before.
    """
    value = site.only_value(query)
    there = built(site, query if value is None else value)
    if there is None or not there.holes:
        return None
    sql = text_of(site, there)
    if not values_stand_for_values(sql) or mark[0] in sql or "\\" in sql:
        return None
    names = [
        site.text(each)
        for at in there.holes
        for each in descendants(_value(there, at))
        if each.type in ("identifier", "variable_name")
    ]
    if value is not None and site.changed_between(
        names, site.tree.end(value), site.tree.start(query)
    ):
        return None
    edits = filled(site, there, placeholders(mark, len(there.holes)))
    taken = [site.text(_value(there, at)) for at in there.holes]
    return None if edits is None or not all(map(is_one_value, taken)) else (edits, taken)


def _value(there: Built, at: int) -> Node:
    value = there.parts[at].value
    assert value is not None
    return value


def python_query(site: Site) -> Iterator[list[Edit]]:
    """Parameterise `cursor.execute(...)`, however its text is built."""
    call = site.call
    mark = style_of("python", site.source.text)
    if call is None or not mark or len(site.arguments(call)) != 1:
        return
    query = site.argument(call, 0)
    if query is None or site.callee(call).rsplit(".", 1)[-1] not in ("execute", "raw"):
        return
    taken = apart(site, query, mark) or _formatted(site, query, mark)
    if taken is None:
        return
    edits, values = taken
    inside = ", ".join(_without_str(value) for value in values)
    end = site.tree.end(query)
    comma = "," if len(values) == 1 else ""
    yield [*edits, site.between(end, end, f", ({inside}{comma})")]


def _without_str(value: str) -> str:
    """Return what `str(...)` is around, as a driver takes any type."""
    match = re.fullmatch(r"str\((\w+)\)", value)
    return value if match is None else match[1]


def _formatted(site: Site, query: Node, mark: str) -> tuple[list[Edit], list[str]] | None:
    """Take `"... %s" % values` and `"... {}".format(values)` apart."""
    value = site.only_value(query) or query
    text, values, hole = _format_of(site, value)
    if text is None or text.type != "string" or any(each.type not in _PLAIN for each in values):
        return None
    written = site.text(text)
    pieces = re.split(hole, written)
    if len(pieces) != len(values) + 1 or re.search(r"[%{}?\\]", "".join(pieces)):
        return None
    # A quote of the literal's own beside a hole would be taken for one of the statement's.
    beside = written[0] == "'" and re.search(rf"'{hole}|{hole}'", written[1:-1])
    if beside or not values_stand_for_values("\0".join(pieces).strip("\"'")):
        return None
    names = [site.text(each) for each in values]
    if not all(map(is_one_value, names)):
        return None
    if value is not query and site.changed_between(
        names, site.tree.end(value), site.tree.start(query)
    ):
        return None
    put = re.sub(rf"'?{hole}'?" if written[0] != "'" else hole, lambda _: mark, written)
    return [site.replaced(value, put)], names


_PLAIN: Final = frozenset({"identifier", "attribute", "subscript", "call"})
"""What may fill a hole: not names, stars and comments."""


def _format_of(site: Site, value: Node) -> tuple[Node | None, list[Node], str]:
    """Return a format, its values, and the pattern of its holes."""
    operator = site.text(value.child_by_field_name("operator"))
    if value.type == "binary_operator" and operator == "%":
        right = value.child_by_field_name("right")
        values = [] if right is None else [right]
        if right is not None and right.type == "tuple":
            values = right.named_children
        return value.child_by_field_name("left"), values, r"%s"
    function = value.child_by_field_name("function")
    if value.type == "call" and function is not None and site.callee(value).endswith(".format"):
        return function.child_by_field_name("object"), site.arguments(value), r"\{\}"
    return None, [], ""


def ecmascript_query(site: Site) -> Iterator[list[Edit]]:
    """Parameterise `connection.query(...)` of mysql, sqlite3 and pg."""
    call = site.call
    mark = style_of("ecmascript", site.source.text)
    query = None if call is None else site.argument(call, 0)
    if call is None or query is None or not mark:
        return
    more = site.arguments(call)[1:]
    if more and more[0].type not in ("arrow_function", "function_expression", "identifier"):
        return
    if site.callee(call).rsplit(".", 1)[-1] not in ("query", "execute", "all", "get", "run"):
        return
    if (taken := apart(site, query, mark)) is not None:
        edits, values = taken
        end = site.tree.end(query)
        yield [*edits, site.between(end, end, f", [{', '.join(values)}]")]


def go_query(site: Site) -> Iterator[list[Edit]]:
    """Parameterise `db.Query(...)` of database/sql."""
    call = site.call
    mark = style_of("go", site.source.text)
    arguments = [] if call is None else site.arguments(call)
    if call is None or not mark or not arguments:
        return
    method = site.callee(call).rsplit(".", 1)[-1]
    at = 1 if method.endswith("Context") else 0
    if method.removesuffix("Context") not in ("Query", "QueryRow", "Exec"):
        return
    if len(arguments) != at + 1 or (taken := apart(site, arguments[at], mark)) is None:
        return
    edits, values = taken
    end = site.tree.end(arguments[at])
    yield [*edits, site.between(end, end, f", {', '.join(values)}")]


def php_query(site: Site) -> Iterator[list[Edit]]:
    """Parameterise `mysqli_query` (PHP 8.2) and `pg_query`."""
    call = site.call
    if call is None or len(site.arguments(call)) != 2:  # noqa: PLR2004 - connection and query
        return
    put, mark = _PHP.get(site.callee(call), ("", ""))
    query = site.argument(call, 1)
    name = call.child_by_field_name("function")
    if not put or query is None or name is None:
        return
    if (taken := apart(site, query, mark)) is not None:
        yield [site.replaced(name, put), *taken[0], _list_behind(site, query, taken[1])]


_PHP: Final = {
    "mysqli_query": ("mysqli_execute_query", "?"),
    "pg_query": ("pg_query_params", "$"),
}


def _list_behind(site: Site, node: Node, values: Sequence[str]) -> Edit:
    end = site.tree.end(node)
    return site.between(end, end, f", [{', '.join(values)}]")


def ruby_query(site: Site) -> Iterator[list[Edit]]:
    """Parameterise ActiveRecord's `where` and its like."""
    call = site.call
    if call is None or len(site.arguments(call)) != 1:
        return
    query = site.argument(call, 0)
    method = site.text(call.child_by_field_name("method"))
    if query is None or method not in ("where", "find_by", "having", "not", "exists?"):
        return
    there = built(site, query)
    if there is None or not there.holes or "?" in text_of(site, there):
        return
    if not values_stand_for_values(f"select {text_of(site, there)}"):
        return
    edits = filled(site, there, ["?"] * len(there.holes))
    if edits is not None:
        end = site.tree.end(query)
        names = [site.text(_value(there, at)) for at in there.holes]
        if all(map(is_one_value, names)):
            yield [*edits, site.between(end, end, f", {', '.join(names)}")]
