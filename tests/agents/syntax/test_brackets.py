"""Which brackets are open at the cursor (¦), and which the document never closes."""

from __future__ import annotations

import pytest

from coai_agents.syntax import missing_closers, open_brackets
from tests.agents.syntax.cases import at_mark


@pytest.mark.parametrize(
    ("language", "text", "opened", "missing"),
    [
        ("python", "x = f(a, [b, {¦}])\n", "( [ {", ""),
        ("python", "x = f(a, [b, {¦\n", "( [ {", "}])"),
        ("python", "x = f(a, [b]¦)\n", "(", ""),
        ("python", "x = f(a)¦\n", "", ""),
        ("python", "x = '(' # (¦\n", "", ""),
        ("python", "x = f(a¦\ny = 1\n", "(", ")"),
        ("python", "x = f(a, ¦\n", "(", ")"),
        ("python", 'x = f"{a¦}"\n', "{", ""),
        ("python", "¦", "", ""),
        ("javascript", "function f(a) {\n  g(¦)\n}\n", "{ (", ""),
        ("javascript", "function f(a) {\n  if (a) {\n    ¦", "{ {", "\n}\n}"),
        ("javascript", "function f(a) {\n  if (a) {\n    ¦\n}\n", "{ {", "\n}"),
        ("javascript", "x = `a ${b(¦)}`\n", "${ (", ""),
        ("javascript", "f(a¦", "(", ")"),
        ("javascript", "f([1, 2¦", "( [", "])"),
        ("javascript", "}¦{\n", "", ""),
        ("javascript", "a) ¦ (b\n", "", ""),
        ("go", "package a\nfunc f() {\n\tx := []int{1, ¦\n", "{ {", "\n}\n}"),
        ("java", "class A {\n  void f() {\n    g(¦\n", "{ { (", ")\n}\n}"),
        ("rust", "fn f() { let v = vec![¦]; }\n", "{ [", ""),
        ("c", "int f() {\n  int a[¦\n", "{ [", "]\n}"),
        ("csharp", "class A { void F() { G(¦\n", "{ { (", ")\n}\n}"),
        (
            "ruby",
            "class A\n  def f\n    xs.each do |x|\n      ¦\n    end\n  end\nend\n",
            "class def do",
            "",
        ),
        ("ruby", "class A\n  def f\n    g(¦\n", "class def (", ")\nend\n\nend\n"),
        ("ruby", "def f\n  a if b\n  ¦\nend\n", "def", ""),
        ("ruby", "x = %w(a ¦b)\n", "%w(", ""),
        ("php", "<?php\nfunction f() {\n  g([¦\n", "{ ( [", "])\n}"),
        ("shellscript", "f() {\n  if a; then\n    ¦\n  fi\n}\n", "{ if", ""),
        ("shellscript", "for a in b; do\n  c\n  ¦", "do", "\ndone\n"),
        ("shellscript", "case $x in\n  a) ¦;;\nesac\n", "case", ""),
        ("shellscript", "x=$(ls ¦)\n", "$(", ""),
        ("shellscript", "if [[ $a ¦]]; then b; fi\n", "if [[", ""),
    ],
)
def test_open_brackets(language: str, text: str, opened: str, missing: str) -> None:
    tree, offset = at_mark(language, text)
    found = open_brackets(tree, offset)
    assert " ".join(bracket.text for bracket in found) == opened
    assert missing_closers(tree, found) == missing


def test_a_bracket_knows_where_it_is_and_where_it_is_closed() -> None:
    tree, offset = at_mark("python", "é = f(a, [¦])\n")
    outer, inner = open_brackets(tree, offset)
    assert (outer.offset, outer.close, outer.closed_at) == (5, ")", 11)
    assert (inner.offset, inner.close, inner.closed_at) == (9, "]", 10)
    tree, offset = at_mark("python", "f(a, [¦\n")
    assert [bracket.closed_at for bracket in open_brackets(tree, offset)] == [None, None]
