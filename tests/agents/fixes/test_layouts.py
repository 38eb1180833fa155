# ruff: noqa: E501 - each program of the tables is one text
"""However a finding is laid out, what is offered is right, and what is not clear is not offered."""

from __future__ import annotations

import random

import pytest

from coai_agents.analysis.dataflow.lowering import LANGUAGES
from coai_agents.analysis.rules.rules import examples
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.fixes.fixers import applied, fixable, fixes_for, verify
from coai_agents.source import Source


def _fixed(text: str, language: str = "python", title: str = "") -> list[str]:
    source = Source("untitled:x", text, language)
    before = analyse(source)
    fixes = fixes_for(source, before.findings, before)
    return [applied(source, fix.edits).text for fix in fixes if title in fix.title]


SQL = "import sqlite3\n\ndef f(cursor, name, other):\n    cursor.execute({})\n"


@pytest.mark.parametrize(
    ("query", "fixed"),
    [
        ('"SELECT a FROM t WHERE b = \'" + name + "\'"', '"SELECT a FROM t WHERE b = ?", (name,)'),
        ('"SELECT a FROM t WHERE b = " + str(name)', '"SELECT a FROM t WHERE b = ?", (name,)'),
        (
            '"SELECT a FROM t WHERE b = \'" + name + "\' AND c = " + other',
            '"SELECT a FROM t WHERE b = ? AND c = ?", (name, other)',
        ),
        (
            "f\"SELECT a FROM t WHERE b = '{name}' AND c = {other}\"",
            '"SELECT a FROM t WHERE b = ? AND c = ?", (name, other)',
        ),
        (
            '"SELECT a FROM t WHERE b = %s" % (name,)',
            '"SELECT a FROM t WHERE b = ?", (name,)',
        ),
        (
            '"SELECT a FROM t WHERE b = {} AND c < {}".format(name, other)',
            '"SELECT a FROM t WHERE b = ? AND c < ?", (name, other)',
        ),
        (
            "f'''SELECT a FROM t\n    WHERE b = {name}'''",
            "'''SELECT a FROM t\n    WHERE b = ?''', (name,)",
        ),
        (
            '(\n    "SELECT a FROM t WHERE b = " + name\n)',
            '(\n    "SELECT a FROM t WHERE b = ?"\n), (name,)',
        ),
    ],
)
def test_a_query_keeps_its_form(query: str, fixed: str) -> None:
    assert SQL.format(fixed) in _fixed(SQL.format(query), title="apart")


@pytest.mark.parametrize(
    "query",
    [
        '"SELECT a FROM " + name',
        'f"SELECT a FROM t ORDER BY {name}"',
        '"SELECT a FROM t WHERE b LIKE \'%" + name + "%\'"',
        'f"SELECT a FROM t WHERE b = {name!r}"',
        'f"SELECT a FROM t WHERE b = {name:>3}"',
        "\"SELECT a FROM t WHERE b = '?' AND c = \" + name",
        '"SELECT a FROM t WHERE b = " + name + other',
        'name + " WHERE b = 1"',
        '"SELECT a FROM t WHERE b = %(x)s" % name',
        '"SELECT a FROM t WHERE b = {0}".format(name)',
        '"SELECT a FROM t WHERE b = {}".format(*name)',
        'f"SELECT a FROM t WHERE b = {name}", other',
        '"SELECT a FROM t WHERE b = " + name  # why\n    + " AND 1"',
    ],
)
def test_a_query_that_is_not_clear_is_left_alone(query: str) -> None:
    assert not _fixed(SQL.format(query), title="apart")


def test_a_query_of_an_unknown_driver_is_left_alone() -> None:
    text = SQL.format('"SELECT a FROM t WHERE b = " + name')
    assert not _fixed(text.replace("sqlite3", "unknown"), title="apart")
    assert not _fixed(text.replace("sqlite3", "sqlite3, psycopg2"), title="apart")
    assert "b = %s" in _fixed(text.replace("sqlite3", "psycopg2"), title="apart")[0]


@pytest.mark.parametrize(
    ("between", "offered"),
    [
        ("", True),
        ("    name = 'b'\n", False),
        ("    print(query)\n", False),
        ("    query += ' LIMIT 1'\n", False),
    ],
)
def test_a_query_in_a_variable_is_fixed_if_nothing_comes_between(
    between: str, offered: bool
) -> None:
    text = (
        "import sqlite3\n\ndef f(cursor, name):\n"
        f'    query = "SELECT a FROM t WHERE b = " + name\n{between}    cursor.execute(query)\n'
    )
    assert bool(_fixed(text, title="apart")) is offered


