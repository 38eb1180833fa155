"""Where a streamed suggestion is whole: the statement that it begins, and the block around it."""

from __future__ import annotations

import pytest

from coai_agents.source import Edit, Source, Span
from coai_agents.syntax import ExtentVerdict, SyntaxTree, completion_extent, parse
from coai_agents.syntax.tree import ancestors
from tests.agents.syntax.cases import MARK, SAMPLES, at_mark, tree_of

# Language, document, inserted text. In the inserted text ① stands where the statement is whole
# and ② where the block is left, of what has come in all; without a mark the verdict is open.
CASES = [
    ("python", "def f(a):\n    ¦\n", "x = g(a,\n        b"),
    ("python", "def f(a):\n    ¦\n", "x = g(a,\n        b)"),
    ("python", "def f(a):\n    ¦\n", "x = g(a,\n        b)①\n"),
    ("python", "def f(a):\n    ¦\n", "x = g(a)  # why①\n"),
    ("python", "def f(a):\n    ¦\n", "x = g(a)①\n    retu"),
    ("python", "def f(a):\n    ¦\n", "x = g(a)①\n    y = ("),
    ("python", "def f(a):\n    ¦\n", "x = 1①\n    return x②\n\ny"),
    ("python", "def f(a):\n    ¦\n", "x = 1①\n    return x②\n# y"),
    ("python", "def f(a):\n    ¦\n", "x = [\n1,\n]①\n    y = 2\n"),
    ("python", "def f(a):\n    ¦\n", 'x = """\nlow\n"""①\n    y = 2\n'),
    ("python", "def f(a):\n    ¦\n", 'x = """\nlow\n'),
    ("python", "def f(a):\n    ¦\n", "# why\n    x = 1①\n"),
    ("python", "def f(a):\n    ¦\n", "# why\n"),
    ("python", "def f(a):\n    ¦\n", "if a:\n        b()\n"),
    ("python", "def f(a):\n    ¦\n", "if a:\n        b()\n    e"),
    ("python", "def f(a):\n    ¦\n", "if a:\n        b()\n    else:\n        c()\n"),
    ("python", "def f(a):\n    ¦\n", "if a:\n        b()①\n    d()\n"),
    ("python", "def f(a):\n    ¦\n", "@g\n    def h():\n        b()①\n    d()\n"),
    ("python", "def f(a):\n    ¦\n", "x = (\n"),
    ("python", "def f(a):¦\n", "\n    return a①②\n\nprint(1)\n"),
    ("python", "def f(a):\n    x = ¦\n", "1①\n    y = 2\n"),
    ("python", "class A:\n    def f(¦", "self, a):\n        return a①\n\n    def g(self):\n"),
    ("python", "x = f(¦)\n", "a, [b"),
    ("python", "x = f(¦)\n", "a, [b]①②)\ny = 1\n"),
    ("python", "# on ¦\nx = 1\n", "the sum①\ny = 1\n"),
    ("python", "# on ¦\nx = 1\n", "the sum"),
    ("python", "def f():\n    ¦\n", "x = 1①\n    y = 2②\n\nThis doesn't change"),
    ("python", "é = '😀'\n¦\n", "ü = '😀'①\n"),
    ("python", "¦\n", "x = '\ud800'①\n"),
    ("python", "def f(:\n    x = (\n¦", "y = 1\n"),
    ("python", "x = 1\n¦\n", ""),
    ("python", "x = 1\n¦\n", "\n\n"),
    ("javascript", "function f() {\n  ¦\n}\n", "a()"),
    ("javascript", "function f() {\n  ¦\n}\n", "a();①"),
    ("javascript", "function f() {\n  ¦\n}\n", "a()\n"),
    ("javascript", "function f() {\n  ¦\n}\n", "a()①\n  return "),
    ("javascript", "function f() {\n  ¦\n}\n", "a\n    .b(c)\n    .d(e)①\n  return "),
    ("javascript", "function f() {\n  ¦\n}\n", "if (a) {\n    b();\n  }"),
    ("javascript", "function f() {\n  ¦\n}\n", "if (a) {\n    b();\n  } e"),
    ("javascript", "function f() {\n  ¦\n}\n", "if (a) {\n    b();\n  } else "),
    ("javascript", "function f() {\n  ¦\n}\n", "if (a)\n    b();\n"),
    ("javascript", "function f() {\n  ¦\n}\n", "for (;;)\n    if (a) b();\n"),
    ("javascript", "function f() {\n  ¦\n}\n", "if (a) {\n    b();\n  }①\n  return 1;\n"),
    ("javascript", "function f() {\n  ¦\n}\n", "while (a) {\n    b();\n  }①"),
    ("javascript", "function f() {\n  ¦\n}\n", "a();①\n  b();②\n}\n\nfunction g() {"),
    ("javascript", "function f() {\n  ¦\n", "a();①\n  b();\n}②\n\nfunction g() {"),
    ("javascript", "function f() {\n  if (a) {\n    ¦\n}\n", "b();①\n  }②\n  c();"),
    ("javascript", "function f() {\n  ¦\n}\n", "/* a"),
    ("javascript", "function f() { /* ¦ */ }\n", "a"),
    ("javascript", "function f() { /* ¦\n", "a */①\n  b();"),
    ("javascript", "x = f(¦)\n", "a, {b: 1}①②)\ny()\n"),
    ("javascript", "x = f(¦", "a, (b) => {\n  c();\n});①\ny()\n"),
    ("javascript", "x = [¦]\n", "1, `}${2}`①②]"),
    ("typescriptreact", "const a = (\n  ¦\n);\n", "<div>\n    {b}\n  </div>①②\n);\n"),
    ("typescript", "class A {\n  ¦\n}\n", "@d()\n  f(): void {\n  }①\n\n  g() {}②\n}"),
    ("go", "package a\nfunc f() {\n\t¦\n}\n", "x := a +"),
    ("go", "package a\nfunc f() {\n\t¦\n}\n", "x := a +\n\t\t1①\n"),
    ("go", "package a\nfunc f() {\n\t¦\n}\n", "if a {\n\t\tb()\n\t}"),
    ("go", "package a\nfunc f() {\n\t¦\n}\n", "if a {\n\t\tb()\n\t} else {\n\t\tc()\n\t}①\n"),
    ("go", "package a\nfunc f() {\n\tswitch a {\n\t¦\n\t}\n}\n", "case 1:\n"),
    ("go", "package a\nfunc f() {\n\tswitch a {\n\t¦\n\t}\n}\n", "case 1:\n\t\tb()①\n\tcase 2:\n"),
    ("java", "class A {\n  void f() {\n    ¦\n", "int x = 1;①"),
    ("java", "class A {\n  void f() {\n    ¦\n", "int x = 1;①\n    f"),
    ("java", "class A {\n  void f() {\n    ¦\n", "try {\n      g();\n    }"),
    ("java", "class A {\n  void f() {\n    ¦\n", "g();①\n  }②\n\n  void h() {}\n}\n"),
    ("rust", "fn f() {\n    ¦\n}\n", "let a = match b {\n        1 => 2,\n    }"),
    ("rust", "fn f() {\n    ¦\n}\n", "let a = match b {\n        1 => 2,\n    };①"),
    ("rust", "fn f() {\n    ¦\n}\n", "if a {\n        b();\n    }"),
    ("rust", "¦\n", "#[test]\nfn f() {\n}①\n"),
    ("c", "int f() {\n    ¦\n}\n", "do {\n        a();\n    } while (b);①"),
    ("c", "int f() {\n    ¦\n}\n", "if (a)\n        b();\n    else\n        c();\n"),
    ("cpp", "¦\n", "struct A {\n  int x;\n}"),
    ("cpp", "¦\n", "struct A {\n  int x;\n};①"),
    ("cpp", "¦\n", "template <class T>\nT f() {\n  return 1;\n}①"),
    ("csharp", "class A {\n  ¦\n}\n", "int F()\n  {\n    return 1;\n  }①\n\n  int G() => 1;②\n}\n"),
    ("ruby", "class A\n  ¦\nend\n", "def f\n    a if b\n    c.each do |d|\n    end\n"),
    ("ruby", "class A\n  ¦\nend\n", "def f\n    a if b\n    c.each do |d|\n    end\n  end①"),
    ("ruby", "def f\n  ¦\n", "a①\n  b\nend②\n\ndef g"),
    ("php", "<?php\nfunction f() {\n  ¦\n}\n", "foreach ($a as $b) {\n    c();\n  }①"),
    ("php", "<?php\nfunction f() {\n  ¦\n}\n", "a();①\n  b();②\n}\n"),
    ("shellscript", "f() {\n  ¦\n}\n", "if a; then\n    b\n"),
    ("shellscript", "f() {\n  ¦\n}\n", "if a; then\n    b\n  fi①\n"),
    ("shellscript", "f() {\n  ¦\n}\n", "a①\n  for b in c; do\n    d\n  done②\n}\n"),
]


