"""What costs more than it has to is found in each language, and what does not is left alone."""

from __future__ import annotations

import pytest

from coai_agents.source import Source
from coai_agents.specialists.performance.bottlenecks import bottlenecks
from coai_agents.specialists.performance.known import kinds

FOUND = [
    ("python", "def f(c, ids):\n    for i in ids:\n        c.execute(q, (i,))\n", "query-in-loop"),
    ("python", "def f(us):\n    return [requests.get(u) for u in us]\n", "request-in-loop"),
    ("python", "def f(xs):\n    while xs:\n        subprocess.run(['a'])\n", "process-in-loop"),
    ("python", "def f(xs):\n    for x in xs:\n        open('a').read()\n", "file-in-loop"),
    (
        "python",
        "def f(xs):\n    for x in xs:\n        re.compile('a+').match(x)\n",
        "compile-in-loop",
    ),
    ("python", "def f(xs, ys: list):\n    return [x for x in xs if x in ys]\n", "search-in-loop"),
    ("python", "def f(xs):\n    s = []\n    for x in xs:\n        s.index(x)\n", "search-in-loop"),
    ("python", "def f(xs, y):\n    for x in xs:\n        x.go(sorted(y))\n", "sort-in-loop"),
    ("python", "def f(xs):\n    for x in xs:\n        x.go(max(xs))\n", "again-in-loop"),
    (
        "python",
        "def f(xs):\n    s = []\n    for x in xs:\n        s.insert(0, x)\n",
        "front-in-loop",
    ),
    ("python", "def f(xs):\n    s = ''\n    for x in xs:\n        s += x\n", "text-in-loop"),
    ("python", "def f(xs):\n    s = ''\n    for x in xs:\n        s += x\n", "text-in-loop"),
    (
        "python",
        (
            "def f(xs, ys):\n    for x in xs:\n        for y in ys:\n            if y.k == x.k:\n"
            "                g(x, y)\n"
        ),
        "nested-search",
    ),
    ("python", "async def f():\n    time.sleep(1)\n", "blocking-in-async"),
    ("python", "async def f(us):\n    for u in us:\n        await g(u)\n", "await-in-loop"),
    ("python", "def f(n):\n    return n if n < 2 else f(n - 1) + f(n - 2)\n", "repeated-recursion"),
    (
        "javascript",
        "function f(ids) { for (const i of ids) { db.query(q, [i]) } }",
        "query-in-loop",
    ),
    ("javascript", "function f(us) { us.forEach(u => { fetch(u) }) }", "request-in-loop"),
    ("javascript", "for (const x of xs) { new RegExp('a').test(x) }", "compile-in-loop"),
    (
        "typescript",
        "function f(a: string[], b: X[]) { b.map(x => a.includes(x.n)) }",
        "search-in-loop",
    ),
    ("typescript", "async function f() { fs.readFileSync('a') }", "blocking-in-async"),
    ("tsx", "async function f(us) { for (const u of us) { await g(u) } }", "await-in-loop"),
    ("javascript", "for (const k of ks) { g(Object.keys(o), k) }", "again-in-loop"),
    (
        "java",
        'class A { void f(List<String> a) { String s = ""; for (String x : a) { s += x; } } }',
        "text-in-loop",
    ),
    (
        "java",
        "class A { void f(List<String> a, X[] b) { for (X x : b) { if (a.contains(x.n)) g(); } } }",
        "search-in-loop",
    ),
    (
        "java",
        'class A { void f(X[] b) { for (X x : b) { Pattern.compile("a+"); } } }',
        "compile-in-loop",
    ),
    (
        "go",
        "package a\nfunc f(xs []X) { for _, x := range xs { db.Query(q, x) } }",
        "query-in-loop",
    ),
    (
        "go",
        (
            'package a\nfunc f(xs []string) string { s := ""\nfor _, x := range xs { s += x }\n'
            "return s }"
        ),
        "text-in-loop",
    ),
    (
        "php",
        "<?php function f($a, $b) { foreach ($b as $x) { in_array($x, $a); } }",
        "search-in-loop",
    ),
    ("php", "<?php foreach ($ids as $id) { $pdo->query($q . $id); }", "query-in-loop"),
    ("php", "<?php for ($i = 0; $i < count($xs); $i++) { g($i); }", "again-in-loop"),
    ("ruby", "def f(ids)\n  ids.each { |id| User.find_by(id: id) }\nend\n", "query-in-loop"),
    (
        "ruby",
        "def f(xs)\n  known = [1]\n  xs.map do |x|\n    known.include?(x)\n  end\nend\n",
        "search-in-loop",
    ),
    (
        "csharp",
        "class A { void F(List<int> a, int[] b) { foreach (var x in b) { a.Contains(x); } } }",
        "search-in-loop",
    ),
    ("csharp", "class A { async Task F() { Thread.Sleep(3); } }", "blocking-in-async"),
]