RUN = "import subprocess\n\ndef f(a, b):\n    subprocess.run({}, shell=True)\n"


@pytest.mark.parametrize(
    ("command", "fixed"),
    [
        ("'ls -l ' + a", "['ls', '-l', a]"),
        ('f"cp {a} {b}"', '["cp", a, b]'),
        ('f"tar --file={a} x"', '["tar", "--file=" + str(a), "x"]'),
        ("\"grep 'a b' \" + a", '["grep", "a b", a]'),
    ],
)
def test_a_command_becomes_a_list_in_the_quotes_of_its_own(command: str, fixed: str) -> None:
    (text,) = _fixed(RUN.format(command), title="without a shell")
    assert f"subprocess.run({fixed}, shell=False)" in text


@pytest.mark.parametrize(
    "command",
    [
        "'ls ' + a + ' | wc'",
        "'ls *.txt ' + a",
        "a",
        "a + ' -l'",
        "f'echo $HOME {a}'",
        "'ls ' + '\\'' + a",
    ],
)
def test_a_command_that_needs_its_shell_keeps_it(command: str) -> None:
    assert not _fixed(RUN.format(command), title="without a shell")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "requests.get(\n    url,\n    verify=False,  # for now\n    timeout=1,\n)",
            "requests.get(\n    url,  # for now\n    timeout=1,\n)",
        ),
        ("requests.get(url, timeout=1, verify = False)", "requests.get(url, timeout=1)"),
        ("requests.get(verify=False, url=url, timeout=1)", "requests.get(url=url, timeout=1)"),
    ],
)
def test_an_argument_goes_with_one_comma(before: str, after: str) -> None:
    head = "import requests\n\ndef f(url):\n    return "
    assert head + after + "\n" in _fixed(f"{head}{before}\n", title="Verify")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("requests.get(url)", "requests.get(url, timeout=10)"),
        ("requests.get(\n    url,\n)", "requests.get(\n    url, timeout=10,\n)"),
        ("requests.get(\n    url  # which\n)", "requests.get(\n    url, timeout=10  # which\n)"),
    ],
)
def test_an_argument_is_added_behind_the_last_one(before: str, after: str) -> None:
    head = "import requests\n\ndef f(url):\n    return "
    assert head + after + "\n" in _fixed(f"{head}{before}\n", title="ten seconds")


def test_arguments_that_are_spread_may_hold_anything() -> None:
    assert not _fixed("import requests\nrequests.get(url, **more)\n", title="ten seconds")


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        (
            "def f(a=[]):\n\n    # Why.\n    return a\n",
            "def f(a=None):\n\n    # Why.\n    if a is None:\n        a = []\n    return a\n",
        ),
        (
            "async def f(*, a={}):\n\treturn a\n",
            "async def f(*, a=None):\n\tif a is None:\n\t\ta = {}\n\treturn a\n",
        ),
        (
            "class A:\n    def f(self, a=[1]):\n        '''A.'''\n",
            "class A:\n    def f(self, a=None):\n        '''A.'''\n        if a is None:\n            a = [1]\n",
        ),
        ("def f(a: 'list'=[]):\n    return a\n", ""),
        ("def f(a=[]): return a\n", ""),
        ("def f(a=[b]):\n    return a\n", ""),
        ("f = lambda a=[]: a\n", ""),
    ],
)
def test_a_mutable_default_is_made_in_the_body(text: str, fixed: str) -> None:
    assert _fixed(text) == ([fixed] if fixed else [])


JS = "const mysql = require('mysql');\nfunction f(db, req) {\n  %s;\n}\n"


