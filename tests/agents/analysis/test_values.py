# ruff: noqa: E501 - each program of the tables is one line
"""Containers, assignments and constants: small programs, and whether a value gets through them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.analysis.dataflow.guards import Guards
from coai_agents.analysis.dataflow.replacing import is_plain
from coai_agents.analysis.findings.findings import Confidence
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source

if TYPE_CHECKING:
    from coai_agents.analysis.dataflow import ir
    from coai_agents.analysis.dataflow.values import Scope

_PYTHON = "import os\nfrom flask import Flask, request\napp = Flask(__name__)\n@app.route('/')\ndef view():\n    v = request.args.get('v')\n"


def _reaches(text: str, language: str) -> bool:
    found = analyse(Source("untitled:x", text, language)).findings
    return any(
        each.rule == "command-injection" and each.confidence is not Confidence.LOW for each in found
    )


def _python(body: str) -> str:
    return _PYTHON + "".join(f"    {line}\n" for line in body.splitlines())


@pytest.mark.parametrize(
    ("body", "reached"),
    [
        ("a = [v]\na.clear()\nos.system(str(a))", False),
        ("a = ['x']\na.extend([v, 'y'])\nos.system(a[1])", True),
        ("a = ['x']\na.extend([v, 'y'])\nos.system(a[2])", False),
        ("a = ['x', v]\na.remove(0)\nos.system(a[0])", True),
        ("a = [v, 'x']\nos.system(a.pop())", False),
        ("a = [v, 'x']\nos.system(a.pop(0))", True),
        ("a = [v, 'x']\nos.system(a[-1])", False),
        ("a = ['x', v]\nos.system(a[-1])", True),
        ("a = {'b': v}\na.update({'b': 'x'})\nos.system(a['b'])", False),
        ("a = {'b': v}\na['b'] = 'x'\nos.system(a['b'])", False),
        ("a = {'b': 'x'}\nos.system(a.get('c', v))", True),
        ("a = {'b': 'x'}\nos.system(a.get('b', v))", False),
        ("a = {}\na.setdefault('b', v)\nos.system(a['b'])", True),
        ("a = {'b': {'c': v, 'd': 'x'}}\nos.system(a['b']['c'])", True),
        ("a = {'b': {'c': v, 'd': 'x'}}\nos.system(a['b']['d'])", False),
        ("a = {'b': {}}\na['b']['c'] = v\nos.system(a['b']['c'])", True),
        ("a = [['x']]\na[0].append(v)\nos.system(a[0][1])", True),
        ("a = [*['x'], v]\nos.system(a[1])", True),
        ("a = {**{'b': v}}\nos.system(a['b'])", True),
        ("a = ['x'] + [v]\nos.system(a[1])", True),
        ("a = ['x'] + [v]\nos.system(a[0])", False),
        ("a = set()\na.add(v)\nfor b in a:\n    os.system(b)", True),
        ("a = {'b': v}\nfor b in a.values():\n    os.system(b)", True),
        ("a = {k: v for k in 'ab'}\nos.system(a['a'])", True),
        ("a = (b for b in v.split())\nos.system(next(a))", True),
        ("a, *b = ['x', v]\nos.system(b[0])", True),
        ("(a, b), c = ('x', v), 'y'\nos.system(b)", True),
        ("(a, b), c = ('x', v), 'y'\nos.system(c)", False),
        ("for a, b in [('x', v)]:\n    os.system(b)", True),
        ("a = b = v\nos.system(a + b)", True),
        ("a = 'x'\na += v\nos.system(a)", True),
        ("a = 1\na *= 2\nos.system(str(a))", False),
        ("a = None\na = a or v\nos.system(a)", True),
        ("a = 'x'\na = a or v\nos.system(a)", False),
        ("a = 'x' and v\nos.system(a)", True),
        ("a = '' and v\nos.system(a)", False),
        ("class B:\n    pass\nb = B()\nb.c = v\nos.system(b.c)", True),
        ("class B:\n    c = 'x'\nb = B()\nos.system(b.c)", False),
        ("class B:\n    d = {}\nb = B()\nb.d['e'] = v\nos.system(b.d['e'])", True),
        ("a = v if 'x' in ('x', 'y') else 'ls'\nos.system(a)", True),
        ("a = v if 'z' in ('x', 'y') else 'ls'\nos.system(a)", False),
        ("a = v if 'x' in {'x': 1} else 'ls'\nos.system(a)", True),
        ("a = v if not (1 < 2) else 'ls'\nos.system(a)", False),
        ("a = v if -1 + 2 == 1 else 'ls'\nos.system(a)", True),
        ("a = v if 7 // 2 == 3 and 7 % 2 == 1 else 'ls'\nos.system(a)", True),
        ("a = v if 6 / 4 > 1.5 else 'ls'\nos.system(a)", False),
        ("a = v if (6 & 3) == 2 and (6 | 1) == 7 and (6 ^ 2) == 4 else 'ls'\nos.system(a)", True),
        ("a = v if 'ab' * 2 == 'abab' else 'ls'\nos.system(a)", True),
        ("a = v if 'abc'[1] == 'b' else 'ls'\nos.system(a)", True),
        ("a = v if 'abc'[1:] == 'bc' else 'ls'\nos.system(a)", True),
        ("a = v if 'abc'[9:] else 'ls'\nos.system(a)", False),
        ("a = v if 1 is 2 else 'ls'\nos.system(a)", False),
        ("a = v if 1 != 1 else 'ls'\nos.system(a)", False),
        ("a = v if 1 / 0 else 'ls'\nos.system(a)", True),
        ("a = v if 'x' < 1 else 'ls'\nos.system(a)", True),
        ("a = v if ~1 == -2 else 'ls'\nos.system(a)", True),
        ("a = 'x' if v == 'y' else v\nos.system(a)", True),
        ("if v != 'ls':\n    return\nos.system(v)", False),
        ("if v is None:\n    return\nos.system(v)", True),
        ("if v and v in ('a', 'b'):\n    os.system(v)", False),
        ("if not v or v not in ('a', 'b'):\n    return\nos.system(v)", False),
        ("if v.find(';') == -1:\n    os.system(v)", False),
        ("if (w := v) in ('a', 'b'):\n    os.system(w)", False),
        ("match v:\n    case 'a' | 'b':\n        os.system(v)", False),
        ("match v:\n    case _:\n        os.system(v)", True),
        ("def g(*a, **k):\n    os.system(k['b'])\ng(b=v)", True),
        ("def g(a, b='x'):\n    os.system(b)\ng(v)", False),
        ("def g(a):\n    if a:\n        return 'x'\n    return v\nos.system(g(1))", False),
        ("def g(a):\n    return g(a)\nos.system(g(v))", True),
        ("a = [str.upper(b) for b in [v]]\nos.system(a[0])", True),
        ("a = lambda b=v: b\nos.system(a())", True),
    ],
)
def test_python(body: str, *, reached: bool) -> None:
    assert _reaches(_python(body), "python") == reached


@pytest.mark.parametrize(
    ("language", "frame", "body", "reached"),
    [
        ("csharp", "C", 'var v = Request.Query["v"]; Process.Start(v);', True),
        (
            "csharp",
            "C",
            'string v = Request.Query["v"]; if (v == "ls") { Process.Start(v); }',
            False,
        ),
        ("csharp", "C", 'var v = $"ls {Request.Query["v"]}"; Process.Start("sh", v);', True),
        (
            "csharp",
            "C",
            'var d = new Dictionary<string, string>(); d["a"] = Request.Query["v"]; Process.Start(d["a"]);',
            True,
        ),
        ("csharp", "C", "foreach (var v in Request.Query) { Process.Start(v); }", True),
        ("csharp", "C", 'for (int i = 0; i < 2; i++) { Process.Start(Request.Query["v"]); }', True),
        ("csharp", "C", 'do { Process.Start(Request.Query["v"]); } while (G());', True),
        (
            "csharp",
            "C",
            'try { G(); } catch (Exception e) { Process.Start(Request.Query["v"]); } finally { G(); }',
            True,
        ),
        ("csharp", "C", 'using (var s = new S()) { Process.Start(Request.Query["v"]); }', True),
        (
            "csharp",
            "C",
            'switch (1) { case 1: Process.Start(Request.Query["v"]); break; default: break; }',
            True,
        ),
        (
            "csharp",
            "C",
            'switch (2) { case 1: Process.Start(Request.Query["v"]); break; default: break; }',
            False,
        ),
        ("csharp", "C", 'var v = true ? "ls" : Request.Query["v"]; Process.Start(v);', False),
        ("csharp", "C", 'var v = Request?.Query["v"]; Process.Start(v ?? "ls");', True),
        (
            "csharp",
            "C",
            'Func<string, string> f = x => x; Process.Start(f(Request.Query["v"]));',
            True,
        ),
        ("csharp", "C", 'var a = new[] { "x", Request.Query["v"] }; Process.Start(a[1]);', True),
        (
            "csharp",
            "C",
            'lock (this) { var v = (string)Request.Query["v"]; Process.Start(v); }',
            True,
        ),
        ("csharp", "C", 'int v = int.Parse(Request.Query["v"]); Process.Start("ls", v);', False),
        (
            "csharp",
            "C",
            'var p = new ProcessStartInfo { FileName = Request.Query["v"] }; Process.Start(p);',
            True,
        ),
        (
            "php",
            "P",
            "function g(string $c = 'x', ...$r) { return $r[0]; } system(g('a', $_GET['v']));",
            True,
        ),
        ("php", "P", "$a = ['x', ...[$_GET['v']]]; system($a[1]);", True),
        ("php", "P", "[$a, $b] = ['x', $_GET['v']]; system($b);", True),
        ("php", "P", "list($a, $b) = ['x', $_GET['v']]; system($a);", False),
        ("php", "P", "$a[] = 'x'; $a[] = $_GET['v']; system($a[1]);", True),
        ("php", "P", "$a = match(1) { 1 => $_GET['v'], default => 'x' }; system($a);", True),
        ("php", "P", "$f = fn($c) => $c; system($f($_GET['v']));", True),
        ("php", "P", "$a = $_GET['v'] ?? 'x'; system($a);", True),
        ("php", "P", "$a = $_GET['v'] ?: 'x'; system($a);", True),
        ("php", "P", "do { system($_GET['v']); } while (g());", True),
        ("php", "P", "foreach ([$_GET['v']] as $v): system($v); endforeach;", True),
        (
            "php",
            "P",
            "if ($_GET['v'] === 'ls') { system($_GET['v']); } elseif (g()) { system($_GET['v']); }",
            True,
        ),
        ("php", "P", "static $x = 1; global $y; system(\"ls {$_GET['v']} $y\");", True),
        (
            "php",
            "P",
            "class A { const B = 'ls'; static function f($c) { system($c); } } A::f($_GET['v']);",
            True,
        ),
        ("php", "P", "$o = new class { public $v; }; $o->v = $_GET['v']; system($o->v);", True),
        ("php", "P", "unset($a); echo 1; system((string) $_GET['v']);", True),
        ("php", "P", "$v = $_GET['v']; $v = 'ls'; system($v);", False),
    ],
)
def test_other_languages(language: str, frame: str, body: str, *, reached: bool) -> None:
    frames = {
        "C": "using System.Diagnostics;\nclass A : Controller {\n  public void F() {\n    %s\n  }\n}\n",
        "P": "<?php\n%s\n",
    }
    assert _reaches(frames[frame] % body, language) == reached


@pytest.mark.parametrize(
    ("pattern", "plain"),
    [
        ("[a-z]+", True),
        ("/^[A-Za-z0-9_-]+$/", True),
        (r"(?P<a>[-\w]+)", True),
        ("[A-z]+", False),
        ("[0-z]+", False),
        ("[a-z.]+", False),
        (r"\S+", False),
        ("abc", False),
    ],
)
def test_a_plain_pattern_matches_letters_digits_and_hyphens_alone(
    pattern: str, *, plain: bool
) -> None:
    assert is_plain(pattern) == plain


def test_what_both_of_two_tests_show_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[object] = []
    prove = Guards.prove

    def count(self: Guards, expr: ir.Expr, categories: frozenset[str], scope: Scope) -> None:
        shown.append(expr)
        prove(self, expr, categories, scope)

    monkeypatch.setattr(Guards, "prove", count)
    test = "x === 'a'"
    for _ in range(4):
        test = f"(({test} && {test}) || ({test} && {test}))"
    code = f"function f() {{ const x = location.hash; if ({test}) {{ eval(x); }} }}"
    analyse(Source("untitled:x", code, "javascript"), budget=60)
    assert 0 < len(shown) < 1_000
