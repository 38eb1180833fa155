"""What the rules write in place of a bottleneck does the same, and runs less."""

from __future__ import annotations

from typing import Any

import pytest

from coai_agents.source import Source
from coai_agents.specialists.edits import change
from coai_agents.specialists.performance.bottlenecks import bottlenecks
from coai_agents.specialists.performance.patching import patches
from coai_agents.syntax.tree import parse


def patched(text: str, language: str = "python") -> list[str]:
    source = Source("file:///a", text, language)
    return [
        change(source, candidate.edits).after.text
        for found in bottlenecks(source)
        for candidate in patches(source, found)
    ]


@pytest.mark.parametrize(
    ("text", "arguments", "written"),
    [
        (
            (
                "import re\ndef f(xs):\n    found = 0\n    for x in xs:\n"
                "        found += bool(re.compile('a+b').search(x))\n    return found\n"
            ),
            (["ab", "b", "aab"],),
            "pattern = re.compile('a+b')",
        ),
        (
            "def f(xs):\n    return [x for x in xs if x > sum(xs) / len(xs)]\n",
            ([1, 2, 9],),
            "sum_xs = sum(xs)",
        ),
        (
            (
                "def f(xs, ys):\n    found = []\n    for x in xs:\n"
                "        found.append(sorted(ys)[0] + x)\n    return found\n"
            ),
            ([1, 2], [3, 1]),
            "sorted_ys = sorted(ys)",
        ),
        (
            (
                "def f(xs):\n    seen = []\n    for x in xs:\n        if x not in seen:\n"
                "            seen.append(x)\n    return seen\n"
            ),
            ([1, 2, 1, 3, 2],),
            "seen_set.add(x)",
        ),
        (
            "def f(xs, known: list):\n    return [x for x in xs if x in known]\n",
            ([1, 2, 3], [3, 1]),
            "known_set = set(known)",
        ),
        (
            (
                "def f(n):\n    queue = [n]\n    found = 0\n    while queue:\n"
                "        found += queue.pop(0)\n        if found < 50:\n"
                "            queue.append(found)\n    return found\n"
            ),
            (3,),
            "queue.popleft()",
        ),
        (
            "def f(n):\n    return n if n < 2 else f(n - 1) + f(n - 2)\n",
            (12,),
            "@cache",
        ),
    ],
)
def test_a_patch_means_the_same(text: str, arguments: tuple[Any, ...], written: str) -> None:
    (after,) = patched(text)
    assert written in after
    assert ran(after, arguments) == ran(text, arguments)


def ran(text: str, arguments: tuple[Any, ...]) -> object:
    names: dict[str, Any] = {}
    exec(text, names)
    return names["f"](*arguments)


@pytest.mark.parametrize(
    ("language", "text", "written"),
    [
        (
            "javascript",
            "function f(xs) {\n  for (const x of xs) {\n    g(new RegExp('a').test(x));\n  }\n}\n",
            "  const pattern = new RegExp('a');\n  for",
        ),
        (
            "typescript",
            (
                "function f(xs: X[], a: string[]) {\n  for (const x of xs) {\n"
                "    if (a.includes(x.n)) { g(x); }\n  }\n}\n"
            ),
            "  const aSet = new Set(a);\n  for",
        ),
        (
            "go",
            (
                "package a\n\nfunc f(xs []string) {\n\tfor _, x := range xs {\n"
                '\t\tregexp.MustCompile("a").MatchString(x)\n\t}\n}\n'
            ),
            '\tpattern := regexp.MustCompile("a")\n\tfor',
        ),
        (
            "php",
            "<?php\nfunction f($xs) {\n  for ($i = 0; $i < count($xs); $i++) {\n    g();\n  }\n}\n",
            "  $count_xs = count($xs);\n  for",
        ),
        (
            "csharp",
            (
                "class A {\n  void F(string[] xs) {\n    foreach (var x in xs) {\n"
                '      g(new Regex("a"), x);\n    }\n  }\n}\n'
            ),
            '    var pattern = new Regex("a");\n    foreach',
        ),
        (
            "ruby",
            'def f(xs)\n  xs.each do |x|\n    g(Regexp.new("a"), x)\n  end\nend\n',
            "",
        ),
    ],
)
def test_what_is_done_once_stands_before_the_loop(language: str, text: str, written: str) -> None:
    after = patched(text, language)
    assert all(written in each for each in after)
    assert bool(after) is bool(written)
    for each in after:
        tree = parse(Source("file:///a", each, language))
        assert tree is not None
        assert not tree.has_error


@pytest.mark.parametrize(
    "text",
    [
        # The list is changed in ways that a set does not follow, or handed on.
        "def f(xs):\n    s = []\n    for x in xs:\n        g(x in s)\n        s.pop()\n",
        "def f(xs):\n    s = []\n    for x in xs:\n        g(x in s)\n        y = s.append(x)\n",
        # A queue is indexed, or is the result.
        "def f(n):\n    q = [n]\n    while q:\n        q.pop(0)\n        g(q[0])\n",
        "def f(n):\n    q = [n]\n    while g():\n        q.insert(0, n)\n    return q\n",
        # A method has another cache than a function.
        "class A:\n    def f(self, n):\n        return self.f(n - 1) + self.f(n - 2)\n",
        # The loop does not begin its line.
        "def f(xs):\n    if xs: [g(x, max(xs)) for x in xs]\n",
    ],
)
def test_what_may_mean_something_else_is_not_written(text: str) -> None:
    assert bottlenecks(Source("file:///a", text, "python"))
    assert patched(text) == []


def test_a_new_name_is_none_that_the_file_has() -> None:
    (after,) = patched("def f(xs, sum_xs):\n    return [x for x in xs if x > sum(xs) + sum_xs]\n")
    assert "sum_xs1 = sum(xs)" in after
