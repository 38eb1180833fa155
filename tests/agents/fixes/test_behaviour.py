# ruff: noqa: E501 - each program of the tables is one text
"""Pure functions give what they gave, told without running a line of the program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.fixes.equivalence import evaluator
from coai_agents.fixes.equivalence.behaviour import same_results
from coai_agents.fixes.fixers import fixes_for
from coai_agents.fixes.verifier import means_the_same
from coai_agents.source import Edit, Source

if TYPE_CHECKING:
    from pathlib import Path

LOOP = "def f(a):\n    out = []\n    for x in a:\n        if x:\n            out.append(x * 2)\n    return out\n"
LARGER = "def f(a, b):\n    if a > b:\n        return a\n    else:\n        return b\n"
NOT_IN = "def f(a, b):\n    return not a in b\n"
GUARDED = "def f(a):\n    if not a:\n        raise ValueError('x')\n    return a[0]\n"

ALIKE = (
    (LOOP, "def f(a):\n    return [x * 2 for x in a if x]\n"),
    (LARGER, "def f(a, b):\n    return max(a, b)\n"),
    (LARGER, "def f(a, b):\n    return a if a > b else b\n"),
    (NOT_IN, "def f(a, b):\n    return a not in b\n"),
    ("def f(a):\n    return {x for x in a}\n", "def f(a):\n    return set(a)\n"),
    ("def f(n):\n    return f'{n}!' + str(n)\n", "def f(n):\n    return f'{n}!{n}'\n"),
    (
        "def f(n):\n    i = 0\n    while i < 3:\n        i += 1\n        if i == n:\n            break\n    return i\n",
        "def f(n):\n    for i in range(1, 4):\n        if i == n:\n            break\n    return i\n",
    ),
    ("def g(x):\n    return x + 1\ndef f(x):\n    return g(g(x))\n",) * 2,
    ("def f(n):\n    return not n\n", f"def f(n):\n    return {'not ' * 901}n\n"),
)
"""Two ways of writing one function."""

OTHERS = (
    (LOOP, "def f(a):\n    return [x * 2 for x in a]\n"),
    (LOOP, "def f(a):\n    return [x + x for x in a if x is not None]\n"),
    (LOOP, "def f(a):\n    return None\n"),
    (LARGER, "def f(a, b):\n    return min(a, b)\n"),
    (NOT_IN, "def f(a, b):\n    return a in b\n"),
    (GUARDED, "def f(a):\n    return a[0] if a else None\n"),
    (GUARDED, "def f(a):\n    if not a:\n        raise KeyError('x')\n    return a[0]\n"),
    ("def f(a):\n    a.sort()\n    return a[0]\n", "def f(a):\n    return sorted(a)[0]\n"),
    ("def f(a, b, c, d):\n    return a\n", "def f(a, b, c, d):\n    return d\n"),
    ("def f():\n    return [1, 2]\n", "def f():\n    return [2, 1]\n"),
    (
        "def f(x):\n    return g(x)\ndef g(x):\n    return x * 2\n",
        "def f(x):\n    return g(x)\ndef g(x):\n    return x * 3\n",
    ),
)
"""A function, and one that gives something else."""

NESTED = "".join(f"    {name} = []\n" for name in "abcdef")
GROWN = "".join(
    f"    {outer}.extend([{inner}] * 140)\n" for outer, inner in zip("abcde", "bcdef", strict=True)
)
"""Lists in lists that grow when those that hold them have been looked at."""
UNTOLD = (
    "import os\ndef f(n):\n    return os.system('touch made')\n",
    "def f(n):\n    return open('made', 'w')\n",
    "def f(n):\n    return __import__('os').system('touch made')\n",
    "def f(n):\n    return ().__class__.__base__.__subclasses__()\n",
    "def f(n):\n    return ''.join.__self__\n",
    'def f(n):\n    return eval(\'open("made", "w")\')\n',
    "def f(n):\n    return getattr(n, '__class__')\n",
    "def f(n):\n    return '{0.__class__}'.format(n)\n",
    "def f(n):\n    while True:\n        n = 1\n",
    "def f(n):\n    return f(n)\n",
    "def f(n):\n    a = [1]\n    while True:\n        a.extend(a)\n",
    "def f(n):\n    a = []\n    for i in range(100):\n        a = [a, a]\n    return a\n",
    "def f(n):\n    a = []\n    a.append(a)\n    return str(a)\n",
    "def f(n):\n    return sum(range(100000000000))\n",
    "def f(n):\n    return [0] * 1000000000\n",
    "def f(n):\n    return 'ab' * 1000000000\n",
    "def f(n):\n    return 9 ** 9 ** 9 ** 9\n",
    "def f(n):\n    return 1 << 100000000000\n",
    "def f(n):\n    a = 'xxxx'\n    for i in range(99):\n        a = a.replace('x', a)\n    return a\n",
    "def f(n):\n    a = 3\n    for i in range(99):\n        a = a * a\n    return a\n",
    f"def f(n):\n{NESTED}    n.extend([a] * 140)\n{GROWN}    return 2\n",
    (
        "def g(a, b, c, d):\n    a.extend([b] * 140)\n    b.extend([1] * 140)\n    return []\n"
        f"def f(n):\n{NESTED}    return max(a, [b], g(a, b, c, d))\n"
    ),
    f"def f(n):\n    return {' + '.join('1' * 2_000)}\n",
    "def f(*n):\n    return 2\n",
    "@cache\ndef f(n):\n    return 2\n",
    "class A:\n    def f(self):\n        return 2\n",
    "def f(n):\n    return UNKNOWN\n",
    "def f(n:\n",
)
"""What reaches out, never ends, or grows without end; and what means more than is written."""


def _source(text: str, language: str = "python") -> Source:
    return Source("untitled:x", text, language)


@pytest.mark.parametrize(("before", "after"), ALIKE)
def test_a_function_that_is_written_otherwise_is_the_same(before: str, after: str) -> None:
    assert same_results(_source(before), _source(after))


@pytest.mark.parametrize(("before", "after"), OTHERS)
def test_a_function_that_gives_something_else_is_told(before: str, after: str) -> None:
    assert not same_results(_source(before), _source(after))


@pytest.mark.parametrize("before", UNTOLD)
def test_what_is_not_pure_or_has_no_end_is_neither_run_nor_judged(
    before: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    steps = 0
    step = evaluator.Machine._step  # pyright: ignore[reportPrivateUsage] - counted

    def counted(machine: evaluator.Machine) -> None:
        nonlocal steps
        steps += 1
        step(machine)

    monkeypatch.setattr(evaluator.Machine, "_step", counted)
    assert same_results(_source(before), _source("def f(n):\n    return 'other'\n"))
    assert steps <= 2 * evaluator.MOST_ALL + 1_000
    assert not list(tmp_path.iterdir())


def test_a_fix_that_changes_what_a_function_gives_is_refused_and_the_right_one_is_not() -> None:
    source = _source(NOT_IN)
    analysis = analyse(source)
    assert [each.title for each in fixes_for(source, analysis.findings, analysis)]
    wrong = Edit(None, NOT_IN.replace("not a in b", "a in b"))
    assert not means_the_same(source, [wrong], "style-trap")


def test_a_rule_whose_fix_is_meant_to_give_something_else_is_let_through() -> None:
    grown = "def f(a):\n    for x in a:\n        a.append(1)\n        break\n    return a\n"
    edit = Edit(None, grown.replace("append(1)", "append(2)"))
    assert means_the_same(_source(grown), [edit], "modified-while-iterating")
    assert not means_the_same(_source(grown), [edit], "slow-idiom")
    assert means_the_same(_source(grown, "ruby"), [edit], "slow-idiom")
