"""A suggestion fits into its line, whatever the model repeats of what stands around it."""

from __future__ import annotations

import pytest

from coai_agents.completion.cursor import Cursor
from coai_agents.completion.outcome import Reason
from coai_agents.completion.stop import structure
from coai_agents.completion.stop.fitting import fit
from coai_agents.completion.stop.structure import SyntaxTrees
from coai_agents.source import Source
from coai_agents.syntax.tree import SyntaxTree, parse
from tests.agents.completion.fitted import MARK, fitted, shown

GO, JS, TS, TSX = "go", "javascript", "typescript", "typescriptreact"


def check(says: str, marked: str, expected: str, language: str) -> None:
    whole = marked.replace(MARK, expected)
    for piece in (1, 3, 400):
        assert shown(says, marked, language, piece=piece) == whole


@pytest.mark.parametrize(
    ("says", "marked", "expected", "language"),
    [
        # The whole rest of the line, and what the model goes on with.
        ('"a", 1)\nprint(2)', "log(¦)\n", '"a", 1', "python"),
        ("g(x)))\n", "f(h(¦))\n", "g(x)", "python"),
        ("n; i += 2) {", "for (let i = 0; i < ¦) {\n  go();\n}\n", "n; i += 2", JS),
        ("x if y else z", "v = ¦ if y else z\n", "x", "python"),
        ("Vec<u8> {", "fn f() -> ¦ {\n    vec![]\n}\n", "Vec<u8>", "rust"),
        ("err != nil {\n\t\treturn", "func f() {\n\tif ¦ {\n\t}\n}\n", "err != nil", GO),
        ("string name) {", "class A {\n  void F(¦) {\n  }\n}\n", "string name", "csharp"),
        # A quote, and more behind it.
        ("b')", "open('¦')\n", "b", "python"),
        ("/v1`)", "get(`¦`).then(x);\n", "/v1", JS),
        ('card" id="a">', '<p class="¦" id="a">b</p>\n', "card", "html"),
        ('card">', 'const a = <p className="¦">b</p>;\n', "card", TSX),
        # Code within a string ends where the string goes on.
        ('name}!")', 'print(f"Hi {¦}")\n', "name", "python"),
        ("name}`;", "const a = `Hi ${¦}`;\n", "name", TS),
        ("name`;", "const a = `Hi ${¦}`;\n", "name", TS),
        ('name}"', 'puts "Hi #{¦}"\n', "name", "ruby"),
        # The sign that stands there already.
        ("n * 2;", "int f(int n) {\n  return ¦;\n}\n", "n * 2", "c"),
        ('"b",', "const a = {\n  b: ¦,\n  c: 1,\n};\n", '"b"', JS),
        ("not done:", "while ¦:\n    go()\n", "not done", "python"),
        ("li>", "<¦></li>\n", "li", "html"),
        # The beginning of the rest, whole or after something of its own.
        ("size", "make(¦size, 2)\n", "", "python"),
        ("size, ", "make(¦size, 2)\n", "", "python"),
        ("box.size", "print(¦.size)\n", "box", "python"),
        ("ult_size", "defa¦ult_size = 1\n", "", "python"),
        ("12", "range(¦12)\n", "", "python"),
        ('class="b">c</a>', '<a id="¦" class="b">c</a>\n', "", "html"),
        # A sentence that the comment ends already, which the suggestion begins.
        ("// Reads all.\nread();", "¦.\nread();\n", "// Reads all", TS),
        # A quote where the grammar sees none.
        ('included here"', '#error "must not be ¦"\nint a;\n', "included here", "c"),
        # Two words that are known make no third one that is not.
        ("rows", "def f(rows):\n    return ¦sorted(rows)\n", "", "python"),
        ("a", "function f(a, max) {\n  let b = max;\n  return ¦max(a);\n}\n", "", JS),
        ("is_", "def f(is_, good, is_good):\n    return ¦good(1)\n", "is_", "python"),
        ("pre", "x = ¦fix(1)\n", "pre", "python"),
        # Arguments where a call's brackets are.
        ("end(1)", "xs.app¦()\n", "end", "python"),
        ("push(1);", "xs.¦();\n", "push", JS),
        ("format(x, y)", "s.¦(z)\n", "format", "python"),
        ("append(", "xs.¦(y)\n", "append", "python"),
        # What would not parse.
        ("(1 + rate)", "x = price * ¦rate\n", "", "python"),
        ("a) + f(b", "x = f(¦)\n", "a) + f(b", "python"),
    ],
)
def test_the_rest_of_the_line_is_not_written_again(
    says: str, marked: str, expected: str, language: str
) -> None:
    check(says, marked, expected, language)


