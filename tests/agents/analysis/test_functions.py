# ruff: noqa: E501 - each program of the tables is one line
"""What a function leaves behind: open files and changed defaults; and where in it a call is."""

from __future__ import annotations

import pytest

from coai_agents.analysis.findings.findings import Finding, Severity
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source


def _of(rule: str, text: str, language: str = "python") -> list[Finding]:
    found = analyse(Source("untitled:x", text, language)).findings
    return [each for each in found if each.rule == rule]


def _body(lines: str) -> str:
    return "import json, atexit\ndef f(p, all=None):\n" + "".join(
        f"    {line}\n" for line in lines.splitlines()
    )


@pytest.mark.parametrize(
    ("body", "leaks"),
    [
        ("f = open(p)\nreturn f.read()", True),
        ("f = open(p)\nf.close()", False),
        ("f = open(p)\nx = f.read()\nf.close()\nreturn x", False),
        ("f = open(p)\nif p:\n    return 1\nf.close()", True),
        ("f = open(p)\nif p:\n    raise ValueError\nf.close()", True),
        ("f = open(p)\nif p:\n    f.close()\n    return 1\nf.close()", False),
        ("f = open(p)\ntry:\n    return f.read()\nfinally:\n    f.close()", False),
        ("try:\n    f = open(p)\nexcept OSError:\n    raise KeyError\nelse:\n    f.close()", False),
        ("with open(p) as f:\n    return f.read()", False),
        ("f = open(p)\nwith f:\n    return f.read()", False),
        ("f = open(p)\nreturn f", False),
        ("f = open(p)\nself.f = f", False),
        ("self.f = open(p)", False),
        ("f = open(p)\nall.append(f)", False),
        ("f = open(p)\ng(f)", False),
        ("f = open(p)\nx = [f]", False),
        ("f = open(p)\nreturn json.load(f)", True),
        ("f = open(p)\nfor line in f:\n    print(line)", True),
        ("f = open(p)\nif f:\n    g(f.name)", True),
        ("f = open(p)\nif f is not None:\n    g()", True),
        ("f = open(p)\natexit.register(f.close)", False),
        ("f = open(p)\ndef inner():\n    return f.read()\nreturn inner", False),
        ("f = open(p)\ndef inner():\n    f.close()\nreturn inner", False),
        ("f = open(p)\nf.readline().strip()", True),
        ("f = open(p)\nf = open(all)\nf.close()", False),
        ("yield open(p)", False),
        ("f = open(p)\nwhile f.read():\n    pass", True),
        ("f = open(p)\nx = {'a': f.read()}\nreturn x", True),
    ],
)
def test_what_is_opened_is_closed_on_every_way(body: str, *, leaks: bool) -> None:
    assert bool(_of("resource-leak", _body(body))) == leaks


@pytest.mark.parametrize(
    ("body", "leaks"),
    [
        ("FileReader r = new FileReader(p); r.read(); r.close();", True),
        ("FileReader r = new FileReader(p); try { r.read(); } finally { r.close(); }", False),
        ("try (FileReader r = new FileReader(p)) { r.read(); }", False),
        (
            "FileReader r = new FileReader(p); BufferedReader b = new BufferedReader(r); b.read();",
            True,
        ),
        ("FileReader r = new FileReader(p); return new Wrapper(r);", False),
    ],
)
def test_in_java_errors_are_ways_out_too(body: str, *, leaks: bool) -> None:
    text = f"class A {{ Object f(String p) throws Exception {{ {body} }} }}"
    assert bool(_of("resource-leak", text, "java")) == leaks


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("def f(a=[]):\n    a.append(1)\n", Severity.WARNING),
        ("def f(a={}):\n    a['b'] = 1\n", Severity.WARNING),
        ("def f(a=set()):\n    return a\n", Severity.WARNING),
        ("def f(a=[]):\n    a += [1]\n", Severity.WARNING),
        ("def f(self, a=[]):\n    self.a = a\n", Severity.WARNING),
        ("def f(a: list = []):\n    if a:\n        a.clear()\n", Severity.WARNING),
        ("def f(a=[]):\n    return len(a)\n", Severity.HINT),
        ("def f(a={}):\n    for b in a:\n        print(b)\n", Severity.HINT),
        ("def f(a=()):\n    return a\n", None),
        ("def f(a=None):\n    a.append(1)\n", None),
        ("def f(a=g()):\n    a.append(1)\n", None),
    ],
)
def test_a_default_that_is_changed_matters_more(text: str, severity: Severity | None) -> None:
    found = _of("mutable-default", text)
    assert (found[0].severity if found else None) == severity
    assert len(found) <= 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import time\nasync def f():\n    time.sleep(1)\n", True),
        (
            "import time\nasync def f():\n    for a in b:\n        if a:\n            time.sleep(1)\n",
            True,
        ),
        ("import time\nasync def f():\n    def g():\n        time.sleep(1)\n    return g\n", False),
        ("import time\ndef f():\n    time.sleep(1)\n", False),
        ("from time import sleep\nasync def f():\n    x = sleep(1)\n", True),
    ],
)
def test_a_blocking_call_is_found_wherever_it_is_in_asynchronous_code(
    text: str, *, found: bool
) -> None:
    assert bool(_of("blocking-in-async", text)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def f(a):\n    for i in a:\n        User.objects.get(id=i)\n", True),
        ("def f(a):\n    while a:\n        User.objects.get(id=a.pop())\n", True),
        ("def f(a):\n    return {i: User.objects.get(id=i) for i in a}\n", True),
        ("def f(a):\n    for u in User.objects.filter(id__in=a):\n        print(u)\n", False),
        ("def f(a):\n    return [u.name for u in User.objects.filter(id__in=a)]\n", False),
        (
            "def f(a):\n    for i in a:\n        def g():\n            return User.objects.get(id=1)\n",
            False,
        ),
        (
            "def g(i):\n    return User.objects.get(id=i)\ndef f(a):\n    for i in a:\n        g(i)\n",
            False,
        ),
    ],
)
def test_a_query_is_in_a_loop_where_its_body_makes_it(text: str, *, found: bool) -> None:
    assert bool(_of("query-in-loop", text)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def f(a):\n    s = ''\n    for b in a:\n        s += b\n", True),
        ("def f(a):\n    s = 'x'\n    while a:\n        s += str(a.pop()) + ','\n", True),
        ("def f(a):\n    s = 0\n    for b in a:\n        s += b\n", False),
        ("def f(a):\n    s = []\n    for b in a:\n        s += [b]\n", False),
        ("def f(a):\n    s = ''\n    s += a\n", False),
    ],
)
def test_text_is_built_in_a_loop_where_text_is_added_to(text: str, *, found: bool) -> None:
    assert bool(_of("string-building", text)) == found


@pytest.mark.parametrize(
    ("line", "language"),
    [
        ("# \u202e turned", "python"),
        ("// \u2066 turned", "javascript"),
        ("plain \u202b text", "plaintext"),
    ],
)
def test_text_that_turns_is_found_in_any_file(line: str, language: str) -> None:
    (found,) = _of("bidirectional-text", f"{line}\n", language)
    assert len(found.span) == 1
    assert _of("bidirectional-text", "é\n", language) == []