@pytest.mark.parametrize(("language", "document", "marked"), CASES)
def test_extent_of_a_suggestion(language: str, document: str, marked: str) -> None:
    tree, offset = at_mark(language, document)
    inserted = marked.replace("①", "").replace("②", "")
    verdict = completion_extent(tree, offset, inserted)
    assert verdict is not None
    statement, block = (
        marked.replace("②", "").find("①"),
        marked.replace("①", "").find("②"),
    )
    assert (verdict.statement, verdict.block) == (
        None if statement < 0 else statement,
        None if block < 0 else block,
    )
    assert verdict.whole is (statement >= 0)


def statements(tree: SyntaxTree) -> list[Span]:
    """Return the statements that begin on a line of their own and are not the last in a block."""
    source = tree.source
    found: list[Span] = []
    nodes = [tree.root]
    while nodes:
        node = nodes.pop()
        nodes += node.children
        if not node.is_named or node.parent is None or node.parent.type == "ERROR":
            continue
        if node.parent.type not in tree.grammar.containers or node.type in tree.grammar.comments:
            continue
        start = tree.start(node)
        if not source.text[source.line_start(source.line_at(start)) : start].strip():
            found.append(tree.span(node))
    return found


@pytest.mark.parametrize("language", sorted(SAMPLES))
@pytest.mark.parametrize("what_follows", ["nothing", "the rest of the file"])
def test_no_statement_is_taken_for_whole_before_its_end(language: str, what_follows: str) -> None:
    text = SAMPLES[language]
    whole = tree_of(language, text)
    spans = statements(whole)
    assert len(spans) >= 4
    for span in spans:
        line_end = whole.source.line_end(whole.source.line_at(span.end))
        suffix = text[line_end:] if what_follows != "nothing" else ""
        tree = parse(Source("file:///x", text[: span.start] + suffix, language))
        assert tree is not None
        for end in range(1, len(text) - span.start + 1, 3):
            inserted = text[span.start : span.start + end]
            verdict = completion_extent(tree, span.start, inserted)
            assert verdict is not None
            if verdict.statement is not None:
                kept = inserted[: verdict.statement].rstrip(";")
                assert kept.startswith(text[span.start : span.end].rstrip(";"))
                break


def test_the_document_around_may_be_longer_than_the_suggestion() -> None:
    source = Source("file:///x.py", SAMPLES["python"] * 50, "python")
    tree = parse(source)
    assert tree is not None
    offset = source.text.index("# Nothing", len(source.text) // 2)
    verdict = completion_extent(tree, offset, "for a in b:\n            c(a)\n        d = 1\n")
    assert verdict == ExtentVerdict(statement=28, block=None)


def test_without_time_there_is_no_verdict() -> None:
    tree, offset = at_mark("python", "x = 1\n" * 3_000 + MARK)
    assert completion_extent(tree, offset, "y = 2\n", budget=0.0) is None


def test_a_verdict_fits_the_text_that_was_judged() -> None:
    tree, offset = at_mark("javascript", "function f() {\n  ¦\n}\n")
    inserted = "a();\n  b();\n}\n"
    verdict = completion_extent(tree, offset, inserted)
    assert verdict is not None
    assert verdict.block is not None
    cut = inserted[: verdict.block]
    after = parse(tree.source.apply(Edit(Span(offset, offset), cut)), tree)
    assert after is not None
    assert not after.has_error
    assert any(node.type == "function_declaration" for node in ancestors(after.leaf_after(offset)))