SILENT = [
    # Not in a loop, or not in what each round runs.
    ("python", "def f(c, i):\n    c.execute(q, (i,))\n"),
    ("python", "def f(c):\n    for row in c.execute(q):\n        g(row)\n"),
    ("python", "def f(us):\n    return [g(u) for u in requests.get(us)]\n"),
    ("javascript", "for (const x of db.query(q)) { g(x) }"),
    # A function that a loop defines is not one that it runs.
    ("python", "for x in xs:\n    def g(c):\n        c.execute(q)\n"),
    # Another pattern, another file, another list in each round.
    ("python", "def f(xs):\n    for x in xs:\n        re.compile(x)\n"),
    ("python", "def f(xs):\n    for x in xs:\n        open(x)\n"),
    ("python", "def f(xs):\n    for x in xs:\n        x.index(3)\n"),
    ("python", "def f(xs):\n    for x in xs:\n        y = sorted(x)\n"),
    ("python", "def f(xs, ys):\n    for x in xs:\n        ys.append(x)\n        g(max(ys))\n"),
    # No list: a set, a string's own membership, a name of which nothing is known.
    ("python", "def f(xs):\n    s = set()\n    for x in xs:\n        g(x in s)\n"),
    ("python", "def f(xs, s):\n    for x in xs:\n        g(x in s)\n"),
    ("typescript", "function f(a: string, b: X[]) { b.map(x => a.includes(x.n)) }"),
    ("java", "class A { void f(Set<String> a, X[] b) { for (X x : b) { a.contains(x.n); } } }"),
    # Numbers are added, and a text is made anew in each round.
    ("python", "def f(xs):\n    s = 0\n    for x in xs:\n        s += x\n"),
    ("python", "def f(xs):\n    for x in xs:\n        s = ''\n        s += x\n"),
    # What belongs to the outer element is gone through, not searched.
    (
        "python",
        (
            "def f(xs):\n    for x in xs:\n        for y in x.ys:\n            if y.k == x.k:\n"
            "                g(y)\n"
        ),
    ),
    ("python", "async def f():\n    await asyncio.sleep(1)\n"),
    ("python", "def f():\n    time.sleep(1)\n"),
    ("python", "async def f():\n    def g():\n        time.sleep(1)\n"),
    ("python", "def f(n):\n    return 1 if n < 2 else n * f(n - 1)\n"),
    ("python", "# for x in xs: c.execute(q)\ns = 'for x in xs: re.compile(1)'\n"),
    ("rust", "fn f() { for x in xs { db.query(x); } }"),
]


@pytest.mark.parametrize(("language", "text", "kind"), FOUND)
def test_what_is_done_again_and_again_is_found(language: str, text: str, kind: str) -> None:
    assert [each.kind for each in bottlenecks(Source("file:///a", text, language))] == [kind]


@pytest.mark.parametrize(("language", "text"), SILENT)
def test_what_is_done_once_is_not(language: str, text: str) -> None:
    assert [each.kind for each in bottlenecks(Source("file:///a", text, language))] == []


def test_every_kind_is_found_somewhere() -> None:
    assert {kind for _, _, kind in FOUND} == set(kinds())