@pytest.mark.parametrize(
    ("says", "marked", "expected", "language"),
    [
        ("return a + b", "def f(a, b):\n    return ¦\n", "a + b", "python"),
        ("return a + b", "def f(a, b):\n    re¦\n", "turn a + b", "python"),
        ("return a + b;", "function f(a, b) {\n  return ¦;\n}\n", "a + b", JS),
        ("const total = 1;", "const total = ¦\n", "1;", JS),
        (
            "self.name = name",
            "class A:\n    def f(self, name):\n        self.na¦\n",
            "me = name",
            "python",
        ),
        (
            "self.name = name",
            "class A:\n    def f(self, name):\n        self.¦\n",
            "name = name",
            "python",
        ),
        ('print("a")', "print(¦)\n", '"a"', "python"),
        ('print("a")', "print(¦", '"a")', "python"),
        ("new Map();", "const a = new ¦\n", "Map();", JS),
        ('"hello"', 'x = "¦"\n', "hello", "python"),
        ("// Adds two numbers.", "// ¦\nint x;\n", "Adds two numbers.", "c"),
        ("// Adds two numbers.", "/¦\nint x;\n", "/ Adds two numbers.", "c"),
        ("$total = 1;", "<?php\n$¦\n", "total = 1;", "php"),
        ("def f(a, b):\n    return a + b", "def f(a, b):\n    return ¦\n", "a + b", "python"),
        (
            "total = 0\nfor x in xs:\n    total += x",
            "total = 0\n¦\n",
            "for x in xs:\n    total += x",
            "python",
        ),
        # Where it is no echo.
        ("fib(n - 1)", "def fib(n):\n    return fib(¦)\n", "fib(n - 1)", "python"),
        ("max(a, b)", "x = max(¦, c)\n", "max(a, b)", "python"),
        ("reset()", "rereset = 1\nre¦\n", "reset()", "python"),
        ("long x = 1;", "long ¦\n", "long x = 1;", "c"),
    ],
)
def test_the_line_before_the_cursor_is_not_written_again(
    says: str, marked: str, expected: str, language: str
) -> None:
    check(says, marked, expected, language)


@pytest.mark.parametrize(
    ("says", "marked", "language"),
    [
        ("x)", "y = f(g(¦)\n", "python"),
        ("int i = 0;", "void f() { for (¦; i++) g(); }\n", "c"),
        (", 0", "a = [0¦, 1]\n", "python"),
        (" ' + b + '", "x = 'a¦'\n", "python"),
        ("[0]", "x = m¦[1]\n", "python"),
        ("{\n  a: 1,\n}", "f(¦);\n", JS),
        ("u8>", "fn f(x: Vec<Vec<¦>) {}\n", "rust"),
        (" is", "# This¦ a comment\n", "python"),
        ("``", "text ¦ text\n", "markdown"),
    ],
)
def test_what_fits_is_left_as_it_is(says: str, marked: str, language: str) -> None:
    assert fitted(says, marked, language) == says


def test_what_stands_there_already_is_the_reason() -> None:
    assert fitted("size", "make(¦size)\n") is Reason.FILTERED_COPY_OF_NEXT_LINE
    assert fitted("(1 + rate)", "x = price * ¦rate\n") is Reason.FILTERED_OUT_OF_PLACE


@pytest.mark.parametrize(
    ("says", "line", "most"),
    [
        ("a, b", "print(¦)", 0),
        ("a, b)", "print(¦)", 1),
        ("a, b", "print(¦", 0),
        ("a = (", "print(¦, c)", 6),
    ],
    ids=["what fits", "what fits when it is cut", "the end of a line", "what breaks the line"],
)
def test_only_for_what_does_not_parse_is_a_document_parsed_wholly(
    says: str, line: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: list[Source] = []

    def counting(source: Source, previous: SyntaxTree | None = None) -> SyntaxTree | None:
        if previous is None:
            whole.append(source)
        return parse(source, previous)

    monkeypatch.setattr(structure, "parse", counting)
    before, _, after = line.partition(MARK)
    head = "x = 1\n" * 50
    source = Source("file:///case", f"{head}{before}{after}\n", "python")
    cursor = Cursor.at(source, len(head) + len(before))
    fit(says, cursor, SyntaxTrees().ground(source, cursor))
    assert min(1, most) <= len(whole) <= most, [one.text[len(head) :] for one in whole]


@pytest.mark.parametrize(
    ("language", "marked", "says", "wanted"),
    [
        # What opens the bracket that is too many is what was missing.
        ("python", "def g(x):\n    return ¦f(x))\n", "g(", "def g(x):\n    return g(f(x))\n"),
        ("python", "def g(a):\n    return ¦0]\n", "a[", "def g(a):\n    return a[0]\n"),
        # What does not leaves the line as broken as it was.
        ("python", "def g(x):\n    return ¦f(x))\n", "x + ", None),
        ("python", "def g(x):\n    return ¦x]\n", "x * ", None),
        ("python", "def g(x):\n    y = ¦ + f(x))\n    return y\n", "x", None),
        ("javascript", "async function g(x) {\n  return ¦f(x));\n}\n", "await ", None),
        ("typescript", "const a = [¦2]];\n", "1, ", None),
        ("java", "class A { int f(int x) { return ¦g(x)); } }\n", "1 + ", None),
        # A line that is broken otherwise may be completed.
        ("python", "def g(x):\n    return f(¦) +\n", "x", "def g(x):\n    return f(x) +\n"),
    ],
)
def test_a_bracket_too_many_in_the_line_has_to_be_opened(
    language: str, marked: str, says: str, wanted: str | None
) -> None:
    assert shown(says, marked, language) == (wanted or marked.replace("¦", ""))
