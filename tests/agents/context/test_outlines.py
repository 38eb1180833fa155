"""What a prompt shows of a file: signatures and first lines of documentation, never bodies."""

from __future__ import annotations

import pytest

from coai_agents.context.outlines import (
    LONGEST_SIGNATURE,
    MOST_MEMBERS,
    OUTLINE,
    Code,
    Imported,
    read_code,
)
from coai_agents.source import Source


def code(name: str, text: str) -> Code:
    return read_code(Source(f"file:///project/{name}", text))


PYTHON = '''
from .store import Store as Shop, load
import a.b

LIMIT = 3


@cached
def total(
    prices: list[int],
    *,
    tax: float = 0.2,
) -> int:
    """Return what is due.

    With taxes.
    """
    return sum(prices)


class Order(Base):
    """An order."""

    count: int = 0

    def __init__(self, number: int) -> None:
        self.number = number

    def pay(self, amount: int) -> bool:
        return self._check(amount)

    def _check(self, amount):
        """Say whether it will do."""
        return amount > 0


class Bare:
    pass


class Listed:
    first = 1
'''


def test_python() -> None:
    found = code("shop.py", PYTHON)
    assert [symbol.text for symbol in found.symbols] == [
        "LIMIT = 3",
        (
            "@cached\n"
            "def total(prices: list[int], *, tax: float = 0.2) -> int:\n"
            '    """Return what is due."""'
        ),
        (
            "class Order(Base):\n"
            '    """An order."""\n'
            "    count: int = 0\n"
            "    def __init__(self, number: int) -> None: ...\n"
            "    def pay(self, amount: int) -> bool: ..."
        ),
        "class Bare: ...",
        "class Listed:\n    first = 1",
    ]
    assert found.imports == (
        Imported(".store", "Store", "Shop"),
        Imported(".store", "load", "load"),
        Imported("a.b", None, "a.b"),
    )
    (check,) = found.members["_check"]
    assert check.text == 'def _check(self, amount):\n    """Say whether it will do."""'


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        (
            "a.ts",
            (
                "/**\n * Adds.\n */\nexport function add(a: number): number { return a }\n"
                "export class K extends L { private x = 1; m(n: number): void {} }\n"
                "export interface I { a: number }\n"
            ),
            [
                "// Adds.\nexport function add(a: number): number",
                "export class K extends L\n    m(n: number): void",
                "export interface I\n    a: number",
            ],
        ),
        (
            "a.go",
            (
                "package a\n// Run runs.\nfunc Run(n int) error { return nil }\n"
                "type Job struct { N int }\nfunc (j *Job) Stop() {}\n"
            ),
            [
                "// Run runs.\nfunc Run(n int) error",
                "type Job struct\n    N int\n    func (j *Job) Stop()",
                "func (j *Job) Stop()",
            ],
        ),
        (
            "a.rs",
            "/// A point.\npub struct P { x: i32 }\nimpl P { pub fn new() -> P { P { x: 1 } } }\n",
            ["// A point.\npub struct P\n    x: i32\n    pub fn new() -> P"],
        ),
        (
            "A.java",
            "class A { int n; private int m; void go(int a) { } private void no() { } }\n",
            ["class A\n    int n;\n    void go(int a)"],
        ),
        (
            "a.cs",
            "namespace N { class A { int M(int a) { return 1; } } }\n",
            ["class A\n    int M(int a)"],
        ),
        ("a.c", "#define TWO 2\nint g(int a) { return a; }\n", ["#define TWO 2", "int g(int a)"]),
        ("a.txt", "def f(): pass\n", []),
    ],
)
def test_other_languages(name: str, text: str, shown: list[str]) -> None:
    assert [symbol.text for symbol in code(name, text).symbols] == shown


def test_what_is_long_is_cut() -> None:
    fields = "".join(f"    field_{n}: int = {n}\n" for n in range(40))
    arguments = ", ".join(f"argument_{n}" for n in range(40))
    found = code("a.py", f"class A:\n{fields}\ndef f({arguments}):\n    pass\n")
    shown, function = found.symbols
    assert len(shown.text.split("\n")) == 1 + MOST_MEMBERS
    assert len(function.text) <= LONGEST_SIGNATURE + len("...")
    assert function.text.endswith("...")


def test_a_class_is_of_no_use_without_members() -> None:
    (shown,) = code("a.py", "class A:\n    a = 1\n    b = 2\n    c = 3\n    d = 4\n").symbols
    assert shown.text[: shown.smallest] == "class A:\n    a = 1\n    b = 2\n    c = 3"
    assert shown.head == "class A"


def test_documentation_of_any_layout_gives_one_line() -> None:
    documented = code(
        "a.js",
        "/* ---- */\n// -----\n//\n// First.\n// Second.\nfunction f() {}\n//\nfunction g() {}\n",
    )
    assert [symbol.text for symbol in documented.symbols] == [
        "// First.\nfunction f()",
        "function g()",
    ]


def test_an_outline_has_a_line_for_each_and_an_end() -> None:
    text = "".join(f"def function_{n}():\n    pass\n" for n in range(100))
    outline = code("a.py", text).outline
    assert outline.startswith("def function_0(): ...\ndef function_1(): ...\n")
    assert len(outline) <= OUTLINE
    assert outline.endswith("(): ...")
    assert code("a.py", "def f(): pass\n").outline == "def f(): ..."


def test_names_may_be_defined_more_than_once() -> None:
    found = code("a.py", "def f(a): pass\ndef f(b): pass\n")
    assert [symbol.text for symbol in found.by_name["f"]] == ["def f(a): ...", "def f(b): ..."]


def test_go_calls_an_import_by_the_end_of_its_path() -> None:
    found = code(
        "a.go", 'package a\nimport (\n "example.org/m/util"\n o "example.org/m/other"\n)\n'
    )
    assert [each.local for each in found.imports] == ["util", "o"]
