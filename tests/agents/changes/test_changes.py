"""What one edit says of other places, by kind of change and language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pytest

from coai_agents.changes.finding import changed, places
from coai_agents.changes.learning import Learner
from coai_agents.source import Source
from coai_agents.syntax.tree import parse


@dataclass(frozen=True, slots=True)
class Case:
    """An edit, the rest of the file, and what it is to become; no rest is to stay as it is."""

    name: str
    language: str
    before: str
    after: str
    rest: str
    wanted: str
    around: tuple[str, str] = ("", "")


JAVA: Final = ("class A {\n void all() {\n", "\n }\n}\n")
GO: Final = ("package a\n\nfunc all() {\n", "\n}\n")

CASES: Final = [
    Case(
        "argument added",
        "python",
        "send(a, 1)",
        "send(a, 1, retry=True)",
        "send(b, 2)\nother(c)",
        "send(b, 2, retry=True)\nother(c)",
    ),
    Case(
        "argument added on a line of its own",
        "python",
        "send(a)",
        "send(a, retry=True)",
        "send(\n    b,\n    2,\n)",
        "send(\n    b,\n    2,\n    retry=True,\n)",
    ),
    Case(
        "an argument that is there already",
        "python",
        "send(a, 1)",
        "send(a, 1, retry=True)",
        "send(b, 2, retry=False)",
        "send(b, 2, retry=False)",
    ),
    Case(
        "an argument that only the edited function knows",
        "python",
        "def f(limit):\n    send(1)",
        "def f(limit):\n    send(1, limit)",
        "def g(x):\n    send(2)\ndef h(limit):\n    send(3)",
        "def g(x):\n    send(2)\ndef h(limit):\n    send(3, limit)",
    ),
    Case(
        "argument added",
        "typescript",
        "send(a, 1);",
        "send(a, 1, true);",
        "send(b, 2);\nsend(b);",
        "send(b, 2, true);\nsend(b);",
    ),
    Case(
        "argument added in front",
        "go",
        "load(a, 1)",
        "load(nil, a, 1)",
        "load(b, 2)",
        "load(nil, b, 2)",
        GO,
    ),
    Case(
        "argument added",
        "java",
        "x.load(a);",
        "x.load(a, true);",
        "y.load(b);",
        "y.load(b, true);",
        JAVA,
    ),
    Case(
        "argument removed",
        "python",
        "send(a, wait=1)",
        "send(a)",
        "send(b, wait=2)\nsend(c)",
        "send(b)\nsend(c)",
    ),
    Case(
        "argument removed",
        "typescript",
        "send(a, null);",
        "send(a);",
        "send(b, null);\nsend(c, 5);",
        "send(b);\nsend(c, 5);",
    ),
    Case(
        "arguments reordered",
        "python",
        "put(key, value)",
        "put(value, key)",
        "put(name, size)",
        "put(size, name)",
    ),
    Case(
        "arguments reordered",
        "go",
        "put(key, value)",
        "put(value, key)",
        "put(name, size)",
        "put(size, name)",
        GO,
    ),
    Case(
        "keyword renamed",
        "python",
        "send(a, wait=1)",
        "send(a, timeout=1)",
        "send(b, c, wait=2)\nother(wait=3)",
        "send(b, c, timeout=2)\nother(wait=3)",
    ),
    Case(
        "call renamed",
        "python",
        "x.fetch(a)",
        "x.request(a)",
        "y.fetch()\ny.fetch",
        "y.request()\ny.fetch",
    ),
    Case(
        "call renamed",
        "typescript",
        "x.fetch(a);",
        "x.request(a);",
        "y.z.fetch(b);",
        "y.z.request(b);",
    ),
    Case(
        "call renamed",
        "java",
        "x.fetch(a);",
        "x.request(a);",
        "y.fetch(b, 1);",
        "y.request(b, 1);",
        JAVA,
    ),
    Case(
        "call renamed", "go", "x.Fetch(a)", "x.Request(a)", "y.Fetch(b, 1)", "y.Request(b, 1)", GO
    ),
    Case(
        "call of the object itself renamed",
        "python",
        "self.fetch(a)",
        "self.request(a)",
        "self.fetch()\nother.fetch()",
        "self.request()\nother.fetch()",
    ),
    Case(
        "attribute renamed", "python", "a = x.colour", "a = x.color", "b = y.colour", "b = y.color"
    ),
    Case(
        "import changed",
        "python",
        "from shop.old import item",
        "from shop.new import item",
        "from shop.old import other",
        "from shop.new import other",
    ),
    Case(
        "imported name",
        "python",
        "from shop import item",
        "from shop import thing",
        "item(1)\nx.item",
        "thing(1)\nx.item",
    ),
    Case(
        "literal in the same role",
        "python",
        'open(a, encoding="ascii")',
        'open(a, encoding="utf-8")',
        'open(b, encoding="ascii")\nread(encoding="ascii")',
        'open(b, encoding="utf-8")\nread(encoding="ascii")',
    ),
    Case(
        "a number without a role",
        "python",
        "total = 1 + 60",
        "total = 1 + 90",
        "other = 2 + 60",
        "other = 2 + 60",
    ),
    Case(
        "wrapped",
        "python",
        "a = load(x)",
        "a = str(load(x))",
        "b = load(y)\nc = str(load(z))",
        "b = str(load(y))\nc = str(load(z))",
    ),
    Case(
        "await",
        "typescript",
        "const a = load(x);",
        "const a = await load(x);",
        "const b = load(y);",
        "const b = await load(y);",
    ),
    Case("await", "python", "a = load(x)", "a = await load(x)", "b = load(y)", "b = await load(y)"),
    Case(
        "written in another way",
        "python",
        "check(isinstance(a, str))",
        "check_type(a, str)",
        "check(isinstance(b, int))\ncheck(b)",
        "check_type(b, int)\ncheck(b)",
    ),
    Case(
        "a method instead of a function",
        "java",
        "size(list);",
        "list.size();",
        "size(names);",
        "names.size();",
        JAVA,
    ),
    Case(
        "type",
        "python",
        "def f(a: Optional[int]): ...",
        "def f(a: int | None): ...",
        "def g(b: Optional[str]): ...",
        "def g(b: str | None): ...",
    ),
    Case(
        "type",
        "typescript",
        "let a: Foo<string> = x;",
        "let a: Bar<string> = x;",
        "let b: Foo<number> = y;",
        "let b: Bar<number> = y;",
    ),
    Case(
        "parameter removed",
        "python",
        "def f(a, b): ...",
        "def f(a): ...",
        "f(1, 2)\nf(3, b=4)\nf(5)",
        "f(1)\nf(3)\nf(5)",
    ),
    Case(
        "parameter renamed",
        "python",
        "def f(first):\n    return first",
        "def f(one):\n    return first",
        "f(first=2)",
        "f(first=2)",
    ),
    Case(
        "parameter added",
        "python",
        "def f(a): ...",
        "def f(a, size): ...",
        "def g(size):\n    f(1)\ndef h():\n    f(2)",
        "def g(size):\n    f(1, size)\ndef h():\n    f(2)",
    ),
    Case(
        "function renamed",
        "python",
        "def old_name(): ...",
        "def new_name(): ...",
        "old_name()\nx = old_name\ny.old_name",
        "new_name()\nx = new_name\ny.old_name",
    ),
    Case(
        "one of two definitions",
        "python",
        "def name(): ...",
        "def new(): ...",
        "def name(): ...\nname()",
        "def name(): ...\nname()",
    ),
    Case("what does not parse", "python", "x.fetch(a)", "x.request(a)", "y.fetch(", "y.fetch("),
]


def text_of(case: Case, first: str) -> str:
    return f"{case.around[0]}{first}\n{case.rest}{case.around[1]}\n"


def after_all(case: Case) -> str:
    """Return the file with the first edit's first pattern carried out everywhere."""
    uri = "file:///work/a"
    before = Source(uri, text_of(case, case.before), case.language)
    after = Source(uri, text_of(case, case.after), case.language, version=1)
    tree = parse(after)
    assert tree is not None
    for pattern in Learner().settled(before, after):
        found = places(pattern, tree)
        if found:
            return changed(after, found).text
    return after.text


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.language}: {case.name}")
def test_an_edit_says_what_other_places_need(case: Case) -> None:
    wanted = Case(case.name, case.language, case.before, case.after, case.wanted, "", case.around)
    if case.name == "parameter renamed":
        assert "return one" in after_all(case)
    else:
        assert after_all(case) == text_of(wanted, case.after)
