"""What a symbol is, in each language: signature, documentation, complexity."""

from __future__ import annotations

import pytest
from tree_sitter import Query

from coai_agents.source import Source
from coai_agents.symbols.hover import Symbol, branch_patterns, symbol_at
from coai_agents.syntax.grammars import grammar_for
from coai_agents.syntax.language import GRAMMARS
from coai_agents.syntax.tree import parse


def symbol(marked: str, language: str = "python") -> Symbol | None:
    """Return the symbol at the mark `|`."""
    offset = marked.index("|")
    text = marked[:offset] + marked[offset + 1 :]
    tree = parse(Source("file:///w/a", text, language))
    assert tree is not None
    return symbol_at(tree, offset)


CASES = [
    (
        "python",
        ('def f|ee(a: int,\n        b=2) -> int:\n    """Say it.\n\n    More.\n    """\n'
        "    if a and b:\n        return [x for x in a if x]\n    return 1 if a else 2\n"),
        "def fee(a: int,\nb=2) -> int",
        "Say it.",
        6,
    ),
    (
        "javascript",
        ("/**\n * Add them.\n * Twice.\n *\n * @param a\n */\nfunction a|dd(a, b) {\n"
        "  for (const x of a) { if (x || b) return 1; }\n}\n"),
        "function add(a, b)",
        "Add them.\nTwice.",
        4,
    ),
    (
        "typescript",
        "class A {\n  // Runs.\n  r|un(x: number): void {\n    x ? 1 : 2;\n  }\n}\n",
        "run(x: number): void",
        "Runs.",
        2,
    ),
    (
        "java",
        ("class A {\n  /** Goes. */\n  int g|o(int x) {\n    switch (x) { case 1: return 2;"
        " default: return 3; }\n  }\n}\n"),
        "int go(int x)",
        "Goes.",
        2,
    ),
    (
        "go",
        ("package p\n\n// Run runs.\nfunc R|un(a int) int {\n\tfor a > 0 && a < 3 {\n\t}\n"
        "\treturn 1\n}\n"),
        "func Run(a int) int",
        "Run runs.",
        3,
    ),
    (
        "php",
        "<?php\n/** Shows. */\nfunction sh|ow($a) {\n  if ($a) { return 1; } elseif (2) {}\n}\n",
        "function show($a)",
        "Shows.",
        3,
    ),
    ("ruby", "# Shows.\ndef sh|ow(a)\n  return 1 if a\n  2\nend\n", "def show(a)", "Shows.", 2),
    (
        "csharp",
        "class A {\n  /// Shows.\n  int Sh|ow(int x) { while (x > 1) {} return x ?? 1; }\n}\n",
        "int Show(int x)",
        "Shows.",
        3,
    ),
    ("rust", "/// Shows.\nfn sh|ow(x: i32) { match x { 1 => (), _ => () } }\n", "fn show(x: i32)",
     "Shows.", 3),
]  # fmt: skip


@pytest.mark.parametrize(("language", "text", "signature", "documentation", "forks"), CASES)
def test_a_function_is_described(
    language: str, text: str, signature: str, documentation: str, forks: int
) -> None:
    found = symbol(text, language)
    assert found is not None
    assert found.signature == signature
    assert found.documentation == documentation
    assert found.complexity == forks


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("def run(): pass\nr|un()\n", "run"),
        ("def run(): pass\nrun|()\n", "run"),
        ("class A:\n    def run(self): pass\n    def go(self): self.r|un()\n", "A.run"),
        ("d|ef run(): pass\n", "run"),
        ("LIMIT = 3\nprint(LIM|IT)\n", "LIMIT"),
        ("def run(a):\n    return le|n(a)\n", None),
        ("def run(a|):\n    return a\n", None),
        ("x = 1 |+ 2\n", None),
        ("def runner(): pass\nru|n()\n", None),
        ("|", None),
    ],
)
def test_a_name_is_found_where_it_is_used(text: str, name: str | None) -> None:
    found = symbol(text)
    assert (found and found.name) == name


def test_functions_within_a_function_are_not_counted_in_and_a_class_is_its_worst_method() -> None:
    inner = "def out|er(a):\n  def inner(b):\n    if b: pass\n    if b: pass\n  if a: pass\n"
    found = symbol(inner)
    assert found is not None
    assert found.complexity == 2
    worst = symbol("class |A:\n    def a(self): pass\n    def b(self, x):\n        if x: pass\n")
    assert worst is not None
    assert worst.complexity == 2
    empty = symbol("class |A:\n    x = 1\n")
    assert empty is not None
    assert empty.complexity is None


def test_long_signatures_and_documentation_are_cut_and_other_definitions_counted() -> None:
    parameters = "".join(f"    a{number},\n" for number in range(20))
    words = "\n".join(f"    line {number}" for number in range(20))
    text = f'def f(\n{parameters}):\n    """Say\n{words}\n    """\n\ndef f(): pass\n|f()\n'
    found = symbol(text)
    assert found is not None
    assert found.signature.endswith("a10,\n…")
    assert found.documentation.endswith("line 4\n…")
    assert found.others == 1


def test_the_patterns_of_branches_are_those_of_the_grammars() -> None:
    languages = {grammar: language for language, grammar in GRAMMARS.items()}
    assert set(branch_patterns()) == set(languages)
    for name, patterns in branch_patterns().items():
        grammar = grammar_for(languages[name])
        assert grammar is not None
        for pattern in patterns:
            assert Query(grammar.language, f"{pattern} @branch").pattern_count == 1
