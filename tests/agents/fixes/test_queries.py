# ruff: noqa: E501 - each query of the tables is one text
"""A fix of a query asks what was asked before, and leaves values no power; nothing is run."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.fixes import fixers
from coai_agents.fixes.equivalence import queries
from coai_agents.fixes.equivalence.queries import keeps_queries
from coai_agents.fixes.equivalence.sql_rows import Rows, UntriedError
from coai_agents.fixes.equivalence.sql_text import tokens_of
from coai_agents.fixes.fixers import fixes_for
from coai_agents.fixes.registry import BY_RULE
from coai_agents.fixes.verifier import means_the_same
from coai_agents.source import Edit, Source
from coai_routing.records.private_sqlite import open_scratch, undone

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from coai_agents.fixes.site import Site

HEADS = {
    "sqlite3": ("python", "import sqlite3\ndef f(cur, who, age, xs):\n    {}\n"),
    "psycopg": ("python", "import psycopg2\ndef f(cur, who, age, xs):\n    {}\n"),
    "mysql2": (
        "javascript",
        'const mysql = require("mysql2");\nfunction f(db, who, xs) {{\n{}\n}}\n',
    ),
    "lib/pq": (
        "go",
        'package a\nimport _ "github.com/lib/pq"\nfunc f(db *sql.DB, who, b string) {{\n{}\n}}\n',
    ),
    "rails": ("ruby", "class A\n def f(who)\n  {}\n end\nend\n"),
    "mysqli": ("php", "<?php\nfunction f($c, $who) {{\n{}\n}}\n"),
}

JOINED = 'cur.execute("SELECT a FROM p WHERE name = \'" + who + "\' AND age > " + str(age))'
LISTED = 'cur.execute("SELECT a FROM p WHERE id IN (" + ",".join(xs) + ")")'
LIKE = "cur.execute(f\"SELECT a FROM p WHERE name LIKE '%{who}%' LIMIT 5\")"
COUNT = "cur.execute('SELECT a FROM p LIMIT %s' % age)"
SET = "cur.execute(\"UPDATE t SET a = '{}' WHERE b = {}\".format(who, age))"
PUT = "cur.execute(\"INSERT INTO t VALUES ('{0}', {1}, 3)\".format(who, age))"
LARGE = (
    "SELECT u.a, count(o.b) FROM u JOIN o ON o.id = u.id WHERE u.c = {} AND now() > o.x "
    "GROUP BY u.a HAVING count(*) > 1 ORDER BY 1 DESC"
)
FOREIGN = "SELECT a FROM u WHERE c = {} AND d ILIKE $$x$$ AND e::int = 4"
PERCENT = "cur.execute(\"SELECT a FROM u WHERE d LIKE 'x%' AND c = \" + who)"
SPRINTF = "db.Query(fmt.Sprintf(\"SELECT a FROM p WHERE n = '%s' AND b = %s\", who, b))"

KEPT = (
    ("sqlite3", JOINED, 'cur.execute("SELECT a FROM p WHERE name = ? AND age > ?", (who, age))'),
    (
        "sqlite3",
        JOINED,
        'cur.execute("SELECT a FROM p WHERE name = ? AND age > ?", [who, str(age)])',
    ),
    ("sqlite3", JOINED, 'cur.execute("select a FROM p\\n WHERE name = ? AND age > ?", (who, age))'),
    (
        "sqlite3",
        JOINED,
        'cur.execute("SELECT a FROM p WHERE name = :n AND age > :a", {"n": who, "a": age})',
    ),
    (
        "sqlite3",
        JOINED,
        'cur.execute(f"SELECT a FROM p WHERE name = ? AND age > {int(age)}", (who,))',
    ),
    (
        "sqlite3",
        LISTED,
        'cur.execute("SELECT a FROM p WHERE id IN (" + ",".join("?" * len(xs)) + ")", xs)',
    ),
    (
        "sqlite3",
        LISTED,
        'cur.execute("SELECT a FROM p WHERE id IN (" + ",".join(["?"] * len(xs)) + ")", tuple(xs))',
    ),
    (
        "sqlite3",
        LISTED,
        'marks = ", ".join("?" for _ in xs)\n    cur.execute(f"SELECT a FROM p WHERE id IN ({marks})", [*xs])',
    ),
    ("sqlite3", LIKE, 'cur.execute("SELECT a FROM p WHERE name LIKE ? LIMIT 5", (f"%{who}%",))'),
    ("sqlite3", COUNT, 'cur.execute("SELECT a FROM p LIMIT ?", (int(age),))'),
    ("sqlite3", PUT, 'cur.execute("INSERT INTO t VALUES (?, ?, 3)", (who, age))'),
    ("sqlite3", SET, 'cur.execute("UPDATE t SET a = ? WHERE b = ?", (who, age))'),
    (
        "sqlite3",
        f"cur.execute('{LARGE}'.format(age))",
        f"cur.execute('{LARGE.format('?')}', (age,))",
    ),
    (
        "sqlite3",
        f"cur.execute('{FOREIGN}'.format(age))",
        f"cur.execute('{FOREIGN.format('?')}', (age,))",
    ),
    ("psycopg", PERCENT, "cur.execute(\"SELECT a FROM u WHERE d LIKE 'x%%' AND c = %s\", (who,))"),
    (
        "mysql2",
        "db.query(`SELECT a FROM p WHERE n = ${who}`, (e, r) => r);",
        "db.query(`SELECT a FROM p WHERE n = ?`, [who], (e, r) => r);",
    ),
    (
        "mysql2",
        'db.query(`SELECT a FROM p WHERE n IN (${xs.join(",")})`);',
        'db.query(`SELECT a FROM p WHERE n IN (${xs.map(() => "?").join(",")})`, xs);',
    ),
    ("lib/pq", SPRINTF, 'db.Query("SELECT a FROM p WHERE n = $1 AND b = $2", who, b)'),
    (
        "lib/pq",
        'db.QueryContext(ctx, "SELECT a FROM p WHERE n = \'" + who + "\'")',
        'db.QueryContext(ctx, "SELECT a FROM p WHERE n = $1", who)',
    ),
    ("rails", "Item.where(\"n = '#{who}'\")", 'Item.where("n = ?", who)'),
    (
        "mysqli",
        "mysqli_query($c, \"SELECT a FROM p WHERE n = '$who'\");",
        'mysqli_execute_query($c, "SELECT a FROM p WHERE n = ?", [$who]);',
    ),
    ("sqlite3", "cur.execute(other(who))", 'cur.execute(other("x"))'),
    ("sqlite3", "log(who)", "log(age)"),
)
"""By driver: a query, and one that asks the same, or of which nothing can be told."""

CHANGED = (
    ("sqlite3", JOINED, "pass"),
    ("sqlite3", JOINED, 'cur.execute("SELECT a FROM p WHERE name = ? AND age > ?", (age, who))'),
    (
        "sqlite3",
        JOINED,
        "cur.execute(\"SELECT a FROM p WHERE name = '?' AND age > ?\", (who, age))",
    ),
    ("sqlite3", JOINED, 'cur.execute("SELECT a FROM p WHERE name = %s AND age > %s", (who, age))'),
    ("sqlite3", JOINED, 'cur.execute("SELECT a FROM p WHERE name = ? OR age > ?", (who, age))'),
    ("sqlite3", JOINED, 'cur.execute("SELECT a FROM p WHERE name = ? AND age >= ?", (who, age))'),
    ("sqlite3", JOINED, 'cur.execute("SELECT b FROM p WHERE name = ? AND age > ?", (who, age))'),
    ("sqlite3", JOINED, 'cur.execute("SELECT a FROM p WHERE name = ?", (who,))'),
    ("sqlite3", JOINED, 'cur.execute("SELECT a FROM p WHERE name = ? AND age > ?", (who,))'),
    ("sqlite3", JOINED, 'cur.execute("SELECT a FROM p WHERE name = ? AND age > ?", (who, age, 3))'),
    ("sqlite3", JOINED, 'cur.execute(f"SELECT a FROM p WHERE name = ? AND age > {age}", (who,))'),
    (
        "sqlite3",
        JOINED,
        "cur.execute(f\"SELECT a FROM p WHERE name = '{who}' AND age > ?\", (age,))",
    ),
    (
        "sqlite3",
        JOINED,
        'cur.execute("SELECT a FROM p WHERE name = ? AND age > ?", (int(who), age))',
    ),
    (
        "sqlite3",
        JOINED,
        'cur.execute("SELECT a FROM p WHERE name = ? AND age > ?", (who.strip(), age))',
    ),
    (
        "sqlite3",
        JOINED,
        'cur.execute("SELECT a FROM p WHERE name = :n AND age > :a", {"n": age, "a": who})',
    ),
    (
        "sqlite3",
        JOINED,
        'cur.execute("SELECT a FROM p WHERE name = :n AND age > :b", {"n": who, "a": age})',
    ),
    ("sqlite3", LISTED, 'cur.execute("SELECT a FROM p WHERE id IN (?)", (",".join(xs),))'),
    ("sqlite3", LISTED, 'cur.execute("SELECT a FROM p WHERE id IN (?)", xs)'),
    ("sqlite3", LIKE, 'cur.execute("SELECT a FROM p WHERE name LIKE ? LIMIT 5", (who,))'),
    ("sqlite3", LIKE, "cur.execute(\"SELECT a FROM p WHERE name LIKE '%?%' LIMIT 5\", (who,))"),
    ("sqlite3", COUNT, 'cur.execute("SELECT a FROM p LIMIT ?", (age,))'),
    ("sqlite3", PUT, 'cur.execute("INSERT INTO t VALUES (?, ?, 3)", (age, who))'),
    ("sqlite3", SET, 'cur.execute("UPDATE t SET a = ?", (who,))'),
    (
        "sqlite3",
        f"cur.execute('{FOREIGN}'.format(age))",
        f"cur.execute('{FOREIGN.format('?')} OR 1', (age,))",
    ),
    ("psycopg", PERCENT, "cur.execute(\"SELECT a FROM u WHERE d LIKE 'x%' AND c = %s\", (who,))"),
    ("psycopg", PERCENT, "cur.execute(\"SELECT a FROM u WHERE d LIKE 'x%' AND c = ?\", (who,))"),
    (
        "psycopg",
        "cur.execute('SELECT a FROM u WHERE c = ' + who + '; DELETE FROM v')",
        "cur.execute('SELECT a FROM u WHERE c = %s', (who,))",
    ),
    (
        "mysql2",
        "db.query(`SELECT a FROM p WHERE n = ${who}`, (e, r) => r);",
        "db.query(`SELECT a FROM p WHERE n = ?`, [xs], (e, r) => r);",
    ),
    (
        "mysql2",
        'db.query(`SELECT a FROM p WHERE n IN (${xs.join(",")})`);',
        'db.query(`SELECT a FROM p WHERE n IN (?)`, [xs.join(",")]);',
    ),
    ("lib/pq", SPRINTF, 'db.Query("SELECT a FROM p WHERE n = $2 AND b = $1", who, b)'),
    ("lib/pq", SPRINTF, 'db.Query("SELECT a FROM p WHERE n = $1 AND b = $3", who, b)'),
    ("rails", "Item.where(\"n = '#{who}'\")", 'Item.where("n <> ?", who)'),
    (
        "rails",
        "Item.where(\"id IN (#{who.join(',')})\")",
        "Item.where(\"id IN (?)\", who.join(','))",
    ),
    (
        "mysqli",
        "mysqli_query($c, \"SELECT a FROM p WHERE n = '$who'\");",
        'mysqli_execute_query($c, "SELECT a FROM p WHERE n = ?", []);',
    ),
)
"""By driver: a query, and one that asks something else, does not work, or is still in danger."""


def _source(driver: str, statement: str) -> Source:
    language, head = HEADS[driver]
    return Source("untitled:x", head.format(statement), language)


@pytest.mark.parametrize(("driver", "before", "after"), KEPT)
def test_a_query_that_asks_the_same_is_kept(driver: str, before: str, after: str) -> None:
    assert keeps_queries(_source(driver, before), _source(driver, after))


@pytest.mark.parametrize(("driver", "before", "after"), CHANGED)
def test_a_query_that_asks_something_else_is_refused(driver: str, before: str, after: str) -> None:
    assert not keeps_queries(_source(driver, before), _source(driver, after))


HANDLER = (
    "import sqlite3\nfrom flask import Flask, request\n\napp = Flask(__name__)\n\n\n"
    '@app.route("/")\ndef f():\n    con = sqlite3.connect("x")\n    who = request.args["who"]\n'
    '    age = request.args["age"]\n'
    '    return str(con.execute("SELECT a FROM p WHERE name = \'" + who + "\' AND age > " + age).fetchall())\n'
)

MUTANTS = {
    "none": ("", "", True),
    "values swapped": ("(who, age)", "(age, who)", False),
    "a value lost": (", (who, age)", ", (who,)", False),
    "another comparison": ("age > ?", "age >= ?", False),
    "another column": ("SELECT a", "SELECT b", False),
    "quotes left": ("name = ?", "name = '?'", False),
    "another driver's marks": ("?", "%s", False),
    "a condition lost": ("AND age > ?", "AND ? > ''", False),
}
"""What a fixer does wrong: in what it makes, a text and what stands there instead; is it offered?"""


@pytest.mark.parametrize("mutant", MUTANTS)
def test_what_a_wrong_fixer_makes_is_not_offered(
    mutant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after, offered = MUTANTS[mutant]
    (key, (right, *_)) = ("python", "sql-injection"), BY_RULE["python", "sql-injection"]
    source = Source("untitled:x", HANDLER, "python")

    def wrong(site: Site) -> Iterable[list[Edit]]:
        for edits in right.fixer(site):
            text = fixers.applied(source, edits).text
            assert before in text
            yield [Edit(None, text.replace(before, after))] if before else edits

    monkeypatch.setitem(BY_RULE, key, (replace(right, fixer=wrong),))
    analysis = analyse(source)
    assert any(each.rule == "sql-injection" for each in analysis.findings)
    fixes = fixes_for(source, analysis.findings, analysis)
    assert bool([each for each in fixes if each.rule == "sql-injection"]) is offered


def test_a_function_that_a_model_wrote_anew_is_held_to_its_queries() -> None:
    source = _source("sqlite3", JOINED)
    for asks, same in (("name = ? AND age > ?", True), ("name = ? AND age < ?", False)):
        whole = (
            "import sqlite3\ndef f(cur, who, age, xs):\n"
            f'    query = "SELECT a FROM p WHERE {asks}"\n    return cur.execute(query, (who, age))\n'
        )
        assert means_the_same(source, [Edit(None, whole)], "sql-injection") is same
        assert means_the_same(source, [Edit(None, whole)], "weak-hash")


STRANGERS = (
    "ATTACH DATABASE 'stolen.db' AS s",
    "SELECT load_extension('x')",
    "PRAGMA journal_mode = DELETE",
    "VACUUM INTO 'stolen.db'",
    "CREATE TABLE other (a)",
    "DROP TABLE p",
    "SELECT zeroblob(1000000000)",
)
ENDLESS = (
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n",
    "SELECT count(*) FROM p a, p b, p c, p d, p e, p f, p g",
)


@pytest.mark.parametrize("statement", STRANGERS)
def test_a_strangers_statement_reaches_no_file_and_ends(
    statement: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = Rows("SELECT a, b FROM p", ["1", "2", "3"])
    before = rows.outcome(("SELECT * FROM p", ()))
    assert rows.outcome((statement, ())) in (
        ("DatabaseError",),
        ("OperationalError",),
        ("DataError",),
    )
    assert rows.outcome(("SELECT * FROM p", ())) == before
    rows.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("statement", ENDLESS)
def test_of_what_takes_too_long_nobody_knows_what_it_finds(statement: str) -> None:
    rows = Rows("SELECT a, b FROM p", ["1", "2", "3", "4", "5"])
    with pytest.raises(UntriedError):
        rows.outcome((statement, ()))
    rows.close()


LONG = {
    "spaces": " " * 30_000,
    "comments": "/*" * 30_000,
    "quotes": "'" * 30_001,
}
"""What would be looked through again from each of its characters."""


@pytest.mark.parametrize("tail", LONG)
def test_a_long_statement_is_not_judged(tail: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def compared(*_: object) -> None:
        pytest.fail("it was compared")

    monkeypatch.setattr(queries, "_compare", compared)
    before = JOINED.replace('age > "', f'age > {LONG[tail]}"')
    source = _source("sqlite3", before)
    assert before != JOINED
    assert keeps_queries(source, _source("sqlite3", before.replace("SELECT a", "SELECT b")))


def test_white_space_at_a_statements_end_is_looked_at_once() -> None:
    assert tokens_of("SELECT 1" + " " * 200_000) == tokens_of("SELECT 1")


def test_what_sqlite_does_not_know_is_not_tried() -> None:
    with pytest.raises(UntriedError):
        Rows("SELECT a FROM p WHERE b ILIKE $$x$$", ["1"])


def test_what_was_tried_is_taken_back_even_if_it_ended_the_transaction() -> None:
    database = open_scratch()
    database.execute("CREATE TABLE t (a UNIQUE)")
    database.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(sqlite3.IntegrityError), undone(database):
        database.execute("INSERT OR ROLLBACK INTO t VALUES (1)")
    assert database.execute("SELECT count(*) FROM t").fetchone() == (1,)
    database.close()


def test_a_file_of_many_queries_is_compared_only_where_it_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[str] = []

    class Counted(Rows):
        def __init__(self, statement: str, words: list[str]) -> None:
            made.append(statement)
            super().__init__(statement, words)

    monkeypatch.setattr(queries, "Rows", Counted)
    others = "".join(f"\n    cur.execute('SELECT a FROM p WHERE b = {at}')" for at in range(50))
    after = 'cur.execute("SELECT a FROM p WHERE name = ? AND age > ?", (who, age))'
    assert keeps_queries(_source("sqlite3", JOINED + others), _source("sqlite3", after + others))
    assert len(made) == 1