@pytest.mark.parametrize(
    ("language", "text", "fixed"),
    [
        ("javascript", JS % "db.query('SELECT a FROM t WHERE b = ' + req.query.b, done)", "db.query('SELECT a FROM t WHERE b = ?', [req.query.b], done)"),
        ("javascript", JS.replace("mysql", "pg") % "db.query(`SELECT a FROM t WHERE b = '${req.query.b}' AND c = ${req.query.c}`)", "db.query(`SELECT a FROM t WHERE b = $1 AND c = $2`, [req.query.b, req.query.c])"),
        ("typescript", JS % "db.query('SELECT a FROM ' + req.query.b)", ""),
        ("javascript", "const e = require('express');\nconst x = (req, s) => s.innerHTML = '<b>' + req.query.a;\n", ""),
        ("javascript", "const x = (el) => { el.insertAdjacentHTML('beforeend', location.hash); };\n", "el.insertAdjacentText('beforeend', location.hash)"),
        ("javascript", "document.write(location.hash);\n", "document.body.appendChild(document.createTextNode(location.hash));"),
        ("javascript", "const $ = require('jquery');\n$('a').html(location.hash);\n", "$('a').text(location.hash)"),
        ("javascript", "setTimeout('a(); b()', 1);\n", ""),
        ("javascript", "function f(password, path) { return password === path; }\n", ""),
        ("javascript", "const fs = require('fs');\nfunction f(req, path) { fs.readFileSync('/a/' + req.query.b); }\n", ""),
        ("javascript", "import fs from 'fs';\nexport function f(req) { fs.readFileSync('/a/' + req.query.b); }\n", "import fs from 'fs';\nimport * as path from 'path';\n"),
        ("javascript", "const c = require('crypto');\nconst token = c.pseudoRandomBytes(8);\nrequire('crypto').pseudoRandomBytes(8);\n", "randomBytes(8)"),
        ("javascript", "const helmet = require('helmet');\nhelmet({ hsts: false });\n", "hsts: true"),
        ("javascript", "try { a(); } catch { }\n", ""),
        ("javascript", "const x = { password: 'hunter2hunter2' };\n", "process.env.PASSWORD"),
        ("javascript", "if (a.indexOf('b') > 0) c();\n", "a.indexOf('b') >= 0"),
        ("go", 'package a\n\nimport (\n\t"database/sql"\n\t"net/http"\n\n\t_ "github.com/lib/pq"\n)\n\nfunc f(db *sql.DB, r *http.Request) {\n\tv := r.URL.Query().Get("v")\n\tdb.QueryContext(r.Context(), "SELECT a FROM t WHERE b = \'"+v+"\'")\n}\n', 'db.QueryContext(r.Context(), "SELECT a FROM t WHERE b = $1", v)'),
        ("go", 'package a\n\nimport "crypto/md5"\n\nfunc f() { md5.New(); md5.New() }\n', ""),
        ("go", 'package a\n\nimport (\n\t"crypto/md5"\n\t"crypto/sha256"\n)\n\nfunc f() { a := md5.Sum(b); sha256.New() }\n', 'import (\n\t"crypto/sha256"\n)\n\nfunc f() { a := sha256.Sum256(b)'),
        ("go", "package a\n\nfunc f() {\n\tc := &http.Cookie{\n\t\tName: n,\n\t}\n}\n", "c := &http.Cookie{\n\t\tHttpOnly: true,\n\t\tName: n,"),
        ("go", "package a\n\nfunc f() {\n\tif a() {\n\t\tb()\n\t} else {\n\t\tb()\n\t}\n}\n", ""),
        ("php", "<?php\nfunction f($c) {\n  $v = $_GET['v'];\n  mysqli_query($c, \"SELECT a FROM t WHERE b = '$v' AND d = '{$v}'\");\n}\n", 'mysqli_execute_query($c, "SELECT a FROM t WHERE b = ? AND d = ?", [$v, $v])'),
        ("php", "<?php\n$v = $_GET['v'];\n$db->query(\"SELECT a FROM t WHERE b = '$v'\");\n", ""),
        ("ruby", "class AController < ApplicationController\n  def f\n    User.where(\"a = '#{params[:a]}' AND b = #{params[:b]}\")\n  end\nend\n", 'User.where("a = ? AND b = ?", params[:a], params[:b])'),
        ("ruby", 'class AController < ApplicationController\n  def f\n    User.order("a #{params[:a]}")\n  end\nend\n', ""),
        ("java", "class A {\n  void f(byte[] b) {\n    String s = new String(b);\n  }\n}\n", "new String(b, java.nio.charset.StandardCharsets.UTF_8)"),
        ("java", "class A {\n  int f() {\n    return new java.util.Random().nextInt();\n  }\n}\n", "new java.security.SecureRandom().nextInt()"),
        ("java", "class A {\n  void f() {\n    DocumentBuilderFactory d = DocumentBuilderFactory.newInstance();\n    d.newDocumentBuilder().parse(x);\n  }\n}\n", 'newInstance();\n    d.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);\n'),
        ("java", 'class A {\n  void f(HttpServletResponse res) {\n    Cookie c = new Cookie("a", b);\n    c.setSecure(false);\n    res.addCookie(c);\n  }\n}\n', "c.setSecure(true);\n    res.addCookie(c);"),
        ("javascript", "const mongoose = require('mongoose');\nfunction f(req) { User.find({ a: req.query.a, b: 1 }); }\n", "User.find({ a: String(req.query.a), b: 1 })"),
        ("csharp", 'using System;\nclass A {\n  void F() {\n    string v = Request.QueryString["v"];\n    File.ReadAllText(Path.Combine("/d", v));\n  }\n}\n', "using System;\nusing System.IO;\nclass A {"),
        ("javascript", "const yaml = require('js-yaml');\neval(params_json);\nconst x = (a_json) => eval(a_json);\n", "=> JSON.parse(a_json)"),
        ("javascript", "const helmet = require('helmet');\nhelmet.dnsPrefetchControl({ allow: true });\n", "allow: false"),
    ],
)  # fmt: skip
def test_other_languages(language: str, text: str, fixed: str) -> None:
    titles = (
        "apart", "as text", "function", "constant", "name", "generator", "Switch", "caught",
        "environment", "first place", "SHA", "scripts", "branch", "UTF-8",
        "document types", "Secure", "as text", "shell", "JSON",
    )  # fmt: skip
    texts = [each for title in titles for each in _fixed(text, language, title)]
    if fixed:
        assert any(fixed in each for each in texts), texts
    else:
        assert not texts


def _as_windows(text: str) -> str:
    return text.replace("\n", "\r\n")


def _behind_comment(text: str) -> str:
    return f"{text}\n" if text.startswith("<?php") else text


def _spread(text: str) -> str:
    """Break every call's arguments onto lines of their own, where strings hold no comma."""
    return text.replace(", ", ",\n        ")


def _spaced(text: str) -> str:
    return text.replace("(", "( ").replace(")", " )")


def _other_quotes(text: str) -> str:
    return text.replace("'", '"') if '"' not in text else text


def _trailing(text: str) -> str:
    return text.replace(")\n", ",)\n")


VARIATIONS = [_as_windows, _spread, _spaced, _other_quotes, _trailing, _behind_comment]


@pytest.mark.parametrize("language", sorted({language for language, _ in fixable()}))
def test_what_is_offered_passes_the_verifier_in_every_layout(language: str) -> None:
    name = "typescriptreact" if language == "tsx" else language
    offered = 0
    for example in examples(language):
        if (language, example.rule) not in fixable():
            continue
        for vary in VARIATIONS:
            source = Source("untitled:x", vary(example.bad), name)
            before = analyse(source)
            for fix in fixes_for(source, before.findings, before):
                offered += 1
                (finding,) = [
                    each
                    for each in before.findings
                    if (each.rule, each.span) == (fix.rule, fix.span)
                ]
                assert verify(source, finding, fix.edits), fix
                after = applied(source, fix.edits).text
                if vary is _as_windows:
                    assert "\n" not in after.replace("\r\n", "")
    assert offered > 5


def test_enough_rules_have_a_fix_that_is_offered_for_an_example() -> None:
    rules = {rule for _, rule in fixable()}
    assert len(rules) >= 50


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_damaged_programs_are_fixed_or_left_alone(language: str) -> None:
    """No fixer fails on code that is half written, whatever it finds in it."""
    name = "typescriptreact" if language == "tsx" else language
    chance = random.Random(7)
    for example in examples(language)[:40]:
        text = example.bad
        for _ in range(3):
            at = chance.randrange(len(text))
            damaged = text[:at] + text[at + chance.randrange(1, 6) :]
            source = Source("untitled:x", damaged, name)
            before = analyse(source)
            fixes_for(source, before.findings, before)


@pytest.mark.parametrize(
    "query",
    [
        '"SELECT a FROM t WHERE b IN (" + ",".join(name) + ")"',
        'f"SELECT a FROM t WHERE b IN ({name})"',
        '"SELECT a FROM t WHERE b IN (%s)" % name',
        'f"INSERT INTO t VALUES ({other.join(name)})"',
        'f"SELECT a FROM t LIMIT {name}"',
        '"SELECT a FROM t LIMIT 5 OFFSET {}".format(name)',
    ],
)
def test_no_placeholder_stands_for_a_list_or_a_count(query: str) -> None:
    assert _fixed(SQL.format(query), title="apart") == []
